/* Entries of .debug_info for types and variables (internal to dwarf.c). */
#ifndef GL_DEBUG_ENTRIES_H
#define GL_DEBUG_ENTRIES_H

#include "dwarf.h"
#include "variables.h"

/* types.c. The entries of all types, behind that of the unit; at the end, what refers to them. */
void types_begin(struct dwarf *d);
void types_finish(struct dwarf *d);
/* A reference to a type by its number; at the end of .debug_info so far. */
void put_type_ref(struct dwarf *d, uint32_t type);

/* locals.c. The abstract entries of what was inlined into the function, which no other may be in the middle of; the
 * function's children, with their end. */
void put_abstracts(struct dwarf *d, const struct variables_of *of);
void put_locals(struct dwarf *d, const struct code *code, const struct variables_of *of);

/* dwarf.c. A name's offset among the strings, and a file's number; names are known by where they lie. */
uint32_t dwarf_string(struct dwarf *d, const char *name);
uint32_t dwarf_file(struct dwarf *d, const char *name);
/* The entry for all that was inlined under a name. */
uint32_t dwarf_abstract(struct dwarf *d, const char *called, uint32_t line);

#endif
