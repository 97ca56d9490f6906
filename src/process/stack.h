/* How much of a thread's C stack is left. */
#ifndef GL_PROCESS_STACK_H
#define GL_PROCESS_STACK_H

#include <stddef.h>

/* Bytes of the calling thread's stack below the caller's frame; SIZE_MAX where that can't be told, as on a stack that a
 * program has made for itself. */
size_t gl_stack_left(void);

#endif
