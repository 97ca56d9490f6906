/* What a debugger is to be told of functions' arguments and variables, and of their types, beyond what the runtime's
 * tables know: read from objects that were compiled with DWARF while they are linked (link/variables.c), kept for as
 * long as a debugger may ask, written by dwarf.c.
 *
 * Addresses in functions count from the function's entry, so that it is true of copies of its code, too. */
#ifndef GL_DEBUG_VARIABLES_H
#define GL_DEBUG_VARIABLES_H

#include "../abi/kinds.h"
#include "../hash.h"
#include "bytes.h"

/* A field of a struct, or a parameter of a function. */
struct type_field {
	uint32_t name; /* among the strings; parameters have none */
	uint32_t type;
	uint64_t offset;
	bool is_embedded, is_result;
};

struct type {
	uint32_t name; /* among the strings */
	uint8_t kind;
	bool has_methods;     /* of an interface */
	uintptr_t descriptor; /* where it lies, of types of the unit's own that were asked for; or 0 */
	uint64_t size;        /* bytes */
	uint64_t count;       /* of an array */
	uint32_t elem, key;   /* the types that it is made of; key: of a map */
	uint32_t group;       /* of a map: how its table lies in memory (internal/runtime/maps); NO_TYPE: as before */
	uint32_t first, n;    /* of the fields */
};

#define NO_TYPE UINT32_MAX

enum variable_kind { VARIABLE, PARAMETER, RESULT, BLOCK, INLINED, END_OF_CHILDREN };

/* Functions' entries in the order of their DWARF: a block and what was inlined have children up to their end. */
struct variable {
	uint8_t kind;
	uint32_t name;     /* among the strings; of what was inlined, its function's */
	uint32_t type;     /* of a variable */
	uint32_t line;     /* where it is declared, or called */
	uint32_t file;     /* where it is called, among the strings */
	uint32_t first, n; /* of the places */
};

/* Code, and where a variable is while that runs. */
struct place {
	uint32_t from, to; /* UINT32_MAX: in all of the function */
	uint32_t at, n;    /* the expression, among the expressions */
};

struct variables_of {
	uintptr_t entry; /* of the function */
	uint32_t first, n;
	UT_hash_handle hh;
};

struct variables {
	struct type *types;
	struct type_field *fields;
	struct variable *list;
	struct place *places;
	struct bytes strings, expressions;
	uint32_t ntypes, cap_types, nfields, cap_fields, nlist, cap_list, nplaces, cap_places;
	struct variables_of *functions; /* by entry */
	bool failed;                    /* memory was short: some are missing */
};

uint32_t variables_string(struct variables *v, const char *p, size_t n);
/* A type that is yet to be described. */
uint32_t variables_type(struct variables *v);
void variables_field(struct variables *v, struct type_field field);
void variables_add(struct variables *v, struct variable variable);
void variables_place(struct variables *v, uint32_t from, uint32_t to, const uint8_t *expression, uint32_t n);
/* Those since number first are of the function. */
void variables_end_function(struct variables *v, uintptr_t entry, uint32_t first);
/* NULL: nothing is known of the function. */
const struct variables_of *variables_find(const struct variables *v, uintptr_t entry);
static inline const char *variables_name(const struct variables *v, uint32_t name)
{
	return (const char *)v->strings.p + name;
}
/* v may be NULL. */
void variables_free(struct variables *v);

#endif
