/* The FFI road: calls that LuaJIT compiles into its traces.
 *
 * A Lua C function ends a trace; a call by FFI does not. So Lua itself (lua/goloader/roads/ffi.lua) puts the arguments
 * of a function of numbers, booleans, strings and byte slices into a struct gl_ffi_call and calls one C function, which
 * enters Go the short way (src/host/enter.h). What can't be said in that struct (an argument of the wrong type, an
 * error, a panic, an integer that no number holds) is left to the C API road: its answers and its messages are the
 * same. */
#ifndef GL_CALL_FFI_H
#define GL_CALL_FFI_H

#include "../host/enter.h"
#include "call.h"

/* A function of the Go half: its address for the short way into Go (host/enter.h), and its cgo export for the long one.
 */
struct gl_entry {
	const void *near;
	void (*far)(void *);
};

/* Asks the Go half for the short way; without one, everything goes the long way. */
void gl_go_set_up(struct gl_caller *caller);

/* What Lua calls by FFI: enter(call, func), and far(call) if that returns 0. Many calls of an integral function are
 * made by enter(call, many), or many_far(call): in[0] is their number, in[1] the address of their arguments. */
struct gl_ffi_entry {
	int (*enter)(void *call, const void *func);
	const void *func, *many;
	void (*far)(struct gl_ffi_call *call);
	void (*many_far)(struct gl_ffi_call *call);
};
void gl_ffi_entry(const struct gl_ffi_call *call, struct gl_ffi_entry *entry);

/* The call of a function that can take this road; NULL when it can't, or memory is short. A compiled trace may have its
 * address, so it outlives the plan. When the plan is freed the call is closed: Go refuses it until it is opened again,
 * with a new plan for the same export. */
struct gl_ffi_call *gl_ffi_new(struct gl_plan *plan);
void gl_ffi_open(struct gl_ffi_call *call, struct gl_plan *plan);
void gl_ffi_free(struct gl_ffi_call *call);

/* The same in memory that the caller provides, gl_ffi_size bytes. It has to stay as long as something may make the
 * call, after gl_ffi_retire too: it is marked as busy then, so that it is refused. */
size_t gl_ffi_size(void);
struct gl_ffi_call *gl_ffi_init(void *memory, struct gl_plan *plan);
/* Likewise, for reading or setting a field of that type, at that offset in bytes in the values of handles. */
struct type;
struct gl_ffi_call *gl_ffi_init_field(void *memory, struct gl_caller *caller, const struct type *type, uint64_t offset,
				      bool sets);
void gl_ffi_retire(struct gl_ffi_call *call);

bool gl_ffi_is_open(const struct gl_ffi_call *call);

/* Pushes the results of a call whose status is GL_FFI_ODD, or raises what GL_FFI_FAILED tells of. */
int gl_ffi_finish(lua_State *L, struct gl_ffi_call *call);

#endif
