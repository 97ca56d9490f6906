/* The caches that call sites keep of type assertions: an unload must empty those that remember its types. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* What an unload must know of the caches that call sites keep of type assertions (Go 1.22 and later): the compiler's
 * variables "pkg..typeAssert.3" and "pkg..interfaceSwitch.0" (cmd/compile/internal/ssagen), with the offset of the
 * cache in each and the empty cache that it starts with. A kind that this Go lacks has no empty one. */
struct cache_kinds {
	size_t offset[2];
	uintptr_t empty[2];
};

static struct cache_kinds cache_kinds(const struct gl_host *host)
{
	static const char *const empty[] = { "runtime.emptyTypeAssertCache", "runtime.emptyInterfaceSwitchCache" };
	static const char *const structs[] = { "internal/abi.TypeAssert", "internal/abi.InterfaceSwitch" };
	struct cache_kinds kinds = { 0 };
	struct gl_image_sym sym;

	for (int i = 0; i < 2; i++) {
		int off = gl_abi_field(host->abi, structs[i], "Cache");
		if (off >= 0 && gl_image_lookup(host->linker.image, empty[i], strlen(empty[i]), &sym)) {
			kinds.empty[i] = sym.addr;
			kinds.offset[i] = (size_t)off;
		}
	}
	return kinds;
}

static bool note_cache(struct type_caches *caches, const struct cache_kinds *kinds, const char *name, uintptr_t addr)
{
	int kind = strstr(name, "..typeAssert.") != NULL ? 0 : strstr(name, "..interfaceSwitch.") != NULL ? 1 : -1;

	if (kind < 0 || kinds->empty[kind] == 0) {
		return true;
	}
	if (caches->n == caches->cap) {
		size_t cap = caches->cap == 0 ? 64 : caches->cap * 2;
		struct type_cache *p = realloc(caches->list, cap * sizeof(*p));
		if (p == NULL) {
			return false;
		}
		caches->list = p;
		caches->cap = cap;
	}
	caches->list[caches->n++] =
		(struct type_cache){ .at = addr + kinds->offset[kind], .empty = kinds->empty[kind] };
	return true;
}

struct cache_search {
	struct type_caches *caches;
	struct cache_kinds kinds;
	bool failed;
};

static bool note_host_cache(const struct gl_image_sym *sym, void *arg)
{
	struct cache_search *search = arg;

	search->failed |= !note_cache(search->caches, &search->kinds, sym->name, sym->addr);
	return !search->failed;
}

/* Finds each module's caches once; returns how many there are, or -1 when memory is short. */
static int64_t find_caches(struct gl_module *mod, const struct cache_kinds *kinds, const struct gl_module *but)
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

/* All caches, of the host, the resident units and the other modules. One that remembers a type of the module would
 * match whatever type gets its address next. The result is the caller's to free; NULL when memory is short. */
struct type_cache *module_all_caches(struct gl_host *host, const struct gl_module *but, size_t *n)
{
	struct cache_search search = { .caches = &host->caches, .kinds = cache_kinds(host) };

	if (!host->caches.known) {
		gl_image_each(host->linker.image, note_host_cache, &search);
		if (search.failed) {
			host->caches.n = 0;
			return NULL;
		}
		host->caches.known = true;
	}
	int64_t modules = find_caches(host->modules, &search.kinds, but);
	int64_t resident = find_caches(host->resident, &search.kinds, but);
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
