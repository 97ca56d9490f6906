/* Types in export data, and their names (internal to this room). */
#ifndef GL_TYPES_H
#define GL_TYPES_H

#include "pkgbits.h"

/* A use of a declared type: which object it is, and its type arguments. */
struct named {
	uint32_t obj;
	const char *pkg, *name;
	uint32_t code; /* OBJ_TYPE, OBJ_ALIAS, … */
	uint32_t nargs;
	const char **args;
};

/* The element of the type that use means: its own, or that of dict's derived types. */
uint32_t types_find(struct pkgbits *d, struct type_use use, const struct dict *dict);
/* The element of the next type, which may depend on type parameters. */
uint32_t types_ref(struct elem *e);
/* What an object is called, and which kind of declaration it is. */
void types_name(struct pkgbits *d, uint32_t obj, struct named *n);
/* The declared type that follows, with its type arguments. */
struct named types_named(struct elem *e);
/* Is it one that every Go program has: error, any, comparable, byte, rune? */
bool types_is_universe(const struct named *n);
/* The dictionary of an object, with the arguments that a use of it gives. */
struct dict types_dict(struct pkgbits *d, const struct named *n);
/* Opens the object of an alias or a type at the type it stands for. */
struct elem types_declared(struct pkgbits *d, const struct named *n, const struct dict *dict);
/* Goes past the type parameters that an object lists. */
void types_skip_params(struct elem *e);

/* These add to a text the name of the type that follows, of the one that is an element, of a declared one, … */
void types_add(struct gl_text *t, struct elem *e);
void types_add_elem(struct gl_text *t, struct pkgbits *d, uint32_t idx, const struct dict *dict);
void types_add_named(struct gl_text *t, struct pkgbits *d, const struct named *n);
/* … and the parameters and results that follow, in Go's notation: "(string, ...int) error". */
void types_add_signature(struct gl_text *t, struct elem *e);

#endif
