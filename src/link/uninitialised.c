/* Packages of the resident store that are there, and not initialised: because a load runs their init functions at the
 * moment, or because these have panicked. Natively the process ends then; here it lives on, and what the functions have
 * left half done is seen by nobody: a load that refers to such a package fails. */
#include "link.h"

#include <stdlib.h>
#include <string.h>

static struct uninitialised *find(const struct linker *linker, const char *path, size_t n)
{
	struct uninitialised *u = NULL;

	HASH_FIND(hh, linker->uninitialised, path, n, u);
	return u;
}

int linker_begin_init(struct linker *linker, struct gl_str path, struct gl_error *err)
{
	struct uninitialised *u = find(linker, path.p, path.n);

	if (u != NULL) {
		return 0; /* more of the same package: it depends on both */
	}
	u = calloc(1, sizeof(*u));
	if (u != NULL && (u->path = strndup(path.p, path.n)) != NULL) {
		HASH_ADD_KEYPTR(hh, linker->uninitialised, u->path, path.n, u);
		if (u->hh.tbl != NULL) {
			return 0;
		}
		free(u->path);
	}
	free(u);
	return gl_out_of_memory(err, "noting which packages are to be initialised");
}

void linker_end_init(struct linker *linker, const char *path)
{
	struct uninitialised *u = find(linker, path, strlen(path));

	if (u != NULL && u->failure == NULL) {
		HASH_DEL(linker->uninitialised, u);
		free(u->path);
		free(u);
	}
}

void linker_fail_init(struct linker *linker, const char *path, char *failure)
{
	struct uninitialised *u = find(linker, path, strlen(path));

	if (u == NULL || u->failure != NULL) {
		free(failure);
		return;
	}
	u->failure = failure != NULL ? failure : strdup("panic: out of memory");
}

int linker_check_init(const struct linker *linker, struct gl_str name, struct gl_error *err)
{
	if (linker->uninitialised == NULL) {
		return 0;
	}
	struct gl_str path = link_package_of(name);
	const struct uninitialised *u = find(linker, path.p, path.n);
	if (u == NULL) {
		return 0;
	}
	if (u->failure == NULL) {
		return gl_fail(err, GL_EBUSY,
			       "package %s, which modules share, is not initialised yet: the load that brought it has "
			       "not run its init functions to their end",
			       u->path);
	}
	return gl_fail(err, GL_EPANIC,
		       "package %s, which modules share, can't be used in this process any more: its init functions "
		       "have failed: %s",
		       u->path, u->failure);
}
