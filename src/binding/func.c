/* Function handles: the exports of a module, as Lua calls them. */
#include <string.h>

#include "../call/ffi.h"
#include "../call/pure/pure.h"
#include "binding.h"

#define FUNC "goloader.func"

struct binding_func {
	const char *mark;              /* func_mark, which no other userdata holds */
	struct binding_module *module; /* kept alive by the user value */
	size_t export;
	struct gl_ffi_call *ffi; /* once func:ffi() was asked for, or NULL */
	struct gl_pure *pure;    /* kept for who calls it, or NULL */
};

static const char func_mark[] = FUNC;

void binding_push_func(lua_State *L, int module, size_t i)
{
	struct binding_func *f = lua_newuserdata(L, sizeof(*f));

	*f = (struct binding_func){ .mark = func_mark, .module = lua_touserdata(L, module), .export = i };
	luaL_getmetatable(L, FUNC);
	lua_setmetatable(L, -2);
	lua_newtable(L);
	lua_pushvalue(L, module);
	lua_setfield(L, -2, "module");
	lua_setuservalue(L, -2);
}

/* Known by its mark, for each may have a metatable of its own (lua/goloader/roads/road.lua); that is quicker, too. */
static struct binding_func *check_func(lua_State *L)
{
	struct binding_func *f = lua_touserdata(L, 1);

	if (f == NULL || lua_rawlen(L, 1) != sizeof(*f) || f->mark != func_mark) {
		luaL_error(L, "a function of a module expected, got %s", luaL_typename(L, 1));
	}
	return f;
}

static struct gl_plan *plan_of(lua_State *L, struct binding_func *f)
{
	struct gl_plan *plan = binding_module_plan(L, f->module, f->export);

	/* Plans are made anew when a module could not be unloaded. */
	if (f->ffi != NULL && !gl_ffi_is_open(f->ffi)) {
		gl_ffi_open(f->ffi, plan);
	}
	return plan;
}

/* Calls, or does that method of, the function that has this one's name in the version of the moment. */
static int call_current(lua_State *L, const struct binding_func *f, const char *method)
{
	lua_getuservalue(L, 1);
	lua_getfield(L, -1, "module");
	lua_remove(L, -2);
	binding_share_follow(L, lua_gettop(L), f->module->exports[f->export].name);
	lua_replace(L, 1);
	if (method != NULL) {
		luaL_checkstack(L, 1, NULL);
		lua_getfield(L, 1, method);
		lua_insert(L, 1);
	}
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

/* func:many(array, …) -> a table for each result, or nil and an error */
static int func_many(lua_State *L)
{
	struct binding_func *f = check_func(L);

	return binding_share_enter(f->module) ? gl_plan_many(L, plan_of(L, f), 2, false) : call_current(L, f, "many");
}

/* func:many_discarded(array, …) -> number of calls, or nil and an error */
static int func_many_discarded(lua_State *L)
{
	struct binding_func *f = check_func(L);

	return binding_share_enter(f->module) ? gl_plan_many(L, plan_of(L, f), 2, true) :
						call_current(L, f, "many_discarded");
}

static int func_call(lua_State *L)
{
	struct binding_func *f = check_func(L);

	return binding_share_enter(f->module) ? gl_plan_call(L, plan_of(L, f), 2) : call_current(L, f, NULL);
}

/* { { kind =, low =, high = }, … }: of integers the least and the greatest that Lua may give */
static void push_places(lua_State *L, const struct gl_ffi_place *places, int n)
{
	static const char *const names[] = {
		[GL_FFI_BOOL] = "bool",   [GL_FFI_INT] = "int",       [GL_FFI_UINT] = "int",
		[GL_FFI_FLOAT] = "float", [GL_FFI_STRING] = "string", [GL_FFI_BYTES] = "string",
		[GL_FFI_ERROR] = "error", [GL_FFI_HANDLE] = "handle"
	};

	lua_createtable(L, n, 0);
	for (int i = 0; i < n; i++) {
		lua_createtable(L, 0, 3);
		binding_set_string(L, "kind", names[places[i].kind]);
		binding_set_integer(L, "bits", places[i].bits);
		binding_set_number(L, "low", (double)places[i].low);
		binding_set_number(L, "high", (double)places[i].high);
		lua_rawseti(L, -2, i + 1);
	}
}

int binding_push_ffi(lua_State *L, const struct gl_ffi_call *call)
{
	push_places(L, call->params, call->nparams);
	push_places(L, call->results, call->nresults);
	lua_pushboolean(L, call->sort == GL_FFI_INTEGRAL);
	gl_ffi_entry(call, lua_newuserdata(L, sizeof(struct gl_ffi_entry)));
	return 4;
}

/* func:ffi() -> address of its struct gl_ffi_call, as long as func lives; parameters, results; is it integral? and its
 * struct gl_ffi_entry; or nil when its types can't take the FFI road */
static int func_ffi(lua_State *L)
{
	struct binding_func *f = check_func(L);
	struct gl_plan *plan = plan_of(L, f);

	if (f->ffi == NULL) {
		f->ffi = gl_ffi_new(plan);
	}
	if (f->ffi == NULL) {
		return 0;
	}
	lua_pushlightuserdata(L, f->ffi);
	return 1 + binding_push_ffi(L, f->ffi);
}

/* func:ffi_finish() -> the results of the last call by FFI, where Lua can't take them */
static int func_ffi_finish(lua_State *L)
{
	struct binding_func *f = check_func(L);

	luaL_argcheck(L, f->ffi != NULL, 1, "no call by FFI");
	plan_of(L, f);
	return gl_ffi_finish(L, f->ffi);
}

static void keep_pure(struct binding_func *f, struct gl_pure *pure)
{
	if (pure != NULL) {
		gl_pure_keep(pure);
	}
	if (f->pure != NULL) {
		gl_pure_drop(f->pure);
	}
	f->pure = pure;
}

static int func_gc(lua_State *L)
{
	struct binding_func *f = check_func(L);

	bool is_shared = f->module->share != NULL;

	if (is_shared) { /* another Lua state may look whether a call is under way */
		gl_lock();
	}
	gl_ffi_free(f->ffi);
	f->ffi = NULL;
	keep_pure(f, NULL);
	if (is_shared) {
		gl_unlock();
	}
	return 0;
}

static int start_job(lua_State *L, bool keep)
{
	struct binding_func *f = check_func(L);
	/* Who owns the job is there before it: Lua's memory may be short, and without an owner nobody would drop it. */
	struct gl_job **job = binding_push_job(L, binding_module_host(f->module), 1);

	if (!binding_share_enter(f->module)) {
		lua_pop(L, 1);
		return call_current(L, f, keep ? "async_keep" : "async");
	}
	struct gl_plan *plan = plan_of(L, f);
	lua_insert(L, 2);
	gl_job_start(L, plan, 3, keep, job);
	lua_settop(L, 2);
	return 1;
}

/* func:async(…) -> job */
static int func_async(lua_State *L) { return start_job(L, false); }

/* func:async_keep(…) -> job, whose results stay in Go as handles */
static int func_async_keep(lua_State *L) { return start_job(L, true); }

/* func:stats([reset]) -> { calls =, crossings =, panics =, bytes_in =, bytes_out = } */
static int func_stats(lua_State *L)
{
	struct binding_func *f = check_func(L);

	if (!binding_share_enter(f->module)) {
		return call_current(L, f, "stats");
	}
	plan_of(L, f); /* raises where the module was unloaded */
	binding_share_leave_call(f->module);
	binding_push_counters(L, binding_module_counters(f->module, f->export), lua_toboolean(L, 2));
	return 1;
}

/* func:keep(arguments…) -> results, left in Go as handles */
static int func_keep(lua_State *L)
{
	struct binding_func *f = check_func(L);

	return binding_share_enter(f->module) ? gl_plan_call_keeping(L, plan_of(L, f), 2) : call_current(L, f, "keep");
}

static int func_tostring(lua_State *L)
{
	struct binding_func *f = check_func(L);
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

/* func:use_general_road(): for specs, which compare what travels by registers with what travels by a stream */
static int func_use_general_road(lua_State *L)
{
	gl_plan_use_general_road(plan_of(L, check_func(L)));
	return 0;
}

/* core.func_class() -> the metatable of functions, which is their __index too: Lua adds methods to it */
int binding_func_class(lua_State *L)
{
	luaL_getmetatable(L, FUNC);
	return 1;
}

static void push_place(lua_State *L, const struct gl_pure_place *place)
{
	lua_createtable(L, 0, 4);
	binding_set_string(L, "kind", place->kind);
	binding_set_integer(L, "bits", place->bits);
	binding_set_integer(L, "reg", place->reg);
	binding_set_string(L, "elem", place->elem);
}

static void push_pure_places(lua_State *L, const struct gl_plan *plan, size_t first, size_t n)
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
	binding_set_number(L, key, (double)(uintptr_t)p);
}

/* func:pure() -> { entry =, cell =, calls = (addresses, as long as func lives), params = { … }, results = { … } }, or
 * nil and { reason… } */
static int func_pure(lua_State *L)
{
	struct binding_func *f = check_func(L);
	struct gl_plan *plan = plan_of(L, f);
	const struct gl_export *export = binding_module_export(f->module, f->export);
	struct gl_reasons why;
	struct gl_pure *pure = gl_plan_pure(plan, &why);

	keep_pure(f, pure);
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
	push_pure_places(L, plan, 0, export->nparams);
	lua_setfield(L, -2, "params");
	push_pure_places(L, plan, export->nparams, export->nresults);
	lua_setfield(L, -2, "results");
	return 1;
}

/* func:explain(): as module:explain, with its name */
static int func_explain(lua_State *L)
{
	struct binding_func *f = check_func(L);

	return binding_module_explain(L, f->module, f->export);
}

/* func:cell() -> as module:cell */
static int func_cell(lua_State *L) { return binding_share_push_cell(L, check_func(L)->module); }

static int look(lua_State *L)
{
	struct binding_func *f = check_func(L);
	bool is_gone;
	int n = binding_share_look(L, f->module, &is_gone);

	return is_gone ? call_current(L, f, lua_tostring(L, lua_upvalueindex(2))) : n;
}

/* The same of addresses, which are another function's where this one has gone: it has none then. */
static int look_at_own(lua_State *L)
{
	bool is_gone;

	return binding_share_look(L, check_func(L)->module, &is_gone);
}

void binding_open_func(lua_State *L)
{
	static const luaL_Reg looks[] = { { "explain", func_explain }, { NULL, NULL } };
	static const luaL_Reg own[] = { { "ffi", func_ffi }, { "pure", func_pure }, { NULL, NULL } };
	static const luaL_Reg methods[] = {
		{ "__call", func_call },
		{ "async", func_async },
		{ "async_keep", func_async_keep },
		{ "many", func_many },
		{ "many_discarded", func_many_discarded },
		{ "stats", func_stats },
		{ "keep", func_keep },
		{ "cell", func_cell },
		{ "ffi_finish", func_ffi_finish },
		{ "use_general_road", func_use_general_road },
		{ "__tostring", func_tostring },
		{ "__gc", func_gc },
		{ NULL, NULL },
	};

	binding_new_class(L, FUNC, methods);
	binding_add_looks(L, FUNC, looks, look);
	binding_add_looks(L, FUNC, own, look_at_own);
}
