/* Export data: what the compiler writes about a package for those who import it (internal to this room). */
#ifndef GL_EXPORTDATA_H
#define GL_EXPORTDATA_H

#include "pool.h"
#include "signature.h"

/* Reads the exported declarations from pkg's export data; strings are taken from pool, the
 * list is the caller's to free. Symbols are not looked for, but *path is what their names start with. Returns 1, or 0
 * where there is no export data that this reader knows, or -1 with an error. */
int exportdata_read(const struct gl_package *pkg, struct gl_pool *pool, struct gl_declaration **list, uint32_t *n,
		    const char **path, struct gl_error *err);

#endif
