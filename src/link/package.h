/* Packages: the module's, and archives of what the host lacks. */
#ifndef GL_LINK_PACKAGE_H
#define GL_LINK_PACKAGE_H

#include "../object/pool.h"
#include "symbol.h"

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
	bool is_used;   /* a used module has this package already; the file is here for what it lacks of it */
	bool is_shared; /* it stays the process's: the file declares its exports, and nothing of it is loaded */
	bool checked;   /* of an archive: its imports have the versions that the process has */
	bool gave;      /* of an archive: this load takes symbols from it into the resident store */
	char *version;  /* of an archive, as its owner calls it, or NULL */
	char *offered;  /* the version or file that a later call named, when this one was in use; or NULL */
	bool init_scheduled;
	uint32_t search;   /* number of the last search that visited the package (linker.searches) */
	struct clib *clib; /* its C parts; NULL where it has none, or nobody has linked them yet */
	uint32_t nobjs;
	struct lobj *objs;
	struct gl_pool defs; /* storage of those below */
	struct ldef *abi0;   /* by name: functions of the stack-based ABI */
	struct ldef *plain;  /* by name: everything else */
	bool indexed;        /* defs, abi0 and plain are filled, at the first look-up */
	bool is_unlisted;    /* they could not be, for want of memory: a look-up has found nothing */
	const struct gl_abi *abi;
	UT_hash_handle hh;
};

/* A package that a loaded module brought. */
struct known_package {
	const char *path;
	uint8_t fingerprint[8];
	bool is_root; /* its exports are the module's */
};

/* A package of which the resident store holds something. */
struct resident_package {
	char *path;
	char *from;        /* its version or file, for messages */
	struct clib *clib; /* its C parts, as a shipped module brought them; or NULL */
	uint8_t fingerprint[8];
	UT_hash_handle hh;
};

/* Opens a package of the module's, one of those that archives are known of, or takes one that is open already. */
int link_open_package(struct link *l, struct lpkg *p, const char *file, const char *import_path);
int link_map_archive(struct link *l, struct lpkg *p);
int link_take_package(struct link *l, struct lpkg *p, struct gl_package *pkg);
void lpkg_close(struct lpkg *p);
/* Finds a definition by name; want_abi 0 falls back to what is no function. */
const struct ldef *lpkg_find(struct lpkg *p, const char *name, size_t len, uint8_t want_abi);

/* Of two definitions of a name: is the other one the one that counts? */
bool link_is_better(const struct lobj *obj, uint32_t idx, const struct lobj *other, uint32_t other_idx);
/* Fails when memory was too short for one of the load's packages to be looked up in. */
int link_check_lists(struct link *l);
/* The fingerprint of the package's export data: 8 bytes; NULL when it has no object of the compiler's. */
const uint8_t *lpkg_fingerprint(const struct lpkg *p);

/* The name of what ref means, wherever it is defined; n is 0 when nobody knows. */
struct gl_str link_ref_name(struct link *l, const struct lobj *obj, struct gl_symref ref);
struct gl_str link_foreign_name(struct link *l, const struct lobj *obj, struct gl_symref ref);
/* Opens the archive of the build of a package that by was compiled against, where that is another than the host's. */
struct lpkg *link_open_build(struct link *l, const struct lobj *by, struct gl_str path);
/* Fails with GL_EVERSION, naming both, when a package was compiled against another version of one than this process
 * has, or will have: its types would not be what the compiler took them for. */
int link_check_imports(struct link *l, struct lpkg *p);
/* The fingerprint of the package that import i of an object was bound to: the host's or an archive's. */
const uint8_t *link_bound_fingerprint(struct link *l, const struct gl_object *obj, uint32_t i);

#endif
