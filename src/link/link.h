/* The linker's own data: shared by the passes of src/link, and by src/module/load.c, which calls them in
 * order.
 *
 * One load links up to three *units*. What belongs to the module (its packages' functions, variables and types, and
 * types that mention them) is the module unit: it goes when the module goes. What belongs to the process (a type like
 * map[string]int or an itab of two host types that the host happens to lack, and whatever is pulled from the archives
 * of packages that the host lacks wholly or partly) is the resident unit: it is never unmapped, later modules resolve
 * to it, and it never refers to a module. What belongs to a module that this one uses, and which that module itself had
 * no need of (a map of its types, a generic function of its package, instantiated here for the first time), is the used
 * unit: it becomes part of the used module, so that all who use that agree on it.
 *
 * The same symbol of an object may be seen from several units (a helper function that all need), so every cache below
 * is kept per *view*, the unit from which a reference is made. */
#ifndef GL_LINK_H
#define GL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* For uthash, whose own functions take a name byte by byte: the names of symbols are long, and hashing them was a tenth
 * of a load. uthash goes by the low bits, in which each bit of the name must tell: hence both halves of the product. */
static inline uint64_t link_hash_word(uint64_t hash, uint64_t word)
{
	unsigned __int128 product = (unsigned __int128)(hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline unsigned link_hash(const void *key, size_t len)
{
	const uint8_t *p = key, *end = p + len;
	uint64_t hash = len, word = 0;

	for (; end - p > 8; p += 8) {
		memcpy(&word, p, 8);
		hash = link_hash_word(hash, word);
	}
	if (len >= 8) {
		memcpy(&word, end - 8, 8); /* the rest, and some of it again */
	} else {
		memcpy(&word, p, len);
	}
	return (unsigned)link_hash_word(hash, word);
}

#define HASH_FUNCTION(key, len, hash) (hash) = link_hash((key), (len))

/* Short of memory, uthash would end the process; told so, it leaves the entry out with a NULL in hh.tbl, which whoever
 * relies on the entry checks. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "../abi/abi.h"
#include "../error.h"
#include "../image/image.h"
#include "../memory/arena.h"
#include "../object/gom.h"
#include "../object/object.h"

enum unit_id { UNIT_MODULE, UNIT_USED, UNIT_RESIDENT, NUNITS };

/* Sections of a unit, in the order of their addresses. SEC_COVER: the counters of -cover, which the runtime reads as
 * one array (runtime/covercounter.go). */
enum section { SEC_NONE, SEC_TEXT, SEC_RODATA, SEC_NOPTRDATA, SEC_DATA, SEC_BSS, SEC_NOPTRBSS, SEC_COVER, NSECTIONS };

enum symstate {
	SYM_ABSENT, /* nobody defines it */
	SYM_FIXED,  /* it lives in the host, or in a unit linked before: addr is final */
	SYM_PLACED, /* it is defined by this load; addr is known after lay out */
	SYM_TLS     /* runtime.tlsg: no address, but a distance from the thread pointer */
};

/* What a symbol made by the linker itself consists of. */
enum synthetic {
	SYNTH_NONE,
	SYNTH_FUNCVAL,    /* F·f: one word, F's address */
	SYNTH_TRAMPOLINE, /* a jump to a function out of an offset's reach */
	SYNTH_MAIN        /* calls main.main, under the name of who calls it natively: runtime.main */
};

enum { SYNTH_CODE_SIZE = 16 /* bytes of a trampoline, or of what calls main */ };

struct lobj;

struct lsym {
	struct gl_str name;     /* empty for content-addressable and file-local symbols */
	uint8_t hash[16];       /* of a content-addressable symbol */
	const struct lobj *obj; /* where it is defined, with its number there; NULL for synthetic ones and SYM_FIXED,
				   but for C symbols: there it is who imports it */
	uint32_t idx;
	uint32_t referrer; /* symbol that asked for it first, for messages; NO_SYM for a root */
	uint32_t target;   /* of a synthetic symbol: what it stands for */
	uint32_t alias;    /* the symbol that this one stands for, found under another view or ABI; or NO_SYM */
	uint8_t want_abi;  /* GL_ABI0 or GL_ABIINTERNAL: which of a function's two entries is meant */
	uint8_t state, section, unit, synthetic;
	bool marked, is_func;
	bool is_far;            /* it is C's, and may be out of a call's reach */
	bool by_name;           /* found by its name, and that isn't local to an object */
	uint32_t tramp[NUNITS]; /* of a function: the trampolines to it; NO_SYM */
	uint32_t size, align;
	uintptr_t addr;
	uint32_t self; /* its own number in link->syms */
	uint32_t func; /* number in its unit's function table */
	UT_hash_handle hh;
};

#define NO_SYM UINT32_MAX

/* A definition that can be found by name. */
struct ldef {
	struct gl_str name;
	const struct lobj *obj;
	uint32_t idx;
	bool is_func;
	UT_hash_handle hh;
};

/* One goobj of a package, as seen by the load at hand. */
struct lobj {
	struct gl_object *obj;
	struct lpkg *pkg;
	/* caches of the load at hand; NULL until the object is first touched */
	uint32_t *locals[NUNITS]; /* per symbol: 1 + number in link->syms */
	uint32_t *refs[NUNITS];   /* per referenced name: likewise */
	uint32_t *pctab;          /* per symbol: offset of this pc table in the unit's pctab; 0: not there yet */
	uint8_t pctab_unit;
	uint8_t imports; /* enum imports, once somebody asked */
};

/* Are the packages that an object imports, where the host has them too, those that it was compiled with? */
enum imports { IMPORTS_UNKNOWN, IMPORTS_FROM_HOST, IMPORTS_FROM_ELSEWHERE };

/* A package: one of the module's, or an archive that was opened because the host lacks something of it. */
struct lpkg {
	const char *path; /* import path, escaped as in symbol names; the key */
	char *file;
	struct gl_package *pkg;    /* NULL until an archive is opened */
	struct gl_symnames *names; /* of an archive, when only names were wanted; NULL until then */
	bool names_failed;
	bool is_module; /* given as a file of the module at hand */
	bool is_root;   /* its exports are kept; otherwise only what somebody refers to */
	bool is_used;   /* of a module that is used: for what that has no need of itself */
	bool checked;   /* of an archive: what it imports is what the process has */
	bool gave;      /* of an archive: this load takes symbols from it into the resident store */
	char *version;  /* of an archive, as its owner calls it, or NULL */
	char *offered;  /* what a later call named, when this one was in use already; or NULL */
	bool init_scheduled;
	uint32_t search;   /* the last search that came by */
	struct clib *clib; /* its C parts; NULL where it has none, or nobody has linked them yet */
	uint32_t nobjs;
	struct lobj *objs;
	struct ldef *defs;  /* storage */
	struct ldef *abi0;  /* by name: functions of the stack-based ABI */
	struct ldef *plain; /* by name: everything else */
	bool indexed;       /* defs, abi0 and plain are filled, at the first look-up */
	const struct gl_abi *abi;
	UT_hash_handle hh;
};

/* A symbol that an earlier load placed, and that others may refer to by name. */
struct known_sym {
	char *name;
	uint8_t want_abi;
	bool is_func;
	uint32_t size;
	uintptr_t addr;
	UT_hash_handle hh;
};

/* A package that a loaded module brought. */
struct known_package {
	const char *path;
	uint8_t fingerprint[8];
	bool is_root; /* its exports are the module's */
};

/* A module that the one at hand uses. */
struct link_use {
	const char *name;               /* of the module */
	struct known_sym *const *names; /* its symbols, per want_abi */
	const struct known_package *packages;
	uint32_t npackages;
	struct clib *clib; /* their C parts */
};

/* A package of which the resident store holds something. */
struct resident_package {
	char *path;
	char *from;        /* its version or file, for messages */
	struct clib *clib; /* its C parts, as a shipped module brought them; or NULL */
	uint8_t fingerprint[8];
	UT_hash_handle hh;
};

/* A package of the resident store whose init functions have not come to their end: nobody else may use it. */
struct uninitialised {
	char *path;
	char *failure; /* they have panicked: with what; NULL: they are yet to run, or run at the moment */
	UT_hash_handle hh;
};

/* To whom a name belongs that mentions certain packages. */
enum tie { TIE_NONE, TIE_USED, TIE_OWN };

struct tied_package {
	const char *path;
	enum tie tie;
	const uint8_t *fingerprint; /* of the package as it is in the process, or will be */
	UT_hash_handle hh;
};

/* What outlives a load: the host, the archives it was told of, the resident store. */
struct linker {
	const struct gl_abi *abi;
	struct gl_image *image;
	struct gl_arena *arena;
	int64_t tls_offset;
	uintptr_t before_main, after_main; /* the Go half's, called around main.main */
	uintptr_t zerobase;                /* runtime.zerobase, where variables of no size are */
	uintptr_t firstmoduledata;         /* the host's own, whose pcHeader is the pattern for ours */
	const char *goroot;                /* what "$GOROOT" in file names of the standard library stands for */
	char *importcfg;                   /* file that names archives, read at the first need of one; NULL once read */
	struct importcfg *listed;          /* what it says, by the time somebody needs one */
	size_t nlisted;                    /* how much of it link_all_archives has taken over */
	struct lpkg *archives;             /* by path */
	struct known_sym *resident[2];     /* by name, per want_abi */
	struct resident_package *resident_packages; /* by path */
	uint32_t searches;                          /* of fingerprints, so far */
	struct uninitialised *uninitialised;        /* by path */
};

/* The function tables, built before the unit has addresses: offsets and sizes (bytes; ncutab: entries) within buf. */
struct pclntab {
	uint8_t *buf;
	size_t size;
	size_t names, cutab, files, pctab, functab, trees, findfunc;
	size_t nnames, ncutab, nfiles, npctab, nfunctab;
};

/* A unit once laid out. Addresses are final as soon as base is set. */
struct unit {
	enum unit_id id;
	uint32_t *order; /* symbols by section and address */
	uint32_t norder;
	uint32_t *funcs; /* those in the text section, by address */
	uint32_t nfuncs;
	uint32_t ntypelinks, nitabs;       /* the first symbols of the rodata section, in this order */
	uint32_t sec_first[NSECTIONS + 1]; /* where each section starts in order */

	uint8_t *base; /* the block taken from the arena: text pages, rodata pages, data pages */
	size_t size;
	uintptr_t sec_start[NSECTIONS];
	size_t sec_size[NSECTIONS];
	size_t text_pages, rodata_pages, data_pages;
	size_t typelinks_end, itabs_start, itabs_end; /* from the start of rodata */

	/* GOT: one word for each symbol reached through it, in rodata */
	struct got_slot *got;
	uint32_t ngot;
	uintptr_t got_start;

	/* built by describe, in rodata behind the symbols */
	struct pclntab pclntab;
	size_t tables_size;
	uintptr_t tables_start;

	uintptr_t strings;    /* the last of rodata's symbols, from here on */
	uintptr_t moduledata; /* in the data pages, behind the sections */
	uintptr_t text_end;
};

struct got_slot {
	uint32_t sym; /* NO_SYM: the thread-local offset */
	UT_hash_handle hh;
};

/* A package's inittask. */
struct link_init {
	uint32_t sym;
	bool has_functions; /* there is something to run; otherwise it only waits for its imports */
	uint32_t *imports;  /* those that run before it for its sake: their places in link->inits */
	uint32_t nimports;
};

/* One load. */
struct link {
	struct linker *linker;
	struct gl_error *err;

	struct lpkg *packages; /* the module's, in the order given */
	uint32_t npackages;
	const struct link_use *uses; /* the modules that this one uses; the caller's */
	uint32_t nuses;
	struct tied_package *ties; /* by path: the packages of both */
	uint64_t tie_shapes[64];   /* by length, the last characters of their paths: most names need no look-up */

	bool shipping;               /* nothing is loaded: what others brought to the resident store isn't there */
	struct gl_gom *gom;          /* the shipped module that is loaded, or NULL */
	struct lpkg *shipped;        /* its archives, by path: they serve, and no others */
	struct clib **shipped_clibs; /* per library of gom: opened by this load, which closes them when it fails */

	struct lsym **chunks; /* symbols live in chunks, so that their addresses stay */
	uint32_t nsyms, nchunks;
	struct lsym *by_name[NUNITS][2]; /* per view and want_abi */
	struct lsym *by_hash[NUNITS];
	uint32_t *builtins[NUNITS]; /* per function that the compiler knows by number: 1 + number of its symbol */

	uint32_t *work; /* marked, but not yet looked through */
	uint32_t nwork, cap_work;

	uint32_t *placed; /* marked and placed, in the order found */
	uint32_t nplaced, cap_placed;

	struct link_init *inits; /* the packages that are linked, in the order in which they are initialised */
	uint32_t ninits;
	uint32_t *init_imports; /* storage of their imports */
	uint32_t *extra_inits;  /* functions to run before them: outlined initialisers of variables pulled one by one */
	uint32_t nextra_inits, cap_extra_inits;

	const struct lobj **touched; /* objects with caches to free */
	uint32_t ntouched, cap_touched;

	uint32_t *missing;
	uint32_t nmissing, cap_missing;
	char **missing_packages;
	uint32_t nmissing_packages;

	bool has_library;           /* the C parts of the module's packages are linked: clib_bind will open them */
	struct clib *clib;          /* from then on; NULL where there are none */
	struct clib **wanted_clibs; /* those of resident packages that this load is the first to use */
	uint32_t nwanted_clibs;
	const struct lpkg **unlinked; /* packages whose C parts are needed, and nobody has linked them */
	uint32_t nunlinked;

	bool failed; /* in the middle of a pass, most often for want of memory; err is set */

	struct unit units[NUNITS];
};

struct lsym *link_sym(const struct link *l, uint32_t s);

/* ---- the passes, in order ------------------------------------------------------------------------------------- */

/* resolve.c. Marks everything that the roots need, binding each reference: to the module, the host, the resident store
 * or an archive. Fails with GL_EMISSING naming every symbol nobody defines, and who needs it. After it, no symbol is
 * added but trampolines. */
int link_resolve(struct link *l);
/* Adds a root by name; NO_SYM when nobody defines it. */
uint32_t link_root(struct link *l, enum unit_id view, const char *name, size_t len, uint8_t want_abi);
/* Adds symbol number i of one of the module's objects. */
uint32_t link_root_at(struct link *l, const struct lobj *obj, uint32_t i);
/* The symbol that relocation, aux or inlining-tree reference ref of obj means, seen from view. */
uint32_t link_resolve_ref(struct link *l, const struct lobj *obj, struct gl_symref ref, enum unit_id view,
			  uint32_t referrer);
/* Does a descriptor's name say that a value of the type is one pointer, so that a GC mask can do without it? */
bool link_is_pointer_name(struct gl_str type);
/* Code made by the linker, standing for target; NO_SYM when memory is short. */
uint32_t link_new_synthetic(struct link *l, enum synthetic kind, uint32_t target, enum unit_id unit);
/* What a program's goroutine starts with: programs look at their callers and expect runtime.main below main.main. */
uint32_t link_add_main(struct link *l, uint32_t main);
/* The Go function that the package exports to C as remote, as a root; NO_SYM when it exports none of that name. */
uint32_t link_root_export(struct link *l, struct lpkg *p, const char *remote);
/* The C parts of the package are needed: with those of the packages it imports, they become one library. */
void link_note_unlinked(struct link *l, const struct lpkg *p);
/* Fails with GL_ECGO for the first of them. */
int link_report_unlinked(struct link *l);
void link_free(struct link *l);
int link_out_of_memory(struct link *l); /* marks the load as failed, returns -1 */

/* packages.c. What names tell. */
enum section link_section(const struct gl_abi *abi, uint8_t type);
/* Must the process have but one of it? Descriptors are compared by address, and so are itabs, which the compiler makes
 * content-addressable all the same. */
bool link_is_unique(struct gl_str name);
/* The package a symbol belongs to, as a span of its name: up to the first dot behind the last slash, before any type
 * arguments or receiver. For a descriptor that of the named type it describes. n is 0 where there is none. */
struct gl_str link_package_of(struct gl_str name);
/* Does the name mention one of the module's packages, or of those it uses? ("main.T" inside "type:map[string]main.T",
 * not inside "example/domain.T".) */
enum tie link_tie(const struct link *l, struct gl_str name);

/* Packages: opening one, and making it known that names which mention it belong to the module or to one it uses. */
int link_open_package(struct link *l, struct lpkg *p, const char *file, const char *import_path);
int link_take_package(struct link *l, struct lpkg *p, struct gl_package *pkg); /* that is open already */
int link_tie_package(struct link *l, enum tie tie, const char *path, const uint8_t *fingerprint);
/* The same of a package that the load was given: it is the module's own, or completes what a used module has of it. */
int link_tie_own(struct link *l, struct lpkg *p);
void lpkg_close(struct lpkg *p);
/* Finds a definition by name; want_abi 0 falls back to what is no function. */
const struct ldef *lpkg_find(struct lpkg *p, const char *name, size_t len, uint8_t want_abi);
/* The fingerprint of the package's export data: 8 bytes; NULL when it has no object of the compiler's. */
const uint8_t *lpkg_fingerprint(const struct lpkg *p);

/* Archives of what the host lacks. link_archive finds one; link_open_archive opens it too: NULL when there is none. One
 * whose file has gone (Go trims its build cache) counts as none, so that the caller is asked for another; one that
 * can't be used fails the load. version, for messages, may be NULL. */
struct lpkg *linker_add_archive(struct linker *linker, const char *import_path, const char *file, const char *version,
				struct gl_error *err);
/* Notes, once its symbols are published, that the resident store holds some of p's. */
void linker_note_resident(struct linker *linker, const struct lpkg *p);
/* uninitialised.c. The package can't be used until linker_end_init; never again after linker_fail_init, which takes the
 * failure (malloc'ed; NULL: there was no memory for it). Fails when memory is short. */
int linker_begin_init(struct linker *linker, struct gl_str path, struct gl_error *err);
void linker_end_init(struct linker *linker, const char *path);
void linker_fail_init(struct linker *linker, const char *path, char *failure);
/* Fails when what has this name is a package's that can't be used. */
int linker_check_init(const struct linker *linker, struct gl_str name, struct gl_error *err);
/* The archives that serve this load, by path. */
struct lpkg *link_archives(const struct link *l);
/* The same, with all that the list beside the host names. */
struct lpkg *link_all_archives(struct link *l);
struct lpkg *link_archive(struct link *l, struct gl_str path);
struct lpkg *link_open_archive(struct link *l, struct gl_str path);
/* Is the package linked into the host? With which fingerprint (8 bytes)? NULL: it isn't. */
const uint8_t *link_host_has(struct link *l, struct gl_str path);
/* The name of what ref means, wherever it is defined; n is 0 when nobody knows. */
struct gl_str link_ref_name(struct link *l, const struct lobj *obj, struct gl_symref ref);
struct gl_str link_foreign_name(struct link *l, const struct lobj *obj, struct gl_symref ref);
/* Fails with GL_EMISMATCH, naming both, when a package was compiled against another version of one than this process
 * has, or will have: its types would not be what the compiler took them for. */
int link_check_imports(struct link *l, struct lpkg *p);

/* clib.c. The C parts of packages: a shared library that the C linker has made of them. */
struct clib *clib_open(const char *file, struct gl_error *err);
/* The same of a library in memory; from is for messages. */
struct clib *clib_open_bytes(const char *from, const uint8_t *bytes, size_t size, struct gl_error *err);
/* Appends the library's file, as it was when it was opened. */
int clib_read(const struct clib *lib, struct gl_bytes *out, struct gl_error *err);
/* Closes a library that nobody has used yet, or that must go. lib may be NULL. */
void clib_close(struct clib *lib);
/* What the Go runtime knows of threads and signals. */
struct clib_go {
	const struct gl_thread *threads; /* those that it has made, or that have called Go */
	size_t nthreads;
	const uint32_t *handled;    /* by signal: has its own handler been installed? */
	const uintptr_t *forwarded; /* by signal: the handler that was there before */
};
/* Does a thread run a library's code, or does it handle a signal? Then who (size bytes) gets a text that says so.
 * clib_users.c tells how that is found out. */
bool clib_is_used(struct clib *lib, const struct clib_go *go, char *who, size_t size);
/* Closes a library whose module is gone, if nobody can be found who may still use it. Otherwise it goes to the list of
 * those that are kept, which are looked at again whenever another one is released. lib may be NULL. */
void clib_release(struct clib *lib, struct clib **kept, const struct clib_go *go);
/* Does it know the addresses of the Go functions that it calls? */
bool clib_is_connected(const struct clib *lib);
/* A C symbol's address; 0 when the library and those it was linked with have none. */
uintptr_t clib_find(const struct clib *lib, const char *name);
/* The same for a symbol of a shared library that the import names itself. */
uintptr_t clib_find_dynamic(const struct gl_cgo_import *import);
/* Opens the library of the module's packages, if they have one, and gives their C symbols their addresses. */
int clib_bind(struct link *l, const char *file, bool is_program);
/* Tells the libraries of this load where Go's functions are, once everything has its address. */
void clib_connect(struct link *l);

/* shipped.c. Opens a shipped module for a load: l's packages are its own, its other archives serve what they need. */
int link_open_shipped(struct link *l, const char *file);
/* The C parts of a shipped module's own packages, and those of one of its archives (NULL: it has none). */
struct clib *link_shipped_own_library(struct link *l);
struct clib *link_shipped_library(struct link *l, const struct lpkg *p);
/* Lets the libraries stay, once what they serve is published. */
void link_keep_shipped_libraries(struct link *l);
/* A fingerprint of 8 bytes in hexadecimal digits. */
void link_hex(char out[17], const uint8_t fingerprint[8]);

/* importcfg.c. The list of archives beside the host; NULL when it can't be read. Strings are the list's own. */
struct importcfg *importcfg_read(const char *name);
const char *importcfg_find(const struct importcfg *cfg, const char *path); /* a file; NULL when it isn't listed */
const char *importcfg_path(const struct importcfg *cfg, size_t i);         /* of line i; NULL behind the last */

/* inits.c. Fills link->inits: the inittasks that are linked, imports first. */
int link_order_inits(struct link *l);

/* Writes an import path as the go command spells it; out holds path.n + 1 bytes. */
void link_plain_path(struct gl_str path, char *out);

/* prune.c. What of each object has to be shipped, once everything is resolved. */
struct kept {
	const struct lobj *obj;
	uint8_t *symbols; /* per symbol: GL_KEEP_… */
	UT_hash_handle hh;
};
int link_keep(struct link *l, struct kept **kept);
void kept_free(struct kept *kept);

/* layout.c. Gives each marked symbol its section and its place, adds trampolines, takes memory from the arena. */
int link_layout(struct link *l, enum unit_id id);
void unit_release(struct linker *linker, struct unit *u);
void unit_free(struct unit *u);

/* relocate.c. Copies the symbols' bytes and patches their references. */
int link_relocate(struct link *l, enum unit_id id);

/* pclntab.c. Builds what the runtime needs to walk the unit's stacks, once symbols have offsets (rodata_off: where the
 * tables will lie in rodata); then copies it to its place. */
int pclntab_build(struct link *l, struct unit *u, size_t rodata_off);
void pclntab_write(const struct link *l, struct unit *u);

/* moduledata.c. GC masks, typelinks, itabs and the moduledata itself: their size in rodata, behind the pclntab; then
 * their content. name (what runtime messages call the module) must outlive the unit. */
size_t moduledata_tables_size(const struct link *l, const struct unit *u);
int moduledata_write(struct link *l, struct unit *u, const char *name);

/* ---- small helpers ---------------------------------------------------------------------------------------------- */

bool str_is(struct gl_str s, const char *lit);
bool str_starts(struct gl_str s, const char *prefix);
bool str_ends(struct gl_str s, const char *suffix);

static inline size_t round_up(size_t n, size_t align) { return (n + align - 1) & ~(align - 1); }

/* What the host's own tables say of the function at addr (its runtime._func); NULL when it has none. */
const uint8_t *host_func(const struct linker *linker, uintptr_t addr);

#endif
