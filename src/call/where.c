/* Where errors are raised: at the line of the program that called the loader. What it called may be a function of the
 * loader's own Lua files, which called the C function that found the fault: a place in those would tell the program
 * nothing. */
#include <dlfcn.h>
#include <stdarg.h>
#include <string.h>

#include "call.h"

/* What sources of the loader's own Lua functions begin with: the key in the registry, by its address */
static const char own_key = 0;

void gl_lua_set_own_sources(lua_State *L, int idx)
{
	lua_pushvalue(L, idx);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &own_key);
}

/* Is the function at hand, whose record that is, the loader's own? roads/source.lua names those so that it generates.
 */
static bool is_own(lua_State *L, lua_Debug *at, const char *sources)
{
	Dl_info its, ours;

	lua_getinfo(L, "Slf", at);
	lua_CFunction function = lua_tocfunction(L, -1);
	lua_pop(L, 1);
	if (function != NULL) { /* of this library? */
		return dladdr((void *)(uintptr_t)function, &its) != 0 && dladdr(&own_key, &ours) != 0 &&
		       its.dli_fbase == ours.dli_fbase;
	}
	return strcmp(at->source, "=goloader") == 0 ||
	       (sources != NULL && strncmp(at->source, sources, strlen(sources)) == 0);
}

void gl_lua_where(lua_State *L)
{
	lua_Debug at;
	int level = 1;

	luaL_checkstack(L, 4, NULL);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &own_key);
	const char *sources = lua_tostring(L, -1);
	bool is_there = lua_getstack(L, level, &at) != 0;
	/* Lua 5.1 has a level for each tail call, of which it knows nothing. */
	while (is_there && (is_own(L, &at, sources) || strcmp(at.what, "tail") == 0)) {
		is_there = lua_getstack(L, ++level, &at) != 0;
	}
	lua_pop(L, 1);
	if (is_there && at.currentline > 0) {
		lua_pushfstring(L, "%s:%d: ", at.short_src, at.currentline);
	} else {
		lua_pushliteral(L, "");
	}
}

int gl_lua_error(lua_State *L, const char *fmt, ...)
{
	va_list args;

	gl_lua_where(L);
	va_start(args, fmt);
	lua_pushvfstring(L, fmt, args);
	va_end(args);
	lua_concat(L, 2);
	return lua_error(L);
}
