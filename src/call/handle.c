/* Handles: userdata that stand for Go values which stay in Go (src/host/handles.go).
 *
 * A handle holds a number, by which Go finds the value, and the number of its class: what handles of one type have in
 * common (class.c). When Lua collects a handle, Go is told, but not at once: many numbers go in one crossing. */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

/* The metatable of handles: its key in the registry, by its address */
static const char meta_key = 0;
static const char handle_mark[] = "goloader.handle";

struct gl_handle *gl_handle_at(lua_State *L, int idx)
{
	struct gl_handle *h = lua_touserdata(L, idx);

	return h != NULL && lua_rawlen(L, idx) == sizeof(*h) && h->mark == handle_mark ? h : NULL;
}

struct gl_handle *gl_handle_new(lua_State *L, struct gl_caller *caller, uint64_t class)
{
	luaL_checkstack(L, 6, "a result nests too deep");
	struct gl_handle *h = lua_newuserdata(L, sizeof(*h));

	*h = (struct gl_handle){ .mark = handle_mark, .caller = caller, .class = class };
	caller->users++;
	gl_push_handle_metatable(L);
	lua_setmetatable(L, -2);
	if (class != 0) {
		gl_handle_set_members(L, h);
	}
	return h;
}

void gl_handle_release(struct gl_handle *h)
{
	if (h->id != 0) {
		gl_caller_release(h->caller, h->id);
		h->id = 0;
	}
}

void gl_handle_release_now(struct gl_handle *h)
{
	if (h->id != 0) {
		gl_handle_release(h);
		gl_caller_flush(h->caller);
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

void gl_push_handle_metatable(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_key); }

void gl_handle_check(lua_State *L, int idx)
{
	if (gl_handle_at(L, idx)->caller == NULL) {
		luaL_error(L, "a handle that was released: the Lua state is being closed");
	}
}

struct gl_caller *gl_handle_caller(lua_State *L, int idx)
{
	gl_handle_check(L, idx);
	return gl_handle_at(L, idx)->caller;
}

uint64_t gl_handle_id(const struct gl_handle *h) { return h->id; }
uint64_t gl_handle_class(lua_State *L, int idx) { return gl_handle_at(L, idx)->class; }
enum gl_shape gl_handle_shape(lua_State *L, int idx) { return gl_handle_open(L, idx)->shape; }
const struct gl_host *gl_handle_host(lua_State *L, int idx) { return gl_handle_caller(L, idx)->host; }
const char *gl_handle_type(lua_State *L, int idx)
{
	return gl_handle_at(L, idx)->class == 0 ? "error" : gl_handle_open(L, idx)->name;
}

int gl_handle_fail_released(lua_State *L, int idx)
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

	struct gl_caller *caller = gl_handle_caller(L, idx);
	struct gl_buffer none = { 0 }, *out = op->out != NULL ? op->out : &none;
	struct gl_error err;
	bool can_go = h->id != 0 && gl_host_check(caller->host, &err) == 0;

	op->handle = h->id;
	op->out = out;
	if (can_go) {
		gl_go_or_raise(L, caller, &caller->handle, op);
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
			gl_handle_fail_released(L, idx);
		}
		luaL_error(L, "%s", err.message);
	}
	gl_call_check(L, caller, h->is_open ? gl_handle_open(L, idx)->name : "handle", op->status, out);
}

/* class: where there is no descriptor */
static void make(lua_State *L, struct gl_caller *caller, void *descriptor, uint64_t class, const char *name)
{
	gl_caller_check(L, caller);
	struct gl_reading *r = gl_reading_begin(L, caller);
	struct gl_call call = { .addr = descriptor, .plan = class, .out = &r->out };

	gl_go_or_raise(L, caller, &caller->make, &call);
	gl_call_check(L, caller, name, call.status, &r->out);
	gl_decode_handle(L, gl_reading_at(r), caller);
	gl_reading_end(L, r);
}

void gl_handle_make(lua_State *L, struct gl_caller *caller, void *descriptor, const char *name)
{
	make(L, caller, descriptor, 0, name);
}

void gl_handle_make_of(lua_State *L, struct gl_caller *caller, uint64_t class, const char *name)
{
	make(L, caller, NULL, class, name);
}
