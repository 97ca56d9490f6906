/* What Lua says of a parameter of type context.Context:
 *
 *     nil                              context.Background()
 *     a number, or "30s"               a timeout, from now; numbers are seconds
 *     { timeout =, deadline =,         the same; a point in time, in seconds since 1970;
 *       values = { key = value, … } }  what ctx.Value("key") gives
 *
 * It is cancelled when the call ends; that of a job also by job:cancel(). One that Go has made, a handle, stays as it
 * is; what a job gets of it is cancelled with the job, too. */
#include <math.h>
#include <string.h>

#include "plan.h"

static const struct type string_type = { .kind = GL_KIND_STRING, .name = "string" };
static const struct type any_type = { .kind = GL_KIND_ANY, .name = "any" };

/* The function that reads times which are said: its key in the registry, by its address */
static const char seconds_key = 0;

void gl_lua_set_seconds(lua_State *L, int seconds)
{
	lua_pushvalue(L, seconds);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &seconds_key);
}

bool gl_lua_seconds(lua_State *L, int idx, double *seconds)
{
	idx = lua_absindex(L, idx);
	luaL_checkstack(L, 4, NULL);
	if (lua_type(L, idx) == LUA_TNUMBER) {
		*seconds = lua_tonumber(L, idx);
		if (isnan(*seconds)) {
			lua_pushliteral(L, "seconds, or a text such as \"30s\", expected, got nan");
			return false;
		}
		return true;
	}
	lua_rawgetp(L, LUA_REGISTRYINDEX, &seconds_key);
	if (lua_type(L, idx) != LUA_TSTRING || !lua_isfunction(L, -1)) {
		lua_pop(L, 1);
		lua_pushfstring(L, "seconds, or a text such as \"30s\", expected, got %s", luaL_typename(L, idx));
		return false;
	}
	lua_pushvalue(L, idx);
	lua_call(L, 1, 2);
	if (lua_isnil(L, -2)) {
		lua_remove(L, -2);
		return false;
	}
	*seconds = lua_tonumber(L, -2);
	lua_pop(L, 2);
	return true;
}

static void put_seconds(struct encoder *e, double seconds)
{
	uint64_t word;

	memcpy(&word, &seconds, sizeof(word));
	gl_encode_raw(e, 1);
	gl_encode_raw(e, word);
}

/* field: NULL, of a timeout that is all that is said */
static void put_timeout(struct encoder *e, int idx, const char *field, const struct path *path)
{
	struct path at = { .up = path, .field = field };
	double seconds = 0;

	if (field != NULL && lua_isnil(e->L, idx)) {
		gl_encode_raw(e, 0);
		return;
	}
	if (!gl_lua_seconds(e->L, idx, &seconds)) {
		gl_encode_fail(e, field != NULL ? &at : path, "%s", lua_tostring(e->L, -1));
	}
	put_seconds(e, seconds);
}

static void put_deadline(struct encoder *e, int idx, const struct path *path)
{
	lua_State *L = e->L;
	struct path at = { .up = path, .field = "deadline" };

	if (lua_isnil(L, idx)) {
		gl_encode_raw(e, 0);
		return;
	}
	double seconds = lua_tonumber(L, idx);
	if (lua_type(L, idx) != LUA_TNUMBER || isnan(seconds)) {
		gl_encode_fail(e, &at, "a number of seconds since 1970 expected, got %s",
			       lua_type(L, idx) == LUA_TNUMBER ? "nan" : luaL_typename(L, idx));
	}
	put_seconds(e, seconds);
}

static void put_values(struct encoder *e, int idx, const struct path *path)
{
	lua_State *L = e->L;
	struct path values = { .up = path, .field = "values" };
	uint64_t n = 0;

	if (lua_isnil(L, idx)) {
		gl_encode_raw(e, 0);
		return;
	}
	if (!lua_istable(L, idx)) {
		gl_encode_fail(e, &values, "a table expected, got %s", luaL_typename(L, idx));
	}
	for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING) {
			gl_encode_fail(e, &values, "a context's keys are strings, got a key of type %s",
				       luaL_typename(L, -2));
		}
		n++;
	}
	gl_encode_raw(e, n);
	for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1)) {
		int key = lua_gettop(L) - 1;
		struct path at = { .up = &values, .key = key };

		gl_encode(e, key, &string_type, &at);
		gl_encode(e, key + 1, &any_type, &at);
	}
}

static void refuse_other_fields(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	lua_State *L = e->L;

	for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1)) {
		const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2);

		if (strcmp(name, "timeout") != 0 && strcmp(name, "deadline") != 0 && strcmp(name, "values") != 0) {
			gl_encode_fail(e, path, "%s is given by timeout, deadline and values, got the key '%s'",
				       type->name, name);
		}
	}
}

void gl_encode_context(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	lua_State *L = e->L;

	luaL_checkstack(L, 8, NULL);
	if (gl_encoder_types(e)->export->kind == GL_EXPORT_VAR) {
		gl_encode_fail(e, path, "%s ends with a call: a variable can't hold it", type->name);
	}
	gl_encode_raw(e, !lua_isnil(L, idx));
	switch (lua_type(L, idx)) {
	case LUA_TNIL: return;
	case LUA_TNUMBER:
	case LUA_TSTRING:
		put_timeout(e, idx, NULL, path);
		gl_encode_raw(e, 0);
		gl_encode_raw(e, 0);
		return;
	case LUA_TTABLE: break;
	default:
		gl_encode_fail(e, path, "%s expected (nil, a timeout, a table or a handle), got %s", type->name,
			       lua_type(L, idx) == GL_LUA_TCDATA ? "cdata" : luaL_typename(L, idx));
	}
	refuse_other_fields(e, idx, type, path);
	lua_pushliteral(L, "timeout");
	lua_rawget(L, idx);
	put_timeout(e, lua_gettop(L), "timeout", path);
	lua_pushliteral(L, "deadline");
	lua_rawget(L, idx);
	put_deadline(e, lua_gettop(L), path);
	lua_pop(L, 2);
	lua_pushliteral(L, "values");
	lua_rawget(L, idx);
	put_values(e, lua_gettop(L), path);
	lua_pop(L, 1);
}
