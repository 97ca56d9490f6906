/* LuaJIT 2.1 and Lua 5.1 to 5.4 under one set of names: those of 5.3. */
#ifndef GL_LUA_COMPAT_H
#define GL_LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#if LUA_VERSION_NUM < 502
#define lua_rawlen(L, idx) lua_objlen(L, idx)
/* Every userdata and its environment: a table that keeps what the userdata needs. */
#define lua_getuservalue(L, idx) lua_getfenv(L, idx)
#define lua_setuservalue(L, idx) lua_setfenv(L, idx)
#define lua_absindex(L, idx) ((idx) > 0 || (idx) <= LUA_REGISTRYINDEX ? (idx) : lua_gettop(L) + (idx) + 1)

static inline void lua_rawgetp(lua_State *L, int idx, const void *key)
{
	idx = lua_absindex(L, idx);
	lua_pushlightuserdata(L, (void *)key);
	lua_rawget(L, idx);
}

static inline void lua_rawsetp(lua_State *L, int idx, const void *key)
{
	idx = lua_absindex(L, idx);
	lua_pushlightuserdata(L, (void *)key);
	lua_insert(L, -2);
	lua_rawset(L, idx);
}
#endif

#if LUA_VERSION_NUM < 503
#define lua_isinteger(L, idx) 0
#endif

/* luaL_setfuncs, which plain 5.1 lacks and LuaJIT has: sets the functions in the table on the top. */
static inline void gl_lua_setfuncs(lua_State *L, const luaL_Reg *funcs)
{
	for (; funcs->name != NULL; funcs++) {
		lua_pushcfunction(L, funcs->func);
		lua_setfield(L, -2, funcs->name);
	}
}

/* Has `gc` called when the userdata on the top is collected; luaL_checkudata knows its type by that name. */
static inline void gl_lua_set_gc(lua_State *L, const char *name, lua_CFunction gc)
{
	if (luaL_newmetatable(L, name)) {
		lua_pushcfunction(L, gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
}

/* Pushes "file:line: " of the innermost function that is not the loader's own; nothing where that is C's, pcall say.
 * The running function is C's (where.c). */
void gl_lua_where(lua_State *L);
/* The same as luaL_error, at that place: what luaL_error means in all files that see this one. */
int gl_lua_error(lua_State *L, const char *fmt, ...);
#define luaL_error gl_lua_error
/* The string at idx is what the sources of the loader's own Lua files begin with. */
void gl_lua_set_own_sources(lua_State *L, int idx);

/* cdata of LuaJIT: lua.h has no name for it (lj_obj.h, LJ_TCDATA). */
#define GL_LUA_TCDATA 10

#endif
