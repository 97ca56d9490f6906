/* Keeping what is known of variables (see variables.h). */
#include "variables.h"

#include <stdlib.h>

uint32_t variables_string(struct variables *v, const char *p, size_t n)
{
	uint32_t at = (uint32_t)v->strings.n;

	put(&v->strings, p, n);
	put_8(&v->strings, 0);
	return v->strings.failed ? 0 : at;
}

uint32_t variables_type(struct variables *v)
{
	if (!GL_GROW(v->types, v->ntypes, v->cap_types)) {
		v->failed = true;
		return NO_TYPE;
	}
	v->types[v->ntypes] = (struct type){ .elem = NO_TYPE, .key = NO_TYPE, .group = NO_TYPE };
	return v->ntypes++;
}

void variables_field(struct variables *v, struct type_field field)
{
	if (!GL_GROW(v->fields, v->nfields, v->cap_fields)) {
		v->failed = true;
		return;
	}
	v->fields[v->nfields++] = field;
}

void variables_add(struct variables *v, struct variable variable)
{
	if (!GL_GROW(v->list, v->nlist, v->cap_list)) {
		v->failed = true;
		return;
	}
	v->list[v->nlist++] = variable;
}

void variables_place(struct variables *v, uint32_t from, uint32_t to, const uint8_t *expression, uint32_t n)
{
	if (!GL_GROW(v->places, v->nplaces, v->cap_places)) {
		v->failed = true;
		return;
	}
	v->places[v->nplaces++] = (struct place){ .from = from, .to = to, .at = (uint32_t)v->expressions.n, .n = n };
	put(&v->expressions, expression, n);
}

void variables_end_function(struct variables *v, uintptr_t entry, uint32_t first)
{
	struct variables_of *of = calloc(1, sizeof(*of));

	if (of == NULL) {
		v->failed = true;
		return;
	}
	of->entry = entry;
	of->first = first;
	of->n = v->nlist - first;
	HASH_ADD(hh, v->functions, entry, sizeof(of->entry), of);
	if (of->hh.tbl == NULL) {
		free(of);
		v->failed = true;
	}
}

const struct variables_of *variables_find(const struct variables *v, uintptr_t entry)
{
	struct variables_of *of = NULL;

	if (v != NULL) {
		HASH_FIND(hh, v->functions, &entry, sizeof(entry), of);
	}
	return of;
}

void variables_free(struct variables *v)
{
	if (v == NULL) {
		return;
	}
	struct variables_of *of = v->functions;
	HASH_CLEAR(hh, v->functions);
	for (struct variables_of *next; of != NULL; of = next) {
		next = of->hh.next;
		free(of);
	}
	free(v->types);
	free(v->fields);
	free(v->list);
	free(v->places);
	free(v->strings.p);
	free(v->expressions.p);
	free(v);
}
