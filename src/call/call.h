/* Lua values to Go and back: signatures compiled into plans, and the two roads a call can take.
 *
 * What Lua sees of every Go type, and what it gives for one, is in TYPES.md, with a test for each line.
 *
 * Several results are several values. An error that comes last is special: where it is nil, the results before it are
 * all there is (true, when there are none); where it is not, the call gives nil and the error: a table of message,
 * code = "go" and type, with the metatable that gl_lua_set_error_metatable was given. */
#ifndef GL_CALL_H
#define GL_CALL_H

#include <stdbool.h>

#include "../error.h"
#include "../module/module.h"
#include "lua_compat.h"

/* The Go half of calls: its entry points and the memory that streams lie in. One per host and Lua state. */
struct gl_caller;
struct gl_caller *gl_caller_new(lua_State *L, struct gl_error *err);
/* Finds the host's functions; to be called under gl_lock. */
int gl_caller_open(struct gl_caller *caller, struct gl_host *host, struct gl_error *err);
void gl_caller_free(struct gl_caller *caller);
/* How many handles there are, of all Lua states, those of error tables among them; in a process that forked after the
 * host was started, none. */
size_t gl_caller_handles(struct gl_caller *caller);
/* Is a call under way that was given Lua functions, of a function or method at an address of which is_of says so? */
bool gl_caller_is_within(const struct gl_caller *caller, bool (*is_of)(const void *arg, uintptr_t addr),
			 const void *arg);
/* Tells Go of the handles that no Lua state of the process has a use for any more; caller is one of them. */
void gl_callers_flush(const struct gl_caller *caller);

/* Has all signal handlers of the process run on stacks of their own, as they must where Go runs. To be called when one
 * may have been installed: a few microseconds. */
void gl_signals_use_stacks(void);

/* Has a signal that Go handles write to standard error what Lua is at, too (dump.c). */
void gl_dump_on(lua_State *L, int sig);

/* What was done with an export, since its module was loaded or the counters were set to 0. */
struct gl_counters {
	uint64_t calls, panics;
	uint64_t crossings;           /* into Go and back; none on the pure path */
	uint64_t bytes_in, bytes_out; /* copied, of arguments and results: streams, or the strings of faster roads */
};

struct gl_plan;
struct gl_pure;

/* Compiles the signature of an export of mod. export must stay while the plan does; so must caller. A signature that
 * can't be carried is no error here but at the call. */
struct gl_plan *gl_plan_new(struct gl_caller *caller, const struct gl_module *mod, const struct gl_export *export,
			    struct gl_error *err);
/* Has to be freed before its module is unloaded, since the Go half refers to the module's types for it. */
void gl_plan_free(struct gl_plan *plan);

/* Has every call look for the plan again. Compiled traces call without it: their calls are closed, and fall back to C.
 */
void gl_plan_close_roads(struct gl_plan *plan);

/* Calls the function with the arguments from stack index first up. Pushes the results and returns their number.
 * Raises a Lua error (a string) for arguments that do not fit, and for a panic, which begins with "panic: " and is
 * followed by Go's traceback. */
int gl_plan_call(lua_State *L, struct gl_plan *plan, int first);
/* The same; results stay in Go as handles, but for errors, nil, booleans, numbers and strings. */
int gl_plan_call_keeping(lua_State *L, struct gl_plan *plan, int first);
/* Calls the function once for each element of arrays from stack index first up, one for each parameter, all of the same
 * length, in one crossing. Pushes a table for each result, or where it has none, or they are to be discarded, the
 * number of calls; or nil and the first error that it returned, whose index tells the element. Raises as gl_plan_call
 * does. */
int gl_plan_many(lua_State *L, struct gl_plan *plan, int first, bool discard);
/* Replaces the value on the top by one that gl_plan_many takes for an array of which every element is that value. */
void gl_lua_make_same(lua_State *L);
/* If the value at idx is such a one, pushes what it was made of. */
bool gl_lua_push_same(lua_State *L, int idx);
/* Pushes a handle of the variable. */
void gl_plan_ref(lua_State *L, struct gl_plan *plan);
/* Pushes the variable's value; sets it from the value at idx. Raise as gl_plan_call does. */
int gl_plan_get(lua_State *L, struct gl_plan *plan);
void gl_plan_set(lua_State *L, struct gl_plan *plan, int idx);
/* Is a call under way, further down on this thread's stack? Then the plan can't be freed. */
bool gl_plan_is_called(const struct gl_plan *plan);
/* Has each of the plan's calls store 0 in *entering when it has been counted, or has failed before that. */
void gl_plan_tell_entered(struct gl_plan *plan, uint32_t *entering);
/* Is a call or a job under way, by any road? Another thread than the plan's may ask, under gl_lock, if the plan is
 * only freed, and its roads closed, under that too. */
bool gl_plan_is_used(const struct gl_plan *plan);
/* Has the Go half forget the plan. Any thread may do that, under gl_lock; after it the plan can only be freed. */
void gl_plan_forget(struct gl_plan *plan);
/* What was counted on all roads; the caller may change it. */
struct gl_counters *gl_plan_counters(struct gl_plan *plan);
/* The number of its jobs under way. Jobs that have finished are taken notice of first. */
uint32_t gl_plan_jobs(struct gl_plan *plan);
/* Always carries arguments as a stream, for measuring what the fast road is worth. */
void gl_plan_use_general_road(struct gl_plan *plan);

/* ---- jobs: calls in goroutines of their own (job.c) ----------------------------------------------------------------
 *
 * All of a Lua state's jobs are worked on by the thread that runs it, and only by calls of these functions. */

struct gl_job;
/* Calls the function like gl_plan_call, but does not wait for its end. Raises what gl_plan_call raises of arguments.
 * The job is put into *owner before anything is raised: that lies in a userdata whose finalizer drops the job. keep:
 * its results stay in Go, as those of gl_plan_call_keeping. */
void gl_job_start(lua_State *L, struct gl_plan *plan, int first, bool keep, struct gl_job **owner);
/* A job of C's: run(arg) in a thread that gets no signals. name is a literal. Other jobs may run in that thread later,
 * unless it runs functions of modules: what their C parts leave to the end of a thread keeps them. */
struct gl_job *gl_job_start_thread(struct gl_caller *caller, const char *name, void (*run)(void *), void *arg,
				   bool runs_modules, struct gl_error *err);
/* One that is done when a file descriptor can be read from, one of these two; they must stay open till then. -1 is
 * none.
 */
struct gl_job *gl_job_poll(struct gl_caller *caller, const int fds[2], struct gl_error *err);
/* Lua has no more use for it. It runs on. */
void gl_job_drop(struct gl_job *shared);
bool gl_job_is_done(struct gl_job *job);
/* Does the function take a context.Context? */
bool gl_job_can_cancel(const struct gl_job *job);
/* Cancels the context.Context that the function was given; false when it takes none. */
bool gl_job_cancel(struct gl_job *job);
/* Pushes what gl_plan_call would for a job that is done, and returns the number of values, or raises. */
int gl_job_results(lua_State *L, struct gl_job *shared);
/* Are there handles among the results? Then gl_job_results can be called once only. */
bool gl_job_has_handles(const struct gl_job *job);
/* The function's name. */
const char *gl_job_name(const struct gl_job *shared);
/* Has gl_jobs_ready give the job, once, when it is done. */
void gl_job_watch(struct gl_job *shared);

/* For an event loop that can only wait for sockets of its own, as nginx's Lua module does. gl_jobs_listen returns the
 * path of a Unix socket that only this user can reach, or NULL; it is valid until gl_jobs_accept, which takes the one
 * connection that the caller has made to it, and removes it. From then on 8 bytes are written to that connection when
 * gl_jobs_step has something to do; whoever has read them calls that. gl_jobs_ring writes them, too. */
const char *gl_jobs_listen(struct gl_caller *caller, struct gl_error *err);
int gl_jobs_accept(struct gl_caller *caller, struct gl_error *err);
int gl_jobs_ring(struct gl_caller *caller, struct gl_error *err);

/* Puts a file descriptor into *fd that can be read from when gl_jobs_step has something to do; it stays the caller's.
 */
int gl_jobs_fd(struct gl_caller *caller, int *fd, struct gl_error *err);
/* Takes notice of what has finished, after having waited so many seconds at most for something to finish: none for 0,
 * without end for a negative number. Returns the number of jobs since the last step. */
int gl_jobs_step(struct gl_caller *caller, double seconds, uint64_t *finished, struct gl_error *err);
/* A watched job that is done, or NULL. */
struct gl_job *gl_jobs_ready(struct gl_caller *caller);
/* Has the file descriptor tell after so many seconds that time is over; never for a negative number. */
int gl_jobs_set_timer(struct gl_caller *caller, double seconds, struct gl_error *err);

/* ---- the pure path (pure.h) ----------------------------------------------------------------------------------------
 */

/* Why a function does not get it, a line each: all that its types forbid, or the first thing that its code does,
 * "calls runtime.newobject, which allocates". */
struct gl_reasons {
	char **list;
	size_t n;
};

/* The function's entry on the pure path, made at the first call and freed with the plan; NULL when it does not get one,
 * with the reasons (the plan's). What it takes is told by gl_plan_pure_place. */
struct gl_pure *gl_plan_pure(struct gl_plan *plan, struct gl_reasons *why);

/* Why calls don't take a faster road. */
struct gl_explanation {
	struct gl_reasons ffi, pure; /* by the function's types; none where these allow it */
	struct gl_proof *proof;      /* by its code (src/disasm/prove.h) */
};
int gl_plan_explain(const struct gl_plan *plan, const struct gl_module *mod, struct gl_explanation *out,
		    struct gl_error *err);
/* Of a function of which no types are known: it is taken for one that is lent whatever it gets. */
int gl_code_explain(const struct gl_module *mod, uintptr_t addr, struct gl_explanation *out, struct gl_error *err);
void gl_explanation_free(struct gl_explanation *out);

/* What parameter i, or after the parameters result i, is to a caller of the entry: of a string or slice of bytes the
 * address and length (and of the latter the capacity) are passed, of a slice of numbers those three words too. */
struct gl_pure_place {
	const char *kind; /* "bool", "int", "uint", "float", "string", "bytes", "slice" */
	const char *elem; /* of a slice: "bool", "int", "uint", "float" */
	int bits;         /* of a number, or of the numbers in a slice */
	int reg;          /* of a result: its place in cell->ints or cell->floats */
};
bool gl_plan_pure_place(const struct gl_plan *plan, size_t i, struct gl_pure_place *place);

/* How integers beyond 2^53 become Lua values and back: make(low, high, unsigned) and split(value) -> low, high,
 * unsigned or nil, functions at the given indices. */
void gl_lua_set_int64(lua_State *L, int make, int split);
/* Pushes an integer of Go's: a number, or what those functions make of one beyond 2^53. */
void gl_lua_push_int(lua_State *L, uint64_t bits, bool is_unsigned);
/* How FFI arrays are known: array(cdata) -> Go type of its elements, their number, address; or nil. A function at that
 * index. */
void gl_lua_set_array(lua_State *L, int array);
/* How times are said: seconds(text) -> a number of seconds, or nil and what is wrong with the text. A function at that
 * index. */
void gl_lua_set_seconds(lua_State *L, int seconds);
/* Reads a time at idx, a number of seconds or a text such as "30s"; false, and what is wrong is pushed. */
bool gl_lua_seconds(lua_State *L, int idx, double *seconds);
/* The metatable of error tables, at idx. */
void gl_lua_set_error_metatable(lua_State *L, int idx);
/* Pushes a table of message and code, with that metatable where there is one. */
void gl_lua_push_error(lua_State *L, const char *code, const char *message, size_t len);

#endif
