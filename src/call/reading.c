/* The streams of a call: arguments that are written, results that are read. An error of Lua's may end either anywhere:
 * memory is short, a table nests too deep, a function that the loader was given raises. The streams' memory, and the
 * handles among results that Lua never got to see, would stay for ever if nobody had them. So a userdata has them,
 * which lies on the Lua stack meanwhile. A caller keeps one to be used again: to make one takes longer than a call. */
#include <stdlib.h>

#include "plan.h"

/* The metatable of readings: its key in the registry, by its address */
static const char meta_key = 0;

void gl_release_unread(struct gl_caller *caller, const struct gl_buffer *out, const uint64_t *at)
{
	for (size_t i = 0; i < out->nhandles; i++) {
		const uint64_t *place = out->p + out->p[out->len + i];

		if (at == NULL || place >= at) {
			gl_caller_release(caller, *place);
		}
	}
}

static int reading_gc(lua_State *L)
{
	struct gl_reading *r = lua_touserdata(L, 1);

	if (r->caller != NULL) {
		gl_release_unread(r->caller, &r->out, r->at);
		free(r->out.p);
		free(r->in.p);
		gl_caller_drop(r->caller);
		r->caller = NULL;
	}
	return 0;
}

struct gl_reading *gl_reading_new(lua_State *L)
{
	struct gl_reading *r = lua_newuserdata(L, sizeof(*r));

	*r = (struct gl_reading){ 0 };
	lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_key);
	if (!lua_istable(L, -1)) {
		lua_pop(L, 1);
		lua_createtable(L, 0, 1);
		lua_pushcfunction(L, reading_gc);
		lua_setfield(L, -2, "__gc");
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &meta_key);
	}
	lua_setmetatable(L, -2);
	return r;
}

void gl_reading_own(struct gl_reading *r, struct gl_caller *caller)
{
	r->caller = caller;
	caller->users++;
}

struct gl_reading *gl_reading_begin(lua_State *L, struct gl_caller *caller)
{
	struct gl_reading *r = caller->reading;

	if (r->is_used) { /* by a call further up, or it is one that an error has ended */
		luaL_checkstack(L, 4, NULL);
		r = gl_reading_new(L);
		gl_reading_own(r, caller);
		lua_pushvalue(L, -1);
		lua_rawseti(L, LUA_REGISTRYINDEX, caller->reading_ref);
		caller->reading = r;
	} else {
		lua_rawgeti(L, LUA_REGISTRYINDEX, caller->reading_ref);
	}
	r->is_used = true;
	r->at = NULL;
	r->idx = lua_gettop(L);
	r->in = gl_buffer_take(&caller->in);
	r->out = gl_buffer_take(&caller->out);
	return r;
}

const uint64_t **gl_reading_at(struct gl_reading *r)
{
	r->at = r->out.p;
	return &r->at;
}

void gl_reading_end(lua_State *L, struct gl_reading *r)
{
	if (r->in.p != NULL) { /* else the call has given it back */
		gl_buffer_give(&r->caller->in, &r->in);
	}
	gl_buffer_give(&r->caller->out, &r->out);
	r->is_used = false;
	lua_remove(L, r->idx);
}
