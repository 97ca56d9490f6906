/* Function handles: what a module's exported functions are in Lua. */
#include <string.h>

#include "binding.h"

#define FUNC "goloader.func"

struct binding_func {
	const char *mark;              /* func_mark, which no other userdata holds */
	struct binding_module *module; /* kept alive by the user value */
	size_t export;
};

static const char func_mark[] = FUNC;

void binding_push_func(lua_State *L, int module, size_t i)
{
	struct binding_func *f = lua_newuserdata(L, sizeof(*f));

	f->mark = func_mark;
	f->module = lua_touserdata(L, module);
	f->export = i;
	luaL_getmetatable(L, FUNC);
	lua_setmetatable(L, -2);
	lua_newtable(L);
	lua_pushvalue(L, module);
	lua_setfield(L, -2, "module");
	lua_setuservalue(L, -2);
}

/* The hot path: a look at the mark is quicker than one at the metatable. */
static int func_call(lua_State *L)
{
	struct binding_func *f = lua_touserdata(L, 1);

	if (f == NULL || lua_rawlen(L, 1) != sizeof(*f) || f->mark != func_mark) {
		return luaL_argerror(L, 1, "a function of a module expected");
	}
	return gl_plan_call(L, binding_module_plan(L, f->module, f->export), 2);
}

/* func:keep(arguments…) -> results, left in Go as handles */
static int func_keep(lua_State *L)
{
	struct binding_func *f = luaL_checkudata(L, 1, FUNC);

	return gl_plan_call_keeping(L, binding_module_plan(L, f->module, f->export), 2);
}

static int func_tostring(lua_State *L)
{
	struct binding_func *f = luaL_checkudata(L, 1, FUNC);
	const struct gl_export *export = binding_module_export(f->module, f->export);

	if (export == NULL) {
		lua_pushliteral(L, "function of a module that was unloaded");
		return 1;
	}
	/* "shop.Render func(cat string) string", as it is written in Go: by the last element of the package's path */
	const char *slash = strrchr(export->package, '/');
	lua_pushfstring(L, "%s.%s %s", slash != NULL ? slash + 1 : export->package, export->name, export->signature);
	return 1;
}

/* func:use_general_road(): for benchmarks, which compare the roads */
static int func_use_general_road(lua_State *L)
{
	struct binding_func *f = luaL_checkudata(L, 1, FUNC);

	gl_plan_use_general_road(binding_module_plan(L, f->module, f->export));
	return 0;
}

void binding_open_func(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "__call", func_call },         { "keep", func_keep }, { "use_general_road", func_use_general_road },
		{ "__tostring", func_tostring }, { NULL, NULL },
	};

	binding_new_class(L, FUNC, methods);
}
