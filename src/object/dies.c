/* Reading them (see dies.h). */
#include "dies.h"

#include <string.h>

enum {
	AT_LOCATION = 0x02,
	AT_NAME = 0x03,
	AT_LOW_PC = 0x11,
	AT_HIGH_PC = 0x12,
	AT_ABSTRACT_ORIGIN = 0x31,
	AT_DECL_FILE = 0x3a,
	AT_DECL_LINE = 0x3b,
	AT_TYPE = 0x49,
	AT_VARIABLE_PARAMETER = 0x4b,
	AT_RANGES = 0x55,
	AT_TRAMPOLINE = 0x56,
	AT_CALL_FILE = 0x58,
	AT_CALL_LINE = 0x59,
	AT_ADDR_BASE = 0x73
};
enum {
	FORM_ADDR = 0x01,
	FORM_DATA2 = 0x05,
	FORM_DATA4 = 0x06,
	FORM_DATA8 = 0x07,
	FORM_STRING = 0x08,
	FORM_BLOCK = 0x09,
	FORM_BLOCK1 = 0x0a,
	FORM_DATA1 = 0x0b,
	FORM_FLAG = 0x0c,
	FORM_SDATA = 0x0d,
	FORM_UDATA = 0x0f,
	FORM_REF_ADDR = 0x10,
	FORM_SEC_OFFSET = 0x17,
	FORM_EXPRLOC = 0x18,
	FORM_FLAG_PRESENT = 0x19,
	FORM_ADDRX = 0x1b
};

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

bool die_open(struct die_reader *r, const struct gl_object *obj, uint32_t sym, const struct gl_abi *abi)
{
	if (sym >= gl_object_nsyms(obj)) {
		return false;
	}
	*r = (struct die_reader){ .obj = obj, .abi = abi, .sym = sym };
	r->data = gl_object_data(obj, sym, &r->size);
	return true;
}

uint32_t die_find_aux(const struct gl_object *obj, uint32_t sym, uint8_t type, uint32_t nth)
{
	uint32_t n = gl_object_nauxs(obj, sym);

	for (uint32_t i = 0; i < n; i++) {
		struct gl_aux aux = gl_object_aux(obj, sym, i);
		if (aux.type == type && nth-- == 0) {
			return gl_object_local(obj, aux.sym);
		}
	}
	return UINT32_MAX;
}

static uint64_t read_uleb(struct die_reader *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; r->pos < r->size && shift < 64; shift += 7) {
		uint8_t b = r->data[r->pos++];
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80) {
			return v;
		}
	}
	r->bad = true;
	return 0;
}

static void skip(struct die_reader *r, uint64_t n)
{
	if (n > r->size - r->pos) {
		r->bad = true;
		return;
	}
	r->pos += (uint32_t)n;
}

static struct gl_str read_cstring(struct die_reader *r)
{
	const uint8_t *p = r->data + r->pos, *end = memchr(p, '\0', r->size - r->pos);

	if (end == NULL) {
		r->bad = true;
		return (struct gl_str){ "", 0 };
	}
	r->pos += (uint32_t)(end - p) + 1;
	return (struct gl_str){ (const char *)p, (uint32_t)(end - p) };
}

/* The relocation at the current byte; false where there is none. The compiler writes them in order. */
static bool find_reloc(struct die_reader *r, struct gl_reloc *reloc)
{
	uint32_t n = gl_object_nrelocs(r->obj, r->sym);

	for (; r->reloc < n; r->reloc++) {
		*reloc = gl_object_reloc(r->obj, r->sym, r->reloc);
		if (reloc->size == 0 || reloc->off < (int64_t)r->pos) {
			continue;
		}
		return reloc->off == (int64_t)r->pos;
	}
	return false;
}

static void skip_form(struct die_reader *r, uint16_t form)
{
	struct gl_reloc reloc;

	switch (form) {
	case FORM_ADDR: skip(r, 8); break;
	case FORM_DATA1:
	case FORM_FLAG: skip(r, 1); break;
	case FORM_DATA2: skip(r, 2); break;
	case FORM_DATA4:
	case FORM_REF_ADDR:
	case FORM_SEC_OFFSET: skip(r, 4); break;
	case FORM_DATA8: skip(r, 8); break;
	case FORM_FLAG_PRESENT: break;
	case FORM_STRING: read_cstring(r); break;
	case FORM_SDATA:
	case FORM_UDATA: read_uleb(r); break;
	case FORM_BLOCK:
	case FORM_EXPRLOC: skip(r, read_uleb(r)); break;
	case FORM_BLOCK1: skip(r, r->pos < r->size ? 1u + r->data[r->pos] : 1); break;
	case FORM_ADDRX:
		/* a number the linker will fill in: as wide as its relocation says (obj.(*LSym).WriteDwTxtAddrx) */
		if (find_reloc(r, &reloc)) {
			skip(r, reloc.size);
		} else {
			read_uleb(r);
		}
		break;
	default: r->bad = true;
	}
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

static uint64_t read_fixed(struct die_reader *r, uint32_t n)
{
	uint64_t v = 0;

	if (n > r->size - r->pos) {
		r->bad = true;
		return 0;
	}
	memcpy(&v, r->data + r->pos, n);
	r->pos += n;
	return v;
}

/* A number that is a line, a file's, or bytes into a function: more is broken, or of no use. */
static uint32_t read_number(struct die_reader *r, uint16_t form)
{
	uint64_t v;

	switch (form) {
	case FORM_DATA1: v = read_fixed(r, 1); break;
	case FORM_DATA2: v = read_fixed(r, 2); break;
	case FORM_DATA4: v = read_fixed(r, 4); break;
	case FORM_UDATA: v = read_uleb(r); break;
	default: skip_form(r, form); return 0;
	}
	return v < UINT32_MAX ? (uint32_t)v : 0;
}

/* What a reference of 4 or 8 bytes leads to. */
static struct die_place read_place(struct die_reader *r, uint32_t size, struct gl_symref *ref)
{
	struct die_place place = { .sym = UINT32_MAX };
	struct gl_reloc reloc;

	if (find_reloc(r, &reloc)) {
		*ref = reloc.sym;
		place.sym = gl_object_local(r->obj, reloc.sym);
		place.off = reloc.add >= 0 && reloc.add < UINT32_MAX ? (uint32_t)reloc.add : 0;
	}
	skip(r, size);
	return place;
}

static void read_block(struct die_reader *r, uint16_t form, const uint8_t **p, uint32_t *n)
{
	uint64_t size = form == FORM_BLOCK1 ? read_fixed(r, 1) : read_uleb(r);

	*p = r->data + r->pos;
	skip(r, size);
	*n = r->bad ? 0 : (uint32_t)size;
}

static void read_type(struct die_reader *r, struct die *die)
{
	struct gl_symref ref = { 0, 0 };
	struct die_place place = read_place(r, 4, &ref);

	if (place.sym == r->sym) {
		die->local = place;
	} else if (ref.pkg != 0 || ref.sym != 0) {
		die->type = gl_object_symref_name(r->obj, ref);
	}
}

static void read_attribute(struct die_reader *r, struct die *die, uint16_t attr, uint16_t form)
{
	struct gl_symref ref;

	if (attr == AT_NAME && form == FORM_STRING) {
		die->name = read_cstring(r);
	} else if (attr == AT_VARIABLE_PARAMETER && form == FORM_FLAG) {
		die->is_result = read_fixed(r, 1) != 0;
	} else if (attr == AT_TYPE && form == FORM_REF_ADDR) {
		read_type(r, die);
	} else if (attr == AT_ABSTRACT_ORIGIN && form == FORM_REF_ADDR) {
		die->origin = read_place(r, 4, &ref);
	} else if (attr == AT_DECL_LINE || attr == AT_CALL_LINE) {
		die->line = read_number(r, form);
	} else if (attr == AT_DECL_FILE || attr == AT_CALL_FILE) {
		die->file = read_number(r, form);
	} else if (attr == AT_RANGES && form == FORM_SEC_OFFSET) {
		die->ranges = read_place(r, 4, &ref);
	} else if (attr == AT_LOCATION && form == FORM_SEC_OFFSET) {
		die->locations = read_place(r, 4, &ref);
	} else if (attr == AT_LOCATION && (form == FORM_BLOCK1 || form == FORM_BLOCK || form == FORM_EXPRLOC)) {
		read_block(r, form, &die->location, &die->nlocation);
	} else if (attr == AT_LOW_PC && form == FORM_ADDR) {
		die->low = read_place(r, 8, &ref).off;
	} else if (attr == AT_HIGH_PC && form == FORM_ADDR) {
		die->high = read_place(r, 8, &ref).off;
		die->has_range = true;
	} else {
		skip_form(r, form);
	}
}

struct die die_read(struct die_reader *r)
{
	struct die die = { .local = { .sym = UINT32_MAX },
			   .origin = { .sym = UINT32_MAX },
			   .ranges = { .sym = UINT32_MAX },
			   .locations = { .sym = UINT32_MAX } };
	uint64_t code = read_uleb(r);

	if (code == 0 || r->bad) {
		return die;
	}
	const struct gl_abbrev *abbrev = gl_abi_abbrev(r->abi, code);
	if (abbrev == NULL) {
		r->bad = true;
		return die;
	}
	die.tag = abbrev->tag;
	die.has_children = abbrev->has_children;
	for (uint16_t i = 0; i < abbrev->nattrs && !r->bad; i++) {
		die.is_wrapper = die.is_wrapper || abbrev->attrs[i].attr == AT_TRAMPOLINE;
		read_attribute(r, &die, abbrev->attrs[i].attr, abbrev->attrs[i].form);
	}
	return die;
}

/* ---- lists --------------------------------------------------------------------------------------------------------
 *
 * The compiler begins each with the function's entry as the base address, which all that follows counts from
 * (PutRanges in cmd/internal/dwarf/dwarf.go, PutLocationList in cmd/compile/internal/ssa/debug.go). */

enum { LIST_END = 0, LIST_BASE_ADDRESSX = 1, LIST_OFFSET_PAIR = 4 }; /* the same numbers in DW_RLE_… and DW_LLE_… */

/* DWARF 5 has an attribute for where a unit's addresses are listed. */
static bool is_v5(const struct gl_abi *abi)
{
	const struct gl_abbrev *unit = gl_abi_abbrev(abi, 1);

	for (uint16_t i = 0; unit != NULL && i < unit->nattrs; i++) {
		if (unit->attrs[i].attr == AT_ADDR_BASE) {
			return true;
		}
	}
	return false;
}

bool die_list_open(struct die_list *list, const struct gl_object *obj, struct die_place at, bool locations,
		   const struct gl_abi *abi)
{
	*list = (struct die_list){ .locations = locations, .is_v5 = is_v5(abi) };
	if (!die_open(&list->r, obj, at.sym, abi) || at.off > list->r.size) {
		return false;
	}
	list->r.pos = at.off;
	return true;
}

static bool next_v5(struct die_reader *r, uint64_t *from, uint64_t *to)
{
	while (!r->bad) {
		switch (read_fixed(r, 1)) {
		case LIST_END: return false;
		case LIST_BASE_ADDRESSX: skip_form(r, FORM_ADDRX); break;
		case LIST_OFFSET_PAIR:
			*from = read_uleb(r);
			*to = read_uleb(r);
			return true;
		default: r->bad = true;
		}
	}
	return false;
}

static bool next_v4(struct die_reader *r, uint64_t *from, uint64_t *to)
{
	do {
		*from = read_fixed(r, 8);
		*to = read_fixed(r, 8);
	} while (*from == UINT64_MAX && !r->bad); /* a base address */
	return *from != 0 || *to != 0;
}

bool die_list_next(struct die_list *list, struct die_range *range)
{
	struct die_reader *r = &list->r;
	uint64_t from = 0, to = 0;

	*range = (struct die_range){ 0 };
	if (!(list->is_v5 ? next_v5(r, &from, &to) : next_v4(r, &from, &to)) || r->bad) {
		return false;
	}
	if (list->locations) {
		uint64_t n = list->is_v5 ? read_uleb(r) : read_fixed(r, 2);
		range->location = r->data + r->pos;
		skip(r, n);
		range->nlocation = (uint32_t)n;
	}
	if (from > to || to >= UINT32_MAX) {
		r->bad = true;
	}
	range->from = (uint32_t)from;
	range->to = (uint32_t)to;
	return !r->bad;
}
