/* Modules go with the Lua state that has loaded them.
 *
 * A module that Lua merely forgets stays: Lua may have called functions of it that go on. When the Lua state is closed,
 * which nginx does after each request under `lua_code_cache off`, nobody is left who could unload it. Its finalizers
 * run in any order: those of module handles leave what is still loaded here, and when the last of a state's handles has
 * gone, its host's included, all of that is nobody's.
 *
 * Nothing is unloaded while a state is being closed. Whoever loads or unloads a module next, or starts the host, tries
 * first; what is still referred to (by a goroutine, a variable of the host, a handle of another Lua state) is tried
 * again later, and more and more seldom. `host:tidy` tries each at once. */
#include <stdlib.h>

#include "binding.h"

struct binding_leftover {
	struct gl_module *mod;
	unsigned patience; /* how many rounds it is passed over */
	unsigned refused;  /* how often it was in vain */
	struct binding_leftover *next;
};

struct binding_state {
	size_t users; /* its host's handle, and those of its modules */
	struct binding_leftover *left;
};

/* Modules that no Lua state has any more; only touched under the lock. */
static struct binding_leftover *leftovers;

/* Frees the struct of a module that was unloaded, unless a userdata of another Lua state has it. */
static void free_shell(struct gl_module *mod)
{
	if (!binding_share_has(mod)) {
		gl_module_free(mod);
	}
}

struct binding_state *binding_state_new(void)
{
	struct binding_state *state = calloc(1, sizeof(*state));

	if (state != NULL) {
		state->users = 1;
	}
	return state;
}

struct binding_leftover *binding_leftover_new(void) { return calloc(1, sizeof(struct binding_leftover)); }

void binding_leftover_free(struct binding_leftover *leftover) { free(leftover); }

void binding_leave_behind(struct binding_leftover *leftover, struct gl_module *mod)
{
	if (leftover != NULL) { /* or it stays for ever */
		leftover->mod = mod;
		leftover->next = leftovers;
		leftovers = leftover;
	}
}

struct binding_leftover *binding_state_join(struct binding_state *state)
{
	struct binding_leftover *leftover = binding_leftover_new();

	state->users += leftover != NULL;
	return leftover;
}

static void drop_state(struct binding_state *state)
{
	if (--state->users > 0) {
		return;
	}
	while (state->left != NULL) {
		struct binding_leftover *first = state->left;
		state->left = first->next;
		first->next = leftovers;
		leftovers = first;
	}
	free(state);
}

void binding_state_leave(struct binding_state *state, struct binding_leftover *leftover, struct gl_module *mod)
{
	gl_lock();
	if (leftover != NULL && mod != NULL && gl_module_is_loaded(mod)) {
		leftover->mod = mod;
		leftover->next = state->left;
		state->left = leftover;
	} else {
		free(leftover);
		free_shell(mod);
	}
	if (state != NULL) {
		drop_state(state);
	}
	gl_unlock();
}

/* Tries each that is due, once; true: some have gone. */
static bool try_each(void)
{
	enum { MOST = 64 };
	bool gone = false;

	for (struct binding_leftover **link = &leftovers; *link != NULL;) {
		struct binding_leftover *this = *link;
		struct gl_unload how = { .prove = GL_PROVE_ALL };
		struct gl_error err;

		if (this->patience > 0) {
			link = &this->next;
			continue;
		}
		if (gl_module_unload(this->mod, &how, &err) == 0) {
			*link = this->next;
			free_shell(this->mod);
			free(this);
			gone = true;
			continue;
		}
		gl_way_free(&how.way);
		this->refused++;
		this->patience = this->refused < 6 ? 1U << this->refused : MOST;
		link = &this->next;
	}
	return gone;
}

static void end_patience(void)
{
	for (struct binding_leftover *l = leftovers; l != NULL; l = l->next) {
		l->patience = 0;
	}
}

void binding_unload_leftovers(void)
{
	for (struct binding_leftover *l = leftovers; l != NULL; l = l->next) {
		l->patience -= l->patience > 0;
	}
	/* those that others of them used, or referred to, come after these */
	while (try_each()) {
		end_patience();
	}
}

size_t binding_tidy_leftovers(void)
{
	size_t n = 0;

	end_patience();
	binding_unload_leftovers();
	for (const struct binding_leftover *l = leftovers; l != NULL; l = l->next) {
		n++;
	}
	return n;
}

bool binding_is_left_behind(uint64_t number)
{
	for (const struct binding_leftover *l = leftovers; l != NULL; l = l->next) {
		if (gl_module_number(l->mod) == number) {
			return true;
		}
	}
	return false;
}
