/* An ELF file in memory that tells gdb of loaded code. */
#ifndef GL_DEBUG_SYMFILE_H
#define GL_DEBUG_SYMFILE_H

#include "dwarf.h"

/* The file is the caller's to free; NULL when memory is short. name is that of its compile unit;
 * variables: what is known of the functions beyond their tables, or NULL. */
uint8_t *symfile_write(const char *name, const struct code *code, size_t n, const struct gl_abi *abi,
		       const struct variables *variables, size_t *size);

#endif
