/* Handles, for the binding: userdata that stand for values which stay in Go. All of these raise what goes wrong; idx is
 * the stack index of a handle. Stack indices are absolute ones. */
#ifndef GL_CALL_HANDLE_H
#define GL_CALL_HANDLE_H

#include "../host/call.h"
#include "call.h"

struct gl_ffi_call;
struct gl_handle;
/* The handle at idx, or NULL. */
struct gl_handle *gl_handle_at(lua_State *L, int idx);
/* Who calls Go for it; raises where it is collected already, and a finalizer of somebody else's has it. */
struct gl_caller *gl_handle_caller(lua_State *L, int idx);
/* Its number in Go; 0 when it was released. */
uint64_t gl_handle_id(const struct gl_handle *h);
/* The number of its class; 0 of an error's. */
uint64_t gl_handle_class(lua_State *L, int idx);
enum gl_shape gl_handle_shape(lua_State *L, int idx);
const struct gl_host *gl_handle_host(lua_State *L, int idx);
/* The Go type of its value; valid while the handle is. */
const char *gl_handle_type(lua_State *L, int idx);
/* Go is told of it with others. */
void gl_handle_release(struct gl_handle *h);
/* The same, and Go is told before this returns, so that its collector may have the value. */
void gl_handle_release_now(struct gl_handle *h);
/* To be called when a module was unloaded: what Lua knows of its types is of no use any more. */
void gl_handle_forget_classes(lua_State *L, struct gl_caller *caller);
/* The metatable of handles, at idx, which gets a finalizer. */
void gl_lua_set_handle_metatable(lua_State *L, int idx);
void gl_push_handle_metatable(lua_State *L);

/* Raises if the handle at idx was finalized: when the Lua state is closed others' finalizers may have it still. */
void gl_handle_check(lua_State *L, int idx);

enum gl_member { GL_MEMBER_NONE, GL_MEMBER_FIELD, GL_MEMBER_METHOD };
/* What the string at key names in its class: a field, whose number is set, or a method, which is pushed. */
enum gl_member gl_handle_member(lua_State *L, int idx, int key, size_t *field);
/* A struct's fields by number: the value of one, and setting it. */
void gl_handle_field(lua_State *L, int idx, size_t i);
void gl_handle_set_field(lua_State *L, int idx, size_t i, int value);
/* A list's elements, from 0 */
void gl_handle_index(lua_State *L, int idx, uint64_t i);
void gl_handle_set_index(lua_State *L, int idx, uint64_t i, int value);
/* A map's elements by the key at stack index key. nil is read where there is none; to set nil deletes one. */
void gl_handle_key(lua_State *L, int idx, int key);
void gl_handle_set_key(lua_State *L, int idx, int key, int value);
/* The whole value: as a field or an element of that type would be read, where what has parts is a handle; set; and
 * copied out as tables, however deep it is. */
void gl_handle_get(lua_State *L, int idx);
void gl_handle_set(lua_State *L, int idx, int value);
void gl_handle_copy(lua_State *L, int idx);
void gl_handle_text(lua_State *L, int idx);
/* Operations whose answer is a number: GL_OP_LEN, _CLOSE, _ITERATE; _EQUAL and _IS, where n is the other handle. */
int64_t gl_handle_ask(lua_State *L, int idx, enum gl_op what, uint64_t n);

/* Sends to a channel, and receives from one, whose value is pushed. They wait so many seconds at most, for ever if that
 * is negative. */
enum gl_chan gl_handle_send(lua_State *L, int idx, int value, double seconds);
enum gl_chan gl_handle_receive(lua_State *L, int idx, double seconds);

/* Pushes the name and the value of a struct's next field, and moves *i behind it. The next one is the first from number
 * *i on that exists, since an embedded pointer may be nil. False if there is none. */
bool gl_handle_next_field(lua_State *L, int idx, size_t *i);
/* Pushes an iterator over a map or a channel; pushes at most so many keys and values of one, by turns. */
void gl_handle_iterate(lua_State *L, int idx);
int gl_handle_next(lua_State *L, int idx, int most);

/* A lua_CFunction's body: calls the function that the handle at 1 stands for, with the arguments above it. */
int gl_handle_call(lua_State *L);
/* The plan of the method named by the string at idx + 1. The name is removed from the stack, so that the receiver and
 * the arguments are left as gl_plan_call, gl_job_start and gl_plan_many expect them. */
struct gl_plan *gl_handle_take_method(lua_State *L, int idx);

/* Its code, and its name. */
uintptr_t gl_method_address(const struct gl_plan *plan, const char **name);

/* The function at idx, function(method) -> function, is asked for one to be used in place of each method of a handle.
 */
void gl_handle_set_maker(lua_State *L, int idx);
/* Pushes the table of those members of the handle's class that were used so far, by name: for a method a function, for
 * a field its number. The C half uses element 1 of the table, and Lua may use the others. Pushes nothing and returns
 * false if no handle of the class was used yet. */
bool gl_handle_push_members(lua_State *L, int idx);
/* Pushes the table of these tables, by the number of the class. It is always the same table, and is emptied when a
 * module is unloaded. */
void gl_handle_push_classes(lua_State *L);

/* Push the userdata of a call by FFI, and return it: a call of the method at idx (the function that the maker was
 * given), and one that reads or sets field number i of the handle at idx. NULL, and nothing is pushed, if it can't take
 * that road.
 */
struct gl_ffi_call *gl_method_ffi(lua_State *L, int idx);
struct gl_ffi_call *gl_field_ffi(lua_State *L, int idx, size_t i, bool sets);
/* The class of the method at idx. */
uint64_t gl_method_class(lua_State *L, int idx);
/* The call at idx; raises when it is none. */
struct gl_ffi_call *gl_check_ffi(lua_State *L, int idx);

/* Pushes a handle of a new variable, by the address of its type's descriptor. */
void gl_handle_make(lua_State *L, struct gl_caller *caller, void *descriptor, const char *name);

/* Pushes a list of the exported methods that variables of a type have, promoted ones too: { name =, signature =,
 * by_pointer = }; of those that an interface asks for. */
void gl_push_method_list(lua_State *L, struct gl_caller *caller, uintptr_t descriptor, const char *name);

/* Pushes the handle of the error table at idx, if Go knows its value; false: pushes nothing. */
bool gl_error_handle(lua_State *L, int idx);
/* errors.Is, errors.As and errors.Unwrap, by an error's handle at idx; other is a handle's number, name a type's. */
bool gl_error_is(lua_State *L, int idx, uint64_t other);
void gl_error_as(lua_State *L, int idx, const char *name, size_t len);
void gl_error_unwrap(lua_State *L, int idx);

#endif
