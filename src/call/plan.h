/* What a plan holds: shared by the files of src/call only. */
#ifndef GL_CALL_PLAN_H
#define GL_CALL_PLAN_H

#include <pthread.h>

#include "../host/call.h"
#include "../host/callback.h"
#include "../host/job.h"
#include "call.h"
#include "ffi.h"
#include "handle.h"
#include "pure/pure.h"

struct type;

struct type_field {
	char *name;
	const struct type *type;
	const void *key; /* the Lua string of that name, which ref keeps where it is; NULL: not made yet */
	int ref;
};

/* A Go type, as goloader_plan described it. */
struct type {
	enum gl_kind kind;
	int bits; /* of a number */
	char *name;
	uint64_t len;   /* of an array */
	uint64_t class; /* whose methods its tables have; 0: none */
	const struct type *key, *elem;
	struct type_field *fields;
	size_t nfields;
	uint32_t *by_key; /* the fields' numbers, plus one, by the address of their keys: an open hash table */
	uint32_t mask;
	uint64_t fits; /* a class of handles that are of this type, or can be used as if they were; 0: none is known */
	int methods;   /* where its tables have some: keeps their metatable in the registry; 0: not made yet */
	struct gl_caller *caller;
};

struct place {
	const struct type *type;
	int reg; /* the first register it travels in, of the sort its type takes; -1: by the stack */
};

/* Lua functions that Go has for the calls under way, and error values (callback.c) */
struct function;
struct gl_functions {
	struct function *list;
	uint32_t n, cap;
	uint32_t depth;  /* calls of them that are under way */
	uint32_t inside; /* how many a call that fails leaves: those of calls below it */
	uint64_t serial;
};

/* Go has called Lua: the innermost such call knows of those around it. */
struct gl_border {
	lua_State *L;             /* that runs the function; it has called Go, too */
	struct gl_frames *frames; /* what the error has unwound that ended it */
	struct gl_border *up;
};

/* A stream from Go that Lua reads (reading.c). */
struct gl_reading {
	struct gl_caller *caller;
	struct gl_buffer in, out;
	const uint64_t *at; /* what comes next of out; NULL: all of it */
	int idx;            /* where on the Lua stack this is */
	bool is_used;
};

enum { GL_RELEASED = 64 };

struct gl_caller {
	struct gl_host *host;
	lua_State *own; /* a thread of its own, for what is done whichever one runs: own_ref keeps it */
	int own_ref;
	/* The Go half's functions, which go.c alone calls. */
	/* take struct gl_call, gl_fast_call, gl_many, gl_handle_op, gl_ffi_call of each sort and many times */
	struct gl_entry call, call_fast, many, handle, call_ffi[GL_FFI_SORTS], ffi_many;
	struct gl_entry plan;                      /* takes struct gl_plan_request */
	struct gl_entry get, set, ref, make;       /* take struct gl_call */
	struct gl_entry class_of;                  /* takes struct gl_class_request */
	struct gl_entry methods;                   /* takes struct gl_methods_request */
	struct gl_entry method, copy_plan;         /* take struct gl_method_request */
	struct gl_entry job_start, job_cancel;     /* take struct gl_job */
	int (*enter)(void *arg, const void *func); /* the short way into Go; NULL: there is none */
	void (*plan_free)(uint64_t);
	void (*release)(const uint64_t *, size_t);
	size_t (*handle_count)(void);
	/* what keeps results for the FFI road: goloader_ffi_pin and its sisters */
	uint64_t (*pin)(uint32_t *busy);
	void (*unpin)(uint64_t), (*drop)(uint64_t);
	lua_State *calling;     /* whose call into Go is the innermost; NULL while Lua runs */
	pthread_t thread;       /* that it runs on */
	struct gl_caller *next; /* of the list of all (frames.c) */
	struct gl_functions functions;
	struct gl_border *border; /* the innermost, or NULL */
	struct jobs *jobs;        /* NULL till the first is started */
	/* Handles that Lua has no use for any more, 0 where there is none: Go is told of many at once. Whoever unloads
	 * a module tells it for all Lua states, which may be idle. */
	uint64_t released[GL_RELEASED];
	size_t nreleased;  /* how many places this Lua state has used */
	size_t nclasses;   /* made since they were last forgotten */
	uint64_t unloaded; /* how many modules had been unloaded when they were last forgotten for that */
	size_t users;      /* the host's userdata, handles and classes: the last one frees the caller */
	/* Streams are taken out while they are in use, since a finalizer may call another function meanwhile. */
	struct gl_buffer in, out;
	struct gl_reading *reading; /* the one that is to be used next: reading_ref keeps it */
	int reading_ref;
	int protection_ref;        /* of gl_call_protected */
	struct gl_buffer text;     /* errors and panics of that road */
	struct gl_pure_room *pure; /* made when the first function takes the pure path */
};

struct gl_plan {
	struct gl_caller *caller;
	const struct gl_export *export;
	uint64_t handle;
	struct type *types;
	size_t ntypes;
	size_t nplaces;
	struct place *places; /* parameters, then results; a variable is one result */
	uint32_t nparams, nresults;
	uint32_t receiver;  /* parameters that Lua does not count: a method's receiver */
	bool by_pointer;    /* which is a pointer to what the handle stands for */
	uint32_t calls;     /* under way: Go may have called Lua, which is anywhere */
	uint32_t *entering; /* see gl_plan_tell_entered; NULL: nobody wants to know */
	bool fast;          /* goes by the fast road */
	bool has_error;     /* the last result is an error */
	char *refusal;      /* why it can't be called, or NULL */
	char *name;         /* the export's, which jobs may outlive */
	uint32_t refs;      /* the owner's, and one for each job that may want to know the types of its results */
	/* how many jobs are under way, and one more (job.h of src/host says who counts down); NULL: there were none */
	uint32_t *jobs;
	struct gl_counters counters;
	struct gl_ffi_call *ffi; /* open for this plan, or NULL */
	const struct gl_module *mod;
	struct gl_pure *pure;           /* its entry on the pure path, once it was asked for */
	struct gl_reasons pure_reasons; /* or why it has none */
	bool pure_known;

	/* gl_fast_call's of the same names */
	uint32_t copies, lent, strings;
	int32_t error;
	uint8_t return_is_ptr[8];
};

/* ---- into Go (go.c) --------------------------------------------------------------------------------------------- */

/* Calls Go by the entry, which is one of caller's. False where Go does not run any more: nothing was done. */
bool gl_go(const struct gl_caller *caller, const struct gl_entry *entry, void *arg);
/* The same by the long way, which needs no stack of Go's to be there yet. */
bool gl_go_far(const struct gl_caller *caller, const struct gl_entry *entry, void *arg);
/* The same as gl_go, but raises. */
void gl_go_or_raise(lua_State *L, struct gl_caller *caller, const struct gl_entry *entry, void *arg);
bool gl_go_start_job(const struct gl_caller *caller, struct gl_job *job);
void gl_go_free_plan(const struct gl_caller *caller, uint64_t plan);
void gl_go_release(const struct gl_caller *caller, const uint64_t *handles, size_t n);
size_t gl_go_count_handles(const struct gl_caller *caller);
/* busy is the call's. */
uint64_t gl_go_pin(const struct gl_caller *caller, uint32_t *busy);
void gl_go_unpin(const struct gl_caller *caller, uint64_t pins);
void gl_go_drop(const struct gl_caller *caller, uint64_t pins);

/* Frees what gl_plan_pure has made. */
void gl_plan_pure_free(struct gl_plan *plan);

/* Where a value stands, for messages: `parameter 'o'.Brands[3]`. */
struct path {
	const struct path *up;
	const char *field; /* a struct's field, or NULL */
	int index;         /* an element: its index; 0: none */
	int key;           /* a map's key: its stack index; 0: none */
};

/* The encoding of one call's arguments. */
struct encoder {
	lua_State *L;
	struct gl_plan *plan;
	struct gl_plan *of_class; /* of the class that a table is a value of, while that is encoded; else NULL */
	struct gl_buffer *in;
	const struct gl_callback *callback; /* what is encoded is the result of a Lua function, or NULL */
	uint32_t nfunctions, functions;     /* how many it has put in the table, above how many */
	bool is_job;                        /* the call outlasts this one of Lua */
	uint32_t param;                     /* which one is being encoded; nparams for a variable */
	int arg;                            /* its number in the call as Lua counts them */
	int depth;
};

/* The plan whose types are being encoded. */
static inline struct gl_plan *gl_encoder_types(const struct encoder *e)
{
	return e->of_class != NULL ? e->of_class : e->plan;
}
/* Appends the value at stack index idx, as a Go value of that type. Raises where it does not fit. */
void gl_encode(struct encoder *e, int idx, const struct type *type, const struct path *path);
/* Appends the n values from idx on as the slice that a variadic parameter is. */
void gl_encode_variadic(struct encoder *e, int idx, int n, const struct type *type);
/* The one word of a bool, integer or float; a float's is the bits of a float64. */
uint64_t gl_encode_word(struct encoder *e, int idx, const struct type *type, const struct path *path);
/* Appends a word as it is. */
void gl_encode_raw(struct encoder *e, uint64_t word);
/* The parts of gl_encode in files of their own */
uint64_t gl_encode_integer(struct encoder *e, int idx, const struct type *type, const struct path *path);
void gl_encode_function(struct encoder *e, int idx, const struct type *type, const struct path *path);
void gl_encode_context(struct encoder *e, int idx, const struct type *type, const struct path *path);
/* Appends the FFI array at idx as a slice or an array; false when it is none. */
bool gl_encode_array(struct encoder *e, int idx, const struct type *type, const struct path *path);
/* The bytes of an FFI array of uint8_t at idx, which keeps them; false when it is none. */
bool gl_bytes_of_array(lua_State *L, int idx, const char **s, size_t *len);
/* Writes how messages call the value: 'f'.Handlers[3]. */
void gl_encode_name(struct encoder *e, const struct path *path, char *text, size_t size);
/* Takes a stream's memory for a call. */
struct gl_buffer gl_buffer_take(struct gl_buffer *home);
/* Calls the function value that closure is the handle of, which is of the plan's type. */
int gl_plan_call_closure(lua_State *L, struct gl_plan *plan, int first, uint64_t closure);
/* Puts a stream's memory back for the next call. */
void gl_buffer_give(struct gl_buffer *home, struct gl_buffer *buffer);
/* Raises the error of an argument; what it says is formatted as by lua_pushfstring. */
int gl_encode_fail(struct encoder *e, const struct path *path, const char *fmt, ...);
/* The same of a value of another type than wanted. */
int gl_encode_mismatch(struct encoder *e, int idx, const char *wanted, const struct path *path);

/* Checks that the function can be called with the arguments from stack index first up, and writes them: they are the
 * reading's `in`. Raises where it can't be. */
struct gl_reading *gl_plan_encode(lua_State *L, struct gl_plan *plan, int first, bool is_job);
/* Raises where the plan can't be followed. */
void gl_plan_check(lua_State *L, const struct gl_plan *plan);
/* A call is counted now, or was not made. */
static inline void gl_plan_entered(const struct gl_plan *plan)
{
	if (plan->entering != NULL) {
		__atomic_store_n(plan->entering, 0, __ATOMIC_RELEASE);
	}
}
/* Calls prepare(L, first, arg) in protected mode, with what lies from stack index first up as all that it sees; it
 * leaves results there. Returns 0, or what lua_pcall does. */
int gl_call_protected(lua_State *L, const struct gl_caller *caller, int first,
		      void (*prepare)(lua_State *L, int first, void *arg), void *arg);
/* Does what comes before a call of the plan and may raise: prepare(L, first, arg), which has what lies from stack index
 * first up, and may leave more there. It may have it at other indices: those of what it has left are higher by the
 * result. */
int gl_plan_prepare(lua_State *L, const struct gl_plan *plan, int first,
		    void (*prepare)(lua_State *L, int first, void *arg), void *arg);
/* What a caller keeps for that, in the registry. */
int gl_plan_new_protection(lua_State *L);
/* Calls Go for L, which Go may call back. */
void gl_plan_enter(lua_State *L, struct gl_plan *plan, const struct gl_entry *entry, void *call);
/* Raises what went wrong in Go in a call of the plan, if anything did, and counts it; out is given back. */
void gl_plan_check_call(lua_State *L, struct gl_plan *plan, enum gl_status status, struct gl_buffer *out);
/* Pushes what Lua gets of a call that is done, and returns the number of values. keep: results have stayed in Go. */
int gl_plan_decode(lua_State *L, const struct gl_plan *plan, const uint64_t **at, bool keep);
/* Pushes what is wrong with the argument that Lua counts as number arg: way, the way to the value in it, and what. */
void gl_push_argument(lua_State *L, const struct gl_plan *plan, uint32_t param, int arg, const char *way,
		      const char *what);
/* Pushes the message of a call that is not done but ended all the same; name is whose it was. plan: of what was called
 * with arguments, or NULL. Returns the frames that an error in Lua has lost, for gl_frames_raise. */
struct gl_frames *gl_push_failure(lua_State *L, struct gl_caller *caller, const struct gl_plan *plan, const char *name,
				  enum gl_status status, const struct gl_buffer *out);
/* Raises what is wrong with a result of a Lua function: way, the way to the value in it, and what. */
int gl_callback_fail(struct encoder *e, const char *way, const char *what);
/* What Go calls Lua by. */
void gl_callback_call(struct gl_callback *callback);
/* What calls the function for that: a C function, run protected, with the gl_callback as a light userdata. */
int gl_callback_protected(lua_State *L);
/* The message on the top is that of a panic: should it leave a function that Go has called, its text tells its way. */
void gl_callback_note_panic(lua_State *L, struct gl_caller *caller);
/* Forgets all but the n oldest functions. */
void gl_functions_cut(lua_State *L, struct gl_caller *caller, uint32_t n);
void gl_functions_free(struct gl_caller *caller);
/* Pushes the error value that a stream of GL_CALL_LUA tells of. Returns what it has unwound on its way, or NULL. */
struct gl_frames *gl_push_lua_error(lua_State *L, struct gl_caller *caller, const uint64_t *at);
/* Drops one reference. */
void gl_plan_release(struct gl_plan *plan);
/* Counts jobs no more; those under way free the number. */
void gl_plan_drop_jobs(struct gl_plan *plan);
/* Forgets the jobs of a Lua state that ends. Those under way run on. */
void gl_jobs_close(struct gl_caller *caller);

/* ---- frames of tracebacks (frames.c) ----------------------------------------------------------------------------- */

/* To be called by a message handler: the functions from the one that has failed to the one that Go has called; NULL
 * when memory is short. */
struct gl_frames *gl_frames_take(lua_State *L);
/* Adds those of Go that a stream of GL_CALL_LUA has at `at`; NULL stays NULL. */
struct gl_frames *gl_frames_add_go(struct gl_frames *frames, const uint64_t *at);
/* Raises the value on the top, with the frames on the stack; NULL: without. They are freed. */
int gl_frames_raise(lua_State *L, struct gl_frames *frames);
void gl_frames_free(struct gl_frames *frames);
/* Lua states that gl_frames_write knows. */
void gl_frames_add_caller(struct gl_caller *caller);
void gl_frames_drop_caller(struct gl_caller *caller);
/* Writes to standard error which functions of Lua have led to the call of Go that this thread is in; needs no memory.
 * False: it is in none that was made by the C API. */
bool gl_frames_write(void);
/* Writes the functions of a Lua state that runs. */
void gl_frames_write_stack(lua_State *L);
/* Pushes the traceback of a panic in Go that L has called; the parts that Go has of it are at `at`. */
void gl_frames_push_panic(lua_State *L, const struct gl_caller *caller, const uint64_t *at);

/* ---- reading (reading.c) ----------------------------------------------------------------------------------------- */

/* Pushes a reading: arguments are written to its `in`, Go is to write to its `out`. To be begun before Go is entered,
 * as it may raise; stack indices from the top have another meaning afterwards. */
struct gl_reading *gl_reading_begin(lua_State *L, struct gl_caller *caller);
/* Where the reading stands: at the beginning of what Go wrote. What is moved on over a handle has been given to Lua. */
const uint64_t **gl_reading_at(struct gl_reading *r);
/* All that matters has been read. Takes the reading off the stack. */
void gl_reading_end(lua_State *L, struct gl_reading *r);
/* Pushes a new one that is nobody's yet, and makes it the caller's. */
struct gl_reading *gl_reading_new(lua_State *L);
void gl_reading_own(struct gl_reading *r, struct gl_caller *caller);
/* Gives back the handles of a stream that lie at `at` and behind it; NULL: all of them. */
void gl_release_unread(struct gl_caller *caller, const struct gl_buffer *out, const uint64_t *at);

/* Pushes the value at *at, which is moved behind it. */
void gl_decode(lua_State *L, const uint64_t **at, const struct type *type);
/* The same for a value that Go wrote as what it is inside of something that stays there. */
void gl_decode_kept(lua_State *L, const uint64_t **at, const struct type *type, bool whole);
/* Pushes an integer of the kind and size of type, of which word holds at least the low bits. */
void gl_decode_int(lua_State *L, uint64_t word, const struct type *type);
/* Pushes the handle, or nil, at *at. */
void gl_decode_handle(lua_State *L, const uint64_t **at, struct gl_caller *caller);
/* Pushes the error at *at. */
void gl_decode_error(lua_State *L, const uint64_t **at, struct gl_caller *caller);
const char *gl_read_string(const uint64_t **at, size_t *len);

/* Closes the plan's call by FFI. */
void gl_ffi_close(struct gl_plan *plan);
/* Raises what went wrong in Go, if anything did; name is whose call it was, of no plan. out is given back then. */
void gl_call_check(lua_State *L, struct gl_caller *caller, const char *name, enum gl_status status,
		   struct gl_buffer *out);

/* Says in the plan why it can't be followed, if it can't. -1: no memory */
int gl_plan_find_refusal(struct gl_plan *plan);
/* Finds out whether the plan can be followed by registers alone. */
void gl_plan_find_road(struct gl_plan *plan);
/* A string of an answer, to be freed. */
char *gl_read_name(const uint64_t **at);
/* Reads the types of an answer into the plan. */
int gl_plan_read_types(struct gl_plan *plan, const uint64_t **at);
/* Reads where its parameters and results travel. */
int gl_plan_read_places(struct gl_plan *plan, const uint64_t **at);
/* Makes the Lua strings by which a struct's fields are known. */
void gl_type_make_keys(lua_State *L, const struct type *constant);
static inline uint32_t gl_key_hash(const void *key) { return (uint32_t)((uintptr_t)key >> 4 ^ (uintptr_t)key >> 14); }
/* What tells the string at idx from all others, in one call where Lua allows that. */
static inline const void *gl_key_at(lua_State *L, int idx)
{
	const void *key = lua_topointer(L, idx);

	return key != NULL || lua_type(L, idx) != LUA_TSTRING ? key : lua_tostring(L, idx);
}
/* Forgets the types, here and in Go. */
void gl_plan_clear(struct gl_plan *plan);

/* ---- handles ------------------------------------------------------------------------------------------------- */

/* What a handle's userdata holds. */
struct gl_handle {
	const char *mark; /* which no other userdata has */
	struct gl_caller *caller;
	uint64_t id;    /* 0: it was released */
	uint64_t class; /* 0: an error's, known by nothing but its value */
	bool is_open;   /* its user value is its class's table of members */
};

/* How a field is got at without a stream (access.c) */
struct field_access {
	uint64_t offset;                  /* bytes; UINT64_MAX where a pointer leads to it */
	struct gl_ffi_call *read, *write; /* NULL: not asked for yet */
};

/* A class: everything that handles of one type have in common. Lua's, collected like any other value. */
struct gl_class {
	struct gl_plan plan; /* of its types; nothing is called by it */
	struct gl_export export;
	uint64_t id;
	enum gl_shape shape;
	bool has_methods;
	char *name;
	const struct type *key, *elem, *value;
	struct type_field *fields;
	struct field_access *access; /* of the fields of the same numbers */
	size_t nfields;
	struct gl_plan *copy, *call; /* made when they are needed */
	struct gl_plan **methods;
	size_t nmethods;
};

/* Pushes a handle of nothing: its id is set when nothing can be raised any more. */
struct gl_handle *gl_handle_new(lua_State *L, struct gl_caller *caller, uint64_t class);
/* Gives the handle on the top its class's table of members, if there is one already. */
void gl_handle_set_members(lua_State *L, struct gl_handle *h);
/* Raises that the handle at idx was released. */
int gl_handle_fail_released(lua_State *L, int idx);
/* Raises where Go can't be called. */
void gl_caller_check(lua_State *L, struct gl_caller *caller);
/* Pushes a table of the registry's, made when it is first asked for; weak: its keys are. */
void gl_push_table(lua_State *L, const char *key, bool weak);
/* A plan of the method of a class's values, which has the value itself as its receiver or a pointer to it; NULL where
 * there is none. Freed with gl_method_free. Raises. */
struct gl_plan *gl_method_ask(lua_State *L, struct gl_caller *caller, uint64_t class, const char *class_name,
			      const char *name, bool by_value);
void gl_method_free(struct gl_plan *plan);
/* methods.c: pushes the metatable of tables that are values of the class. */
void gl_push_methods(lua_State *L, struct gl_caller *caller, uint64_t class);
/* The class that the table at idx is a value of by its metatable, whose table of members it pushes, by which the class
 * stays. NULL, and nothing is pushed, where it has none, or its type's module was unloaded. Raises without memory. */
struct gl_class *gl_push_class_of_table(lua_State *L, int idx);
/* Forgets these metatables; tables that there are keep theirs. */
void gl_forget_methods(lua_State *L);
/* class.c: pushes the table of members of the class of that number, by which the class stays. NULL, and nothing is
 * pushed, where Go has the class no more. Raises without memory. */
struct gl_class *gl_class_push(lua_State *L, struct gl_caller *caller, uint64_t id);
/* Pushes a handle of a new value of the class, and what it stands for as it is as a result. */
void gl_handle_make_of(lua_State *L, struct gl_caller *caller, uint64_t class, const char *name);
void gl_handle_value(lua_State *L, int idx);
/* Its class, valid while the handle is. */
struct gl_class *gl_handle_open(lua_State *L, int idx);
/* Does what op says to the handle at idx. Raises. */
void gl_handle_do(lua_State *L, int idx, struct gl_handle_op *op);
/* The plan of the method at idx, the function that class.c has made of it. */
struct gl_plan *gl_method_plan(lua_State *L, int idx, struct gl_class **class);
/* Has calls by FFI of its members end by the C API road from now on. */
void gl_class_retire_calls(struct gl_class *class);

/* Lets the error table on the top be known to Go as the value whose number is at *at. */
void gl_error_bind(lua_State *L, struct gl_caller *caller, const uint64_t **at);
/* The error table on the top takes the place of the n values below it, which are results that a function has returned
 * beside that error. They are in its field `results`, unless each is nil, false, 0, "" or an empty table. */
void gl_error_take_results(lua_State *L, int n);

/* Moves the handles that Lua has no use for any more to an array of GL_RELEASED, and returns their number. */
size_t gl_caller_take_released(struct gl_caller *caller, uint64_t *handles);
/* Lua has no more use for the handle of that number. */
void gl_caller_release(struct gl_caller *caller, uint64_t handle);
/* Tells Go of all such handles now, instead of when there are GL_RELEASED. */
void gl_caller_flush(struct gl_caller *caller);
/* One user less. */
void gl_caller_drop(struct gl_caller *caller);

/* Splits the value at idx, when the registered function takes it. */
bool gl_lua_split(lua_State *L, int idx, uint64_t *bits, bool *is_unsigned);
/* Pushes 64 bits that a number can't hold. */
void gl_lua_make(lua_State *L, uint64_t bits, bool is_unsigned);

#endif
