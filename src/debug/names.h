/* Which functions and lines addresses of loaded code stand for, also when the code has gone: profiles name what they
 * have counted when they end. */
#ifndef GL_DEBUG_NAMES_H
#define GL_DEBUG_NAMES_H

#include "debug.h"
#include "dwarf.h"

/* The functions at a place in some code, the innermost first, at most so many of them. */
size_t names_of(const struct func *f, uint32_t off, struct gl_debug_frame *frames, size_t most);

/* Notes the names and lines of code that goes. label is copied. */
void names_keep(const char *label, const struct code *code, size_t n);
/* Finds those of an address: its frames, and the label, which stays until the next names_keep. */
size_t names_find(uintptr_t addr, const char **label, struct gl_debug_frame *frames, size_t most);

#endif
