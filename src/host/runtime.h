/* What the C half (src/module) tells the Go half (src/host/module.go) of the runtime they live in: addresses of its
 * functions and variables, which only the host's symbol table knows, and offsets of fields, which only its description
 * knows. All offsets are in bytes; -1 where this Go version has no such field. */
#ifndef GL_HOST_RUNTIME_H
#define GL_HOST_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

/* What the two halves agree on: this file, call.h, and the functions that Go exports. They are built at different
 * times, so that each says by this number which version it knows. spec/protocol_spec.lua tells the number when one of
 * them was changed. */
#define GL_HOST_PROTOCOL UINT64_C(0x3bb31934e9371b69)

enum { GL_NO_RETURN = 6 };

/* A word of a frame of the function that lies from entry to end, and where that function goes on. */
struct gl_slot {
	uintptr_t entry, end, pc;
	uintptr_t recovers; /* where it goes on after a panic in what it called, recovered; 0: nowhere */
	int64_t offset;     /* of the word, from the stack pointer at pc */
	/* where variables begin of which the word may be a part, and that may be copied as a whole: an address that is
	 * taken between there and the word counts as reading it. INT64_MAX: there are none */
	int64_t variables;
	void *const *no_return; /* GL_NO_RETURN functions that never return, some of them NULL; NULL: none is known */
	int is_read;            /* out: may it be read before it is overwritten? */
};

/* Blocks of finalizers or cleanups that wait to be run, or did: memory of the runtime's own. */
struct gl_pending {
	void *first; /* **block; NULL where this Go has no such blocks */
	int32_t alllink, count, items, item_size;
};

struct gl_runtime {
	/* functions (ABIInternal entries) */
	void *itab_add;      /* func(*itab) */
	void *itab_find;     /* (*itabTableType).find: func(*itabTableType, *interfacetype, *_type) *itab */
	void *itab_init;     /* itabInit: func(*itab, bool) string, or (*itab).init without the bool */
	void *lock, *unlock; /* func(*mutex) */
	void *stop_the_world, *start_the_world; /* …TheWorldGC: func(stwReason) worldStop, func(worldStop) */
	void *do_init;                          /* doInit1: func(*initTask) */
	void *schedule;                         /* func() */
	void *gopark; /* func(func(*g, unsafe.Pointer) bool, unsafe.Pointer, waitReason, traceBlockReason, int) */
	void *setsig, *sighandler;            /* func(uint32, uintptr); the handler, which setsig takes */
	void *clear_signal_handlers;          /* func() */
	void *syscall6, *after_fork_in_child; /* which src/host/children.go replaces */
	void *unwinder_init, *unwinder_next;  /* (*unwinder).initAt and .next */
	/* an object's pointers: (*mspan).typePointersOfUnchecked, or before Go 1.22 heapBitsForAddr; then .next of what
	 * it returns */
	void *type_pointers_of, *heap_bits_for, *next_pointer;
	void *get_stack_map; /* (*stkframe).getStackMap */
	void *sweep_one;     /* sweepone: func() uintptr */

	/* variables */
	void *types_by_string, *types_by_string_end; /* reflect's; NULL when the host has none */
	void *firstmoduledata, *lastmoduledatap;
	void *modules_slice;       /* *[]*moduledata: those that are not bad, in the order of their list */
	void *itab_table;          /* **itabTableType */
	void *itab_table_init;     /* itabTableType: the first, which a larger one may have replaced */
	void *itab_lock;           /* mutex */
	void *allgs;               /* []*g */
	void *allm;                /* *m */
	void *allspans;            /* []*mspan, in mheap_ */
	void *module_to_typelinks; /* map[*moduledata][]*_type and its lock; NULL before Go 1.27 */
	void *module_to_typelinks_lock;
	/* where modules are, and for each page of that the moduledata whose code it has, or 0 (src/link/lookup.h) */
	uintptr_t arena_low, arena_high;
	uintptr_t image_low, image_high; /* and the host */
	const uintptr_t *owners;
	void *traceback_cache; /* uint32 */
	void *traceback_env;   /* uint32: what runtime/debug.SetTraceback adds to what it is told */
	void *race_cgo_sync;   /* uint64; NULL where the host has no race detector */
	void *godebug_default; /* string */
	void *main_init_done;  /* chan bool, closed when the packages are initialised */
	void *main_init_flag;  /* byte that says the same; NULL before Go 1.27 */
	void *islibrary;       /* bool */
	void *handling_sig;    /* [65]uint32: has Go's handler been installed? */
	void *fwd_sig;         /* [65]uintptr: what was there before */
	void *init_sigmask;    /* uint64: what new threads block */
	void *in_forked_child; /* bool */
	void *sigtable;        /* [65]sigTabT (src/host/early.c) */
	void *check_pidfd;     /* os.checkPidfdOnce, func() error; NULL before Go 1.23 */

	/* how a process that dies writes: func(fd uintptr, p unsafe.Pointer, n int32) int32, nil for the system call;
	 * and whether it dies, uint32 */
	void *override_write, *panicking;

	int64_t world_stop_size; /* of runtime.worldStop; 0: stopTheWorldGC returns nothing */
	int32_t moduledata_next, moduledata_size, moduledata_bad, moduledata_minpc, moduledata_text, moduledata_etext,
		moduledata_ftab, moduledata_types, moduledata_typelinks, moduledata_modulename, moduledata_pclntable,
		moduledata_funcnametab, moduledata_gofunc, moduledata_rodata;
	int32_t moduledata_data, moduledata_edata, moduledata_bss, moduledata_ebss, moduledata_gcdatamask,
		moduledata_gcbssmask;
	int32_t itab_inter, itab_type, itab_size, type_hash, type_str, type_tflag, tflag_uncommon;
	int32_t table_size, table_count, table_entries;
	int32_t g_status, g_goid, g_startpc, g_sched_g, g_defer, defer_fn, defer_pc, defer_link, g_size;
	int32_t g_m, g_gopc, m_g0, m_curg, m_mallocing;
	int32_t m_procid, m_sigmask, m_isextra, m_ncgo, g_stack, g_sched_sp;
	int32_t m_next, m_pcvalue_cache, pcvalue_cache_size;
	int32_t unwinder_size, unwinder_pc, unwinder_frame;
	int32_t frame_fn, frame_continpc, frame_sp, frame_varp, frame_argp; /* of a stkframe */
	int32_t func_args, func_deferreturn, func_id, func_flag, func_name; /* of a _func */
	int32_t func_id_async_preempt, func_id_debug_call, func_flag_asm;   /* values of those */
	int32_t g_panic, g_sched_ctxt;
	int32_t g_waitreason;  /* why it waits, a byte */
	uint64_t idle_reasons; /* a bit for each reason to wait that only calls for waiting have: channels, sleep, … */
	void *pages_in_use;    /* uintptr, in mheap_: of spans in use */
	void *allp;            /* []*p */
	int32_t p_timers;      /* where a p has the slice of its timers */
	int32_t reg_args_size;                                           /* of an abi.RegArgs */
	int32_t stack_object_size, stack_object_ptrs, stack_object_mask; /* a stackObjectRecord, and fields of it */
	void *no_return[GL_NO_RETURN];                                   /* throw, fatal, gopanic and the like */
	void (*find_reads)(struct gl_slot *slots, size_t n);             /* src/disasm/slots.h */
	int32_t mspan_start, mspan_npages, mspan_elemsize, mspan_nelems, mspan_freeindex, mspan_alloc_bits, mspan_class,
		mspan_state, mspan_specials, mspan_large_type;
	int32_t mspan_index_size; /* of nelems and freeindex */
	void *reflect_offs;       /* struct { lock mutex; next int32; m map[int32]unsafe.Pointer; minv, its inverse } */
	int32_t reflect_offs_m, reflect_offs_minv;
	int32_t special_next, special_size, special_offset, special_finalizer_size;
	struct gl_pending pending[2];

	/* package unique: NULL where there is no such thing */
	void *unique_maps, *unique_all, *unique_delete; /* of a HashTrieMap[*abi.Type, any] */
	void *unique_cleanup_mu, *unique_cleanup_funcs_mu, *unique_cleanup_funcs;
	void *span_of_heap;                   /* func(uintptr) *mspan */
	int32_t kind_finalizer, kind_cleanup; /* runtime._KindSpecial…; the latter is -1 before Go 1.24 */
	int32_t kind_weak;                    /* what weak pointers are to an object; -1 before Go 1.23 */
	int32_t special_kind;
	int32_t cleanup_funcs;        /* words that a cleanup consists of: 1, since Go 1.26 3 */
	int32_t unique_maps_indirect; /* Go 1.23: a pointer to the map */
	int64_t unique_maps_size;     /* of the variable */

	/* states of a goroutine: while its stack is scanned, one of the others is added to the first; -1 where this Go
	 * has no such state */
	int32_t status_scan, status_idle, status_dead, status_dead_extra, status_waiting;
	int32_t span_in_use;     /* a span's state */
	int32_t page_shift;      /* spans consist of pages, of 2^page_shift bytes */
	int32_t header_min;      /* larger objects have their type in front; -1 before Go 1.22 */
	int32_t unwind_silent;   /* flag of an unwinder */
	int32_t traceback_crash; /* flag in traceback_cache */
};

/* A unit that the runtime is to know. */
struct gl_published {
	void *moduledata;
	int32_t is_listed; /* it is to know the moduledata itself: for its variables, or its types */
	void **types;      /* otherwise: those that reflect is to find, by their strings */
	size_t ntypes;
	void **itabs;
	size_t nitabs;
};

/* A program that is to be run. */
struct gl_program {
	void **init_funcs, **init_tasks;
	size_t ninit_funcs, ninit_tasks;
	void *main; /* what its goroutine starts with: runtime.goloader_before_main, main.main, the host's afterMain */
	const char *const *args;
	size_t nargs;
	int32_t *system_threads, *system_goroutines; /* runtime.sched's nmsys and ngsys; NULL where this Go has none */
	int32_t idle_threads; /* threads that the runtime counts and that will never do anything */
};

/* A unit's memory, as retire sees it. */
struct gl_part {
	void *moduledata;
	void *text, *etext;       /* where its code lies */
	void *rodata;             /* what follows it is data */
	void *strings, *estrings; /* strings */
	void *erodata;            /* its end */
	void *low, *high;         /* where all of that lies */
	/* of a small module, whose moduledata the runtime has not in its list: where its variables lie, and the part of
	 * the collector's mask that says where pointers are in them; or NULL */
	void *variables, *evariables;
	void *mask, *emask;
};

/* A thread that the Go runtime has made, or that has called Go. */
struct gl_thread {
	uint64_t id;                               /* as the kernel numbers it; 0: not known yet */
	uintptr_t stack_low, stack_high, stack_at; /* its stack for C, and where that was left for a goroutine's */
	int32_t is_foreign;                        /* C has made it */
	int32_t is_in_c;                           /* a goroutine on it has called C, which has not returned */
};

/* Who refers to a module that is to go. */
enum gl_holder {
	GL_HOLDER_NONE,
	GL_HOLDER_VARIABLE,
	GL_HOLDER_STACK,
	GL_HOLDER_FINALIZER,
	GL_HOLDER_FINALIZED, /* an object that a finalizer will be called with */
	GL_HOLDER_OBJECT,
	GL_HOLDER_TIMER,
	GL_HOLDER_GOROUTINE, /* what the runtime notes of one: labels, what it waits for */
	GL_HOLDER_CODE,
	GL_HOLDER_HANDLE /* of Lua's */
};

/* Is it looked for references to the module, or for goroutines that run its code only? */
enum gl_prove { GL_PROVE_NOTHING, GL_PROVE_ALL };

/* Where is it looked for them? In a process with the world stopped, or in a copy of it, beside the running world. */
enum gl_where { GL_WHERE_BEST, GL_WHERE_STOPPED, GL_WHERE_SNAPSHOT };

/* Memory of a module that went earlier, or of its C parts: it stays as long as somebody refers to it. */
struct gl_kept {
	void *low, *high;
	int32_t is_used; /* out, when the module has gone and was proved to be able to: somebody does */
};

/* An itab that the runtime has made (src/host/itabs.go). */
struct gl_itab {
	uintptr_t memory, inter, type;
	size_t methods;  /* of the interface */
	int32_t is_made; /* out, of goloader_make_itabs: the memory is in use again */
};

/* An object on the way to a module that can't go (src/host/path.go). */
struct gl_step {
	uintptr_t address;
	size_t size;
	int64_t offset; /* of the pointer that leads on; -1: its type is what is referred to */
	char *type;     /* as far as that is known, or NULL; what comes first is an array's: "[]shop.Item" */
	char *field;    /* which has that pointer: "[3].Next", or NULL */
};

/* What goes at once: a module, and what others have added to it. */
struct gl_retired {
	struct gl_part *parts;
	size_t nparts;
	void *caches; /* array of addresses of type-assertion caches to empty, each with its empty value after it */
	size_t ncaches;
	struct gl_kept *kept; /* by address */
	size_t nkept;
	enum gl_prove prove;
	enum gl_where where;
	int drop_handles;   /* Lua's handles of what goes are to stand for nothing */
	int constants_stay; /* out, when it has gone: somebody refers to its constant strings, or types */
	struct gl_itab
		*itabs; /* out, when it has gone: those that nobody refers to any more; to be freed by the caller */
	size_t nitabs;
	/* out: how often it was looked for references in a copy of the process, how often there was no copy to be had,
	 * how often with the world stopped; and the longest time that the world was stopped for it */
	uint32_t snapshots, failed_snapshots, stops;
	uint32_t voided; /* copies whose answer counts for nothing: what would have gone was used meanwhile */
	uint64_t pause_ns;
	/* out, when it can't go: a text, to be freed by the caller, or who holds on to it */
	char *reason;
	enum gl_holder holder;
	uintptr_t holder_at;   /* a variable's or an object's address */
	size_t holder_through; /* objects on the way from there to the reference */
	uintptr_t holder_word; /* the reference */
	char *word_name;       /* what it leads to, where that has no symbol; to be freed by the caller */
	int ranges;            /* Lua ranges over functions: goroutines that wait for it are in the middle of those */
	/* the objects on the way from the holder to the reference, in that order; how many in their middle were left
	 * out; and what a message says of them. All texts from here on are to be freed by the caller */
	struct gl_step *path;
	size_t npath, omitted;
	char *way;
	uint64_t goroutine;    /* a stack's, or the one that the runtime notes something of */
	char *function, *file; /* where the frame goes on, or NULL */
	int line;
	char *holder_type;  /* a variable's, as far as it is known; what has the finalizer, or the handle */
	char *holder_field; /* of the variable, or NULL */
	/* in: finds the symbol that an address is in, and where in it; NULL when nobody knows */
	const char *(*symbol)(void *symbols, uintptr_t addr, uintptr_t *offset);
	/* finds the type's descriptor of the variable that an address is in, and where in it; 0 when nobody knows */
	uintptr_t (*variable_type)(void *symbols, uintptr_t addr, uintptr_t *offset);
	void *symbols;
};

/* What goloader_runtime_stats tells: bytes and objects of Go's heap, memory that it has from the system, bytes
 * allocated since the start, the size at which the next collection begins, collections and the time they have stopped
 * the world. */
struct gl_runtime_stats {
	uint64_t heap_bytes, heap_objects, system_bytes, allocated_bytes, next_gc_bytes;
	uint64_t gc_cycles, gc_pause_ns, last_pause_ns, goroutines;
};

#endif
