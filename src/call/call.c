/* The two roads of a call (call.h), and variables.
 *
 * Both roads raise all errors of arguments before Go is entered and those of results after it has been left, so that a
 * Lua error never unwinds a Go frame. */
#include <stdlib.h>
#include <string.h>

#include "../probes.h"
#include "plan.h"

/* ---- streams --------------------------------------------------------------------------------------------------------
 */

struct gl_buffer gl_buffer_take(struct gl_buffer *home)
{
	struct gl_buffer buffer = *home;

	*home = (struct gl_buffer){ 0 };
	buffer.len = buffer.nhandles = 0;
	return buffer;
}

/* A stream that grew beyond this is given back to the C library. */
enum { KEPT_WORDS = 128 * 1024 };

void gl_buffer_give(struct gl_buffer *home, struct gl_buffer *buffer)
{
	if (home->p == NULL && buffer->cap <= KEPT_WORDS) {
		*home = *buffer;
	} else {
		free(buffer->p);
	}
	*buffer = (struct gl_buffer){ 0 };
}

/* Counts a call whose arguments are a stream of so many words. */
static void count_call(struct gl_plan *plan, size_t words)
{
	plan->counters.calls++;
	plan->counters.crossings++;
	plan->counters.bytes_in += words * sizeof(uint64_t);
}

void gl_plan_enter(lua_State *L, struct gl_plan *plan, const struct gl_entry *entry, void *call)
{
	struct gl_caller *caller = plan->caller;

	plan->calls++;
	gl_plan_entered(plan);
	caller->calling = L;
	caller->thread = pthread_self();
	GL_PROBE2(call, plan->export->name, plan->export->addr);
	bool was_there = gl_go(caller, entry, call);
	caller->calling = NULL;
	plan->calls--;
	if (!was_there) {
		gl_caller_check(L, caller);
	}
}

/* Pushes what is wrong with an argument, found when it was read. */
static void push_argument(lua_State *L, const struct gl_plan *plan, const uint64_t *at)
{
	uint32_t param = (uint32_t)*at++;
	size_t len;
	const char *s = gl_read_string(&at, &len);

	lua_pushlstring(L, s, len);
	gl_push_argument(L, plan, param, (int)param + 1 - (int)plan->receiver, "", lua_tostring(L, -1));
	lua_remove(L, -2);
}

struct gl_frames *gl_push_failure(lua_State *L, struct gl_caller *caller, const struct gl_plan *plan, const char *name,
				  enum gl_status status, const struct gl_buffer *out)
{
	struct gl_frames *frames = NULL;
	const uint64_t *at = out->p;
	size_t len;
	const char *s;

	luaL_checkstack(L, 8, NULL);
	gl_lua_where(L);
	lua_pushstring(L, name);
	switch (status) {
	case GL_CALL_PANICKED:
		lua_pushliteral(L, "panic: ");
		s = gl_read_string(&at, &len);
		lua_pushlstring(L, s, len);
		lua_pushliteral(L, "\n\n");
		gl_frames_push_panic(L, caller, at);
		lua_concat(L, 4);
		gl_callback_note_panic(L, caller);
		break;
	case GL_CALL_LUA: frames = gl_push_lua_error(L, caller, at); break;
	case GL_CALL_TYPE:
		s = gl_read_string(&at, &len);
		lua_pushliteral(L, ": ");
		lua_pushlstring(L, s, len);
		lua_concat(L, 4);
		break;
	case GL_CALL_ARGUMENT:
		if (plan != NULL) { /* it always is: nothing else is given arguments */
			lua_pop(L, 1);
			push_argument(L, plan, at);
		}
		lua_concat(L, 2);
		break;
	case GL_CALL_GONE:
		s = gl_read_string(&at, &len);
		lua_pop(L, 1);
		lua_pushliteral(L, "handle of ");
		lua_pushlstring(L, s, len);
		lua_pushliteral(L, ": its module was unloaded");
		lua_concat(L, 4);
		break;
	default:
		lua_pushliteral(L, ": the function called runtime.Goexit");
		lua_concat(L, 3);
		break;
	}
	return frames;
}

static void check(lua_State *L, struct gl_caller *caller, const struct gl_plan *plan, const char *name,
		  enum gl_status status, struct gl_buffer *out)
{
	if (status != GL_CALL_DONE) {
		struct gl_frames *frames = gl_push_failure(L, caller, plan, name, status, out);
		gl_functions_cut(L, caller, caller->functions.inside);
		gl_buffer_give(&caller->out, out);
		gl_frames_raise(L, frames);
	}
}

void gl_call_check(lua_State *L, struct gl_caller *caller, const char *name, enum gl_status status,
		   struct gl_buffer *out)
{
	check(L, caller, NULL, name, status, out);
}

/* The same for a call of a plan. */
void gl_plan_check_call(lua_State *L, struct gl_plan *plan, enum gl_status status, struct gl_buffer *out)
{
	plan->counters.panics += status == GL_CALL_PANICKED;
	check(L, plan->caller, plan, plan->name, status, out);
}

/* ---- results --------------------------------------------------------------------------------------------------------
 */

/* What a function leaves that returned n results and no error. */
static int return_results(lua_State *L, const struct gl_plan *plan, int n)
{
	if (n == 0 && plan->has_error) {
		lua_pushboolean(L, 1);
		return 1;
	}
	return n;
}

/* What a function that returned an error leaves: nil and the error, which is on the top above the other results. */
static int return_error(lua_State *L, int nresults)
{
	gl_error_take_results(L, nresults - 1);
	lua_pushnil(L);
	lua_insert(L, -2);
	return 2;
}

/* ---- what comes before Go is entered ------------------------------------------------------------------------------
 *
 * Of a module that several Lua states have, a call says that it begins before it is counted (share.c). An error must
 * not end it in between, or it would have begun for ever. Those that are found here say so themselves; others come from
 * Lua: memory is short, or the stack overflows. So all that may raise is done protected there. */

struct preparation {
	void (*prepare)(lua_State *L, int first, void *arg);
	void *arg;
};

static int prepare_protected(lua_State *L)
{
	const struct preparation *p = lua_touserdata(L, -1);

	lua_pop(L, 1);
	p->prepare(L, 1, p->arg);
	return lua_gettop(L);
}

int gl_plan_new_protection(lua_State *L)
{
	lua_pushcfunction(L, prepare_protected);
	return luaL_ref(L, LUA_REGISTRYINDEX);
}

int gl_call_protected(lua_State *L, const struct gl_caller *caller, int first,
		      void (*prepare)(lua_State *L, int first, void *arg), void *arg)
{
	struct preparation p = { .prepare = prepare, .arg = arg };

	lua_rawgeti(L, LUA_REGISTRYINDEX, caller->protection_ref);
	lua_insert(L, first);
	lua_pushlightuserdata(L, &p);
	return lua_pcall(L, lua_gettop(L) - first, LUA_MULTRET, 0);
}

int gl_plan_prepare(lua_State *L, const struct gl_plan *plan, int first,
		    void (*prepare)(lua_State *L, int first, void *arg), void *arg)
{
	if (plan->entering == NULL || *plan->entering == 0) {
		prepare(L, first, arg);
		return 0;
	}
	if (gl_call_protected(L, plan->caller, first, prepare, arg) != 0) {
		gl_plan_entered(plan);
		lua_error(L);
	}
	return first - 1;
}

/* ---- the fast road --------------------------------------------------------------------------------------------------
 */

/* False if an argument is a handle of a string or of bytes: Go has that already, and registers only bring what Lua has.
 */
static bool fill_registers(struct encoder *e, struct gl_regs *regs, int first)
{
	lua_State *L = e->L;
	struct gl_plan *plan = e->plan;
	uint64_t bytes_in = 0;

	if (plan->receiver) {
		regs->ints[plan->places[0].reg] = gl_handle_id(gl_handle_at(L, first));
	}
	for (uint32_t i = plan->receiver; i < plan->nparams; i++) {
		const struct place *place = &plan->places[i];
		int idx = first + (int)i, reg = place->reg;
		uint64_t word;

		e->param = i;
		e->arg = (int)(i + 1 - plan->receiver);
		switch (place->type->kind) {
		case GL_KIND_STRING:
		case GL_KIND_BYTES: {
			bool is_bytes = place->type->kind == GL_KIND_BYTES;
			size_t len = 0;
			const char *s = NULL;

			if (lua_type(L, idx) == LUA_TSTRING) {
				s = lua_tolstring(L, idx, &len);
			} else if (lua_type(L, idx) == LUA_TUSERDATA && gl_handle_at(L, idx) != NULL) {
				return false;
			} else if ((!is_bytes || !lua_isnil(L, idx)) &&
				   !(is_bytes && lua_type(L, idx) == GL_LUA_TCDATA &&
				     gl_bytes_of_array(L, idx, &s, &len))) {
				gl_encode_fail(e, NULL,
					       is_bytes ? "%s expected (a string), got %s" : "%s expected, got %s",
					       place->type->name,
					       lua_type(L, idx) == GL_LUA_TCDATA ? "cdata" : luaL_typename(L, idx));
			}
			bytes_in += len;
			regs->ints[reg] = (uint64_t)(uintptr_t)s;
			regs->ints[reg + 1] = len;
			if (is_bytes) {
				regs->ints[reg + 2] = len;
			}
			break;
		}
		case GL_KIND_FLOAT:
			word = gl_encode_word(e, idx, place->type, NULL);
			if (place->type->bits == 32) {
				double d;
				memcpy(&d, &word, sizeof(d));
				float f = (float)d;
				word = 0;
				memcpy(&word, &f, sizeof(f));
			}
			regs->floats[reg] = word;
			break;
		default: regs->ints[reg] = gl_encode_word(e, idx, place->type, NULL); break;
		}
	}
	plan->counters.bytes_in += bytes_in;
	return true;
}

static void push_from_registers(lua_State *L, const struct gl_regs *regs, const struct place *place,
				struct gl_reading *r)
{
	switch (place->type->kind) {
	case GL_KIND_BOOL: lua_pushboolean(L, (regs->ints[place->reg] & 0xff) != 0); break;
	case GL_KIND_FLOAT:
		if (place->type->bits == 32) {
			float f;
			memcpy(&f, &regs->floats[place->reg], sizeof(f));
			lua_pushnumber(L, f);
		} else {
			double d;
			memcpy(&d, &regs->floats[place->reg], sizeof(d));
			lua_pushnumber(L, d);
		}
		break;
	case GL_KIND_STRING:
	case GL_KIND_BYTES:
	case GL_KIND_ERROR: {
		const uint64_t **at = gl_reading_at(r);
		*at += regs->ints[place->reg];
		if (place->type->kind == GL_KIND_ERROR) {
			gl_decode_error(L, at, place->type->caller);
		} else {
			size_t len;
			const char *s = gl_read_string(at, &len);
			lua_pushlstring(L, s, len);
		}
		break;
	}
	default: gl_decode_int(L, regs->ints[place->reg], place->type); break;
	}
}

struct registers {
	struct gl_plan *plan;
	struct gl_regs *regs;
	struct gl_reading *r; /* NULL: nothing will be read */
	bool fits;            /* else the general road has to be taken */
};

static void prepare_registers(lua_State *L, int first, void *arg)
{
	struct registers *to = arg;
	struct encoder e = { .L = L, .plan = to->plan, .in = &(struct gl_buffer){ 0 } };

	to->fits = fill_registers(&e, to->regs, first);
	if (!to->fits) {
		return;
	}
	/* Where all results are numbers nothing is read, whatever Go has written, unless the call fails: then the
	 * stream gets its owner after the call. */
	if (to->plan->strings != 0 || to->plan->error >= 0) {
		to->r = gl_reading_begin(L, to->plan->caller);
	}
}

/* Returns how many results it has left on the stack, or -1 if the general road has to be taken. */
static int call_fast(lua_State *L, struct gl_plan *plan, int first)
{
	struct gl_fast_call call;
	struct registers registers = { .plan = plan, .regs = &call.regs };
	int moved = gl_plan_prepare(L, plan, first, prepare_registers, &registers);
	struct gl_reading *r = registers.r;
	bool reads = r != NULL;

	if (!registers.fits) {
		return -1;
	}

	if (reads) {
		r->idx += moved;
	}
	struct gl_buffer unread = { 0 };
	memcpy(call.regs.return_is_ptr, plan->return_is_ptr, sizeof(call.regs.return_is_ptr));
	call.fn = (void *)plan->export->addr;
	call.copies = plan->copies;
	call.lent = plan->lent;
	call.strings = plan->strings;
	call.error = plan->error;
	call.receiver = plan->receiver ? plan->places[0].reg : -1;
	call.out = reads ? &r->out : &unread;
	count_call(plan, 0);
	gl_plan_enter(L, plan, &plan->caller->call_fast, &call);
	plan->counters.bytes_out += call.out->len * sizeof(*call.out->p);
	if (call.status != GL_CALL_DONE) {
		if (!reads) {
			r = gl_reading_begin(L, plan->caller);
			gl_buffer_give(&plan->caller->out, &r->out);
			r->out = unread;
		}
		gl_plan_check_call(L, plan, call.status, &r->out);
		return 0; /* not reached: it has raised */
	}

	const struct place *results = plan->places + plan->nparams;
	uint32_t nresults = plan->nresults;
	int n;
	if (nresults + 4 > LUA_MINSTACK / 2) {
		luaL_checkstack(L, (int)nresults + 4, NULL);
	}
	bool has_failed = plan->has_error && call.regs.ints[plan->error] != 0;
	nresults -= plan->has_error;
	for (uint32_t i = 0; i < nresults; i++) {
		push_from_registers(L, &call.regs, &results[i], r);
	}
	if (has_failed) {
		push_from_registers(L, &call.regs, &results[nresults], r);
		n = return_error(L, (int)nresults + 1);
	} else {
		n = return_results(L, plan, (int)nresults);
	}
	if (reads) {
		gl_reading_end(L, r);
	} else {
		gl_buffer_give(&plan->caller->out, &unread);
	}
	return n;
}

/* ---- the general road -----------------------------------------------------------------------------------------------
 */

static void encode_arguments(struct encoder *e, int first, int nargs)
{
	struct gl_plan *plan = e->plan;
	uint32_t nfixed = plan->nparams - plan->export->variadic;

	for (e->param = 0; e->param < nfixed; e->param++) {
		e->arg = (int)e->param + 1 - (int)plan->receiver;
		gl_encode(e, first + (int)e->param, plan->places[e->param].type, NULL);
	}
	if (plan->export->variadic) {
		gl_encode_variadic(e, first + (int)nfixed, nargs - (int)nfixed, plan->places[nfixed].type);
	}
}

int gl_plan_decode(lua_State *L, const struct gl_plan *plan, const uint64_t **at, bool keep)
{
	int n = (int)plan->nresults;

	luaL_checkstack(L, n + 4, NULL);
	for (int i = 0; i < n; i++) {
		const struct type *type = plan->places[plan->nparams + (uint32_t)i].type;
		if (keep) {
			gl_decode_kept(L, at, type, true);
		} else {
			gl_decode(L, at, type);
		}
	}
	if (plan->has_error) {
		if (!lua_isnil(L, -1)) {
			return return_error(L, n);
		}
		lua_pop(L, 1);
		n--;
	}
	return return_results(L, plan, n);
}

struct stream {
	struct gl_plan *plan;
	int nargs; /* -1: it is a variable that is set */
	bool is_job;
	struct gl_reading *r;
};

static void prepare_stream(lua_State *L, int first, void *arg)
{
	struct stream *to = arg;

	to->r = gl_reading_begin(L, to->plan->caller);
	struct encoder e = { .L = L, .plan = to->plan, .in = &to->r->in, .is_job = to->is_job };
	if (to->nargs < 0) {
		gl_encode(&e, first, to->plan->places[0].type, NULL);
	} else {
		encode_arguments(&e, first, to->nargs);
	}
}

/* Encodes the arguments from stack index first up, of which there are so many, or the one value of a variable. */
static struct gl_reading *write_stream(lua_State *L, struct gl_plan *plan, int first, int nargs, bool is_job)
{
	struct stream to = { .plan = plan, .nargs = nargs, .is_job = is_job };
	int moved = gl_plan_prepare(L, plan, first, prepare_stream, &to);

	to.r->idx += moved;
	return to.r;
}

static void prepare_reading(lua_State *L, int first, void *arg)
{
	struct stream *to = arg;

	(void)first;
	to->r = gl_reading_begin(L, to->plan->caller);
}

/* Where there is nothing to be encoded */
static struct gl_reading *begin_reading(lua_State *L, struct gl_plan *plan)
{
	struct stream to = { .plan = plan };
	int moved = gl_plan_prepare(L, plan, lua_gettop(L) + 1, prepare_reading, &to);

	to.r->idx += moved;
	return to.r;
}

/* closure: the handle of a function value, 0 where the plan knows its function */
static int call_general(lua_State *L, struct gl_plan *plan, int first, int nargs, bool keep, uint64_t closure)
{
	struct gl_caller *caller = plan->caller;
	uint32_t functions = caller->functions.n;
	struct gl_reading *r = write_stream(L, plan, first, nargs, false);
	struct gl_call call = { .plan = plan->handle,
				.addr = (void *)plan->export->addr,
				.in = &r->in,
				.out = &r->out,
				.caller = caller,
				.keep = keep,
				.handle = closure };
	count_call(plan, r->in.len);
	gl_plan_enter(L, plan, &caller->call, &call);
	caller->functions.inside = functions;
	plan->counters.bytes_out += r->out.len * sizeof(*r->out.p);
	gl_buffer_give(&caller->in, &r->in);
	gl_plan_check_call(L, plan, call.status, &r->out);
	gl_functions_cut(L, caller, functions);

	int n = gl_plan_decode(L, plan, gl_reading_at(r), keep);
	gl_reading_end(L, r);
	return n;
}

/* ---- both -----------------------------------------------------------------------------------------------------------
 */

void gl_plan_check(lua_State *L, const struct gl_plan *plan)
{
	struct gl_error err;

	if (plan->refusal != NULL) {
		gl_plan_entered(plan);
		luaL_error(L, "%s", plan->refusal);
	}
	if (gl_host_check(plan->caller->host, &err) != 0) {
		gl_plan_entered(plan);
		luaL_error(L, "%s", err.message);
	}
}

static void check_count(lua_State *L, const struct gl_plan *plan, int first, int nargs)
{
	const struct gl_export *export = plan->export;
	int wanted = (int)plan->nparams - export->variadic;

	if (nargs < wanted) {
		const struct gl_param *param = &export->params[nargs];
		const char *name = param->name != NULL ? param->name : "";
		gl_plan_entered(plan);
		luaL_error(L, "bad argument #%d to '%s' (missing: %s%s%s)", nargs + 1 - (int)plan->receiver,
			   export->name, name, name[0] != '\0' ? " " : "", plan->places[nargs].type->name);
	}
	for (int i = wanted; i < nargs && !export->variadic; i++) {
		if (!lua_isnil(L, first + i)) {
			gl_plan_entered(plan);
			luaL_error(L, "bad argument #%d to '%s' (too many: %s)", i + 1 - (int)plan->receiver,
				   export->name, export->signature);
		}
	}
}

static int call(lua_State *L, struct gl_plan *plan, int first, bool keep, uint64_t closure)
{
	int nargs = lua_gettop(L) - first + 1;

	gl_plan_check(L, plan);
	check_count(L, plan, first, nargs);
	int n = plan->fast && !keep ? call_fast(L, plan, first) : -1;
	return n >= 0 ? n : call_general(L, plan, first, nargs, keep, closure);
}

struct gl_reading *gl_plan_encode(lua_State *L, struct gl_plan *plan, int first, bool is_job)
{
	int nargs = lua_gettop(L) - first + 1;

	gl_plan_check(L, plan);
	check_count(L, plan, first, nargs);
	return write_stream(L, plan, first, nargs, is_job);
}

int gl_plan_call(lua_State *L, struct gl_plan *plan, int first) { return call(L, plan, first, false, 0); }

int gl_plan_call_keeping(lua_State *L, struct gl_plan *plan, int first) { return call(L, plan, first, true, 0); }

int gl_plan_call_closure(lua_State *L, struct gl_plan *plan, int first, uint64_t closure)
{
	return call(L, plan, first, false, closure);
}

bool gl_plan_is_called(const struct gl_plan *plan) { return plan->calls > 0; }

int gl_plan_get(lua_State *L, struct gl_plan *plan)
{
	gl_plan_check(L, plan);
	struct gl_reading *r = begin_reading(L, plan);
	struct gl_call call = { .plan = plan->handle, .addr = (void *)plan->export->addr, .out = &r->out };
	count_call(plan, 0);
	gl_plan_enter(L, plan, &plan->caller->get, &call);
	plan->counters.bytes_out += r->out.len * sizeof(*r->out.p);
	gl_plan_check_call(L, plan, call.status, &r->out);

	gl_decode(L, gl_reading_at(r), plan->places[0].type);
	gl_reading_end(L, r);
	return 1;
}

void gl_plan_ref(lua_State *L, struct gl_plan *plan)
{
	gl_plan_check(L, plan);
	struct gl_reading *r = begin_reading(L, plan);
	struct gl_call call = { .plan = plan->handle, .addr = (void *)plan->export->addr, .out = &r->out };

	gl_plan_enter(L, plan, &plan->caller->ref, &call);
	gl_plan_check_call(L, plan, call.status, &r->out);
	gl_decode_handle(L, gl_reading_at(r), plan->caller);
	gl_reading_end(L, r);
}

void gl_plan_set(lua_State *L, struct gl_plan *plan, int idx)
{
	gl_plan_check(L, plan);
	struct gl_reading *r = write_stream(L, plan, lua_absindex(L, idx), -1, false);
	struct gl_call call = {
		.plan = plan->handle, .addr = (void *)plan->export->addr, .in = &r->in, .out = &r->out
	};
	count_call(plan, r->in.len);
	gl_plan_enter(L, plan, &plan->caller->set, &call);
	gl_buffer_give(&plan->caller->in, &r->in);
	gl_plan_check_call(L, plan, call.status, &r->out);
	gl_reading_end(L, r);
}
