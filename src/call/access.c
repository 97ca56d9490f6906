/* Calls by FFI of handles' methods, and of their fields, which are read and set as if functions did it
 * (src/host/enter.go). */
#include "ffi.h"
#include "plan.h"

#define CALL "goloader.call"

/* Pushes a userdata with memory for a call of the class whose userdata is on the top. Lua owns that memory, since a
 * finalizer may still make the call when the class has been freed, and must then find it closed. The class's user value
 * refers to it from the start, because the class closes its calls when it is freed. */
static void *push_call(lua_State *L)
{
	void *memory = lua_newuserdata(L, gl_ffi_size());

	luaL_newmetatable(L, CALL);
	lua_setmetatable(L, -2);
	lua_getuservalue(L, -2);
	lua_pushvalue(L, -2);
	lua_rawsetp(L, -2, memory);
	lua_pop(L, 1);
	return memory;
}

/* Pushes the userdata of a call that was made for the class whose userdata is on the top. */
static void push_kept(lua_State *L, const void *call)
{
	lua_getuservalue(L, -1);
	lua_rawgetp(L, -1, call);
	lua_remove(L, -2);
}

/* Pops a call that could not be set up, and the class's userdata below it. */
static void drop_call(lua_State *L, const void *memory)
{
	lua_getuservalue(L, -2);
	lua_pushnil(L);
	lua_rawsetp(L, -2, memory);
	lua_pop(L, 3);
}

struct gl_ffi_call *gl_check_ffi(lua_State *L, int idx) { return luaL_checkudata(L, idx, CALL); }

struct gl_ffi_call *gl_method_ffi(lua_State *L, int idx)
{
	struct gl_class *class;
	struct gl_plan *plan = gl_method_plan(L, idx, &class);

	lua_getupvalue(L, idx, 1);
	if (plan->ffi == NULL) {
		void *memory = push_call(L);
		if (gl_ffi_init(memory, plan) == NULL) {
			drop_call(L, memory);
			return NULL;
		}
	} else {
		push_kept(L, plan->ffi);
	}
	lua_remove(L, -2);
	return plan->ffi;
}

uint64_t gl_method_class(lua_State *L, int idx)
{
	struct gl_class *class;

	gl_method_plan(L, idx, &class);
	return class->id;
}

struct gl_ffi_call *gl_field_ffi(lua_State *L, int idx, size_t i, bool sets)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct field_access *access = i < class->nfields ? &class->access[i] : NULL;

	if (access == NULL || access->offset == UINT64_MAX) {
		return NULL;
	}
	struct gl_ffi_call **call = sets ? &access->write : &access->read;
	if (!gl_handle_push_members(L, idx)) {
		return NULL;
	}
	lua_rawgeti(L, -1, 1);
	lua_remove(L, -2);
	if (*call == NULL) {
		void *memory = push_call(L);
		*call = gl_ffi_init_field(memory, class->plan.caller, class->fields[i].type, access->offset, sets);
		if (*call == NULL) {
			drop_call(L, memory);
			return NULL;
		}
	} else {
		push_kept(L, *call);
	}
	lua_remove(L, -2);
	return *call;
}

static void retire_call(struct gl_ffi_call *call)
{
	if (call != NULL) {
		gl_ffi_retire(call);
	}
}

void gl_class_retire_calls(struct gl_class *class)
{
	for (size_t i = 0; i < class->nmethods; i++) {
		retire_call(class->methods[i]->ffi);
	}
	for (size_t i = 0; i < class->nfields; i++) {
		retire_call(class->access[i].read);
		retire_call(class->access[i].write);
	}
}
