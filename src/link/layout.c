/* Lay out and place: give each symbol of a unit its address.
 *
 *     text pages     functions, then trampolines               read + execute once sealed
 *     rodata pages   8 bytes of nothing                        read only once sealed
 *                    descriptors of types, sorted by string      (typelinks)
 *                    itabs
 *                    everything else that is constant, strings last
 *                    GOT, pclntab and the other tables
 *     data pages     data, bss, their pointerless halves       read + write
 *                    the moduledata
 *
 * A small module has no data pages: its variables lie among those of others (lookup.h), and the moduledata in rodata.
 *
 * Types, read-only data and function metadata share one base address, the start of rodata, so that every kind of offset
 * (type, name, funcdata, stack object) is a distance from there. Offset 0 means "none" to the runtime, and Go 1.27
 * starts to look for typelinks at 8: hence the hole at the start. */
#include "link.h"

#include <stdlib.h>
#include <string.h>

enum { RODATA_HOLE = 8, FUNC_ALIGN = 32, MAX_ALIGN = 32 };

/* cmd/link/internal/ld/data.go, symalign: a symbol without an alignment gets the largest power of two that its size
 * fills, up to the processor's limit. */
static uint32_t alignment(const struct lsym *s)
{
	uint32_t align = MAX_ALIGN;

	if (s->align != 0) {
		return s->align;
	}
	if (s->section == SEC_TEXT) {
		return FUNC_ALIGN;
	}
	if (str_starts(s->name, "go:string.") || str_starts(s->name, "type:.namedata.")) {
		return 1;
	}
	while (align > s->size && align > 1) {
		align >>= 1;
	}
	return align;
}

static bool is_itab(const struct lsym *s) { return str_starts(s->name, "go:itab."); }

static bool is_typelink(const struct lsym *s)
{
	return s->obj != NULL && str_starts(s->name, "type:") && s->name.n > 5 && s->name.p[5] != '.' &&
	       (gl_object_sym(s->obj->obj, s->idx).flag & GL_SYM_TYPELINK) != 0;
}

/* Nothing but bytes: constant strings, and the names of types and fields, which become strings, too. */
static bool is_string(const struct lsym *s)
{
	return str_starts(s->name, "go:string.") || str_starts(s->name, "type:.namedata.") ||
	       str_starts(s->name, "type:.importpath.");
}

enum { NRANKS = NSECTIONS * 4 };

/* Rank of a symbol within its unit: section, then the groups of rodata. */
static int rank(const struct lsym *s)
{
	int group = 2;

	if (s->section == SEC_RODATA) {
		group = is_typelink(s) ? 0 : is_itab(s) ? 1 : is_string(s) ? 3 : 2;
	}
	return s->section * 4 + group;
}

/* A descriptor of a type, by what it is sorted by. */
struct typelink {
	uint32_t sym, seq; /* seq: its place among those found */
	struct gl_str string;
};

static int by_string(const void *a, const void *b)
{
	const struct typelink *x = a, *y = b;

	if (x->string.n > 0 && y->string.n > 0) {
		uint32_t n = x->string.n < y->string.n ? x->string.n : y->string.n;
		int cmp = memcmp(x->string.p, y->string.p, n);
		if (cmp != 0 || x->string.n != y->string.n) {
			return cmp != 0 ? cmp : x->string.n < y->string.n ? -1 : 1;
		}
	}
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* What reflect sees as the type's string, by which typelinks are sorted: the data of the name symbol that the field Str
 * refers to (a flag byte, a varint length, the string), less a "*" that TFlagExtraStar says is too many. */
static struct gl_str type_string(struct link *l, const struct lsym *s)
{
	const struct gl_abi *abi = l->linker->abi;
	uint32_t n = gl_object_nrelocs(s->obj->obj, s->idx), size;
	const uint8_t *type = gl_object_data(s->obj->obj, s->idx, &size);

	for (uint32_t j = 0; j < n; j++) {
		struct gl_reloc r = gl_object_reloc(s->obj->obj, s->idx, j);
		if (r.off != abi->type.Str) {
			continue;
		}
		uint32_t t = link_resolve_ref(l, s->obj, r.sym, (enum unit_id)s->unit, s->self);
		if (t == NO_SYM || link_sym(l, t)->obj == NULL) {
			break;
		}
		const struct lsym *name = link_sym(l, t);
		uint32_t name_size, len = 0, shift = 0, pos = 1;
		const uint8_t *p = gl_object_data(name->obj->obj, name->idx, &name_size);
		while (pos < name_size && shift < 28) {
			len |= (uint32_t)(p[pos] & 0x7f) << shift;
			shift += 7;
			if ((p[pos++] & 0x80) == 0) {
				break;
			}
		}
		if (pos + len > name_size) {
			break;
		}
		bool star =
			abi->type.TFlag < (int)size && (type[abi->type.TFlag] & abi->TFlagExtraStar) != 0 && len > 0;
		return (struct gl_str){ (const char *)p + pos + star, len - star };
	}
	return s->name;
}

static int sort_typelinks(struct link *l, uint32_t *syms, uint32_t n)
{
	struct typelink *list = calloc(n + 1, sizeof(*list));

	if (list == NULL) {
		return -1;
	}
	for (uint32_t i = 0; i < n; i++) {
		list[i] = (struct typelink){ .sym = syms[i], .seq = i, .string = type_string(l, link_sym(l, syms[i])) };
	}
	qsort(list, n, sizeof(*list), by_string);
	for (uint32_t i = 0; i < n; i++) {
		syms[i] = list[i].sym;
	}
	free(list);
	return 0;
}

/* The unit's symbols in the order of their ranks, those of one rank as they were found: each rank has its part of the
 * order, as long as it has symbols. Then its typelinks, by what they are sorted by. */
static int sort_symbols(struct link *l, struct unit *u)
{
	uint32_t at[NRANKS + 1] = { 0 }, n = 0;
	uint8_t *ranks = malloc((size_t)l->nplaced + 1);

	for (uint32_t i = 0; ranks != NULL && i < l->nplaced; i++) {
		const struct lsym *s = link_sym(l, l->placed[i]);
		ranks[i] = s->unit == u->id ? (uint8_t)rank(s) : NRANKS;
		n += s->unit == u->id;
		at[ranks[i]]++;
	}
	u->order = calloc((size_t)n + 1, sizeof(*u->order));
	u->funcs = calloc((size_t)n + 1, sizeof(*u->funcs));
	bool is_short = ranks == NULL || u->order == NULL || u->funcs == NULL;
	u->norder = n;
	u->ntypelinks = at[SEC_RODATA * 4];
	u->nitabs = at[SEC_RODATA * 4 + 1];
	for (uint32_t r = 0, first = 0; r < NRANKS; r++) {
		uint32_t count = at[r];
		at[r] = first;
		first += count;
	}
	uint32_t typelinks = at[SEC_RODATA * 4];
	for (uint32_t i = 0; !is_short && i < l->nplaced; i++) {
		if (ranks[i] < NRANKS) {
			u->order[at[ranks[i]]++] = l->placed[i];
		}
	}
	free(ranks);
	if (is_short || sort_typelinks(l, u->order + typelinks, u->ntypelinks) != 0) {
		return gl_fail(l->err, GL_ENOMEM, "out of memory while laying out %u symbols", n);
	}
	return 0;
}

/* ---- GOT and trampolines ---------------------------------------------------------------------------------------- */

static int add_got(struct link *l, struct unit *u, uint32_t sym)
{
	struct got_slot *slot = NULL;

	HASH_FIND(hh, u->got, &sym, sizeof(sym), slot);
	if (slot != NULL) {
		return 0;
	}
	slot = calloc(1, sizeof(*slot));
	if (slot == NULL) {
		return gl_fail(l->err, GL_ENOMEM, "out of memory while laying out the GOT");
	}
	slot->sym = sym;
	slot->index = u->ngot;
	HASH_ADD(hh, u->got, sym, sizeof(slot->sym), slot);
	if (slot->hh.tbl == NULL) {
		free(slot);
		return gl_fail(l->err, GL_ENOMEM, "out of memory while laying out the GOT");
	}
	u->ngot = HASH_COUNT(u->got);
	return 0;
}

/* GOT slots, and trampolines: a type's method table holds offsets from the unit's own text, unsigned ones; a method
 * that lives elsewhere is entered through a jump. So is a C function that assembly calls. Trampolines are symbols of
 * the unit from here on. */
static int find_indirections(struct link *l, struct unit *u)
{
	const struct gl_abi *abi = l->linker->abi;
	uint32_t norder = u->norder;

	for (uint32_t i = 0; i < norder; i++) {
		const struct lsym *s = link_sym(l, u->order[i]);
		if (s->obj == NULL) {
			continue;
		}
		uint32_t n = gl_object_nrelocs(s->obj->obj, s->idx);
		for (uint32_t j = 0; j < n; j++) {
			struct gl_reloc r = gl_object_reloc(s->obj->obj, s->idx, j);
			int type = r.type & ~abi->R_WEAK;
			if (type == abi->R_TLS_IE && add_got(l, u, GOT_TLS) != 0) {
				return -1;
			}
			if (type == abi->R_GOTPCREL) {
				uint32_t t = link_resolve_ref(l, s->obj, r.sym, (enum unit_id)s->unit, s->self);
				if (t != NO_SYM && add_got(l, u, t) != 0) {
					return -1;
				}
			}
		}
	}
	return 0;
}

static size_t count_trampolines(struct link *l, struct unit *u)
{
	const struct gl_abi *abi = l->linker->abi;
	size_t count = 0;

	for (uint32_t i = 0; i < u->norder; i++) {
		const struct lsym *s = link_sym(l, u->order[i]);
		if (s->obj == NULL || (s->section != SEC_RODATA && !l->has_far)) {
			continue;
		}
		uint32_t n = gl_object_nrelocs(s->obj->obj, s->idx);
		for (uint32_t j = 0; j < n; j++) {
			struct gl_reloc r = gl_object_reloc(s->obj->obj, s->idx, j);
			int type = r.type & ~abi->R_WEAK;
			bool by_offset = type == abi->R_METHODOFF || type == abi->R_ADDROFF;
			if (!by_offset && type != abi->R_CALL && type != abi->R_PCREL) {
				continue;
			}
			uint32_t t = link_resolve_ref(l, s->obj, r.sym, (enum unit_id)s->unit, s->self);
			struct lsym *target = t == NO_SYM ? NULL : link_sym(l, t);
			if (target == NULL || (by_offset ? !target->is_func : !target->is_far) ||
			    (target->state == SYM_PLACED && target->unit == u->id)) {
				continue;
			}
			/* one for each symbol, found again through it */
			if (target->tramp[u->id] == NO_SYM) {
				target->tramp[u->id] = TRAMP_WANTED;
				count++;
			}
		}
	}
	return count;
}

/* Makes the trampolines that count_trampolines found wanting; the symbols they stand for point to them. */
static int add_trampolines(struct link *l, struct unit *u)
{
	size_t count = count_trampolines(l, u);
	if (count == 0) {
		return 0;
	}
	uint32_t *order = realloc(u->order, (u->norder + count + 1) * sizeof(*order));
	if (order != NULL) {
		u->order = order;
	}
	uint32_t *funcs = realloc(u->funcs, (u->norder + count + 1) * sizeof(*funcs));
	if (funcs != NULL) {
		u->funcs = funcs;
	}
	if (order == NULL || funcs == NULL) {
		return gl_fail(l->err, GL_ENOMEM, "out of memory while laying out trampolines");
	}
	uint32_t text_end = 0;
	while (text_end < u->norder && link_sym(l, u->order[text_end])->section == SEC_TEXT) {
		text_end++;
	}
	memmove(u->order + text_end + count, u->order + text_end, (u->norder - text_end) * sizeof(*order));
	uint32_t nsyms = l->nsyms, at = text_end;
	for (uint32_t t = 0; t < nsyms; t++) {
		if (link_sym(l, t)->tramp[u->id] != TRAMP_WANTED) {
			continue;
		}
		uint32_t self = link_new_synthetic(l, SYNTH_TRAMPOLINE, t, u->id);
		if (self == NO_SYM) {
			return -1;
		}
		link_sym(l, t)->tramp[u->id] = self;
		u->order[at++] = self;
	}
	u->norder += (uint32_t)count;
	return 0;
}

/* ---- addresses -------------------------------------------------------------------------------------------------- */

/* Offsets of a section's symbols from its start; returns its size. */
static size_t lay_section(struct link *l, struct unit *u, enum section sec, uint32_t *next, size_t start)
{
	size_t off = start;
	uint32_t rodata_index = 0;

	for (; *next < u->norder; ++*next) {
		struct lsym *s = link_sym(l, u->order[*next]);
		if (s->section != sec) {
			break;
		}
		uint32_t align = alignment(s);
		if (sec == SEC_RODATA && rodata_index < u->ntypelinks + u->nitabs) {
			align = 8; /* the runtime walks both tables by the descriptors' own sizes */
			if (rodata_index == u->ntypelinks) {
				u->typelinks_end = off;
				u->itabs_start = round_up(off, 8);
			}
		} else if (sec == SEC_RODATA && rodata_index == u->ntypelinks + u->nitabs) {
			u->itabs_end = off;
			if (u->nitabs == 0) {
				u->typelinks_end = u->itabs_start = u->itabs_end = off;
			}
		}
		rodata_index += sec == SEC_RODATA;
		off = round_up(off, align);
		s->addr = off;
		off += s->size;
		if (sec == SEC_RODATA && !is_string(s)) {
			u->strings = off;
		}
		if (sec == SEC_TEXT) {
			s->func = u->nfuncs;
			u->funcs[u->nfuncs++] = u->order[*next];
		}
	}
	if (sec == SEC_RODATA && rodata_index <= u->ntypelinks + u->nitabs) {
		u->itabs_end = off;
		if (u->nitabs == 0) {
			u->typelinks_end = u->itabs_start = off;
		}
	}
	return off;
}

/* Is there room at all? An object can claim any sizes, and tables of theirs are made before the memory is taken. */
static int check_room(struct link *l, const struct unit *u, size_t size)
{
	size_t room = gl_arena_high(l->linker->arena) - gl_arena_low(l->linker->arena);
	const struct lsym *largest = link_sym(l, u->order[0]);

	if (size <= room) {
		return 0;
	}
	for (uint32_t i = 1; i < u->norder; i++) {
		const struct lsym *s = link_sym(l, u->order[i]);
		largest = s->size > largest->size ? s : largest;
	}
	return gl_fail(
		l->err, GL_ENOMEM,
		"code and data of %zu bytes (%.*s alone has %u) can't be placed: only %zu are in reach of the host",
		size, (int)largest->name.n, largest->name.p, largest->size, room);
}

/* A module with much data, or with many types, is on its own with them: the runtime has a moduledata for it alone. So
 * is one with counters of what is executed, which the runtime asks each moduledata for, and one for whose variables
 * there is no room among those of others. */
static void take_variables(struct link *l, struct unit *u, size_t data)
{
	if (data <= LOOKUP_MOST_DATA && u->ntypelinks <= LOOKUP_MOST_TYPES && u->sec_size[SEC_COVER] == 0) {
		size_t size = round_up(data + 1, GL_SMALL_BLOCK);
		u->variables = lookup_take_variables(l->linker, size);
		u->variables_size = u->variables != NULL ? size : 0;
	}
}

/* The runtime's function that tells of a moduledata, with all of its functions. */
static bool refers_to_findfunc(const struct link *l, enum unit_id id)
{
	static const char name[] = "runtime.findfunc";
	struct lsym *s = NULL;

	for (int abi = 0; abi < 2 && s == NULL; abi++) {
		HASH_FIND(hh, l->by_name[id][abi], name, sizeof(name) - 1, s);
	}
	return s != NULL;
}

/* Takes the unit's memory. data: how large the sections of its variables are; tables: where in rodata tables begin. */
static int take_memory(struct link *l, struct unit *u, size_t data, size_t tables)
{
	size_t moduledata_size = l->linker->abi->moduledata.size;

	take_variables(l, u, data);
	u->ftab = lookup_take_functions(l->linker, u->nfuncs, &u->ftab_size, l->err);
	if (u->ftab == NULL || (refers_to_findfunc(l, u->id) && lookup_add_host(l->linker, l->err) != 0)) {
		return -1;
	}
	u->tables_size = round_up(u->pclntab.size, 64) + moduledata_tables_size(l, u);
	size_t rodata = tables + u->tables_size, moduledata = round_up(u->variables != NULL ? rodata : data, 64);
	rodata = u->variables != NULL ? moduledata + moduledata_size : rodata;
	/* a page of slack behind the text: an empty module still has a text range of its own */
	u->text_pages = gl_page_round(u->sec_size[SEC_TEXT] + 1);
	u->rodata_pages = gl_page_round(rodata + 1);
	u->data_pages = u->variables != NULL ? 0 : gl_page_round(moduledata + moduledata_size);
	u->size = u->text_pages + u->rodata_pages + u->data_pages;
	u->base = gl_arena_take(l->linker->arena, u->size, l->err);
	if (u->base == NULL) {
		return -1;
	}
	uint8_t *pages = u->base + u->text_pages + (u->variables != NULL ? 0 : u->rodata_pages);
	u->moduledata = (uintptr_t)pages + moduledata;
	return 0;
}

int link_layout(struct link *l, enum unit_id id)
{
	struct unit *u = &l->units[id];
	size_t start[NSECTIONS] = { 0 };
	uint32_t next = 0;

	u->id = id;
	if (sort_symbols(l, u) != 0 || find_indirections(l, u) != 0 || add_trampolines(l, u) != 0) {
		return -1;
	}
	if (u->norder == 0) {
		return 0; /* nothing in this unit */
	}
	/* offsets from the start of the text, the rodata or the data pages */
	u->sec_first[SEC_TEXT] = 0;
	u->sec_size[SEC_TEXT] = lay_section(l, u, SEC_TEXT, &next, 0);
	u->sec_first[SEC_RODATA] = next;
	u->strings = RODATA_HOLE;
	u->sec_size[SEC_RODATA] = lay_section(l, u, SEC_RODATA, &next, RODATA_HOLE);
	size_t data = 0;
	for (int sec = SEC_NOPTRDATA; sec < NSECTIONS; sec++) {
		u->sec_first[sec] = next;
		start[sec] = data = round_up(data, MAX_ALIGN);
		data = lay_section(l, u, (enum section)sec, &next, data);
		u->sec_size[sec] = data - start[sec];
	}
	u->sec_first[NSECTIONS] = next;

	if (check_room(l, u, u->sec_size[SEC_TEXT] + u->sec_size[SEC_RODATA] + data) != 0) {
		return -1;
	}

	/* what follows the symbols */
	size_t got = round_up(u->sec_size[SEC_RODATA], 8);
	size_t tables = round_up(got + (size_t)u->ngot * 8, 64);
	if (pclntab_build(l, u, tables) != 0) {
		return -1;
	}
	if (take_memory(l, u, data, tables) != 0) {
		return -1;
	}
	uintptr_t base[NSECTIONS];
	base[SEC_TEXT] = (uintptr_t)u->base;
	base[SEC_RODATA] = base[SEC_TEXT] + u->text_pages;
	for (int sec = SEC_NOPTRDATA; sec < NSECTIONS; sec++) {
		base[sec] = u->variables != NULL ? (uintptr_t)u->variables : base[SEC_RODATA] + u->rodata_pages;
	}
	for (int sec = SEC_TEXT; sec < NSECTIONS; sec++) {
		u->sec_start[sec] = base[sec] + start[sec];
	}
	u->got_start = base[SEC_RODATA] + got;
	u->tables_start = base[SEC_RODATA] + tables;
	u->text_end = base[SEC_TEXT] + u->sec_size[SEC_TEXT];
	u->strings += base[SEC_RODATA];
	for (uint32_t i = 0; i < u->norder; i++) {
		struct lsym *s = link_sym(l, u->order[i]);
		s->addr += base[s->section];
	}
	return 0;
}

/* Package internal/fuzz has two variables of no size, of which it reads the counters between: Go's linker gives them
 * their addresses (cmd/link/internal/ld/data.go, xdefine). The package is in the resident unit, or in the module's own
 * when that is what is tested. */
void link_bound_counters(struct link *l)
{
	static const char *const names[] = { "internal/fuzz._counters", "internal/fuzz._ecounters" };
	const struct unit *module = &l->units[UNIT_MODULE];
	size_t size = module->norder == 0 ? 0 : module->sec_size[SEC_FUZZ];

	for (int i = 0; size > 0 && i < NUNITS * 2 * 2; i++) {
		const char *name = names[i % 2];
		struct lsym *s = NULL;
		HASH_FIND(hh, l->by_name[i / 4][i / 2 % 2], name, strlen(name), s);
		if (s != NULL && s->obj != NULL) { /* of this load; like all variables of no size it is nowhere */
			s->addr = module->sec_start[SEC_FUZZ] + (i % 2 == 0 ? 0 : size);
		}
	}
}

void unit_release(struct linker *linker, struct unit *u)
{
	if (u->base != NULL) {
		gl_arena_give(linker->arena, u->base, u->size);
		u->base = NULL;
	}
	if (u->variables != NULL) {
		lookup_drop_variables(linker, u->variables, u->variables_size, false);
		u->variables = NULL;
	}
	if (u->ftab != NULL) {
		lookup_drop_functions(linker, u->ftab, u->ftab_size, false);
		u->ftab = NULL;
	}
}

void unit_free(struct unit *u)
{
	struct got_slot *slot = u->got, *next;

	HASH_CLEAR(hh, u->got);
	for (; slot != NULL; slot = next) {
		next = slot->hh.next;
		free(slot);
	}
	free(u->pclntab.buf);
	u->pclntab.buf = NULL;
	free(u->order);
	free(u->funcs);
	u->order = u->funcs = NULL;
}
