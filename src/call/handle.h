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
void gl_handle_release(struct gl_handle *h);
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
/* A map's; nil is what is not there, and takes out what is. */
void gl_handle_key(lua_State *L, int idx, int key);
void gl_handle_set_key(lua_State *L, int idx, int key, int value);
/* All of it: as it is seen from inside of something else, and copied out. */
void gl_handle_get(lua_State *L, int idx);
void gl_handle_set(lua_State *L, int idx, int value);
void gl_handle_copy(lua_State *L, int idx);
void gl_handle_text(lua_State *L, int idx);
/* What has but a number for an answer: GL_OP_LEN, _EQUAL, _CLOSE. */
int64_t gl_handle_ask(lua_State *L, int idx, enum gl_op what, uint64_t n);

/* Seconds below 0 are for ever. A value that was received is pushed. */
enum gl_chan gl_handle_send(lua_State *L, int idx, int value, double seconds);
enum gl_chan gl_handle_receive(lua_State *L, int idx, double seconds);

/* Pushes name and value of a struct's first field from number *i on that is there, and has *i be the number behind it;
 * false where there is none. */
bool gl_handle_next_field(lua_State *L, int idx, size_t *i);
/* Pushes an iterator over a map or a channel; pushes at most so many keys and values of one, by turns. */
void gl_handle_iterate(lua_State *L, int idx);
int gl_handle_next(lua_State *L, int idx, int most);

/* A lua_CFunction's body: calls the function that the handle at 1 stands for, with the arguments above it. */
int gl_handle_call(lua_State *L);
/* The plan of its method that the string behind it names, which is taken from the stack: the receiver and the arguments
 * stay, as calls, jobs and many calls want them. */
struct gl_plan *gl_handle_take_method(lua_State *L, int idx);

/* Its code, and its name. */
uintptr_t gl_method_address(const struct gl_plan *plan, const char **name);

/* The function at idx, function(method) -> function, is asked for one to be used in place of each method of a handle.
 */
void gl_handle_set_maker(lua_State *L, int idx);
/* Pushes the table of the members of its class that are known, by their names: a method is a function, a field its
 * number. Above [1] the table is free for others' use. false, and nothing is pushed: no handle of it was used yet. */
bool gl_handle_push_members(lua_State *L, int idx);
/* Pushes the table, always the same, of these tables by the number of the class. It is emptied when a module goes. */
void gl_handle_push_classes(lua_State *L);

/* Calls by FFI, as userdata that are pushed: of the method at idx, the function that the maker was given; of the field
 * number i of the handle at idx, which they read or set. NULL, and nothing is pushed, where they can't take that road.
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
