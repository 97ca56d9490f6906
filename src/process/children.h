/* Go's children, and those who reap any child (see host/children.h). */
#ifndef GL_PROCESS_CHILDREN_H
#define GL_PROCESS_CHILDREN_H

#include "../host/children.h"

/* The process's one table. */
struct gl_children *gl_children(void);

/* Has every library that is loaded call ours in place of the C library's waitpid, wait, wait3, wait4 and waitid: a call
 * that names no child, and reaps one of Go's, keeps its status for Go and goes on with the next child. All else is as
 * before. To be called again when libraries may have been loaded, and when a handler for SIGCHLD may have been
 * installed. */
void gl_children_watch(void);

/* The child of a fork has none of them. */
void gl_children_forget(void);

#endif
