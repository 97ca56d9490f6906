/* Many calls of one function in one crossing: fn:map and fn:each (lua/goloader/roads/road.lua). Arguments of all calls
 * are one stream, and so are their results; Go makes the calls in between, one after the other. A method's receiver is
 * the same in all of them. */
#include "../host/many.h"

#include <stdarg.h>
#include <stdlib.h>

#include "plan.h"

/* i: the parameter, as Lua counts them, from 0 */
static void fail_array(lua_State *L, const struct gl_plan *plan, int i, const char *fmt, ...)
{
	va_list args;

	gl_plan_entered(plan);
	gl_lua_where(L);
	va_start(args, fmt);
	const char *what = lua_pushvfstring(L, fmt, args);
	va_end(args);
	gl_push_argument(L, plan, (uint32_t)i + plan->receiver, i + 1, "", what);
	lua_remove(L, -2);
	lua_concat(L, 2);
	lua_error(L);
}

/* ---- what is the same in all of them ---------------------------------------------------------------------------- */

#define SAME "goloader.same"

void gl_lua_make_same(lua_State *L)
{
	lua_newuserdata(L, 1);
	lua_createtable(L, 1, 0);
	lua_pushvalue(L, -3);
	lua_rawseti(L, -2, 1);
	lua_setuservalue(L, -2);
	luaL_newmetatable(L, SAME);
	lua_setmetatable(L, -2);
	lua_remove(L, -2);
}

static bool is_same(lua_State *L, int idx)
{
	if (lua_type(L, idx) != LUA_TUSERDATA || !lua_getmetatable(L, idx)) {
		return false;
	}
	luaL_getmetatable(L, SAME);
	bool is = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return is;
}

static void push_same(lua_State *L, int idx)
{
	lua_getuservalue(L, idx);
	lua_rawgeti(L, -1, 1);
	lua_remove(L, -2);
}

bool gl_lua_push_same(lua_State *L, int idx)
{
	luaL_checkstack(L, 4, NULL);
	if (!is_same(L, idx)) {
		return false;
	}
	push_same(L, idx);
	return true;
}

/* ---- arguments -------------------------------------------------------------------------------------------------- */

/* Number of calls that the arrays from stack index first up are the arguments of. */
static size_t check_arrays(lua_State *L, const struct gl_plan *plan, int first)
{
	const struct gl_export *export = plan->export;
	int nargs = lua_gettop(L) - first + 1, nparams = (int)(plan->nparams - plan->receiver);
	size_t n = 0;
	int counted = 0; /* arrays, so far */

	if (nparams == 0) {
		gl_plan_entered(plan);
		luaL_error(L, "%s takes no arguments: there is nothing to map", export->name);
	}
	for (int i = 0; i < nargs || i < nparams; i++) {
		if (i >= nparams) {
			gl_plan_entered(plan);
			luaL_error(L, "bad argument #%d to '%s' (too many: an array for each parameter of %s)", i + 1,
				   export->name, export->signature);
		}
		if (i < nargs && is_same(L, first + i)) {
			continue;
		}
		if (i >= nargs || !lua_istable(L, first + i)) {
			fail_array(L, plan, i, "an array of %s expected, got %s",
				   plan->places[(uint32_t)i + plan->receiver].type->name,
				   i < nargs ? luaL_typename(L, first + i) : "nothing");
		}
		if (counted++ > 0 && lua_rawlen(L, first + i) != n) {
			fail_array(L, plan, i, "%d elements, but %d in the first array", (int)lua_rawlen(L, first + i),
				   (int)n);
		}
		n = lua_rawlen(L, first + i);
	}
	if (counted == 0) {
		gl_plan_entered(plan);
		luaL_error(L, "%s: no array says how many calls to make: all arguments are the same in each",
			   export->name);
	}
	return n;
}

/* Of what check_arrays has let through: what is no table is the same in all calls. */
static void encode_all(struct encoder *e, int first, size_t n)
{
	lua_State *L = e->L;
	struct gl_plan *plan = e->plan;

	for (size_t i = 1; i <= n; i++) {
		struct path at = { .index = (int)i };

		for (e->param = 0; e->param < plan->nparams; e->param++) {
			int idx = first + (int)e->param;
			bool is_receiver = e->param < plan->receiver, is_array = !is_receiver && lua_istable(L, idx);
			e->arg = (int)e->param + 1 - (int)plan->receiver;
			if (is_array) {
				lua_rawgeti(L, idx, (int)i);
			} else if (is_receiver) {
				lua_pushvalue(L, idx);
			} else {
				push_same(L, idx);
			}
			gl_encode(e, lua_gettop(L), plan->places[e->param].type, is_array ? &at : NULL);
			lua_pop(L, 1);
		}
	}
}

/* Pushes a table for each result, filled from n calls; results of a call that returned an error are not among them. */
static void decode_all(lua_State *L, const struct gl_plan *plan, const uint64_t **at, size_t n)
{
	int ntables = (int)plan->nresults - plan->has_error, base = lua_gettop(L);

	for (int k = 0; k < ntables; k++) {
		lua_createtable(L, n > INT32_MAX / 2 ? 0 : (int)n, 0);
	}
	for (size_t i = 1; i <= n; i++) {
		for (uint32_t k = 0; k < plan->nresults; k++) {
			gl_decode(L, at, plan->places[plan->nparams + k].type);
			if ((int)k < ntables) {
				lua_rawseti(L, base + 1 + (int)k, (int)i);
			} else {
				lua_pop(L, 1);
			}
		}
	}
}

/* Pushes nil and the error of the call after n others. */
static void push_error(lua_State *L, const struct gl_plan *plan, const uint64_t **at, size_t n)
{
	lua_pushnil(L);
	for (uint32_t k = 0; k < plan->nresults; k++) {
		gl_decode(L, at, plan->places[plan->nparams + k].type);
	}
	gl_error_take_results(L, (int)plan->nresults - 1);
	lua_pushinteger(L, (lua_Integer)n + 1);
	lua_setfield(L, -2, "index");
}

struct calls {
	struct gl_plan *plan;
	size_t n;
	struct gl_reading *r;
};

static void prepare_calls(lua_State *L, int first, void *arg)
{
	struct calls *to = arg;
	struct gl_plan *plan = to->plan;

	to->n = check_arrays(L, plan, first + (int)plan->receiver);
	luaL_checkstack(L, 8, NULL);
	to->r = gl_reading_begin(L, plan->caller);
	struct encoder e = { .L = L, .plan = plan, .in = &to->r->in };
	encode_all(&e, first, to->n);
}

int gl_plan_many(lua_State *L, struct gl_plan *plan, int first, bool discard)
{
	struct gl_caller *caller = plan->caller;
	uint32_t functions = caller->functions.n;
	struct calls calls = { .plan = plan };

	gl_plan_check(L, plan);
	int moved = gl_plan_prepare(L, plan, first, prepare_calls, &calls);
	struct gl_reading *r = calls.r;
	size_t n = calls.n;
	r->idx += moved;
	struct gl_many many = { .call = { .plan = plan->handle,
					  .addr = (void *)plan->export->addr,
					  .in = &r->in,
					  .out = &r->out,
					  .caller = caller },
				.n = n,
				.discard = discard };
	plan->counters.crossings++;
	plan->counters.bytes_in += r->in.len * sizeof(*r->in.p);
	gl_plan_enter(L, plan, &caller->many, &many);
	caller->functions.inside = functions;
	plan->counters.calls += many.done + (many.call.status != GL_CALL_DONE);
	plan->counters.bytes_out += r->out.len * sizeof(*r->out.p);
	gl_buffer_give(&caller->in, &r->in);
	gl_plan_check_call(L, plan, many.call.status, &r->out);
	gl_functions_cut(L, caller, functions);

	const uint64_t **at = gl_reading_at(r);
	luaL_checkstack(L, (int)plan->nresults + 8, NULL);
	int top = lua_gettop(L);
	/* An error ends it: only the last call can have returned one. */
	if (!discard) {
		decode_all(L, plan, at, (size_t)many.done - (many.failed != 0));
	}
	if (many.failed) {
		lua_settop(L, top);
		push_error(L, plan, at, (size_t)many.done - 1);
	}
	int nresults = lua_gettop(L) - top;
	gl_reading_end(L, r);
	if (nresults == 0) {
		lua_pushinteger(L, (lua_Integer)n);
		return 1;
	}
	return nresults;
}
