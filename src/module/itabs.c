/* Memory of itabs that the runtime has made for modules that are gone, and what for: src/host/itabs.go tells why. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_SPARES = 1024 };

/* An itab's memory, and the types that it was for. */
struct spare_itab {
	uintptr_t memory;
	size_t methods; /* of the interface: that many functions fit */
	char *inter, *type;
	struct spare_itab *next;
};

static void free_spare(struct spare_itab *s)
{
	free(s->inter);
	free(s->type);
	free(s);
}

static char *name_of(const struct gl_module *mod, uintptr_t addr)
{
	struct gl_module_symbol sym;

	return gl_module_find_symbol(mod, addr, &sym) && sym.addr == addr ? strdup(sym.name) : NULL;
}

void module_note_itabs(struct gl_module *mod, const struct gl_itab *itabs, size_t n)
{
	struct gl_host *host = mod->host;

	for (size_t i = 0; i < n && host->nspare_itabs < MOST_SPARES; i++) {
		struct spare_itab *s = calloc(1, sizeof(*s));
		if (s == NULL) {
			return;
		}
		*s = (struct spare_itab){ .memory = itabs[i].memory,
					  .methods = itabs[i].methods,
					  .inter = name_of(mod, itabs[i].inter),
					  .type = name_of(mod, itabs[i].type),
					  .next = host->spare_itabs };
		bool is_static =
			s->memory >= gl_arena_low(host->linker.arena) && s->memory < gl_arena_high(host->linker.arena);
		if (is_static || s->inter == NULL || s->type == NULL) {
			free_spare(s);
			continue;
		}
		host->spare_itabs = s;
		host->nspare_itabs++;
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

void module_reuse_itabs(struct gl_host *host, struct link *l)
{
	struct gl_itab *made = calloc(host->nspare_itabs + 1, sizeof(*made));
	struct spare_itab **spares = calloc(host->nspare_itabs + 1, sizeof(struct spare_itab *));
	size_t n = 0;

	for (struct spare_itab *s = host->spare_itabs; made != NULL && spares != NULL && s != NULL; s = s->next) {
		uintptr_t inter = find_type(l, s->inter), type = inter != 0 ? find_type(l, s->type) : 0;
		if (type != 0) {
			spares[n] = s;
			made[n++] = (struct gl_itab){
				.memory = s->memory, .inter = inter, .type = type, .methods = s->methods
			};
		}
	}
	if (n > 0) {
		host->make_itabs(made, n);
	}
	for (size_t i = 0; i < n; i++) {
		for (struct spare_itab **link = &host->spare_itabs; made[i].is_made && *link != NULL;
		     link = &(*link)->next) {
			if (*link == spares[i]) {
				*link = spares[i]->next;
				free_spare(spares[i]);
				host->nspare_itabs--;
				break;
			}
		}
	}
	free(made);
	free(spares);
}
