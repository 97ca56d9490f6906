/* Modules that several Lua states have, as share.c and leave.c share them. */
#ifndef GL_BINDING_SHARE_H
#define GL_BINDING_SHARE_H

#include <pthread.h>

#include "binding.h"

/* What Lua says of a version to all states: a text. */
struct binding_note {
	size_t users, len;
	char text[];
};

struct binding_share {
	uint32_t version; /* what every call compares with its own number; odd: state is being handed over */
	struct binding_share *next;
	struct gl_module *mod;     /* the current version; NULL: there is none */
	struct binding_note *note; /* what Lua says of that version */
	struct binding_leftover
		*leftover; /* for leaving mod behind, if the last Lua state with a part in the share never took it */
	const struct binding_host *maker; /* the host of the Lua state that makes the first version; NULL: none does */
	struct binding_module *replaced;  /* the userdata whose Lua state is replacing the module; NULL: none is */
	const struct claim *claim; /* held by who makes or replaces it, and collected with the coroutine that does */
	pthread_t thread;          /* that makes it, or hands its state over */
	size_t users;
	char name[];
};

/* All shares, and all userdata that have a share's module. Only touched under the lock. */
extern struct binding_share *share_list;
extern struct binding_module *share_modules;

static inline uint32_t load(const uint32_t *at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
static inline void store(uint32_t *at, uint32_t value) { __atomic_store_n(at, value, __ATOMIC_RELEASE); }
/* A barrier for the compiler alone. The processor's is executed by whoever takes a module, in all threads at once
 * (membarrier, leave.c), so that calls need none. */
static inline void keep_order(void) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

static inline bool is_odd(uint32_t version) { return (version & 1) != 0; }

/* Counts one user of the note, or of the share, less, and frees it after the last. */
void share_drop_note(struct binding_note *note);
void share_close(struct binding_share *share);
/* Makes mod the current version, or NULL: there is none. */
void share_set_version(struct binding_share *share, uint32_t version, struct gl_module *mod);
/* The maker has made the module, or given up: it no longer counts as a user of the share. */
void share_end_making(struct binding_share *share);
/* Has the userdata's Lua state a part in the share by it? Has another one a part in it? */
bool share_takes_part(const struct binding_module *m, const struct binding_share *share);
bool share_others_take_part(const struct binding_module *m);
/* Is the userdata's Lua state replacing its share's module? */
bool share_is_replacing(const struct binding_module *m);
/* Ends that without a new version: the old one goes on. */
void share_give_up_replacing(struct binding_module *m);
/* module:leave, of leave.c */
int share_module_leave(lua_State *L);

#endif
