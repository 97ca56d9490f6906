/* LuaJIT's profiler (jit.profile) in a process in which Go may take a CPU profile, too. */
#ifndef GL_CALL_PROFILER_H
#define GL_CALL_PROFILER_H

/* To be called before LuaJIT starts its profiler, and after that. */
void gl_profiler_starts(void);
void gl_profiler_started(void);
/* The same when it has been started before Go was. */
void gl_profiler_was_started(void);

/* To be called before LuaJIT stops its profiler, and after that. */
void gl_profiler_stops(void);
void gl_profiler_stopped(void);

#endif
