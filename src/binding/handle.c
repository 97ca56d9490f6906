/* Handles of values that stay in Go. A name in upper case is Go's, a field or method; one in lower case is one of these
 * methods; and of a map any other string is a key. */
#include <string.h>

#include "../call/ffi.h"
#include "../call/handle.h"
#include "binding.h"

/* Elements that an iterator reads in one crossing */
enum { CHUNK = 64 };

static struct gl_handle *check_handle(lua_State *L)
{
	struct gl_handle *h = gl_handle_at(L, 1);

	if (h == NULL) {
		luaL_error(L, "a handle expected, got %s: its methods are called with a colon", luaL_typename(L, 1));
	}
	return h;
}

static bool is_map(lua_State *L) { return gl_handle_shape(L, 1) == GL_SHAPE_MAP; }

/* A list's index, from 1, as Go counts it. */
static uint64_t check_index(lua_State *L)
{
	double i = lua_tonumber(L, 2);

	if (gl_handle_shape(L, 1) != GL_SHAPE_LIST) {
		luaL_error(L, "%s has no elements", gl_handle_type(L, 1));
	}
	if (!(i >= 1 && i < 9e15 && i == (double)(uint64_t)i)) {
		luaL_error(L, "%s has no element %f", gl_handle_type(L, 1), i);
	}
	return (uint64_t)i - 1;
}

static int no_member(lua_State *L)
{
	if (lua_type(L, 2) == LUA_TSTRING) {
		return luaL_error(L, "%s has no field or method '%s'", gl_handle_type(L, 1), lua_tostring(L, 2));
	}
	return luaL_error(L, "%s has no field or element by a key of type %s", gl_handle_type(L, 1),
			  luaL_typename(L, 2));
}

/* handle[key]; the upvalue is the table of methods */
static int handle_index(lua_State *L)
{
	size_t field;

	check_handle(L);
	if (lua_type(L, 2) == LUA_TSTRING) {
		lua_pushvalue(L, 2);
		lua_rawget(L, lua_upvalueindex(1));
		if (!lua_isnil(L, -1)) {
			return 1;
		}
		switch (gl_handle_member(L, 1, 2, &field)) {
		case GL_MEMBER_FIELD: gl_handle_field(L, 1, field); return 1;
		case GL_MEMBER_METHOD: return 1;
		case GL_MEMBER_NONE: break;
		}
	} else if (lua_type(L, 2) == LUA_TNUMBER && !is_map(L)) {
		gl_handle_index(L, 1, check_index(L));
		return 1;
	}
	if (!is_map(L)) {
		return no_member(L);
	}
	gl_handle_key(L, 1, 2);
	return 1;
}

static int handle_newindex(lua_State *L)
{
	size_t field;

	check_handle(L);
	if (is_map(L)) {
		gl_handle_set_key(L, 1, 2, 3);
	} else if (lua_type(L, 2) == LUA_TNUMBER) {
		gl_handle_set_index(L, 1, check_index(L), 3);
	} else if (lua_type(L, 2) == LUA_TSTRING && gl_handle_member(L, 1, 2, &field) == GL_MEMBER_FIELD) {
		gl_handle_set_field(L, 1, field, 3);
	} else {
		no_member(L);
	}
	return 0;
}

/* handle:get(key) of a map, whatever the key is; handle:get() the value that the handle stands for */
static int handle_get(lua_State *L)
{
	check_handle(L);
	if (lua_gettop(L) < 2) {
		gl_handle_get(L, 1);
	} else if (is_map(L)) {
		gl_handle_key(L, 1, 2);
	} else {
		gl_handle_index(L, 1, check_index(L));
	}
	return 1;
}

/* handle:set(key, value), handle:set(value) */
static int handle_set(lua_State *L)
{
	check_handle(L);
	luaL_checkany(L, 2);
	if (lua_gettop(L) < 3) {
		gl_handle_set(L, 1, 2);
	} else if (is_map(L)) {
		gl_handle_set_key(L, 1, 2, 3);
	} else {
		gl_handle_set_index(L, 1, check_index(L), 3);
	}
	return 0;
}

static int handle_len(lua_State *L)
{
	check_handle(L);
	lua_pushinteger(L, (lua_Integer)gl_handle_ask(L, 1, GL_OP_LEN, 0));
	return 1;
}

static int handle_eq(lua_State *L)
{
	struct gl_handle *a = gl_handle_at(L, 1), *b = gl_handle_at(L, 2);

	lua_pushboolean(L, a != NULL && b != NULL && gl_handle_id(a) != 0 && gl_handle_id(b) != 0 &&
				   gl_handle_ask(L, 1, GL_OP_EQUAL, gl_handle_id(b)) != 0);
	return 1;
}

static int push_text(lua_State *L)
{
	gl_handle_text(L, 1);
	return 1;
}

/* Whoever prints what there is prints handles too: where there is no text, of an iterator say, or since the module was
 * unloaded, why there is none is the text. */
static int handle_tostring(lua_State *L)
{
	struct gl_handle *h = check_handle(L);

	if (gl_handle_id(h) == 0) {
		lua_pushliteral(L, "a handle that was released");
		return 1;
	}
	lua_pushcfunction(L, push_text);
	lua_pushvalue(L, 1);
	if (lua_pcall(L, 1, 1, 0) != 0 && lua_type(L, -1) != LUA_TSTRING) {
		lua_error(L); /* what a String method written in Lua has raised */
	}
	return 1;
}

static int handle_type(lua_State *L)
{
	check_handle(L);
	lua_pushstring(L, gl_handle_type(L, 1));
	return 1;
}

static int handle_copy(lua_State *L)
{
	check_handle(L);
	gl_handle_copy(L, 1);
	return 1;
}

static int handle_release(lua_State *L)
{
	gl_handle_release_now(check_handle(L));
	return 0;
}

static int handle_call(lua_State *L)
{
	check_handle(L);
	return gl_handle_call(L);
}

/* handle:keep(method, arguments…) -> results, left in Go as handles */
static int handle_keep(lua_State *L)
{
	check_handle(L);
	return gl_plan_call_keeping(L, gl_handle_take_method(L, 1), 1);
}

/* handle:map(method, array, …) -> a table for each result, or nil and an error */
static int handle_map(lua_State *L)
{
	check_handle(L);
	return gl_plan_many(L, gl_handle_take_method(L, 1), 1, false);
}

/* handle:each(method, array, …) -> number of calls, or nil and an error */
static int handle_each(lua_State *L)
{
	check_handle(L);
	return gl_plan_many(L, gl_handle_take_method(L, 1), 1, true);
}

/* handle:explain(method) -> as module:explain */
static int handle_explain(lua_State *L)
{
	check_handle(L);
	lua_settop(L, 2);
	return binding_explain_method(L, gl_handle_host(L, 1), gl_handle_take_method(L, 1));
}

/* host:method_job(handle, method, arguments…) -> job */
int binding_method_job(lua_State *L)
{
	if (gl_handle_at(L, 2) == NULL) {
		return luaL_error(L, "a handle expected, got %s: its methods are called with a colon",
				  luaL_typename(L, 2));
	}
	struct gl_job **job = binding_push_plain_job(L, 1);
	lua_getuservalue(L, -1);
	lua_pushvalue(L, 2);
	lua_rawseti(L, -2, 2); /* the job keeps the handle, as any argument of a call that is under way */
	lua_pop(L, 1);
	lua_replace(L, 1);
	gl_job_start(L, gl_handle_take_method(L, 2), 2, false, job);
	lua_settop(L, 1);
	return 1;
}

/* ---- channels --------------------------------------------------------------------------------------------------- */

static int chan_failed(lua_State *L, enum gl_chan why)
{
	const char *code = why == GL_CHAN_CLOSED ? "closed" : "timeout";

	lua_pushnil(L);
	lua_pushstring(L, code);
	gl_lua_push_error(L, code, code, strlen(code));
	return 3;
}

/* Below 0 it is for ever. */
static double check_seconds(lua_State *L, int arg)
{
	double seconds = -1;

	if (!lua_isnoneornil(L, arg) && !gl_lua_seconds(L, arg, &seconds)) {
		luaL_argerror(L, arg, lua_tostring(L, -1));
	}
	return seconds;
}

/* handle:send(value[, timeout]) -> true; or nil, "closed" or "timeout", and the error of that code */
static int handle_send(lua_State *L)
{
	check_handle(L);
	luaL_checkany(L, 2);
	enum gl_chan sent = gl_handle_send(L, 1, 2, check_seconds(L, 3));
	if (sent != GL_CHAN_DONE) {
		return chan_failed(L, sent);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* handle:recv([timeout]) -> value; or what handle:send fails with */
static int handle_recv(lua_State *L)
{
	check_handle(L);
	enum gl_chan received = gl_handle_receive(L, 1, check_seconds(L, 2));
	return received == GL_CHAN_DONE ? 1 : chan_failed(L, received);
}

/* handle:close() -> true; or nil, "closed" and the error */
static int handle_close(lua_State *L)
{
	check_handle(L);
	if (gl_handle_ask(L, 1, GL_OP_CLOSE, 0) != GL_CHAN_DONE) {
		return chan_failed(L, GL_CHAN_CLOSED);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* ---- iteration -------------------------------------------------------------------------------------------------- */

/* next(handle, name) of a struct; the upvalue is the next field's number */
static int next_field(lua_State *L)
{
	size_t i = (size_t)lua_tonumber(L, lua_upvalueindex(1));

	check_handle(L);
	if (!gl_handle_next_field(L, 1, &i)) {
		return 0;
	}
	lua_pushinteger(L, (lua_Integer)i);
	lua_replace(L, lua_upvalueindex(1));
	return 2;
}

/* next(iterator, …) of all others. LuaJIT's traces keep the iterators that they were recorded with: what was given has
 * to be forgotten. Upvalues: a table of keys and elements that were read already, how many pairs are in it, how many of
 * them were given, how many were given before, and how many are read at a time */
static int next_pair(lua_State *L)
{
	int n = (int)lua_tointeger(L, lua_upvalueindex(2)), given = (int)lua_tointeger(L, lua_upvalueindex(3));
	lua_Integer before = lua_tointeger(L, lua_upvalueindex(4));

	if (given == n) {
		check_handle(L);
		lua_settop(L, 1);
		before += n;
		given = 0;
		n = gl_handle_next(L, 1, (int)lua_tointeger(L, lua_upvalueindex(5)));
		for (int i = 2 * n; i > 0; i--) {
			lua_rawseti(L, lua_upvalueindex(1), i);
		}
		lua_pushinteger(L, n);
		lua_replace(L, lua_upvalueindex(2));
		lua_pushinteger(L, before);
		lua_replace(L, lua_upvalueindex(4));
		lua_pushinteger(L, given);
		lua_replace(L, lua_upvalueindex(3));
		if (n == 0) {
			return 0;
		}
	}
	lua_pushinteger(L, given + 1);
	lua_replace(L, lua_upvalueindex(3));
	lua_settop(L, 1);
	for (int i = 1; i <= 2; i++) {
		lua_rawgeti(L, lua_upvalueindex(1), 2 * given + i);
		lua_pushnil(L);
		lua_rawseti(L, lua_upvalueindex(1), 2 * given + i);
	}
	if (lua_isnil(L, 2)) {
		lua_pushinteger(L, before + given + 1);
		lua_replace(L, 2);
	}
	return 2;
}

/* handle:pairs(): index and element, key and element, name and field, or number and value of what comes out of a
 * channel until it is closed; what a function to range over yields, with a number before it if that is one value */
static int handle_pairs(lua_State *L)
{
	check_handle(L);
	enum gl_shape shape = gl_handle_shape(L, 1);
	if (shape == GL_SHAPE_STRUCT) {
		lua_pushinteger(L, 0);
		lua_pushcclosure(L, next_field, 1);
		lua_pushvalue(L, 1);
		return 2;
	}
	lua_newtable(L);
	for (int i = 0; i < 3; i++) {
		lua_pushinteger(L, 0);
	}
	lua_pushinteger(L, shape >= GL_SHAPE_CHAN ? 1 : CHUNK);
	lua_pushcclosure(L, next_pair, 5);
	gl_handle_iterate(L, 1);
	return 2;
}

/* ---- errors ----------------------------------------------------------------------------------------------------- */

/* Puts the handle of the error at idx, a table or a handle, on the top; false: Go does not know it. */
static bool push_error_handle(lua_State *L, int idx)
{
	if (gl_handle_at(L, idx) != NULL) {
		gl_handle_check(L, idx);
		lua_pushvalue(L, idx);
		return true;
	}
	return lua_istable(L, idx) && gl_error_handle(L, idx);
}

/* core.error_is(err, target) -> boolean */
int binding_error_is(lua_State *L)
{
	bool is = lua_rawequal(L, 1, 2);

	if (!is && push_error_handle(L, 1) && push_error_handle(L, 2)) {
		is = gl_error_is(L, -2, gl_handle_id(gl_handle_at(L, -1)));
	}
	lua_pushboolean(L, is);
	return 1;
}

/* core.error_as(err, type name) -> handle or nil */
int binding_error_as(lua_State *L)
{
	size_t len;
	const char *name = luaL_checklstring(L, 2, &len);

	if (push_error_handle(L, 1)) {
		gl_error_as(L, lua_gettop(L), name, len);
	} else {
		lua_pushnil(L);
	}
	return 1;
}

/* core.error_unwrap(err) -> error or nil */
int binding_error_unwrap(lua_State *L)
{
	if (push_error_handle(L, 1)) {
		gl_error_unwrap(L, lua_gettop(L));
	} else {
		lua_pushnil(L);
	}
	return 1;
}

/* ---- what Lua makes of methods ---------------------------------------------------------------------------------- */

/* core.handle_class() -> the metatable of handles */
int binding_handle_class(lua_State *L)
{
	gl_push_handle_metatable(L);
	return 1;
}

/* core.set_method_maker(function(method) -> function) */
int binding_set_method_maker(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	gl_handle_set_maker(L, 1);
	return 0;
}

/* core.handle_classes() -> the table of the tables of members, by the number of their class */
int binding_handle_classes(lua_State *L)
{
	gl_handle_push_classes(L);
	return 1;
}

/* core.handle_members(handle) -> the table of its class's members, by name; nil before one of them was used */
int binding_handle_members(lua_State *L)
{
	check_handle(L);
	return gl_handle_push_members(L, 1);
}

/* core.method_ffi(method) -> the userdata of its struct gl_ffi_call; parameters, results, is it integral? and struct
 * gl_ffi_entry, as func:ffi gives them; number of the class. nil when it can't take the FFI road. */
int binding_method_ffi(lua_State *L)
{
	const struct gl_ffi_call *call = gl_method_ffi(L, 1);

	if (call == NULL) {
		return 0;
	}
	int n = 1 + binding_push_ffi(L, call);
	lua_pushnumber(L, (lua_Number)gl_method_class(L, 1));
	return n + 1;
}

/* core.field_ffi(handle, number, sets) -> the same */
int binding_field_ffi(lua_State *L)
{
	check_handle(L);
	const struct gl_ffi_call *call = gl_field_ffi(L, 1, (size_t)luaL_checkinteger(L, 2), lua_toboolean(L, 3));

	if (call == NULL) {
		return 0;
	}
	int n = 1 + binding_push_ffi(L, call);
	lua_pushnumber(L, (lua_Number)gl_handle_class(L, 1));
	return n + 1;
}

/* core.ffi_finish(call) -> the results of the last call by FFI, where Lua can't take them */
int binding_ffi_finish(lua_State *L) { return gl_ffi_finish(L, gl_check_ffi(L, 1)); }

void binding_open_handle(lua_State *L)
{
	static const luaL_Reg metamethods[] = {
		{ "__newindex", handle_newindex },
		{ "__len", handle_len },
		{ "__eq", handle_eq },
		{ "__tostring", handle_tostring },
		{ "__call", handle_call },
		{ "__pairs", handle_pairs },
		{ NULL, NULL },
	};
	static const luaL_Reg methods[] = {
		{ "get", handle_get },         { "set", handle_set },
		{ "type", handle_type },       { "copy", handle_copy },
		{ "release", handle_release }, { "send", handle_send },
		{ "recv", handle_recv },       { "close", handle_close },
		{ "pairs", handle_pairs },     { "explain", handle_explain },
		{ "keep", handle_keep },       { "map", handle_map },
		{ "each", handle_each },       { NULL, NULL },
	};

	lua_newtable(L);
	gl_lua_setfuncs(L, metamethods);
	lua_newtable(L);
	gl_lua_setfuncs(L, methods);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "methods"); /* Lua adds some */
	lua_pushcclosure(L, handle_index, 1);
	lua_setfield(L, -2, "__index");
	lua_pushliteral(L, "goloader.handle");
	lua_setfield(L, -2, "__name");
	gl_lua_set_handle_metatable(L, -1);
	lua_pop(L, 1);
}
