/* Fuzzing the linker: whatever objects it is given, it links them or says why not. The host is only bytes: it has any
 * symbol that is asked for, and a few descriptors of types. No Go runtime is there, and no C part is opened.
 *
 * An input is a byte that says how (enum how), and then up to four archives, one behind the other. The first is the
 * module's own package, the others are what it imports. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debug/variables.h"
#include "link/link.h"
#include "link/variables.h"
#include "object/signature.h"
#include "object/writer.h"
#include "host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* sanitizer/asan_interface.h, which not every package of clang brings */
void __asan_poison_memory_region(const volatile void *p, size_t size);
void __asan_unpoison_memory_region(const volatile void *p, size_t size);

enum how {
	AS_ARCHIVES = 1 << 0,  /* the imports are archives of the resident store, and not the module's own packages */
	HALF_IN_HOST = 1 << 1, /* the host has half of each archive's names */
	AS_USED = 1 << 2,      /* a module that is used has the imports, and half of their names */
	SHIPPED = 1 << 3,      /* it is not laid out, but written */
	AS_PROGRAM = 1 << 4    /* main.main is the only root */
};
static uint8_t how;

/* ---- the host --------------------------------------------------------------------------------------------------- */

enum { HOST_SIZE = 1 << 16, TYPES_AT = 1 << 15, TYPE_ROOM = 256, NTYPES = 6, NFUNCS = 16 };

static struct {
	_Alignas(4096) uint8_t host[HOST_SIZE];
	_Alignas(4096) uint8_t arena[48 << 20]; /* within reach of the host */
} memory;

static void put_word(size_t at, int field, uint64_t v)
{
	if (field >= 0) {
		memcpy(memory.host + at + field, &v, sizeof(v));
	}
}

static uintptr_t host_at(size_t at) { return (uintptr_t)memory.host + at; }

/* int, *int, string, any, [3]string, struct { string; *int } */
static void make_types(void)
{
	static const struct {
		uint64_t size, pointers;
		uint8_t kind;
	} types[NTYPES] = { { 8, 0, 2 }, { 8, 8, 22 }, { 16, 8, 24 }, { 16, 16, 20 }, { 48, 40, 17 }, { 24, 24, 25 } };
	const size_t string = TYPES_AT + 2 * TYPE_ROOM, array = TYPES_AT + 4 * TYPE_ROOM, strukt = array + TYPE_ROOM;
	const size_t fields = TYPES_AT + NTYPES * TYPE_ROOM,
		     each = (size_t)gl_abi_struct_size(abi, "internal/abi.StructField");
	const int typ = gl_abi_field(abi, "internal/abi.StructField", "Typ");
	const int off = gl_abi_field(abi, "internal/abi.StructField", "Offset");

	for (size_t i = 0; i < NTYPES; i++) {
		put_word(TYPES_AT + i * TYPE_ROOM, abi->type.Size_, types[i].size);
		put_word(TYPES_AT + i * TYPE_ROOM, abi->type.PtrBytes, types[i].pointers);
		memory.host[TYPES_AT + i * TYPE_ROOM + (size_t)abi->type.Kind_] = types[i].kind;
	}
	put_word(array, gl_abi_field(abi, "internal/abi.ArrayType", "Elem"), host_at(string));
	put_word(array, gl_abi_field(abi, "internal/abi.ArrayType", "Len"), 3);
	put_word(strukt, gl_abi_field(abi, "internal/abi.StructType", "Fields"), host_at(fields));
	put_word(strukt, gl_abi_field(abi, "internal/abi.StructType", "Fields") + 8, 2);
	put_word(fields, typ, host_at(string));
	put_word(fields, off, 0);
	put_word(fields + each, typ, host_at(TYPES_AT + TYPE_ROOM));
	put_word(fields + each, off, 16);
}

/* A moduledata at the start, functions of 256 bytes each from 8192 on, and what the runtime knows of those. */
static void make_host(void)
{
	const size_t text = 8192, ftab = 4096, header = 6144, funcs = 16384;

	put_word(0, abi->moduledata.text, host_at(text));
	put_word(0, abi->moduledata.minpc, host_at(text));
	put_word(0, abi->moduledata.maxpc, host_at(text + NFUNCS * 256));
	put_word(0, abi->moduledata.ftab, host_at(ftab));
	put_word(0, abi->moduledata.ftab + 8, NFUNCS + 1);
	put_word(0, abi->moduledata.pclntable, host_at(funcs));
	put_word(0, abi->moduledata.pcHeader, host_at(header));
	for (uint32_t i = 0; i <= NFUNCS; i++) {
		uint32_t pair[2] = { i * 256, i * 128 };
		memcpy(memory.host + ftab + 8 * (size_t)i, pair, sizeof(pair));
	}
	make_types();
}

static uint32_t hash_name(const char *name, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++) {
		h = (h ^ (uint8_t)name[i]) * 16777619u;
	}
	return h ^ h >> 15;
}

static bool starts(const char *name, size_t len, const char *prefix)
{
	return len >= strlen(prefix) && memcmp(name, prefix, strlen(prefix)) == 0;
}

static bool is_descriptor(const char *name, size_t len)
{
	return starts(name, len, "type:") && !starts(name, len, "type:.");
}

/* The packages that the inputs bring are called main, dep, dep2 and so on. */
static bool is_brought(const char *name, size_t len)
{
	return starts(name, len, "main.") || memmem(name, len, "dep", 3) != NULL;
}

/* One function in sixteen has but one of its two entries. */
bool gl_image_lookup(struct gl_image *img, const char *name, size_t len, struct gl_image_sym *out)
{
	static const char hashes[] = "go:link.pkghashbytes.", abi0[] = ".abi0";
	bool is_abi0 = len > 5 && memcmp(name + len - 5, abi0, 5) == 0;
	uint32_t h = hash_name(name, is_abi0 ? len - 5 : len);
	bool is_func = memchr(name, ':', len) == NULL && (h & 4) != 0;

	(void)img;
	if (starts(name, len, hashes) || (is_brought(name, len) && ((how & HALF_IN_HOST) == 0 || (h & 1) != 0)) ||
	    starts(name, len, "go:string.") || (is_abi0 && (!is_func || (h >> 8) % 16 == 0))) {
		return false;
	}
	*out = (struct gl_image_sym){ .name = name, .addr = host_at(20480 + (h % 4096 & ~7u)), .size = 8 };
	if (is_descriptor(name, len)) {
		out->addr = host_at(TYPES_AT + (size_t)(h >> 4) % NTYPES * TYPE_ROOM);
		out->size = TYPE_ROOM;
	} else if (is_func) {
		out->addr = host_at(8192 + (size_t)(h >> 4) % NFUNCS * 256);
		out->is_func = true;
	}
	return true;
}

const char *gl_image_path(const struct gl_image *img)
{
	(void)img;
	return "host";
}

int gl_image_id(const struct gl_image *img, char id[GL_IMAGE_ID_SIZE], struct gl_error *err)
{
	(void)img;
	(void)err;
	memset(id, '0', GL_IMAGE_ID_SIZE);
	id[GL_IMAGE_ID_SIZE - 1] = '\0';
	return 0;
}

/* ---- the arena: what nobody has taken must not be touched ---------------------------------------------------------
 */

static size_t taken;

size_t gl_page_size(void) { return 4096; }

size_t gl_page_round(size_t size) { return (size + 4095) & ~(size_t)4095; }

uintptr_t gl_arena_low(const struct gl_arena *arena)
{
	(void)arena;
	return (uintptr_t)memory.arena;
}

uintptr_t gl_arena_high(const struct gl_arena *arena) { return gl_arena_low(arena) + sizeof(memory.arena); }

static void forget_blocks(void)
{
	__asan_poison_memory_region(memory.arena, taken == 0 ? sizeof(memory.arena) : taken);
	taken = 4096;
}

void *gl_arena_take(struct gl_arena *arena, size_t size, struct gl_error *err)
{
	(void)arena;
	if (size > sizeof(memory.arena) - taken) {
		gl_fail(err, GL_ENOMEM, "arena: no %zu bytes left", size);
		return NULL;
	}
	uint8_t *p = memory.arena + taken;
	size_t room = gl_page_round(size) + 4096;
	taken += room < sizeof(memory.arena) - taken ? room : sizeof(memory.arena) - taken;
	__asan_unpoison_memory_region(p, size);
	memset(p, 0, size);
	return p;
}

void gl_arena_give(struct gl_arena *arena, void *block, size_t size)
{
	(void)arena;
	__asan_poison_memory_region(block, size);
}

void gl_arena_abandon(struct gl_arena *arena, void *block, size_t size) { gl_arena_give(arena, block, size); }

/* Small modules' variables lie in the same arena. */
struct gl_arena *gl_arena_of_variables(struct gl_arena *from, size_t size, struct gl_error *err)
{
	(void)size;
	(void)err;
	return from;
}

uintptr_t gl_arena_reached(const struct gl_arena *arena) { return gl_arena_low(arena) + taken; }

void gl_arena_free(struct gl_arena *arena) { (void)arena; }

static uint8_t mask[sizeof(memory.arena) / 8 / 8]; /* a bit for each word */

/* ---- C parts: a library that has everything ---------------------------------------------------------------------- */

static char library[16];

struct clib *clib_open_bytes(const char *from, const uint8_t *bytes, size_t size, struct gl_error *err)
{
	(void)from;
	(void)bytes;
	(void)size;
	(void)err;
	return (struct clib *)(void *)library;
}

void clib_close(struct clib *lib) { (void)lib; }

bool clib_is_connected(const struct clib *lib)
{
	(void)lib;
	return true;
}

uintptr_t clib_find(const struct clib *lib, const char *name)
{
	(void)lib;
	return name[0] != '\0' ? (uintptr_t)library : 0;
}

bool clib_is_function(uintptr_t addr)
{
	(void)addr;
	return true;
}

uintptr_t clib_find_dynamic(const struct gl_cgo_import *import)
{
	return import->remote[0] != '\0' ? (uintptr_t)library : 0;
}

/* ---- mutations: most bytes of an object say how the rest is to be read ------------------------------------------- */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static uint32_t next_random(unsigned *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* Changes an entry of one of the tables of an object (cmd/internal/goobj/objfile.go: after the magic, a fingerprint and
 * flags come the offsets of the blocks), so that it stays an object. */
static bool mutate_table(uint8_t *p, size_t size, unsigned *state)
{
	enum { MAGIC = 8, BLOCKS_AT = 20, NBLOCKS = 19 };
	uint32_t block = next_random(state) % NBLOCKS, from, to;

	if (size < BLOCKS_AT + 4 * (NBLOCKS + 1)) {
		return false;
	}
	memcpy(&from, p + BLOCKS_AT + 4 * (size_t)block, sizeof(from));
	memcpy(&to, p + BLOCKS_AT + 4 * (size_t)block + 4, sizeof(to));
	if (from >= to || to > size || to - from < 8) {
		return false;
	}
	uint32_t at = from + next_random(state) % (to - from - 7), v = next_random(state);
	switch (next_random(state) % 5) {
	case 0: p[at] = (uint8_t)v; break;
	case 1: p[at] = (uint8_t)(v % 40); break;
	case 2: p[at] ^= (uint8_t)(1u << v % 8); break;
	case 3: memmove(p + at, p + from + v % (to - from - 7), 1 + next_random(state) % 7); break;
	default: v >>= next_random(state) % 24; memcpy(p + at, &v, sizeof(v));
	}
	return true;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	static const char magic[] = "go120ld";
	unsigned state = seed;
	uint8_t *objects[16];
	size_t n = 0;

	if (next_random(&state) % 8 == 0) {
		return LLVMFuzzerMutate(data, size, max_size);
	}
	for (uint8_t *p = data, *end = data + size;
	     n < 16 && (p = memmem(p, (size_t)(end - p), magic, sizeof(magic) - 1)) != NULL; p++) {
		objects[n++] = p - 1; /* the magic begins with a NUL */
	}
	if (size > 0 && next_random(&state) % 8 == 0) {
		data[0] = (uint8_t)next_random(&state);
	}
	for (uint32_t i = 0, times = 1 + next_random(&state) % 3; n > 0 && i < times; i++) {
		uint8_t *object = objects[next_random(&state) % n];
		(void)mutate_table(object, size - (size_t)(object - data), &state);
	}
	return size;
}

/* ---- one load --------------------------------------------------------------------------------------------------- */

static struct linker linker;
static struct known_sym known_syms[64];
static struct known_sym *known[2];
static uint32_t nknown;

/* An archive that the host lacks, as link_add_archive would note it, but open already. */
static void add_archive(struct link *l, const uint8_t *p, size_t n, const char *path)
{
	struct lpkg *a = calloc(1, sizeof(*a));

	a->path = strdup(path);
	a->file = strdup("archive");
	struct gl_package *pkg = gl_package_open_bytes("archive", p, n, path, NULL, l->err);
	if (pkg == NULL || link_take_package(l, a, pkg) != 0) {
		free((char *)a->path);
		free(a->file);
		free(a);
		return;
	}
	HASH_ADD_KEYPTR(hh, linker.archives, a->path, strlen(a->path), a);
}

static void free_archives(void)
{
	struct lpkg *p = linker.archives, *next;

	HASH_CLEAR(hh, linker.archives);
	for (; p != NULL; p = next) {
		next = p->hh.next;
		lpkg_close(p);
		free(p);
	}
}

static int add_own(struct link *l, const uint8_t *p, size_t n, const char *path, bool is_root)
{
	struct lpkg *own = &l->packages[l->npackages];

	*own = (struct lpkg){ .is_module = true, .is_root = is_root, .file = strdup(path) };
	l->npackages++;
	if (link_take_package(l, own, gl_package_open_bytes(path, p, n, path, NULL, l->err)) != 0) {
		return -1;
	}
	return link_tie_own(l, own);
}

/* The used module has every second of the package's names. */
static void know_names(const struct lpkg *p)
{
	for (uint32_t o = 0; o < p->nobjs; o++) {
		for (uint32_t i = 0, n = gl_object_nsyms(p->objs[o].obj); i < n; i += 2) {
			struct gl_str name = gl_object_sym(p->objs[o].obj, i).name;
			struct gl_image_sym sym;
			if (name.n == 0 || nknown == sizeof(known_syms) / sizeof(known_syms[0])) {
				continue;
			}
			how |= HALF_IN_HOST;
			if (!gl_image_lookup(NULL, name.p, name.n, &sym)) {
				continue;
			}
			struct known_sym *k = &known_syms[nknown++], *have = NULL;
			*k = (struct known_sym){
				.name = (char *)name.p, .addr = sym.addr, .is_func = sym.is_func, .size = 8
			};
			k->want_abi = GL_ABIINTERNAL;
			HASH_FIND(hh, known[GL_ABIINTERNAL], name.p, name.n, have);
			if (have == NULL) {
				HASH_ADD_KEYPTR(hh, known[GL_ABIINTERNAL], k->name, name.n, k);
			}
		}
	}
}

static void root_all(struct link *l)
{
	for (uint32_t i = 0; i < l->npackages; i++) {
		const struct lpkg *p = &l->packages[i];
		struct gl_declarations *decls;
		if (!p->is_root || gl_declarations_read(p->pkg, abi, GL_DECLARATIONS_OWN, &decls, l->err) != 0) {
			continue;
		}
		for (uint32_t d = 0; d < decls->n; d++) {
			if (decls->list[d].sym != UINT32_MAX) {
				link_root_at(l, &p->objs[decls->list[d].object], decls->list[d].sym);
			}
		}
		gl_declarations_free(decls);
		for (uint32_t o = 0; o < p->nobjs; o++) {
			for (uint32_t s = 0, n = gl_object_nsyms(p->objs[o].obj); s < n; s++) {
				struct gl_str name = gl_object_sym(p->objs[o].obj, s).name;
				if (is_descriptor(name.p, name.n)) {
					link_root(l, UNIT_MODULE, name.p, name.n, GL_ABIINTERNAL);
				}
			}
		}
	}
}

static void root_main(struct link *l)
{
	uint32_t s = link_root(l, UNIT_MODULE, "main.main", 9, GL_ABIINTERNAL);

	if (s != NO_SYM && link_sym(l, s)->state == SYM_PLACED) {
		link_add_main(l, s);
	}
}

static struct gl_str name_of(void *arg, const struct gl_object *obj, struct gl_symref ref)
{
	const struct lobj at = { .obj = (struct gl_object *)obj };

	return link_ref_name(arg, &at, ref);
}

static void ship(struct link *l)
{
	struct kept *kept = NULL;

	if (link_keep(l, &kept) == 0) {
		for (struct kept *k = kept; k != NULL; k = k->hh.next) {
			const struct gl_package *pkg = gl_object_package(k->obj->obj);
			struct gl_keep keep = { .abi = abi, .exports = true, .name = name_of, .arg = l };
			const uint8_t *symbols[1] = { k->symbols };
			struct gl_bytes out = { 0 };
			keep.symbols = symbols;
			if (gl_package_nobjects(pkg) == 1) {
				(void)gl_package_write(pkg, &keep, &out, l->err);
			}
			free(out.p);
		}
	}
	kept_free(kept);
}

static void finish(struct link *l)
{
	for (int u = NUNITS; u-- > 0;) {
		if (link_layout(l, (enum unit_id)u, true) != 0) {
			return;
		}
	}
	for (int u = NUNITS; u-- > 0;) {
		if (l->units[u].norder == 0) {
			continue;
		}
		if (link_relocate(l, (enum unit_id)u) != 0) {
			return;
		}
		pclntab_write(l, &l->units[u]);
		if (moduledata_write(l, &l->units[u], "module") != 0) {
			return;
		}
		variables_free(link_variables(l, (enum unit_id)u));
	}
}

static void load(const uint8_t *const starts_at[], const size_t sizes[], size_t n)
{
	static const char *const paths[] = { "main", "dep", "dep2", "dep3" };
	struct gl_error err;
	struct link l = { .linker = &linker, .err = &err, .shipping = (how & SHIPPED) != 0, .has_library = true };
	struct link_use use = { .name = "used", .names = known };
	struct known_package used[4];

	l.packages = calloc(n, sizeof(*l.packages));
	for (size_t i = 1; i < n; i++) {
		used[i] = (struct known_package){ .path = paths[i] };
		const uint8_t *magic = memmem(starts_at[i], sizes[i], "go120ld", 7);
		if (magic != NULL && (size_t)(starts_at[i] + sizes[i] - magic) >= 15) {
			memcpy(used[i].fingerprint, magic + 7, 8);
		}
		if ((how & AS_USED) != 0) {
			use.packages = &used[1];
			use.npackages = (uint32_t)i;
			link_tie_package(&l, TIE_USED, paths[i], used[i].fingerprint);
		}
		if ((how & AS_ARCHIVES) != 0) {
			add_archive(&l, starts_at[i], sizes[i], paths[i]);
		}
	}
	if (use.npackages > 0) {
		l.uses = &use;
		l.nuses = 1;
	}
	for (size_t i = n; i-- > 0;) {
		if ((i == 0 || (how & AS_ARCHIVES) == 0) &&
		    add_own(&l, starts_at[i], sizes[i], paths[i], i == 0) != 0) {
			goto out;
		}
		if (i > 0 && use.npackages > 0 && l.npackages > 0) {
			know_names(&l.packages[l.npackages - 1]);
		}
	}
	if ((how & AS_PROGRAM) != 0) {
		root_main(&l);
	} else {
		root_all(&l);
	}
	if (link_resolve(&l) == 0) {
		if (l.shipping) {
			ship(&l);
		} else {
			finish(&l);
		}
	}
	for (int u = 0; u < NUNITS; u++) {
		unit_release(&linker, &l.units[u]);
	}
out:
	l.clib = NULL;
	link_free(&l);
	HASH_CLEAR(hh, known[0]);
	HASH_CLEAR(hh, known[1]);
	nknown = 0;
	free_archives();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char magic[] = "!<arch>\n";
	const uint8_t *starts_at[4], *p = data + 1, *end = data + size;
	size_t sizes[4], n = 0;

	if (size < 2) {
		return 0;
	}
	if (linker.abi == NULL) {
		linker = (struct linker){ .abi = abi, .goroot = "/nowhere", .firstmoduledata = host_at(0) };
		linker.lookup.base = (uintptr_t)memory.arena;
		linker.lookup.roots = host_at(28672);
		linker.lookup.mask = mask;
		linker.before_main = linker.after_main = linker.zerobase = host_at(8192);
		make_host();
	}
	how = data[0];
	forget_blocks();
	while (n < 4 && p < end) {
		const uint8_t *next = memmem(p + 1, (size_t)(end - p) - 1, magic, sizeof(magic) - 1);
		starts_at[n] = p;
		sizes[n] = (size_t)((next != NULL ? next : end) - p);
		p += sizes[n++];
	}
	load(starts_at, sizes, n);
	return 0;
}
