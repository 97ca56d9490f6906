/* Modules that several Lua states have.
 *
 * A process may run many Lua states, each in a thread of its own. A module that one of them has loaded is published
 * under a name (module:share), and the others take it by that name (host:shared): it is linked once, its variables are
 * the same for all, and each state has a userdata, plans and roads of its own for it. Such a name is a share.
 *
 * A share has one version of its module that stands, and a number that says which. Every call of a shared module's
 * function, by whatever road, and every use of its variables, looks at that number first, at the price of a load and a
 * comparison; no other module's calls look at anything. To replace the module is to store another number: that one
 * store is the moment of the swap, for all exports and all Lua states. A call begins when it looks. So when
 * host:replace has returned, in whatever state, no call that anybody makes afterwards runs the old code; calls that
 * have looked before end in it. A state whose number is another takes the version that stands when it next looks
 * (binding_share_follow), and what Lua has of the module stands for that from then on.
 *
 * Before its state is handed over (Release to Adopt), the number is made odd, which is nobody's. Calls that begin then
 * wait till the new version stands, or the old one again where it was refused: none changes what was released already.
 * They don't wait where whoever hands over would wait for them: within another call of the module by the same Lua
 * state, in the thread that hands over, and where two Lua states hand over crosswise, each to the module of which the
 * other one makes a call meanwhile. Who asks for a module while another state makes it waits likewise; where that one
 * waits for a module that this one makes, this is told as an error (is_waited_for).
 *
 * Who has replaced a module unloads the old version, though other states, which may be idle for hours, have not noticed
 * yet: he takes it from them. For that a call says that it begins (`entering`, or that the place is busy which its road
 * has for arguments) before it looks at the number. The other one has stored the number before he asks who has begun,
 * with a barrier in every thread of the process in between (membarrier(2)): either he sees that a call has begun, and
 * waits, or the call sees the new number. That costs calls nothing. Where the kernel has no such barrier, the old
 * version goes when the other states have noticed.
 *
 * A Lua state that unloads a shared module, or is closed, has no part in it any more; the last one that has takes it
 * out of the process. That, and taking, is in leave.c. */
#include "share.h"

#include <stdlib.h>
#include <string.h>

/* Shares are only changed under the lock (gl_lock); version, maker and replaced, for which threads wait at `opened`,
 * under this one as well. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
struct binding_share *share_list;
struct binding_module *share_modules;

/* ---- notes, names, lists ------------------------------------------------------------------------------------------
 */

static struct binding_note *new_note(const char *text, size_t len)
{
	struct binding_note *note = malloc(sizeof(*note) + len);

	if (note != NULL) {
		*note = (struct binding_note){ .users = 1, .len = len };
		memcpy(note->text, text, len);
	}
	return note;
}

static struct binding_note *keep_note(struct binding_note *note)
{
	note->users++;
	return note;
}

void share_drop_note(struct binding_note *note)
{
	if (note != NULL && --note->users == 0) {
		free(note);
	}
}

static struct binding_share *find(const char *name)
{
	for (struct binding_share *share = share_list; share != NULL; share = share->next) {
		if (strcmp(share->name, name) == 0) {
			return share;
		}
	}
	return NULL;
}

/* The share of that name, which the caller uses from now on. NULL without memory. */
static struct binding_share *open_share(const char *name)
{
	struct binding_share *share = find(name);

	if (share == NULL) {
		size_t len = strlen(name);
		share = calloc(1, sizeof(*share) + len + 1);
		if (share == NULL || (share->leftover = binding_leftover_new()) == NULL) {
			free(share);
			return NULL;
		}
		memcpy(share->name, name, len + 1);
		share->next = share_list;
		share_list = share;
	}
	share->users++;
	return share;
}

void share_close(struct binding_share *share)
{
	if (--share->users > 0) {
		return;
	}
	for (struct binding_share **link = &share_list; *link != NULL; link = &(*link)->next) {
		if (*link == share) {
			*link = share->next;
			break;
		}
	}
	share_drop_note(share->note);
	binding_leftover_free(share->leftover);
	free(share);
}

/* Another version stands, or none. */
void share_set_version(struct binding_share *share, uint32_t version, struct gl_module *mod)
{
	pthread_mutex_lock(&gate);
	share->mod = mod;
	store(&share->version, version);
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&gate);
}

static void set_maker(struct binding_share *share, const struct binding_host *maker)
{
	pthread_mutex_lock(&gate);
	share->maker = maker;
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&gate);
}

void share_end_making(struct binding_share *share)
{
	set_maker(share, NULL);
	share_close(share);
}

/* ---- who makes or replaces a module -------------------------------------------------------------------------------
 *
 * Others wait for the end of that, and the coroutine that does it may have none: a request is dropped, an error unwinds
 * it. What it has of that is a userdata, with which the making, or replacing, ends when it is collected. */

#define CLAIM "goloader.claim"

struct claim {
	struct binding_module *m;     /* to be replaced, or NULL */
	const struct binding_host *h; /* by whose Lua state the module of that name is to be made */
	const char *name;
};

static int claim_gc(lua_State *L)
{
	const struct claim *claim = luaL_checkudata(L, 1, CLAIM);

	gl_lock();
	struct binding_share *share = claim->m != NULL ? claim->m->share : find(claim->name);
	if (share != NULL && share->claim == claim) {
		if (claim->m != NULL) {
			share_give_up_replacing(claim->m);
		} else if (share->maker == claim->h) {
			share_end_making(share);
		}
	}
	gl_unlock();
	return 0;
}

/* Pushes one that keeps what is at stack indices 1 and 2. */
static struct claim *push_claim(lua_State *L)
{
	struct claim *claim = lua_newuserdata(L, sizeof(*claim));

	*claim = (struct claim){ .name = "" };
	gl_lua_set_gc(L, CLAIM, claim_gc);
	lua_createtable(L, 2, 0);
	for (int i = 1; i <= 2; i++) {
		lua_pushvalue(L, i);
		lua_rawseti(L, -2, i);
	}
	lua_setuservalue(L, -2);
	return claim;
}

/* ---- one userdata more --------------------------------------------------------------------------------------------
 */

/* Makes a userdata's module its share's version of the moment. It stays where it is till module:settle(), however soon
 * another Lua state replaces it. */
static void enlist(struct binding_module *m, struct binding_share *share)
{
	m->holds = 1;
	share->users++;
	m->version = load(&share->version) & ~1U;
	m->note = keep_note(share->note);
	m->share = share;
	m->next = share_modules;
	share_modules = m;
}

/* Has the userdata's Lua state a part in the share by it? */
bool share_takes_part(const struct binding_module *m, const struct binding_share *share)
{
	return m->share == share && m->instance_of == NULL && !m->is_old && !m->has_left && !m->is_forced;
}

bool share_others_take_part(const struct binding_module *m)
{
	for (const struct binding_module *other = share_modules; other != NULL; other = other->next) {
		if (other != m && share_takes_part(other, m->share)) {
			return true;
		}
	}
	return false;
}

bool binding_share_has(const struct gl_module *mod)
{
	for (const struct binding_module *m = share_modules; m != NULL; m = m->next) {
		if (m->mod == mod) {
			return true;
		}
	}
	return false;
}

static bool stands(const struct binding_module *m)
{
	return m->share->mod == m->mod && m->instance_of == NULL && m->version == (load(&m->share->version) & ~1U);
}

/* ---- looking ------------------------------------------------------------------------------------------------------
 */

/* Is there a version of m's share at the address that this Lua state has? */
static bool is_version(const void *arg, uintptr_t addr)
{
	const struct binding_module *m = arg;
	const struct gl_module *at = addr != 0 ? gl_host_module_at(m->host->host, addr) : NULL;

	for (const struct binding_module *other = share_modules; at != NULL && other != NULL; other = other->next) {
		if (other->host == m->host && other->share == m->share && other->mod == at) {
			return true;
		}
	}
	return false;
}

/* Is a call of any version under way in this Lua state, of a function or, with Lua functions that it was given, of a
 * handle's method? */
static bool is_within_call(const struct binding_module *m)
{
	for (const struct binding_module *other = share_modules; other != NULL; other = other->next) {
		for (size_t i = 0; other->host == m->host && other->share == m->share && i < other->nexports; i++) {
			if (other->plans[i] != NULL && gl_plan_is_called(other->plans[i])) {
				return true;
			}
		}
	}
	return m->host->caller != NULL && gl_caller_is_within(m->host->caller, is_version, m);
}

/* The Lua state that those who wait for the share wait for: the one that makes its module, or hands its state over.
 * NULL: none. Under the gate. */
static const struct binding_host *awaited(const struct binding_share *share)
{
	if (share->maker != NULL) {
		return share->maker;
	}
	return share->replaced != NULL && is_odd(load(&share->version)) ? share->replaced->host : NULL;
}

/* Would all wait for ever if h's Lua state waited for the share? They would where
 * 1. the Lua state that is awaited there waits for h's, which makes or hands over another share's module, or for a
 * third one that waits for h's, and so on, or
 * 2. it is this very thread that is awaited, to go on with the coroutine in which it makes the module.
 * Under the lock and the gate. */
static bool is_waited_for(const struct binding_host *h, const struct binding_share *share)
{
	while (share != NULL) {
		const struct binding_host *other = awaited(share);
		if (other == NULL) {
			return false;
		}
		if (other == h || pthread_equal(share->thread, pthread_self())) {
			return true;
		}
		share = other->waits_for;
	}
	return false;
}

/* Called when the share's number is not m's. Waits while it is odd, which is while state is handed over. True if m must
 * not wait for that, and may be called. */
static bool may_pass(struct binding_module *m)
{
	struct binding_share *share = m->share;

	gl_lock();
	pthread_mutex_lock(&gate);
	bool is_handed_over = load(&share->version) == m->version + 1;
	bool passes = is_handed_over && (is_within_call(m) || is_waited_for(m->host, share));
	store(&m->entering,
	      passes); /* under the lock, so that it is seen by whoever takes it once it is an old version */
	gl_unlock();
	m->host->waits_for = passes ? NULL : share;
	while (!passes && is_odd(load(&share->version))) {
		pthread_cond_wait(&opened, &gate);
	}
	m->host->waits_for = NULL;
	pthread_mutex_unlock(&gate);
	return passes;
}

bool binding_share_enter(struct binding_module *m)
{
	if (m->share == NULL) {
		return true;
	}
	do {
		/* It may be 1 already, if an error of Lua's has ended a call as it began. */
		store(&m->entering, 1);
		keep_order();
		if (load(&m->share->version) == m->version) {
			return true;
		}
		if (may_pass(m)) {
			return true;
		}
	} while (load(&m->share->version) == m->version);
	return false;
}

void binding_share_leave_call(struct binding_module *m) { store(&m->entering, 0); }

bool binding_share_hold(struct binding_module *m)
{
	if (m->share == NULL) {
		return true;
	}
	store(&m->holds, m->holds + 1);
	keep_order();
	if (load(&m->is_taken) == 0) {
		return binding_module_is_loaded(m);
	}
	/* Another Lua state is about to unload it, under the lock: wait till it has, or has failed to. */
	store(&m->holds, m->holds - 1);
	gl_lock();
	bool is_there = load(&m->is_taken) == 0 && binding_module_is_loaded(m);
	store(&m->holds, m->holds + 1);
	gl_unlock();
	return is_there;
}

void binding_share_let_go(struct binding_module *m)
{
	if (m->share != NULL) {
		store(&m->holds, m->holds - 1);
	}
}

int binding_share_look(lua_State *L, struct binding_module *m, bool *is_gone)
{
	*is_gone = false;
	if (m->share == NULL) {
		return lua_tocfunction(L, lua_upvalueindex(1))(L);
	}
	if (!binding_share_hold(m)) {
		binding_share_let_go(m);
		*is_gone = true;
		return 0;
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
	binding_share_let_go(m);
	return status != 0 ? lua_error(L) : lua_gettop(L);
}

void binding_add_looks(lua_State *L, const char *class, const luaL_Reg *looks, lua_CFunction look)
{
	luaL_getmetatable(L, class);
	for (; looks->name != NULL; looks++) {
		lua_pushcfunction(L, looks->func);
		lua_pushstring(L, looks->name);
		lua_pushcclosure(L, look, 2);
		lua_setfield(L, -2, looks->name);
	}
	lua_pop(L, 1);
}

/* What Lua does when a module is not the version of the moment any more: its key in the registry, by address */
static const char follower_key = 0;

/* core.set_follower(function(module, name) -> the module that stands, or its function of that name; nil: this Lua state
 * has no part in it any more) */
int binding_set_follower(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &follower_key);
	return 0;
}

void binding_share_follow(lua_State *L, int idx, const char *name)
{
	luaL_checkstack(L, 4, NULL);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &follower_key);
	lua_pushvalue(L, idx);
	lua_pushstring(L, name);
	lua_call(L, 2, 1);
	if (lua_isnil(L, -1)) {
		binding_raise_unloaded(L, binding_to_module(L, idx));
	}
	lua_replace(L, idx);
}

/* ---- taking part --------------------------------------------------------------------------------------------------
 */

/* module:share(name, note) -> true: other Lua states find it by that name, and it is to be settled. Or nil and the
 * error. */
static int module_share(lua_State *L)
{
	struct binding_module *m = binding_to_module(L, 1);
	const char *name = luaL_checkstring(L, 2);
	size_t len;
	const char *text = luaL_checklstring(L, 3, &len);
	struct binding_note *note = new_note(text, len);
	struct gl_error err;
	int failed = 0;

	gl_lock();
	struct binding_share *share = note != NULL ? open_share(name) : NULL;
	if (share == NULL) {
		share_drop_note(note);
		gl_unlock();
		gl_out_of_memory(&err, "sharing a module");
		return binding_fail(L, &err);
	}
	if (!binding_module_is_loaded(m)) {
		failed = gl_fail(&err, GL_ECLOSED, "module %s was unloaded", m->name);
	} else if (m->share != NULL) {
		failed = gl_fail(&err, GL_EDUPLICATE, "module %s is shared already, as %s", m->name, m->share->name);
	} else if (share->mod != NULL || (share->maker != NULL && share->maker != m->host)) {
		failed = gl_fail(&err, GL_EDUPLICATE, "%s: there is a module of that name already", name);
	} else {
		share_drop_note(share->note); /* of a module that was unloaded */
		share->note = note;
		note = NULL;
		share_set_version(share, load(&share->version) + 2, m->mod);
		enlist(m, share);
		if (share->maker != NULL) {
			share_end_making(share);
		}
	}
	share_drop_note(note);
	share_close(share);
	gl_unlock();
	if (failed != 0) {
		return binding_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* Makes m the share's version of the moment for one more userdata. */
static int attach(struct binding_module *m, struct binding_share *share, struct gl_error *err)
{
	if (binding_hold_module(m, share->mod, share->name, err) != 0) {
		return -1;
	}
	enlist(m, share);
	return 0;
}

/* module:settle(): what Lua has to know of it has been read, and whatever it has of it looks which version stands */
static int module_settle(lua_State *L)
{
	binding_share_let_go(binding_to_module(L, 1));
	return 0;
}

/* host:shared(name, is to be made?) -> the module of that name, to be settled; or a claim and true: there is none, and
 * this Lua state is to make it, or to say host:unmake(name), for which all others wait; or nil and the error. Waits
 * while another state makes it, unless that one waits for this. */
int binding_share_find(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);
	const char *name = luaL_checkstring(L, 2);
	bool makes = lua_toboolean(L, 3);
	struct gl_error err;
	int failed = 0;
	bool is_ours = false, is_crosswise = false;

	lua_settop(L, 3);
	struct claim *claim = push_claim(L);
	*claim = (struct claim){ .h = h, .name = name };
	struct binding_module *m = binding_push_module(L, 1);

	gl_lock();
	struct binding_share *share = open_share(name);
	if (share == NULL) {
		gl_unlock();
		gl_out_of_memory(&err, "sharing a module");
		return binding_fail(L, &err);
	}
	while (!is_crosswise && share->mod == NULL && share->maker != NULL && share->maker != h) {
		pthread_mutex_lock(&gate);
		is_crosswise = is_waited_for(h, share);
		gl_unlock();
		h->waits_for = is_crosswise ? NULL : share;
		while (!is_crosswise && share->maker != NULL) {
			pthread_cond_wait(&opened, &gate);
		}
		h->waits_for = NULL;
		pthread_mutex_unlock(&gate);
		gl_lock();
	}
	if (is_crosswise) {
		failed = gl_fail(&err, GL_EBUSY,
				 "%s: the Lua state that makes the module of that name waits for this one, or for its "
				 "thread",
				 name);
	} else if (share->mod != NULL) {
		failed = attach(m, share, &err);
	} else if (share->maker == h) {
		failed = gl_fail(&err, GL_EBUSY, "%s: this Lua state is making the module of that name", name);
	} else if (makes) {
		share->users++; /* till it is made, or not */
		share->thread = pthread_self();
		set_maker(share, h);
		share->claim = claim;
		is_ours = true;
	} else {
		failed = gl_fail(&err, GL_EMISSING, "%s: no Lua state shares a module of that name", name);
	}
	share_close(share);
	gl_unlock();
	if (failed != 0) {
		return binding_fail(L, &err);
	}
	if (is_ours) {
		lua_pushvalue(L, 4);
		lua_pushboolean(L, 1);
	}
	return is_ours ? 2 : 1;
}

/* host:unmake(name): it was made, or could not be */
int binding_share_unmake(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);
	const char *name = luaL_checkstring(L, 2);

	gl_lock();
	struct binding_share *share = find(name);
	if (share != NULL && share->maker == h) {
		share_end_making(share);
	}
	gl_unlock();
	return 0;
}

/* module:note() -> what the Lua state that has made this version says of it */
static int module_note(lua_State *L)
{
	const struct binding_module *m = binding_to_module(L, 1);

	if (m->note == NULL) {
		return 0;
	}
	lua_pushlstring(L, m->note->text, m->note->len);
	return 1;
}

int binding_share_push_cell(lua_State *L, const struct binding_module *m)
{
	if (m->share == NULL) {
		return 0;
	}
	lua_pushstring(L, m->share->name);
	lua_pushnumber(L, (lua_Number)(uintptr_t)&m->share->version);
	lua_pushnumber(L, m->version);
	return 3;
}

/* module:cell(): see binding_share_push_cell */
static int module_cell(lua_State *L) { return binding_share_push_cell(L, binding_to_module(L, 1)); }

/* module:is_current() -> false where it is shared, and another version stands */
static int module_is_current(lua_State *L)
{
	struct binding_module *m = binding_to_module(L, 1);
	bool is_current = m->share == NULL || load(&m->share->version) == m->version;

	if (!is_current) {
		is_current = binding_share_enter(m);
		binding_share_leave_call(m);
	}
	lua_pushboolean(L, is_current);
	return 1;
}

/* module:follow() -> the version that stands, as a new module, to be settled; nil: this one does. Raises where there is
 * none. */
static int module_follow(lua_State *L)
{
	struct binding_module *m = binding_to_module(L, 1);
	struct gl_error err;
	int failed = 0;

	lua_settop(L, 1);
	struct binding_share *share = m->share;
	if (share == NULL || m->has_left) {
		binding_raise_unloaded(L, m);
		return 0; /* not reached */
	}
	lua_getuservalue(L, 1);
	lua_getfield(L, -1, "host");
	struct binding_module *next = binding_push_module(L, lua_gettop(L));
	gl_lock();
	bool is_there = share->mod != NULL, is_new = is_there && !stands(m);
	if (is_new) {
		failed = attach(next, share, &err);
		m->is_old = m->is_old || failed == 0;
	}
	gl_unlock();
	if (!is_there) {
		binding_raise_unloaded(L, m);
	}
	if (failed != 0) {
		return luaL_error(L, "%s", err.message);
	}
	return is_new ? 1 : 0;
}

/* module:join(module): an instance of a generic function of a shared one follows as that one does */
static int module_join(lua_State *L)
{
	struct binding_module *m = binding_to_module(L, 1), *of = binding_to_module(L, 2);

	if (of->share == NULL || m->share != NULL) {
		return 0;
	}
	gl_lock();
	of->share->users++;
	m->version = of->version;
	m->instance_of = of->mod;
	m->next = share_modules;
	share_modules = m;
	m->share = of->share;
	gl_unlock();
	return 0;
}

/* ---- replacing ----------------------------------------------------------------------------------------------------
 */

/* module:begin_replacing() -> a claim: nobody else replaces it till module:end_replacing(); or nil and the error */
static int module_begin_replacing(lua_State *L)
{
	struct binding_module *m = binding_to_module(L, 1);
	struct gl_error err;
	int failed = 0;

	lua_settop(L, 2);
	struct claim *claim = push_claim(L);
	claim->m = m;
	gl_lock();
	if (m->share == NULL || m->has_left || !stands(m)) {
		failed = gl_fail(&err, GL_EBUSY, "module %s was replaced by another Lua state meanwhile", m->name);
	} else if (m->share->replaced != NULL) {
		failed = gl_fail(&err, GL_EBUSY, "module %s is being replaced by %s already", m->name,
				 m->share->replaced == m ? "this Lua state" : "another Lua state");
	} else {
		m->share->replaced = m;
		m->share->claim = claim;
	}
	gl_unlock();
	return failed != 0 ? binding_fail(L, &err) : 1;
}

bool share_is_replacing(const struct binding_module *m) { return m->share != NULL && m->share->replaced == m; }

/* module:hold_calls(): those that begin from now on wait for module:end_replacing() */
static int module_hold_calls(lua_State *L)
{
	struct binding_module *m = binding_to_module(L, 1);

	gl_lock();
	if (share_is_replacing(m) && load(&m->share->version) == m->version) {
		m->share->thread = pthread_self();
		share_set_version(m->share, m->version + 1, m->mod);
	}
	gl_unlock();
	return 0;
}

/* The old version goes on. */
void share_give_up_replacing(struct binding_module *m)
{
	if (share_is_replacing(m)) {
		m->share->replaced = NULL;
		if (is_odd(load(&m->share->version))) {
			share_set_version(m->share, m->version, m->mod);
		}
	}
}

/* module:end_replacing([module, note]) -> true: that one, which is to be settled, stands in its place from now on, for
 * all Lua states, or it stands still; or nil and the error */
static int module_end_replacing(lua_State *L)
{
	struct binding_module *m = binding_to_module(L, 1);
	struct gl_error err;
	int failed = 0;

	if (lua_isnoneornil(L, 2)) {
		gl_lock();
		share_give_up_replacing(m);
		gl_unlock();
		lua_pushboolean(L, 1);
		return 1;
	}
	struct binding_module *new = binding_to_module(L, 2);
	size_t len;
	const char *text = luaL_checklstring(L, 3, &len);
	struct binding_note *note = new_note(text, len);
	gl_lock();
	if (note == NULL) {
		failed = gl_out_of_memory(&err, "sharing a module");
	} else if (new->share != NULL) {
		failed =
			gl_fail(&err, GL_EDUPLICATE, "module %s is shared already, as %s", new->name, new->share->name);
	} else if (!share_is_replacing(m) || !binding_module_is_loaded(new)) {
		failed = gl_fail(&err, GL_EBUSY, "module %s was unloaded meanwhile", new->name);
	}
	if (failed != 0) {
		share_drop_note(note);
		share_give_up_replacing(m);
	} else {
		struct binding_share *share = m->share;
		share_drop_note(share->note);
		share->note = note;
		share->replaced = NULL;
		m->is_old = true;
		new->version = m->version + 2;
		share_set_version(share, new->version, new->mod); /* the moment */
		enlist(new, share);
	}
	gl_unlock();
	if (failed != 0) {
		return binding_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* Copies the name by which states share the module of that number, as much of it as there is room for, and returns the
 * length of all of it; how many states those are goes to *states. */
static size_t find_name(uint64_t number, char *name, size_t room, size_t *states)
{
	size_t len = 0;

	*states = 0;
	gl_lock();
	for (const struct binding_module *m = share_modules; m != NULL; m = m->next) {
		if (m->instance_of == NULL && !m->has_left && gl_module_is_loaded(m->mod) &&
		    gl_module_number(m->mod) == number) {
			++*states;
			len = strlen(m->share->name);
			memcpy(name, m->share->name, len < room ? len : room);
		}
	}
	gl_unlock();
	return len;
}

void binding_share_describe(lua_State *L, uint64_t number)
{
	size_t states, room = 0, len = 255;
	char *name = NULL;

	/* Lua's memory, which may be short, is not asked for under the lock. */
	lua_pushnil(L);
	lua_insert(L, -2);
	while (len > room) {
		room = len;
		name = lua_newuserdata(L, room);
		lua_replace(L, -3);
		len = find_name(number, name, room, &states);
	}
	if (states > 0) {
		lua_pushlstring(L, name, len);
		lua_setfield(L, -2, "shared");
		binding_set_integer(L, "states", (lua_Integer)states);
	}
	lua_remove(L, -2);
}

const luaL_Reg binding_share_methods[] = {
	{ "share", module_share },
	{ "note", module_note },
	{ "cell", module_cell },
	{ "is_current", module_is_current },
	{ "follow", module_follow },
	{ "settle", module_settle },
	{ "join", module_join },
	{ "begin_replacing", module_begin_replacing },
	{ "hold_calls", module_hold_calls },
	{ "end_replacing", module_end_replacing },
	{ "leave", share_module_leave },
	{ NULL, NULL },
};
