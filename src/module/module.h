/* The life of a module: the public face of the C library.
 *
 *     load:    open > read > resolve > lay out > place > relocate > describe > seal > publish > initialise > export
 *     unload:  stop new calls > drain > prove that nothing refers to it > retire > release
 *
 * One host per process. Several threads may use it, each with modules of its own, if they hold the lock while they call
 * what is declared here. Go code runs without it. */
#ifndef GL_MODULE_H
#define GL_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../error.h"
#include "../host/runtime.h"

struct gl_abi;
struct gl_arena;
struct gl_declaration;
struct gl_gom_string;
struct gl_trust;
struct gl_image;
struct gl_host;
struct gl_module;
struct gl_runtime_names;

/* Lets one thread at a time in; who is in may come in again. It is let go while a module's own init
 * functions run. */
void gl_lock(void);
void gl_unlock(void);

/* Starts the host at path (a shared library built by -buildmode=c-shared that imports the package src/host), with its
 * description at desc (NULL: path with ".desc" appended). It stays for the life of the process; starting the same
 * path again returns the same host, another path fails with GL_EHOST. for_program: the process is there for a program
 * that gl_module_run_main is to run, and shares neither signals nor children with anybody else. */
struct gl_host *gl_host_start(const char *path, const char *desc, bool for_program, struct gl_error *err);
/* The path of a host that this process has already, to be started without loading anything: a Go program that imports
 * that package and plays host to Lua. To be freed by the caller; NULL when there is none. */
char *gl_host_self(void);
/* Has Go's memory profile take a sample per so many bytes (0: none), whatever modules have a use for. Without it there
 * is one while a module is loaded that has a use for it, and the host is no program of its own. */
void gl_host_profile_memory(struct gl_host *host, int64_t bytes);
const struct gl_abi *gl_host_abi(const struct gl_host *host);
/* Near the host, too, for machine code that is no module's: the runtime takes none of it for Go. */
struct gl_arena *gl_host_copies(const struct gl_host *host);
const struct gl_runtime_names *gl_host_names(const struct gl_host *host); /* see abi/runtime.h */
struct gl_image *gl_host_image(const struct gl_host *host);
const char *gl_host_path(const struct gl_host *host);
/* Address of a function the host exports to C, as dlsym gives it; NULL when it has none. */
void *gl_host_export(const struct gl_host *host, const char *name);
/* Fails with GL_EHOST in a process that forked after the host was started: a Go runtime does not survive fork. */
int gl_host_check(const struct gl_host *host, struct gl_error *err);
/* How it was found out so far whether modules may go: in copies of the process; how often no copy could be made; with
 * the world stopped. And for how long the last unload stopped the world at once, at most. */
struct gl_unload_stats {
	uint64_t snapshots, failed_snapshots, stops, voided, pause_ns;
};
struct gl_unload_stats gl_host_unload_stats(const struct gl_host *host);
/* How many modules were unloaded, by all threads: what was known of their types before the number changed may be void.
 */
uint64_t gl_host_unloaded(const struct gl_host *host);
/* Has a byte of the Go half's set to 1 in a process that forked. */
void gl_host_note_forks(struct gl_host *host, uint8_t *forked);

/* Names the archive (build cache file) that holds the compiled package import_path, for what the host lacks: what is
 * needed of it stays for the life of the process, and all modules share it. A later call for the same path replaces the
 * earlier one, unless something was taken from that already. version ("gopkg.in/yaml.v3@v3.0.1", or NULL) is how
 * messages call it. */
int gl_host_add_archive(struct gl_host *host, const char *import_path, const char *file, const char *version,
			struct gl_error *err);

/* Names an archive of another build of a package that the host has: made from the same source with other flags for all
 * packages, say. What was compiled against that build refers to its symbols by number: here their names are found, and
 * bound to the host's symbols. The file is not copied. */
int gl_host_add_build(struct gl_host *host, const char *import_path, const char *file, struct gl_error *err);

/* Where a dependency of a module comes from when the host has the package, too. */
enum gl_twice {
	GL_TWICE_REFUSE, /* from the host, and another version than the host's is refused */
	GL_TWICE_OTHER,  /* from the host, but another version is the module's own */
	GL_TWICE_ALWAYS  /* the module's own (a test's copies of standard packages) */
};

/* Gives the archives of resident packages their C parts: the shared library file, linked from all of them. Files that
 * aren't archives of this host are passed over. The library stays for the life of the process. */
int gl_host_add_library(struct gl_host *host, const char *const *archives, size_t n, const char *file,
			struct gl_error *err);

/* From now on, and for all who use the host, only shipped modules are loaded that trust says something of: no objects,
 * no archives, no libraries. Fails with GL_ETRUST when the process trusts other keys already. trust is copied. */
int gl_host_trust(struct gl_host *host, const struct gl_trust *trust, struct gl_error *err);
bool gl_host_is_strict(const struct gl_host *host);

/* Bytes of the address space for modules, and for copies of code, that nobody has; and how many blocks of memory it
 * takes to know of them. */
size_t gl_host_unused(const struct gl_host *host, size_t *blocks);

struct gl_load_options {
	size_t ndeps;        /* the first ndeps files are dependencies: of them only what the others need is kept */
	const char *library; /* the C parts of the files, linked into one shared library; NULL: they have none */
	bool run_init;       /* run the packages' init functions (false: only `goloader run`, which runs them on main's
				goroutine) */
	enum gl_twice twice;
	/* The one file is the archive of a package that the process has, or that modules share: it stays that one. What
	 * it exports is found where it is, and what nobody had a use for is taken from its archive, to be shared. */
	bool is_shared;
	/* Only gl_module_ship: settings of a program's //go:debug lines, or NULL; and values of string variables, which
	 * are set before the module's init functions run (-ldflags=-X). */
	const char *godebug;
	const struct gl_gom_string *strings;
	size_t nstrings;
	bool keeps_variables; /* only gl_module_ship: DWARF of variables is in the file, where objects have it */
	const char *key;      /* only gl_module_ship: the file of a secret key, with which it is signed; or NULL */
	/* Modules whose packages this one uses: their types, their variables. None of them can be unloaded before it.
	 * Files of their packages may be given among the dependencies, for what they have no need of themselves. */
	struct gl_module *const *uses;
	size_t nuses;
};

/* Loads objects (paths of files, one package each, in any order) as one module; or one shipped module, alone. paths[i]
 * may be NULL-terminated list of import path overrides or NULL. On failure nothing is left behind, and with GL_EMISSING
 * gl_host_missing tells which packages were asked for and have no archive, with GL_ECGO gl_host_unlinked of which the C
 * parts are to be linked. */
struct gl_module *gl_module_load(struct gl_host *host, const char *const *files, const char *const *import_paths,
				 size_t nfiles, const struct gl_load_options *opts, struct gl_error *err);
/* Ships instead of loading: writes one file that gl_module_load takes in place of the objects, on any machine with the
 * same host, where nothing of what they need has to be there. Exports are kept, and so is main.main. Fails and tells
 * what is missing as a load does; out is as it was then. */
int gl_module_ship(struct gl_host *host, const char *const *files, const char *const *import_paths, size_t nfiles,
		   const struct gl_load_options *opts, const char *out, struct gl_error *err);
/* Import paths of packages that the last failed load needed and had no archive of; owned by the host. */
size_t gl_host_missing(const struct gl_host *host, const char *const **packages);
/* Files whose C parts the last failed load needed, to be linked into one library: either all are the load's own (for
 * the option library), or all are archives (for gl_host_add_library); owned by the host. */
size_t gl_host_unlinked(const struct gl_host *host, const char *const **files, bool *are_archives);

/* Who keeps a module that was to go, or an object on the way from there to what of the module he refers to. */
struct gl_way_step {
	const char *kind; /* "variable", "stack", …, "object", "reference" */
	char *name;       /* a variable's or a reference's, a module's, a file's of C parts */
	char *shared;     /* the import path of the third-party package that has the variable: modules share it */
	char *type, *field;
	char *function, *file;
	int line;
	uint64_t goroutine;
	uintptr_t address;
	size_t size;    /* bytes; 0: not known */
	int64_t offset; /* of the pointer that leads on, or -1 */
	size_t omitted; /* steps before this one, of a way that is too long to be told */
};

/* From who keeps a module to what of it he refers to. */
struct gl_way {
	struct gl_way_step *steps;
	size_t n;
};
/* Makes it one step, of which a name is known, or NULL. */
void gl_way_tell(struct gl_way *way, const char *kind, const char *name);
void gl_way_free(struct gl_way *way);

/* Unloads. GL_EBUSY with the goroutine's traceback while one is in its code, with the name of a module that uses it, or
 * with who else refers to what prove says: a variable, an object on the heap, a stack, a finalizer (src/host/trace.go).
 * The module is as before then. To prove it costs a walk over the live heap with the world stopped.
 * After success the module stays as an empty shell (every call on it fails with GL_ECLOSED) until gl_module_free. */
struct gl_unload {
	enum gl_prove prove;
	bool drop_handles;        /* Lua's handles of its values stand for nothing then, and do not hold it */
	struct gl_module **along; /* modules that go with it, all or none: they may use it. Those that were unloaded
				   * already are taken out of the list. */
	size_t nalong;
	bool held_by_handle; /* out: with GL_EBUSY, whether a handle is the reason */
	struct gl_way way;   /* out: with GL_EBUSY, the reason; the caller frees it */
};
int gl_module_unload(struct gl_module *mod, struct gl_unload *how, struct gl_error *err);
/* Gives back the memory of unloaded modules where that has become much, which takes two garbage collections. To be
 * called by who has unloaded some, but not under the lock. */
void gl_host_give_back(struct gl_host *host);
/* Whether it counts as one that has a use for Go's memory profile, which is on while there is any: a load finds that
 * out by what the module refers to, and this is for those who know better. */
void gl_module_read_profile(struct gl_module *mod, bool reads);
/* Unloads by force what something still refers to: from then on each of its functions panics when it is called, and
 * those who use it may go on. Its memory stays till gl_module_unload succeeds. Fails with GL_EBUSY where a goroutine
 * does not get beyond the beginning of a function. */
int gl_module_close(struct gl_module *mod, struct gl_unload *how, struct gl_error *err);
void gl_module_free(struct gl_module *mod); /* of an unloaded module: its shell; of a loaded one: nothing is unloaded,
					       it stays for ever */
bool gl_module_is_loaded(const struct gl_module *mod);
struct gl_host *gl_module_host(const struct gl_module *mod);
/* The module that has a symbol at addr, which the caller must keep from being unloaded, if it is to outlast the lock.
 * Where none has, one that stays: it has nothing but what all see, the symbols of the host and of what modules share.
 */
const struct gl_module *gl_host_module_at(const struct gl_host *host, uintptr_t addr);

/* What the linker's -X does: gives a string variable another value than its package does, before init functions run.
 * The variable may be the module's, the resident store's or the host's. Fails with GL_EMISSING when nobody has it, with
 * GL_ETYPE when it is no string. */
int gl_module_set_string(struct gl_module *mod, const char *name, const char *value, size_t len, struct gl_error *err);

/* Runs the module as a program: its init functions, then main.main, on a goroutine that begins on this thread, as a
 * program's does on the process's main thread; args becomes os.Args. It returns when it fails, and else never: the
 * process ends when main.main returns, and by os.Exit and uncaught panics, as it would natively. */
int gl_module_run_main(struct gl_module *mod, const char *const *args, size_t nargs, struct gl_error *err);

/* ---- what a module holds ------------------------------------------------------------------------------------ */

struct gl_param {
	const char *name;      /* "" or "_" where Go has none */
	const char *type_name; /* "map[string]main.P", as the compiler's DWARF names it */
	uintptr_t type; /* its descriptor (internal/abi.Type) in this process; 0 when neither host nor module has one */
	bool is_result;
	bool is_lent; /* the function neither keeps nor returns what this parameter points to, as far as is known */
};

enum gl_export_kind {
	GL_EXPORT_FUNC,
	GL_EXPORT_VAR,
	GL_EXPORT_CONST,
	GL_EXPORT_TYPE,
	GL_EXPORT_GENERIC /* a generic function, which has no code */
};

struct gl_export {
	const char *name;    /* "Render" */
	const char *package; /* import path */
	enum gl_export_kind kind;
	uintptr_t addr; /* a function's entry (ABIInternal), a variable's address, a type's descriptor; 0 for none */
	const char *signature; /* "func(cat string, ps []main.P) (map[string]main.P, error)", the type of a variable or
				  a constant, or what a type is: "struct { Name string }" */
	const struct gl_param *params; /* a function's parameters, then its results; a variable's one type */
	uint32_t nparams;
	uint32_t nresults;
	bool variadic;
	bool typed; /* false: the object has no DWARF for it (-dwarf=false), params are unknown */
	const struct gl_declaration *decl; /* all that its package says of it (object/signature.h), until the unload */
};

/* What its packages export, the last given first; valid until unload. */
size_t gl_module_exports(const struct gl_module *mod, const struct gl_export **exports);

/* Address of the descriptor of a type that one of the module's own packages declares or has an alias of, by its name:
 * "Item"; 0 when there is none. */
uintptr_t gl_module_type(const struct gl_module *mod, const char *name);

struct gl_module_symbol {
	const char *name;
	uintptr_t addr;
	uint64_t size;
	bool by_name; /* a module that uses this one can refer to it */
	uint8_t abi;  /* 0: a function's stack-based entry; 1: everything else */
	char kind;    /* 't' text, 'r' rodata, 'd' data, 'b' bss, as nm(1); upper case is exported */
};
/* All symbols placed in the module, by address; valid until unload. */
size_t gl_module_symbols(const struct gl_module *mod, const struct gl_module_symbol **symbols);
/* Finds the symbol covering addr in this module, the resident store or the host: *name is set (owned by them) and the
 * offset into it returned; -1 when nobody has it. */
int64_t gl_module_symbolize(const struct gl_module *mod, uintptr_t addr, const char **name);

/* The same, with all that is known of the symbol: of the host's, kind is 'T' for a function and '?' for anything else.
 */
bool gl_module_find_symbol(const struct gl_module *mod, uintptr_t addr, struct gl_module_symbol *sym);

struct gl_module_stats {
	size_t text, rodata, data, bss; /* bytes of each section */
	size_t bytes;                   /* memory taken from the arena */
	size_t resident_bytes;          /* what this load added to the resident store */
	double read_ms, link_ms, publish_ms, init_ms;
};
void gl_module_stats(const struct gl_module *mod, struct gl_module_stats *stats);

/* A module that is loaded, whoever has loaded it. */
struct gl_module_info {
	char name[256];
	uint64_t number; /* of its load; no other has it */
	int64_t since;   /* seconds since 1970 */
	size_t bytes;    /* memory taken from the arena */
	size_t users;    /* modules that use it */
	bool is_closed;  /* it was unloaded by force */
};
uint64_t gl_module_number(const struct gl_module *mod);
/* Fills in n of them at most, those that were loaded last; returns how many there are. */
size_t gl_host_modules(const struct gl_host *host, struct gl_module_info *list, size_t n);

#endif
