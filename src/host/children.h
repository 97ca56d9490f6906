/* Children of this process that Go has started, as both halves see them (src/process/children.c, src/host/children.go).
 *
 * A program that has Go as a library may reap whatever child dies: nginx's handler of SIGCHLD calls waitpid(-1). Then
 * whoever waits for that child finds that it has none. So each child notes itself here before it becomes another
 * program, what reaps it leaves its status here, and what waits for it in vain takes that. */
#ifndef GL_HOST_CHILDREN_H
#define GL_HOST_CHILDREN_H

#include <stdint.h>
#include <sys/resource.h>

enum {
	GL_CHILDREN = 4096, /* that may be alive, or dead and not waited for */
};

enum gl_child_state { GL_CHILD_FREE, GL_CHILD_LIVES, GL_CHILD_REAPED, GL_CHILD_TAKEN };

struct gl_children {
	/* by place; what is written last, and read first, is the state */
	int32_t pid[GL_CHILDREN];
	int32_t state[GL_CHILDREN];  /* enum gl_child_state */
	int32_t status[GL_CHILDREN]; /* as waitpid gives it */
	struct rusage usage[GL_CHILDREN];
	uint32_t reapers;    /* calls under way that may reap any child */
	uint32_t is_watched; /* somebody else has a handler for SIGCHLD */
	/* Signals that Go's own threads block and leave to the others, but not to Go's children: bit n-1 is signal n,
	 * as the kernel has it. */
	uint64_t left_alone;
};

#endif
