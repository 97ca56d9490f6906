/* An ELF file that tells debuggers of loaded code: in memory, for gdb, or a file with the code itself in it. */
#ifndef GL_DEBUG_SYMFILE_H
#define GL_DEBUG_SYMFILE_H

#include "dwarf.h"

enum { SYMFILE_ID = 20 };

/* Of a file that the code is mapped from, and that the dynamic linker has in its list of libraries (files.c). */
struct symfile_text {
	const uint8_t *p; /* whole pages of code */
	size_t size;
	uintptr_t header; /* where the file says that its first page lies, which alone the dynamic linker maps */
	uintptr_t bias;   /* what the dynamic linker has in its list: addresses in the file are less by that much */
	uintptr_t descriptors;  /* where those of the module's types begin, or 0 */
	uint8_t id[SYMFILE_ID]; /* no other file's (its build ID): perf keeps files by it */
};

struct symfile {
	const char *name; /* of its compile unit */
	const struct code *code;
	size_t n;
	const struct gl_abi *abi;
	const struct variables *variables; /* what is known of the functions beyond their tables, or NULL */
	const struct symfile_text *text;   /* or NULL: the code is where it is, and not in the file */
};

/* The file is the caller's to free; NULL when memory is short. With text, each bias makes a file of the same size. */
uint8_t *symfile_write(const struct symfile *s, size_t *size);

/* Such a file names segments for the dynamic linker, and behind them one more, of the code, for all others: it has to
 * be told of that when the dynamic linker has read it, which would take all memory from the one to the other. */
void symfile_show_text(int fd);

#endif
