/* Lua functions as arguments: Go calls them, on the thread and within the call that they were given to.
 *
 * The functions of a call lie in a table of the registry, one such table for a Lua state's calls, and Go knows them by
 * their numbers there. Calls from Lua into Go end in the reverse order of their beginning, whatever coroutines they
 * come from; so the table is used as a stack, and cut back to its old height when a call has ended. Error values that
 * cross Go lie there as well: Go panics with their numbers, and the call that the panic reaches raises the same value.
 *
 * Lua is called from Go only where Go was called by Lua's C API: `calling` is the Lua state of the innermost such call,
 * and NULL while Lua runs. What else enters Go meanwhile (compiled traces of LuaJIT do) leaves it NULL. */
#include "../host/callback.h"

#include <stdlib.h>
#include <string.h>

#include "../process/stack.h"

#include "plan.h"

/* What C knows of an entry of the table. */
struct function {
	struct gl_plan *plan;     /* which takes it */
	const struct type *type;  /* NULL: an error value */
	uint64_t serial;          /* of an error value: no other one has it */
	struct gl_frames *frames; /* of an error value: what was unwound for it, or NULL */
};

/* Entries of the table before those of functions: C functions, and the last panic that became an error in a function
 * that Go has called */
enum { CALL = 1, KEEP = 2, TAKE = 3, PANIC = 4, FIRST = PANIC };

/* Go that calls Lua that calls Go fills the thread's stack, which has no guard that Lua or Go would know of. PUC Lua
 * allows for about as many calls of C. Threads may have small stacks: Go's scheduler and collector work on what is left
 * of this one, and take it that there are 32 KB (runtime.callbackUpdateSystemStack); the Lua function needs some too.
 */
enum { MAX_DEPTH = 190, MIN_STACK = 48 * 1024 };

/* ---- the table --------------------------------------------------------------------------------------------------- */

static int keep_error(lua_State *L);
static int take_frames(lua_State *L);

/* Pushes the table; nothing where there is none yet, which takes no memory. */
static bool push_table(lua_State *L, struct gl_caller *caller)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &caller->functions);
	if (lua_istable(L, -1)) {
		return true;
	}
	lua_pop(L, 1);
	return false;
}

static void push_or_make_table(lua_State *L, struct gl_caller *caller)
{
	if (push_table(L, caller)) {
		return;
	}
	lua_newtable(L);
	lua_pushcfunction(L, gl_callback_protected);
	lua_rawseti(L, -2, CALL);
	lua_pushcfunction(L, keep_error);
	lua_rawseti(L, -2, KEEP);
	lua_pushlightuserdata(L, caller);
	lua_pushcclosure(L, take_frames, 1);
	lua_rawseti(L, -2, TAKE);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &caller->functions);
}

/* Makes room for one more; raises when memory is short. */
static struct function *next_function(lua_State *L, struct gl_caller *caller)
{
	struct gl_functions *f = &caller->functions;

	if (f->n == f->cap) {
		uint32_t cap = f->cap * 2 + 8;
		struct function *list = realloc(f->list, cap * sizeof(*list));

		if (list == NULL) {
			luaL_error(L, "no memory for a function");
			return NULL; /* not reached */
		}
		f->list = list;
		f->cap = cap;
	}
	return &f->list[f->n];
}

/* Takes the value at the top as number n of the table below it; both are popped. */
static uint64_t add_function(lua_State *L, struct gl_caller *caller, struct function function)
{
	*next_function(L, caller) = function;
	lua_rawseti(L, -2, FIRST + (int)caller->functions.n + 1);
	lua_pop(L, 1);
	/* A finalizer may call Go while arguments are encoded: what is in the table already is not that call's. */
	return caller->functions.inside = ++caller->functions.n;
}

void gl_functions_cut(lua_State *L, struct gl_caller *caller, uint32_t n)
{
	struct gl_functions *f = &caller->functions;

	f->inside = n;
	if (f->n <= n || !push_table(L, caller)) {
		return;
	}
	for (; f->n > n; f->n--) {
		gl_frames_free(f->list[f->n - 1].frames);
		lua_pushnil(L);
		lua_rawseti(L, -2, FIRST + (int)f->n);
	}
	lua_pop(L, 1);
}

void gl_functions_free(struct gl_caller *caller)
{
	for (uint32_t i = 0; i < caller->functions.n; i++) {
		gl_frames_free(caller->functions.list[i].frames);
	}
	free(caller->functions.list);
	caller->functions = (struct gl_functions){ 0 };
}

/* ---- arguments --------------------------------------------------------------------------------------------------- */

static bool is_callable(lua_State *L, int idx)
{
	if (lua_isfunction(L, idx)) {
		return true;
	}
	if (!luaL_getmetafield(L, idx, "__call")) {
		return false;
	}
	lua_pop(L, 1);
	return true;
}

void gl_encode_function(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	lua_State *L = e->L;
	struct gl_caller *caller = e->plan->caller;
	char name[256];

	if (lua_isnil(L, idx)) {
		gl_encode_raw(e, 0);
		return;
	}
	luaL_checkstack(L, 8, NULL);
	if (!is_callable(L, idx)) {
		gl_encode_fail(e, path, "%s expected (a %s), got %s", type->name,
			       gl_encoder_types(e)->export->kind == GL_EXPORT_VAR ? "handle" : "function",
			       lua_type(L, idx) == GL_LUA_TCDATA ? "cdata" : luaL_typename(L, idx));
	}
	if (e->callback != NULL) {
		gl_encode_fail(e, path, "%s expected, and a Lua function can't give Go another one", type->name);
	}
	if (gl_encoder_types(e)->export->kind == GL_EXPORT_VAR) {
		gl_encode_fail(e, path,
			       "a Lua function can be called till the end of the call that it is given to: a "
			       "variable can't hold it");
	}
	if (e->is_job) {
		gl_encode_fail(e, path, "a Lua function can't be called by a job, which runs beside Lua");
	}
	idx = lua_absindex(L, idx);
	if (e->nfunctions++ == 0) {
		e->functions = caller->functions.n;
	}
	push_or_make_table(L, caller);
	lua_pushvalue(L, idx);
	uint64_t number = add_function(L, caller, (struct function){ .plan = e->plan, .type = type });
	gl_encode_name(e, path, name, sizeof(name));
	lua_pushfstring(L, "the Lua function passed as %s", name);
	gl_encode_raw(e, number);
	static const struct type string_type = { .kind = GL_KIND_STRING, .name = "string" };
	gl_encode(e, lua_gettop(L), &string_type, NULL);
	lua_pop(L, 1);
}

bool gl_caller_is_within(const struct gl_caller *caller, bool (*is_of)(const void *arg, uintptr_t addr),
			 const void *arg)
{
	const struct gl_functions *f = &caller->functions;

	for (uint32_t i = 0; f->depth > 0 && i < f->n; i++) {
		const struct gl_plan *plan = f->list[i].plan;

		if (f->list[i].type != NULL && gl_plan_is_called(plan) && is_of(arg, plan->export->addr)) {
			return true;
		}
	}
	return false;
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

static int push_arguments(lua_State *L, const struct type *type, const struct gl_buffer *stream)
{
	const uint64_t *at = stream->p;
	int nparams = (int)type->len, variadic = type->bits;
	uint64_t n = 0;

	luaL_checkstack(L, nparams + 4, NULL);
	for (int i = 0; i < nparams - variadic; i++) {
		gl_decode(L, &at, type->fields[i].type);
	}
	if (variadic) {
		const struct type *rest = type->fields[nparams - 1].type;

		if (rest->kind == GL_KIND_BYTES) { /* ...byte: a string, as []byte */
			gl_decode(L, &at, rest);
			n = 1;
		} else {
			n = *at++;
			luaL_checkstack(L, n < INT32_MAX / 2 ? (int)n + 4 : INT32_MAX / 2, "too many arguments");
			for (uint64_t i = 0; i < n; i++) {
				gl_decode(L, &at, rest->elem);
			}
		}
	}
	return nparams - variadic + (int)n;
}

/* Which of the Lua function's results is an error that it fails with; 0: none. An error stands behind nil, as Lua's own
 * functions have it, whatever they put behind it; or in its own place, behind as many nils as there are other results.
 */
static int find_error(lua_State *L, int first, int nresults)
{
	int own = first + nresults - 1;

	if (lua_isnil(L, first) && !lua_isnoneornil(L, first + 1)) {
		return first + 1;
	}
	for (int i = first; i < own; i++) {
		if (!lua_isnil(L, i)) {
			return 0;
		}
	}
	return own > first && !lua_isnil(L, own) ? own : 0;
}

/* An error must not get lost that stands where nobody looks. */
static void check_rest(struct encoder *e, int first, int nresults)
{
	lua_State *L = e->L;

	for (int i = first + nresults; i <= lua_gettop(L); i++) {
		if (!lua_isnil(L, i)) {
			e->param = (uint32_t)(i - first);
			gl_encode_fail(e, NULL, "no result expected here, got %s: an error stands behind one nil",
				       luaL_typename(L, i));
		}
	}
}

/* Where the last result is an error, the function may fail. The error may come with results, too: what has read some
 * bytes says with them that there are no more. */
static void encode_results(struct encoder *e, int first, const struct type *type)
{
	lua_State *L = e->L;
	uint32_t nresults = (uint32_t)(type->nfields - type->len);
	const struct type_field *results = type->fields + type->len;
	bool has_error = nresults > 0 && results[nresults - 1].type->kind == GL_KIND_ERROR;
	int error = 0;

	lua_settop(L, first + (int)nresults < lua_gettop(L) ? lua_gettop(L) : first + (int)nresults);
	if (has_error) {
		error = find_error(L, first, (int)nresults);
	}
	if (error != 0) {
		gl_encode_raw(e, 1);
		e->param = nresults - 1;
		gl_encode(e, error, results[nresults - 1].type, NULL);
		return;
	}
	if (has_error) {
		check_rest(e, first, (int)nresults);
	}
	gl_encode_raw(e, 0);
	for (e->param = 0; e->param < nresults; e->param++) {
		if (has_error && nresults == 1) {
			gl_encode_raw(e, 0); /* nil */
			if (!lua_isnil(L, first) && !(lua_isboolean(L, first) && lua_toboolean(L, first))) {
				gl_encode_fail(e, NULL, "nothing, true, or nil and an error expected, got %s",
					       lua_isboolean(L, first) ? "false" : luaL_typename(L, first));
			}
			break;
		}
		gl_encode(e, first + (int)e->param, results[e->param].type, NULL);
	}
}

int gl_callback_fail(struct encoder *e, const char *way, const char *what)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	lua_pushlstring(e->L, (const char *)e->callback->name, e->callback->name_len);
	return luaL_error(e->L, "result %d%s of %s: %s", (int)e->param + 1, way, lua_tostring(e->L, -1), what);
}

int gl_callback_protected(lua_State *L)
{
	struct gl_callback *c = lua_touserdata(L, 1);
	struct gl_caller *caller = c->caller;
	struct function function = caller->functions.list[c->number - 1];

	if (caller->functions.depth > MAX_DEPTH) {
		return luaL_error(L, "stack overflow: Lua and Go call each other more than %d deep", MAX_DEPTH);
	}
	size_t left = gl_stack_left();
	if (left < MIN_STACK) {
		return luaL_error(
			L, "stack overflow: Lua and Go call each other until %d KB of the thread's stack are left",
			(int)(left / 1024));
	}
	push_table(L, caller);
	lua_rawgeti(L, -1, FIRST + (int)c->number);
	lua_call(L, push_arguments(L, function.type, &c->stream), LUA_MULTRET);
	c->stream.len = 0;
	struct encoder e = { .L = L, .plan = function.plan, .in = &c->stream, .callback = c };
	encode_results(&e, 3, function.type);
	return 0;
}

/* Keeps the error value below the light userdata for whoever raises it anew; run protected. */
static int keep_error(lua_State *L)
{
	struct gl_callback *c = lua_touserdata(L, 2);
	struct gl_caller *caller = c->caller;
	static const struct type string_type = { .kind = GL_KIND_STRING, .name = "string" };
	struct encoder e = {
		.L = L, .plan = caller->functions.list[c->number - 1].plan, .in = &c->stream, .callback = c
	};

	c->stream.len = 0;
	push_table(L, caller);
	lua_pushvalue(L, 1);
	uint64_t serial = ++caller->functions.serial;
	uint64_t number =
		add_function(L, caller, (struct function){ .serial = serial, .frames = caller->border->frames });
	caller->border->frames = NULL;
	gl_encode_raw(&e, number);
	gl_encode_raw(&e, serial);
	if (!lua_isstring(L, 1) && luaL_callmeta(L, 1, "__tostring") && lua_isstring(L, -1)) {
		lua_replace(L, 1);
	}
	if (!lua_isstring(L, 1)) {
		lua_pushfstring(L, "an error that is a %s", luaL_typename(L, 1));
		lua_replace(L, 1);
	}
	lua_tostring(L, 1);
	gl_encode(&e, 1, &string_type, NULL);
	return 0;
}

/* The message handler. The text of a panic has its frames already. */
static int take_frames(lua_State *L)
{
	struct gl_caller *caller = lua_touserdata(L, lua_upvalueindex(1));

	push_table(L, caller);
	lua_rawgeti(L, -1, PANIC);
	if (!lua_rawequal(L, 1, -1)) {
		gl_frames_free(caller->border->frames);
		caller->border->frames = gl_frames_take(L);
	}
	lua_settop(L, 1);
	return 1;
}

void gl_callback_note_panic(lua_State *L, struct gl_caller *caller)
{
	if (caller->border != NULL && push_table(L, caller)) {
		lua_pushvalue(L, -2);
		lua_rawseti(L, -2, PANIC);
		lua_pop(L, 1);
	}
}

/* What is left to say when there is no memory, or no stack, to keep the error: its text, if it has one. */
static void put_text(struct gl_callback *c, lua_State *L, int idx)
{
	static const char no_memory[] = "not enough memory";
	bool is_text = lua_type(L, idx) == LUA_TSTRING;
	size_t len = is_text ? lua_rawlen(L, idx) : sizeof(no_memory) - 1;
	const char *text = is_text ? lua_tostring(L, idx) : no_memory;
	struct gl_buffer *b = &c->stream;
	size_t words = 3 + (len + 7) / 8;

	b->len = 0;
	if (b->cap < words) {
		uint64_t *p = realloc(b->p, words * sizeof(*p));

		if (p == NULL) {
			c->status = GL_CALLBACK_AWAY;
			return;
		}
		b->p = p;
		b->cap = words;
	}
	b->p[0] = b->p[1] = 0;
	b->p[2] = len;
	memcpy(b->p + 3, text, len);
	b->len = words;
}

void gl_callback_call(struct gl_callback *c)
{
	struct gl_caller *caller = c->caller;
	lua_State *L = caller == NULL ? NULL : caller->calling;

	if (L == NULL) {
		c->status = GL_CALLBACK_AWAY;
		return;
	}
	/* Nothing here needs memory, or the error for want of it would unwind Go's frames. The call into Go was made by
	 * a C function, which has slots enough. */
	int top = lua_gettop(L);
	struct gl_border border = { .L = L, .up = caller->border };
	caller->border = &border;
	caller->calling = NULL;
	caller->functions.depth++;
	push_table(L, caller);
	lua_rawgeti(L, top + 1, TAKE);
	lua_rawgeti(L, top + 1, CALL);
	lua_pushlightuserdata(L, c);
	c->status = GL_CALLBACK_DONE;
	if (lua_pcall(L, 1, 0, top + 2) != 0) {
		c->status = GL_CALLBACK_ERROR;
		lua_rawgeti(L, top + 1, KEEP);
		lua_pushvalue(L, top + 3);
		lua_pushlightuserdata(L, c);
		if (lua_pcall(L, 2, 0, 0) != 0) {
			put_text(c, L, top + 3);
		}
		gl_frames_free(border.frames);
	}
	lua_settop(L, top);
	caller->functions.depth--;
	caller->border = border.up;
	caller->calling = L;
}

struct gl_frames *gl_push_lua_error(lua_State *L, struct gl_caller *caller, const uint64_t *at)
{
	uint64_t number = *at++, serial = *at++;
	size_t len;
	const struct gl_functions *f = &caller->functions;
	const char *text = gl_read_string(&at, &len);

	if (number != 0 && number <= f->n && f->list[number - 1].serial == serial && push_table(L, caller)) {
		struct function *error = &f->list[number - 1];
		struct gl_frames *frames = error->frames;
		lua_rawgeti(L, -1, FIRST + (int)number);
		lua_remove(L, -2);
		error->frames = NULL;
		return gl_frames_add_go(frames, at);
	}
	/* Go has kept it longer than the call lasted that it crossed. */
	lua_pushlstring(L, text, len);
	return NULL;
}
