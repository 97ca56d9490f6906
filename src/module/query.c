/* What a module holds: exports, symbols, types, figures. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

bool gl_module_is_loaded(const struct gl_module *mod) { return mod->loaded; }

struct gl_host *gl_module_host(const struct gl_module *mod) { return mod->host; }

static bool is_type_of(const char *symbol, const char *path, const char *name)
{
	size_t n = strlen(path);

	return strncmp(symbol, "type:", 5) == 0 && strncmp(symbol + 5, path, n) == 0 && symbol[5 + n] == '.' &&
	       strcmp(symbol + 5 + n + 1, name) == 0;
}

/* Without export data only symbols tell of types. Only packages whose exports are the module's are looked at, for its
 * dependencies may have types of that name, too. */
uintptr_t gl_module_type(const struct gl_module *mod, const char *name)
{
	for (size_t i = 0; i < mod->nexports; i++) {
		if (mod->exports[i].kind == GL_EXPORT_TYPE && strcmp(mod->exports[i].name, name) == 0) {
			return mod->exports[i].addr;
		}
	}
	for (uint32_t p = 0; p < mod->npackages; p++) {
		for (size_t i = 0; mod->packages[p].is_root && i < mod->nsymbols; i++) {
			if (is_type_of(mod->symbols[i].name, mod->packages[p].path, name)) {
				return mod->symbols[i].addr;
			}
		}
	}
	return 0;
}

size_t gl_module_exports(const struct gl_module *mod, const struct gl_export **exports)
{
	*exports = mod->exports;
	return mod->nexports;
}

size_t gl_module_symbols(const struct gl_module *mod, const struct gl_module_symbol **symbols)
{
	*symbols = mod->symbols;
	return mod->nsymbols;
}

void gl_module_stats(const struct gl_module *mod, struct gl_module_stats *stats) { *stats = mod->stats; }

uint64_t gl_module_number(const struct gl_module *mod) { return mod->age; }

size_t gl_host_modules(const struct gl_host *host, struct gl_module_info *list, size_t n)
{
	size_t count = 0;

	for (const struct gl_module *m = host->modules; m != NULL; m = m->next) {
		if (m->is_shared) {
			continue;
		}
		if (count < n) {
			struct gl_module_info *info = &list[count];
			*info = (struct gl_module_info){ .number = m->age,
							 .since = m->since,
							 .bytes = m->stats.bytes,
							 .users = m->nusers,
							 .is_closed = m->is_closed };
			snprintf(info->name, sizeof(info->name), "%s", m->name);
		}
		count++;
	}
	return count;
}

bool module_has(const struct gl_module *mod, uintptr_t addr)
{
	return mod->base != NULL &&
	       (addr - (uintptr_t)mod->base < mod->size ||
		(mod->variables != NULL && addr - (uintptr_t)mod->variables < mod->variables_size));
}

const struct gl_module_symbol *module_find_own_symbol(const struct gl_module *mod, uintptr_t addr)
{
	size_t low = 0, high = mod->nsymbols;

	if (!module_has(mod, addr)) {
		return NULL;
	}
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (mod->symbols[mid].addr <= addr) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	if (low == 0) {
		return NULL;
	}
	const struct gl_module_symbol *s = &mod->symbols[low - 1];
	return addr - s->addr < (s->size > 0 ? s->size : 1) ? s : NULL;
}

static const struct gl_module_symbol *find_symbol_whole(const struct gl_module *mod, uintptr_t addr)
{
	const struct gl_module_symbol *s = module_find_own_symbol(mod, addr);

	for (const struct gl_module *m = mod->extensions; s == NULL && m != NULL; m = m->next) {
		s = module_find_own_symbol(m, addr);
	}
	return s;
}

const struct gl_module *gl_host_module_at(const struct gl_host *host, uintptr_t addr)
{
	for (const struct gl_module *m = host->modules; m != NULL; m = m->next) {
		if (find_symbol_whole(m, addr) != NULL) {
			return m;
		}
	}
	return host->itself;
}

bool gl_module_find_symbol(const struct gl_module *mod, uintptr_t addr, struct gl_module_symbol *sym)
{
	struct gl_image_sym found;
	const struct gl_module_symbol *s = find_symbol_whole(mod, addr);

	for (size_t i = 0; s == NULL && i < mod->nuses; i++) {
		s = find_symbol_whole(mod->uses[i], addr);
	}
	for (const struct gl_module *m = mod->host->resident; s == NULL && m != NULL; m = m->next) {
		s = module_find_own_symbol(m, addr);
	}
	if (s != NULL) {
		*sym = *s;
		return true;
	}
	if (!gl_image_symbolize(mod->host->linker.image, addr, &found)) {
		return false;
	}
	*sym = (struct gl_module_symbol){
		.name = found.name, .addr = found.addr, .size = found.size, .kind = found.is_func ? 'T' : '?'
	};
	return true;
}

int64_t gl_module_symbolize(const struct gl_module *mod, uintptr_t addr, const char **name)
{
	struct gl_module_symbol sym;

	if (!gl_module_find_symbol(mod, addr, &sym)) {
		return -1;
	}
	*name = sym.name;
	return (int64_t)(addr - sym.addr);
}
