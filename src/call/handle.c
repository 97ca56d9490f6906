/* Handles: userdata that stand for Go values which stay in Go (src/host/handles.go).
 *
 * A handle holds a number and the number of its class. What is known of a class, its fields and the plans of its
 * methods, is asked of Go when a handle's member is first used, and is Lua's as long as a handle of the class is: the
 * user value of a handle is its class's table of members, by their names. There a field is its number, a method a
 * function. The class itself is at [1].
 *
 * When Lua collects a handle, Go is told, but not at once: many numbers go in one crossing. */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

/* Keys in the registry, by their addresses: the metatable of handles, tables of members by the class's number, and
 * handles by error table (weak) */
static const char meta_key = 0, classes_key = 0, errors_key = 0;
static const char handle_mark[] = "goloader.handle";

#define CLASS "goloader.class"

enum { MOST_CLASSES = 1000 };

/* ---- userdata --------------------------------------------------------------------------------------------------- */

struct gl_handle *gl_handle_at(lua_State *L, int idx)
{
	struct gl_handle *h = lua_touserdata(L, idx);

	return h != NULL && lua_rawlen(L, idx) == sizeof(*h) && h->mark == handle_mark ? h : NULL;
}

/* Pushes a table of the registry's; weak: its keys are. */
static void push_table(lua_State *L, const char *key, bool weak)
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
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &classes_key);
	caller->nclasses = 0;
}

static void set_members(lua_State *L, struct gl_handle *h)
{
	push_table(L, &classes_key, false);
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

void gl_handle_push(lua_State *L, struct gl_caller *caller, uint64_t id, uint64_t class)
{
	luaL_checkstack(L, 6, "a result nests too deep");
	struct gl_handle *h = lua_newuserdata(L, sizeof(*h));

	*h = (struct gl_handle){ .mark = handle_mark, .caller = caller, .id = id, .class = class };
	caller->users++;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_key);
	lua_setmetatable(L, -2);
	if (class != 0) {
		set_members(L, h);
	}
}

void gl_handle_release(struct gl_handle *h)
{
	if (h->id != 0) {
		gl_caller_release(h->caller, h->id);
		h->id = 0;
	}
}

static int handle_gc(lua_State *L)
{
	struct gl_handle *h = gl_handle_at(L, 1);

	if (h != NULL && h->caller != NULL) {
		gl_handle_release(h);
		gl_caller_drop(h->caller);
		h->caller = NULL;
	}
	return 0;
}

void gl_lua_set_handle_metatable(lua_State *L, int idx)
{
	idx = lua_absindex(L, idx);
	lua_pushcfunction(L, handle_gc);
	lua_setfield(L, idx, "__gc");
	lua_pushvalue(L, idx);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &meta_key);
}

/* ---- classes ---------------------------------------------------------------------------------------------------- */

static int class_gc(lua_State *L)
{
	struct gl_class *class = luaL_checkudata(L, 1, CLASS);

	for (size_t i = 0; i < class->nmethods; i++) {
		gl_plan_free_method(class->methods[i]);
	}
	free(class->methods);
	class->methods = NULL;
	class->nmethods = 0;
	gl_plan_free_method(class->call);
	gl_plan_free_method(class->copy);
	class->call = class->copy = NULL;
	for (size_t i = 0; i < class->nfields; i++) {
		free(class->fields[i].name);
	}
	free(class->fields);
	class->fields = NULL;
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
	for (; class->fields != NULL && class->nfields < nfields; class->nfields++) {
		struct type_field *field = &class->fields[class->nfields];

		field->name = gl_read_name(&at);
		field->type = &plan->types[*at++];
		if (field->name == NULL) {
			return -1;
		}
	}
	return class->fields != NULL ? 0 : -1;
}

static void check_host(lua_State *L, struct gl_caller *caller)
{
	struct gl_error err;

	if (gl_host_check(caller->host, &err) != 0) {
		luaL_error(L, "%s", err.message);
	}
}

/* Makes the class and pushes its table of members. */
static struct gl_class *make_class(lua_State *L, const struct gl_handle *h)
{
	struct gl_caller *caller = h->caller;
	uint64_t id = h->class;

	luaL_checkstack(L, 8, NULL);
	check_host(L, caller);
	/* Other Lua states unload modules, too. */
	if (++caller->nclasses > MOST_CLASSES) {
		gl_handle_forget_classes(L, caller);
	}
	lua_newtable(L);
	struct gl_class *class = lua_newuserdata(L, sizeof(*class));
	*class = (struct gl_class){ .id = id, .plan.caller = caller, .export.kind = GL_EXPORT_VAR };
	class->plan.export = &class->export;
	caller->users++;
	if (luaL_newmetatable(L, CLASS)) {
		lua_pushcfunction(L, class_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);

	struct gl_buffer out = gl_buffer_take(&caller->out);
	struct gl_class_request request = { .id = id, .handle = h->id, .out = &out };
	caller->class_of(&request);
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
	push_table(L, &classes_key, false);
	lua_pushnumber(L, (lua_Number)id);
	lua_pushvalue(L, -3);
	lua_rawset(L, -3);
	lua_pop(L, 1);
	return class;
}

/* Pushes the table of members, and returns the class. */
static struct gl_class *push_members(lua_State *L, int idx)
{
	struct gl_handle *h = gl_handle_at(L, idx);
	struct gl_class *class = NULL;

	idx = lua_absindex(L, idx);
	if (h->is_open) {
		lua_getuservalue(L, idx);
		lua_rawgeti(L, -1, 1);
		class = lua_touserdata(L, -1);
		lua_pop(L, 1);
		if (class->name != NULL) {
			return class;
		}
		lua_pop(L, 1); /* a finalizer of somebody else's has the handle still */
	}
	class = make_class(L, h);
	lua_pushvalue(L, -1);
	lua_setuservalue(L, idx);
	h->is_open = true;
	return class;
}

struct gl_class *gl_handle_open(lua_State *L, int idx)
{
	struct gl_class *class = push_members(L, idx);

	lua_pop(L, 1); /* the handle keeps it */
	return class;
}

uint64_t gl_handle_id(const struct gl_handle *h) { return h->id; }
enum gl_shape gl_handle_shape(lua_State *L, int idx) { return gl_handle_open(L, idx)->shape; }
const char *gl_handle_type(lua_State *L, int idx)
{
	return gl_handle_at(L, idx)->class == 0 ? "error" : gl_handle_open(L, idx)->name;
}

const char *gl_handle_field_name(lua_State *L, int idx, size_t i)
{
	struct gl_class *class = gl_handle_open(L, idx);

	return i < class->nfields ? class->fields[i].name : NULL;
}

/* ---- what is done with them ------------------------------------------------------------------------------------- */

static int fail_released(lua_State *L, int idx)
{
	struct gl_handle *h = gl_handle_at(L, idx);

	if (!h->is_open) {
		return luaL_error(L, "a handle that was released");
	}
	return luaL_error(L, "handle of %s: it was released", gl_handle_open(L, idx)->name);
}

void gl_handle_do(lua_State *L, int idx, struct gl_handle_op *op)
{
	struct gl_handle *h = gl_handle_at(L, idx);
	struct gl_caller *caller = h->caller;
	struct gl_buffer none = { 0 }, *out = op->out != NULL ? op->out : &none;
	struct gl_error err;
	bool can_go = h->id != 0 && gl_host_check(caller->host, &err) == 0;

	op->handle = h->id;
	op->out = out;
	if (can_go) {
		gl_enter(caller, &caller->handle, op);
		if (op->status == GL_CALL_DONE) {
			free(none.p);
			return;
		}
	}
	/* No error may leave the streams behind. What is asked of an error is in memory of Lua's. */
	if (op->in != NULL && op->op != GL_OP_AS) {
		gl_buffer_give(&caller->in, (struct gl_buffer *)op->in);
	}
	if (!can_go) {
		gl_buffer_give(&caller->out, out);
		if (h->id == 0) {
			fail_released(L, idx);
		}
		luaL_error(L, "%s", err.message);
	}
	gl_call_check(L, caller, h->is_open ? gl_handle_open(L, idx)->name : "handle", op->status, out);
}

/* Does it and pushes what Go wrote, as a value of the type that was read from inside. */
static void read_value(lua_State *L, int idx, struct gl_handle_op *op, const struct type *type, struct gl_buffer *in)
{
	struct gl_caller *caller = gl_handle_at(L, idx)->caller;
	struct gl_buffer out = gl_buffer_take(&caller->out);
	const uint64_t *at;

	op->out = &out;
	op->in = in;
	gl_handle_do(L, idx, op);
	if (in != NULL) {
		gl_buffer_give(&caller->in, in);
	}
	at = out.p;
	gl_decode_kept(L, &at, type, false);
	gl_buffer_give(&caller->out, &out);
}

static struct encoder encoder_of(lua_State *L, struct gl_class *class, struct gl_buffer *in, const char *name)
{
	class->export.name = name;
	return (struct encoder){ .L = L, .plan = &class->plan, .in = in };
}

static void write_value(lua_State *L, int idx, struct gl_handle_op *op, struct gl_buffer *in)
{
	struct gl_caller *caller = gl_handle_at(L, idx)->caller;
	struct gl_buffer out = gl_buffer_take(&caller->out);

	op->in = in;
	op->out = &out;
	gl_handle_do(L, idx, op);
	gl_buffer_give(&caller->in, in);
	gl_buffer_give(&caller->out, &out);
}

void gl_handle_field(lua_State *L, int idx, size_t i)
{
	struct gl_class *class = gl_handle_open(L, idx);

	read_value(L, idx, &(struct gl_handle_op){ .op = GL_OP_FIELD, .n = i }, class->fields[i].type, NULL);
}

void gl_handle_set_field(lua_State *L, int idx, size_t i, int value)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_buffer in = gl_buffer_take(&class->plan.caller->in);
	struct encoder e = encoder_of(L, class, &in, class->fields[i].name);

	gl_encode(&e, lua_absindex(L, value), class->fields[i].type, NULL);
	write_value(L, idx, &(struct gl_handle_op){ .op = GL_OP_SET_FIELD, .n = i }, &in);
}

void gl_handle_index(lua_State *L, int idx, uint64_t i)
{
	struct gl_class *class = gl_handle_open(L, idx);

	read_value(L, idx, &(struct gl_handle_op){ .op = GL_OP_INDEX, .n = i }, class->elem, NULL);
}

void gl_handle_set_index(lua_State *L, int idx, uint64_t i, int value)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_buffer in = gl_buffer_take(&class->plan.caller->in);
	struct encoder e = encoder_of(L, class, &in, class->name);

	gl_encode(&e, lua_absindex(L, value), class->elem, &(struct path){ .index = (int)i + 1 });
	write_value(L, idx, &(struct gl_handle_op){ .op = GL_OP_SET_INDEX, .n = i }, &in);
}

/* An element of a map; nil where the key is not there. */
void gl_handle_key(lua_State *L, int idx, int key)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_caller *caller = class->plan.caller;
	struct gl_buffer in = gl_buffer_take(&caller->in), out;
	struct encoder e = encoder_of(L, class, &in, class->name);
	struct gl_handle_op op = { .op = GL_OP_KEY, .in = &in, .out = &out };

	key = lua_absindex(L, key);
	gl_encode(&e, key, class->key, &(struct path){ .key = key });
	out = gl_buffer_take(&caller->out);
	gl_handle_do(L, idx, &op);
	gl_buffer_give(&caller->in, &in);
	if (op.result != 0) {
		const uint64_t *at = out.p;
		gl_decode_kept(L, &at, class->elem, false);
	} else {
		lua_pushnil(L);
	}
	gl_buffer_give(&caller->out, &out);
}

void gl_handle_set_key(lua_State *L, int idx, int key, int value)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_buffer in = gl_buffer_take(&class->plan.caller->in);
	struct encoder e = encoder_of(L, class, &in, class->name);
	bool is_nil = lua_isnil(L, value);

	key = lua_absindex(L, key);
	value = lua_absindex(L, value);
	gl_encode(&e, key, class->key, &(struct path){ .key = key });
	if (!is_nil) {
		gl_encode(&e, value, class->elem, &(struct path){ .key = key });
	}
	write_value(L, idx, &(struct gl_handle_op){ .op = is_nil ? GL_OP_DELETE_KEY : GL_OP_SET_KEY }, &in);
}

void gl_handle_get(lua_State *L, int idx)
{
	struct gl_class *class = gl_handle_open(L, idx);

	read_value(L, idx, &(struct gl_handle_op){ .op = GL_OP_GET }, class->value, NULL);
}

void gl_handle_set(lua_State *L, int idx, int value)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_buffer in = gl_buffer_take(&class->plan.caller->in);
	struct encoder e = encoder_of(L, class, &in, class->name);

	gl_encode(&e, lua_absindex(L, value), class->value, NULL);
	write_value(L, idx, &(struct gl_handle_op){ .op = GL_OP_SET }, &in);
}

int64_t gl_handle_ask(lua_State *L, int idx, enum gl_op what, uint64_t n)
{
	struct gl_caller *caller = gl_handle_at(L, idx)->caller;
	struct gl_buffer out = gl_buffer_take(&caller->out);
	struct gl_handle_op op = { .op = what, .n = n, .out = &out };

	gl_handle_do(L, idx, &op);
	gl_buffer_give(&caller->out, &out);
	return op.result;
}

void gl_handle_text(lua_State *L, int idx)
{
	struct gl_caller *caller = gl_handle_at(L, idx)->caller;
	struct gl_buffer out = gl_buffer_take(&caller->out);
	size_t len;

	gl_handle_do(L, idx, &(struct gl_handle_op){ .op = GL_OP_TEXT, .out = &out });
	const uint64_t *at = out.p;
	const char *s = gl_read_string(&at, &len);
	lua_pushlstring(L, s, len);
	gl_buffer_give(&caller->out, &out);
}

/* ---- channels --------------------------------------------------------------------------------------------------- */

enum gl_chan gl_handle_send(lua_State *L, int idx, int value, double seconds)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_buffer in = gl_buffer_take(&class->plan.caller->in);
	struct encoder e = encoder_of(L, class, &in, class->name);
	struct gl_handle_op op = { .op = GL_OP_SEND, .seconds = seconds };

	if (class->shape == GL_SHAPE_CHAN) {
		gl_encode(&e, lua_absindex(L, value), class->elem, NULL);
	}
	write_value(L, idx, &op, &in);
	return (enum gl_chan)op.result;
}

enum gl_chan gl_handle_receive(lua_State *L, int idx, double seconds)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_caller *caller = class->plan.caller;
	struct gl_buffer out = gl_buffer_take(&caller->out);
	struct gl_handle_op op = { .op = GL_OP_RECEIVE, .seconds = seconds, .out = &out };

	gl_handle_do(L, idx, &op);
	if (op.result == GL_CHAN_DONE) {
		const uint64_t *at = out.p;
		gl_decode_kept(L, &at, class->elem, false);
	}
	gl_buffer_give(&caller->out, &out);
	return (enum gl_chan)op.result;
}

/* ---- iteration -------------------------------------------------------------------------------------------------- */

void gl_handle_iterate(lua_State *L, int idx)
{
	uint64_t id = (uint64_t)gl_handle_ask(L, idx, GL_OP_ITERATE, 0);

	gl_handle_push(L, gl_handle_at(L, idx)->caller, id, gl_handle_at(L, idx)->class);
}

/* Pushes keys and values, by turns; returns how many pairs. */
int gl_handle_next(lua_State *L, int idx, int most)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_caller *caller = class->plan.caller;
	struct gl_buffer out = gl_buffer_take(&caller->out);
	struct gl_handle_op op = { .op = GL_OP_NEXT, .n = (uint64_t)most, .out = &out };

	luaL_checkstack(L, 2 * most + 6, NULL);
	gl_handle_do(L, idx, &op);
	const uint64_t *at = out.p;
	for (int64_t i = 0; i < op.result; i++) {
		if (class->shape == GL_SHAPE_MAP) {
			gl_decode_kept(L, &at, class->key, false);
		} else {
			lua_pushnil(L);
		}
		gl_decode_kept(L, &at, class->elem, false);
	}
	gl_buffer_give(&caller->out, &out);
	return (int)op.result;
}

/* ---- plans ------------------------------------------------------------------------------------------------------ */

/* A plan of a class has an export of its own, which says nothing but what messages need. */
void gl_plan_free_method(struct gl_plan *plan)
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
		caller->plan_free(request->plan);
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
				  .receiver = request->addr != NULL };
	bool ok = export->name != NULL && plan->name != NULL && gl_plan_read_types(plan, &at) == 0 &&
		  gl_plan_read_places(plan, &at) == 0;
	if (ok && is_func) {
		export->variadic = *at++ != 0;
		export->signature = gl_read_name(&at);
		ok = export->signature != NULL;
	}
	ok = ok && gl_plan_find_refusal(plan) == 0;
	if (!ok) {
		gl_plan_free_method(plan);
		return NULL;
	}
	return plan;
}

/* The plan of a method, or of what a function value does; NULL where the class has no such method. */
static struct gl_plan *ask_for_plan(lua_State *L, const struct gl_handle *h, struct gl_class *class,
				    void (*ask)(struct gl_method_request *), const char *name, size_t len,
				    const char *shown)
{
	struct gl_caller *caller = class->plan.caller;
	struct gl_buffer out = gl_buffer_take(&caller->out);
	struct gl_method_request request = { .id = class->id, .handle = h->id, .name = name, .len = len, .out = &out };
	struct gl_plan *plan = NULL;

	check_host(L, caller);
	ask(&request);
	gl_call_check(L, caller, class->name, request.status, &out);
	if (request.plan != 0) {
		if (len == 0) {
			request.name = shown;
			request.len = strlen(shown);
		}
		plan = read_plan(caller, &request, out.p, ask == caller->method);
		if (plan == NULL) {
			luaL_error(L, "no memory to call a method of %s", class->name);
		}
	}
	gl_buffer_give(&caller->out, &out);
	return plan;
}

void gl_handle_copy(lua_State *L, int idx)
{
	idx = lua_absindex(L, idx);
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_caller *caller = class->plan.caller;

	if (class->copy == NULL) {
		class->copy = ask_for_plan(L, gl_handle_at(L, idx), class, caller->copy_plan, "", 0, class->name);
	}
	struct gl_buffer out = gl_buffer_take(&caller->out);
	struct gl_handle_op op = { .op = GL_OP_COPY, .plan = class->copy->handle, .out = &out };
	gl_handle_do(L, idx, &op);
	const uint64_t *at = out.p;
	gl_decode(L, &at, class->copy->places[0].type);
	gl_buffer_give(&caller->out, &out);
}

int gl_handle_call(lua_State *L)
{
	struct gl_handle *h = gl_handle_at(L, 1);
	struct gl_class *class = gl_handle_open(L, 1);

	if (h->id == 0) {
		return fail_released(L, 1);
	}
	if (class->shape != GL_SHAPE_FUNC) {
		return luaL_error(L, "a handle of %s can't be called", class->name);
	}
	if (class->call == NULL) {
		class->call = ask_for_plan(L, h, class, class->plan.caller->method, "", 0, class->name);
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
		return fail_released(L, 1);
	}
	return gl_plan_call(L, plan, 1);
}

/* Adds a method to the table of members, which is on the top, and pushes it; or nil. */
static void push_method(lua_State *L, const struct gl_handle *h, struct gl_class *class, const char *name, size_t len)
{
	struct gl_plan *plan = ask_for_plan(L, h, class, class->plan.caller->method, name, len, name);

	if (plan == NULL) {
		lua_pushnil(L);
		return;
	}
	struct gl_plan **methods = realloc(class->methods, (class->nmethods + 1) * sizeof(struct gl_plan *));
	if (methods == NULL) {
		gl_plan_free_method(plan);
		luaL_error(L, "no memory for the methods of %s", class->name);
		return; /* not reached */
	}
	class->methods = methods;
	methods[class->nmethods] = plan;
	lua_rawgeti(L, -1, 1);
	lua_pushnumber(L, (lua_Number) class->nmethods++);
	lua_pushcclosure(L, call_method, 2);
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
	if (lua_isnil(L, -1) && class->has_methods && name[0] >= 'A' && (name[0] <= 'Z' || name[0] < 0)) {
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

/* ---- errors ----------------------------------------------------------------------------------------------------- */

void gl_error_bind(lua_State *L, struct gl_caller *caller, uint64_t id)
{
	luaL_checkstack(L, 6, NULL);
	push_table(L, &errors_key, true);
	lua_pushvalue(L, -2);
	gl_handle_push(L, caller, id, 0);
	lua_rawset(L, -3);
	lua_pop(L, 1);
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
			return true;
		}
	}
	lua_pop(L, 1);
	return false;
}

bool gl_error_is(lua_State *L, int idx, uint64_t other) { return gl_handle_ask(L, idx, GL_OP_IS, other) != 0; }

void gl_error_unwrap(lua_State *L, int idx)
{
	struct gl_caller *caller = gl_handle_at(L, idx)->caller;
	struct gl_buffer out = gl_buffer_take(&caller->out);
	struct gl_handle_op op = { .op = GL_OP_UNWRAP, .out = &out };

	gl_handle_do(L, idx, &op);
	if (op.result != 0) {
		const uint64_t *at = out.p;
		gl_decode_error(L, &at, caller);
	} else {
		lua_pushnil(L);
	}
	gl_buffer_give(&caller->out, &out);
}

void gl_error_as(lua_State *L, int idx, const char *name, size_t len)
{
	struct gl_caller *caller = gl_handle_at(L, idx)->caller;
	struct gl_buffer out = gl_buffer_take(&caller->out), in;
	uint64_t *words = lua_newuserdata(L, (2 + (len + 7) / 8) * sizeof(*words));
	struct gl_handle_op op = { .op = GL_OP_AS, .in = &in, .out = &out };

	words[0] = len;
	memcpy(words + 1, name, len);
	in = (struct gl_buffer){ .p = words, .len = 1 + (len + 7) / 8 };
	gl_handle_do(L, idx, &op);
	if (op.result != 0) {
		uint64_t id = out.p[0], class = out.p[1];
		gl_buffer_give(&caller->out, &out);
		gl_handle_push(L, caller, id, class);
	} else {
		gl_buffer_give(&caller->out, &out);
		lua_pushnil(L);
	}
}

void gl_handle_make(lua_State *L, struct gl_caller *caller, void *descriptor, const char *name)
{
	struct gl_buffer out = gl_buffer_take(&caller->out);
	struct gl_call call = { .addr = descriptor, .out = &out };

	check_host(L, caller);
	caller->make(&call);
	gl_call_check(L, caller, name, call.status, &out);
	uint64_t id = out.p[0], class = out.p[1];
	gl_buffer_give(&caller->out, &out);
	gl_handle_push(L, caller, id, class);
}
