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
	uint32_t version; /* that calls look at; odd: state is being handed over */
	struct binding_share *next;
	struct gl_module *mod;             /* the version that stands; NULL: there is none */
	struct binding_note *note;         /* of that */
	struct binding_leftover *leftover; /* what becomes of it where the last to have a part in it never saw it */
	const struct binding_host *maker;  /* whose Lua state is about to make the first one, or NULL */
	struct binding_module *replaced;   /* that some Lua state is about to replace, or NULL */
	const struct claim *claim;         /* of who makes, or replaces: it goes with the coroutine that does */
	pthread_t thread;                  /* of who makes it, or hands over */
	size_t users;
	char name[];
};

/* Those that there are, and the userdata that have their modules. Only touched under the lock. */
extern struct binding_share *share_list;
extern struct binding_module *share_modules;

static inline uint32_t load(const uint32_t *at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
static inline void store(uint32_t *at, uint32_t value) { __atomic_store_n(at, value, __ATOMIC_RELEASE); }
/* The compiler keeps what is before it before what is behind it; for the processor, who takes a module does that. */
static inline void keep_order(void) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

static inline bool is_odd(uint32_t version) { return (version & 1) != 0; }

/* One user of the note, or of the share, less. */
void share_drop_note(struct binding_note *note);
void share_close(struct binding_share *share);
/* Another version stands, or none. */
void share_set_version(struct binding_share *share, uint32_t version, struct gl_module *mod);
/* Nobody makes its module any more: the maker, which has used the share since it began, uses it no longer. */
void share_end_making(struct binding_share *share);
/* Has the userdata's Lua state a part in the share by it? Has another one a part in it? */
bool share_takes_part(const struct binding_module *m, const struct binding_share *share);
bool share_others_take_part(const struct binding_module *m);
/* Is the userdata's Lua state about to replace its share's module? Then the old version goes on. */
bool share_is_replacing(const struct binding_module *m);
void share_give_up_replacing(struct binding_module *m);
/* module:leave, of leave.c */
int share_module_leave(lua_State *L);

#endif
