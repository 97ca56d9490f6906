/* Memory of itabs that the runtime has made for modules that are gone, and what for: src/host/itabs.go tells why. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "../grow.h"

enum { MOST_SPARES = 1024 };

/* Memory of itabs that were for an interface and a type of these names: as many as there were modules that had them. */
struct spare_itab {
	char *inter, *type;
	size_t methods; /* of the interface: that many functions fit */
	uintptr_t *memory;
	size_t n, cap;
	struct spare_itab *next;
};

static void free_spare(struct spare_itab *s)
{
	free(s->inter);
	free(s->type);
	free(s->memory);
	free(s);
}

static char *name_of(const struct gl_module *mod, uintptr_t addr)
{
	struct gl_module_symbol sym;

	return gl_module_find_symbol(mod, addr, &sym) && sym.addr == addr ? strdup(sym.name) : NULL;
}

/* The spares for types of these names, which are taken over; NULL when memory is short. */
static struct spare_itab *spares_of(struct gl_host *host, char *inter, char *type, size_t methods)
{
	struct spare_itab *s = host->spare_itabs;

	while (s != NULL && inter != NULL && type != NULL &&
	       (s->methods != methods || strcmp(s->inter, inter) != 0 || strcmp(s->type, type) != 0)) {
		s = s->next;
	}
	struct spare_itab *made = s == NULL && inter != NULL && type != NULL ? calloc(1, sizeof(*made)) : NULL;
	if (made == NULL) {
		free(inter);
		free(type);
		return inter != NULL && type != NULL ? s : NULL;
	}
	*made = (struct spare_itab){ .inter = inter, .type = type, .methods = methods, .next = host->spare_itabs };
	host->spare_itabs = made;
	return made;
}

void module_note_itabs(struct gl_module *mod, const struct gl_itab *itabs, size_t n)
{
	struct gl_host *host = mod->host;

	for (size_t i = 0; i < n && host->nspare_itabs < MOST_SPARES; i++) {
		const struct gl_itab *itab = &itabs[i];
		bool is_static = itab->memory >= gl_arena_low(host->linker.arena) &&
				 itab->memory < gl_arena_high(host->linker.arena);
		char *inter = is_static ? NULL : name_of(mod, itab->inter);
		char *type = inter == NULL ? NULL : name_of(mod, itab->type);
		if (type == NULL) {
			free(inter);
			continue;
		}
		struct spare_itab *s = spares_of(host, inter, type, itab->methods);
		if (s != NULL && GL_GROW(s->memory, s->n, s->cap)) {
			s->memory[s->n++] = itab->memory;
			host->nspare_itabs++;
		}
	}
}

/* A type's descriptor as the module that has just been linked would find it. */
static uintptr_t find_type(struct link *l, const char *name)
{
	size_t n = strlen(name);
	struct lsym *s = NULL;
	struct known_sym *known = NULL;
	struct gl_image_sym sym;

	HASH_FIND(hh, l->by_name[UNIT_MODULE][GL_ABIINTERNAL], name, n, s);
	if (s != NULL && s->alias != NO_SYM) {
		s = link_sym(l, s->alias);
	}
	if (s != NULL && (s->marked || s->state == SYM_FIXED)) {
		return s->addr;
	}
	HASH_FIND(hh, l->linker->resident[GL_ABIINTERNAL], name, n, known);
	if (known != NULL) {
		return known->addr;
	}
	return gl_image_lookup(l->linker->image, name, n, &sym) ? sym.addr : 0;
}

static void drop_empty_spares(struct gl_host *host)
{
	for (struct spare_itab **link = &host->spare_itabs; *link != NULL;) {
		struct spare_itab *s = *link;
		if (s->n > 0) {
			link = &s->next;
			continue;
		}
		*link = s->next;
		free_spare(s);
	}
}

void module_reuse_itabs(struct gl_host *host, struct link *l)
{
	struct gl_itab *made = calloc(host->nspare_itabs + 1, sizeof(*made));
	struct spare_itab **spares = calloc(host->nspare_itabs + 1, sizeof(struct spare_itab *));
	size_t n = 0;

	for (struct spare_itab *s = host->spare_itabs; made != NULL && spares != NULL && s != NULL; s = s->next) {
		uintptr_t inter = find_type(l, s->inter), type = inter != 0 ? find_type(l, s->type) : 0;
		if (type != 0 && s->n > 0) {
			spares[n] = s;
			made[n++] = (struct gl_itab){
				.memory = s->memory[s->n - 1], .inter = inter, .type = type, .methods = s->methods
			};
		}
	}
	if (n > 0) {
		host->make_itabs(made, n);
	}
	for (size_t i = 0; i < n; i++) {
		spares[i]->n -= made[i].is_made;
		host->nspare_itabs -= made[i].is_made;
	}
	drop_empty_spares(host);
	free(made);
	free(spares);
}
