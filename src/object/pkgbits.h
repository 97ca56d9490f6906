/* Elements of export data, as internal/pkgbits writes them (internal to this room; the format: pkgbits.c). */
#ifndef GL_PKGBITS_H
#define GL_PKGBITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pool.h"

enum pkgbits_section {
	SEC_STRING,
	SEC_META,
	SEC_POSBASE,
	SEC_PKG,
	SEC_NAME,
	SEC_TYPE,
	SEC_OBJ,
	SEC_OBJEXT,
	SEC_OBJDICT,
	SEC_BODY,
	NSEC
};

enum { OBJ_ALIAS, OBJ_CONST, OBJ_TYPE, OBJ_FUNC, OBJ_VAR, OBJ_STUB };

enum {
	TYPE_BASIC,
	TYPE_NAMED,
	TYPE_POINTER,
	TYPE_SLICE,
	TYPE_ARRAY,
	TYPE_CHAN,
	TYPE_MAP,
	TYPE_SIGNATURE,
	TYPE_STRUCT,
	TYPE_INTERFACE,
	TYPE_UNION,
	TYPE_PARAM
};

/* internal/pkgbits/version.go: in which version of the format a field came or went */
enum {
	VERSION_FLAGS = 1,           /* a word of flags in the header */
	VERSION_NO_LEGACY = 2,       /* "has init", "derived func instance" and "derived info needed" are gone */
	VERSION_ALIAS_PARAMS = 2,    /* aliases have type parameters */
	VERSION_GENERIC_METHODS = 4, /* a flag says that a function is one; dictionaries count receivers' parameters */
	VERSION_METHOD_ORDER = 5,    /* a type's method is preceded by its place among all of them */
	VERSION_KNOWN = 5
};
enum { FLAG_SYNC_MARKERS = 1 };

enum {
	MAX_DEPTH = 200,     /* types in types; a type literal can't contain itself but through an alias */
	MAX_STEPS = 1 << 22, /* elements opened; aliases can make a small file stand for a huge text */
	FINGERPRINT_SIZE = 8
};

struct pkgbits {
	const uint8_t *ends, *elems; /* the end of each element, then the elements */
	size_t elems_size;
	uint32_t section_end[NSEC]; /* in elements */
	uint32_t version;
	const char **pkgs;    /* by element, once read: a package's element is long, and each identifier names one */
	const char *self;     /* the package's own path, as symbol names carry it */
	struct gl_pool *keep; /* what the caller gets */
	struct gl_pool temp;  /* what is read on the way */
	uint32_t depth, steps;
	bool bad;   /* something was wrong: everything read since is zero */
	bool nomem; /* and that was that memory is short */
};

struct type_use;

/* Type parameters and what stands for them. A type that depends on them is named by its place in derived. */
struct dict {
	uint32_t nderived, *derived; /* elements of the type section */
	uint32_t nparams;
	struct type_use *bounds; /* of each type parameter */
	uint32_t nargs;
	const char **args;
};

/* Where a type is found: its number in derived, or its element. */
struct type_use {
	bool is_derived;
	uint32_t idx;
};

struct elem {
	struct pkgbits *d;
	const struct dict *dict;
	const uint8_t *p, *end;
	const uint8_t *refs;      /* the list of references */
	uint32_t nrefs, seen_ref; /* how many, and the number of the one at seen */
	const uint8_t *seen;
};

/* Reads the header: false where this reader does not know the format. */
bool pkgbits_header(struct pkgbits *d, const uint8_t *p, size_t size);
/* Memory that lives as long as the reading; NULL, and d->nomem, where there is none. */
void *pkgbits_take(struct pkgbits *d, size_t size);
/* Makes an element ready to be read. */
struct elem pkgbits_open(struct pkgbits *d, enum pkgbits_section sec, uint32_t idx, const struct dict *dict);
/* The next of an element's numbers. */
uint64_t pkgbits_uvarint(struct elem *e);
/* The same of a count or an index. */
uint32_t pkgbits_len(struct elem *e);
bool pkgbits_bool(struct elem *e);
/* The element that the next number refers to, through the list of references. */
uint32_t pkgbits_ref(struct elem *e, enum pkgbits_section sec);
bool pkgbits_is_string(struct elem *e, const char *s);
/* A string that has no zero byte in it; "" where it isn't one. */
const char *pkgbits_string(struct elem *e, size_t *n);
/* The same of any bytes, which are the file's. */
const uint8_t *pkgbits_bytes(struct elem *e, size_t *n);
/* A package's path in symbol names; "builtin" for the universe. */
const char *pkgbits_pkg(struct elem *e);
void pkgbits_skip_pos(struct elem *e);
/* A position and an identifier that nobody asks for. */
void pkgbits_skip_ident(struct elem *e);
/* What a text became, kept with the data's other temporary strings. */
const char *pkgbits_text(struct pkgbits *d, struct gl_text *t);
/* A string of the caller's own. */
const char *pkgbits_keep(struct pkgbits *d, const char *s);
/* strconv.Quote, as far as struct tags go: what is no control character stays as it is. */
void pkgbits_add_quoted(struct gl_text *t, const uint8_t *s, size_t n);

extern const struct dict no_dict;

#endif
