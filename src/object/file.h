/* Files that somebody may write to while they are read. */
#ifndef GL_OBJECT_FILE_H
#define GL_OBJECT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "../error.h"

/* Reads a regular file whole. On success *bytes is to be freed with free(), and has one byte more than the file, a
 * zero. Of a file that shrinks meanwhile, GL_EIO says so; a mapping of it would end the process (SIGBUS). */
int file_read(const char *file, uint8_t **bytes, size_t *size, struct gl_error *err);

/* Makes a copy of such a file, or writes over what was there. When it fails, half of it may be there. */
int file_copy(const char *from, const char *to, struct gl_error *err);

#endif
