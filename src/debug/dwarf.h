/* DWARF for functions that the runtime's tables describe: where their frames end, which lines their code is of, what
 * was inlined into them. As cmd/link/internal/ld/dwarf.go writes it, but for types and variables, of which the runtime
 * knows nothing. */
#ifndef GL_DEBUG_DWARF_H
#define GL_DEBUG_DWARF_H

#include "bytes.h"
#include "functab.h"

/* A function's code: its own, or a copy. */
struct code {
	uintptr_t addr;
	size_t size;
	const char *name;
	struct func func; /* what the tables say; without a _func: there are none */
};

struct variables;
struct dwarf_name;
struct dwarf_file;

/* Sections that grow with each function. */
struct dwarf {
	struct bytes info, abbrev, frame, ranges, locations, strings;
	struct bytes lines; /* the program of .debug_line, and what stands before it: */
	struct bytes files; /* its list of files */
	struct dwarf_name *names;
	struct dwarf_file *file_numbers;
	uint32_t nfiles;
	uintptr_t low;  /* of the unit's code */
	uintptr_t bias; /* addresses that are written are less by that much */
	const struct gl_abi *abi;
	const struct variables *variables; /* or NULL */
	uint32_t *type_entries;            /* per type of theirs: its entry in info */
	struct bytes type_refs;            /* what refers to those */
	uintptr_t descriptors;             /* entries of types say how far behind this theirs is; 0: they don't */
};

/* One compile unit, named so, whose code lies between low and high. variables: what else is known of the functions, or
 * NULL. descriptors: where those of the module's types begin, if entries are to say where they lie; or 0. */
void dwarf_begin(struct dwarf *d, const char *name, uintptr_t low, uintptr_t high, uintptr_t bias,
		 const struct gl_abi *abi, const struct variables *variables, uintptr_t descriptors);
/* Returns the offset of the function's name among the strings. */
uint32_t dwarf_add(struct dwarf *d, const struct code *code);
/* Completes the sections: lines is all of .debug_line then. False when memory was short. */
bool dwarf_finish(struct dwarf *d);
void dwarf_free(struct dwarf *d);

#endif
