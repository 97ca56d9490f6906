/* Modules that use each other: whose packages are in reach of whose objects, and who can't be without whom. */
#include "internal.h"

#include <stdlib.h>

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
	struct gl_module **grown = realloc(mod->uses, (mod->nuses + 1) * sizeof(*grown));
	if (grown == NULL) {
		return gl_fail(err, GL_ENOMEM, "out of memory while noting that %s uses %s", mod->name, other->name);
	}
	mod->uses = grown;
	mod->uses[mod->nuses++] = other;
	other->nusers++;
	return 0;
}

void module_drop_uses(struct gl_module *mod)
{
	for (size_t i = 0; i < mod->nuses; i++) {
		mod->uses[i]->nusers--;
	}
	free(mod->uses);
	mod->uses = NULL;
	mod->nuses = 0;
}

/* All that a module uses, directly or by way of others, in link_uses: their packages are in reach of its objects. */
int module_open_uses(struct link *l, struct gl_module *mod, const struct gl_load_options *opts,
		     struct link_use **link_uses)
{
	for (size_t i = 0; i < opts->nuses; i++) {
		struct gl_module *used = opts->uses[i];
		if (!used->loaded) {
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
		return gl_fail(l->err, GL_ENOMEM, "out of memory while noting what is used");
	}
	for (size_t i = 0; i < mod->nuses; i++) {
		struct gl_module *used = mod->uses[i];
		if (!used->names_known) {
			module_know_symbols(used, used->names);
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

/* What this load adds to the modules it uses belongs to the youngest of them: the only one that may mention them all.
 */
struct gl_module *module_youngest_use(const struct gl_module *mod)
{
	struct gl_module *youngest = mod->nuses > 0 ? mod->uses[0] : NULL;

	for (size_t i = 1; i < mod->nuses; i++) {
		youngest = mod->uses[i]->age > youngest->age ? mod->uses[i] : youngest;
	}
	return youngest;
}

/* From now on it can't be without the others. */
int module_pin_uses(struct gl_module *youngest, const struct gl_module *mod, struct gl_error *err)
{
	for (size_t i = 0; i < mod->nuses; i++) {
		if (add_use(youngest, mod->uses[i], err) != 0) {
			return -1;
		}
	}
	return 0;
}

void module_commit_extension(struct gl_module *extended, struct gl_module *extension)
{
	module_know_symbols(extension, extended->names);
	extension->next = extended->extensions;
	extended->extensions = extension;
}
