/* Classes: what handles of one type have in common (src/host/classes.go).
 *
 * What is known of a class, its fields and the plans of its methods, is asked of Go when a handle's member is first
 * used, and is Lua's as long as it is a handle's: the user value of a handle is its class's table of members, by their
 * names. There a field is its number, a method a function. The class itself is at [1]. */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

#define CLASS "goloader.class"

/* Tables of members by the class's number, and who makes methods quicker: their keys in the registry, by address */
static const char classes_key = 0;
static const char maker_key = 0;

enum { MOST_CLASSES = 1000 };

void gl_caller_check(lua_State *L, struct gl_caller *caller)
{
	struct gl_error err;

	if (gl_host_check(caller->host, &err) != 0) {
		luaL_error(L, "%s", err.message);
	}
}

/* Pushes a table of the registry's; weak: its keys are. */
void gl_push_table(lua_State *L, const char *key, bool weak)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, key);
	if (!lua_istable(L, -1)) {
		lua_pop(L, 1);
		lua_newtable(L);
		if (weak) {
			lua_createtable(L, 0, 1);
			lua_pushliteral(L, "k");
			lua_setfield(L, -2, "__mode");
			lua_setmetatable(L, -2);
		}
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, key);
	}
}

/* Handles that there are keep their classes, new ones get new ones. A weak table would not do: what has a finalizer
 * that is about to run can still be found in it. */
void gl_handle_forget_classes(lua_State *L, struct gl_caller *caller)
{
	luaL_checkstack(L, 4, NULL);
	gl_handle_push_classes(L);
	lua_pushnil(L);
	while (lua_next(L, -2) != 0) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, -4);
	}
	lua_pop(L, 1);
	caller->nclasses = 0;
	gl_forget_methods(L);
}

void gl_handle_push_classes(lua_State *L) { gl_push_table(L, &classes_key, false); }

/* A plan of a class has an export of its own, which says nothing but what messages need. */
void gl_method_free(struct gl_plan *plan)
{
	if (plan == NULL) {
		return;
	}
	struct gl_export *export = (struct gl_export *)plan->export;

	gl_plan_free(plan);
	free((char *)export->name);
	free((char *)export->signature);
	free((void *)export->params);
	free(export);
}

static int class_gc(lua_State *L)
{
	struct gl_class *class = luaL_checkudata(L, 1, CLASS);

	gl_class_retire_calls(class);
	for (size_t i = 0; i < class->nmethods; i++) {
		gl_method_free(class->methods[i]);
	}
	free(class->methods);
	class->methods = NULL;
	class->nmethods = 0;
	gl_method_free(class->call);
	gl_method_free(class->copy);
	class->call = class->copy = NULL;
	for (size_t i = 0; i < class->nfields; i++) {
		free(class->fields[i].name);
	}
	free(class->fields);
	free(class->access);
	class->fields = NULL;
	class->access = NULL;
	class->nfields = 0;
	free(class->name);
	class->name = NULL;
	if (class->plan.caller != NULL) {
		gl_plan_clear(&class->plan);
		gl_caller_drop(class->plan.caller);
		class->plan.caller = NULL;
	}
	return 0;
}

static int read_class(struct gl_class *class, const uint64_t *at)
{
	struct gl_plan *plan = &class->plan;

	class->shape = (enum gl_shape) * at++;
	class->has_methods = *at++ != 0;
	class->name = gl_read_name(&at);
	if (class->name == NULL || gl_plan_read_types(plan, &at) != 0) {
		return -1;
	}
	class->key = &plan->types[*at++];
	class->elem = &plan->types[*at++];
	class->value = &plan->types[*at++];
	size_t nfields = *at++;
	class->fields = calloc(nfields + 1, sizeof(*class->fields));
	class->access = calloc(nfields + 1, sizeof(*class->access));
	if (class->fields == NULL || class->access == NULL) {
		return -1;
	}
	for (; class->nfields < nfields; class->nfields++) {
		struct type_field *field = &class->fields[class->nfields];

		field->name = gl_read_name(&at);
		field->type = &plan->types[*at++];
		class->access[class->nfields].offset = *at++;
		if (field->name == NULL) {
			return -1;
		}
	}
	return 0;
}

/* Makes the class and pushes its table of members. The handle is one of the class; 0: NULL, and nothing is pushed,
 * where Go has the class no more. */
static struct gl_class *make_class(lua_State *L, struct gl_caller *caller, uint64_t id, uint64_t handle)
{
	/* Other Lua states unload modules, too. */
	if (++caller->nclasses > MOST_CLASSES) {
		gl_handle_forget_classes(L, caller);
	}
	lua_newtable(L);
	struct gl_class *class = lua_newuserdata(L, sizeof(*class));
	*class = (struct gl_class){ .id = id, .plan.caller = caller, .export.kind = GL_EXPORT_VAR };
	class->plan.export = &class->export;
	caller->users++;
	gl_lua_set_gc(L, CLASS, class_gc);
	lua_newtable(L); /* calls by FFI of its methods */
	lua_setuservalue(L, -2);

	struct gl_buffer out = gl_buffer_take(&caller->out);
	struct gl_class_request request = { .id = id, .handle = handle, .out = &out };
	gl_go_or_raise(L, caller, &caller->class_of, &request);
	if (handle == 0 && request.status != GL_CALL_DONE) {
		gl_buffer_give(&caller->out, &out);
		lua_pop(L, 2);
		return NULL;
	}
	gl_call_check(L, caller, "handle", request.status, &out);
	class->plan.handle = request.plan;
	int failed = read_class(class, out.p);
	gl_buffer_give(&caller->out, &out);
	if (failed) {
		luaL_error(L, "no memory for a handle's class");
	}
	class->export.name = class->name;
	for (size_t i = 0; i < class->nfields; i++) {
		lua_pushstring(L, class->fields[i].name);
		lua_pushnumber(L, (lua_Number)i);
		lua_rawset(L, -4);
	}
	lua_rawseti(L, -2, 1);
	gl_handle_push_classes(L);
	lua_pushnumber(L, (lua_Number)id);
	lua_pushvalue(L, -3);
	lua_rawset(L, -3);
	lua_pop(L, 1);
	return class;
}

static struct gl_class *make_class_of(lua_State *L, const struct gl_handle *h)
{
	luaL_checkstack(L, 8, NULL);
	if (h->id == 0) {
		luaL_error(L, "a handle that was released");
	}
	gl_caller_check(L, h->caller);
	return make_class(L, h->caller, h->class, h->id);
}

struct gl_class *gl_class_push(lua_State *L, struct gl_caller *caller, uint64_t id)
{
	uint64_t unloaded = gl_host_unloaded(caller->host);

	luaL_checkstack(L, 8, NULL);
	if (caller->unloaded != unloaded) { /* perhaps what the class is of */
		gl_handle_forget_classes(L, caller);
		caller->unloaded = unloaded;
	}
	gl_handle_push_classes(L);
	lua_pushnumber(L, (lua_Number)id);
	lua_rawget(L, -2);
	lua_remove(L, -2);
	if (lua_istable(L, -1)) {
		lua_rawgeti(L, -1, 1);
		struct gl_class *class = lua_touserdata(L, -1);
		lua_pop(L, 1);
		if (class->name != NULL) {
			return class;
		}
	}
	lua_pop(L, 1);
	return make_class(L, caller, id, 0);
}

/* Has the handle at idx its class's table of members, from itself or from another handle that was used before? */
static bool is_open(lua_State *L, int idx, struct gl_handle *h)
{
	if (!h->is_open) {
		lua_pushvalue(L, idx);
		gl_handle_set_members(L, h);
		lua_pop(L, 1);
	}
	return h->is_open;
}

/* Pushes the table of members, and returns the class. */
static struct gl_class *push_members(lua_State *L, int idx)
{
	struct gl_handle *h = gl_handle_at(L, idx);
	struct gl_class *class = NULL;

	gl_handle_check(L, idx);
	idx = lua_absindex(L, idx);
	if (is_open(L, idx, h)) {
		lua_getuservalue(L, idx);
		lua_rawgeti(L, -1, 1);
		class = lua_touserdata(L, -1);
		lua_pop(L, 1);
		if (class->name != NULL) {
			return class;
		}
		lua_pop(L, 1); /* a finalizer of somebody else's has the handle still */
	}
	class = make_class_of(L, h);
	lua_pushvalue(L, -1);
	lua_setuservalue(L, idx);
	h->is_open = true;
	return class;
}

bool gl_handle_push_members(lua_State *L, int idx)
{
	struct gl_handle *h = gl_handle_at(L, idx);

	luaL_checkstack(L, 4, NULL);
	if (h->caller == NULL || !is_open(L, idx, h)) {
		return false;
	}
	lua_getuservalue(L, idx);
	return true;
}

struct gl_class *gl_handle_open(lua_State *L, int idx)
{
	struct gl_class *class = push_members(L, idx);

	lua_pop(L, 1); /* the handle keeps it */
	return class;
}

void gl_handle_set_members(lua_State *L, struct gl_handle *h)
{
	gl_handle_push_classes(L);
	lua_pushnumber(L, (lua_Number)h->class);
	lua_rawget(L, -2);
	lua_remove(L, -2);
	h->is_open = lua_istable(L, -1);
	if (h->is_open) {
		lua_setuservalue(L, -2);
	} else {
		lua_pop(L, 1);
	}
}

/* ---- plans ------------------------------------------------------------------------------------------------------ */

static struct gl_plan *read_plan(struct gl_caller *caller, const struct gl_method_request *request, const uint64_t *at,
				 bool is_func)
{
	struct gl_plan *plan = calloc(1, sizeof(*plan));
	struct gl_export *export = calloc(1, sizeof(*export));
	size_t n = (size_t)request->nparams + request->nresults;
	struct gl_param *params = calloc(n + 1, sizeof(*params));

	if (plan == NULL || export == NULL || params == NULL) {
		free(plan);
		free(export);
		free(params);
		gl_go_free_plan(caller, request->plan);
		return NULL;
	}
	*export = (struct gl_export){ .name = strndup(request->name, request->len),
				      .kind = is_func ? GL_EXPORT_FUNC : GL_EXPORT_VAR,
				      .addr = (uintptr_t)request->addr,
				      .params = params,
				      .nparams = request->nparams,
				      .nresults = request->nresults,
				      .typed = true };
	*plan = (struct gl_plan){ .caller = caller,
				  .export = export,
				  .name = strndup(request->name, request->len),
				  .refs = 1,
				  .handle = request->plan,
				  .nparams = request->nparams,
				  .nresults = request->nresults,
				  .nplaces = n,
				  .receiver = request->addr != NULL,
				  .by_pointer = request->by_pointer };
	bool ok = export->name != NULL && plan->name != NULL && gl_plan_read_types(plan, &at) == 0 &&
		  gl_plan_read_places(plan, &at) == 0;
	if (ok && is_func) {
		export->variadic = *at++ != 0;
		export->signature = gl_read_name(&at);
		ok = export->signature != NULL;
	}
	ok = ok && gl_plan_find_refusal(plan) == 0;
	if (!ok) {
		gl_method_free(plan);
		return NULL;
	}
	if (plan->receiver) {
		gl_plan_find_road(plan);
	}
	return plan;
}

/* Asks for the plan of a method, or of what a function value does; NULL where the class has no such method. shown: what
 * messages call it where it has no name */
static struct gl_plan *request_plan(lua_State *L, struct gl_caller *caller, const struct gl_entry *ask,
				    const struct gl_method_request *request, const char *class_name, const char *shown)
{
	struct gl_plan *plan = NULL;

	gl_caller_check(L, caller);
	struct gl_buffer out = gl_buffer_take(&caller->out);
	struct gl_method_request asked = *request;
	asked.out = &out;
	gl_go_or_raise(L, caller, ask, &asked);
	gl_call_check(L, caller, class_name, asked.status, &out);
	if (asked.plan != 0) {
		if (asked.len == 0) {
			asked.name = shown;
			asked.len = strlen(shown);
		}
		plan = read_plan(caller, &asked, out.p, ask == &caller->method);
	}
	gl_buffer_give(&caller->out, &out);
	if (asked.plan != 0 && plan == NULL) {
		luaL_error(L, "no memory to call a method of %s", class_name);
	}
	return plan;
}

struct gl_plan *gl_method_ask(lua_State *L, struct gl_caller *caller, uint64_t class, const char *class_name,
			      const char *name, bool by_value)
{
	struct gl_method_request request = { .id = class, .name = name, .len = strlen(name), .by_value = by_value };

	return request_plan(L, caller, &caller->method, &request, class_name, name);
}

/* The same for the class of a handle. */
static struct gl_plan *ask_for_plan(lua_State *L, const struct gl_handle *h, struct gl_class *class,
				    const struct gl_entry *ask, const char *name, size_t len, const char *shown)
{
	struct gl_method_request request = { .id = class->id, .handle = h->id, .name = name, .len = len };

	if (h->id == 0) {
		luaL_error(L, "handle of %s: it was released", class->name);
	}
	return request_plan(L, class->plan.caller, ask, &request, class->name, shown);
}

void gl_handle_copy(lua_State *L, int idx)
{
	idx = lua_absindex(L, idx);
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_caller *caller = class->plan.caller;

	if (class->copy == NULL) {
		class->copy = ask_for_plan(L, gl_handle_at(L, idx), class, &caller->copy_plan, "", 0, class->name);
	}
	struct gl_reading *r = gl_reading_begin(L, caller);
	struct gl_handle_op op = { .op = GL_OP_COPY, .plan = class->copy->handle, .out = &r->out };
	gl_handle_do(L, idx, &op);
	gl_decode(L, gl_reading_at(r), class->copy->places[0].type);
	gl_reading_end(L, r);
}

int gl_handle_call(lua_State *L)
{
	struct gl_handle *h = gl_handle_at(L, 1);
	struct gl_class *class = gl_handle_open(L, 1);

	if (h->id == 0) {
		return gl_handle_fail_released(L, 1);
	}
	if (class->shape < GL_SHAPE_FUNC) {
		return luaL_error(L, "a handle of %s can't be called", class->name);
	}
	if (class->call == NULL) {
		class->call = ask_for_plan(L, h, class, &class->plan.caller->method, "", 0, class->name);
	}
	return gl_plan_call_closure(L, class->call, 2, h->id);
}

/* method(handle, arguments…): upvalues are the class and the method's number in it */
static int call_method(lua_State *L)
{
	struct gl_class *class = lua_touserdata(L, lua_upvalueindex(1));
	size_t i = (size_t)lua_tonumber(L, lua_upvalueindex(2));
	struct gl_handle *h = gl_handle_at(L, 1);

	if (class->methods == NULL) {
		return luaL_error(L, "the Lua state is being closed");
	}
	struct gl_plan *plan = class->methods[i];
	if (h == NULL || h->class != class->id) {
		return luaL_error(L, "%s is a method: it is called with a colon, on a handle of %s", plan->export->name,
				  class->name);
	}
	if (h->id == 0) {
		return gl_handle_fail_released(L, 1);
	}
	return gl_plan_call(L, plan, 1);
}

static struct gl_plan *find_method(const struct gl_class *class, const char *name)
{
	for (size_t i = 0; i < class->nmethods; i++) {
		if (strcmp(class->methods[i]->name, name) == 0) {
			return class->methods[i];
		}
	}
	return NULL;
}

struct gl_plan *gl_handle_take_method(lua_State *L, int idx)
{
	size_t field;

	if (lua_type(L, idx + 1) != LUA_TSTRING) {
		luaL_error(L, "a method's name expected, got %s", luaL_typename(L, idx + 1));
	}
	if (gl_handle_member(L, idx, idx + 1, &field) != GL_MEMBER_METHOD) {
		luaL_error(L, "%s has no method '%s'", gl_handle_type(L, idx), lua_tostring(L, idx + 1));
	}
	struct gl_plan *plan = find_method(gl_handle_open(L, idx), lua_tostring(L, idx + 1));
	if (plan == NULL) {
		luaL_error(L, "the Lua state is being closed");
	}
	lua_pop(L, 1);
	lua_remove(L, idx + 1);
	if (gl_handle_at(L, idx)->id == 0) {
		gl_handle_fail_released(L, idx);
	}
	return plan;
}

uintptr_t gl_method_address(const struct gl_plan *plan, const char **name)
{
	*name = plan->export->name;
	return plan->export->addr;
}

void gl_handle_set_maker(lua_State *L, int idx)
{
	lua_pushvalue(L, idx);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &maker_key);
}

/* Replaces the method on the top by what the maker has made of it. */
static void make_quicker(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &maker_key);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		return;
	}
	lua_insert(L, -2);
	lua_call(L, 1, 1);
}

struct gl_plan *gl_method_plan(lua_State *L, int idx, struct gl_class **class)
{
	if (lua_tocfunction(L, idx) != call_method) {
		luaL_argerror(L, idx, "a method of a handle expected");
	}
	lua_getupvalue(L, idx, 1);
	lua_getupvalue(L, idx, 2);
	*class = lua_touserdata(L, -2);
	size_t i = (size_t)lua_tonumber(L, -1);
	lua_pop(L, 2);
	if (i >= (*class)->nmethods) {
		luaL_error(L, "the Lua state is being closed");
		return NULL; /* not reached */
	}
	return (*class)->methods[i];
}

/* Adds a method to the table of members, which is on the top, and pushes it; or nil. */
static void push_method(lua_State *L, const struct gl_handle *h, struct gl_class *class, const char *name, size_t len)
{
	struct gl_plan *plan = ask_for_plan(L, h, class, &class->plan.caller->method, name, len, name);

	if (plan == NULL) {
		lua_pushnil(L);
		return;
	}
	struct gl_plan **methods = realloc(class->methods, (class->nmethods + 1) * sizeof(struct gl_plan *));
	if (methods == NULL) {
		gl_method_free(plan);
		luaL_error(L, "no memory for the methods of %s", class->name);
		return; /* not reached */
	}
	class->methods = methods;
	methods[class->nmethods] = plan;
	lua_rawgeti(L, -1, 1);
	lua_pushnumber(L, (lua_Number) class->nmethods++);
	lua_pushcclosure(L, call_method, 2);
	make_quicker(L);
	lua_pushlstring(L, name, len);
	lua_pushvalue(L, -2);
	lua_rawset(L, -4);
}

enum gl_member gl_handle_member(lua_State *L, int idx, int key, size_t *field)
{
	size_t len;
	const char *name = lua_tolstring(L, key, &len);
	struct gl_class *class = push_members(L, idx);

	lua_pushvalue(L, key);
	lua_rawget(L, -2);
	if (lua_isnil(L, -1) && class->has_methods &&
	    ((name[0] >= 'A' && name[0] <= 'Z') || (unsigned char)name[0] >= 0x80)) {
		lua_pop(L, 1);
		push_method(L, gl_handle_at(L, idx), class, name, len);
	}
	lua_remove(L, -2);
	switch (lua_type(L, -1)) {
	case LUA_TNUMBER:
		*field = (size_t)lua_tonumber(L, -1);
		lua_pop(L, 1);
		return GL_MEMBER_FIELD;
	case LUA_TFUNCTION: return GL_MEMBER_METHOD;
	default: lua_pop(L, 1); return GL_MEMBER_NONE;
	}
}
