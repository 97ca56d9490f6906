/* The caches that call sites keep of type assertions: an unload must empty those that remember its types.
 *
 * The host has a list of all of them. Those of modules that came since are looked for at an unload, and those of what
 * goes taken out. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "../grow.h"

static bool note_cache(struct gl_host *host, const char *name, uintptr_t addr)
{
	struct type_caches *caches = &host->caches;
	const struct gl_cache_kind *kinds = caches->kinds;
	int kind = 0;

	while (kind < GL_CACHE_KINDS && strstr(name, kinds[kind].mark) == NULL) {
		kind++;
	}
	if (kind == GL_CACHE_KINDS || kinds[kind].empty == 0) {
		return true;
	}
	if (!GL_GROW(caches->list, caches->n, caches->cap)) {
		return false;
	}
	caches->list[caches->n++] = (struct type_cache){ .at = addr + kinds[kind].offset, .empty = kinds[kind].empty };
	return true;
}

struct cache_search {
	struct gl_host *host;
	bool failed;
};

static bool note_host_cache(const struct gl_image_sym *sym, void *arg)
{
	struct cache_search *search = arg;

	search->failed |= !note_cache(search->host, sym->name, sym->addr);
	return !search->failed;
}

static bool find_in_host(struct gl_host *host)
{
	struct cache_search search = { .host = host };

	gl_runtime_cache_kinds(&host->names, host->caches.kinds);
	search.failed = !GL_GROW(host->caches.list, host->caches.n, host->caches.cap); /* there may be none */
	gl_image_each(host->linker.image, note_host_cache, &search);
	if (search.failed) {
		host->caches.n = 0;
	}
	host->caches.known = !search.failed;
	return host->caches.known;
}

static bool find_in_module(struct gl_host *host, struct gl_module *mod)
{
	size_t before = host->caches.n;

	for (size_t i = 0; !mod->caches_known && i < mod->nsymbols; i++) {
		const struct gl_module_symbol *s = &mod->symbols[i];
		int kind = s->kind | 32; /* in lower case */
		if (kind != 't' && kind != 'r' && !note_cache(host, s->name, s->addr)) {
			host->caches.n = before;
			return false;
		}
	}
	mod->caches_known = true;
	return true;
}

static bool find_in_units(struct gl_host *host, struct gl_module *list)
{
	for (struct gl_module *m = list; m != NULL; m = m->next) {
		if (!find_in_module(host, m)) {
			return false;
		}
	}
	return true;
}

static bool find_in_new_units(struct gl_host *host)
{
	bool found = find_in_units(host, host->resident);

	for (const struct gl_module *mod = host->modules; found && mod != NULL; mod = mod->next) {
		found = find_in_units(host, mod->extensions);
	}
	host->caches.has_new_units = !found;
	return found;
}

/* The caches of the host, of the resident store and of all modules; those of one that is about to go need not be among
 * them. A cache that remembered one of its types would take whatever type is later placed at the same address for that
 * one. The list is the host's, until the next load or unload; NULL when memory is short. */
struct type_cache *module_all_caches(struct gl_host *host, const struct gl_module *but, size_t *n)
{
	if (!host->caches.known && !find_in_host(host)) {
		return NULL;
	}
	/* the youngest come first */
	uint64_t until = host->loads;
	for (struct gl_module *m = host->modules; m != NULL && m->age > host->caches.modules_until; m = m->next) {
		if (m == but) {
			until = m->age - 1;
		} else if (!find_in_module(host, m)) {
			return NULL;
		}
	}
	if (host->caches.has_new_units && !find_in_new_units(host)) {
		return NULL;
	}
	host->caches.modules_until = until;
	*n = host->caches.n;
	return host->caches.list;
}

void module_forget_caches(const struct gl_module *mod)
{
	struct type_caches *caches = &mod->host->caches;
	size_t n = 0;

	for (size_t i = 0; mod->caches_known && i < caches->n; i++) {
		if (!module_has(mod, caches->list[i].at)) {
			caches->list[n++] = caches->list[i];
		}
	}
	caches->n = mod->caches_known ? n : caches->n;
}
