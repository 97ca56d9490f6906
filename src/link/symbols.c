/* The table of a load's symbols, and those that the linker itself makes. */
#include "resolve.h"

#include <stdlib.h>

enum { CHUNK = 128 };

struct lsym *link_sym(const struct link *l, uint32_t s) { return &l->chunks[s / CHUNK][s % CHUNK]; }

/* A fresh symbol; NO_SYM when memory is short. */
uint32_t link_new_sym(struct link *l)
{
	if (l->nsyms == l->nchunks * CHUNK) {
		/* NOLINTNEXTLINE(bugprone-sizeof-expression): chunks is an array of pointers */
		struct lsym **grown = realloc(l->chunks, (l->nchunks + 1) * sizeof(*grown));
		if (grown != NULL) {
			l->chunks = grown;
			l->chunks[l->nchunks] = calloc(CHUNK, sizeof(struct lsym));
		}
		if (grown == NULL || l->chunks[l->nchunks] == NULL) {
			link_out_of_memory(l);
			return NO_SYM;
		}
		l->nchunks++;
	}
	struct lsym *s = link_sym(l, l->nsyms);
	s->referrer = NO_SYM;
	s->target = NO_SYM;
	for (int v = 0; v < NUNITS; v++) {
		s->tramp[v] = NO_SYM;
	}
	s->func = NO_SYM;
	s->alias = NO_SYM;
	s->self = l->nsyms;
	return l->nsyms++;
}

uint32_t link_new_synthetic(struct link *l, enum synthetic kind, uint32_t target, enum unit_id unit)
{
	uint32_t self = link_new_sym(l);

	if (self != NO_SYM) {
		struct lsym *s = link_sym(l, self);
		s->name = link_sym(l, target)->name;
		s->state = SYM_PLACED;
		s->synthetic = kind;
		s->target = target;
		s->unit = unit;
		s->section = SEC_TEXT;
		s->size = s->align = SYNTH_CODE_SIZE;
		s->is_func = true;
		s->marked = true;
	}
	return self;
}

uint32_t link_add_main(struct link *l, uint32_t main)
{
	uint32_t self = link_new_synthetic(l, SYNTH_MAIN, main, UNIT_MODULE);

	if (self != NO_SYM) {
		link_sym(l, self)->name = (struct gl_str){ "runtime.main", 12 };
		link_push(l, &l->placed, &l->nplaced, &l->cap_placed, self);
	}
	return l->failed ? NO_SYM : self;
}

enum section link_section(const struct gl_abi *abi, uint8_t type)
{
	int t = type;

	if (t == abi->STEXT || t == abi->STEXTFIPS) {
		return SEC_TEXT;
	}
	if (t == abi->SRODATA || t == abi->SRODATAFIPS) {
		return SEC_RODATA;
	}
	if (t == abi->SNOPTRDATA || t == abi->SNOPTRDATAFIPS) {
		return SEC_NOPTRDATA;
	}
	if (t == abi->SDATA || t == abi->SDATAFIPS) {
		return SEC_DATA;
	}
	if (t == abi->SBSS) {
		return SEC_BSS;
	}
	if (t == abi->SCOVERAGE_COUNTER) {
		return SEC_COVER;
	}
	if (t == abi->SLIBFUZZER_8BIT_COUNTER) {
		return SEC_FUZZ;
	}
	if (t == abi->SNOPTRBSS || t == abi->SCOVERAGE_AUXVAR) {
		return SEC_NOPTRBSS;
	}
	return SEC_NONE;
}
