/* The host, as this room sees it: once started (host.c), it stays for the life of the process. */
#ifndef GL_MODULE_HOST_H
#define GL_MODULE_HOST_H

#include "../abi/runtime.h"
#include "../link/link.h"
#include "module.h"

/* What an unload must empty: the address of a type-assertion cache, and the empty cache that it starts with. */
struct type_cache {
	uintptr_t at, empty;
};

struct type_caches {
	struct type_cache *list;
	size_t n, cap;
	bool known;             /* those of the host are among them */
	bool has_new_units;     /* of the resident store, or extensions of modules, whose caches may not be */
	uint64_t modules_until; /* the age of the last module whose caches are, with those of all before it */
	struct gl_cache_kind kinds[GL_CACHE_KINDS];
};

/* Memory of an unloaded module (memory.c): that the garbage collector may still look at, or that somebody still refers
 * to. */
struct remains {
	uint8_t *base;
	size_t size;
	uint64_t gc;   /* collections that had ended when it was no longer needed */
	bool unproved; /* nobody has looked for what refers to it */
	enum remains_kind {
		PAGES,
		VARIABLES, /* which lie among those of other modules (link/lookup.h) */
		FUNCTIONS, /* the same for entries of ftab */
	} kind;
	struct remains *next;
};

struct gl_host {
	char *path;
	void *handle;
	bool is_program;   /* not a library: the process's own program */
	bool ignores_pipe; /* the process ignored SIGPIPE before it was loaded */
	bool was_there;    /* it is the program's own, or somebody else's */
	bool for_program;  /* the process is there for a Go program that is to be run */
	struct gl_abi *abi;
	struct linker linker;
	struct gl_arena *copies; /* where code is that is no module's */
	struct gl_runtime runtime;
	volatile int forked;   /* set in a child process */
	uint8_t *forked_in_go; /* the same for the Go half, or NULL */
	struct gl_runtime_names names;
	struct gl_runtime_vars vars;

	struct gl_module *modules;  /* those that are loaded */
	struct gl_module *resident; /* units of the resident store, as modules that are never unloaded */
	struct gl_module *itself;   /* a module without anything of its own: it sees what belongs to the process */

	struct remains *resting; /* until the collector has forgotten it; oldest first */
	struct remains **end_of_resting;
	size_t resting_bytes, nresting;
	size_t bytes, most_bytes; /* of modules that something is known of, and the most since the heap was trimmed */
	bool is_collecting;       /* for its sake: somebody who has unloaded a module is about to give it back */
	struct remains *spare;    /* records that are taken where there is no memory for another */
	size_t nspare;
	struct remains *kept; /* constant data that somebody refers to */

	struct spare_itab *spare_itabs;
	size_t nspare_itabs;

	int64_t usual_rate;      /* what it was at the start: 512 KiB, or as GODEBUG says */
	bool profile_is_ours;    /* nobody has chosen another */
	size_t nprofile_readers; /* modules that have a use for the profile, and what stays of them */

	struct clib *kept_libraries; /* C parts of unloaded modules, which somebody in C may still use */

	char **missing; /* packages that the last load found missing */
	size_t nmissing;
	char **unlinked; /* files of packages whose C parts the last load found not linked */
	size_t nunlinked;
	bool unlinked_archives;

	struct type_caches caches; /* of the host and of all modules; found at the first unload */
	uint64_t loads;            /* how many were tried */
	struct gl_unload_stats unloads;
	uint64_t unloaded; /* modules, ever */

	/* the Go half's functions */
	void (*publish)(struct gl_published *module);
	int (*retire)(struct gl_retired *r);
	int (*close)(struct gl_part *parts, size_t n, const char *name);
	void (*make_itabs)(struct gl_itab *itabs, size_t n);
	size_t (*threads)(struct gl_thread *out, size_t n);
	void (*add_type_cache)(void *variable, size_t offset);
	uint64_t (*gc_count)(void);
	void (*collect)(void);
	char *(*run_inits)(void **funcs, size_t nfuncs, void **tasks, size_t ntasks, size_t *ndone);
	void (*run_main)(struct gl_program *program);
};

/* Are signals and children not Go's alone, so that care must be taken of those of others? */
static inline bool host_shares_process(const struct gl_host *host) { return !host->was_there && !host->for_program; }

/* profile.c: switches Go's memory profile off, unless the host was there before us. */
void host_begin_profile(struct gl_host *host, bool was_there);

/* Tells the Go half of a variable that remembers types for ever, if the name is that of one. */
void host_tell_type_map(struct gl_host *host, const char *name, uintptr_t addr);

#endif
