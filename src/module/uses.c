/* Modules that use each other. The objects of a module may refer to the packages of the modules it uses, and none of
 * these can be unloaded before it. */
#include "internal.h"

#include <stdlib.h>

#include "../grow.h"

bool module_is_using(const struct gl_module *mod, const struct gl_module *other)
{
	for (size_t i = 0; i < mod->nuses; i++) {
		if (mod->uses[i] == other) {
			return true;
		}
	}
	return false;
}

static int add_use(struct gl_module *mod, struct gl_module *other, struct gl_error *err)
{
	if (mod == other || module_is_using(mod, other)) {
		return 0;
	}
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): uses is an array of pointers */
	if (!GL_GROW(mod->uses, mod->nuses, mod->cap_uses)) {
		return gl_out_of_memory(err, "noting that a module uses %s", other->name);
	}
	mod->uses[mod->nuses++] = other;
	other->nusers++;
	return 0;
}

/* All but the first n. */
static void drop_uses_after(struct gl_module *mod, size_t n)
{
	while (mod->nuses > n) {
		mod->uses[--mod->nuses]->nusers--;
	}
}

void module_drop_uses(struct gl_module *mod)
{
	drop_uses_after(mod, 0);
	free(mod->uses);
	mod->uses = NULL;
}

/* Notes the modules that this one uses, those of the options and the ones that they use in turn, and lists in link_uses
 * what the linker needs to know of them. */
int module_open_uses(struct link *l, struct gl_module *mod, const struct gl_load_options *opts,
		     struct link_use **link_uses)
{
	for (size_t i = 0; i < opts->nuses; i++) {
		struct gl_module *used = opts->uses[i];
		if (!used->loaded || used->is_closed) {
			return gl_fail(l->err, GL_ECLOSED, "module %s, which is to be used, was unloaded", used->name);
		}
		if (used->host != mod->host) {
			return gl_fail(l->err, GL_EHOST, "module %s, which is to be used, is another host's",
				       used->name);
		}
		if (add_use(mod, used, l->err) != 0) {
			return -1;
		}
	}
	for (size_t i = 0; i < mod->nuses; i++) {
		for (size_t k = 0; k < mod->uses[i]->nuses; k++) {
			if (add_use(mod, mod->uses[i]->uses[k], l->err) != 0) {
				return -1;
			}
		}
	}
	*link_uses = calloc(mod->nuses + 1, sizeof(**link_uses));
	if (*link_uses == NULL) {
		return gl_out_of_memory(l->err, "noting what is used");
	}
	for (size_t i = 0; i < mod->nuses; i++) {
		struct gl_module *used = mod->uses[i];
		if (!used->names_known) {
			if (module_know_symbols(used, used->names, l->err) != 0) {
				return -1;
			}
			used->names_known = true;
		}
		(*link_uses)[i] = (struct link_use){ .name = used->name,
						     .names = used->names,
						     .clib = used->clib,
						     .packages = used->packages,
						     .npackages = used->npackages };
	}
	l->uses = *link_uses;
	l->nuses = (uint32_t)mod->nuses;
	return 0;
}

/* A load may add to the modules it uses (a map of their types, say). That is kept with the youngest of them, the one
 * that was loaded last: what is added may mention several, and only the youngest can be made to depend on all the
 * others. */
struct gl_module *module_youngest_use(const struct gl_module *mod)
{
	struct gl_module *youngest = mod->nuses > 0 ? mod->uses[0] : NULL;

	for (size_t i = 1; i < mod->nuses; i++) {
		youngest = mod->uses[i]->age > youngest->age ? mod->uses[i] : youngest;
	}
	return youngest;
}

/* Makes the youngest depend on all the others, because of what is kept with it. */
int module_pin_uses(struct gl_module *youngest, const struct gl_module *mod, struct gl_error *err)
{
	size_t before = youngest->nuses;

	for (size_t i = 0; i < mod->nuses; i++) {
		if (add_use(youngest, mod->uses[i], err) != 0) {
			drop_uses_after(youngest, before);
			return -1;
		}
	}
	return 0;
}

void module_commit_extension(struct gl_module *extended, struct gl_module *extension)
{
	extension->next = extended->extensions;
	extended->extensions = extension;
	extended->host->caches.has_new_units = true;
}
