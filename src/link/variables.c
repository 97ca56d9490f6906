/* Reading functions' arguments and variables, and the types of those, out of objects (see debug/variables.h).
 *
 * A function's DWARF names its variables' types ("go:info.T"), but has no entries for them: it is the Go linker that
 * makes those, of the types' descriptors (cmd/link/internal/ld/dwarf.go, defgotype). The descriptor of T is a symbol,
 * "type:T", of some object at hand, whether the program has a use for it or not; or it lies in memory, in the host or
 * in what was loaded before. Both are read by the same functions: where a descriptor in memory has a pointer, one in an
 * object has a relocation. */
#include "variables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../debug/variables.h"
#include "../object/dies.h"
#include "hostsyms.h"

static const char info_prefix[] = "go:info.", type_prefix[] = "type:";

/* A type that has a number already, by its name or by where its descriptor lies in memory. */
struct seen {
	uintptr_t addr;
	uint32_t type;
	UT_hash_handle hh;
};

/* A descriptor: in an object, or in memory. */
struct source {
	const struct lobj *obj;
	uint32_t idx;
	const uint8_t *data; /* NULL: nobody has it */
	uint32_t size;
	bool is_far; /* behind a pointer from a type in memory: of structs, the name will do */
};

struct reading {
	struct link *l;
	const struct gl_abi *abi;
	struct variables *v;
	struct seen *by_name, *by_addr;
	struct source *sources; /* per type, of which the first ndescribed are described */
	uint32_t nsources, cap_sources, ndescribed;
	const char *map_type; /* what the struct of maps' descriptors is called */
};

/* ---- descriptors ------------------------------------------------------------------------------------------------- */

static uint64_t read_field(const struct source *s, int64_t off, uint32_t n)
{
	uint64_t v = 0;

	if (s->data != NULL && off >= 0 && off + n <= s->size) {
		memcpy(&v, s->data + off, n);
	}
	return v;
}

static bool find_reloc(const struct source *s, int64_t off, struct gl_reloc *reloc)
{
	uint32_t n = gl_object_nrelocs(s->obj->obj, s->idx);

	for (uint32_t i = 0; i < n; i++) {
		*reloc = gl_object_reloc(s->obj->obj, s->idx, i);
		if (reloc->off == off && reloc->size > 0) {
			return true;
		}
	}
	return false;
}

/* The moduledata in whose types an address lies; 0: none. */
static uintptr_t moduledata_of(const struct reading *r, uintptr_t addr)
{
	uintptr_t md = r->l->linker->firstmoduledata;

	while (md != 0) {
		uintptr_t types, end;
		memcpy(&types, (const uint8_t *)md + r->abi->moduledata.types, sizeof(types));
		memcpy(&end, (const uint8_t *)md + r->abi->moduledata.etypes, sizeof(end));
		if (addr >= types && addr < end) {
			return md;
		}
		memcpy(&md, (const uint8_t *)md + r->abi->moduledata.next, sizeof(md));
	}
	return 0;
}

enum { EMBEDDED = 1 << 3 }; /* a flag of a field's name */

/* A name as internal/abi/type.go has it: flags, a length, the bytes. */
static struct gl_str name_at(const uint8_t *p, uint32_t size)
{
	uint32_t n = 0, at = 1;

	for (unsigned shift = 0; at < size && shift < 28; shift += 7) {
		n |= (uint32_t)(p[at] & 0x7f) << shift;
		if (p[at++] < 0x80) {
			break;
		}
	}
	return at <= size && n <= size - at ? (struct gl_str){ (const char *)p + at, n } : (struct gl_str){ "", 0 };
}

/* The name that a field of a descriptor points to, and its flags. */
static struct gl_str read_name(const struct source *s, int64_t off, uint8_t *flags)
{
	struct gl_reloc reloc;
	uint32_t size = UINT32_MAX, idx;
	const uint8_t *p = NULL;

	if (s->obj == NULL) {
		p = (const uint8_t *)(uintptr_t)read_field(s, off, sizeof(uintptr_t));
	} else if (find_reloc(s, off, &reloc) &&
		   (idx = gl_object_local(s->obj->obj, reloc.sym)) < gl_object_nsyms(s->obj->obj)) {
		p = gl_object_data(s->obj->obj, idx, &size);
	}
	*flags = 0;
	if (p == NULL || size < 2) {
		return (struct gl_str){ "", 0 };
	}
	*flags = p[0];
	return name_at(p, size);
}

/* What a type's kind adds to what all types have; behind it comes what named types and those with methods have. */
static int64_t size_of_kind(const struct reading *r, uint8_t kind)
{
	static const char *const structs[] = {
		[KIND_ARRAY] = "ArrayType", [KIND_CHAN] = "ChanType",           [KIND_FUNC] = "FuncType",
		[KIND_MAP] = "MapType",     [KIND_INTERFACE] = "InterfaceType", [KIND_POINTER] = "PtrType",
		[KIND_SLICE] = "SliceType", [KIND_STRUCT] = "StructType"
	};
	const char *name = kind < sizeof(structs) / sizeof(structs[0]) ? structs[kind] : NULL;
	char full[64];

	if (kind == KIND_MAP) {
		return gl_abi_struct_size(r->abi, r->map_type);
	}
	if (name == NULL) {
		return (int64_t)r->abi->type.size;
	}
	snprintf(full, sizeof(full), "internal/abi.%s", name);
	return gl_abi_struct_size(r->abi, full);
}

static uint8_t read_kind(const struct reading *r, const struct source *s)
{
	uint64_t mask = r->abi->KindMask > 0 ? (uint64_t)r->abi->KindMask : 31;

	return (uint8_t)(read_field(s, r->abi->type.Kind_, 1) & mask);
}

static bool has_flag(const struct reading *r, const struct source *s, int flag)
{
	return (read_field(s, r->abi->type.TFlag, 1) & (uint64_t)flag) != 0;
}

/* A name by its offset, as types in memory have them. */
static struct gl_str name_by_offset(const struct reading *r, const struct source *s, int64_t field)
{
	uintptr_t md = moduledata_of(r, (uintptr_t)s->data), types;
	uint64_t off = read_field(s, field, 4);

	if (md == 0 || off == 0 || off > INT32_MAX) {
		return (struct gl_str){ "", 0 };
	}
	memcpy(&types, (const uint8_t *)md + r->abi->moduledata.types, sizeof(types));
	return name_at((const uint8_t *)types + off, UINT32_MAX);
}

/* The name of a type in memory. The runtime has that with the package's name; DWARF has its path. */
static uint32_t name_in_memory(struct reading *r, const struct source *s)
{
	struct gl_str name = name_by_offset(r, s, r->abi->type.Str), path = { "", 0 };
	struct bytes full = { 0 };

	if (has_flag(r, s, r->abi->TFlagExtraStar) && name.n > 0) {
		name.p++;
		name.n--;
	}
	if (has_flag(r, s, r->abi->TFlagNamed) && has_flag(r, s, r->abi->TFlagUncommon)) {
		path = name_by_offset(r, s, size_of_kind(r, read_kind(r, s)));
	}
	const char *dot = memchr(name.p, '.', name.n);
	if (path.n > 0 && dot != NULL) {
		put(&full, path.p, path.n);
		name.n -= (uint32_t)(dot - name.p);
		name.p = dot;
	}
	put(&full, name.p, name.n);
	uint32_t at = variables_string(r->v, (const char *)full.p, full.n);
	free(full.p);
	return at;
}

static struct source source_in_memory(uintptr_t addr)
{
	return (struct source){ .data = (const uint8_t *)addr, .size = addr != 0 ? UINT32_MAX : 0 };
}

static struct source source_in_package(struct lpkg *p, const char *name, size_t len)
{
	const struct ldef *def = p->pkg != NULL ? lpkg_find(p, name, len, GL_ABI0) : NULL;
	struct source s = { 0 };

	if (def != NULL) {
		s.obj = def->obj;
		s.idx = def->idx;
		s.data = gl_object_data(def->obj->obj, def->idx, &s.size);
	}
	return s;
}

/* Where the descriptor is: the load's own come before those of others that have the same name. */
static struct source find_descriptor(struct reading *r, const char *name, size_t len)
{
	struct link *l = r->l;
	struct source s = { 0 };
	struct known_sym *known = NULL;
	struct gl_image_sym sym;

	for (uint32_t i = 0; i < l->npackages && s.data == NULL; i++) {
		s = source_in_package(&l->packages[i], name, len);
	}
	for (uint32_t i = 0; i < l->nuses && s.data == NULL; i++) {
		HASH_FIND(hh, l->uses[i].names[GL_ABI0], name, len, known);
		s = source_in_memory(known != NULL ? known->addr : 0);
	}
	if (s.data == NULL) {
		HASH_FIND(hh, l->linker->resident[GL_ABI0], name, len, known);
		s = source_in_memory(known != NULL ? known->addr : 0);
	}
	if (s.data == NULL && host_lookup(l, name, len, GL_ABI0, &sym)) {
		s = source_in_memory(sym.addr);
	}
	for (struct lpkg *p = l->shipped; p != NULL && s.data == NULL; p = p->hh.next) {
		s = source_in_package(p, name, len);
	}
	for (struct lpkg *p = l->linker->archives; p != NULL && s.data == NULL; p = p->hh.next) {
		s = source_in_package(p, name, len);
	}
	return s;
}

/* ---- types ------------------------------------------------------------------------------------------------------- */

static uint32_t number_type(struct reading *r, struct source s)
{
	uint32_t t = variables_type(r->v);

	if (t == NO_TYPE || !GL_GROW(r->sources, r->nsources, r->cap_sources)) {
		r->v->failed = true;
		return NO_TYPE;
	}
	r->sources[r->nsources++] = s;
	return t;
}

static void note_address(struct reading *r, uintptr_t addr, uint32_t type)
{
	struct seen *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		return; /* the type is described once more */
	}
	e->addr = addr;
	e->type = type;
	HASH_ADD(hh, r->by_addr, addr, sizeof(e->addr), e);
	if (e->hh.tbl == NULL) {
		free(e);
	}
}

static void note_name(struct reading *r, struct gl_str name, uint32_t type)
{
	struct seen *e = calloc(1, sizeof(*e) + name.n);

	if (e == NULL) {
		return;
	}
	e->type = type;
	memcpy(e + 1, name.p, name.n);
	HASH_ADD_KEYPTR(hh, r->by_name, e + 1, name.n, e);
	if (e->hh.tbl == NULL) {
		free(e);
	}
}

/* The type whose descriptor lies there in memory. */
static uint32_t type_at(struct reading *r, uintptr_t addr, bool is_far)
{
	struct seen *e = NULL;
	struct source s = source_in_memory(addr);

	if (addr == 0) {
		return NO_TYPE;
	}
	HASH_FIND(hh, r->by_addr, &addr, sizeof(addr), e);
	if (e != NULL) {
		if (!is_far && e->type >= r->ndescribed) {
			r->sources[e->type].is_far = false;
		}
		return e->type;
	}
	s.is_far = is_far;
	uint32_t t = number_type(r, s);
	if (t != NO_TYPE) {
		r->v->types[t].name = name_in_memory(r, &s);
		note_address(r, addr, t);
	}
	return t;
}

/* The type of that name, which has no prefix. */
static uint32_t type_named(struct reading *r, struct gl_str name)
{
	struct seen *e = NULL;
	struct bytes symbol = { 0 };

	HASH_FIND(hh, r->by_name, name.p, name.n, e);
	if (e != NULL) {
		return e->type;
	}
	put(&symbol, type_prefix, sizeof(type_prefix) - 1);
	put(&symbol, name.p, name.n);
	put_8(&symbol, 0);
	if (symbol.failed) {
		r->v->failed = true;
		return NO_TYPE;
	}
	struct source s = find_descriptor(r, (const char *)symbol.p, symbol.n - 1);
	free(symbol.p);
	uint32_t t = s.data != NULL && s.obj == NULL ? type_at(r, (uintptr_t)s.data, false) : NO_TYPE;
	if (t == NO_TYPE && (t = number_type(r, s)) != NO_TYPE) {
		r->v->types[t].name = variables_string(r->v, name.p, name.n);
	}
	if (t != NO_TYPE) {
		note_name(r, name, t);
	}
	return t;
}

/* The type that a field of a descriptor points to. */
static uint32_t type_of_field(struct reading *r, const struct source *s, int64_t off, bool is_far)
{
	struct gl_reloc reloc;

	if (s->obj == NULL) {
		return type_at(r, (uintptr_t)read_field(s, off, sizeof(uintptr_t)), is_far);
	}
	if (off < 0 || !find_reloc(s, off, &reloc)) {
		return NO_TYPE;
	}
	struct gl_str name = link_ref_name(r->l, s->obj, reloc.sym);
	size_t prefix = sizeof(type_prefix) - 1;
	if (!str_starts(name, type_prefix)) {
		return NO_TYPE;
	}
	return type_named(r, (struct gl_str){ name.p + prefix, name.n - (uint32_t)prefix });
}

static int64_t field_of(const struct reading *r, const char *strukt, const char *field)
{
	return gl_abi_field(r->abi, strukt, field);
}

/* The elements of a slice in a descriptor: in an object they lie in the descriptor's own symbol. */
static struct source read_slice(const struct source *s, int64_t off, uint64_t *n)
{
	struct source elements = *s;
	struct gl_reloc reloc;

	*n = read_field(s, off + (int64_t)sizeof(uintptr_t), 8);
	if (s->obj == NULL) {
		return source_in_memory((uintptr_t)read_field(s, off, sizeof(uintptr_t)));
	}
	if (*n > s->size || !find_reloc(s, off, &reloc) || gl_object_local(s->obj->obj, reloc.sym) != s->idx ||
	    reloc.add < 0 || reloc.add > s->size) {
		*n = 0;
	}
	return elements;
}

static void describe_struct(struct reading *r, const struct source *s, uint32_t t)
{
	const struct gl_abi *abi = r->abi;
	struct gl_reloc reloc;
	uint64_t n;
	int64_t at = 0, fields = abi->structType.Fields;
	struct source elements = read_slice(s, fields, &n);

	if (s->obj != NULL && n > 0 && find_reloc(s, fields, &reloc)) {
		at = reloc.add;
	}
	int64_t name_off = field_of(r, "internal/abi.StructField", "Name");
	for (uint64_t i = 0; i < n && i <= UINT16_MAX && !r->v->failed; i++, at += (int64_t)abi->structField.size) {
		uint8_t flags;
		struct gl_str name = read_name(&elements, at + name_off, &flags);
		struct type_field field = { .type = type_of_field(r, &elements, at + abi->structField.Typ, false),
					    .offset = read_field(&elements, at + abi->structField.Offset, 8) };
		if (field.type == NO_TYPE) {
			continue;
		}
		field.name = variables_string(r->v, name.p, name.n);
		field.is_embedded = (flags & EMBEDDED) != 0;
		variables_field(r->v, field);
		r->v->types[t].n++;
	}
}

static void describe_func(struct reading *r, const struct source *s, uint32_t t)
{
	int64_t at = size_of_kind(r, KIND_FUNC);
	uint64_t in = read_field(s, field_of(r, "internal/abi.FuncType", "InCount"), 2);
	uint64_t out = read_field(s, field_of(r, "internal/abi.FuncType", "OutCount"), 2) & INT16_MAX;

	if (has_flag(r, s, r->abi->TFlagUncommon)) {
		at += gl_abi_struct_size(r->abi, "internal/abi.UncommonType");
	}
	for (uint64_t i = 0; i < in + out && !r->v->failed; i++, at += (int64_t)sizeof(uintptr_t)) {
		struct type_field field = { .type = type_of_field(r, s, at, true), .is_result = i >= in };
		if (field.type != NO_TYPE) {
			variables_field(r->v, field);
			r->v->types[t].n++;
		}
	}
}

/* Fills in what is known of a type by its number; those that it is made of are numbered, and filled in later. */
static void describe_type(struct reading *r, uint32_t t)
{
	const struct gl_abi *abi = r->abi;
	struct source s = r->sources[t];

	if (s.data == NULL || s.size < abi->type.size) {
		return;
	}
	uint8_t kind = read_kind(r, &s);
	bool is_far = s.obj == NULL;
	uint32_t elem = NO_TYPE, key = NO_TYPE, group = NO_TYPE;
	uint64_t count = 0, methods;

	if (kind == KIND_STRUCT && s.is_far) {
		return;
	}
	r->v->types[t].first = r->v->nfields;
	switch (kind) {
	case KIND_ARRAY:
		elem = type_of_field(r, &s, abi->arrayType.Elem, false);
		count = read_field(&s, abi->arrayType.Len, 8);
		break;
	case KIND_CHAN: elem = type_of_field(r, &s, field_of(r, "internal/abi.ChanType", "Elem"), is_far); break;
	case KIND_FUNC: describe_func(r, &s, t); break;
	case KIND_INTERFACE:
		read_slice(&s, field_of(r, "internal/abi.InterfaceType", "Methods"), &methods);
		r->v->types[t].has_methods = methods > 0;
		break;
	case KIND_MAP:
		key = type_of_field(r, &s, field_of(r, r->map_type, "Key"), is_far);
		elem = type_of_field(r, &s, field_of(r, r->map_type, "Elem"), is_far);
		group = type_of_field(r, &s, field_of(r, r->map_type, "Group"), false);
		break;
	case KIND_POINTER: elem = type_of_field(r, &s, field_of(r, "internal/abi.PtrType", "Elem"), is_far); break;
	case KIND_SLICE: elem = type_of_field(r, &s, field_of(r, "internal/abi.SliceType", "Elem"), is_far); break;
	case KIND_STRUCT: describe_struct(r, &s, t); break;
	default: break;
	}
	struct type *type = &r->v->types[t];
	type->kind = kind;
	type->size = read_field(&s, abi->type.Size_, 8);
	type->elem = elem;
	type->key = key;
	type->group = group;
	type->count = count;
}

/* ---- functions --------------------------------------------------------------------------------------------------- */

static uint32_t type_of_die(struct reading *r, const struct die_reader *dies, const struct die *die)
{
	struct die_reader at;
	struct gl_str name = die->type;
	size_t prefix = sizeof(info_prefix) - 1;

	/* a type parameter's shape */
	if (name.n == 0 && die->local.sym != UINT32_MAX && die_open(&at, dies->obj, die->local.sym, r->abi) &&
	    die->local.off < at.size) {
		at.pos = die->local.off;
		name = die_read(&at).type;
	}
	if (!str_starts(name, info_prefix)) {
		return NO_TYPE;
	}
	return type_named(r, (struct gl_str){ name.p + prefix, name.n - (uint32_t)prefix });
}

/* The abstract entry that another one refers to, of a function or a variable of it. */
static bool read_origin(struct reading *r, const struct die_reader *dies, const struct die *die, struct die *origin)
{
	struct die_reader at;

	if (die->origin.sym == UINT32_MAX || !die_open(&at, dies->obj, die->origin.sym, r->abi) ||
	    die->origin.off >= at.size) {
		return false;
	}
	at.pos = die->origin.off;
	*origin = die_read(&at);
	return !at.bad && origin->tag != 0;
}

/* Where the ranges of code are that an entry is about, or the variable in them; false where that is nowhere. */
static uint32_t add_places(struct reading *r, const struct die_reader *dies, const struct die *die)
{
	bool locations = die->locations.sym != UINT32_MAX;
	struct die_list list;
	struct die_range range;
	uint32_t first = r->v->nplaces;

	if (die->nlocation > 0) {
		variables_place(r->v, 0, UINT32_MAX, die->location, die->nlocation);
	} else if (die->has_range) {
		variables_place(r->v, die->low, die->high, NULL, 0);
	} else if (die_list_open(&list, dies->obj, locations ? die->locations : die->ranges, locations, r->abi)) {
		while (die_list_next(&list, &range)) {
			if (range.from < range.to) {
				variables_place(r->v, range.from, range.to, range.location, range.nlocation);
			}
		}
	}
	return r->v->nplaces - first;
}

static void add_variable(struct reading *r, const struct die_reader *dies, const struct die *die)
{
	struct die origin,
		*declared = die->name.n > 0 || !read_origin(r, dies, die, &origin) ? (struct die *)die : &origin;
	struct variable v = { .kind = die->tag == DIE_VARIABLE ? VARIABLE :
				      declared->is_result      ? RESULT :
								 PARAMETER,
			      .line = declared->line,
			      .type = type_of_die(r, dies, declared),
			      .first = r->v->nplaces };

	if (declared->name.n == 0 || v.type == NO_TYPE) {
		return;
	}
	v.name = variables_string(r->v, declared->name.p, declared->name.n);
	v.n = add_places(r, dies, die);
	variables_add(r->v, v);
}

static void begin_children(struct reading *r, const struct die_reader *dies, const struct die *die)
{
	struct variable v = { .kind = BLOCK, .first = r->v->nplaces };
	struct die origin;

	if (die->tag == DIE_INLINED_SUBROUTINE && read_origin(r, dies, die, &origin)) {
		v.kind = INLINED;
		v.name = variables_string(r->v, origin.name.p, origin.name.n);
		v.line = die->line;
		if (die->file > 0 && die->file <= gl_object_nfiles(dies->obj)) {
			char *file = link_expand_file(r->l->linker, gl_object_file(dies->obj, die->file - 1));
			v.file = file != NULL ? variables_string(r->v, file, strlen(file)) : 0;
			free(file);
		}
	}
	v.n = add_places(r, dies, die);
	variables_add(r->v, v);
}

/* All that is in a function's entry, whose own attributes have been read. */
static void add_children(struct reading *r, struct die_reader *dies)
{
	for (uint32_t depth = 1; depth > 0 && !dies->bad && !r->v->failed;) {
		struct die die = die_read(dies);

		if (die.tag == 0) {
			if (--depth > 0) {
				variables_add(r->v, (struct variable){ .kind = END_OF_CHILDREN });
			}
		} else if (die.tag == DIE_FORMAL_PARAMETER || die.tag == DIE_VARIABLE) {
			add_variable(r, dies, &die);
		} else if (die.has_children) {
			begin_children(r, dies, &die);
			depth++;
		}
	}
}

static void add_function(struct reading *r, const struct lsym *f)
{
	struct die_reader dies;
	uint32_t first = r->v->nlist;

	if (f->obj == NULL || f->synthetic != SYNTH_NONE ||
	    !die_open(&dies, f->obj->obj, die_find_aux(f->obj->obj, f->idx, GL_AUX_DWARFINFO, 0), r->abi)) {
		return;
	}
	struct die die = die_read(&dies);
	if (die.tag != DIE_SUBPROGRAM || die.is_wrapper || !die.has_children) {
		return;
	}
	add_children(r, &dies);
	if (dies.bad) {
		r->v->nlist = first; /* what is broken is not told */
	} else if (r->v->nlist > first) {
		variables_end_function(r->v, f->addr, first);
	}
}

static void free_seen(struct seen *all)
{
	struct seen *e = all;

	HASH_CLEAR(hh, all);
	for (struct seen *next; e != NULL; e = next) {
		next = e->hh.next;
		free(e);
	}
}

static void add_types(struct reading *r, const struct unit *u)
{
	size_t prefix = sizeof(type_prefix) - 1;

	for (uint32_t i = 0; i < u->norder && !r->v->failed; i++) {
		const struct lsym *s = link_sym(r->l, u->order[i]);
		/* "type:.eq." and the like are helpers of types */
		if (s->section != SEC_RODATA || !s->by_name || !str_starts(s->name, type_prefix) ||
		    s->name.n <= prefix || s->name.p[prefix] == '.') {
			continue;
		}
		uint32_t t = type_named(r, (struct gl_str){ s->name.p + prefix, s->name.n - (uint32_t)prefix });
		if (t != NO_TYPE) {
			r->v->types[t].descriptor = s->addr;
		}
	}
}

struct variables *link_variables(struct link *l, enum unit_id id, bool all_types)
{
	const struct unit *u = &l->units[id];
	struct reading r = { .l = l, .abi = l->linker->abi, .v = calloc(1, sizeof(*r.v)) };

	if (r.v == NULL) {
		return NULL;
	}
	put_8(&r.v->strings, 0);
	r.map_type = gl_abi_struct_size(r.abi, "internal/abi.SwissMapType") > 0 ? "internal/abi.SwissMapType" :
		     gl_abi_struct_size(r.abi, "internal/abi.OldMapType") > 0   ? "internal/abi.OldMapType" :
										  "internal/abi.MapType";
	for (uint32_t i = 0; i < u->nfuncs; i++) {
		add_function(&r, link_sym(l, u->funcs[i]));
	}
	if (all_types && r.v->functions != NULL) {
		add_types(&r, u);
	}
	for (; r.ndescribed < r.nsources && !r.v->failed; r.ndescribed++) {
		describe_type(&r, r.ndescribed);
	}
	free_seen(r.by_name);
	free_seen(r.by_addr);
	free(r.sources);
	if (r.v->functions == NULL || r.v->failed || r.v->strings.failed || r.v->expressions.failed) {
		variables_free(r.v);
		return NULL;
	}
	return r.v;
}
