/* The Go types of functions and variables, from what the compiler left in the object.
 *
 * Two sources, each with a gap that the other one fills. The export data of a package (the __.PKGDEF member, which the
 * compiler writes for those who import the package) holds every exported declaration in full: blank and unnamed
 * parameters, what is variadic, at any -dwarf setting. Objects of `compile -linkobj` lack it, and unexported
 * functions are not in it. DWARF holds every function's named parameters, but drops blank ones and knows no "...".
 * So exports are typed by export data, and by DWARF where there is none.
 *
 * Types are named as symbols name them ("map[string]uint8", "shop/list.Item", "interface {}"), so that "type:" before
 * the name gives the descriptor's symbol. */
#ifndef GL_SIGNATURE_H
#define GL_SIGNATURE_H

#include "object.h"

struct gl_sigparam {
	const char *name; /* "" or "_" where Go has none */
	const char *type; /* "[]string" for a variadic "...string" */
	bool is_result;
	bool is_lent; /* the function neither keeps nor returns what this parameter points to; false where nobody says
			 so */
};

struct gl_signature {
	const struct gl_sigparam *params; /* parameters, then results */
	uint32_t nparams;                 /* without the results */
	uint32_t nresults;
	bool variadic;
	bool typed; /* false: nothing is known, there are no params */
};

/* The signature of the function that is symbol sym of obj, from its DWARF. An untyped one where the object holds no
 * DWARF for it (-dwarf=false) or only a part: then it can't be told what a call would need. Freed with
 * gl_signature_free. Fails with GL_EFORMAT on broken DWARF. */
int gl_signature_read(const struct gl_object *obj, uint32_t sym, const struct gl_abi *abi, struct gl_signature **out,
		      struct gl_error *err);

void gl_signature_free(struct gl_signature *sig);

/* "func(cat string, ps ...main.P) (map[string]main.P, error)"; "func(…)" for an untyped one. To be freed with free();
 * NULL when memory is short. */
char *gl_signature_string(const struct gl_signature *sig);

struct gl_declaration {
	const char *name; /* "Render" */
	bool is_func;
	uint32_t object; /* which of the package's objects defines it, and as which symbol */
	uint32_t sym;
	struct gl_signature signature; /* a variable's type is its one parameter */
};

struct gl_declarations {
	const struct gl_declaration *list; /* by name */
	uint32_t n;
};

/* The exported functions and variables that pkg defines: no methods, no generic functions, nothing that another
 * package provides (go:linkname). Freed with gl_declarations_free. */
int gl_declarations_read(const struct gl_package *pkg, const struct gl_abi *abi, struct gl_declarations **out,
			 struct gl_error *err);
void gl_declarations_free(struct gl_declarations *decls);

/* Is the identifier exported: does it start with an upper-case letter (unicode.IsUpper)? */
bool gl_is_exported(const char *name, size_t n);

#endif
