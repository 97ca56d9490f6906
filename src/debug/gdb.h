/* The JIT Interface of gdb, which lldb and others have too. */
#ifndef GL_DEBUG_GDB_H
#define GL_DEBUG_GDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gdb_file; /* one that gdb knows */

/* Takes the file; NULL when memory is short, and the file is freed. */
struct gdb_file *gdb_add(uint8_t *file, size_t size);
void gdb_remove(struct gdb_file *file);
/* Does a debugger wait for files? */
bool gdb_is_there(void);

#endif
