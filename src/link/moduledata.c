/* The moduledata: how the runtime knows a unit. With it go the GC's pointer masks of data and bss, and where the type
 * descriptors and itabs lie (as a table of offsets up to Go 1.26; by walking them after that). */
#include "link.h"

#include <string.h>

enum { WORD = 8 };

/* internal/abi/type.go, Kind: numbers that reflect has published since Go 1 */
enum kind {
	KIND_ARRAY = 17,
	KIND_CHAN,
	KIND_FUNC,
	KIND_INTERFACE,
	KIND_MAP,
	KIND_POINTER,
	KIND_SLICE,
	KIND_STRING,
	KIND_STRUCT,
	KIND_UNSAFEPOINTER
};

static size_t mask_size(size_t section_size) { return round_up((section_size / WORD + 7) / 8 + 1, 8); }

size_t moduledata_tables_size(const struct link *l, const struct unit *u)
{
	(void)l;
	return mask_size(u->sec_size[SEC_DATA]) + mask_size(u->sec_size[SEC_BSS]) +
	       round_up((size_t)u->ntypelinks * 4, 8) + (size_t)u->nitabs * 8;
}

/* ---- pointer masks ---------------------------------------------------------------------------------------------- */

static uint64_t load64(uintptr_t p)
{
	uint64_t v;

	memcpy(&v, (const void *)p, sizeof(v));
	return v;
}

static void set_bit(uint8_t *mask, size_t offset) { mask[offset / WORD / 8] |= (uint8_t)(1u << (offset / WORD % 8)); }

/* Marks the pointers in a value of type (a descriptor's address) at offset from the section's start. Descriptors of
 * large types have no mask of their own in some versions (a program, or one made at the first need): going by kind,
 * with the runtime's idea of which words of a string, slice or interface are pointers, works for all. */
static void mark_pointers(const struct linker *linker, uint8_t *mask, size_t offset, uintptr_t type)
{
	const struct gl_abi *abi = linker->abi;
	uint8_t kind = *(const uint8_t *)(type + (uintptr_t)abi->type.Kind_);

	if (load64(type + (uintptr_t)abi->type.PtrBytes) == 0) {
		return;
	}
	if (abi->KindMask >= 0) {
		kind &= (uint8_t)abi->KindMask;
	}
	switch (kind) {
	case KIND_CHAN:
	case KIND_FUNC:
	case KIND_MAP:
	case KIND_POINTER:
	case KIND_UNSAFEPOINTER:
	case KIND_STRING:
	case KIND_SLICE: set_bit(mask, offset); break;
	case KIND_INTERFACE:
		set_bit(mask, offset);
		set_bit(mask, offset + WORD);
		break;
	case KIND_ARRAY: {
		uintptr_t elem = load64(type + (uintptr_t)abi->arrayType.Elem);
		uint64_t len = load64(type + (uintptr_t)abi->arrayType.Len);
		uint64_t size = load64(elem + (uintptr_t)abi->type.Size_);
		for (uint64_t i = 0; i < len; i++) {
			mark_pointers(linker, mask, offset + i * size, elem);
		}
		break;
	}
	case KIND_STRUCT: {
		uintptr_t fields = (uintptr_t)abi->structType.Fields;
		uintptr_t field = load64(type + fields);
		uint64_t n = load64(type + fields + 8);
		uintptr_t each = (uintptr_t)abi->structField.size;
		uintptr_t typ = (uintptr_t)abi->structField.Typ;
		uintptr_t off = (uintptr_t)abi->structField.Offset;
		for (uint64_t i = 0; i < n; i++, field += each) {
			mark_pointers(linker, mask, offset + load64(field + off), load64(field + typ));
		}
		break;
	}
	default: break;
	}
}

static int write_mask(struct link *l, struct unit *u, enum section sec, uint8_t *mask)
{
	for (uint32_t i = u->sec_first[sec]; i < u->norder; i++) {
		const struct lsym *s = link_sym(l, u->order[i]);
		if (s->section != sec) {
			break;
		}
		uint32_t type = NO_SYM, n = s->obj == NULL ? 0 : gl_object_nauxs(s->obj->obj, s->idx);
		for (uint32_t j = 0; j < n; j++) {
			struct gl_aux aux = gl_object_aux(s->obj->obj, s->idx, j);
			if (aux.type == GL_AUX_GOTYPE) {
				type = link_resolve_ref(l, s->obj, aux.sym, (enum unit_id)s->unit, s->self);
			}
		}
		if (type != NO_SYM && link_is_pointer_name(link_sym(l, type)->name)) {
			set_bit(mask, s->addr - u->sec_start[sec]);
		} else if (type != NO_SYM && link_sym(l, type)->state != SYM_ABSENT) {
			mark_pointers(l->linker, mask, s->addr - u->sec_start[sec], link_sym(l, type)->addr);
		} else if (s->size >= WORD) {
			return gl_fail(l->err, GL_EUNSUPPORTED,
				       "%s: variable %.*s may hold pointers, but the object doesn't tell its type",
				       s->obj == NULL ? "linker" : s->obj->pkg->file, (int)s->name.n, s->name.p);
		}
	}
	return 0;
}

/* ---- the moduledata --------------------------------------------------------------------------------------------- */

static void put_word(uintptr_t md, int field, uint64_t v)
{
	if (field >= 0) {
		memcpy((uint8_t *)md + field, &v, sizeof(v));
	}
}

static void put_slice(uintptr_t md, int field, uintptr_t p, size_t n)
{
	put_word(md, field, p);
	put_word(md, field + 8, n);
	put_word(md, field + 16, n);
}

int moduledata_write(struct link *l, struct unit *u, const char *name)
{
	const struct gl_abi *abi = l->linker->abi;
	uintptr_t md = u->moduledata, text = u->sec_start[SEC_TEXT], rodata = u->sec_start[SEC_RODATA];
	const struct pclntab *t = &u->pclntab;
	uintptr_t tab = u->tables_start;
	uint8_t *next = (uint8_t *)tab + round_up(t->size, 64);

	uint8_t *datamask = next;
	next += mask_size(u->sec_size[SEC_DATA]);
	uint8_t *bssmask = next;
	next += mask_size(u->sec_size[SEC_BSS]);
	if (write_mask(l, u, SEC_DATA, datamask) != 0 || write_mask(l, u, SEC_BSS, bssmask) != 0) {
		return -1;
	}
	if (abi->moduledata.typelinks >= 0) {
		for (uint32_t i = 0; i < u->ntypelinks; i++) {
			int32_t off = (int32_t)(link_sym(l, u->order[u->sec_first[SEC_RODATA] + i])->addr - rodata);
			memcpy(next + 4 * (size_t)i, &off, sizeof(off));
		}
		put_slice(md, abi->moduledata.typelinks, (uintptr_t)next, u->ntypelinks);
		next += round_up((size_t)u->ntypelinks * 4, 8);
	}
	if (abi->moduledata.itablinks >= 0) {
		for (uint32_t i = 0; i < u->nitabs; i++) {
			uint64_t addr = link_sym(l, u->order[u->sec_first[SEC_RODATA] + u->ntypelinks + i])->addr;
			memcpy(next + 8 * (size_t)i, &addr, sizeof(addr));
		}
		put_slice(md, abi->moduledata.itablinks, (uintptr_t)next, u->nitabs);
	}
	put_word(md, abi->moduledata.typedesclen, u->typelinks_end);
	put_word(md, abi->moduledata.itaboffset, u->itabs_start);
	put_word(md, abi->moduledata.itabsize, u->itabs_end - u->itabs_start);

	put_word(md, abi->moduledata.pcHeader, tab);
	put_slice(md, abi->moduledata.funcnametab, tab + t->names, t->nnames);
	put_slice(md, abi->moduledata.cutab, tab + t->cutab, t->ncutab);
	put_slice(md, abi->moduledata.filetab, tab + t->files, t->nfiles);
	put_slice(md, abi->moduledata.pctab, tab + t->pctab, t->npctab);
	put_slice(md, abi->moduledata.pclntable, tab + t->functab, t->nfunctab);
	put_slice(md, abi->moduledata.ftab, tab + t->functab, (size_t)u->nfuncs + 1);
	put_word(md, abi->moduledata.findfunctab, tab + t->findfunc);
	put_word(md, abi->moduledata.minpc, text);
	put_word(md, abi->moduledata.maxpc, u->text_end);
	put_word(md, abi->moduledata.text, text);
	put_word(md, abi->moduledata.etext, u->text_end);

	static const struct {
		enum section sec;
	} sections[] = { { SEC_NOPTRDATA }, { SEC_DATA }, { SEC_BSS }, { SEC_NOPTRBSS }, { SEC_COVER } };
	const int starts[] = { abi->moduledata.noptrdata, abi->moduledata.data, abi->moduledata.bss,
			       abi->moduledata.noptrbss, abi->moduledata.covctrs };
	const int ends[] = { abi->moduledata.enoptrdata, abi->moduledata.edata, abi->moduledata.ebss,
			     abi->moduledata.enoptrbss, abi->moduledata.ecovctrs };
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		uintptr_t start = u->sec_start[sections[i].sec];
		put_word(md, starts[i], start);
		put_word(md, ends[i], start + u->sec_size[sections[i].sec]);
	}
	put_word(md, abi->moduledata.end, (uintptr_t)u->base + u->size);
	put_word(md, abi->moduledata.types, rodata);
	put_word(md, abi->moduledata.rodata, rodata);
	put_word(md, abi->moduledata.gofunc, rodata);
	put_word(md, abi->moduledata.etypes, rodata + u->rodata_pages);
	put_word(md, abi->moduledata.epclntab, rodata + u->rodata_pages);
	put_word(md, abi->moduledata.modulename, (uintptr_t)name);
	put_word(md, abi->moduledata.modulename + 8, strlen(name));

	/* runtime.bitvector: n int32, bytedata *uint8 */
	int32_t ndata = (int32_t)(u->sec_size[SEC_DATA] / WORD), nbss = (int32_t)(u->sec_size[SEC_BSS] / WORD);
	memcpy((uint8_t *)md + abi->moduledata.gcdatamask, &ndata, sizeof(ndata));
	put_word(md, abi->moduledata.gcdatamask + 8, (uintptr_t)datamask);
	memcpy((uint8_t *)md + abi->moduledata.gcbssmask, &nbss, sizeof(nbss));
	put_word(md, abi->moduledata.gcbssmask + 8, (uintptr_t)bssmask);
	return 0;
}
