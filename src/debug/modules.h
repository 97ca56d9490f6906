/* A list of modules for Delve alone (modules.c). */
#ifndef GL_DEBUG_MODULES_H
#define GL_DEBUG_MODULES_H

#include <stdint.h>

struct gl_abi;
struct listed; /* an entry */

/* firstmoduledata: the program's, which leads to the list; 0: there is no use for one. */
void modules_begin(const struct gl_abi *abi, uintptr_t firstmoduledata);
/* A module that a moduledata describes, with where its first function lies. NULL where there is no list, or no memory.
 */
struct listed *modules_add(uintptr_t moduledata, uintptr_t function);
/* NULL is nothing. */
void modules_remove(struct listed *listed);

#endif
