/* What clib.c and clib_users.c share: the C parts of packages, as a shared library in this process. */
#ifndef GL_CLIB_USERS_H
#define GL_CLIB_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clib.h"

/* What is known of who runs an object's code, or will. */
enum clib_use {
	CLIB_UNUSED,
	CLIB_MAY_BE_USED, /* a word in C's memory leads there, or a thread can't be looked at */
	CLIB_USED         /* a thread runs it, or it handles a signal */
};

/* A shared object that came with a library: the library itself, or one that it depends on and nobody had opened. */
struct clib_object {
	uintptr_t base;        /* what the dynamic linker has added to its addresses */
	uintptr_t low, high;   /* around all of it */
	uintptr_t text, etext; /* its executable segment */
	enum clib_use use;     /* set by clib_find_users */
	char name[256];        /* of its file */
};

/* A C symbol that Go refers to, in the library's own table. */
struct clib_symbol {
	const char *name;
	uintptr_t addr; /* 0: nobody defines it */
};

struct clib {
	void *handle;
	struct clib_symbol *symbols; /* sorted by name; or NULL */
	size_t nsymbols;
	const char *names;
	uintptr_t *slots;
	bool connected;
	int fd;        /* of its file, which may have no name any more; or -1 */
	char name[32]; /* for the dynamic linker, of one that came as bytes */

	bool go_refers;              /* a Go variable or object leads there */
	struct clib_object *objects; /* the library itself is the first */
	size_t nobjects;
	struct clib *next; /* of those that are kept (clib_release) */
};

/* Lists the objects that are there now and were not when `before` was filled. */
struct clib_snapshot {
	uintptr_t *bases;
	size_t n;
};
int clib_snapshot_take(struct clib_snapshot *before);
int clib_snapshot_compare(const struct clib_snapshot *before, struct clib *lib);

/* Finds who uses objects of the libraries in the list: sets `use` of each object. With who, only what is certain is
 * looked for, and who gets a text that says by whom a library itself is used. */
void clib_find_users(struct clib *list, const struct clib_go *go, char *who, size_t size);

#endif
