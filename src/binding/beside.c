/* Unloading beside Lua: by a thread, while the Lua state goes on.
 *
 * Nothing is done with the module meanwhile: to this file's functions it is one that was unloaded, whose functions have
 * no plans, and calls of which raise. So the thread needs nothing of Lua's, and what a Lua state still does with its
 * other modules is what several threads may do at once. The Lua state asks how it went when the thread's job is done,
 * and has forgotten the module, or its own again, only then.
 *
 * Where the Lua state is closed before the thread has begun, the module is left behind as others are (leftovers.c). */
#include <stdlib.h>
#include <string.h>

#include "binding.h"

#define UNLOADING "goloader.unloading"

enum progress { BEGUN, REFUSED, UNLOADED };

/* One unload by a thread. Its users are the thread, each module that is to be unloaded, and the Lua userdata that will
 * be asked for the outcome; the last one frees it. */
struct binding_unloading {
	int users;
	int progress;
	bool is_over; /* a module's userdata was collected before the thread had the lock */
	struct gl_host *host;
	struct gl_unload how;
	struct gl_error err;
	struct gl_module *mod;
	struct gl_module *along[];
};

static void let_go(struct binding_unloading *u)
{
	if (u != NULL && __atomic_sub_fetch(&u->users, 1, __ATOMIC_ACQ_REL) == 0) {
		gl_way_free(&u->how.way);
		free(u);
	}
}

static enum progress progress_of(const struct binding_unloading *u)
{
	return (enum progress)__atomic_load_n(&u->progress, __ATOMIC_ACQUIRE);
}

bool binding_is_unloading(const struct binding_module *m)
{
	return m->unloading != NULL && progress_of(m->unloading) != REFUSED;
}

void binding_leave_unloading(struct binding_module *m)
{
	if (m->unloading != NULL) {
		m->unloading->is_over = true;
		let_go(m->unloading);
		m->unloading = NULL;
	}
}

static void unload(void *arg)
{
	struct binding_unloading *u = arg;
	bool is_unloaded = false;

	gl_lock();
	if (u->is_over) {
		gl_fail(&u->err, GL_ECLOSED, "the Lua state is being closed");
	} else {
		binding_unload_leftovers();
		is_unloaded = gl_module_unload(u->mod, &u->how, &u->err) == 0;
	}
	__atomic_store_n(&u->progress, is_unloaded ? UNLOADED : REFUSED, __ATOMIC_RELEASE);
	gl_unlock();
	if (is_unloaded) {
		gl_host_give_back(u->host);
	}
	let_go(u);
}

static int unloading_gc(lua_State *L)
{
	struct binding_unloading **ref = luaL_checkudata(L, 1, UNLOADING);

	let_go(*ref);
	*ref = NULL;
	return 0;
}

/* Is it this Lua state's alone? Of several that have a module each would have to be asked. */
static bool is_alone(const struct binding_group *group)
{
	for (size_t i = 0; i < group->n; i++) {
		if (group->members[i]->share != NULL || !binding_module_is_loaded(group->members[i])) {
			return false;
		}
	}
	return true;
}

static struct binding_unloading *new_unloading(const struct binding_group *group, bool drop_handles)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
	struct binding_unloading *u = calloc(1, sizeof(*u) + group->n * sizeof(*u->along));

	if (u != NULL) {
		u->how = (struct gl_unload){ .prove = GL_PROVE_ALL, .drop_handles = drop_handles };
		u->how.along = u->along;
		u->how.nalong = group->n - 1;
		u->mod = group->members[0]->mod;
		u->host = group->members[0]->host->host;
		memcpy(u->along, group->along, (group->n - 1) * sizeof(*u->along)); /* NOLINT: likewise */
		u->users = 2 + (int)group->n;
	}
	return u;
}

static void set_unloading(const struct binding_group *group, struct binding_unloading *u)
{
	for (size_t i = 0; i < group->n; i++) {
		group->members[i]->unloading = u;
	}
}

/* module:unload_start(drop handles?, { module… } that go along) -> a job, and what module:unload_finish takes when that
 * is done; or nothing, where it is for module:unload to say why not, or to do it. */
static int unload_start(lua_State *L)
{
	struct binding_module *m = binding_to_module(L, 1);
	bool drop_handles = lua_toboolean(L, 2);
	struct gl_unload how = { 0 };
	struct binding_group group;
	struct gl_error err;

	if (!binding_module_is_loaded(m) || gl_host_check(m->host->host, &err) != 0) {
		return 0;
	}
	binding_read_group(L, m, 3, &group);
	bool is_busy = binding_group_is_busy(&group, &how, &err);
	gl_way_free(&how.way);
	if (is_busy || !is_alone(&group)) {
		return 0;
	}
	lua_getuservalue(L, 1);
	lua_getfield(L, -1, "host");
	struct gl_job **job = binding_push_plain_job(L, lua_gettop(L));
	struct binding_unloading **ref = lua_newuserdata(L, sizeof(struct binding_unloading *));
	*ref = NULL;
	luaL_getmetatable(L, UNLOADING);
	lua_setmetatable(L, -2);
	struct binding_unloading *u = new_unloading(&group, drop_handles);
	if (u == NULL) {
		return 0;
	}
	gl_lock();
	for (size_t i = 0; i < group.n; i++) {
		binding_module_free_plans(group.members[i]);
	}
	gl_callers_flush(m->host->caller);
	gl_unlock();
	set_unloading(&group, u);
	*job = gl_job_start_thread(m->host->caller, "unload", unload, u, false, &err);
	if (*job == NULL) {
		set_unloading(&group, NULL);
		free(u);
		return 0;
	}
	*ref = u;
	return 2;
}

/* module:unload_finish(what unload_start gave, { module… } that go along) -> as module:unload */
static int unload_finish(lua_State *L)
{
	struct binding_module *m = binding_to_module(L, 1);
	struct binding_unloading **ref = luaL_checkudata(L, 2, UNLOADING), *u = *ref;
	struct binding_refusal refusal;
	struct binding_group group;

	luaL_argcheck(L, u != NULL && u == m->unloading && progress_of(u) != BEGUN, 2,
		      "an unload that is done expected");
	binding_read_group(L, m, 3, &group);
	binding_prepare_refusal(L, &refusal);
	for (size_t i = 0; i < group.n; i++) {
		if (group.members[i]->unloading == u) {
			group.members[i]->unloading = NULL;
			let_go(u);
		}
	}
	*ref = NULL;
	if (progress_of(u) == REFUSED) {
		refusal.how = u->how; /* the way in it is ours now */
		refusal.err = u->err;
		u->how.way = (struct gl_way){ 0 };
		let_go(u);
		return binding_tell_refusal(L, &refusal);
	}
	let_go(u);
	gl_lock();
	for (size_t i = 0; i < group.n; i++) {
		binding_module_forget(group.members[i]);
	}
	gl_unlock();
	return binding_tell_gone(L, m->host);
}

const luaL_Reg binding_beside_methods[] = {
	{ "unload_start", unload_start },
	{ "unload_finish", unload_finish },
	{ NULL, NULL },
};

void binding_open_beside(lua_State *L)
{
	static const luaL_Reg methods[] = { { "__gc", unloading_gc }, { NULL, NULL } };

	binding_new_class(L, UNLOADING, methods);
}
