/* Entries for types, as cmd/link/internal/ld/dwarf.go makes them (newtype, and the synthesize functions), so that what
 * knows Go's strings, slices, maps and channels by them, as the script for gdb that comes with Go, knows these.
 *
 * A type that has a name of its own is a typedef of that name. What the runtime has for maps and channels is the same
 * struct for all of them: here its pointers lead to the types that they have for this one. */
#include <stdio.h>
#include <stdlib.h>

#include "../abi/abi.h"
#include "abbrev.h"
#include "entries.h"

/* A reference that is to lead to a type's entry. */
struct type_ref {
	uint32_t at, type;
};

/* What runtime structs are made of, whatever types there are. */
struct basic {
	uint32_t byte_type, int_type, word_type, byte_pointer, bare_pointer;
	uint32_t eface, iface;
};

/* A member of a runtime struct: where it lies is in the host's description. */
struct member {
	const char *name;
	uint32_t entry;
};

/* ---- pieces ------------------------------------------------------------------------------------------------------ */

void put_type_ref(struct dwarf *d, uint32_t type)
{
	struct type_ref ref = { .at = (uint32_t)d->info.n, .type = type };

	put_32(&d->info, 0);
	put(&d->type_refs, &ref, sizeof(ref));
}

/* Strings that are written for one entry. */
static uint32_t put_name(struct dwarf *d, const char *name)
{
	uint32_t at = (uint32_t)d->strings.n;

	put_string(&d->strings, name);
	return at;
}

static uint32_t begin_entry(struct dwarf *d, enum abbreviation what, const char *name)
{
	uint32_t at = (uint32_t)d->info.n;

	put_8(&d->info, (uint8_t)what);
	put_32(&d->info, put_name(d, name));
	return at;
}

static uint32_t begin_type(struct dwarf *d, enum abbreviation what, const char *name, uint8_t kind)
{
	uint32_t at = begin_entry(d, what, name);

	put_8(&d->info, kind);
	if (d->descriptors != 0) {
		put_64(&d->info, UINT64_MAX); /* there is none */
	}
	return at;
}

static uint8_t kind_of_base(uint8_t encoding, uint64_t size)
{
	uint8_t first = encoding == DW_ATE_signed ? KIND_INT : KIND_UINT;

	return (uint8_t)(size == 1 ? first + 1 : size == 2 ? first + 2 : size == 4 ? first + 3 : first + 4);
}

static uint32_t put_base(struct dwarf *d, const char *name, uint8_t kind, uint8_t encoding, uint64_t size)
{
	uint32_t at = begin_type(d, BASE_TYPE, name, kind);

	put_8(&d->info, encoding);
	put_8(&d->info, (uint8_t)size);
	return at;
}

static uint32_t put_pointer(struct dwarf *d, const char *name, uint32_t to)
{
	uint32_t at = begin_type(d, POINTER_TYPE, name, KIND_POINTER);

	put_32(&d->info, to);
	return at;
}

/* A pointer to a type by its number. */
static uint32_t put_pointer_to(struct dwarf *d, uint32_t type)
{
	const char *name =
		type < d->variables->ntypes ? variables_name(d->variables, d->variables->types[type].name) : "?";
	uint32_t at = (uint32_t)d->info.n, text = (uint32_t)d->strings.n;

	put_8(&d->strings, '*');
	put_string(&d->strings, name);
	put_8(&d->info, POINTER_TYPE);
	put_32(&d->info, text);
	put_8(&d->info, KIND_POINTER);
	if (d->descriptors != 0) {
		put_64(&d->info, UINT64_MAX);
	}
	put_type_ref(d, type);
	return at;
}

static void put_member(struct dwarf *d, const char *name, uint64_t offset, uint32_t entry)
{
	begin_entry(d, MEMBER, name);
	put_uleb(&d->info, offset);
	put_32(&d->info, entry);
}

/* A struct of the runtime's: those of its fields that members name, where this Go has them. */
static uint32_t put_runtime_struct(struct dwarf *d, const char *name, const char *of, const struct member *members)
{
	int64_t size = gl_abi_struct_size(d->abi, of);
	uint32_t at = begin_type(d, STRUCT_TYPE, name, KIND_STRUCT);

	put_uleb(&d->info, size > 0 ? (uint64_t)size : 0);
	for (; members->name != NULL; members++) {
		int offset = gl_abi_field(d->abi, of, members->name);
		if (offset >= 0) {
			put_member(d, members->name, (uint64_t)offset, members->entry);
		}
	}
	put_8(&d->info, 0);
	return at;
}

/* A number as wide as that field of the runtime's. */
static uint32_t put_number(struct dwarf *d, const char *of, const char *field, bool is_signed)
{
	int size = gl_abi_field_size(d->abi, of, field);
	char name[16];

	size = size == 1 || size == 2 || size == 4 ? size : 8;
	snprintf(name, sizeof(name), "%sint%d", is_signed ? "" : "u", 8 * size);
	uint8_t encoding = is_signed ? DW_ATE_signed : DW_ATE_unsigned;
	return put_base(d, name, kind_of_base(encoding, (uint64_t)size), encoding, (uint64_t)size);
}

/* "map<K,V>", as mkinternaltypename in cmd/link/internal/ld/dwarf.go; the caller frees it. */
static char *internal_name(const struct dwarf *d, const char *what, uint32_t first, uint32_t second)
{
	const struct variables *v = d->variables;
	const char *a = variables_name(v, v->types[first].name);
	const char *b = second != NO_TYPE ? variables_name(v, v->types[second].name) : "";
	char *name = NULL;

	return asprintf(&name, "%s<%s%s%s>", what, a, second != NO_TYPE ? "," : "", b) >= 0 ? name : NULL;
}

/* The entries below are named so; without memory for a name they have a worse one. */
#define NAMED(name, otherwise) ((name) != NULL ? (name) : (otherwise))

/* ---- kinds ------------------------------------------------------------------------------------------------------- */

static uint8_t encoding_of(uint8_t kind)
{
	switch (kind) {
	case KIND_BOOL: return DW_ATE_boolean;
	case KIND_FLOAT32:
	case KIND_FLOAT64: return DW_ATE_float;
	case KIND_COMPLEX64:
	case KIND_COMPLEX128: return DW_ATE_complex_float;
	default: return kind <= KIND_INT64 ? DW_ATE_signed : DW_ATE_unsigned;
	}
}

static uint32_t put_array(struct dwarf *d, const struct basic *b, const struct type *t, const char *name)
{
	uint32_t at = begin_type(d, ARRAY_TYPE, name, KIND_ARRAY);

	put_type_ref(d, t->elem);
	put_uleb(&d->info, t->size);
	put_8(&d->info, ARRAY_RANGE);
	put_uleb(&d->info, t->count);
	put_32(&d->info, b->word_type);
	put_8(&d->info, 0);
	return at;
}

static uint32_t put_slice(struct dwarf *d, const struct basic *b, const struct type *t, const char *name)
{
	uint32_t array = put_pointer_to(d, t->elem), at = begin_type(d, SLICE_TYPE, name, KIND_SLICE);

	put_type_ref(d, t->elem);
	put_uleb(&d->info, t->size);
	put_member(d, "array", 0, array);
	put_member(d, "len", sizeof(uintptr_t), b->int_type);
	put_member(d, "cap", 2 * sizeof(uintptr_t), b->int_type);
	put_8(&d->info, 0);
	return at;
}

static uint32_t put_go_string(struct dwarf *d, const struct basic *b, const struct type *t, const char *name)
{
	uint32_t at = begin_type(d, STRUCT_TYPE, name, KIND_STRING);

	put_uleb(&d->info, t->size);
	put_member(d, "str", 0, b->byte_pointer);
	put_member(d, "len", sizeof(uintptr_t), b->int_type);
	put_8(&d->info, 0);
	return at;
}

static uint32_t put_struct(struct dwarf *d, const struct type *t, const char *name)
{
	uint32_t at = begin_type(d, STRUCT_TYPE, name, KIND_STRUCT);

	put_uleb(&d->info, t->size);
	for (uint32_t i = 0; i < t->n; i++) {
		const struct type_field *f = &d->variables->fields[t->first + i];
		begin_entry(d, MEMBER, variables_name(d->variables, f->name));
		put_uleb(&d->info, f->offset);
		put_type_ref(d, f->type);
	}
	put_8(&d->info, 0);
	return at;
}

static uint32_t put_func_type(struct dwarf *d, const struct type *t, const char *name)
{
	uint32_t at = begin_type(d, FUNC_TYPE, name, KIND_FUNC);

	put_uleb(&d->info, t->size);
	for (uint32_t i = 0; i < t->n; i++) {
		const struct type_field *f = &d->variables->fields[t->first + i];
		put_8(&d->info, FUNC_TYPE_PARAMETER);
		put_8(&d->info, f->is_result);
		put_type_ref(d, f->type);
	}
	put_8(&d->info, 0);
	return at;
}

static uint32_t put_typedef(struct dwarf *d, const char *name, uint8_t kind, uint32_t of)
{
	uint32_t at = begin_type(d, TYPE_NAME, name, kind);

	put_32(&d->info, of);
	return at;
}

/* synthesizechantypes */
static uint32_t put_chan(struct dwarf *d, const struct basic *b, const struct type *t, const char *name)
{
	static const char hchan[] = "runtime.hchan";
	char *of_sudog = internal_name(d, "sudog", t->elem, NO_TYPE),
	     *of_waitq = internal_name(d, "waitq", t->elem, NO_TYPE);
	char *of_hchan = internal_name(d, "hchan", t->elem, NO_TYPE);
	uint32_t elem = put_pointer_to(d, t->elem);
	const struct member in_sudog[] = { { "elem", elem }, { NULL, 0 } };
	uint32_t sudog = put_runtime_struct(d, NAMED(of_sudog, "sudog"), "runtime.sudog", in_sudog);
	uint32_t first = put_pointer(d, "*sudog", sudog);
	const struct member in_waitq[] = { { "first", first }, { "last", first }, { NULL, 0 } };
	uint32_t waitq = put_runtime_struct(d, NAMED(of_waitq, "waitq"), "runtime.waitq", in_waitq);
	uint32_t closed = put_number(d, hchan, "closed", false), size = put_number(d, hchan, "elemsize", false);
	const struct member in_hchan[] = { { "qcount", b->word_type }, { "dataqsiz", b->word_type },
					   { "buf", b->bare_pointer }, { "elemsize", size },
					   { "closed", closed },       { "sendx", b->word_type },
					   { "recvx", b->word_type },  { "recvq", waitq },
					   { "sendq", waitq },         { NULL, 0 } };
	uint32_t of = put_runtime_struct(d, NAMED(of_hchan, "hchan"), hchan, in_hchan);

	free(of_sudog);
	free(of_waitq);
	free(of_hchan);
	uint32_t pointer = put_pointer(d, "*hchan", of), at = begin_type(d, CHAN_TYPE, name, KIND_CHAN);
	put_type_ref(d, t->elem);
	put_32(&d->info, pointer);
	return at;
}

static uint32_t put_map_type(struct dwarf *d, const struct type *t, const char *name, uint32_t pointer)
{
	uint32_t at = begin_type(d, MAP_TYPE, name, KIND_MAP);

	put_type_ref(d, t->key);
	put_type_ref(d, t->elem);
	put_32(&d->info, pointer);
	return at;
}

/* synthesizemaptypes */
static uint32_t put_map(struct dwarf *d, const struct basic *b, const struct type *t, const char *name)
{
	static const char map[] = "internal/runtime/maps.Map", table[] = "internal/runtime/maps.table";
	static const char groups[] = "internal/runtime/maps.groupsReference";
	char *of_groups = internal_name(d, "groupReference", t->key, t->elem);
	char *of_table = internal_name(d, "table", t->key, t->elem), *of_map = internal_name(d, "map", t->key, t->elem);
	uint32_t data = put_pointer_to(d, t->group);
	const struct member in_groups[] = { { "data", data }, { "lengthMask", b->word_type }, { NULL, 0 } };
	uint32_t reference = put_runtime_struct(d, NAMED(of_groups, "groupReference"), groups, in_groups);
	uint32_t short_type = put_number(d, table, "used", false), depth = put_number(d, table, "localDepth", false);
	const struct member in_table[] = { { "used", short_type },
					   { "capacity", short_type },
					   { "growthLeft", short_type },
					   { "localDepth", depth },
					   { "index", b->int_type },
					   { "groups", reference },
					   { NULL, 0 } };
	uint32_t of = put_pointer(d, "*table", put_runtime_struct(d, NAMED(of_table, "table"), table, in_table));
	uint32_t directory = put_pointer(d, "**table", of);
	const struct member in_map[] = { { "used", b->word_type }, { "seed", b->word_type },
					 { "dirPtr", directory },  { "dirLen", b->int_type },
					 { "globalDepth", depth }, { "globalShift", depth },
					 { "writing", depth },     { NULL, 0 } };
	uint32_t whole = put_runtime_struct(d, NAMED(of_map, "map"), map, in_map);

	free(of_groups);
	free(of_table);
	free(of_map);
	return put_map_type(d, t, name, put_pointer(d, "*map", whole));
}

/* An array of eight, of a type or of pointers to it where its values are too large for a bucket. */
static uint32_t put_cells(struct dwarf *d, const struct basic *b, uint32_t type, uint64_t *size)
{
	enum { CELLS = 8, LARGEST = 128 }; /* internal/abi/map.go */
	uint64_t each = d->variables->types[type].size;
	bool is_indirect = each > LARGEST;
	uint32_t pointer = is_indirect ? put_pointer_to(d, type) : 0,
		 at = begin_type(d, ARRAY_TYPE, "cells", KIND_ARRAY);

	if (is_indirect) {
		put_32(&d->info, pointer);
		each = sizeof(uintptr_t);
	} else {
		put_type_ref(d, type);
	}
	*size = CELLS * each;
	put_uleb(&d->info, *size);
	put_8(&d->info, ARRAY_RANGE);
	put_uleb(&d->info, CELLS);
	put_32(&d->info, b->word_type);
	put_8(&d->info, 0);
	return at;
}

/* The same before Go 1.24: a bucket has eight hash bytes, then its keys, its values, and a pointer to the next one. */
static uint32_t put_bucket_map(struct dwarf *d, const struct basic *b, const struct type *t, const char *name)
{
	static const char map[] = "runtime.hmap";
	char *of_bucket = internal_name(d, "bucket", t->key, t->elem),
	     *of_map = internal_name(d, "hash", t->key, t->elem);
	uint64_t hashes_size = sizeof(uint64_t), keys_size, elems_size;
	uint32_t hashes = begin_type(d, ARRAY_TYPE, "[8]uint8", KIND_ARRAY);
	put_32(&d->info, b->byte_type);
	put_uleb(&d->info, hashes_size);
	put_8(&d->info, ARRAY_RANGE);
	put_uleb(&d->info, hashes_size);
	put_32(&d->info, b->word_type);
	put_8(&d->info, 0);
	uint32_t keys = put_cells(d, b, t->key, &keys_size), elems = put_cells(d, b, t->elem, &elems_size);
	/* the pointer to a bucket, which the bucket has one of */
	uint32_t pointer = begin_type(d, POINTER_TYPE, "*bucket", KIND_POINTER);
	put_32(&d->info, (uint32_t)d->info.n + sizeof(uint32_t));
	uint64_t size = hashes_size + keys_size + elems_size + sizeof(uintptr_t);
	begin_type(d, STRUCT_TYPE, NAMED(of_bucket, "bucket"), KIND_STRUCT);
	put_uleb(&d->info, size);
	put_member(d, "tophash", 0, hashes);
	put_member(d, "keys", hashes_size, keys);
	put_member(d, "values", hashes_size + keys_size, elems);
	put_member(d, "overflow", size - sizeof(uintptr_t), pointer);
	put_8(&d->info, 0);
	uint32_t seed = put_number(d, map, "hash0", false);
	const struct member in_map[] = { { "count", b->int_type },
					 { "flags", b->byte_type },
					 { "B", b->byte_type },
					 { "hash0", seed },
					 { "buckets", pointer },
					 { "oldbuckets", pointer },
					 { NULL, 0 } };
	uint32_t whole = put_runtime_struct(d, NAMED(of_map, "hash"), map, in_map);

	free(of_bucket);
	free(of_map);
	return put_map_type(d, t, name, put_pointer(d, "*hash", whole));
}

static uint32_t put_kind(struct dwarf *d, const struct basic *b, const struct type *t, const char *name)
{
	bool has_elem = t->elem < d->variables->ntypes, has_key = t->key < d->variables->ntypes;

	switch (t->kind) {
	case KIND_INVALID: return begin_entry(d, STRUCT_ELSEWHERE, name);
	case KIND_ARRAY:
		if (has_elem) {
			return put_array(d, b, t, name);
		}
		break;
	case KIND_CHAN:
		if (has_elem) {
			return put_chan(d, b, t, name);
		}
		break;
	case KIND_FUNC: return put_func_type(d, t, name);
	case KIND_INTERFACE: return put_typedef(d, name, KIND_INTERFACE, t->has_methods ? b->iface : b->eface);
	case KIND_MAP:
		if (has_elem && has_key) {
			return t->group < d->variables->ntypes ? put_map(d, b, t, name) : put_bucket_map(d, b, t, name);
		}
		break;
	case KIND_POINTER:
		if (has_elem) {
			uint32_t at = begin_type(d, POINTER_TYPE, name, KIND_POINTER);
			put_type_ref(d, t->elem);
			return at;
		}
		break;
	case KIND_SLICE:
		if (has_elem) {
			return put_slice(d, b, t, name);
		}
		break;
	case KIND_STRING: return put_go_string(d, b, t, name);
	case KIND_STRUCT: return put_struct(d, t, name);
	case KIND_UNSAFE_POINTER: return begin_type(d, BARE_POINTER, name, KIND_UNSAFE_POINTER);
	default:
		if (t->kind <= KIND_COMPLEX128) {
			return put_base(d, name, t->kind, encoding_of(t->kind), t->size);
		}
	}
	return begin_entry(d, UNKNOWN_TYPE, name);
}

/* Is it a name, or does it spell the type out? (dotypedef) */
static bool is_name(const char *name)
{
	static const char *const prefixes[] = {
		"map[", "struct {", "noalg.", "chan ", "[", "*", "func(", "interface {"
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
			return false;
		}
	}
	return true;
}

static bool has_typedef(const struct type *t, const char *name)
{
	return (t->kind == KIND_ARRAY || t->kind == KIND_FUNC || t->kind == KIND_POINTER || t->kind == KIND_SLICE ||
		t->kind == KIND_STRUCT) &&
	       is_name(name);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

/* What all types' descriptors begin with: Delve reads there which type the value of an interface has. */
static uint32_t put_descriptor(struct dwarf *d, const struct basic *b)
{
	static const char type[] = "internal/abi.Type";

	if (gl_abi_struct_size(d->abi, type) <= 0 || gl_abi_struct_size(d->abi, "runtime._type") > 0) {
		return begin_entry(d, STRUCT_ELSEWHERE, "runtime._type");
	}
	uint32_t number = put_number(d, type, "Hash", false), offset = put_number(d, type, "Str", true);
	const struct member members[] = {
		{ "Size_", b->word_type }, { "PtrBytes", b->word_type }, { "Hash", number },
		{ "TFlag", b->byte_type }, { "Align_", b->byte_type },   { "FieldAlign_", b->byte_type },
		{ "Kind_", b->byte_type }, { "Equal", b->bare_pointer }, { "GCData", b->byte_pointer },
		{ "Str", offset },         { "PtrToThis", offset },      { NULL, 0 }
	};
	return put_runtime_struct(d, type, type, members);
}

static uint32_t put_itab(struct dwarf *d, const struct basic *b, uint32_t descriptor)
{
	/* since Go 1.22, and before */
	static const char itab[] = "internal/abi.ITab", old[] = "runtime.itab";
	uint32_t pointer = put_pointer(d, "*internal/abi.Type", descriptor);

	if (gl_abi_struct_size(d->abi, itab) > 0) {
		const struct member members[] = { { "Inter", b->bare_pointer },
						  { "Type", pointer },
						  { "Hash", put_number(d, itab, "Hash", false) },
						  { NULL, 0 } };
		return put_runtime_struct(d, itab, itab, members);
	}
	if (gl_abi_struct_size(d->abi, old) > 0) {
		const struct member members[] = { { "inter", b->bare_pointer },
						  { "_type", pointer },
						  { "hash", put_number(d, old, "hash", false) },
						  { NULL, 0 } };
		return put_runtime_struct(d, old, old, members);
	}
	return begin_entry(d, STRUCT_ELSEWHERE, old);
}

/* The two words of an interface: its type or itab, and its data. */
static uint32_t put_interface(struct dwarf *d, const struct basic *b, const char *name, const char *first, uint32_t of)
{
	uint32_t pointer = put_pointer(d, "*", of);
	uint32_t at = begin_type(d, STRUCT_TYPE, name, KIND_STRUCT);

	put_uleb(&d->info, 2 * sizeof(uintptr_t));
	put_member(d, first, 0, pointer);
	put_member(d, "data", sizeof(uintptr_t), b->bare_pointer);
	put_8(&d->info, 0);
	return at;
}

static struct basic put_basic(struct dwarf *d)
{
	struct basic b = { .byte_type = put_base(d, "uint8", KIND_UINT + 1, DW_ATE_unsigned, 1),
			   .int_type = put_base(d, "int", KIND_INT, DW_ATE_signed, sizeof(intptr_t)),
			   .word_type = put_base(d, "uintptr", KIND_UINTPTR, DW_ATE_unsigned, sizeof(uintptr_t)) };

	b.byte_pointer = put_pointer(d, "*uint8", b.byte_type);
	b.bare_pointer = begin_type(d, BARE_POINTER, "unsafe.Pointer", KIND_UNSAFE_POINTER);
	uint32_t descriptor = put_descriptor(d, &b);
	b.eface = put_interface(d, &b, "runtime.eface", "_type", descriptor);
	b.iface = put_interface(d, &b, "runtime.iface", "tab", put_itab(d, &b, descriptor));
	return b;
}

/* By it Delve finds the entry of an interface's value, whose descriptor it reads in memory. */
static void set_descriptor(struct dwarf *d, uint32_t entry, uintptr_t descriptor)
{
	enum { NAME_AND_KIND = 1 + 4 + 1 };
	uint64_t distance = descriptor - d->descriptors;
	uint8_t *p = d->info.p + entry;

	if (d->descriptors == 0 || descriptor == 0 || d->info.failed || *p == STRUCT_ELSEWHERE || *p == UNKNOWN_TYPE) {
		return;
	}
	memcpy(p + NAME_AND_KIND, &distance, sizeof(distance));
}

void types_begin(struct dwarf *d)
{
	const struct variables *v = d->variables;

	if (v == NULL || v->ntypes == 0) {
		return;
	}
	d->type_entries = calloc(v->ntypes, sizeof(*d->type_entries));
	if (d->type_entries == NULL) {
		d->info.failed = true;
		return;
	}
	struct basic b = put_basic(d);
	for (uint32_t i = 0; i < v->ntypes; i++) {
		const char *name = variables_name(v, v->types[i].name);
		d->type_entries[i] = put_kind(d, &b, &v->types[i], name);
		set_descriptor(d, d->type_entries[i], v->types[i].descriptor);
		if (has_typedef(&v->types[i], name)) {
			d->type_entries[i] = put_typedef(d, name, KIND_INVALID, d->type_entries[i]);
		}
	}
}

void types_finish(struct dwarf *d)
{
	const struct type_ref *refs = (const struct type_ref *)d->type_refs.p;
	size_t n = d->type_refs.n / sizeof(*refs);

	for (size_t i = 0; i < n && !d->info.failed && d->type_entries != NULL; i++) {
		if (refs[i].type < d->variables->ntypes) {
			memcpy(d->info.p + refs[i].at, &d->type_entries[refs[i].type], sizeof(uint32_t));
		}
	}
	d->info.failed = d->info.failed || d->type_refs.failed;
}
