/* Reading the runtime's function tables (see functab.h). They are this process's own: nothing in them is hostile. */
#include "functab.h"

#include <string.h>

#include "../abi/abi.h"

static uint32_t get_32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uintptr_t get_word(const uint8_t *p)
{
	uintptr_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

void functab_open(struct functab *tab, const struct gl_abi *abi, uintptr_t moduledata)
{
	const uint8_t *md = (const uint8_t *)moduledata;

	*tab = (struct functab){ .abi = abi,
				 .names = (const uint8_t *)get_word(md + abi->moduledata.funcnametab),
				 .files = (const uint8_t *)get_word(md + abi->moduledata.filetab),
				 .pctab = (const uint8_t *)get_word(md + abi->moduledata.pctab),
				 .funcs = (const uint8_t *)get_word(md + abi->moduledata.pclntable),
				 .index = (const uint8_t *)get_word(md + abi->moduledata.ftab),
				 .funcdata = (const uint8_t *)get_word(md + abi->moduledata.gofunc),
				 .text = get_word(md + abi->moduledata.text),
				 .end = get_word(md + abi->moduledata.etext) };
	/* the last entry of ftab, a slice, is no function, but where the code ends */
	size_t n = get_word(md + abi->moduledata.ftab + sizeof(uintptr_t));
	tab->nfuncs = n > 0 ? n - 1 : 0;
	tab->cutab = (const uint8_t *)get_word(md + abi->moduledata.cutab);
}

/* ftab has pairs: where a function begins, from the start of the code, and its _func, from the start of the table. */
struct func functab_func(const struct functab *tab, size_t i)
{
	const uint8_t *pair = tab->index + i * 8;
	const uint8_t *p = tab->funcs + get_32(pair + 4);

	return (struct func){
		.tab = tab, .p = p, .entry = tab->text + get_32(pair), .next = tab->text + get_32(pair + 8)
	};
}

bool functab_find(const struct functab *tab, uintptr_t entry, struct func *f)
{
	size_t low = 0, high = tab->nfuncs;

	if (entry < tab->text || entry >= tab->end) {
		return false;
	}
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (tab->text + get_32(tab->index + mid * 8) < entry) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	if (low == tab->nfuncs || tab->text + get_32(tab->index + low * 8) != entry) {
		return false;
	}
	*f = functab_func(tab, low);
	return true;
}

const char *func_name(const struct func *f)
{
	return (const char *)f->tab->names + get_32(f->p + f->tab->abi->func.nameOff);
}

const char *func_file(const struct func *f, int32_t number)
{
	uint32_t first = get_32(f->p + f->tab->abi->func.cuOffset);

	if (first == UINT32_MAX || number < 0) {
		return NULL;
	}
	uint32_t off = get_32(f->tab->cutab + 4 * ((size_t)first + (size_t)number));
	return off == UINT32_MAX ? NULL : (const char *)f->tab->files + off;
}

int32_t func_start_line(const struct func *f) { return (int32_t)get_32(f->p + f->tab->abi->func.startLine); }

/* ---- values ------------------------------------------------------------------------------------------------------ */

struct pcvalue func_values(const struct func *f, enum values which)
{
	const struct gl_abi *abi = f->tab->abi;
	uint32_t off = 0;

	switch (which) {
	case VALUES_SP: off = get_32(f->p + abi->func.pcsp); break;
	case VALUES_FILE: off = get_32(f->p + abi->func.pcfile); break;
	case VALUES_LINE: off = get_32(f->p + abi->func.pcln); break;
	case VALUES_INLINED:
		if (get_32(f->p + abi->func.npcdata) > (uint32_t)abi->PCDATA_InlTreeIndex) {
			off = get_32(f->p + abi->func.size + 4 * (size_t)abi->PCDATA_InlTreeIndex);
		}
		break;
	}
	return (struct pcvalue){ .p = off == 0 ? NULL : f->tab->pctab + off, .value = -1 };
}

static uint32_t get_uleb(const uint8_t **p)
{
	uint32_t v = 0;

	for (int shift = 0;; shift += 7) {
		uint8_t b = *(*p)++;
		v |= (uint32_t)(b & 0x7f) << shift;
		if ((b & 0x80) == 0) {
			return v;
		}
	}
}

/* runtime.step: a change of the value, zigzag, 0 at the end (but not at the start); then how far that value holds. */
bool pcvalue_next(struct pcvalue *v)
{
	if (v->p == NULL || (*v->p == 0 && v->until > 0)) {
		v->p = NULL;
		return false;
	}
	uint32_t change = get_uleb(&v->p);
	v->value += (int32_t)((change >> 1) ^ -(change & 1));
	v->until += get_uleb(&v->p);
	return true;
}

int32_t func_value_at(const struct func *f, enum values which, uint32_t off)
{
	struct pcvalue v = func_values(f, which);

	while (pcvalue_next(&v)) {
		if (off < v.until) {
			return v.value;
		}
	}
	return -1;
}

/* ---- what was inlined -------------------------------------------------------------------------------------------- */

struct inlined func_inlined(const struct func *f, int32_t i)
{
	const struct gl_abi *abi = f->tab->abi;
	const uint8_t *funcdata = f->p + abi->func.size + 4 * (size_t)get_32(f->p + abi->func.npcdata);
	const uint8_t *tree = f->tab->funcdata + get_32(funcdata + 4 * (size_t)abi->FUNCDATA_InlTree);
	const uint8_t *node = tree + (size_t)i * abi->inlinedCall.size;

	return (struct inlined){ .name = (const char *)f->tab->names + get_32(node + abi->inlinedCall.nameOff),
				 .parent_pc = get_32(node + abi->inlinedCall.parentPc),
				 .start_line = (int32_t)get_32(node + abi->inlinedCall.startLine) };
}
