/* The linker's own data: shared by the passes of src/link, and by src/module/load.c, which calls them in order.
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

#include "../abi/abi.h"
#include "../error.h"
#include "../hash.h"
#include "../image/image.h"
#include "../memory/arena.h"
#include "../object/gom.h"
#include "../object/object.h"
#include "archives.h"
#include "builds.h"
#include "clib.h"
#include "hostsyms.h"
#include "importcfg.h"
#include "inits.h"
#include "lookup.h"
#include "names.h"
#include "package.h"
#include "prune.h"
#include "symbol.h"
#include "ties.h"
#include "unit.h"

/* A module that the one at hand uses. */
struct link_use {
	const char *name;               /* of the module */
	struct known_sym *const *names; /* its symbols, per want_abi */
	const struct known_package *packages;
	uint32_t npackages;
	struct clib *clib; /* their C parts */
};

/* What outlives a load: the host, the archives it was told of, the resident store. */
struct linker {
	const struct gl_abi *abi;
	struct gl_image *image;
	struct gl_arena *arena; /* of modules */
	struct lookup lookup;
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
	struct other_builds *other_builds;          /* by path (builds.c) */
	uint32_t searches;                          /* of fingerprints, so far */
	struct uninitialised *uninitialised;        /* by path */
	struct gl_trust trust;                      /* who vouches for what is loaded, if is_strict */
	bool is_strict;                             /* nothing else is loaded */
	bool has_race;                              /* the host has the race detector */
};

/* One load. */
struct link {
	struct linker *linker;
	struct gl_error *err;

	struct lpkg *packages;       /* the module's, in the order given */
	const struct link_use *uses; /* the modules that this one uses; the caller's */
	uint32_t npackages, nuses;
	struct tied_package *ties;   /* by path: the packages of both */
	uint64_t package_filter[64]; /* a Bloom filter over their paths: bit (last character) of word (length) */

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
	uint32_t nmissing_packages, cap_missing_packages;

	struct clib *clib;          /* the module's own C parts, once clib_bind has opened them; or NULL */
	struct clib **wanted_clibs; /* those of resident packages that this load is the first to use */
	uint32_t nwanted_clibs, cap_wanted_clibs;
	const struct lpkg **unlinked; /* packages whose C parts are needed, and nobody has linked them */
	uint32_t nunlinked, cap_unlinked;

	bool auditing; /* what is needed is found out, and that is all: nothing of C is opened, by whomever it is signed
			*/
	bool keeps_variables; /* what is shipped has what debuggers are told of variables */
	bool shipping;        /* nothing is loaded: what others brought to the resident store isn't there */
	bool other_host;      /* the shipped module was made for another host than this one */
	bool has_far;         /* C symbols are referred to, which may be out of reach */
	bool has_library;     /* the C parts of the module's packages are linked: clib_bind will open them */
	bool failed;          /* in the middle of a pass, most often for want of memory; err is set */

	struct unit units[NUNITS];
};

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
/* The Go function that the package exports to C as remote, as a root; NO_SYM when it exports none of that name. */
uint32_t link_root_export(struct link *l, struct lpkg *p, const char *remote);
/* The C parts of the package are needed: with those of the packages it imports, they become one library. */
void link_note_unlinked(struct link *l, const struct lpkg *p);
/* Fails with GL_ECGO for the first of them. */
int link_report_unlinked(struct link *l);
void link_free(struct link *l);
int link_out_of_memory(struct link *l); /* marks the load as failed, returns -1 */

/* shipped.c. Opens a shipped module for a load: l's packages are its own, its other archives serve what they need. */
int link_open_shipped(struct link *l, const char *file);
/* The C parts of a shipped module's own packages, and those of one of its archives (NULL: it has none). */
struct clib *link_shipped_own_library(struct link *l);
struct clib *link_shipped_library(struct link *l, const struct lpkg *p);
/* Lets the libraries stay, once what they serve is published. */
void link_keep_shipped_libraries(struct link *l);
/* A load has failed: if a shipped module was made for another host, what differs may be why, and the error says so. */
void link_name_hosts(struct link *l);
/* A fingerprint of 8 bytes in hexadecimal digits. */
void link_hex(char out[17], const uint8_t fingerprint[8]);

#endif
