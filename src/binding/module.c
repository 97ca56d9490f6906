/* Module handles.
 *
 * Unloading is explicit: a module that Lua forgets stays in the process, since other code of it, goroutines and values,
 * may be at work, until the Lua state is closed (leftovers.c). A handle keeps its host's, and the handles of its
 * functions keep it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../link/names.h"
#include "../call/handle.h"
#include "../object/signature.h"
#include "binding.h"

#define MODULE "goloader.module"

static struct binding_module *check_module(lua_State *L) { return luaL_checkudata(L, 1, MODULE); }

/* Finalizers run when the Lua state is closed, also those that call functions of modules finalized before them, or of
 * modules whose host was. */
static bool is_closing(const struct binding_module *m) { return m->mod == NULL || m->host->caller == NULL; }
static bool is_there(const struct binding_module *m)
{
	return !is_closing(m) && !m->has_left && !binding_is_unloading(m) && gl_module_is_loaded(m->mod);
}
static bool is_loaded(const struct binding_module *m) { return is_there(m) && !m->is_forced; }

bool binding_module_is_loaded(const struct binding_module *m) { return is_loaded(m); }

struct binding_module *binding_to_module(lua_State *L, int idx) { return luaL_checkudata(L, idx, MODULE); }

void binding_raise_unloaded(lua_State *L, const struct binding_module *m)
{
	if (is_closing(m)) {
		luaL_error(L, "the Lua state is being closed");
	}
	luaL_error(L, "module %s was unloaded", m->name);
}

struct gl_module *binding_used_module(lua_State *L, int idx)
{
	struct binding_module *m = luaL_checkudata(L, idx, MODULE);

	if (is_closing(m) || m->has_left) {
		binding_raise_unloaded(L, m);
	}
	return m->mod;
}

/* For those who unload it: by force it may have been before. Another Lua state may have unloaded it at any time, which
 * is no misuse. */
static bool can_go(lua_State *L, const struct binding_module *m, bool is_again, struct gl_error *err)
{
	if (is_closing(m)) {
		binding_raise_unloaded(L, m);
	}
	if (is_there(m) && (is_again || !m->is_forced)) {
		return true;
	}
	if (binding_is_unloading(m)) {
		gl_fail(err, GL_EBUSY, "module %s can't be unloaded: it is being unloaded", m->name);
		return false;
	}
	gl_fail(err, GL_ECLOSED, "module %s was unloaded", m->name);
	return false;
}

static struct binding_module *check_loaded(lua_State *L)
{
	struct binding_module *m = check_module(L);

	if (!is_loaded(m)) {
		binding_raise_unloaded(L, m);
	}
	return m;
}

/* Is an unload waiting for what is under way to end? Who has been waiting may be gone before his time is over (a
 * request that nginx has dropped): then calls are let in again when it is. */
static bool is_closed(const struct binding_module *m) { return m->closed_until > 0 && binding_now() < m->closed_until; }

static void check_open(lua_State *L, const struct binding_module *m)
{
	if (is_closed(m) || binding_is_unloading(m)) {
		luaL_error(L, "module %s is being unloaded", m->name);
	}
}

/* Exports are listed by the last given package first, which wins where two have the same name. */
static bool find_export(const struct binding_module *m, const char *name, enum gl_export_kind kind, size_t *i)
{
	for (*i = 0; *i < m->nexports; ++*i) {
		if (m->exports[*i].kind == kind && strcmp(m->exports[*i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

const struct gl_export *binding_module_export(const struct binding_module *m, size_t i)
{
	return is_loaded(m) ? &m->exports[i] : NULL;
}

struct gl_plan *binding_module_plan(lua_State *L, struct binding_module *m, size_t i)
{
	struct gl_error err;

	if (!is_loaded(m) || is_closed(m)) {
		binding_share_leave_call(m);
		check_open(L, m);
		binding_raise_unloaded(L, m);
	}
	if (m->plans[i] == NULL) {
		bool is_held = binding_share_hold(m);
		struct gl_plan *plan = is_held ? gl_plan_new(m->host->caller, m->mod, &m->exports[i], &err) : NULL;
		if (plan != NULL) {
			gl_plan_tell_entered(plan, &m->entering);
			*gl_plan_counters(plan) = m->counters[i];
			__atomic_store_n(&m->plans[i], plan, __ATOMIC_RELEASE);
		}
		binding_share_let_go(m);
		if (plan == NULL) {
			binding_share_leave_call(m);
			luaL_error(L, is_held ? "%s" : "module %s was unloaded", is_held ? err.message : m->name);
		}
	}
	return m->plans[i];
}

struct gl_counters *binding_module_counters(struct binding_module *m, size_t i)
{
	return m->plans[i] != NULL ? gl_plan_counters(m->plans[i]) : &m->counters[i];
}

struct binding_host *binding_module_host(const struct binding_module *m) { return m->host; }

static bool is_called(const struct binding_module *m)
{
	for (size_t i = 0; i < m->nexports; i++) {
		if (m->plans[i] != NULL && gl_plan_is_called(m->plans[i])) {
			return true;
		}
	}
	return false;
}

/* Says which functions have jobs under way, if any have; name is that of the module to be unloaded. */
static bool has_jobs(const struct binding_module *m, const char *name, struct gl_unload *how, struct gl_error *err)
{
	for (size_t i = 0; i < m->nexports; i++) {
		uint32_t n = m->plans[i] == NULL ? 0 : gl_plan_jobs(m->plans[i]);

		if (n > 0) {
			gl_way_tell(&how->way, "job", m->exports[i].name);
			gl_fail(err, GL_EBUSY, "module %s can't be unloaded: %u %s of %s under way", name, n,
				n == 1 ? "job" : "jobs", m->exports[i].name);
			return true;
		}
	}
	return false;
}

void binding_module_free_plans(struct binding_module *m)
{
	for (size_t i = 0; i < m->nexports && m->plans != NULL; i++) {
		if (m->plans[i] != NULL) {
			m->counters[i] = *gl_plan_counters(m->plans[i]);
		}
		gl_plan_free(m->plans[i]);
		m->plans[i] = NULL;
	}
}

void binding_module_forget(struct binding_module *m)
{
	binding_module_free_plans(m);
	m->nexports = 0;
	m->host->nmodules--;
	if (m->share != NULL) {
		binding_share_withdraw(m);
		m->has_left = true;
	}
}

struct binding_module *binding_push_module(lua_State *L, int host)
{
	struct binding_module *m = lua_newuserdata(L, sizeof(*m));

	*m = (struct binding_module){ .host = binding_check_host(L, host) };
	luaL_getmetatable(L, MODULE);
	lua_setmetatable(L, -2);
	lua_newtable(L);
	lua_pushvalue(L, host);
	lua_setfield(L, -2, "host");
	lua_setuservalue(L, -2);
	return m;
}

int binding_hold_module(struct binding_module *m, struct gl_module *mod, const char *name, struct gl_error *err)
{
	m->nexports = gl_module_exports(mod, &m->exports);
	m->plans = calloc(m->nexports + 1, sizeof(struct gl_plan *));
	m->counters = calloc(m->nexports + 1, sizeof(*m->counters));
	m->leftover = binding_state_join(m->host->state);
	m->state = m->leftover != NULL ? m->host->state : NULL;
	/* The object's file may be gone by the time that a message names the module; its package is not. */
	m->name = strdup(m->nexports > 0 ? m->exports[0].package : name);
	if (m->name != NULL && m->nexports > 0) {
		link_plain_path((struct gl_str){ m->exports[0].package, (uint32_t)strlen(m->name) }, m->name);
	}
	if (m->plans != NULL && m->counters != NULL && m->leftover != NULL && m->name != NULL) {
		m->mod = mod;
		m->host->nmodules++;
		return 0;
	}
	m->nexports = 0;
	return gl_out_of_memory(err, "making the functions of %s", name);
}

int binding_fill_module(struct binding_module *m, struct gl_module *mod, const char *name, struct gl_error *err)
{
	struct gl_error why;

	if (binding_hold_module(m, mod, name, err) == 0) {
		return 0;
	}
	struct gl_unload how = { .prove = GL_PROVE_ALL };
	gl_lock();
	gl_module_unload(mod, &how, &why);
	m->mod = mod; /* if it had to stay, it is tried again */
	gl_unlock();
	gl_way_free(&how.way);
	return -1;
}

void binding_read_group(lua_State *L, struct binding_module *m, int idx, struct binding_group *group)
{
	size_t n = lua_istable(L, idx) ? lua_rawlen(L, idx) : 0;

	/* NOLINTBEGIN(bugprone-sizeof-expression): arrays of pointers */
	group->members = lua_newuserdata(L, (n + 1) * sizeof(*group->members));
	group->along = lua_newuserdata(L, (n + 1) * sizeof(*group->along));
	/* NOLINTEND(bugprone-sizeof-expression) */
	group->n = 1;
	group->members[0] = m;
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, idx, (int)i + 1);
		struct binding_module *member = luaL_checkudata(L, -1, MODULE);
		if (!is_closing(member) && !member->has_left) {
			group->along[group->n - 1] = member->mod;
			group->members[group->n++] = member;
		}
		lua_pop(L, 1); /* the list keeps it alive */
	}
}

/* Is a call or a job under way, which the stacks of Go may not show? */
bool binding_group_is_busy(const struct binding_group *group, struct gl_unload *how, struct gl_error *err)
{
	for (size_t i = 0; i < group->n; i++) {
		if (is_called(group->members[i])) {
			gl_way_tell(&how->way, "call", NULL);
			gl_fail(err, GL_EBUSY,
				"module %s can't be unloaded: called from its own code, by this Lua state",
				group->members[0]->name);
			return true;
		}
		if (has_jobs(group->members[i], group->members[0]->name, how, err)) {
			return true;
		}
	}
	return false;
}

static int push_refusal(lua_State *L)
{
	const struct binding_refusal *refusal = lua_touserdata(L, 1);

	binding_fail(L, &refusal->err);
	if (refusal->how.way.n > 0) {
		binding_push_way(L, &refusal->how.way);
		lua_setfield(L, -2, "path");
	}
	lua_pushboolean(L, refusal->how.held_by_handle);
	return 3;
}

void binding_prepare_refusal(lua_State *L, struct binding_refusal *refusal)
{
	luaL_checkstack(L, 8, NULL);
	lua_pushcfunction(L, push_refusal);
	lua_pushlightuserdata(L, refusal);
}

int binding_tell_refusal(lua_State *L, struct binding_refusal *refusal)
{
	int status = lua_pcall(L, 1, 3, 0);

	gl_way_free(&refusal->how.way);
	return status == 0 ? 3 : lua_error(L);
}

/* Unloads the group from its member number `first` on, under the lock. Of several Lua states that have a module one may
 * have unloaded what is to go along; that has gone then. */
static bool unload_members(struct binding_group *group, size_t first, struct gl_unload *how, struct gl_error *err)
{
	struct binding_module *m = group->members[0];
	bool is_whole = first == 0;

	/* Plans hold on to the module's types. They are made again when it stays. */
	for (size_t i = first; i < group->n; i++) {
		binding_module_free_plans(group->members[i]);
	}
	while (!is_whole && first < group->n && !gl_module_is_loaded(group->members[first]->mod)) {
		first++;
	}
	if (first == group->n) {
		return true;
	}
	how->along = group->along + first;
	how->nalong = group->n - 1 - first;
	gl_callers_flush(m->host->caller);
	binding_unload_leftovers();
	bool is_ours = !is_whole || binding_share_take(m, how, err) == 0;
	bool is_unloaded = is_ours && gl_module_unload(group->members[first]->mod, how, err) == 0;
	if (is_whole && is_ours && !is_unloaded) {
		binding_share_give_back(m);
	}
	if (how->along != group->along + first) {
		free(how->along); /* NOLINT(bugprone-multi-level-implicit-pointer-conversion) */
	}
	how->along = NULL;
	how->nalong = 0;
	return is_unloaded;
}

int binding_tell_gone(lua_State *L, struct binding_host *h)
{
	gl_callers_flush(h->caller);
	gl_host_give_back(h->host);
	gl_handle_forget_classes(L, h->caller);
	lua_pushboolean(L, 1);
	return 1;
}

int binding_end_group(lua_State *L, struct binding_group *group, bool is_let_go, struct binding_refusal *refusal)
{
	struct binding_module *m = group->members[0];

	/* Whether others have it, too, is decided, and acted upon, under one lock: they come and go. */
	gl_lock();
	bool leaves = binding_share_can_leave(m, is_let_go);
	bool is_done = unload_members(group, leaves ? 1 : 0, &refusal->how, &refusal->err);
	for (size_t i = 0; is_done && i < group->n; i++) {
		binding_module_forget(group->members[i]);
	}
	gl_unlock();
	if (!is_done) {
		return binding_tell_refusal(L, refusal);
	}
	return binding_tell_gone(L, m->host);
}

/* module:unload([prove = "all"[, drop handles?[, { module… } that go along]]]) -> true, or what binding_tell_refusal
 * pushes. Where other Lua states have it too, this one has no part in it any more. */
static int module_unload(lua_State *L)
{
	static const char *const proofs[] = { "nothing", "all", NULL };
	struct binding_module *m = check_module(L);
	struct binding_refusal refusal = { .how = { .prove = (enum gl_prove)luaL_checkoption(L, 2, "all", proofs),
						    .drop_handles = lua_toboolean(L, 3) } };
	struct binding_group group;

	if (!can_go(L, m, true, &refusal.err)) {
		return binding_fail(L, &refusal.err);
	}
	binding_read_group(L, m, 4, &group);
	if (gl_host_check(m->host->host, &refusal.err) != 0) {
		return binding_fail(L, &refusal.err);
	}
	binding_prepare_refusal(L, &refusal);
	if (binding_group_is_busy(&group, &refusal.how, &refusal.err)) {
		return binding_tell_refusal(L, &refusal);
	}
	return binding_end_group(L, &group, false, &refusal);
}

/* The faster roads of its functions end where the C API's is, which looks whether it may be taken. */
static void close_roads(struct binding_module *m)
{
	gl_lock();
	for (size_t i = 0; i < m->nexports; i++) {
		if (m->plans[i] != NULL) {
			gl_plan_close_roads(m->plans[i]);
		}
	}
	gl_unlock();
}

/* module:close(seconds, { module… }): until the core's clock says so, calls of it, and of those that go along, raise;
 * with 0 they are let in again. What is under way goes on. */
static int module_close(lua_State *L)
{
	struct binding_module *m = check_module(L);
	struct binding_group group;
	struct gl_error err;

	if (!can_go(L, m, false, &err)) {
		return 0;
	}
	binding_read_group(L, m, 3, &group);
	for (size_t i = 0; i < group.n; i++) {
		group.members[i]->closed_until = luaL_checknumber(L, 2);
		if (is_closed(group.members[i])) {
			close_roads(group.members[i]);
		}
	}
	return 0;
}

/* module:force({ module… } that go along) -> true, or nil and the error */
static int module_force(lua_State *L)
{
	struct binding_module *m = check_module(L);
	struct gl_unload how = { .prove = GL_PROVE_NOTHING };
	struct gl_error err;
	struct binding_group group;

	if (!can_go(L, m, false, &err)) {
		return binding_fail(L, &err);
	}
	binding_read_group(L, m, 2, &group);
	how.along = group.along;
	how.nalong = group.n - 1;
	gl_callers_flush(m->host->caller);
	gl_lock();
	bool is_others = binding_share_is_others(m);
	if (is_others) {
		gl_fail(&err, GL_EBUSY, "module %s can't be unloaded by force: other Lua states have it, too", m->name);
	}
	bool is_done = !is_others && gl_module_close(m->mod, &how, &err) == 0;
	if (is_done) {
		binding_share_withdraw(m);
	}
	/* calls and jobs that are under way have plans */
	for (size_t i = 0; is_done && i < group.n; i++) {
		group.members[i]->is_forced = true;
		close_roads(group.members[i]);
	}
	gl_unlock();
	if (!is_done) {
		return binding_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

static int module_is_closed(lua_State *L)
{
	lua_pushboolean(L, is_closed(check_module(L)));
	return 1;
}

static int module_gc(lua_State *L)
{
	struct binding_module *m = check_module(L);

	gl_lock();
	binding_leave_unloading(m);
	binding_module_free_plans(m);
	bool is_last = binding_share_drop(m);
	gl_unlock();
	free(m->plans);
	free(m->counters);
	m->plans = NULL;
	m->counters = NULL;
	binding_state_leave(m->state, m->leftover, is_last ? m->mod : NULL);
	m->state = NULL;
	m->leftover = NULL;
	m->mod = NULL;
	free(m->name);
	m->name = NULL;
	return 0;
}

static int module_is_loaded(lua_State *L)
{
	lua_pushboolean(L, is_loaded(check_module(L)));
	return 1;
}

/* module:number() -> as host:modules has it; nil of one that was unloaded */
static int module_number(lua_State *L)
{
	struct binding_module *m = check_module(L);

	if (!is_loaded(m)) {
		return 0;
	}
	lua_pushinteger(L, (lua_Integer)gl_module_number(m->mod));
	return 1;
}

static int module_tostring(lua_State *L)
{
	struct binding_module *m = check_module(L);

	lua_pushfstring(L, MODULE ": %s%s", m->name != NULL ? m->name : "?", is_loaded(m) ? "" : " (unloaded)");
	return 1;
}

/* module:exports() -> { { name =, package =, kind =, signature =, params =, results =, variadic =, typed =, type_params
 * =, value = }, … } */
static int module_exports(lua_State *L)
{
	struct binding_module *m = check_loaded(L);

	lua_createtable(L, (int)m->nexports, 0);
	for (size_t i = 0; i < m->nexports; i++) {
		binding_push_export(L, &m->exports[i]);
		lua_rawseti(L, -2, (int)i + 1);
	}
	return 1;
}

/* module:kinds() -> "func", "var", "const", "type" or "generic" by name */
static int module_kinds(lua_State *L)
{
	static const char *const names[] = { [GL_EXPORT_FUNC] = "func",
					     [GL_EXPORT_VAR] = "var",
					     [GL_EXPORT_CONST] = "const",
					     [GL_EXPORT_TYPE] = "type",
					     [GL_EXPORT_GENERIC] = "generic" };
	struct binding_module *m = check_loaded(L);

	lua_createtable(L, 0, (int)m->nexports);
	for (size_t i = m->nexports; i-- > 0;) { /* of two with the same name the first listed has it */
		binding_set_string(L, m->exports[i].name, names[m->exports[i].kind]);
	}
	return 1;
}

static const struct gl_export *check_export(lua_State *L, enum gl_export_kind kind, const char *what)
{
	struct binding_module *m = check_loaded(L);
	const char *name = luaL_checkstring(L, 2);
	size_t i;

	if (!find_export(m, name, kind, &i)) {
		luaL_error(L, "%s has no exported %s %s", m->name, what, name);
	}
	return &m->exports[i];
}

/* module:generic(name) -> what module:exports says of a generic function */
static int module_generic(lua_State *L)
{
	binding_push_export(L, check_export(L, GL_EXPORT_GENERIC, "generic function"));
	return 1;
}

/* module:constant(name) -> its value, or nothing where that is too large */
static int module_constant(lua_State *L)
{
	return binding_push_constant(L, check_export(L, GL_EXPORT_CONST, "constant")->decl->constant);
}

/* module:type(name) -> { name =, package =, signature =, underlying =, alias =, fields = { … }, methods = { … },
 * type_params = { … } } */
static int module_type(lua_State *L)
{
	binding_push_type(L, check_export(L, GL_EXPORT_TYPE, "type"));
	return 1;
}

/* module:methods(type name) -> { { name =, signature =, by_pointer = }, … }, of all methods that the process knows; nil
 * where the type has no descriptor: it is generic, say */
static int module_methods(lua_State *L)
{
	const struct gl_export *export = check_export(L, GL_EXPORT_TYPE, "type");
	struct binding_module *m = check_loaded(L);

	if (export->addr == 0) {
		lua_pushnil(L);
	} else {
		gl_push_method_list(L, m->host->caller, export->addr, export->name);
	}
	return 1;
}

/* module:func(name) -> function, or nil when there is no such export */
static int module_func(lua_State *L)
{
	struct binding_module *m = check_loaded(L);
	size_t i;

	if (!find_export(m, luaL_checkstring(L, 2), GL_EXPORT_FUNC, &i)) {
		lua_pushnil(L);
		return 1;
	}
	binding_push_func(L, 1, i);
	return 1;
}

/* Makes the module at index 1 the version of the moment, where other Lua states have it, too. */
static struct gl_plan *check_variable(lua_State *L)
{
	const char *name = luaL_checkstring(L, 2);
	struct binding_module *m = check_module(L);
	size_t i = 0;

	while (!binding_share_enter(m)) {
		binding_share_follow(L, 1, NULL);
		m = check_module(L);
	}
	if (!is_loaded(m) || !find_export(m, name, GL_EXPORT_VAR, &i)) {
		binding_share_leave_call(m);
		check_loaded(L);
		luaL_error(L, "%s has no exported variable %s", m->name, name);
	}
	return binding_module_plan(L, m, i);
}

static int module_get(lua_State *L) { return gl_plan_get(L, check_variable(L)); }

/* module:ref(name) -> handle of the variable itself */
static int module_ref(lua_State *L)
{
	gl_plan_ref(L, check_variable(L));
	return 1;
}

/* module:new(type name[, value]) -> handle of a new variable */
static int module_new(lua_State *L)
{
	struct binding_module *m = check_loaded(L);
	const char *name = luaL_checkstring(L, 2);
	uintptr_t type = gl_module_type(m->mod, name);

	check_open(L, m);
	if (type == 0) {
		return luaL_error(L, "%s has no exported type %s", m->name, name);
	}
	gl_handle_make(L, m->host->caller, (void *)type, name);
	if (!lua_isnoneornil(L, 3)) {
		gl_handle_set(L, lua_gettop(L), 3);
	}
	return 1;
}

static int module_set(lua_State *L)
{
	luaL_checkany(L, 3);
	gl_plan_set(L, check_variable(L), 3);
	return 0;
}

/* module:symbols() -> { { name =, addr =, size =, kind = }, … } */
static int module_symbols(lua_State *L)
{
	struct binding_module *m = check_loaded(L);
	const struct gl_module_symbol *symbols;
	size_t n = gl_module_symbols(m->mod, &symbols);

	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		char text[24];

		lua_createtable(L, 0, 4);
		binding_set_string(L, "name", symbols[i].name);
		snprintf(text, sizeof(text), "%" PRIxPTR, symbols[i].addr);
		binding_set_string(L, "addr", text);
		binding_set_integer(L, "size", (lua_Integer)symbols[i].size);
		lua_pushlstring(L, &symbols[i].kind, 1);
		lua_setfield(L, -2, "kind");
		lua_rawseti(L, -2, (int)i + 1);
	}
	return 1;
}

static int module_disassemble(lua_State *L)
{
	return binding_disassemble(L, check_loaded(L)->mod, luaL_checkstring(L, 2));
}

/* Is that the export's name, short or whole: "Render", "main.Render"? */
static bool is_named(const struct gl_export *export, const char *name)
{
	size_t n = strlen(export->package);

	return strcmp(export->name, name) == 0 ||
	       (strncmp(export->package, name, n) == 0 && name[n] == '.' && strcmp(export->name, name + n + 1) == 0);
}

int binding_module_explain(lua_State *L, struct binding_module *m, size_t i)
{
	struct gl_plan *plan = binding_module_plan(L, m, i);

	return binding_explain(L, m->mod, m->exports[i].name, plan);
}

/* module:explain(name): see binding_explain */
static int module_explain(lua_State *L)
{
	struct binding_module *m = check_loaded(L);
	const char *name = luaL_checkstring(L, 2);

	for (size_t i = 0; i < m->nexports; i++) {
		if (m->exports[i].kind == GL_EXPORT_FUNC && is_named(&m->exports[i], name)) {
			return binding_module_explain(L, m, i);
		}
	}
	return binding_explain(L, m->mod, name, NULL);
}

static int module_stats(lua_State *L)
{
	struct binding_module *m = check_loaded(L);
	struct gl_module_stats stats;

	gl_module_stats(m->mod, &stats);
	lua_createtable(L, 0, 10);
	binding_set_integer(L, "text", (lua_Integer)stats.text);
	binding_set_integer(L, "rodata", (lua_Integer)stats.rodata);
	binding_set_integer(L, "data", (lua_Integer)stats.data);
	binding_set_integer(L, "bss", (lua_Integer)stats.bss);
	binding_set_integer(L, "bytes", (lua_Integer)stats.bytes);
	binding_set_integer(L, "resident_bytes", (lua_Integer)stats.resident_bytes);
	binding_set_number(L, "read_ms", stats.read_ms);
	binding_set_number(L, "link_ms", stats.link_ms);
	binding_set_number(L, "publish_ms", stats.publish_ms);
	binding_set_number(L, "init_ms", stats.init_ms);
	return 1;
}

void binding_push_counters(lua_State *L, struct gl_counters *counters, bool reset)
{
	lua_createtable(L, 0, 8);
	binding_set_integer(L, "calls", (lua_Integer)counters->calls);
	binding_set_integer(L, "crossings", (lua_Integer)counters->crossings);
	binding_set_integer(L, "panics", (lua_Integer)counters->panics);
	binding_set_integer(L, "bytes_in", (lua_Integer)counters->bytes_in);
	binding_set_integer(L, "bytes_out", (lua_Integer)counters->bytes_out);
	if (reset) {
		*counters = (struct gl_counters){ 0 };
	}
}

/* module:call_stats([reset]) -> { { name =, calls =, … }, … }, of the exports that were used */
static int module_call_stats(lua_State *L)
{
	struct binding_module *m = check_module(L);
	bool reset = lua_toboolean(L, 2);
	int n = 0;

	lua_newtable(L);
	for (size_t i = 0; is_loaded(m) && i < m->nexports; i++) {
		struct gl_counters *counters = binding_module_counters(m, i);

		if (counters->calls == 0) {
			continue;
		}
		binding_push_counters(L, counters, reset);
		binding_set_string(L, "name", m->exports[i].name);
		binding_set_string(L, "module", m->name);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

/* module:set_string(name, value) -> true */
static int module_set_string(lua_State *L)
{
	struct binding_module *m = check_loaded(L);
	struct gl_error err;
	size_t len;
	const char *name = luaL_checkstring(L, 2), *value = luaL_checklstring(L, 3, &len);

	gl_lock();
	bool set = gl_module_set_string(m->mod, name, value, len, &err) == 0;
	gl_unlock();
	if (!set) {
		return binding_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* module:read_memory_profile(reads): whether it has a use for Go's memory profile, whatever it refers to */
static int module_read_memory_profile(lua_State *L)
{
	struct binding_module *m = check_loaded(L);

	gl_lock();
	gl_module_read_profile(m->mod, lua_toboolean(L, 2));
	gl_unlock();
	return 0;
}

/* module:run_main({ args… }): returns only errors */
static int module_run_main(lua_State *L)
{
	struct binding_module *m = check_loaded(L);
	struct gl_error err;
	size_t n = 0;

	if (!lua_isnoneornil(L, 2)) {
		luaL_checktype(L, 2, LUA_TTABLE);
		n = lua_rawlen(L, 2);
	}
	const char **args = lua_newuserdata(L, (n + 1) * sizeof(*args));
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, 2, (int)i + 1);
		luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2, "every argument is a string");
		args[i] = lua_tostring(L, -1); /* which the table keeps */
		lua_pop(L, 1);
	}
	gl_module_run_main(m->mod, args, n, &err);
	return binding_fail(L, &err);
}

static int look(lua_State *L)
{
	bool is_gone;
	int n;

	while (n = binding_share_look(L, check_module(L), &is_gone), is_gone) {
		binding_share_follow(L, 1, NULL);
	}
	return n;
}

void binding_open_module(lua_State *L)
{
	static const luaL_Reg looks[] = {
		{ "exports", module_exports },
		{ "kinds", module_kinds },
		{ "constant", module_constant },
		{ "type", module_type },
		{ "methods", module_methods },
		{ "generic", module_generic },
		{ "func", module_func },
		{ "new", module_new },
		{ "symbols", module_symbols },
		{ "disassemble", module_disassemble },
		{ "explain", module_explain },
		{ "stats", module_stats },
		{ "set_string", module_set_string },
		{ "read_memory_profile", module_read_memory_profile },
		{ NULL, NULL },
	};
	static const luaL_Reg methods[] = {
		{ "unload", module_unload },     { "is_loaded", module_is_loaded },
		{ "get", module_get },           { "set", module_set },
		{ "ref", module_ref },           { "call_stats", module_call_stats },
		{ "run_main", module_run_main }, { "close", module_close },
		{ "force", module_force },       { "is_closed", module_is_closed },
		{ "number", module_number },     { "__tostring", module_tostring },
		{ "__gc", module_gc },           { NULL, NULL },
	};

	binding_new_class(L, MODULE, methods);
	luaL_getmetatable(L, MODULE);
	gl_lua_setfuncs(L, binding_share_methods);
	gl_lua_setfuncs(L, binding_beside_methods);
	lua_pop(L, 1);
	binding_add_looks(L, MODULE, looks, look);
	binding_open_beside(L);
}
