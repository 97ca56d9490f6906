/* The moduledata: how the runtime knows a unit. With it go the GC's pointer masks of data and bss, and where the type
 * descriptors and itabs lie (as a table of offsets up to Go 1.26; by walking them after that). */
#include "link.h"

#include <string.h>

#include "../abi/kinds.h"

enum { WORD = 8 };

static size_t mask_size(size_t section_size) { return round_up((section_size / WORD + 7) / 8 + 1, 8); }

/* Among other modules' variables, a unit's are in their mask, its types in their lists. */
size_t moduledata_tables_size(const struct link *l, const struct unit *u)
{
	(void)l;
	return u->variables != NULL ? 0 :
				      mask_size(u->sec_size[SEC_DATA]) + mask_size(u->sec_size[SEC_BSS]) +
					      round_up((size_t)u->ntypelinks * 4, 8) + (size_t)u->nitabs * 8;
}

/* ---- pointer masks ---------------------------------------------------------------------------------------------- */

/* Marking the pointers of one variable. What an object says of its types may be wrong in any way: nothing is marked
 * outside the variable, and the walk ends. */
struct marking {
	struct link *l;
	uint8_t *mask;
	size_t start, end; /* of the variable, from the section's start */
	uint64_t steps;    /* left */
};

/* A descriptor, or an array of fields. One that was there before this load is read where it lies. One that this load
 * brings is read in its object, where relocations tell to what it points. */
struct place {
	uintptr_t addr;         /* in memory; or 0: */
	const struct lsym *sym; /* the symbol */
	size_t off;             /* and the place in it */
};

enum { MAX_TYPE_DEPTH = 1000, STEPS_PER_WORD = 64, MIN_STEPS = 1 << 16 };

static bool read_place(const struct place *at, size_t off, void *out, size_t size)
{
	uint32_t n;

	if (at->sym == NULL) {
		memcpy(out, (const void *)(at->addr + off), size);
		return true;
	}
	const uint8_t *data = gl_object_data(at->sym->obj->obj, at->sym->idx, &n);
	if (at->off > n || off > n - at->off || size > n - at->off - off) {
		return false;
	}
	memcpy(out, data + at->off + off, size);
	return true;
}

static bool is_descriptor(const struct lsym *s)
{
	return s->by_name && str_starts(s->name, "type:") && s->name.n > 5 && s->name.p[5] != '.';
}

/* The place that a symbol of a type, or of a part of one, has: false where that can't be known. */
static bool place_of(const struct lsym *s, int64_t add, struct place *out)
{
	if (s->state == SYM_PLACED && s->obj != NULL && s->synthetic == SYNTH_NONE && add >= 0) {
		*out = (struct place){ .sym = s, .off = (size_t)add };
		return true;
	}
	*out = (struct place){ .addr = s->addr };
	return s->state == SYM_FIXED && s->addr != 0 && add == 0 && is_descriptor(s);
}

/* Follows the pointer at off. */
static bool follow(const struct marking *m, const struct place *from, size_t off, struct place *out)
{
	uint64_t addr;

	if (from->sym == NULL) {
		bool ok = read_place(from, off, &addr, sizeof(addr)) && addr != 0;
		*out = (struct place){ .addr = addr };
		return ok;
	}
	const struct lsym *s = from->sym;
	for (uint32_t j = 0, n = gl_object_nrelocs(s->obj->obj, s->idx); j < n; j++) {
		struct gl_reloc r = gl_object_reloc(s->obj->obj, s->idx, j);
		if (r.off >= 0 && (size_t)r.off == from->off + off && r.type == m->l->linker->abi->R_ADDR) {
			uint32_t t = link_resolve_ref(m->l, s->obj, r.sym, (enum unit_id)s->unit, s->self);
			return t != NO_SYM && place_of(link_sym(m->l, t), r.add, out);
		}
	}
	return false;
}

static void set_bit(uint8_t *mask, size_t offset) { mask[offset / WORD / 8] |= (uint8_t)(1u << (offset / WORD % 8)); }

static bool mark_word(const struct marking *m, size_t offset)
{
	if (offset < m->start || offset > m->end - WORD) {
		return false;
	}
	set_bit(m->mask, offset);
	return true;
}

static bool mark_pointers(struct marking *m, size_t offset, const struct place *type, uint32_t depth);

static bool mark_array(struct marking *m, size_t offset, const struct place *type, uint32_t depth)
{
	const struct gl_abi *abi = m->l->linker->abi;
	struct place elem;
	uint64_t len, size;

	if (!follow(m, type, (size_t)abi->arrayType.Elem, &elem) ||
	    !read_place(type, (size_t)abi->arrayType.Len, &len, sizeof(len)) ||
	    !read_place(&elem, (size_t)abi->type.Size_, &size, sizeof(size))) {
		return false;
	}
	if (size == 0 || len > (m->end - offset) / size) {
		return len == 0;
	}
	for (uint64_t i = 0; i < len; i++) {
		if (!mark_pointers(m, offset + i * size, &elem, depth)) {
			return false;
		}
	}
	return true;
}

static bool mark_struct(struct marking *m, size_t offset, const struct place *type, uint32_t depth)
{
	const struct gl_abi *abi = m->l->linker->abi;
	size_t slice = (size_t)abi->structType.Fields;
	size_t each = abi->structField.size;
	size_t typ = (size_t)abi->structField.Typ;
	size_t off = (size_t)abi->structField.Offset;
	struct place fields, field_type;
	uint64_t n, at;

	if (!follow(m, type, slice, &fields) || !read_place(type, slice + 8, &n, sizeof(n))) {
		return false;
	}
	for (uint64_t i = 0; i < n; i++) {
		if (!read_place(&fields, i * each + off, &at, sizeof(at)) || at > m->end - offset ||
		    !follow(m, &fields, i * each + typ, &field_type) ||
		    !mark_pointers(m, offset + at, &field_type, depth)) {
			return false;
		}
	}
	return true;
}

/* Marks the pointers in a value of the type at offset from the section's start; false where the type can't be the
 * value's. Descriptors of large types have no mask of their own in some versions (a program, or one made at the first
 * need): going by kind, with the runtime's idea of which words of a string, slice or interface are pointers, works for
 * all. */
static bool mark_pointers(struct marking *m, size_t offset, const struct place *type, uint32_t depth)
{
	const struct gl_abi *abi = m->l->linker->abi;
	uint64_t pointers;
	uint8_t kind;

	if (m->steps == 0 || depth > MAX_TYPE_DEPTH || offset > m->end ||
	    !read_place(type, (size_t)abi->type.PtrBytes, &pointers, sizeof(pointers)) ||
	    !read_place(type, (size_t)abi->type.Kind_, &kind, sizeof(kind))) {
		return false;
	}
	m->steps--;
	if (pointers == 0) {
		return true;
	}
	if (abi->KindMask >= 0) {
		kind &= (uint8_t)abi->KindMask;
	}
	switch (kind) {
	case KIND_CHAN:
	case KIND_FUNC:
	case KIND_MAP:
	case KIND_POINTER:
	case KIND_UNSAFE_POINTER:
	case KIND_STRING:
	case KIND_SLICE: return mark_word(m, offset);
	case KIND_INTERFACE: return mark_word(m, offset) && mark_word(m, offset + WORD);
	case KIND_ARRAY: return mark_array(m, offset, type, depth + 1);
	case KIND_STRUCT: return mark_struct(m, offset, type, depth + 1);
	default: return true;
	}
}

/* The symbol of a variable's type; NO_SYM where the object doesn't tell. */
static uint32_t type_of(struct link *l, const struct lsym *s)
{
	uint32_t type = NO_SYM;

	for (uint32_t j = 0, n = s->obj == NULL ? 0 : gl_object_nauxs(s->obj->obj, s->idx); j < n; j++) {
		struct gl_aux aux = gl_object_aux(s->obj->obj, s->idx, j);
		if (aux.type == GL_AUX_GOTYPE) {
			type = link_resolve_ref(l, s->obj, aux.sym, (enum unit_id)s->unit, s->self);
		}
	}
	return type;
}

/* The mask begins at an address. */
static int mark_variable(struct link *l, const struct lsym *s, uint8_t *mask, uintptr_t from)
{
	uint32_t t = type_of(l, s);
	size_t start = s->addr - from;
	struct marking m = { .l = l, .mask = mask, .start = start, .end = start + s->size };
	struct place type;

	if (s->size < WORD) {
		return 0; /* too small for a pointer */
	}
	if (t == NO_SYM || (link_sym(l, t)->state == SYM_ABSENT && !link_is_pointer_name(link_sym(l, t)->name))) {
		return gl_fail(l->err, GL_EUNSUPPORTED,
			       "%s: variable %.*s may hold pointers, but the object doesn't tell its type",
			       s->obj == NULL ? "linker" : s->obj->pkg->file, (int)s->name.n, s->name.p);
	}
	if (link_is_pointer_name(link_sym(l, t)->name)) {
		set_bit(mask, start);
		return 0;
	}
	m.steps = MIN_STEPS + STEPS_PER_WORD * (uint64_t)(s->size / WORD);
	if (!place_of(link_sym(l, t), 0, &type) || !mark_pointers(&m, start, &type, 0)) {
		return gl_fail(l->err, GL_EFORMAT, "%s: what the object tells of variable %.*s can't be its type: %.*s",
			       s->obj->pkg->file, (int)s->name.n, s->name.p, (int)link_sym(l, t)->name.n,
			       link_sym(l, t)->name.p);
	}
	return 0;
}

static int write_mask(struct link *l, struct unit *u, enum section sec, uint8_t *mask, uintptr_t from)
{
	for (uint32_t i = u->sec_first[sec]; i < u->norder; i++) {
		const struct lsym *s = link_sym(l, u->order[i]);
		if (s->section != sec) {
			break;
		}
		if (mark_variable(l, s, mask, from) != 0) {
			return -1;
		}
	}
	return 0;
}

/* ---- the moduledata --------------------------------------------------------------------------------------------- */

void moduledata_put(uintptr_t md, int field, uint64_t v)
{
	if (field >= 0) {
		memcpy((uint8_t *)md + field, &v, sizeof(v));
	}
}

void moduledata_put_slice(uintptr_t md, int field, uintptr_t p, size_t n)
{
	moduledata_put(md, field, p);
	moduledata_put(md, field + 8, n);
	moduledata_put(md, field + 16, n);
}

void moduledata_put_bases(const struct linker *linker, uintptr_t md)
{
	const struct gl_abi *abi = linker->abi;
	uintptr_t base = linker->lookup.base;
	size_t size = gl_arena_high(linker->arena) - base;

	moduledata_put_slice(md, abi->moduledata.funcnametab, base, size);
	moduledata_put_slice(md, abi->moduledata.cutab, base, size / 4);
	moduledata_put_slice(md, abi->moduledata.filetab, base, size);
	moduledata_put_slice(md, abi->moduledata.pctab, base, size);
	moduledata_put_slice(md, abi->moduledata.pclntable, base, size);
	moduledata_put(md, abi->moduledata.text, linker->lookup.text);
	moduledata_put(md, abi->moduledata.rodata, base);
	moduledata_put(md, abi->moduledata.gofunc, base);
}

/* What the collector knows of the unit's variables, and reflect of its types. */
static int write_tables(struct link *l, struct unit *u)
{
	const struct gl_abi *abi = l->linker->abi;
	uintptr_t md = u->moduledata, data = u->sec_start[SEC_DATA], bss = u->sec_start[SEC_BSS];
	uint8_t *datamask = (uint8_t *)u->tables_start + round_up(u->pclntab.size, 64);
	uint8_t *bssmask = datamask + mask_size(u->sec_size[SEC_DATA]);
	uint8_t *next = bssmask + mask_size(u->sec_size[SEC_BSS]);

	if (write_mask(l, u, SEC_DATA, datamask, data) != 0 || write_mask(l, u, SEC_BSS, bssmask, bss) != 0) {
		return -1;
	}
	/* runtime.bitvector: n int32, bytedata *uint8 */
	int32_t ndata = (int32_t)(u->sec_size[SEC_DATA] / WORD), nbss = (int32_t)(u->sec_size[SEC_BSS] / WORD);
	memcpy((uint8_t *)md + abi->moduledata.gcdatamask, &ndata, sizeof(ndata));
	moduledata_put(md, abi->moduledata.gcdatamask + 8, (uintptr_t)datamask);
	memcpy((uint8_t *)md + abi->moduledata.gcbssmask, &nbss, sizeof(nbss));
	moduledata_put(md, abi->moduledata.gcbssmask + 8, (uintptr_t)bssmask);
	if (abi->moduledata.typelinks >= 0) {
		for (uint32_t i = 0; i < u->ntypelinks; i++) {
			int32_t off = (int32_t)(link_sym(l, u->order[u->sec_first[SEC_RODATA] + i])->addr -
						u->sec_start[SEC_RODATA]);
			memcpy(next + 4 * (size_t)i, &off, sizeof(off));
		}
		moduledata_put_slice(md, abi->moduledata.typelinks, (uintptr_t)next, u->ntypelinks);
		next += round_up((size_t)u->ntypelinks * 4, 8);
	}
	if (abi->moduledata.itablinks >= 0) {
		for (uint32_t i = 0; i < u->nitabs; i++) {
			uint64_t addr = link_sym(l, u->order[u->sec_first[SEC_RODATA] + u->ntypelinks + i])->addr;
			memcpy(next + 8 * (size_t)i, &addr, sizeof(addr));
		}
		moduledata_put_slice(md, abi->moduledata.itablinks, (uintptr_t)next, u->nitabs);
	}
	moduledata_put(md, abi->moduledata.typedesclen, u->typelinks_end);
	moduledata_put(md, abi->moduledata.itaboffset, u->itabs_start);
	moduledata_put(md, abi->moduledata.itabsize, u->itabs_end - u->itabs_start);
	return 0;
}

/* The same where the variables lie among others. */
static int mark_among_others(struct link *l, struct unit *u)
{
	uintptr_t from;
	uint8_t *mask = lookup_mask(l->linker, &from);

	if (write_mask(l, u, SEC_DATA, mask, from) != 0 || write_mask(l, u, SEC_BSS, mask, from) != 0) {
		return -1;
	}
	return 0;
}

int moduledata_write(struct link *l, struct unit *u, const char *name)
{
	const struct gl_abi *abi = l->linker->abi;
	uintptr_t md = u->moduledata, text = u->sec_start[SEC_TEXT], rodata = u->sec_start[SEC_RODATA];
	const struct pclntab *t = &u->pclntab;
	uintptr_t tab = u->tables_start;

	if ((u->variables != NULL ? mark_among_others(l, u) : write_tables(l, u)) != 0) {
		return -1;
	}
	moduledata_put(md, abi->moduledata.pcHeader, tab);
	moduledata_put_bases(l->linker, md);
	moduledata_put_slice(md, abi->moduledata.ftab, tab + t->functab, (size_t)u->nfuncs + 1);
	moduledata_put(md, abi->moduledata.findfunctab, lookup_buckets(l->linker, text));
	moduledata_put(md, abi->moduledata.minpc, text);
	moduledata_put(md, abi->moduledata.maxpc, u->text_end);
	moduledata_put(md, abi->moduledata.etext, u->text_end);

	static const struct {
		enum section sec;
	} sections[] = { { SEC_NOPTRDATA }, { SEC_DATA }, { SEC_BSS }, { SEC_NOPTRBSS }, { SEC_COVER } };
	const int starts[] = { abi->moduledata.noptrdata, abi->moduledata.data, abi->moduledata.bss,
			       abi->moduledata.noptrbss, abi->moduledata.covctrs };
	const int ends[] = { abi->moduledata.enoptrdata, abi->moduledata.edata, abi->moduledata.ebss,
			     abi->moduledata.enoptrbss, abi->moduledata.ecovctrs };
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		uintptr_t start = u->sec_start[sections[i].sec];
		moduledata_put(md, starts[i], start);
		moduledata_put(md, ends[i], start + u->sec_size[sections[i].sec]);
	}
	moduledata_put(md, abi->moduledata.end, (uintptr_t)u->base + u->size);
	moduledata_put(md, abi->moduledata.types, rodata);
	moduledata_put(md, abi->moduledata.etypes, rodata + u->rodata_pages);
	moduledata_put(md, abi->moduledata.epclntab, rodata + u->rodata_pages);
	moduledata_put(md, abi->moduledata.modulename, (uintptr_t)name);
	moduledata_put(md, abi->moduledata.modulename + 8, strlen(name));
	return 0;
}
