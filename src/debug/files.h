/* Loaded code as files, for what looks up code in files alone: perf's annotations, uprobes, strace -k, Delve. */
#ifndef GL_DEBUG_FILES_H
#define GL_DEBUG_FILES_H

#include "../error.h"
#include "symfile.h"

struct code_file; /* one that some code is mapped from */

/* Finds the folder for them, once, and removes what processes have left there that are no more. */
int files_open(struct gl_error *err);
bool files_are_open(void);
/* From now on files stay when their code goes, and when the process ends, until another one removes them. */
void files_keep(void);

/* Writes a file of the code (s->text is not read), and maps the pages at base from it: their content stays the same.
 * number tells it from others of the same name; descriptors: where those of the module's types begin, or 0. NULL when
 * that fails, which standard error is told; all is as it was then. */
struct code_file *files_add(struct symfile *s, const uint8_t *base, size_t size, unsigned long number,
			    uintptr_t descriptors);
/* Before the memory goes. */
void files_remove(struct code_file *file);

#endif
