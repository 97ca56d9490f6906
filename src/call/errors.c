/* Error tables and the Go values behind them. A table is all that most programs want of an error, so that it costs no
 * more than it must: the handle of the value is kept off the table, where only who asks for it finds it. */
#include <string.h>

#include "plan.h"

/* Handles by error table, weak: the key in the registry, by its address */
static const char errors_key = 0;

void gl_error_bind(lua_State *L, struct gl_caller *caller, const uint64_t **at)
{
	luaL_checkstack(L, 6, NULL);
	gl_push_table(L, &errors_key, true);
	lua_pushvalue(L, -2);
	struct gl_handle *h = gl_handle_new(L, caller, 0);
	lua_rawset(L, -3); /* the error table keeps the handle */
	h->id = *(*at)++;
	lua_pop(L, 1);
}

/* Is it what Lua has of a Go variable that nobody has set? */
static bool is_nothing(lua_State *L, int idx)
{
	switch (lua_type(L, idx)) {
	case LUA_TNIL: return true;
	case LUA_TBOOLEAN: return lua_toboolean(L, idx) == 0;
	case LUA_TNUMBER: return lua_tonumber(L, idx) == 0;
	case LUA_TSTRING: return lua_rawlen(L, idx) == 0;
	case LUA_TTABLE:
		lua_pushnil(L);
		if (lua_next(L, idx) == 0) {
			return true;
		}
		lua_pop(L, 2);
		return false;
	default: return false;
	}
}

void gl_error_take_results(lua_State *L, int n)
{
	int error = lua_gettop(L), first = error - n, i = first;

	luaL_checkstack(L, 3, NULL);
	while (i < error && is_nothing(L, i)) {
		i++;
	}
	if (i < error) {
		lua_createtable(L, n, 0);
		for (i = first; i < error; i++) {
			lua_pushvalue(L, i);
			lua_rawseti(L, -2, i - first + 1);
		}
		lua_setfield(L, error, "results");
	}
	if (n > 0) {
		lua_replace(L, first);
		lua_settop(L, first);
	}
}

bool gl_error_handle(lua_State *L, int idx)
{
	idx = lua_absindex(L, idx);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &errors_key);
	if (lua_istable(L, -1)) {
		lua_pushvalue(L, idx);
		lua_rawget(L, -2);
		lua_remove(L, -2);
		if (gl_handle_at(L, -1) != NULL) {
			gl_handle_check(L, -1);
			return true;
		}
	}
	lua_pop(L, 1);
	return false;
}

bool gl_error_is(lua_State *L, int idx, uint64_t other) { return gl_handle_ask(L, idx, GL_OP_IS, other) != 0; }

void gl_error_unwrap(lua_State *L, int idx)
{
	struct gl_caller *caller = gl_handle_caller(L, idx);
	struct gl_reading *r = gl_reading_begin(L, caller);
	struct gl_handle_op op = { .op = GL_OP_UNWRAP, .out = &r->out };

	gl_handle_do(L, idx, &op);
	if (op.result != 0) {
		gl_decode_error(L, gl_reading_at(r), caller);
	} else {
		lua_pushnil(L);
	}
	gl_reading_end(L, r);
}

void gl_error_as(lua_State *L, int idx, const char *name, size_t len)
{
	struct gl_caller *caller = gl_handle_caller(L, idx);
	struct gl_buffer in;
	uint64_t *words = lua_newuserdata(L, (2 + (len + 7) / 8) * sizeof(*words));
	struct gl_reading *r = gl_reading_begin(L, caller);
	struct gl_handle_op op = { .op = GL_OP_AS, .in = &in, .out = &r->out };

	words[0] = len;
	memcpy(words + 1, name, len);
	in = (struct gl_buffer){ .p = words, .len = 1 + (len + 7) / 8 };
	gl_handle_do(L, idx, &op);
	if (op.result != 0) {
		gl_decode_handle(L, gl_reading_at(r), caller);
	} else {
		lua_pushnil(L);
	}
	gl_reading_end(L, r);
}
