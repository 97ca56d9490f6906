/* Signals while Go starts: they stay with the threads and handlers that have them. */
#ifndef GL_PROCESS_SIGNALS_H
#define GL_PROCESS_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

#include "../host/children.h"

/* What there was before Go was started. */
struct gl_signals {
	sigset_t mask;
	bool pipe_is_ignored;
};

/* Before the host's library is loaded. The threads that Go makes inherit what this thread blocks meanwhile: all signals
 * that are not Go's own. A signal for the process is then delivered to a thread that was there before: it interrupts
 * what it did without Go (nginx's epoll_wait, for one). */
void gl_signals_hold(struct gl_signals *before, struct gl_children *children);

/* In the place of that, in a process that is there for a Go program: this thread, and with it Go's, takes what no
 * thread of a program blocks. */
void gl_signals_take(void);

/* After it was loaded, or not. */
void gl_signals_release(const struct gl_signals *before);

#endif
