/* Who has a part in a shared module no more (share.c): one Lua state leaves, the last one unloads it; and an old
 * version is taken from those that have not noticed yet that it is one. */
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "share.h"

static void delist(const struct binding_module *m)
{
	for (struct binding_module **link = &share_modules; *link != NULL; link = &(*link)->next) {
		if (*link == m) {
			*link = m->next;
			break;
		}
	}
}

/* Has another userdata the same version? */
static bool others_have(const struct binding_module *m)
{
	for (const struct binding_module *other = share_modules; other != NULL; other = other->next) {
		if (other != m && other->mod == m->mod && !other->has_left) {
			return true;
		}
	}
	return false;
}

/* ---- leaving ------------------------------------------------------------------------------------------------------
 */

/* Has every thread of the process do what it has begun to store; false where the kernel can't. Under the lock. */
static bool settle_threads(void)
{
	static bool is_registered;

	if (!is_registered) {
		is_registered = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
	}
	return is_registered && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

/* Is another Lua state in a call of it, or does it look into it? */
static bool is_inside(const struct binding_module *m)
{
	if (load(&m->entering) != 0 || load(&m->holds) != 0) {
		return true;
	}
	for (size_t i = 0; i < m->nexports; i++) {
		if (m->plans[i] != NULL && gl_plan_is_used(m->plans[i])) {
			return true;
		}
	}
	return false;
}

/* Is it what another Lua state has of m's module: that, or an instance of a generic function of it? */
static bool is_part(const struct binding_module *other, const struct binding_module *m)
{
	return other->host != m->host && !other->has_left && (other->mod == m->mod || other->instance_of == m->mod);
}

static void set_taken(const struct binding_module *m, uint32_t is_taken)
{
	for (struct binding_module *other = share_modules; other != NULL; other = other->next) {
		if (is_part(other, m)) {
			store(&other->is_taken, is_taken);
		}
	}
}

void binding_share_give_back(struct binding_module *m)
{
	if (m->share != NULL) {
		set_taken(m, 0);
	}
}

/* Has the instances that other Lua states have go along. */
static int add_instances(const struct binding_module *m, struct gl_unload *how, struct gl_error *err)
{
	size_t n = how->nalong;

	for (const struct binding_module *other = share_modules; other != NULL; other = other->next) {
		n += is_part(other, m) && other->instance_of != NULL;
	}
	if (n == how->nalong) {
		return 0;
	}
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): along is an array of pointers */
	struct gl_module **along = calloc(n, sizeof(*along));
	if (along == NULL) {
		return gl_out_of_memory(err, "unloading %s", m->name);
	}
	memcpy(along, how->along, how->nalong * sizeof(*along)); /* NOLINT(bugprone-sizeof-expression): likewise */
	n = how->nalong;
	for (const struct binding_module *other = share_modules; other != NULL; other = other->next) {
		if (is_part(other, m) && other->instance_of != NULL) {
			along[n++] = other->mod;
		}
	}
	how->along = along;
	how->nalong = n;
	return 0;
}

/* Takes an old version from the other Lua states, which may not have noticed yet that it is one. */
static int take(struct binding_module *m, struct gl_unload *how, struct gl_error *err)
{
	const char *why = NULL;

	set_taken(m, 1);
	if (!settle_threads()) {
		why = "other Lua states have not noticed yet that it was replaced";
	}
	for (const struct binding_module *other = share_modules; why == NULL && other != NULL; other = other->next) {
		if (is_part(other, m) && is_inside(other)) {
			why = "called by another Lua state";
		}
	}
	if (why != NULL) {
		binding_share_give_back(m);
		gl_way_tell(&how->way, "call", NULL);
		return gl_fail(err, GL_EBUSY, "module %s can't be unloaded: %s", m->name, why);
	}
	for (const struct binding_module *other = share_modules; other != NULL; other = other->next) {
		for (size_t i = 0; is_part(other, m) && i < other->nexports; i++) {
			if (other->plans[i] != NULL) {
				gl_plan_forget(other->plans[i]);
			}
		}
	}
	int failed = add_instances(m, how, err);
	if (failed != 0) {
		binding_share_give_back(m);
	}
	return failed;
}

int binding_share_take(struct binding_module *m, struct gl_unload *how, struct gl_error *err)
{
	if (m->share == NULL || m->instance_of != NULL) {
		return 0;
	}
	if (share_is_replacing(m)) {
		return gl_fail(err, GL_EBUSY, "module %s can't be unloaded: it is being replaced", m->name);
	}
	return others_have(m) ? take(m, how, err) : 0;
}

void binding_share_withdraw(struct binding_module *m)
{
	struct binding_share *share = m->share;

	if (share == NULL || share->mod == NULL || !share_takes_part(m, share) || share_others_take_part(m)) {
		return;
	}
	struct gl_module *stood = share->mod;
	share_set_version(share, load(&share->version) + 2, NULL);
	if (stood != m->mod) {
		binding_leave_behind(share->leftover, stood);
		share->leftover = binding_leftover_new();
	}
}

bool binding_share_is_others(const struct binding_module *m)
{
	return m->share != NULL && m->instance_of == NULL && (others_have(m) || share_others_take_part(m));
}

bool binding_share_can_leave(const struct binding_module *m, bool is_let_go)
{
	if (m->share == NULL || m->instance_of != NULL) {
		return false;
	}
	if (share_takes_part(m, m->share) && share_others_take_part(m) && !share_is_replacing(m)) {
		return true;
	}
	return is_let_go && (!gl_module_is_loaded(m->mod) || others_have(m));
}

/* module:leave({ module… } that go along) -> true: this Lua state has no part in it any more, and where nobody else has
 * it is unloaded. Otherwise as module:unload. */
int share_module_leave(lua_State *L)
{
	struct binding_module *m = binding_to_module(L, 1);
	struct binding_refusal refusal = { .how = { .prove = GL_PROVE_ALL } };
	struct binding_group group;

	if (m->mod == NULL || m->host->caller == NULL || m->has_left) {
		lua_pushboolean(L, 1);
		return 1;
	}
	binding_read_group(L, m, 2, &group);
	binding_prepare_refusal(L, &refusal);
	if (binding_group_is_busy(&group, &refusal.how, &refusal.err)) {
		return binding_tell_refusal(L, &refusal);
	}
	return binding_end_group(L, &group, true, &refusal);
}

bool binding_share_drop(struct binding_module *m)
{
	struct binding_share *share = m->share;
	bool is_last = true;

	if (share == NULL) {
		return true;
	}
	delist(m);
	if (m->instance_of == NULL) {
		share_give_up_replacing(m);
		binding_share_withdraw(m);
		/* Of a loaded module it is the last if no other Lua state has a part in it; of one that was unloaded,
		 * whose struct is still there, if no other userdata has that. */
		is_last = gl_module_is_loaded(m->mod) ? !m->has_left && !others_have(m) && share->mod != m->mod :
							!binding_share_has(m->mod);
	}
	share_drop_note(m->note);
	m->note = NULL;
	m->share = NULL;
	share_close(share);
	return is_last;
}

/* What else a Lua state has of all shares goes before its host does. */
void binding_share_close(struct binding_host *h)
{
	gl_lock();
	for (struct binding_module *m = share_modules; m != NULL; m = m->next) {
		if (m->host == h) {
			share_give_up_replacing(m);
			binding_module_free_plans(m);
		}
	}
	/* The Lua state may be making several, one for another. The list is read anew after each, since a share without
	 * users is freed with its maker. */
	for (struct binding_share *share = share_list; share != NULL;) {
		bool is_made = share->maker == h;
		if (is_made) {
			share_end_making(share);
		}
		share = is_made ? share_list : share->next;
	}
	gl_unlock();
}
