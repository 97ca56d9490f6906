/* A module, as the files of this room share it. */
#ifndef GL_MODULE_INTERNAL_H
#define GL_MODULE_INTERNAL_H

#include <time.h>

#include "../debug/debug.h"
#include "../object/pool.h"
#include "../object/signature.h"
#include "host.h"

/* What initialises a shared package (its inittask), or a map variable of one (an outlined function). It runs once in
 * the life of the process. */
struct shared_init {
	const char *package;
	bool runs;               /* it has functions; otherwise it only waits for its imports */
	const char *failure;     /* its own, or that of one of its imports */
	const uint32_t *imports; /* the places in the list of its package's imports, all before its own */
	uint32_t nimports;
};

/* A string variable of a program that was shipped with a value for it (-ldflags=-X). */
struct set_string {
	void *variable;
	char *value; /* the program may keep it for ever */
	size_t size;
};

struct gl_module {
	struct gl_host *host;
	struct gl_module *next;  /* of the host's list, or of the module that this one extends */
	struct gl_module **link; /* what points to it in the host's list */
	bool loaded;
	bool is_closed;    /* it was unloaded by force, and is there still */
	bool is_shared;    /* a package of the process under the face of a module: nothing of it can be unloaded */
	bool names_known;  /* its own names are in `names`: they are needed at the first use */
	bool caches_known; /* those of its call sites are in the host's list */
	char *name;        /* what the runtime calls it */
	uint64_t age;      /* number of its load */
	time_t since;      /* when that was */

	struct gl_module *extensions; /* what modules that use this one have added to it; they go when it goes */
	struct gl_module **uses;      /* the modules this one can't be without */
	size_t nuses, cap_uses, nusers;
	struct known_sym *names[2]; /* what users can refer to, per want_abi: its own, and its extensions' */
	struct known_sym *known;    /* its own part of that table, or of the resident store's */
	size_t nknown;
	struct known_package *packages;
	uint32_t npackages;

	uint8_t *base;
	size_t size, text_pages, rodata_pages;
	uint8_t *variables; /* of a small module, whose moduledata the runtime does not know; or NULL (link/lookup.h) */
	size_t variables_size;
	uint8_t *ftab; /* the entries of its functions, among those of all modules (link/lookup.h) */
	size_t ftab_size;
	uintptr_t text, etext, moduledata;
	struct gl_debug_code *debug; /* what debuggers know of its code */
	uintptr_t strings, estrings; /* constant data */
	struct clib *clib;           /* its packages' parts in C */

	struct gl_pool pool;         /* names, symbols: until the unloading */
	struct gl_pool inits_pool;   /* what is to be initialised, until it is */
	struct gl_pool exports_pool; /* functions and variables, for those who have called them, until the shell goes */
	struct gl_export *exports;
	size_t nexports;
	struct gl_declarations **decls; /* what exports are made of: a list of each package, NULL where there is none */
	uint32_t ndecls;
	struct gl_module_symbol *symbols; /* by address */
	size_t nsymbols;
	struct gl_module_stats stats;

	bool is_counted;    /* among the host's bytes */
	bool unproved;      /* it has gone, and nobody has looked for what refers to it */
	bool reads_profile; /* it has a use for Go's memory profile */
	bool has_c;         /* it runs C, or a package that it was the first to use does */

	/* its init functions and its packages' inittasks, until they have run */
	void **init_funcs, **init_tasks;
	size_t ninit_funcs, ninit_tasks;
	size_t nshared_funcs, nshared_tasks; /* the first of them: of packages that other modules see too */
	struct shared_init *shared;          /* these, in the same order, and packages that only wait for others */
	size_t nshared;
	struct set_string *settings; /* what is set before they run */
	size_t nsettings;
	void *main; /* for gl_module_run_main */
};

/* ---- race.c: the race detector, where the host has it ------------------------------------------------------------ */

/* With the addresses of runtime.racearenastart and runtime.racedataend; 0: the host has no race detector. */
int host_share_race_detector(struct gl_host *host, uintptr_t arenastart, uintptr_t dataend, struct gl_error *err);
/* What it knows of the memory that a module has got is another one's. */
void module_begin_race_detection(const struct gl_module *mod);

/* ---- open.c: the files that a load or a shipping is given ------------------------------------------------------ */

/* What an earlier load or shipping left on the host for its caller is gone. */
void module_begin(struct gl_host *host);
int module_open_packages(struct link *l, const char *const *files, const char *const *import_paths, size_t nfiles,
			 const struct gl_load_options *opts);
/* Leaves on the host what the caller may help with: packages that are missing, C parts that aren't linked. */
void module_hand_over_wants(struct gl_host *host, struct link *l);

/* ---- exports.c ------------------------------------------------------------------------------------------------- */

/* The declarations that package i exports: read before resolve, which needs them as roots; the module's own once each
 * has its address. */
struct exports {
	struct gl_declarations **decls;
	struct mentioned_type *types; /* what they mention, by the descriptors' names */
	struct gl_pool pool;          /* names of roots, which the load's symbols refer to */
	bool run;                     /* a program: nothing is exported, main.main is the root */
};
int module_root_exports(struct link *l, struct exports *ex);
void module_root_main(struct link *l);
/* Takes the declarations over. */
int module_add_exports(struct link *l, struct gl_module *mod, struct exports *ex);
void module_free_exports(struct exports *ex, uint32_t n);
void module_free_declarations(struct gl_declarations **decls, uint32_t n);

/* ---- uses.c: modules that use each other ----------------------------------------------------------------------- */

int module_open_uses(struct link *l, struct gl_module *mod, const struct gl_load_options *opts,
		     struct link_use **link_uses);
void module_drop_uses(struct gl_module *mod);
bool module_is_using(const struct gl_module *mod, const struct gl_module *other);
struct gl_module *module_youngest_use(const struct gl_module *mod);
int module_pin_uses(struct gl_module *youngest, const struct gl_module *mod, struct gl_error *err);
void module_commit_extension(struct gl_module *extended, struct gl_module *extension);

/* ---- known.c: what stays known of a load ----------------------------------------------------------------------- */

int module_keep_packages(struct link *l, struct gl_module *mod);
int module_keep_symbols(struct link *l, struct unit *u, struct gl_module *mod);
void module_keep_unit(struct unit *u, struct gl_module *mod);
int module_prepare_unit(struct link *l, enum unit_id id, struct gl_host *host, struct gl_module **made);
/* Adds a unit's symbols to a table by name, which may have symbols of other units: where it has one of that name
 * already, this one is left out. */
int module_know_symbols(struct gl_module *mod, struct known_sym **names, struct gl_error *err);
void module_forget_symbols(struct gl_module *mod, struct known_sym **names); /* takes them out again */
void module_commit_resident(struct gl_host *host, const struct link *l, struct gl_module *mod);

/* ---- run.c ----------------------------------------------------------------------------------------------------- */

int module_keep_inits(struct link *l, struct gl_module *mod);
/* Finds the variables that a shipped module comes with values for, in it, in what it brings to the resident store (or
 * NULL), or in the process. */
int module_keep_settings(const struct link *l, struct gl_module *mod, const struct gl_module *resident);
void module_set_strings(struct gl_module *mod);
/* Nobody will run or set anything: the load has failed before anybody knew of it. */
void module_drop_inits(struct gl_module *mod);
int module_run_inits(struct gl_module *mod, struct gl_error *err);

/* ---- query.c --------------------------------------------------------------------------------------------------- */

/* Whether an address is in the memory of this module alone. */
bool module_has(const struct gl_module *mod, uintptr_t addr);
/* The symbol of this module alone that an address is in; NULL: none is. */
const struct gl_module_symbol *module_find_own_symbol(const struct gl_module *mod, uintptr_t addr);

/* ---- caches.c -------------------------------------------------------------------------------------------------- */

struct type_cache *module_all_caches(struct gl_host *host, const struct gl_module *but, size_t *n);
/* It goes; its memory is there still. */
void module_forget_caches(const struct gl_module *mod);

/* ---- unload.c -------------------------------------------------------------------------------------------------- */

int module_retire(struct gl_module *mod, struct gl_unload *how, struct gl_error *err);
void module_free(struct gl_module *mod); /* may be NULL */

/* ---- way.c: why a module stays ----------------------------------------------------------------------------------- */

/* The one that the Go half has found, from the holder, who may have a name, to what of the module he refers to. */
void module_tell_found_way(const struct gl_host *host, struct gl_way *way, struct gl_retired *r, const char *name,
			   const char *reference);
void module_free_found_way(struct gl_retired *r);

/* ---- memory.c -------------------------------------------------------------------------------------------------- */

/* What others still refer to of a module that goes. */
enum what_stays { NOTHING_STAYS, STRINGS_STAY };
/* It is published. */
void module_count_memory(struct gl_module *mod);
void module_leave_memory(struct gl_module *mod, enum what_stays stays);
/* Nothing is known of it any more: the last that happens to a module. */
void module_trim_heap(const struct gl_module *mod);
/* Gives back what has rested for two collections. */
void module_release_rested(struct gl_host *host);
/* What has stayed of modules so far, and the libraries of C parts that are to go, by address, for the trace to tell
 * whether Go refers to them; the caller's to free. NULL when memory is short. */
struct gl_kept *module_list_kept(const struct gl_module *mod, const struct gl_unload *how, size_t *n);
/* When the modules are gone: what the trace has told of those is noted, or what nobody refers to any more given back.
 */
void module_settle_kept(struct gl_module *mod, const struct gl_unload *how, const struct gl_kept *kept, size_t n);

/* ---- itabs.c --------------------------------------------------------------------------------------------------- */

/* Notes itabs that the runtime made for a module that goes, and whose memory isn't needed any more. */
void module_note_itabs(struct gl_module *mod, const struct gl_itab *itabs, size_t n);
/* Makes those that the module just published will need, as far as that is known, in such memory. */
void module_reuse_itabs(struct gl_host *host, struct link *l);

/* ---- profile.c: Go's memory profile ---------------------------------------------------------------------------- */

bool module_reads_profile(const struct link *l, enum unit_id view);
void module_add_profile_reader(struct gl_host *host);
void module_drop_profile_reader(struct gl_host *host);

/* ---- library.c ------------------------------------------------------------------------------------------------- */

/* Fails when a thread is in the module's C parts, or a signal is handled by them; blamed is named. */
int module_check_library(const struct gl_module *mod, const struct gl_module *blamed, struct gl_error *err);
/* Closes the library of a module's C parts, unless somebody in C still uses it. */
void module_release_library(struct gl_module *mod);

#endif
