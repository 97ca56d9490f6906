/* The exported declarations of a package and their Go types, from what the compiler left in the object.
 *
 * Two sources, each with a gap that the other one fills. The export data of a package (the __.PKGDEF member, which the
 * compiler writes for those who import the package) holds every exported declaration in full: blank and unnamed
 * parameters, what is variadic, at any -dwarf setting. Objects of `compile -linkobj` lack it, and unexported
 * functions are not in it. DWARF holds every function's named parameters, but drops blank ones and knows no "...".
 * So exports are typed by export data, and by DWARF where there is none. Constants, types and generic functions are
 * told by export data alone.
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

/* A type parameter of a generic function or type. */
struct gl_typeparam {
	const char *name;       /* "K" */
	const char *constraint; /* "comparable", "~int | ~string", "any" */
};

struct gl_signature {
	const struct gl_typeparam *type_params; /* which the other types mention by their names */
	uint32_t ntype_params;                  /* 0: it is not generic */
	const struct gl_sigparam *params;       /* parameters, then results */
	uint32_t nparams;                       /* without the results */
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

/* "func(cat string, ps ...main.P) (map[string]main.P, error)", "func[T any](list []T) T"; "func(…)" for an untyped one.
 * To be freed with free(); NULL when memory is short. */
char *gl_signature_string(const struct gl_signature *sig);

enum gl_constant_kind {
	GL_CONSTANT_BOOL,
	GL_CONSTANT_STRING,
	GL_CONSTANT_INT,  /* an int64 */
	GL_CONSTANT_UINT, /* a uint64 beyond that */
	GL_CONSTANT_FLOAT,
	GL_CONSTANT_COMPLEX,
	GL_CONSTANT_HUGE /* an untyped one of more than 64 bits that is no float64, or beyond all of those */
};

/* What a constant is worth. */
struct gl_constant {
	enum gl_constant_kind kind;
	uint64_t bits;      /* of a boolean or an integer */
	double re, im;      /* of a FLOAT (re) or COMPLEX */
	const char *string; /* of a STRING: bytes, which a NUL ends that doesn't count */
	size_t size;
	const char *text; /* as Go writes it; a long string's beginning, with "…" behind the quotes */
};

struct gl_field {
	const char *name;
	const char *type;
	const char *tag; /* "" where it has none */
	bool is_embedded;
};

struct gl_method {
	const char *name;
	const char *signature; /* "func() string" */
	bool by_pointer;       /* only what a pointer points to has it */
};

/* What a declared type is. */
struct gl_typedecl {
	const char *name;              /* as symbols name it: "shop.Item"; of an alias what it stands for */
	const char *underlying;        /* "struct { Name string }" */
	const struct gl_field *fields; /* exported ones of a struct, embedded ones too */
	uint32_t nfields;
	const struct gl_method *methods; /* exported ones that it declares, or that an interface asks for */
	uint32_t nmethods;
	bool is_alias;
};

enum gl_declaration_kind { GL_DECLARES_FUNC, GL_DECLARES_VAR, GL_DECLARES_CONST, GL_DECLARES_TYPE };

struct gl_declaration {
	const char *name; /* "Render" */
	enum gl_declaration_kind kind;
	uint32_t object; /* which of the package's objects defines it, and as which symbol */
	uint32_t sym;    /* UINT32_MAX: a constant, a type, or a generic function, which are no symbols; or a function
			    that another package provides */
	/* a variable's or a constant's type is its one parameter; a type has none, but perhaps type parameters */
	struct gl_signature signature;
	const struct gl_constant *constant; /* of a constant */
	const struct gl_typedecl *type;     /* of a type */
};

/* Its Go type, as listings show it: a function's signature; a variable's type, "?" where that is not known; a
 * constant's and its value ("untyped int = 10"); what a type is ("[T any] struct { Value T }", "= other.Item"). To be
 * freed with free(); NULL when memory is short. */
char *gl_declaration_string(const struct gl_declaration *decl);

struct gl_declarations {
	const struct gl_declaration *list; /* by name */
	uint32_t n;
};

/* Is it a function that is not generic, or a variable? */
bool gl_declaration_has_symbol(const struct gl_declaration *decl);

/* Those that the package itself defines, or functions and variables too that another package provides for it by
 * go:linkname: time.Sleep is the runtime's. */
enum gl_which_declarations { GL_DECLARATIONS_OWN, GL_DECLARATIONS_ALL };

/* What pkg exports, without methods. Freed with gl_declarations_free. */
int gl_declarations_read(const struct gl_package *pkg, const struct gl_abi *abi, enum gl_which_declarations which,
			 struct gl_declarations **out, struct gl_error *err);
void gl_declarations_free(struct gl_declarations *decls);

/* Is the identifier exported: does it start with an upper-case letter (unicode.IsUpper)? */
bool gl_is_exported(const char *name, size_t n);

#endif
