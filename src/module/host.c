/* Starting the host: once per process.
 *
 * Order matters. The arena is reserved first, so that the kernel places the host below it (see memory/arena.h). Loading
 * the library starts the Go runtime on a thread of its own; the first call into it waits until it is up. A host that is
 * already there (a Go program that embeds Lua and imports goloader.dev/host, or a library that somebody else loaded)
 * keeps its place, and the arena looks for one above it. */
#include "host.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Code reaches 2 GiB, and the host takes some of that: where it is larger than what is left here, the arena gets
 * another place (place_arena). */
static const size_t arena_size = ((size_t)2 << 30) - ((size_t)256 << 20);
static const size_t least_arena_size = (size_t)64 << 20;

/* The one Go runtime that a process can have. */
static struct gl_host *the_host;

/* ---- several Lua states ------------------------------------------------------------------------------------------
 *
 * A Go program may run many Lua states at once, and they all have the one host. */

static const pthread_mutex_t unlocked = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void gl_lock(void) { pthread_mutex_lock(&lock); }
void gl_unlock(void) { pthread_mutex_unlock(&lock); }

static void after_fork_in_child(void)
{
	lock = unlocked; /* whoever held it is not in this process */
	if (the_host != NULL) {
		the_host->forked = 1;
		if (the_host->forked_in_go != NULL) {
			*the_host->forked_in_go = 1;
		}
	}
}

/* ---- what the Go half must be told ------------------------------------------------------------------------------ */

static void *runtime_symbol(struct gl_host *host, const char *name, char *missing, size_t size)
{
	struct gl_image_sym sym;

	if (gl_image_lookup(host->linker.image, name, strlen(name), &sym)) {
		return (void *)sym.addr;
	}
	if (missing != NULL) {
		size_t n = strlen(missing);
		snprintf(missing + n, size - n, "%s%s", n > 0 ? ", " : "", name);
	}
	return NULL;
}

static int32_t runtime_field(const struct gl_abi *abi, const char *strukt, const char *field, char *missing,
			     size_t size)
{
	int offset = gl_abi_field(abi, strukt, field);

	if (offset < 0) {
		size_t n = strlen(missing);
		snprintf(missing + n, size - n, "%s%s.%s", n > 0 ? ", " : "", strukt, field);
	}
	return offset;
}

/* Finalizers wait in blocks of their own; so do cleanups, since Go 1.25. */
static void find_pending(struct gl_host *host)
{
	const struct gl_abi *abi = host->abi;
	struct gl_pending *fin = &host->runtime.pending[0], *cleanup = &host->runtime.pending[1];
	bool renamed = gl_abi_struct_size(abi, "runtime.finBlock") > 0; /* in Go 1.26 */
	const char *finblock = renamed ? "runtime.finBlock" : "runtime.finblock";
	uint8_t *cleanups = runtime_symbol(host, "runtime.gcCleanups", NULL, 0);
	int all = gl_abi_field(abi, "runtime.cleanupQueue", "all");

	fin->first = runtime_symbol(host, "runtime.allfin", NULL, 0);
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
	for (size_t i = 0; i < sizeof(host->runtime.pending) / sizeof(host->runtime.pending[0]); i++) {
		struct gl_pending *p = &host->runtime.pending[i];
		if (p->alllink < 0 || p->count < 0 || p->items < 0 || p->item_size <= 0) {
			p->first = NULL;
		}
	}
}

/* The package unique (src/host/unique.go). */
static void fill_unique(struct gl_host *host)
{
	struct gl_runtime *rt = &host->runtime;
	static const char *const packages[] = { "sync", "concurrent" }; /* the latter in Go 1.23 */
	char name[128];

	for (int i = 0; i < 2 && rt->unique_all == NULL; i++) {
		void **methods[] = { &rt->unique_all, &rt->unique_delete, &rt->unique_store };
		static const char *const names[] = { "All", "CompareAndDelete", "LoadOrStore" };
		for (size_t k = 0; k < 3; k++) {
			snprintf(name, sizeof(name), "internal/%s.(*HashTrieMap[*internal/abi.Type,interface {}]).%s",
				 packages[i], names[k]);
			*methods[k] = runtime_symbol(host, name, NULL, 0);
		}
		rt->unique_maps_indirect = i;
	}
	rt->unique_maps = runtime_symbol(host, "unique.uniqueMaps", NULL, 0);
	rt->unique_cleanup_mu = runtime_symbol(host, "unique.cleanupMu", NULL, 0);
	rt->unique_cleanup_funcs_mu = runtime_symbol(host, "unique.cleanupFuncsMu", NULL, 0);
	rt->unique_cleanup_funcs = runtime_symbol(host, "unique.cleanupFuncs", NULL, 0);
	rt->kind_cleanup = gl_abi_const(host->abi, "runtime._KindSpecialCleanup");
	rt->special_kind = gl_abi_field(host->abi, "runtime.special", "kind");
	rt->cleanup_funcs = gl_abi_struct_size(host->abi, "runtime.cleanupFn") > 0 ? 2 : 1;
}

static int fill_runtime(struct gl_host *host, struct gl_error *err)
{
	struct gl_runtime *rt = &host->runtime;
	const struct gl_abi *abi = host->abi;
	char missing[1024] = "";

#define NEED(field, name) rt->field = runtime_symbol(host, name, missing, sizeof(missing))
	NEED(modulesinit, "runtime.modulesinit");
	NEED(itab_add, "runtime.itabAdd");
	NEED(itab_find, "runtime.(*itabTableType).find");
	rt->itab_init = runtime_symbol(host, "runtime.itabInit", NULL, 0);
	if (rt->itab_init == NULL) {
		NEED(itab_init, "runtime.(*itab).init");
	}
	NEED(lock, "runtime.lock2");
	NEED(unlock, "runtime.unlock2");
	NEED(stop_the_world, "runtime.stopTheWorldGC");
	NEED(start_the_world, "runtime.startTheWorldGC");
	NEED(do_init, "runtime.doInit1");
	NEED(schedule, "runtime.schedule");
	NEED(unwinder_init, "runtime.(*unwinder).initAt");
	NEED(unwinder_next, "runtime.(*unwinder).next");
	NEED(get_stack_map, "runtime.(*stkframe).getStackMap");
	NEED(sweep_one, "runtime.sweepone");
	rt->type_pointers_of = runtime_symbol(host, "runtime.(*mspan).typePointersOfUnchecked", NULL, 0);
	if (rt->type_pointers_of != NULL) {
		NEED(next_pointer, "runtime.typePointers.next");
	} else {
		NEED(heap_bits_for, "runtime.heapBitsForAddr");
		NEED(next_pointer, "runtime.heapBits.next");
	}
	NEED(firstmoduledata, "runtime.firstmoduledata");
	NEED(lastmoduledatap, "runtime.lastmoduledatap");
	NEED(itab_table, "runtime.itabTable");
	NEED(itab_table_init, "runtime.itabTableInit");
	NEED(itab_lock, "runtime.itabLock");
	NEED(allgs, "runtime.allgs");
	NEED(allm, "runtime.allm");
	NEED(allspans, "runtime.mheap_");
	NEED(span_of_heap, "runtime.spanOfHeap");
	NEED(traceback_cache, "runtime.traceback_cache");
	NEED(godebug_default, "runtime.godebugDefault");
	rt->main_init_flag = runtime_symbol(host, "runtime.mainInitDone", NULL, 0);
	NEED(main_init_done, rt->main_init_flag != NULL ? "runtime.mainInitDoneChan" : "runtime.main_init_done");
	NEED(islibrary, "runtime.islibrary");
	NEED(handling_sig, "runtime.handlingSig");
	NEED(fwd_sig, "runtime.fwdSig");
	NEED(setsig, "runtime.setsig");
	NEED(sighandler, "runtime.sighandler");
	NEED(override_write, "runtime.overrideWrite");
	NEED(panicking, "runtime.panicking");
#undef NEED
#define NEED(member, strukt, name) rt->member = runtime_field(abi, strukt, name, missing, sizeof(missing))
	int32_t allspans = runtime_field(abi, "runtime.mheap", "allspans", missing, sizeof(missing));
	int32_t sched_g = runtime_field(abi, "runtime.gobuf", "g", missing, sizeof(missing));
	int32_t sched_sp = runtime_field(abi, "runtime.gobuf", "sp", missing, sizeof(missing));
	NEED(g_sched_g, "runtime.g", "sched");
	NEED(g_sched_sp, "runtime.g", "sched");
	NEED(g_m, "runtime.g", "m");
	NEED(g_gopc, "runtime.g", "gopc");
	NEED(m_g0, "runtime.m", "g0");
	NEED(m_curg, "runtime.m", "curg");
	NEED(m_mallocing, "runtime.m", "mallocing");
	NEED(m_procid, "runtime.m", "procid");
	NEED(m_isextra, "runtime.m", "isextra");
	NEED(m_ncgo, "runtime.m", "ncgo");
	NEED(g_stack, "runtime.g", "stack");
	NEED(g_defer, "runtime.g", "_defer");
	NEED(defer_fn, "runtime._defer", "fn");
	NEED(defer_link, "runtime._defer", "link");
	NEED(frame_fn, "runtime.stkframe", "fn");
	NEED(frame_sp, "runtime.stkframe", "sp");
	NEED(frame_varp, "runtime.stkframe", "varp");
	NEED(frame_argp, "runtime.stkframe", "argp");
	NEED(mspan_start, "runtime.mspan", "startAddr");
	NEED(mspan_npages, "runtime.mspan", "npages");
	NEED(mspan_elemsize, "runtime.mspan", "elemsize");
	NEED(mspan_nelems, "runtime.mspan", "nelems");
	NEED(mspan_freeindex, "runtime.mspan", "freeindex");
	NEED(mspan_alloc_bits, "runtime.mspan", "allocBits");
	NEED(mspan_class, "runtime.mspan", "spanclass");
	NEED(mspan_state, "runtime.mspan", "state");
	NEED(mspan_specials, "runtime.mspan", "specials");
	NEED(special_next, "runtime.special", "next");
#undef NEED
	struct gl_image_sym walker;
	if (gl_image_lookup(host->linker.image, "reflect.typesByString", 21, &walker)) {
		rt->types_by_string = (void *)walker.addr;
		rt->types_by_string_end = (void *)(walker.addr + walker.size);
	}
	host->linker.before_main = (uintptr_t)runtime_symbol(host, "goloader.dev/host.beforeMain", NULL, 0);
	host->linker.after_main = (uintptr_t)runtime_symbol(host, "goloader.dev/host.afterMain", NULL, 0);
	rt->module_to_typelinks = runtime_symbol(host, "runtime.moduleToTypelinks", NULL, 0);
	rt->module_to_typelinks_lock = runtime_symbol(host, "runtime.moduleToTypelinksLock", NULL, 0);
	host->extra_threads = runtime_symbol(host, "runtime.extraMLength", NULL, 0);
	host->foreign_threads = runtime_symbol(host, "runtime.extraMInUse", NULL, 0);
	uint8_t *sched = runtime_symbol(host, "runtime.sched", NULL, 0);
	int nmsys = gl_abi_field(abi, "runtime.schedt", "nmsys"), ngsys = gl_abi_field(abi, "runtime.schedt", "ngsys");
	host->system_threads = sched != NULL && nmsys >= 0 ? (void *)(sched + nmsys) : NULL;
	host->system_goroutines = sched != NULL && ngsys >= 0 ? (void *)(sched + ngsys) : NULL;
	if (missing[0] != '\0') {
		return gl_fail(
			err, GL_EHOST,
			"%s can't be a host: it lacks the symbols %s (was it built without importing \"plugin\"?)",
			host->path, missing);
	}
	rt->allspans = (uint8_t *)rt->allspans + allspans;
	rt->g_sched_g += sched_g;
	rt->g_sched_sp += sched_sp;
	rt->unwinder_frame = abi->unwinder.frame;
	rt->func_args = abi->func.args;
	rt->stack_object_size = (int32_t)gl_abi_struct_size(abi, "runtime.stackObjectRecord");
	rt->g_size = (int32_t)gl_abi_struct_size(abi, "runtime.g");
	rt->mspan_index_size = rt->mspan_nelems - rt->mspan_freeindex; /* they are neighbours */
	rt->mspan_large_type = gl_abi_field(abi, "runtime.mspan", "largeType");
	fill_unique(host);
	rt->special_size = (int32_t)gl_abi_struct_size(abi, "runtime.special");
	find_pending(host);
	rt->reflect_offs = runtime_symbol(host, "runtime.reflectOffs", NULL, 0);
	rt->reflect_offs_m = (int32_t)round_up((size_t)gl_abi_struct_size(abi, "runtime.mutex") + sizeof(int32_t), 8);
	int64_t stop = gl_abi_struct_size(abi, "runtime.worldStop");
	rt->world_stop_size = stop > 0 ? stop : 0;
	rt->moduledata_next = abi->moduledata.next;
	rt->moduledata_size = (int32_t)abi->moduledata.size;
	rt->moduledata_text = abi->moduledata.text;
	rt->moduledata_etext = abi->moduledata.etext;
	rt->moduledata_modulename = abi->moduledata.modulename;
	rt->moduledata_ftab = abi->moduledata.ftab;
	rt->moduledata_data = abi->moduledata.data;
	rt->moduledata_edata = abi->moduledata.edata;
	rt->moduledata_bss = abi->moduledata.bss;
	rt->moduledata_ebss = abi->moduledata.ebss;
	rt->moduledata_gcdatamask = abi->moduledata.gcdatamask;
	rt->moduledata_gcbssmask = abi->moduledata.gcbssmask;
	rt->itab_inter = abi->itab.Inter;
	rt->itab_type = abi->itab.Type;
	rt->itab_size = (int32_t)abi->itab.size;
	rt->type_hash = abi->type.Hash;
	rt->type_str = abi->type.Str;
	rt->type_tflag = abi->type.TFlag;
	rt->tflag_uncommon = abi->TFlagUncommon;
	rt->table_size = abi->itabTable.size;
	rt->table_count = abi->itabTable.count;
	rt->table_entries = abi->itabTable.entries;
	rt->g_status = abi->g.atomicstatus;
	rt->g_goid = abi->g.goid;
	rt->g_startpc = gl_abi_field(abi, "runtime.g", "startpc");
	rt->m_next = abi->m.alllink;
	rt->m_pcvalue_cache = abi->m.pcvalueCache;
	rt->pcvalue_cache_size = (int32_t)gl_abi_struct_size(abi, "runtime.pcvalueCache");
	if (rt->pcvalue_cache_size <= 0) {
		rt->m_pcvalue_cache = -1;
	}
	rt->unwinder_size = (int32_t)abi->unwinder.size;
	rt->unwinder_pc = abi->unwinder.frame + abi->stkframe.pc;
	host->linker.firstmoduledata = (uintptr_t)rt->firstmoduledata;
	return 0;
}

/* Variables of the standard library that remember types for ever, each a sync.Map or a struct that holds one behind a
 * sync.Mutex of 8 bytes, in every Go from 1.21 to 1.27. Those a host doesn't have are no loss. */
static const struct {
	const char *name;
	size_t offset;
} type_maps[] = {
	{ "reflect.ptrMap", 0 },
	{ "reflect.lookupCache", 0 },
	{ "reflect.layoutCache", 0 },
	{ "reflect.funcLookupCache", 8 },
	{ "reflect.structLookupCache", 8 },
	{ "encoding/json.encoderCache", 0 },
	{ "encoding/json.fieldCache", 0 },
	{ "encoding/json/v2.lookupArshalerCache", 0 },
	{ "encoding/xml.tinfoMap", 0 },
	{ "encoding/binary.structSize", 0 },
	{ "encoding/gob.userTypeCache", 0 },
	{ "encoding/gob.nameToConcreteType", 0 },
	{ "encoding/gob.concreteTypeToName", 0 },
};

void host_tell_type_map(struct gl_host *host, const char *name, uintptr_t addr)
{
	for (size_t i = 0; i < sizeof(type_maps) / sizeof(type_maps[0]); i++) {
		if (strcmp(type_maps[i].name, name) == 0) {
			host->add_type_cache((uint8_t *)addr + type_maps[i].offset);
		}
	}
}

static void tell_type_maps(struct gl_host *host)
{
	for (size_t i = 0; i < sizeof(type_maps) / sizeof(type_maps[0]); i++) {
		void *map = runtime_symbol(host, type_maps[i].name, NULL, 0);
		if (map != NULL) {
			host_tell_type_map(host, type_maps[i].name, (uintptr_t)map);
		}
	}
	/* encoding/gob has plain maps behind its lock, one of them replaced as a whole when it grows */
	void (*add_map)(void *, void *, void *) =
		(void (*)(void *, void *, void *))gl_host_export(host, "goloader_add_type_map");
	void *lock = runtime_symbol(host, "encoding/gob.typeLock", NULL, 0);
	void *types = runtime_symbol(host, "encoding/gob.types", NULL, 0);
	void *type = runtime_symbol(host, "type:map[reflect.Type]encoding/gob.gobType", NULL, 0);
	void *infos = runtime_symbol(host, "encoding/gob.typeInfoMap", NULL, 0);
	if (add_map != NULL && lock != NULL && types != NULL && type != NULL && infos != NULL) {
		add_map(lock, types, type);
		add_map(lock, infos, NULL);
	}
}

/* The two halves are built at different times: a host of one's own outlives the C library that it was made with. */
static int check_protocol(const struct gl_host *host, struct gl_error *err)
{
	uint64_t (*protocol)(void) = (uint64_t(*)(void))gl_host_export(host, "goloader_protocol");

	if (gl_host_export(host, "goloader_init") == NULL) {
		return gl_fail(err, GL_EHOST, "%s is no goloader host: it doesn't import the package goloader.dev/host",
			       host->path);
	}
	if (protocol == NULL || protocol() != GL_HOST_PROTOCOL) {
		return gl_fail(err, GL_EHOST,
			       "%s was built with the goloader.dev/host of another goloader: build it anew",
			       host->path);
	}
	return 0;
}

/* A description left over from another build may have the sizes and offsets of another Go. */
static int check_go_version(struct gl_host *host, struct gl_error *err)
{
	const struct {
		const char *p;
		int64_t n;
	} *version = runtime_symbol(host, "runtime.buildVersion", NULL, 0);
	const char *described = host->abi->go_version;
	size_t n = strlen(described);

	/* experiments follow the number: "go1.26.8-X:nodwarf5" */
	if (version != NULL && ((size_t)version->n < n || strncmp(version->p, described, n) != 0 ||
				((size_t)version->n > n && strchr(" -", version->p[n]) == NULL))) {
		return gl_fail(err, GL_EMISMATCH, "%s was built by %.*s, but its description is of a host built by %s",
			       host->path, (int)version->n, version->p, described);
	}
	return 0;
}

static void find_exports(struct gl_host *host)
{
	void (*init)(struct gl_runtime *) = (void (*)(struct gl_runtime *))gl_host_export(host, "goloader_init");

	*(void **)&host->publish = gl_host_export(host, "goloader_publish");
	*(void **)&host->retire = gl_host_export(host, "goloader_retire");
	*(void **)&host->threads = gl_host_export(host, "goloader_threads");
	*(void **)&host->make_itabs = gl_host_export(host, "goloader_make_itabs");
	*(void **)&host->gc_count = gl_host_export(host, "goloader_gc_count");
	*(void **)&host->collect = gl_host_export(host, "goloader_collect");
	*(void **)&host->run_inits = gl_host_export(host, "goloader_run_inits");
	*(void **)&host->run_main = gl_host_export(host, "goloader_run_main");
	*(void **)&host->add_type_cache = gl_host_export(host, "goloader_add_type_cache");
	init(&host->runtime);
	tell_type_maps(host);
}

/* "$GOROOT" in file names: what the host's linker put in runtime.defaultGOROOT, a Go string. */
static void find_goroot(struct gl_host *host)
{
	struct gl_image_sym sym;
	static const char name[] = "runtime.defaultGOROOT";

	if (gl_image_lookup(host->linker.image, name, sizeof(name) - 1, &sym)) {
		const char *p;
		int64_t n;
		memcpy(&p, (void *)sym.addr, sizeof(p));
		memcpy(&n, (char *)sym.addr + 8, sizeof(n));
		host->linker.goroot = n > 0 && n < 4096 ? strndup(p, (size_t)n) : NULL;
	}
}

/* The list of archives lies beside the host. */
static void find_importcfg(struct gl_host *host)
{
	if (asprintf(&host->linker.importcfg, "%s.importcfg", host->path) < 0) {
		host->linker.importcfg = NULL;
	}
}

/* ---- stack bounds -----------------------------------------------------------------------------------------------
 *
 * Go 1.21 asks for the bounds of the C stack at every call from C (runtime.callbackUpdateSystemStack), and on a
 * process's first thread the C library answers by reading /proc/self/maps: a tenth of a millisecond and more. A
 * thread's bounds never change; ours are asked for once. Later versions ask only when they must, and get the same
 * answer. */

static void (*original_stack_bounds)(uintptr_t *bounds);

static void cached_stack_bounds(uintptr_t *bounds)
{
	static _Thread_local uintptr_t known[2];
	static _Thread_local int nknown; /* words: the lower bound alone in early releases of Go 1.21, then both */

	if (nknown == 0) {
		known[1] = UINTPTR_MAX;
		original_stack_bounds(known);
		nknown = known[1] == UINTPTR_MAX ? 1 : 2;
	}
	for (int i = 0; i < nknown; i++) {
		bounds[i] = known[i];
	}
}

static void cache_stack_bounds(struct gl_host *host)
{
	void (**variable)(uintptr_t *) = NULL;

	*(void **)&variable = runtime_symbol(host, "_cgo_getstackbound", NULL, 0);
	if (variable != NULL && *variable != NULL) {
		original_stack_bounds = *variable;
		*variable = cached_stack_bounds;
	}
}

/* ---- the arena -------------------------------------------------------------------------------------------------- */

static bool within_reach(const struct gl_arena *arena, const struct gl_image *image)
{
	return gl_arena_low(arena) >= gl_image_high(image) &&
	       gl_arena_high(arena) - gl_image_low(image) < (uintptr_t)INT32_MAX;
}

static int place_arena(struct gl_host *host, struct gl_error *err)
{
	/* Above a program lies the C library's heap, which grows upwards. */
	static const size_t room_for_heap = (size_t)256 << 20;
	struct linker *linker = &host->linker;

	if (linker->arena != NULL && within_reach(linker->arena, linker->image)) {
		return 0;
	}
	gl_arena_free(linker->arena);
	linker->arena = gl_arena_reserve_between(gl_image_high(linker->image) + (host->is_program ? room_for_heap : 0),
						 gl_image_low(linker->image) + INT32_MAX, arena_size, err);
	return linker->arena != NULL ? 0 : -1;
}

/* ---- a host that is there already ------------------------------------------------------------------------------- */

static bool is_program(const struct link_map *map) { return map->l_name == NULL || map->l_name[0] == '\0'; }

char *gl_host_self(void)
{
	void *init = dlsym(RTLD_DEFAULT, "goloader_init");
	Dl_info info;
	struct link_map *map;

	if (the_host != NULL) {
		return strdup(the_host->path);
	}
	if (init == NULL || dladdr1(init, &info, (void **)&map, RTLD_DL_LINKMAP) == 0) {
		return NULL;
	}
	return realpath(is_program(map) ? "/proc/self/exe" : map->l_name, NULL);
}

/* Loads the library, unless it is the program itself, which dlopen doesn't take by its name. */
static int open_image(struct gl_host *host, struct gl_error *err)
{
	char *self = gl_host_self();
	struct link_map *map;
	bool is_self = self != NULL && strcmp(self, host->path) == 0;

	if (self != NULL && !is_self) {
		gl_fail(err, GL_EHOST, "this process has a host already, %s: a process can have one Go runtime", self);
		free(self);
		return -1;
	}
	free(self);
	host->was_there = is_self;
	if (is_self) {
		host->handle = dlopen(host->path, RTLD_NOW | RTLD_NOLOAD);
		if (host->handle == NULL) {
			host->handle = dlopen(NULL, RTLD_NOW);
		}
	} else {
		/* a process may be allowed less address space (ulimit -v) */
		for (size_t size = arena_size; host->linker.arena == NULL; size /= 2) {
			host->linker.arena = gl_arena_reserve(size, err);
			if (host->linker.arena == NULL && size / 2 < least_arena_size) {
				return -1;
			}
		}
		host->handle = dlopen(host->path, RTLD_NOW | RTLD_LOCAL);
	}
	if (host->handle == NULL || dlinfo(host->handle, RTLD_DI_LINKMAP, &map) != 0) {
		return gl_fail(err, GL_EHOST, "%s", dlerror());
	}
	host->is_program = is_program(map);
	host->linker.image = gl_image_open(host->handle, host->path, err);
	return host->linker.image != NULL ? 0 : -1;
}

/* ---- the face --------------------------------------------------------------------------------------------------- */

static void host_free(struct gl_host *host)
{
	if (host == NULL) {
		return;
	}
	/* a Go runtime can't be stopped: once loaded, the library stays, and so does what describes it */
	gl_image_free(host->linker.image);
	gl_arena_free(host->linker.arena);
	gl_abi_free(host->abi);
	free((char *)host->linker.goroot);
	free(host->path);
	free(host);
}

struct gl_host *gl_host_start(const char *path, const char *desc, struct gl_error *err)
{
	char desc_path[4096];
	struct gl_host *host = NULL;

	if (the_host != NULL) {
		if (strcmp(the_host->path, path) != 0) {
			gl_fail(err, GL_EHOST, "this process has a host already, %s: a process can have one Go runtime",
				the_host->path);
			return NULL;
		}
		return gl_host_check(the_host, err) == 0 ? the_host : NULL;
	}
	host = calloc(1, sizeof(*host));
	if (host == NULL || (host->path = strdup(path)) == NULL) {
		gl_fail(err, GL_ENOMEM, "%s: out of memory", path);
		goto fail;
	}
	snprintf(desc_path, sizeof(desc_path), "%s.desc", path);
	host->abi = gl_abi_read(desc != NULL ? desc : desc_path, err);
	if (host->abi == NULL) {
		goto fail;
	}
	host->linker.abi = host->abi;
	if (open_image(host, err) != 0 || place_arena(host, err) != 0 || check_protocol(host, err) != 0 ||
	    check_go_version(host, err) != 0 ||
	    gl_image_tls_offset(host->linker.image, &host->linker.tls_offset, err) != 0 ||
	    fill_runtime(host, err) != 0) {
		goto fail;
	}
	find_exports(host);
	cache_stack_bounds(host);
	find_goroot(host);
	find_importcfg(host);
	host_begin_profile(host, host->was_there);
	host->linker.zerobase = (uintptr_t)runtime_symbol(host, "runtime.zerobase", NULL, 0);
	the_host = host;
	pthread_atfork(NULL, NULL, after_fork_in_child);
	return host;

fail:
	host_free(host);
	return NULL;
}

const struct gl_abi *gl_host_abi(const struct gl_host *host) { return host->abi; }
struct gl_arena *gl_host_arena(const struct gl_host *host) { return host->linker.arena; }
struct gl_image *gl_host_image(const struct gl_host *host) { return host->linker.image; }
const char *gl_host_path(const struct gl_host *host) { return host->path; }
void *gl_host_export(const struct gl_host *host, const char *name) { return dlsym(host->handle, name); }

void gl_host_note_forks(struct gl_host *host, uint8_t *forked) { host->forked_in_go = forked; }

int gl_host_check(const struct gl_host *host, struct gl_error *err)
{
	if (host->forked) {
		return gl_fail(err, GL_EHOST,
			       "the host was started before this process forked, and a Go runtime does not survive "
			       "fork: start it in the child (in nginx: init_worker_by_lua)");
	}
	return 0;
}

int gl_host_add_archive(struct gl_host *host, const char *import_path, const char *file, const char *version,
			struct gl_error *err)
{
	return linker_add_archive(&host->linker, import_path, file, version, err) != NULL ? 0 : -1;
}

int gl_host_add_build(struct gl_host *host, const char *import_path, const char *file, struct gl_error *err)
{
	return linker_add_build(&host->linker, import_path, file, err);
}

size_t gl_host_missing(const struct gl_host *host, const char *const **packages)
{
	*packages = (const char *const *)host->missing;
	return host->nmissing;
}

size_t gl_host_unlinked(const struct gl_host *host, const char *const **files, bool *are_archives)
{
	*files = (const char *const *)host->unlinked;
	*are_archives = host->unlinked_archives;
	return host->nunlinked;
}

int gl_host_add_library(struct gl_host *host, const char *const *archives, size_t n, const char *file,
			struct gl_error *err)
{
	struct clib *lib = NULL;

	for (struct lpkg *p = host->linker.archives; p != NULL; p = p->hh.next) {
		for (size_t i = 0; i < n && p->clib == NULL; i++) {
			if (strcmp(p->file, archives[i]) != 0) {
				continue;
			}
			if (lib == NULL && (lib = clib_open(file, err)) == NULL) {
				return -1;
			}
			p->clib = lib;
		}
	}
	return 0;
}
