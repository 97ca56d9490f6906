/* A module's C parts when it is unloaded: who in C uses them is a reason to refuse that, or at least to leave them
 * where they are (link/clib_users.c). */
#include "internal.h"

#include <stdlib.h>

/* What the Go runtime knows of threads and signals; the list of threads is the caller's to free. Without memory it is
 * empty, and each thread is taken for one of C's. */
static struct clib_go go_of(const struct gl_host *host)
{
	size_t n = host->threads(NULL, 0) + 16; /* there may be more by the time they are listed */
	struct gl_thread *threads = calloc(n, sizeof(*threads));
	size_t listed = threads != NULL ? host->threads(threads, n) : 0;

	return (struct clib_go){ .threads = threads,
				 .nthreads = listed < n ? listed : n,
				 .handled = host->runtime.handling_sig,
				 .forwarded = host->runtime.fwd_sig };
}

void module_release_library(struct gl_module *mod)
{
	if (mod->clib != NULL) {
		struct clib_go go = go_of(mod->host);
		clib_release(mod->clib, &mod->host->kept_libraries, &go);
		free((void *)go.threads);
		mod->clib = NULL;
	}
}

int module_check_library(const struct gl_module *mod, const struct gl_module *blamed, struct gl_error *err)
{
	char who[512];

	if (mod->clib == NULL) {
		return 0;
	}
	struct clib_go go = go_of(mod->host);
	bool used = clib_is_used(mod->clib, &go, who, sizeof(who));
	free((void *)go.threads);
	return used ? gl_fail(err, GL_EBUSY, "module %s can't be unloaded: %s", blamed->name, who) : 0;
}
