/* The caches that call sites keep of type assertions: an unload must empty those that remember its types. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "../grow.h"

static bool note_cache(struct type_caches *caches, const struct gl_cache_kind *kinds, const char *name, uintptr_t addr)
{
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
	struct type_caches *caches;
	struct gl_cache_kind kinds[GL_CACHE_KINDS];
	bool failed;
};

static bool note_host_cache(const struct gl_image_sym *sym, void *arg)
{
	struct cache_search *search = arg;

	search->failed |= !note_cache(search->caches, search->kinds, sym->name, sym->addr);
	return !search->failed;
}

/* Finds the caches of modules whose caches have not been looked for yet. Returns how many those of the list have in
 * all, without the one that is left out; -1 when memory is short. */
static int64_t find_caches(struct gl_module *mod, const struct gl_cache_kind *kinds, const struct gl_module *but)
{
	int64_t total = 0;

	for (; mod != NULL; mod = mod->next) {
		for (size_t i = 0; !mod->caches.known && i < mod->nsymbols; i++) {
			if (!note_cache(&mod->caches, kinds, mod->symbols[i].name, mod->symbols[i].addr)) {
				mod->caches.n = 0;
				return -1;
			}
		}
		mod->caches.known = true;
		int64_t inner = mod == but ? 0 : find_caches(mod->extensions, kinds, NULL);
		if (inner < 0) {
			return -1;
		}
		total += inner + (mod == but ? 0 : (int64_t)mod->caches.n);
	}
	return total;
}

static struct type_cache *add_caches(struct type_cache *to, const struct gl_module *mod, const struct gl_module *but)
{
	for (; mod != NULL; mod = mod->next) {
		if (mod == but) {
			continue;
		}
		memcpy(to, mod->caches.list, mod->caches.n * sizeof(*to));
		to = add_caches(to + mod->caches.n, mod->extensions, NULL);
	}
	return to;
}

/* The caches of the host, of the resident store and of all modules but one, which is about to go. A cache that
 * remembered one of its types would take whatever type is later placed at the same address for that one. The result is
 * the caller's to free; NULL when memory is short. */
struct type_cache *module_all_caches(struct gl_host *host, const struct gl_module *but, size_t *n)
{
	struct cache_search search = { .caches = &host->caches };

	gl_runtime_cache_kinds(&host->names, search.kinds);
	if (!host->caches.known) {
		gl_image_each(host->linker.image, note_host_cache, &search);
		if (search.failed) {
			host->caches.n = 0;
			return NULL;
		}
		host->caches.known = true;
	}
	int64_t modules = find_caches(host->modules, search.kinds, but);
	int64_t resident = find_caches(host->resident, search.kinds, but);
	if (modules < 0 || resident < 0) {
		return NULL;
	}
	*n = host->caches.n + (size_t)modules + (size_t)resident;
	struct type_cache *all = malloc((*n + 1) * sizeof(*all));
	if (all != NULL) {
		struct type_cache *next = all;
		memcpy(next, host->caches.list, host->caches.n * sizeof(*all));
		next = add_caches(next + host->caches.n, host->modules, but);
		add_caches(next, host->resident, but);
	}
	return all;
}
