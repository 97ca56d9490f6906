/* An ELF file in memory that tells gdb of loaded code. */
#ifndef GL_DEBUG_SYMFILE_H
#define GL_DEBUG_SYMFILE_H

#include "dwarf.h"

/* The file is the caller's to free; NULL when memory is short. name is that of its compile unit. */
uint8_t *symfile_write(const char *name, const struct code *code, size_t n, size_t *size);

#endif
