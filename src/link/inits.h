/* Which packages a load initialises, and in which order; and which of those that all share are not initialised yet. */
#ifndef GL_LINK_INITS_H
#define GL_LINK_INITS_H

#include <stdbool.h>

#include "../hash.h"
#include "../object/object.h"

struct link;
struct linker;

/* A package's inittask. */
struct link_init {
	uint32_t sym;
	bool has_functions; /* there is something to run; otherwise it only waits for its imports */
	uint32_t *imports;  /* those that run before it for its sake: their places in link->inits */
	uint32_t nimports;
};

/* inits.c. Fills link->inits: the inittasks that are linked, imports first. */
int link_order_inits(struct link *l);

/* A package of the resident store whose init functions have not come to their end: nobody else may use it. */
struct uninitialised {
	char *path;
	char *failure; /* they have panicked: with what; NULL: they are yet to run, or run at the moment */
	UT_hash_handle hh;
};

/* uninitialised.c. The package can't be used until linker_end_init; never again after linker_fail_init, which takes the
 * failure (malloc'ed; NULL: there was no memory for it). Fails when memory is short. */
int linker_begin_init(struct linker *linker, struct gl_str path, struct gl_error *err);
void linker_end_init(struct linker *linker, const char *path);
void linker_fail_init(struct linker *linker, const char *path, char *failure);
/* Fails when what has this name is a package's that can't be used. */
int linker_check_init(const struct linker *linker, struct gl_str name, struct gl_error *err);

#endif
