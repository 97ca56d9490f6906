/* What stays known of a load when its link is gone: symbols and packages, for loads that use the module and for
 * look-ups by address, and where its memory lies. */
#include "internal.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* Lists the packages that the module contains, for modules that will use it. */
int module_keep_packages(struct link *l, struct gl_module *mod)
{
	mod->packages = gl_pool_take(&mod->pool, (l->npackages + 1) * sizeof(*mod->packages));
	for (uint32_t i = 0; mod->packages != NULL && i < l->npackages; i++) {
		const struct lpkg *p = &l->packages[i];
		const uint8_t *fingerprint = lpkg_fingerprint(p);
		if (p->is_used || p->is_shared) {
			continue;
		}
		struct known_package *kept = &mod->packages[mod->npackages++];
		kept->path = gl_pool_string(&mod->pool, p->path, strlen(p->path));
		kept->is_root = p->is_root;
		memcpy(kept->fingerprint, fingerprint != NULL ? fingerprint : (const uint8_t[8]){ 0 }, 8);
		if (kept->path == NULL) {
			mod->packages = NULL;
		}
	}
	return mod->packages != NULL ? 0 : gl_out_of_memory(l->err, "noting packages");
}

static bool is_exported_name(const char *name, size_t len)
{
	const char *dot = memrchr(name, '.', len);

	return dot != NULL && dot[1] >= 'A' && dot[1] <= 'Z';
}

int module_keep_symbols(struct link *l, struct unit *u, struct gl_module *mod)
{
	static const char kinds[NSECTIONS] = { '?', 't', 'r', 'd', 'd', 'b', 'b', 'b' };

	size_t array = (u->norder + 1) * sizeof(*mod->symbols), names = 0;
	for (uint32_t i = 0; i < u->norder; i++) {
		names += link_sym(l, u->order[i])->name.n + 1;
	}
	bool fits = gl_pool_reserve(&mod->pool, array + names + alignof(max_align_t));
	mod->symbols = fits ? gl_pool_take(&mod->pool, array) : NULL;
	if (mod->symbols == NULL) {
		return gl_out_of_memory(l->err, "noting symbols");
	}
	/* by address: variables among those of other modules may come first */
	uint32_t first = u->variables != NULL && u->variables < u->base ? u->sec_first[SEC_NOPTRDATA] : 0;
	for (uint32_t i = 0; i < u->norder; i++) {
		const struct lsym *s = link_sym(l, u->order[(first + i) % u->norder]);
		if (s->name.n == 0) {
			continue;
		}
		char *name = gl_pool_string(&mod->pool, s->name.p, s->name.n);
		if (name == NULL) {
			return gl_out_of_memory(l->err, "noting symbols");
		}
		char kind = kinds[s->section];
		if (is_exported_name(name, s->name.n)) {
			kind = (char)(kind - 'a' + 'A');
		}
		mod->symbols[mod->nsymbols++] =
			(struct gl_module_symbol){ .name = name,
						   .addr = s->addr,
						   .size = s->size,
						   .by_name = s->by_name && s->synthetic != SYNTH_TRAMPOLINE,
						   .abi = s->is_func ? s->want_abi : GL_ABIINTERNAL,
						   .kind = kind };
	}
	return 0;
}

void module_keep_unit(struct unit *u, struct gl_module *mod)
{
	mod->base = u->base;
	mod->size = u->size;
	mod->variables = u->variables;
	mod->variables_size = u->variables_size;
	mod->ftab = u->ftab;
	mod->ftab_size = u->ftab_size;
	mod->text_pages = u->text_pages;
	mod->rodata_pages = u->rodata_pages;
	mod->strings = u->strings;
	mod->estrings = u->sec_start[SEC_RODATA] + u->sec_size[SEC_RODATA];
	mod->text = u->sec_start[SEC_TEXT];
	mod->etext = u->text_end;
	mod->moduledata = u->moduledata;
	mod->stats.text = u->sec_size[SEC_TEXT];
	mod->stats.rodata = u->sec_size[SEC_RODATA] + u->tables_size;
	mod->stats.data = u->sec_size[SEC_NOPTRDATA] + u->sec_size[SEC_DATA];
	mod->stats.bss =
		u->sec_size[SEC_BSS] + u->sec_size[SEC_NOPTRBSS] + u->sec_size[SEC_COVER] + u->sec_size[SEC_FUZZ];
	mod->stats.bytes = u->size + u->variables_size + u->ftab_size;
}

/* A unit other than the module's own becomes a struct gl_module, too: the resident one a module that nobody can unload,
 * the used one an extension, which goes when the module that it extends goes. Later loads can refer to the symbols of
 * both. */
int module_prepare_unit(struct link *l, enum unit_id id, struct gl_host *host, struct gl_module **made)
{
	struct unit *u = &l->units[id];
	struct gl_module *mod = u->norder == 0 ? NULL : calloc(1, sizeof(*mod));

	*made = mod;
	if (u->norder == 0) {
		return 0;
	}
	if (mod == NULL) {
		return gl_out_of_memory(l->err, "noting symbols");
	}
	mod->host = host;
	mod->loaded = true;
	module_keep_unit(u, mod);
	return module_keep_symbols(l, u, mod);
}

int module_know_symbols(struct gl_module *mod, struct known_sym **names, struct gl_error *err)
{
	size_t n = 0;

	for (size_t i = 0; i < mod->nsymbols; i++) {
		n += mod->symbols[i].by_name;
	}
	mod->known = gl_pool_take(&mod->pool, (n + 1) * sizeof(*mod->known));
	for (size_t i = 0; mod->known != NULL && i < mod->nsymbols; i++) {
		const struct gl_module_symbol *sym = &mod->symbols[i];
		size_t len = strlen(sym->name);
		struct known_sym *known = NULL;
		if (!sym->by_name) {
			continue;
		}
		HASH_FIND(hh, names[sym->abi], sym->name, len, known);
		if (known != NULL) {
			continue;
		}
		known = &mod->known[mod->nknown];
		*known = (struct known_sym){ .name = (char *)sym->name,
					     .want_abi = sym->abi,
					     .is_func = (sym->kind | 32) == 't',
					     .size = (uint32_t)sym->size,
					     .addr = sym->addr };
		HASH_ADD_KEYPTR(hh, names[sym->abi], known->name, len, known);
		if (known->hh.tbl == NULL) {
			module_forget_symbols(mod, names);
			mod->known = NULL;
		} else {
			mod->nknown++;
		}
	}
	return mod->known != NULL ? 0 : gl_out_of_memory(err, "noting symbols");
}

void module_forget_symbols(struct gl_module *mod, struct known_sym **names)
{
	for (size_t i = 0; i < mod->nknown; i++) {
		struct known_sym *known = &mod->known[i];
		HASH_DEL(names[known->want_abi], known);
	}
	mod->nknown = 0;
}

void module_commit_resident(struct gl_host *host, const struct link *l, struct gl_module *mod)
{
	for (const struct lpkg *p = link_archives(l); p != NULL; p = p->hh.next) {
		if (p->gave) {
			linker_note_resident(&host->linker, p);
		}
	}
	for (size_t i = 0; i < mod->nsymbols; i++) {
		host_tell_type_map(host, mod->symbols[i].name, mod->symbols[i].addr);
	}
	mod->next = host->resident;
	host->resident = mod;
	host->caches.has_new_units = true;
}
