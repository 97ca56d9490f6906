#include "ffi.h"

#include <stdlib.h>
#include <string.h>

#include "plan.h"

/* A call, with what only C sees of it. */
struct ffi {
	struct gl_ffi_call call; /* first: Lua knows its address */
	struct gl_caller *caller;
	struct gl_plan *plan; /* NULL while it is closed */
};

static struct ffi *ffi_of(struct gl_ffi_call *call) { return (struct ffi *)call; }

static void call_far(struct gl_ffi_call *call);
static void many_far(struct gl_ffi_call *call);

static int enter_nowhere(void *arg, const void *func)
{
	(void)arg;
	(void)func;
	return 0;
}

void gl_ffi_entry(const struct gl_ffi_call *call, struct gl_ffi_entry *entry)
{
	const struct gl_caller *caller = ((const struct ffi *)call)->caller;

	entry->enter = caller->enter != NULL ? caller->enter : enter_nowhere;
	entry->func = caller->call_ffi[call->sort].near;
	entry->many = caller->ffi_many.near;
	entry->far = call_far;
	entry->many_far = many_far;
}

static void call_far(struct gl_ffi_call *call)
{
	const struct gl_caller *caller = ffi_of(call)->caller;

	if (call->fn == NULL || !gl_go_far(caller, &caller->call_ffi[0], call)) {
		call->status = GL_FFI_REFUSED;
	}
}

static void many_far(struct gl_ffi_call *call)
{
	const struct gl_caller *caller = ffi_of(call)->caller;

	if (call->fn == NULL || !gl_go_far(caller, &caller->ffi_many, call)) {
		call->status = GL_FFI_REFUSED;
	}
}

/* ---- which functions take it ------------------------------------------------------------------------------------ */

/* A double holds all integers up to here. */
#define EXACT ((int64_t)1 << 53)

static bool find_place(struct gl_ffi_place *at, const struct place *place)
{
	static const uint8_t kinds[] = {
		[GL_KIND_BOOL] = GL_FFI_BOOL,   [GL_KIND_INT] = GL_FFI_INT,       [GL_KIND_UINT] = GL_FFI_UINT,
		[GL_KIND_FLOAT] = GL_FFI_FLOAT, [GL_KIND_STRING] = GL_FFI_STRING, [GL_KIND_BYTES] = GL_FFI_BYTES,
		[GL_KIND_ERROR] = GL_FFI_ERROR,
	};

	*at = (struct gl_ffi_place){ .kind = kinds[place->type->kind],
				     .bits = (uint8_t)place->type->bits,
				     .reg = (uint8_t)place->reg };
	if (at->kind == GL_FFI_BOOL) {
		at->high = 1;
	} else if (at->kind == GL_FFI_INT) {
		at->high = at->bits == 64 ? EXACT : INT64_MAX >> (64 - at->bits);
		at->low = at->bits == 64 ? -EXACT : -at->high - 1;
	} else if (at->kind == GL_FFI_UINT) {
		at->high = at->bits == 64 ? EXACT : ((int64_t)1 << at->bits) - 1;
	}
	return at->kind == GL_FFI_STRING || at->kind == GL_FFI_BYTES;
}

static bool is_integral(const struct gl_ffi_place *place) { return place->kind <= GL_FFI_UINT; }

/* A plan of the fast road has only what find_place knows. */
static bool find_places(struct gl_ffi_call *call, const struct gl_plan *plan)
{
	uint32_t words = plan->nparams;
	bool has_floats = false, all_integral = plan->nparams <= GL_INT_REGS && plan->nresults <= 1;

	if (!plan->fast || plan->nparams > GL_FFI_MAX_WORDS || plan->nresults > GL_FFI_RESULTS) {
		return false;
	}
	if (plan->receiver) {
		call->params[0] = (struct gl_ffi_place){ .kind = GL_FFI_HANDLE, .reg = (uint8_t)plan->places[0].reg };
		all_integral = false;
	}
	for (uint32_t i = plan->receiver; i < plan->nparams; i++) {
		words += find_place(&call->params[i], &plan->places[i]);
		call->params[i].is_lent = plan->export->params[i].is_lent;
		all_integral = all_integral && is_integral(&call->params[i]);
		has_floats |= call->params[i].kind == GL_FFI_FLOAT;
	}
	for (uint32_t i = 0; i < plan->nresults; i++) {
		find_place(&call->results[i], &plan->places[plan->nparams + i]);
		all_integral = all_integral && is_integral(&call->results[i]);
		has_floats |= call->results[i].kind == GL_FFI_FLOAT;
	}
	bool is_text = plan->nparams == 1 && plan->nresults == 1 && call->params[0].kind == GL_FFI_STRING &&
		       call->results[0].kind == GL_FFI_STRING;
	call->sort = all_integral ? GL_FFI_INTEGRAL : is_text ? GL_FFI_TEXT : has_floats ? GL_FFI_ANY : GL_FFI_WORDS;
	call->is_int = plan->nresults == 1 && call->results[0].kind == GL_FFI_INT && call->results[0].bits == 64;
	call->nparams = (uint8_t)plan->nparams;
	call->nresults = (uint8_t)plan->nresults;
	memcpy(&call->return_is_ptr, plan->return_is_ptr, sizeof(call->return_is_ptr));
	return words <= GL_FFI_MAX_WORDS;
}

static void bind_call(struct ffi *ffi, struct gl_caller *caller)
{
	ffi->caller = caller;
	ffi->call.pins = gl_go_pin(caller, &ffi->call.busy);
	ffi->call.text = &caller->text;
	ffi->call.functions = &caller->functions.n;
}

size_t gl_ffi_size(void) { return sizeof(struct ffi); }

struct gl_ffi_call *gl_ffi_init(void *memory, struct gl_plan *plan)
{
	struct ffi *ffi = memory;

	memset(ffi, 0, sizeof(*ffi));
	if (!find_places(&ffi->call, plan)) {
		return NULL;
	}
	bind_call(ffi, plan->caller);
	gl_ffi_open(&ffi->call, plan);
	return &ffi->call;
}

/* A slice of bytes has a capacity, and nil is none. */
static bool is_field(const struct type *type)
{
	switch (type->kind) {
	case GL_KIND_BOOL:
	case GL_KIND_INT:
	case GL_KIND_UINT:
	case GL_KIND_FLOAT:
	case GL_KIND_STRING: return true;
	default: return false;
	}
}

struct gl_ffi_call *gl_ffi_init_field(void *memory, struct gl_caller *caller, const struct type *type, uint64_t offset,
				      bool sets)
{
	struct ffi *ffi = memory;
	struct gl_ffi_call *call = &ffi->call;
	struct place place = { .type = type };

	memset(ffi, 0, sizeof(*ffi));
	if (!is_field(type)) {
		return NULL;
	}
	bind_call(ffi, caller);
	call->fn = call;
	call->offset = offset;
	call->sort = sets ? GL_FFI_WRITE : GL_FFI_READ;
	call->params[0] = (struct gl_ffi_place){ .kind = GL_FFI_HANDLE };
	call->nparams = sets ? 2 : 1;
	call->nresults = sets ? 0 : 1;
	if (sets) {
		place.reg = type->kind != GL_KIND_FLOAT; /* the handle takes the first of the other registers */
		find_place(&call->params[1], &place);
	} else {
		find_place(&call->results[0], &place);
	}
	return call;
}

struct gl_ffi_call *gl_ffi_new(struct gl_plan *plan)
{
	struct ffi *ffi = malloc(sizeof(*ffi));

	if (ffi == NULL || gl_ffi_init(ffi, plan) == NULL) {
		free(ffi);
		return NULL;
	}
	return &ffi->call;
}

void gl_ffi_open(struct gl_ffi_call *call, struct gl_plan *plan)
{
	if (plan->ffi != NULL) {
		gl_ffi_close(plan);
	}
	ffi_of(call)->plan = plan;
	plan->ffi = call;
	call->fn = (void *)plan->export->addr;
}

bool gl_ffi_is_open(const struct gl_ffi_call *call) { return call->fn != NULL; }

void gl_ffi_close(struct gl_plan *plan)
{
	struct gl_ffi_call *call = plan->ffi;

	if (call != NULL) {
		/* What it returned last may lie in the module. */
		gl_go_drop(plan->caller, call->pins);
		call->fn = NULL;
		ffi_of(call)->plan = NULL;
		plan->ffi = NULL;
	}
}

void gl_ffi_retire(struct gl_ffi_call *call)
{
	struct ffi *ffi = ffi_of(call);

	if (ffi->plan != NULL) {
		ffi->plan->ffi = NULL;
		ffi->plan = NULL;
	}
	call->fn = NULL;
	call->busy = 1;
	gl_go_unpin(ffi->caller, call->pins);
}

void gl_ffi_free(struct gl_ffi_call *call)
{
	if (call != NULL) {
		gl_ffi_retire(call);
		free(ffi_of(call));
	}
}

/* ---- what is left to C ------------------------------------------------------------------------------------------ */

static void push_result(lua_State *L, const struct ffi *ffi, uint32_t i, struct gl_reading *r)
{
	const struct gl_ffi_call *call = &ffi->call;
	const union gl_ffi_word *word = &call->out[(size_t)2 * i];
	struct type type = { .bits = 64 };

	switch ((enum gl_ffi_kind)call->results[i].kind) {
	case GL_FFI_HANDLE: break; /* it never is */
	case GL_FFI_BOOL: lua_pushboolean(L, word->d != 0); break;
	case GL_FFI_FLOAT: lua_pushnumber(L, word->d); break;
	case GL_FFI_INT:
	case GL_FFI_UINT:
		type.kind = call->results[i].kind == GL_FFI_INT ? GL_KIND_INT : GL_KIND_UINT;
		gl_decode_int(L, word[1].u, &type);
		break;
	case GL_FFI_STRING:
	case GL_FFI_BYTES: lua_pushlstring(L, word->s, (size_t)word[1].u); break;
	case GL_FFI_ERROR:
		if (word[1].u != 0) {
			gl_decode_error(L, gl_reading_at(r), ffi->caller);
		} else {
			lua_pushnil(L);
		}
		break;
	}
}

static bool has_error(const struct gl_ffi_call *call)
{
	return call->nresults > 0 && call->results[call->nresults - 1].kind == GL_FFI_ERROR;
}

struct finishing {
	struct ffi *ffi;
	struct gl_reading *reading; /* what Go wrote of a call that failed */
};

/* Pushes the results, or what has the text of a failure. What Go wrote is taken out while it is read: a finalizer may
 * call another function meanwhile. */
static void read_results(lua_State *L, int first, void *arg)
{
	struct finishing *f = arg;
	struct ffi *ffi = f->ffi;
	struct gl_ffi_call *call = &ffi->call;
	int n = call->nresults;
	struct gl_reading *r = gl_reading_begin(L, ffi->caller);

	(void)first;
	gl_buffer_give(&ffi->caller->out, &r->out);
	r->out = *call->text;
	*call->text = (struct gl_buffer){ 0 };
	if (call->status == GL_FFI_FAILED) {
		f->reading = r;
		return;
	}
	luaL_checkstack(L, GL_FFI_RESULTS + 4, NULL);
	bool has_failed = has_error(call) && call->out[2 * n - 1].u != 0;
	n -= has_error(call);
	if (has_failed) {
		lua_pushnil(L);
	}
	for (int i = 0; i < n; i++) {
		push_result(L, ffi, (uint32_t)i, r);
	}
	if (has_failed) {
		push_result(L, ffi, (uint32_t)n, r);
		gl_error_take_results(L, n);
	}
	gl_buffer_give(call->text, &r->out);
	gl_reading_end(L, r);
}

int gl_ffi_finish(lua_State *L, struct gl_ffi_call *call)
{
	struct finishing f = { .ffi = ffi_of(call) };
	struct gl_caller *caller = f.ffi->caller;
	int before = lua_gettop(L), status = 0;

	/* Of a module that several Lua states have, a call that stays busy would keep it for ever: memory may be short.
	 */
	if (f.ffi->plan != NULL && f.ffi->plan->entering != NULL) {
		status = gl_call_protected(L, caller, before + 1, read_results, &f);
	} else {
		read_results(L, before + 1, &f);
	}
	if (status != 0 || f.reading == NULL) {
		gl_go_drop(caller, call->pins);
	}
	call->busy = 0;
	if (status != 0) {
		return lua_error(L);
	}
	if (f.reading != NULL) {
		f.reading->idx = lua_gettop(L);
		gl_plan_check_call(L, f.ffi->plan, call->failure, &f.reading->out);
	}
	if (lua_gettop(L) == before && has_error(call)) {
		lua_pushboolean(L, 1);
	}
	return lua_gettop(L) - before;
}
