/* Function handles: what a module's exported functions are in Lua. */
#include <string.h>

#include "../call/pure.h"
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

static void push_place(lua_State *L, const struct gl_pure_place *place)
{
	lua_createtable(L, 0, 4);
	lua_pushstring(L, place->kind);
	lua_setfield(L, -2, "kind");
	lua_pushinteger(L, place->bits);
	lua_setfield(L, -2, "bits");
	lua_pushinteger(L, place->reg);
	lua_setfield(L, -2, "reg");
	if (place->elem != NULL) {
		lua_pushstring(L, place->elem);
		lua_setfield(L, -2, "elem");
	}
}

static void push_places(lua_State *L, const struct gl_plan *plan, size_t first, size_t n)
{
	struct gl_pure_place place;

	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n && gl_plan_pure_place(plan, first + i, &place); i++) {
		push_place(L, &place);
		lua_rawseti(L, -2, (int)i + 1);
	}
}

static void set_address(lua_State *L, const char *key, const void *p)
{
	/* the 47 bits of an address fit any Lua's number */
	lua_pushnumber(L, (lua_Number)(uintptr_t)p);
	lua_setfield(L, -2, key);
}

/* func:pure() -> { entry =, cell =, calls = (addresses), params = { … }, results = { … } }, or nil and { reason… } */
static int func_pure(lua_State *L)
{
	struct binding_func *f = luaL_checkudata(L, 1, FUNC);
	struct gl_plan *plan = binding_module_plan(L, f->module, f->export);
	const struct gl_export *export = binding_module_export(f->module, f->export);
	struct gl_reasons why;
	const struct gl_pure *pure = gl_plan_pure(plan, &why);

	if (pure == NULL) {
		lua_pushnil(L);
		lua_createtable(L, (int)why.n, 0);
		for (size_t i = 0; i < why.n; i++) {
			lua_pushstring(L, why.list[i]);
			lua_rawseti(L, -2, (int)i + 1);
		}
		return 2;
	}
	lua_createtable(L, 0, 5);
	set_address(L, "entry", pure->entry);
	set_address(L, "cell", pure->cell);
	set_address(L, "calls", pure->calls);
	push_places(L, plan, 0, export->nparams);
	lua_setfield(L, -2, "params");
	push_places(L, plan, export->nparams, export->nresults);
	lua_setfield(L, -2, "results");
	return 1;
}

void binding_open_func(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "__call", func_call }, { "use_general_road", func_use_general_road },
		{ "pure", func_pure },   { "__tostring", func_tostring },
		{ NULL, NULL },
	};

	binding_new_class(L, FUNC, methods);
}
