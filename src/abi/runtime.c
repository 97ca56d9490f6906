/* The runtime by name (see runtime.h): a table of symbols, one of fields, one of numbers, and one of layouts that the
 * Go half relies on. What several releases name differently has its names separated by '|', the first that the host has
 * counts. */
#include "runtime.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum need { REQUIRED, OPTIONAL };

/* ---- what is lacking -------------------------------------------------------------------------------------------- */

struct lack {
	char text[1024];
	bool symbols; /* some of it are symbols */
};

static void note(struct lack *lack, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct lack *lack, const char *format, ...)
{
	size_t n = strlen(lack->text);
	va_list ap;

	if (n > 0) {
		n += (size_t)snprintf(lack->text + n, sizeof(lack->text) - n, ", ");
	}
	if (n < sizeof(lack->text)) {
		va_start(ap, format);
		vsnprintf(lack->text + n, sizeof(lack->text) - n, format, ap);
		va_end(ap);
	}
}

static int report(const struct gl_runtime_names *names, const struct lack *lack, struct gl_error *err)
{
	if (lack->text[0] == '\0') {
		return 0;
	}
	return gl_fail(err, GL_EHOST, "%s can't be a host: its runtime (%s) has not what this library needs: %s%s",
		       names->host, names->abi->go_version, lack->text,
		       lack->symbols ? " (was it built without importing \"plugin\"?)" : "");
}

/* ---- symbols ---------------------------------------------------------------------------------------------------- */

struct symbol {
	const char *names;
	size_t at; /* of the pointer in the struct that is filled */
	enum need need;
};

/* The next of names that are separated by '|'; *names is what follows it. */
static const char *next_name(const char **names, char *out, size_t size)
{
	size_t n = strcspn(*names, "|");

	snprintf(out, size, "%.*s", (int)n, *names);
	*names += n + ((*names)[n] == '|');
	return out;
}

static uintptr_t find_symbol(const struct gl_runtime_names *names, const char *symbols)
{
	char name[160];
	uintptr_t addr = 0;

	while (addr == 0 && *symbols != '\0') {
		addr = names->find(names->arg, next_name(&symbols, name, sizeof(name)), NULL);
	}
	return addr;
}

static void fill_symbols(const struct gl_runtime_names *names, void *into, const struct symbol *symbols, size_t n,
			 struct lack *lack)
{
	for (size_t i = 0; i < n; i++) {
		uintptr_t addr = find_symbol(names, symbols[i].names);
		memcpy((char *)into + symbols[i].at, &addr, sizeof(addr));
		if (addr == 0 && symbols[i].need == REQUIRED) {
			note(lack, "%s", symbols[i].names);
			lack->symbols = true;
		}
	}
}

#define S(member, names, need)                                                                                         \
	{                                                                                                              \
		names, offsetof(struct gl_runtime, member), need                                                       \
	}
static const struct symbol symbols[] = {
	/* functions */
	S(itab_add, "runtime.itabAdd", REQUIRED),
	S(itab_find, "runtime.(*itabTableType).find", REQUIRED),
	S(itab_init, "runtime.itabInit|runtime.(*itab).init", REQUIRED),
	S(lock, "runtime.lock2", REQUIRED),
	S(unlock, "runtime.unlock2", REQUIRED),
	S(stop_the_world, "runtime.stopTheWorldGC", REQUIRED),
	S(start_the_world, "runtime.startTheWorldGC", REQUIRED),
	S(do_init, "runtime.doInit1", REQUIRED),
	S(schedule, "runtime.schedule", REQUIRED),
	S(gopark, "runtime.gopark", REQUIRED),
	S(unwinder_init, "runtime.(*unwinder).initAt", REQUIRED),
	S(unwinder_next, "runtime.(*unwinder).next", REQUIRED),
	S(get_stack_map, "runtime.(*stkframe).getStackMap", REQUIRED),
	S(sweep_one, "runtime.sweepone", REQUIRED),
	S(no_return[0], "runtime.throw", REQUIRED),
	S(no_return[1], "runtime.fatal", OPTIONAL),
	S(no_return[2], "runtime.gopanic", REQUIRED),
	S(no_return[3], "runtime.panicdivide", OPTIONAL),
	S(no_return[4], "runtime.panicshift", OPTIONAL),
	S(no_return[5], "runtime.panicwrap", OPTIONAL),
	S(span_of_heap, "runtime.spanOfHeap", REQUIRED),
	S(setsig, "runtime.setsig", REQUIRED),
	S(sighandler, "runtime.sighandler", REQUIRED),
	S(clear_signal_handlers, "runtime.clearSignalHandlers", REQUIRED),
	S(syscall6, "syscall.Syscall6", REQUIRED),
	S(after_fork_in_child, "syscall.runtime_AfterForkInChild", REQUIRED),
	/* an object's pointers: since Go 1.22 by its type, before by the heap's bitmap */
	S(type_pointers_of, "runtime.(*mspan).typePointersOfUnchecked", OPTIONAL),
	S(heap_bits_for, "runtime.heapBitsForAddr", OPTIONAL),
	S(next_pointer, "runtime.typePointers.next|runtime.heapBits.next", REQUIRED),
	/* variables */
	S(firstmoduledata, "runtime.firstmoduledata", REQUIRED),
	S(lastmoduledatap, "runtime.lastmoduledatap", REQUIRED),
	S(modules_slice, "runtime.modulesSlice", REQUIRED),
	S(itab_table, "runtime.itabTable", REQUIRED),
	S(itab_table_init, "runtime.itabTableInit", REQUIRED),
	S(itab_lock, "runtime.itabLock", REQUIRED),
	S(allgs, "runtime.allgs", REQUIRED),
	S(allm, "runtime.allm", REQUIRED),
	S(allp, "runtime.allp", REQUIRED),
	S(allspans, "runtime.mheap_", REQUIRED), /* to which the field's offset is added */
	S(pages_in_use, "runtime.mheap_", REQUIRED),
	S(traceback_cache, "runtime.traceback_cache", REQUIRED),
	S(traceback_env, "runtime.traceback_env", REQUIRED),
	S(race_cgo_sync, "runtime.racecgosync", OPTIONAL),
	S(godebug_default, "runtime.godebugDefault", REQUIRED),
	S(main_init_done, "runtime.mainInitDoneChan|runtime.main_init_done", REQUIRED),
	S(main_init_flag, "runtime.mainInitDone", OPTIONAL), /* since Go 1.27 */
	S(islibrary, "runtime.islibrary", REQUIRED),
	S(handling_sig, "runtime.handlingSig", REQUIRED),
	S(fwd_sig, "runtime.fwdSig", REQUIRED),
	S(init_sigmask, "runtime.initSigmask", REQUIRED),
	S(in_forked_child, "runtime.inForkedChild", REQUIRED),
	S(sigtable, "runtime.sigtable", REQUIRED),
	S(check_pidfd, "os.checkPidfdOnce", OPTIONAL),
	S(override_write, "runtime.overrideWrite", REQUIRED),
	S(panicking, "runtime.panicking", REQUIRED),
	S(reflect_offs, "runtime.reflectOffs", OPTIONAL),
	S(module_to_typelinks, "runtime.moduleToTypelinks", OPTIONAL), /* since Go 1.27 */
	S(module_to_typelinks_lock, "runtime.moduleToTypelinksLock", OPTIONAL),
	/* package unique, since Go 1.23: its maps were in another package, behind a pointer, in that release */
	S(unique_all,
	  "internal/sync.(*HashTrieMap[*internal/abi.Type,interface {}]).All|"
	  "internal/concurrent.(*HashTrieMap[*internal/abi.Type,interface {}]).All",
	  OPTIONAL),
	S(unique_delete,
	  "internal/sync.(*HashTrieMap[*internal/abi.Type,interface {}]).CompareAndDelete|"
	  "internal/concurrent.(*HashTrieMap[*internal/abi.Type,interface {}]).CompareAndDelete",
	  OPTIONAL),
	S(unique_cleanup_mu, "unique.cleanupMu", OPTIONAL),
	S(unique_cleanup_funcs_mu, "unique.cleanupFuncsMu", OPTIONAL),
	S(unique_cleanup_funcs, "unique.cleanupFuncs", OPTIONAL),
};
#undef S

#define S(member, names)                                                                                               \
	{                                                                                                              \
		names, offsetof(struct gl_runtime_vars, member), OPTIONAL                                              \
	}
static const struct symbol var_symbols[] = {
	S(extra_threads, "runtime.extraMLength"),       S(foreign_threads, "runtime.extraMInUse"),
	S(profile_rate, "runtime.MemProfileRate"),      S(default_goroot, "runtime.defaultGOROOT"),
	S(stack_bound, "_cgo_getstackbound"),           S(zerobase, "runtime.zerobase"),
	S(before_main, "runtime.goloader_before_main"), S(after_main, "goloader.dev/host.afterMain"),
};
#undef S

/* ---- fields ----------------------------------------------------------------------------------------------------- */

/* The size is that of what is read there, whatever the field's type: 4 of a uint32, 8 of a pointer, 24 of a slice. 0:
 * any will do, for what is inside has its own line. */
struct field {
	const char *strukt, *name;
	size_t at; /* of the offset in the struct that is filled */
	int size;
	enum need need;
};

/* The field's offset; -1 when there is none of this size. */
static int32_t find_field(const struct gl_abi *abi, const char *strukt, const char *name, int size, enum need need,
			  struct lack *lack)
{
	int offset = gl_abi_field(abi, strukt, name), has = gl_abi_field_size(abi, strukt, name);

	if (offset < 0) {
		if (need == REQUIRED) {
			note(lack, "%s.%s", strukt, name);
		}
		return -1;
	}
	if (size > 0 && has != size) {
		note(lack, "%s.%s of %d bytes (it has %d)", strukt, name, size, has);
		return -1;
	}
	return offset;
}

static void fill_fields(const struct gl_abi *abi, void *into, const struct field *fields, size_t n, struct lack *lack)
{
	for (size_t i = 0; i < n; i++) {
		const struct field *f = &fields[i];
		int32_t offset = find_field(abi, f->strukt, f->name, f->size, f->need, lack);
		memcpy((char *)into + f->at, &offset, sizeof(offset));
	}
}

#define FIELD(into, member, strukt, name, size, need)                                                                  \
	{                                                                                                              \
		strukt, name, offsetof(struct into, member), size, need                                                \
	}
#define F(member, strukt, name, size, need) FIELD(gl_runtime, member, strukt, name, size, need)
static const struct field fields[] = {
	F(moduledata_next, "runtime.moduledata", "next", 8, REQUIRED),
	F(moduledata_bad, "runtime.moduledata", "bad", 1, REQUIRED),
	F(moduledata_minpc, "runtime.moduledata", "minpc", 8, REQUIRED),
	F(moduledata_text, "runtime.moduledata", "text", 8, REQUIRED),
	F(moduledata_etext, "runtime.moduledata", "etext", 8, REQUIRED),
	F(moduledata_ftab, "runtime.moduledata", "ftab", 24, REQUIRED),
	F(moduledata_types, "runtime.moduledata", "types", 8, REQUIRED),
	F(moduledata_typelinks, "runtime.moduledata", "typelinks", 24, OPTIONAL), /* up to Go 1.26 */
	F(moduledata_pclntable, "runtime.moduledata", "pclntable", 24, REQUIRED),
	F(moduledata_funcnametab, "runtime.moduledata", "funcnametab", 24, REQUIRED),
	F(moduledata_gofunc, "runtime.moduledata", "gofunc", 8, REQUIRED),
	F(moduledata_rodata, "runtime.moduledata", "rodata", 8, REQUIRED),
	F(moduledata_modulename, "runtime.moduledata", "modulename", 16, REQUIRED),
	F(moduledata_data, "runtime.moduledata", "data", 8, REQUIRED),
	F(moduledata_edata, "runtime.moduledata", "edata", 8, REQUIRED),
	F(moduledata_bss, "runtime.moduledata", "bss", 8, REQUIRED),
	F(moduledata_ebss, "runtime.moduledata", "ebss", 8, REQUIRED),
	F(moduledata_gcdatamask, "runtime.moduledata", "gcdatamask", 16, REQUIRED),
	F(moduledata_gcbssmask, "runtime.moduledata", "gcbssmask", 16, REQUIRED),
	F(table_size, "runtime.itabTableType", "size", 8, REQUIRED),
	F(table_count, "runtime.itabTableType", "count", 8, REQUIRED),
	F(table_entries, "runtime.itabTableType", "entries", 0, REQUIRED),
	F(g_status, "runtime.g", "atomicstatus", 4, REQUIRED),
	F(g_goid, "runtime.g", "goid", 8, REQUIRED),
	F(g_startpc, "runtime.g", "startpc", 8, OPTIONAL),
	F(g_sched_g, "runtime.g", "sched", 0, REQUIRED), /* to which those of gobuf's fields are added */
	F(g_sched_sp, "runtime.g", "sched", 0, REQUIRED),
	F(g_sched_ctxt, "runtime.g", "sched", 0, REQUIRED),
	F(g_panic, "runtime.g", "_panic", 8, REQUIRED),
	F(g_waitreason, "runtime.g", "waitreason", 1, REQUIRED),
	F(p_timers, "runtime.p", "timers", 0, REQUIRED), /* to which that of the slice in it is added */
	F(g_m, "runtime.g", "m", 8, REQUIRED),
	F(g_gopc, "runtime.g", "gopc", 8, REQUIRED),
	F(g_stack, "runtime.g", "stack", 16, REQUIRED),
	F(g_defer, "runtime.g", "_defer", 8, REQUIRED),
	F(defer_fn, "runtime._defer", "fn", 8, REQUIRED),
	F(defer_pc, "runtime._defer", "pc", 8, REQUIRED),
	F(defer_link, "runtime._defer", "link", 8, REQUIRED),
	F(m_g0, "runtime.m", "g0", 8, REQUIRED),
	F(m_curg, "runtime.m", "curg", 8, REQUIRED),
	F(m_mallocing, "runtime.m", "mallocing", 4, REQUIRED),
	F(m_procid, "runtime.m", "procid", 8, REQUIRED),
	F(m_sigmask, "runtime.m", "sigmask", 8, REQUIRED),
	F(m_isextra, "runtime.m", "isextra", 1, REQUIRED),
	F(m_ncgo, "runtime.m", "ncgo", 4, REQUIRED),
	F(m_next, "runtime.m", "alllink", 8, REQUIRED),
	F(m_pcvalue_cache, "runtime.m", "pcvalueCache", 0, OPTIONAL), /* up to Go 1.21 */
	F(frame_fn, "runtime.stkframe", "fn", 0, REQUIRED),
	F(frame_continpc, "runtime.stkframe", "continpc", 8, REQUIRED),
	F(frame_sp, "runtime.stkframe", "sp", 8, REQUIRED),
	F(frame_varp, "runtime.stkframe", "varp", 8, REQUIRED),
	F(frame_argp, "runtime.stkframe", "argp", 8, REQUIRED),
	F(func_args, "runtime._func", "args", 4, REQUIRED),
	F(func_deferreturn, "runtime._func", "deferreturn", 4, REQUIRED),
	F(func_id, "runtime._func", "funcID", 1, REQUIRED),
	F(func_flag, "runtime._func", "flag", 1, REQUIRED),
	F(func_name, "runtime._func", "nameOff", 4, REQUIRED),
	F(stack_object_mask, "runtime.stackObjectRecord", "gcdataoff", 4, REQUIRED),
	F(mspan_start, "runtime.mspan", "startAddr", 8, REQUIRED),
	F(mspan_npages, "runtime.mspan", "npages", 8, REQUIRED),
	F(mspan_elemsize, "runtime.mspan", "elemsize", 8, REQUIRED),
	F(mspan_nelems, "runtime.mspan", "nelems", 0, REQUIRED),
	F(mspan_freeindex, "runtime.mspan", "freeindex", 0, REQUIRED),
	F(mspan_alloc_bits, "runtime.mspan", "allocBits", 8, REQUIRED),
	F(mspan_class, "runtime.mspan", "spanclass", 1, REQUIRED),
	F(mspan_state, "runtime.mspan", "state", 1, REQUIRED),
	F(mspan_specials, "runtime.mspan", "specials", 8, REQUIRED),
	F(mspan_large_type, "runtime.mspan", "largeType", 8, OPTIONAL), /* since Go 1.22 */
	F(special_next, "runtime.special", "next", 8, REQUIRED),
	F(special_kind, "runtime.special", "kind", 1, REQUIRED),
	F(special_offset, "runtime.special", "offset", 0, REQUIRED),
};
#undef F

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

/* One that this Go lacks is -1. */
static const struct {
	const char *name;
	size_t at;
	enum need need;
} numbers[] = {
#define N(member, name, need)                                                                                          \
	{                                                                                                              \
		name, offsetof(struct gl_runtime, member), need                                                        \
	}
	N(status_scan, "runtime._Gscan", REQUIRED),
	N(status_idle, "runtime._Gidle", REQUIRED),
	N(status_dead, "runtime._Gdead", REQUIRED),
	N(status_waiting, "runtime._Gwaiting", REQUIRED),
	N(status_dead_extra, "runtime._Gdeadextra", OPTIONAL), /* since Go 1.26 */
	N(span_in_use, "runtime.mSpanInUse", REQUIRED),
	N(unwind_silent, "runtime.unwindSilentErrors", REQUIRED),
	N(traceback_crash, "runtime.tracebackCrash", REQUIRED),
	N(header_min, "runtime.minSizeForMallocHeader", OPTIONAL), /* since Go 1.22 */
	N(func_id_async_preempt, "FuncID_asyncPreempt", REQUIRED),
	N(func_id_debug_call, "FuncID_debugCallV2", REQUIRED),
	N(func_flag_asm, "FuncFlagAsm", REQUIRED),
	N(kind_finalizer, "runtime._KindSpecialFinalizer", REQUIRED),
	N(kind_cleanup, "runtime._KindSpecialCleanup", OPTIONAL), /* since Go 1.24 */
	N(kind_weak, "runtime._KindSpecialWeakHandle", OPTIONAL), /* since Go 1.23 */
#undef N
};

/* Why goroutines wait that are in a call which does nothing but wait: for each other, for the time, for the network. */
static void fill_idle_reasons(const struct gl_abi *abi, struct gl_runtime *rt)
{
	static const char *const reasons[] = { "IOWait", "ChanReceive",   "ChanSend",     "Select",
					       "Sleep",  "SelectNoCases", "SyncCondWait", "SyncWaitGroupWait" };
	char name[64];

	for (size_t i = 0; i < COUNT(reasons); i++) {
		snprintf(name, sizeof(name), "runtime.waitReason%s", reasons[i]);
		int64_t value = gl_abi_const(abi, name);
		if (value >= 0 && value < 64) {
			rt->idle_reasons |= UINT64_C(1) << value;
		}
	}
}

static void fill_numbers(const struct gl_abi *abi, struct gl_runtime *rt, struct lack *lack)
{
	for (size_t i = 0; i < COUNT(numbers); i++) {
		int64_t value = gl_abi_const(abi, numbers[i].name);
		if (value < 0 && numbers[i].need == REQUIRED) {
			note(lack, "the constant %s", numbers[i].name);
		}
		int32_t small = value < 0 ? -1 : (int32_t)value;
		memcpy((char *)rt + numbers[i].at, &small, sizeof(small));
	}
	/* pageShift is no constant of the runtime's since Go 1.25 */
	int64_t page_size = gl_abi_const(abi, "runtime.pageSize");
	if (page_size <= 0 || (page_size & (page_size - 1)) != 0) {
		note(lack, "the constant runtime.pageSize, a power of two");
	} else {
		rt->page_shift = __builtin_ctzll((unsigned long long)page_size);
	}
}

/* ---- layouts that the Go half has as Go structs ----------------------------------------------------------------- */

static const struct {
	const char *strukt, *field;
	int offset, size;
} layouts[] = {
	/* src/host/stacks.go */
	{ "runtime.bitvector", "n", 0, 4 },
	{ "runtime.bitvector", "bytedata", 8, 8 },
	{ "runtime.stackObjectRecord", "off", 0, 4 },
	{ "runtime.stackObjectRecord", "size", 4, 4 },
	/* src/host/run.go, src/host/internal/enter/cross_amd64.s */
	{ "runtime.gobuf", "sp", 0, 8 },
	{ "runtime.gobuf", "pc", 8, 8 },
	/* where g.stack is read */
	{ "runtime.stack", "lo", 0, 8 },
	{ "runtime.stack", "hi", 8, 8 },
};

static void check_layouts(const struct gl_abi *abi, struct lack *lack)
{
	for (size_t i = 0; i < COUNT(layouts); i++) {
		int32_t at = find_field(abi, layouts[i].strukt, layouts[i].field, layouts[i].size, REQUIRED, lack);
		if (at >= 0 && at != layouts[i].offset) {
			note(lack, "%s.%s at %d (it is at %d)", layouts[i].strukt, layouts[i].field, layouts[i].offset,
			     at);
		}
	}
}

/* What walks an object's pointers is carried as four words. */
static void check_walker(const struct gl_abi *abi, const struct gl_runtime *rt, struct lack *lack)
{
	const char *walker = rt->type_pointers_of != NULL ? "runtime.typePointers" : "runtime.heapBits";

	if (gl_abi_struct_size(abi, walker) != 32) {
		note(lack, "%s of 32 bytes (it has %lld)", walker, (long long)gl_abi_struct_size(abi, walker));
	}
	if (rt->type_pointers_of != NULL &&
	    (gl_abi_field(abi, walker, "addr") != 8 || gl_abi_field(abi, walker, "mask") != 16 ||
	     gl_abi_field(abi, walker, "typ") != 24)) {
		note(lack, "%s of four words: elem, addr, mask, typ", walker);
	}
	if (rt->type_pointers_of == NULL && rt->heap_bits_for == NULL) {
		note(lack, "runtime.heapBitsForAddr");
		lack->symbols = true;
	}
}

/* ---- parts ------------------------------------------------------------------------------------------------------ */

/* Finalizers wait in blocks of their own; so do cleanups, since Go 1.25. A kind of block of which something is not
 * known is not walked: first is NULL then. */
static void fill_pending(const struct gl_runtime_names *names, struct gl_runtime *rt)
{
	const struct gl_abi *abi = names->abi;
	struct gl_pending *fin = &rt->pending[0], *cleanup = &rt->pending[1];
	bool renamed = gl_abi_struct_size(abi, "runtime.finBlock") > 0; /* in Go 1.26 */
	const char *finblock = renamed ? "runtime.finBlock" : "runtime.finblock";
	uint8_t *cleanups = (uint8_t *)find_symbol(names, "runtime.gcCleanups");
	int all = gl_abi_field(abi, "runtime.cleanupQueue", "all");

	fin->first = (void *)find_symbol(names, "runtime.allfin");
	fin->alllink = gl_abi_field(abi, finblock, "alllink");
	fin->count = gl_abi_field(abi, finblock, "cnt");
	fin->items = gl_abi_field(abi, finblock, "fin");
	fin->item_size = (int32_t)gl_abi_struct_size(abi, "runtime.finalizer");
	if (cleanups != NULL && all >= 0) {
		cleanup->first = cleanups + all;
		cleanup->alllink = gl_abi_field(abi, "runtime.cleanupBlockHeader", "alllink");
		cleanup->count = gl_abi_field(abi, "runtime.cleanupBlockHeader", "n");
		cleanup->items = gl_abi_field(abi, "runtime.cleanupBlock", "cleanups");
		int64_t item = gl_abi_struct_size(abi, "runtime.cleanupFn"); /* in Go 1.25: a *funcval */
		cleanup->item_size = item > 0 ? (int32_t)item : (int32_t)sizeof(void *);
	}
	for (size_t i = 0; i < COUNT(rt->pending); i++) {
		struct gl_pending *p = &rt->pending[i];
		if (p->alllink < 0 || p->count < 0 || p->items < 0 || p->item_size <= 0) {
			p->first = NULL;
		}
	}
}

/* What is noted of an object: a finalizer's function comes first behind what all notes have in common, and so do those
 * of a cleanup. */
static void fill_specials(const struct gl_abi *abi, struct gl_runtime *rt, struct lack *lack)
{
	rt->special_size = (int32_t)gl_abi_struct_size(abi, "runtime.special");
	if (gl_abi_field(abi, "runtime.specialfinalizer", "fn") != rt->special_size) {
		note(lack, "runtime.specialfinalizer.fn at %d (it is at %d)", rt->special_size,
		     gl_abi_field(abi, "runtime.specialfinalizer", "fn"));
	}
	rt->special_finalizer_size = (int32_t)gl_abi_struct_size(abi, "runtime.specialfinalizer");
	if (gl_abi_field(abi, "runtime.specialfinalizer", "ot") != rt->special_finalizer_size - 8) {
		note(lack, "runtime.specialfinalizer.ot as its last field");
	}
	if (rt->special_kind - rt->special_offset != gl_abi_field_size(abi, "runtime.special", "offset")) {
		note(lack, "runtime.special.offset before .kind");
	}
	if (rt->kind_cleanup < 0) {
		return;
	}
	/* in Go 1.24 and 1.25 a *funcval; since Go 1.26 a cleanupFn: two of them, and an argument */
	int at = gl_abi_field(abi, "runtime.specialCleanup", "cleanup");
	at = at >= 0 ? at : gl_abi_field(abi, "runtime.specialCleanup", "fn");
	if (at != rt->special_size) {
		note(lack, "runtime.specialCleanup's function at %d (it is at %d)", rt->special_size, at);
	}
	int64_t words = gl_abi_struct_size(abi, "runtime.cleanupFn") / (int64_t)sizeof(void *);
	rt->cleanup_funcs = words > 0 ? (int32_t)words : 1;
}

static void fill_unique(const struct gl_runtime_names *names, struct gl_runtime *rt)
{
	static const char first[] = "internal/concurrent.(*HashTrieMap[*internal/abi.Type,interface {}]).All";
	uintptr_t all = find_symbol(names, first);

	uint64_t size = 0;
	rt->unique_maps = (void *)names->find(names->arg, "unique.uniqueMaps", &size);
	rt->unique_maps_size = (int64_t)size;
	rt->unique_maps_indirect = all != 0 && all == (uintptr_t)rt->unique_all;
}

/* Widths and sizes that follow from the description alone. */
static void fill_sizes(const struct gl_abi *abi, struct gl_runtime *rt, struct lack *lack)
{
	int nelems = gl_abi_field_size(abi, "runtime.mspan", "nelems");

	if (nelems != gl_abi_field_size(abi, "runtime.mspan", "freeindex") || (nelems != 2 && nelems != 8)) {
		note(lack, "runtime.mspan.nelems and .freeindex of 2 or 8 bytes");
	}
	rt->mspan_index_size = nelems;
	int64_t stop = gl_abi_struct_size(abi, "runtime.worldStop");
	rt->world_stop_size = stop > 0 ? stop : 0;
	rt->g_size = (int32_t)gl_abi_struct_size(abi, "runtime.g");
	rt->stack_object_size = (int32_t)gl_abi_struct_size(abi, "runtime.stackObjectRecord");
	/* renamed in Go 1.24 */
	int ptrs = gl_abi_field(abi, "runtime.stackObjectRecord", "ptrBytes");
	rt->stack_object_ptrs = ptrs >= 0 ? ptrs : gl_abi_field(abi, "runtime.stackObjectRecord", "_ptrdata");
	if (rt->stack_object_ptrs < 0) {
		note(lack, "runtime.stackObjectRecord.ptrBytes");
	}
	rt->reg_args_size = (int32_t)gl_abi_struct_size(abi, "internal/abi.RegArgs");
	rt->pcvalue_cache_size = (int32_t)gl_abi_struct_size(abi, "runtime.pcvalueCache");
	if (rt->pcvalue_cache_size <= 0) {
		rt->m_pcvalue_cache = -1;
	}
	rt->moduledata_size = (int32_t)abi->moduledata.size;
	rt->itab_inter = abi->itab.Inter;
	rt->itab_type = abi->itab.Type;
	rt->itab_size = (int32_t)abi->itab.size;
	rt->type_hash = abi->type.Hash;
	rt->type_str = abi->type.Str;
	rt->type_tflag = abi->type.TFlag;
	rt->tflag_uncommon = abi->TFlagUncommon;
	rt->unwinder_size = (int32_t)abi->unwinder.size;
	rt->unwinder_frame = abi->unwinder.frame;
	rt->unwinder_pc = abi->unwinder.frame + abi->stkframe.pc;
}

/* What is inside of something else. */
static void fill_inner(const struct gl_runtime_names *names, struct gl_runtime *rt, struct gl_runtime_vars *vars,
		       struct lack *lack)
{
	const struct gl_abi *abi = names->abi;
	int32_t allspans = find_field(abi, "runtime.mheap", "allspans", 24, REQUIRED, lack);
	int32_t pages_in_use = find_field(abi, "runtime.mheap", "pagesInUse", 8, REQUIRED, lack);
	int32_t sched_g = find_field(abi, "runtime.gobuf", "g", 8, REQUIRED, lack);
	int32_t sched_sp = find_field(abi, "runtime.gobuf", "sp", 8, REQUIRED, lack);
	uint8_t *sched = (uint8_t *)find_symbol(names, "runtime.sched");
	int32_t nmsys = find_field(abi, "runtime.schedt", "nmsys", 4, OPTIONAL, lack);
	int32_t ngsys = find_field(abi, "runtime.schedt", "ngsys", 4, OPTIONAL, lack);
	enum need offs = rt->reflect_offs != NULL ? REQUIRED : OPTIONAL;
	uint64_t size = 0;

	rt->allspans = (uint8_t *)rt->allspans + allspans;
	rt->pages_in_use = (uint8_t *)rt->pages_in_use + pages_in_use;
	rt->g_sched_g += sched_g;
	rt->g_sched_sp += sched_sp;
	rt->g_sched_ctxt += find_field(abi, "runtime.gobuf", "ctxt", 8, REQUIRED, lack);
	/* since Go 1.23 a p has a struct of timers */
	int32_t heap = find_field(abi, "runtime.timers", "heap", 24, OPTIONAL, lack);
	rt->p_timers += heap > 0 ? heap : 0;
	vars->system_threads = sched != NULL && nmsys >= 0 ? (void *)(sched + nmsys) : NULL;
	vars->system_goroutines = sched != NULL && ngsys >= 0 ? (void *)(sched + ngsys) : NULL;
	rt->reflect_offs_m = find_field(abi, "runtime.reflectOffs", "m", 8, offs, lack);
	rt->reflect_offs_minv = find_field(abi, "runtime.reflectOffs", "minv", 8, offs, lack);
	rt->types_by_string = (void *)names->find(names->arg, "reflect.typesByString", &size);
	rt->types_by_string_end = rt->types_by_string != NULL ? (uint8_t *)rt->types_by_string + size : NULL;
}

int gl_runtime_check_version(const struct gl_runtime_names *names, struct gl_error *err)
{
	const struct {
		const char *p;
		int64_t n;
	} *version = (const void *)names->find(names->arg, "runtime.buildVersion", NULL);
	const char *described = names->abi->go_version;
	size_t n = strlen(described);

	/* experiments follow the number: "go1.26.8-X:nodwarf5" */
	if (version != NULL && ((size_t)version->n < n || strncmp(version->p, described, n) != 0 ||
				((size_t)version->n > n && strchr(" -", version->p[n]) == NULL))) {
		return gl_fail(err, GL_EMISMATCH, "%s was built by %.*s, but its description is of a host built by %s",
			       names->host, (int)version->n, version->p, described);
	}
	return 0;
}

int gl_runtime_fill(const struct gl_runtime_names *names, struct gl_runtime *rt, struct gl_runtime_vars *vars,
		    struct gl_error *err)
{
	struct lack lack = { .text = "" };

	fill_symbols(names, rt, symbols, COUNT(symbols), &lack);
	fill_symbols(names, vars, var_symbols, COUNT(var_symbols), &lack);
	fill_fields(names->abi, rt, fields, COUNT(fields), &lack);
	fill_numbers(names->abi, rt, &lack);
	fill_idle_reasons(names->abi, rt);
	check_layouts(names->abi, &lack);
	check_walker(names->abi, rt, &lack);
	fill_inner(names, rt, vars, &lack);
	fill_sizes(names->abi, rt, &lack);
	fill_specials(names->abi, rt, &lack);
	fill_unique(names, rt);
	fill_pending(names, rt);
	return report(names, &lack, err);
}

/* ---- entering Go ------------------------------------------------------------------------------------------------ */

bool gl_runtime_fill_enter(const struct gl_runtime_names *names, struct gl_enter_setup *setup)
{
#define S(member, name)                                                                                                \
	{                                                                                                              \
		name, offsetof(struct gl_enter_setup, member), REQUIRED                                                \
	}
	static const struct symbol needed[] = { S(exitsyscall, "runtime.exitsyscall"),
						S(reentersyscall, "runtime.reentersyscall") };
#undef S
#define F(member, strukt, name, size, need) FIELD(gl_enter_setup, member, strukt, name, size, need)
	static const struct field offsets[] = {
		F(g_m, "runtime.g", "m", 8, REQUIRED),
		F(g_stack, "runtime.g", "stack", 16, REQUIRED),
		F(g_sched, "runtime.g", "sched", 0, REQUIRED),
		F(g_syscallsp, "runtime.g", "syscallsp", 8, REQUIRED),
		F(g_syscallpc, "runtime.g", "syscallpc", 8, REQUIRED),
		F(g_syscallbp, "runtime.g", "syscallbp", 8, OPTIONAL), /* since Go 1.23 */
		F(g_lockedm, "runtime.g", "lockedm", 8, REQUIRED),
		F(m_g0, "runtime.m", "g0", 8, REQUIRED),
		F(m_curg, "runtime.m", "curg", 8, REQUIRED),
		F(m_incgo, "runtime.m", "incgo", 1, REQUIRED),
		F(m_isextra, "runtime.m", "isextra", 1, REQUIRED),
		F(m_is_extra_in_c, "runtime.m", "isExtraInC", 1, OPTIONAL), /* since Go 1.22 */
		F(m_ncgo, "runtime.m", "ncgo", 4, REQUIRED),
		F(m_locked_int, "runtime.m", "lockedInt", 4, REQUIRED),
		F(m_locked_ext, "runtime.m", "lockedExt", 4, REQUIRED),
		F(m_lockedg, "runtime.m", "lockedg", 8, REQUIRED),
		F(m_p, "runtime.m", "p", 8, REQUIRED),
		F(m_oldp, "runtime.m", "oldp", 8, REQUIRED),
		F(m_syscalltick, "runtime.m", "syscalltick", 4, REQUIRED),
		F(p_schedtick, "runtime.p", "schedtick", 4, REQUIRED),
		F(p_syscalltick, "runtime.p", "syscalltick", 4, REQUIRED),
	};
#undef F
	struct lack lack = { .text = "" };

	fill_symbols(names, setup, needed, COUNT(needed), &lack);
	fill_fields(names->abi, setup, offsets, COUNT(offsets), &lack);
	return lack.text[0] == '\0';
}

int gl_runtime_fill_call(const struct gl_runtime_names *names, struct gl_call_setup *setup, struct gl_error *err)
{
#define S(member, name)                                                                                                \
	{                                                                                                              \
		name, offsetof(struct gl_call_setup, member), REQUIRED                                                 \
	}
	static const struct symbol needed[] = {
		S(reflectcall, "runtime.reflectcall"),
		S(unsafe_New, "reflect.unsafe_New"),
		S(unsafe_NewArray, "reflect.unsafe_NewArray"),
		S(exported_methods, "internal/abi.(*Type).ExportedMethods"),
		S(resolve_name, "reflect.resolveNameOff"),
		S(resolve_type, "reflect.resolveTypeOff"),
		S(resolve_text, "reflect.resolveTextOff"),
	};
#undef S
#define F(member, strukt, name, size) FIELD(gl_call_setup, member, strukt, name, size, OPTIONAL)
	static const struct field offsets[] = {
		F(g_panic, "runtime.g", "_panic", 8),
		F(panic_link, "runtime._panic", "link", 8),
		F(panic_goexit, "runtime._panic", "goexit", 1),
	};
#undef F
	const struct gl_abi *abi = names->abi;
	struct lack lack = { .text = "" };

	fill_symbols(names, setup, needed, COUNT(needed), &lack);
	fill_fields(abi, setup, offsets, COUNT(offsets), &lack);
	setup->type_size = abi->type.Size_;
	setup->type_ptrbytes = abi->type.PtrBytes;
	setup->type_gcdata = abi->type.GCData;
	setup->type_bytes = (int32_t)abi->type.size;
	return report(names, &lack, err);
}

int32_t gl_runtime_stackguard(const struct gl_abi *abi)
{
	return gl_abi_field_size(abi, "runtime.g", "stackguard0") == 8 ? gl_abi_field(abi, "runtime.g", "stackguard0") :
									 -1;
}

/* ---- what remembers types --------------------------------------------------------------------------------------- */

/* Each is a sync.Map, or an unnamed struct with one in the field. Those a host doesn't have are no loss. */
static const struct {
	const char *name, *field;
} type_maps[] = {
	{ "reflect.ptrMap", NULL },
	{ "reflect.lookupCache", NULL },
	{ "reflect.layoutCache", NULL },
	{ "reflect.funcLookupCache", "m" },
	{ "reflect.structLookupCache", "m" },
	{ "encoding/json.encoderCache", NULL },
	{ "encoding/json.fieldCache", NULL },
	{ "encoding/json/v2.lookupArshalerCache", NULL },
	{ "encoding/xml.tinfoMap", NULL },
	{ "encoding/binary.structSize", NULL },
	{ "encoding/gob.userTypeCache", NULL },
	{ "encoding/gob.nameToConcreteType", NULL },
	{ "encoding/gob.concreteTypeToName", NULL },
};

const char *gl_runtime_type_map_name(size_t i) { return i < COUNT(type_maps) ? type_maps[i].name : NULL; }

bool gl_runtime_type_map(const struct gl_abi *abi, const char *name, size_t *offset)
{
	for (size_t i = 0; i < COUNT(type_maps); i++) {
		if (strcmp(type_maps[i].name, name) != 0) {
			continue;
		}
		int at = type_maps[i].field == NULL ? 0 : gl_abi_field(abi, name, type_maps[i].field);
		*offset = (size_t)at;
		return at >= 0;
	}
	return false;
}

void gl_runtime_cache_kinds(const struct gl_runtime_names *names, struct gl_cache_kind kinds[GL_CACHE_KINDS])
{
	static const struct {
		const char *mark, *strukt, *empty;
	} known[GL_CACHE_KINDS] = {
		{ "..typeAssert.", "internal/abi.TypeAssert", "runtime.emptyTypeAssertCache" },
		{ "..interfaceSwitch.", "internal/abi.InterfaceSwitch", "runtime.emptyInterfaceSwitchCache" },
	};

	for (int i = 0; i < GL_CACHE_KINDS; i++) {
		int at = gl_abi_field(names->abi, known[i].strukt, "Cache");
		kinds[i] = (struct gl_cache_kind){ .mark = known[i].mark };
		if (at >= 0) {
			kinds[i].empty = find_symbol(names, known[i].empty);
			kinds[i].offset = (size_t)at;
		}
	}
}
