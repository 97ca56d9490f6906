/* Entries for functions' variables (see entries.h). */
#include "abbrev.h"
#include "entries.h"

static uint32_t put_ranges(struct dwarf *d, const struct code *code, const struct variable *v)
{
	uint32_t at = (uint32_t)d->ranges.n;
	const struct place *places = &d->variables->places[v->first];

	for (uint32_t i = 0; i < v->n; i++) {
		/* from the start of the unit, which .debug_ranges counts from */
		if (places[i].to <= code->size) {
			put_64(&d->ranges, code->addr + places[i].from - d->low);
			put_64(&d->ranges, code->addr + places[i].to - d->low);
		}
	}
	put_64(&d->ranges, 0);
	put_64(&d->ranges, 0);
	return at;
}

static uint32_t put_location_list(struct dwarf *d, const struct code *code, const struct variable *v)
{
	uint32_t at = (uint32_t)d->locations.n;
	const struct place *places = &d->variables->places[v->first];

	for (uint32_t i = 0; i < v->n; i++) {
		if (places[i].to <= code->size && places[i].n > 0 && places[i].n <= UINT16_MAX) {
			put_64(&d->locations, code->addr + places[i].from - d->low);
			put_64(&d->locations, code->addr + places[i].to - d->low);
			put_16(&d->locations, (uint16_t)places[i].n);
			put(&d->locations, d->variables->expressions.p + places[i].at, places[i].n);
		}
	}
	put_64(&d->locations, 0);
	put_64(&d->locations, 0);
	return at;
}

static void put_variable(struct dwarf *d, const struct code *code, const struct variable *v)
{
	const struct place *place = &d->variables->places[v->first];
	bool everywhere = v->n == 1 && place->to == UINT32_MAX;
	enum abbreviation how = v->n == 0 ? LOCAL_NOWHERE : everywhere ? LOCAL : LOCAL_LIST;

	put_8(&d->info, (uint8_t)(v->kind == VARIABLE ? how : how - LOCAL + ARGUMENT));
	put_32(&d->info, dwarf_string(d, variables_name(d->variables, v->name)));
	put_uleb(&d->info, v->line);
	put_type_ref(d, v->type);
	if (v->kind != VARIABLE) {
		put_8(&d->info, v->kind == RESULT);
	}
	if (how == LOCAL) {
		put_uleb(&d->info, place->n);
		put(&d->info, d->variables->expressions.p + place->at, place->n);
	} else if (how == LOCAL_LIST) {
		put_32(&d->info, put_location_list(d, code, v));
	}
}

void put_abstracts(struct dwarf *d, const struct variables_of *of)
{
	for (uint32_t i = 0; i < of->n; i++) {
		const struct variable *v = &d->variables->list[of->first + i];
		if (v->kind == INLINED) {
			dwarf_abstract(d, variables_name(d->variables, v->name), 0);
		}
	}
}

void put_locals(struct dwarf *d, const struct code *code, const struct variables_of *of)
{
	for (uint32_t i = 0; i < of->n; i++) {
		const struct variable *v = &d->variables->list[of->first + i];
		switch (v->kind) {
		case END_OF_CHILDREN: put_8(&d->info, 0); break;
		case BLOCK:
			put_8(&d->info, SCOPE);
			put_32(&d->info, put_ranges(d, code, v));
			break;
		case INLINED:
			put_8(&d->info, INLINED_PARTS);
			put_32(&d->info, dwarf_abstract(d, variables_name(d->variables, v->name), 0));
			put_uleb(&d->info, dwarf_file(d, variables_name(d->variables, v->file)));
			put_uleb(&d->info, v->line);
			put_32(&d->info, put_ranges(d, code, v));
			break;
		default: put_variable(d, code, v);
		}
	}
	put_8(&d->info, 0);
}
