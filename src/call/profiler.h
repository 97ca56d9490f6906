/* LuaJIT's profiler (jit.profile) in a process in which Go may take a CPU profile, too. */
#ifndef GL_CALL_PROFILER_H
#define GL_CALL_PROFILER_H

#include <signal.h>
#include <sys/time.h>

/* To be called before LuaJIT starts its profiler, and after that. */
void gl_profiler_starts(void);
void gl_profiler_started(void);
/* The same when it has been started before Go was. */
void gl_profiler_was_started(void);

/* What others have for SIGPROF. */
struct gl_profiler {
	struct sigaction action;
	struct itimerval time;
};
/* To be called before LuaJIT stops its profiler, and after that. */
void gl_profiler_stops(struct gl_profiler *others);
void gl_profiler_stopped(const struct gl_profiler *others);

#endif
