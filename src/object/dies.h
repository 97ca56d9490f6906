/* Entries of the compiler's DWARF, as objects have them (internal to this room, and for link/variables.c).
 *
 * They are read with the host's own abbreviations, which its description lists. What leads out of a function's entries,
 * to types, abstract entries and lists of addresses, is relocations. */
#ifndef GL_DIES_H
#define GL_DIES_H

#include "object.h"

enum {
	DIE_FORMAL_PARAMETER = 0x05,
	DIE_LEXICAL_BLOCK = 0x0b,
	DIE_TYPEDEF = 0x16,
	DIE_INLINED_SUBROUTINE = 0x1d,
	DIE_SUBPROGRAM = 0x2e,
	DIE_VARIABLE = 0x34
};

/* The bytes of one DWARF symbol, read from front to back. */
struct die_reader {
	const struct gl_object *obj;
	const struct gl_abi *abi;
	uint32_t sym;
	const uint8_t *data;
	uint32_t size, pos;
	uint32_t reloc; /* the first relocation not yet passed */
	bool bad;
};

/* Where something lies: a symbol's number, and bytes into it. */
struct die_place {
	uint32_t sym; /* UINT32_MAX: nowhere */
	uint32_t off;
};

struct die {
	uint16_t tag; /* 0 ends a list of children */
	bool has_children, is_result, is_wrapper;
	struct gl_str name;
	struct gl_str type;      /* the name of its type's entry, "go:info.T"; n is 0 where that is an entry of here: */
	struct die_place local;  /* that of a type parameter's shape, which has the type in turn */
	struct die_place origin; /* its abstract entry */
	uint32_t line, file;     /* where it is declared, or what was inlined is called; files count from 1, as the
				    object's do from 0 */
	bool has_range;          /* its code, from the start of the function's, is this: */
	uint32_t low, high;
	struct die_place ranges; /* or this list */
	const uint8_t *location; /* an expression, */
	uint32_t nlocation;
	struct die_place locations; /* or a list of them */
};

/* False where there is no such symbol. */
bool die_open(struct die_reader *r, const struct gl_object *obj, uint32_t sym, const struct gl_abi *abi);
/* Reads the entry at the current byte, but for its children. Broken ones set bad. */
struct die die_read(struct die_reader *r);

/* The n-th auxiliary symbol of that type; UINT32_MAX where there is none, or where it is another object's. */
uint32_t die_find_aux(const struct gl_object *obj, uint32_t sym, uint8_t type, uint32_t nth);

/* Code, from the start of the function's, and in lists of locations an expression that holds there. */
struct die_range {
	uint32_t from, to;
	const uint8_t *location;
	uint32_t nlocation;
};

/* A list of ranges or locations, in either of the forms that DWARF 4 and 5 have for it. */
struct die_list {
	struct die_reader r;
	bool locations, is_v5;
};
bool die_list_open(struct die_list *list, const struct gl_object *obj, struct die_place at, bool locations,
		   const struct gl_abi *abi);
/* False at the end; list->r.bad says whether that was a broken list's. */
bool die_list_next(struct die_list *list, struct die_range *range);

#endif
