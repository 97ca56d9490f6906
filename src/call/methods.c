/* Methods of structs, maps, slices and arrays that Lua has as tables.
 *
 * If the type of such a value has methods, its table has a metatable in which they are found. There is one for each
 * class (class.c): all of its methods are in it from the start, so that a field that is not there, a nil pointer say,
 * is found missing without anybody's being called.
 *
 * A method is called in one of two ways:
 *
 *   1. The table is made a Go value, as an argument of any function is, and that is the receiver. This does where the
 *      method takes the value itself and shares nothing with it: where there is no slice, map or copied pointer in it.
 *   2. A variable is made of the table, the method is called on that, and then the table has what has become of it:
 *      the same table, as others may have it too. */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

#define METHODS "goloader.methods"

/* Metatables by the class's number: their key in the registry, by its address */
static const char metatables_key = 0;

struct table_method {
	char *name;
	bool by_value; /* there is one that takes the value itself */
	bool is_text;  /* func() string */
	struct gl_plan *plan;
};

/* What methods of one class share: Lua's, kept by them. */
struct table_methods {
	struct gl_caller *caller;
	uint64_t class;
	char *name; /* the type's */
	bool is_flat;
	struct table_method *list;
	size_t n;
};

void gl_forget_methods(lua_State *L)
{
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &metatables_key);
}

static int methods_gc(lua_State *L)
{
	struct table_methods *m = luaL_checkudata(L, 1, METHODS);

	for (size_t i = 0; i < m->n; i++) {
		gl_method_free(m->list[i].plan);
		free(m->list[i].name);
	}
	free(m->list);
	free(m->name);
	m->list = NULL;
	m->name = NULL;
	m->n = 0;
	if (m->caller != NULL) {
		gl_caller_drop(m->caller);
		m->caller = NULL;
	}
	return 0;
}

static struct table_methods *new_methods(lua_State *L, struct gl_caller *caller, uint64_t class)
{
	struct table_methods *m = lua_newuserdata(L, sizeof(*m));

	*m = (struct table_methods){ .class = class };
	gl_lua_set_gc(L, METHODS, methods_gc);
	m->caller = caller;
	caller->users++;
	return m;
}

/* What goloader_methods answers, but for signatures. */
static int read_methods(struct table_methods *m, const uint64_t *at)
{
	static const char text[] = "func() string";
	size_t len;

	m->name = gl_read_name(&at);
	m->is_flat = *at++ != 0;
	size_t n = *at++;
	m->list = calloc(n + 1, sizeof(*m->list));
	if (m->name == NULL || m->list == NULL) {
		return -1;
	}
	for (; m->n < n; m->n++) {
		m->list[m->n].name = gl_read_name(&at);
		const char *signature = gl_read_string(&at, &len);
		m->list[m->n].is_text = len == strlen(text) && memcmp(signature, text, len) == 0;
		m->list[m->n].by_value = *at++ != 0;
		if (m->list[m->n].name == NULL) {
			m->n++;
			return -1;
		}
	}
	return 0;
}

static void ask_for_methods(lua_State *L, struct table_methods *m)
{
	struct gl_caller *caller = m->caller;

	gl_caller_check(L, caller);
	struct gl_buffer out = gl_buffer_take(&caller->out);
	struct gl_methods_request request = { .id = m->class, .out = &out };
	gl_go_or_raise(L, caller, &caller->methods, &request);
	gl_call_check(L, caller, "methods", request.status, &out);
	int failed = read_methods(m, out.p);
	gl_buffer_give(&caller->out, &out);
	if (failed) {
		luaL_error(L, "no memory for a type's methods");
	}
}

/* Pushes what goloader_methods answers of a type, with signatures. */
static void push_list(lua_State *L, const uint64_t *at)
{
	size_t len;

	gl_read_string(&at, &len);
	at++;
	uint64_t n = *at++;
	lua_createtable(L, (int)n, 0);
	for (uint64_t i = 1; i <= n; i++) {
		lua_createtable(L, 0, 3);
		const char *s = gl_read_string(&at, &len);
		lua_pushlstring(L, s, len);
		lua_setfield(L, -2, "name");
		s = gl_read_string(&at, &len);
		lua_pushlstring(L, s, len);
		lua_setfield(L, -2, "signature");
		lua_pushboolean(L, *at++ == 0);
		lua_setfield(L, -2, "by_pointer");
		lua_rawseti(L, -2, (int)i);
	}
}

void gl_push_method_list(lua_State *L, struct gl_caller *caller, uintptr_t descriptor, const char *name)
{
	gl_caller_check(L, caller);
	luaL_checkstack(L, 8, NULL);
	struct gl_reading *r = gl_reading_begin(L, caller);
	struct gl_methods_request request = { .descriptor = (void *)descriptor, .out = &r->out };

	gl_go_or_raise(L, caller, &caller->methods, &request);
	gl_call_check(L, caller, name, request.status, &r->out);
	push_list(L, *gl_reading_at(r));
	gl_reading_end(L, r);
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

static void set_fields(lua_State *L, int table, const struct type *type)
{
	for (size_t i = 0; i < type->nfields; i++) {
		lua_pushstring(L, type->fields[i].name);
		lua_pushvalue(L, -1);
		lua_rawget(L, -3);
		lua_rawset(L, table);
	}
}

/* Gives the table at `table` the entries of the one on the top, and no others. */
static void set_entries(lua_State *L, int table)
{
	int from = lua_gettop(L);

	for (lua_pushnil(L); lua_next(L, table) != 0;) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, table);
	}
	for (lua_pushnil(L); lua_next(L, from) != 0;) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, table);
	}
}

/* Sets the table at `table` to the value that the handle at `handle` stands for. */
static void write_back(lua_State *L, int table, int handle)
{
	struct gl_class *class = gl_handle_open(L, handle);

	gl_handle_value(L, handle);
	if (class->value->kind == GL_KIND_STRUCT) {
		set_fields(L, table, class->value);
	} else {
		set_entries(L, table);
	}
	lua_pop(L, 1);
}

/* Calls it on a variable that is made of the table at 1. */
static int call_on_variable(lua_State *L, struct table_methods *m, struct gl_plan *plan)
{
	gl_handle_make_of(L, m->caller, m->class, m->name);
	gl_handle_set(L, lua_gettop(L), 1);
	lua_insert(L, 2);
	struct gl_handle *h = gl_handle_at(L, 2);
	lua_pushvalue(L, 2);
	lua_insert(L, 1); /* [handle] [table] [handle] [arguments] */
	int nresults = gl_plan_call(L, plan, 3);
	luaL_checkstack(L, 8, NULL);
	write_back(L, 2, 1);
	gl_handle_release(h);
	return nresults;
}

/* method(table, arguments…): upvalues are the methods and the number of this one */
static int call_method(lua_State *L)
{
	struct table_methods *m = lua_touserdata(L, lua_upvalueindex(1));
	size_t i = (size_t)lua_tonumber(L, lua_upvalueindex(2));

	if (i >= m->n) {
		return luaL_error(L, "the Lua state is being closed");
	}
	struct table_method *method = &m->list[i];
	bool by_value = method->by_value && m->is_flat;
	if (!lua_istable(L, 1)) {
		return luaL_error(L, "%s is a method: it is called with a colon, on a table that is a %s", method->name,
				  m->name);
	}
	luaL_checkstack(L, 8, NULL);
	if (method->plan == NULL) {
		method->plan = gl_method_ask(L, m->caller, m->class, m->name, method->name, by_value);
	}
	if (method->plan == NULL) {
		return luaL_error(L, "%s has no method '%s'", m->name, method->name);
	}
	return by_value ? gl_plan_call(L, method->plan, 1) : call_on_variable(L, m, method->plan);
}

/* What the table of methods on the top says a value is, if anything, is what tostring gives: package fmt asks for
 * Error before String. */
static void set_tostring(lua_State *L, const struct table_method *method)
{
	bool is_error = strcmp(method->name, "Error") == 0;

	if (!method->is_text || (!is_error && strcmp(method->name, "String") != 0)) {
		return;
	}
	lua_getfield(L, -2, "__tostring");
	bool is_set = !lua_isnil(L, -1);
	lua_pop(L, 1);
	if (is_error || !is_set) {
		lua_getfield(L, -1, method->name);
		lua_setfield(L, -3, "__tostring");
	}
}

/* What it shares with others of its class, where the table at idx has methods; else NULL */
static const struct table_methods *methods_of(lua_State *L, int idx)
{
	const struct table_methods *m = NULL;

	luaL_checkstack(L, 4, NULL);
	if (!lua_getmetatable(L, idx)) {
		return NULL;
	}
	lua_rawgeti(L, -1, 1);
	if (lua_type(L, -1) == LUA_TUSERDATA && lua_getmetatable(L, -1)) {
		luaL_getmetatable(L, METHODS);
		m = lua_rawequal(L, -1, -2) ? lua_touserdata(L, -3) : NULL;
		lua_pop(L, 2);
	}
	lua_pop(L, 2);
	return m != NULL && m->caller != NULL ? m : NULL;
}

struct gl_class *gl_push_class_of_table(lua_State *L, int idx)
{
	const struct table_methods *m = methods_of(L, idx);

	return m != NULL ? gl_class_push(L, m->caller, m->class) : NULL;
}

static void push_metatable(lua_State *L, struct gl_caller *caller, uint64_t class)
{
	luaL_checkstack(L, 8, NULL);
	struct table_methods *m = new_methods(L, caller, class);
	ask_for_methods(L, m);
	lua_createtable(L, 0, 3);
	lua_createtable(L, 0, (int)m->n);
	for (size_t i = 0; i < m->n; i++) {
		lua_pushvalue(L, -3);
		lua_pushnumber(L, (lua_Number)i);
		lua_pushcclosure(L, call_method, 2);
		lua_setfield(L, -2, m->list[i].name);
		set_tostring(L, &m->list[i]);
	}
	lua_setfield(L, -2, "__index");
	lua_pushstring(L, m->name);
	lua_setfield(L, -2, "__name");
	lua_pushvalue(L, -2);
	lua_rawseti(L, -2, 1);
	lua_remove(L, -2);
}

void gl_push_methods(lua_State *L, struct gl_caller *caller, uint64_t class)
{
	gl_push_table(L, &metatables_key, false);
	lua_pushnumber(L, (lua_Number) class);
	lua_rawget(L, -2);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		push_metatable(L, caller, class);
		lua_pushnumber(L, (lua_Number) class);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);
	}
	lua_remove(L, -2);
}
