/* The linker's passes on objects that are made up here, against a host that is a table of names. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "link/link.h"
#include "object/goobj.h"

/* ---- the host --------------------------------------------------------------------------------------------------- */

static struct {
	struct gl_abi *abi;
	struct gl_arena *arena;
	struct lookup lookup;
	uint8_t *bytes; /* the host's memory: a moduledata, functions of 16 bytes from 4096 on */
	struct gl_image_sym syms[16];
	size_t nsyms;
} host;

enum { HOST_SIZE = 1 << 16, HOST_SYMS_AT = 4096 };

bool gl_image_lookup(struct gl_image *img, const char *name, size_t len, struct gl_image_sym *out)
{
	(void)img;
	for (size_t i = 0; i < host.nsyms; i++) {
		if (strlen(host.syms[i].name) == len && memcmp(host.syms[i].name, name, len) == 0) {
			*out = host.syms[i];
			return true;
		}
	}
	return false;
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
	id[0] = '\0';
	return 0;
}

static uintptr_t host_has(const char *name, bool is_func)
{
	uintptr_t addr = (uintptr_t)host.bytes + HOST_SYMS_AT + 16 * host.nsyms;

	host.syms[host.nsyms++] = (struct gl_image_sym){ .name = name, .addr = addr, .size = 16, .is_func = is_func };
	return addr;
}

/* ---- objects ---------------------------------------------------------------------------------------------------- */

enum { MAX_SYMS = 32, MAX_PARTS = 64 };

/* Symbols first, references by name behind them: a number counts through both. */
struct object {
	struct {
		const char *name;
		uint16_t abi;
		uint8_t type, flag;
		uint32_t size, align;
		uint8_t data[256];
		uint32_t ndata;
	} syms[MAX_SYMS];
	uint32_t nsyms;
	const char *refs[MAX_SYMS];
	uint16_t ref_abis[MAX_SYMS];
	uint32_t nrefs;
	struct {
		uint32_t sym;
		int32_t off;
		uint8_t size;
		int type;
		int64_t add;
		uint32_t to;
	} relocs[MAX_PARTS];
	uint32_t nrelocs;
	struct {
		uint32_t sym;
		uint8_t type;
		uint32_t to;
	} auxs[MAX_PARTS];
	uint32_t nauxs;
	const char *cgo; /* lines, as JSON */
};

enum { REF = 1 << 16 }; /* a number of a reference by name, before it is known how many symbols there are */

static uint32_t define(struct object *o, const char *name, int type, const void *data, uint32_t size)
{
	o->syms[o->nsyms].name = name;
	o->syms[o->nsyms].abi = type == host.abi->STEXT ? GL_ABIINTERNAL : GL_ABI0;
	o->syms[o->nsyms].type = (uint8_t)type;
	o->syms[o->nsyms].size = size;
	if (data != NULL) {
		memcpy(o->syms[o->nsyms].data, data, size);
		o->syms[o->nsyms].ndata = size;
	}
	return o->nsyms++;
}

/* A function of `size` bytes, NOPs all. */
static uint32_t define_func(struct object *o, const char *name, uint32_t size)
{
	uint8_t code[256];

	memset(code, 0x90, sizeof(code));
	return define(o, name, host.abi->STEXT, code, size);
}

static uint32_t refer(struct object *o, const char *name, uint16_t abi)
{
	o->refs[o->nrefs] = name;
	o->ref_abis[o->nrefs] = abi;
	return REF + o->nrefs++;
}

static void relocate(struct object *o, uint32_t sym, int32_t off, uint8_t size, int type, uint32_t to, int64_t add)
{
	o->relocs[o->nrelocs].sym = sym;
	o->relocs[o->nrelocs].off = off;
	o->relocs[o->nrelocs].size = size;
	o->relocs[o->nrelocs].type = type;
	o->relocs[o->nrelocs].to = to;
	o->relocs[o->nrelocs++].add = add;
}

static void attach(struct object *o, uint32_t sym, uint8_t type, uint32_t to)
{
	o->auxs[o->nauxs].sym = sym;
	o->auxs[o->nauxs].type = type;
	o->auxs[o->nauxs++].to = to;
}

struct bytes {
	uint8_t p[1 << 16];
	uint32_t n;
};

static void put(struct bytes *b, const void *p, size_t n)
{
	assert_true(b->n + n <= sizeof(b->p));
	memcpy(b->p + b->n, p, n);
	b->n += (uint32_t)n;
}

static void put_number(struct bytes *b, uint64_t v, size_t n) { put(b, &v, n); }

static void put_sym_ref(struct bytes *b, const struct object *o, uint32_t to)
{
	put_number(b, GL_PKG_NONE, 4);
	put_number(b, to >= REF ? o->nsyms + to - REF : to, 4);
}

/* Every symbol is one that is referred to by name (NonPkgDef), every reference a NonPkgRef. */
static struct gl_package *make_package(const struct object *o, const char *path)
{
	static struct bytes packages[16], strings, blocks[NBLK];
	static size_t npackages;
	struct bytes *out = &packages[npackages++ % 16];
	struct gl_error err;

	memset(blocks, 0, sizeof(blocks));
	strings.n = out->n = 0;
	for (uint32_t i = 0; i < o->nsyms + o->nrefs; i++) {
		bool is_ref = i >= o->nsyms;
		const char *name = is_ref ? o->refs[i - o->nsyms] : o->syms[i].name;
		struct bytes *b = &blocks[is_ref ? BLK_NONPKGREF : BLK_NONPKGDEF];
		put_number(b, strlen(name), 4);
		put_number(b, HEADER_SIZE + strings.n, 4);
		put(&strings, name, strlen(name));
		put_number(b, is_ref ? o->ref_abis[i - o->nsyms] : o->syms[i].abi, 2);
		put_number(b, is_ref ? 0 : o->syms[i].type, 1);
		put_number(b, is_ref ? 0 : o->syms[i].flag, 1);
		put_number(b, 0, 1);
		put_number(b, is_ref ? 0 : o->syms[i].size, 4);
		put_number(b, is_ref ? 0 : o->syms[i].align, 4);
	}
	for (uint32_t i = 0; i <= o->nsyms; i++) {
		put_number(&blocks[BLK_RELOCIDX], blocks[BLK_RELOC].n / RELOC_SIZE, 4);
		put_number(&blocks[BLK_AUXIDX], blocks[BLK_AUX].n / AUX_SIZE, 4);
		put_number(&blocks[BLK_DATAIDX], blocks[BLK_DATA].n, 4);
		for (uint32_t j = 0; j < o->nrelocs; j++) {
			if (i < o->nsyms && o->relocs[j].sym == i) {
				put_number(&blocks[BLK_RELOC], (uint32_t)o->relocs[j].off, 4);
				put_number(&blocks[BLK_RELOC], o->relocs[j].size, 1);
				put_number(&blocks[BLK_RELOC], (uint64_t)o->relocs[j].type, 2);
				put_number(&blocks[BLK_RELOC], (uint64_t)o->relocs[j].add, 8);
				put_sym_ref(&blocks[BLK_RELOC], o, o->relocs[j].to);
			}
		}
		for (uint32_t j = 0; j < o->nauxs; j++) {
			if (i < o->nsyms && o->auxs[j].sym == i) {
				put_number(&blocks[BLK_AUX], o->auxs[j].type, 1);
				put_sym_ref(&blocks[BLK_AUX], o, o->auxs[j].to);
			}
		}
		if (i < o->nsyms) {
			put(&blocks[BLK_DATA], o->syms[i].data, o->syms[i].ndata);
		}
	}
	put(out, host.abi->object_header, strlen(host.abi->object_header));
	if (o->cgo != NULL) {
		put(out, "\n\n$$  // cgo\n", 13);
		put(out, o->cgo, strlen(o->cgo));
		put(out, "\n$$\n", 4);
	}
	put(out, "\n!\n", 3);
	put(out, GOOBJ_MAGIC, 8);
	put(out, "finger-p", 8);
	put_number(out, 0, 4);
	uint32_t at = HEADER_SIZE + strings.n;
	for (int blk = 0; blk < NBLK; blk++) {
		put_number(out, at, 4);
		at += blocks[blk].n;
	}
	put(out, strings.p, strings.n);
	for (int blk = 0; blk < NBLK; blk++) {
		put(out, blocks[blk].p, blocks[blk].n);
	}
	struct gl_package *pkg = gl_package_open_bytes(path, out->p, out->n, path, host.abi, &err);
	if (pkg == NULL) {
		fail_msg("%s", err.message);
	}
	return pkg;
}

/* ---- one load --------------------------------------------------------------------------------------------------- */

static struct load {
	struct linker linker;
	struct link l;
	struct gl_error err;
	struct lpkg archive;
} load;

/* Begins a load of one object as package main. */
static void begin(const struct object *o)
{
	load.l.packages = calloc(1, sizeof(*load.l.packages));
	load.l.packages[0] = (struct lpkg){ .is_module = true, .is_root = true, .file = strdup("main.o") };
	load.l.npackages = 1;
	assert_int_equal(link_take_package(&load.l, &load.l.packages[0], make_package(o, "main")), 0);
	assert_int_equal(link_tie_own(&load.l, &load.l.packages[0]), 0);
}

static void add_archive(const struct object *o, const char *path)
{
	load.archive = (struct lpkg){ .path = strdup(path), .file = strdup("archive") };
	assert_int_equal(link_take_package(&load.l, &load.archive, make_package(o, path)), 0);
	HASH_ADD_KEYPTR(hh, load.linker.archives, load.archive.path, strlen(path), &load.archive);
}

static const struct lsym *root(uint32_t i)
{
	uint32_t s = link_root_at(&load.l, &load.l.packages[0].objs[0], i);

	assert_int_not_equal(s, NO_SYM);
	return link_sym(&load.l, s);
}

static const struct lsym *target_of(uint32_t sym, uint32_t reloc)
{
	const struct lobj *obj = &load.l.packages[0].objs[0];
	uint32_t t = link_resolve_ref(&load.l, obj, gl_object_reloc(obj->obj, sym, reloc).sym, UNIT_MODULE, NO_SYM);

	assert_int_not_equal(t, NO_SYM);
	return link_sym(&load.l, t);
}

static int resolve(void)
{
	for (uint32_t i = 0; i < gl_object_nsyms(load.l.packages[0].objs[0].obj); i++) {
		root(i);
	}
	return link_resolve(&load.l);
}

static struct unit *place(void)
{
	if (resolve() != 0 || link_layout(&load.l, UNIT_RESIDENT) != 0 || link_layout(&load.l, UNIT_USED) != 0 ||
	    link_layout(&load.l, UNIT_MODULE) != 0) {
		fail_msg("%s", load.err.message);
	}
	return &load.l.units[UNIT_MODULE];
}

static int patch(void)
{
	place();
	return link_relocate(&load.l, UNIT_MODULE);
}

static uint32_t load32(uintptr_t p)
{
	uint32_t v;

	memcpy(&v, (const void *)p, sizeof(v));
	return v;
}

static void store64(uint8_t *p, int off, uint64_t v)
{
	for (int i = 0; i < 8; i++) {
		p[off + i] = (uint8_t)(v >> 8 * i);
	}
}

static uint64_t load64(uintptr_t p)
{
	uint64_t v;

	memcpy(&v, (const void *)p, sizeof(v));
	return v;
}

static int setup_group(void **state)
{
	const char *dir = getenv("GOLOADER_TEST_HOST");
	char path[PATH_MAX];
	struct gl_error err;

	(void)state;
	snprintf(path, sizeof(path), "%s/libgoloader_host.so.desc", dir != NULL ? dir : "build/host/default");
	host.abi = gl_abi_read(path, &err);
	host.arena = gl_arena_reserve(64 << 20, &err);
	host.bytes = host.arena != NULL ? gl_arena_take(host.arena, HOST_SIZE, &err) : NULL;
	if (host.abi == NULL || host.bytes == NULL) {
		print_error("%s\n", err.message);
		return -1;
	}
	uintptr_t header = (uintptr_t)host.bytes + 2048;
	memcpy(host.bytes + host.abi->moduledata.pcHeader, &header, sizeof(header));
	uintptr_t text = (uintptr_t)host.bytes;
	memcpy(host.bytes + host.abi->moduledata.text, &text, sizeof(text));
	struct linker linker = { .abi = host.abi, .arena = host.arena, .firstmoduledata = (uintptr_t)host.bytes };
	if (lookup_open(&linker, &err) != 0) {
		print_error("%s\n", err.message);
		return -1;
	}
	host.lookup = linker.lookup;
	return 0;
}

static int teardown_group(void **state)
{
	(void)state;
	gl_abi_free(host.abi);
	gl_arena_free(host.arena);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	host.nsyms = 0;
	memset(&load, 0, sizeof(load));
	load.linker = (struct linker){ .abi = host.abi,
				       .arena = host.arena,
				       .goroot = "/goroot",
				       .firstmoduledata = (uintptr_t)host.bytes,
				       .lookup = host.lookup };
	load.l = (struct link){ .linker = &load.linker, .err = &load.err };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int u = 0; u < NUNITS; u++) {
		unit_release(&load.linker, &load.l.units[u]);
	}
	link_free(&load.l);
	HASH_CLEAR(hh, load.linker.archives);
	if (load.archive.path != NULL) {
		lpkg_close(&load.archive);
	}
	return 0;
}

/* ---- bind ------------------------------------------------------------------------------------------------------- */

static void a_name_of_the_module_is_never_the_hosts(void **state)
{
	struct object o = { 0 };
	uint32_t user = define_func(&o, "main.User", 16);

	(void)state;
	host_has("main.Used", true);
	relocate(&o, user, 1, 4, host.abi->R_CALL, define_func(&o, "main.Used", 16), 0);
	begin(&o);
	assert_int_equal(resolve(), 0);
	assert_int_equal(target_of(user, 0)->state, SYM_PLACED);
	assert_int_equal(target_of(user, 0)->unit, UNIT_MODULE);
}

static void the_host_comes_before_the_resident_store_and_that_before_archives(void **state)
{
	static const char *const names[] = { "lib.Host", "lib.Resident", "lib.Archive" };
	struct object o = { 0 }, lib = { 0 };
	struct known_sym known[2] = { { .name = "lib.Host", .addr = 8, .is_func = true },
				      { .name = "lib.Resident", .addr = 16, .is_func = true } };
	uint32_t user = define_func(&o, "main.User", 32);

	(void)state;
	uintptr_t in_host = host_has("lib.Host", false);
	for (int i = 0; i < 3; i++) {
		relocate(&o, user, 1 + 8 * i, 4, host.abi->R_CALL, refer(&o, names[i], GL_ABIINTERNAL), 0);
		define_func(&lib, names[i], 16);
	}
	for (int i = 0; i < 2; i++) {
		HASH_ADD_KEYPTR(hh, load.linker.resident[GL_ABIINTERNAL], known[i].name, strlen(known[i].name),
				&known[i]);
	}
	begin(&o);
	add_archive(&lib, "lib");
	assert_int_equal(resolve(), 0);
	HASH_CLEAR(hh, load.linker.resident[GL_ABIINTERNAL]);
	assert_int_equal(target_of(user, 0)->addr, in_host);
	assert_int_equal(target_of(user, 1)->addr, 16);
	assert_int_equal(target_of(user, 2)->state, SYM_PLACED);
	assert_int_equal(target_of(user, 2)->unit, UNIT_RESIDENT);
}

static void repeated_read_only_data_is_copied(void **state)
{
	struct object o = { 0 };
	uint32_t user = define_func(&o, "main.User", 16),
		 copy = define(&o, "lib..dict", host.abi->SRODATA, "abcdefgh", 8);

	(void)state;
	host_has("lib..dict", false);
	o.syms[copy].flag = GL_SYM_DUPOK;
	relocate(&o, user, 1, 4, host.abi->R_PCREL, copy, 0);
	begin(&o);
	assert_int_equal(resolve(), 0);
	assert_int_equal(target_of(user, 0)->unit, UNIT_MODULE);
	assert_int_equal(target_of(user, 0)->state, SYM_PLACED);
}

static void a_descriptor_is_one_for_the_process(void **state)
{
	struct object o = { 0 };
	uint8_t type[64] = { 0 };
	uint32_t own = define(&o, "type:main.T", host.abi->SRODATA, type, sizeof(type));
	uint32_t shared = define(&o, "type:map[string]int", host.abi->SRODATA, type, sizeof(type));
	uint32_t theirs = define(&o, "type:int", host.abi->SRODATA, type, sizeof(type));

	(void)state;
	uintptr_t in_host = host_has("type:int", false);
	begin(&o);
	assert_int_equal(root(own)->unit, UNIT_MODULE);
	assert_int_equal(root(shared)->unit, UNIT_RESIDENT);
	assert_int_equal(root(theirs)->addr, in_host);
}

static void a_function_value_is_made_of_its_function_once(void **state)
{
	struct object o = { 0 };
	uint32_t user = define_func(&o, "main.User", 32);

	(void)state;
	define_func(&o, "main.F", 16);
	relocate(&o, user, 1, 4, host.abi->R_PCREL,
		 refer(&o,
		       "main.F\xc2\xb7"
		       "f",
		       GL_ABIINTERNAL),
		 0);
	relocate(&o, user, 9, 4, host.abi->R_PCREL,
		 refer(&o,
		       "main.F\xc2\xb7"
		       "f\xc2\xb7"
		       "f",
		       GL_ABIINTERNAL),
		 0);
	begin(&o);
	root(user);
	assert_int_equal(target_of(user, 0)->synthetic, SYNTH_FUNCVAL);
	assert_int_equal(target_of(user, 1)->state, SYM_ABSENT);
}

static void what_nobody_defines_is_named_with_who_needs_it(void **state)
{
	struct object o = { 0 };
	uint32_t user = define_func(&o, "main.User", 32);

	(void)state;
	relocate(&o, user, 1, 4, host.abi->R_CALL, refer(&o, "lib.Gone", GL_ABIINTERNAL), 0);
	relocate(&o, user, 9, 4, host.abi->R_CALL | host.abi->R_WEAK, refer(&o, "lib.Weak", GL_ABIINTERNAL), 0);
	begin(&o);
	assert_int_equal(resolve(), -1);
	assert_int_equal(load.err.code, GL_EMISSING);
	assert_string_equal(load.err.message, "1 symbol is defined nowhere: lib.Gone (needed by main.User)");
	assert_int_equal(load.l.nmissing_packages, 1);
	assert_string_equal(load.l.missing_packages[0], "lib");
}

static void an_empty_variable_is_the_c_function_that_another_package_imports(void **state)
{
	struct object o = { 0 }, lib = { .cgo = "[[\"cgo_import_dynamic\",\"getpid\",\"getpid\",\"\"]]" };
	uint32_t pointer = define(&o, "main.pointer", host.abi->SNOPTRDATA, "\0\0\0\0\0\0\0", 8);
	uint32_t code = define(&o, "getpid", host.abi->SNOPTRBSS, NULL, 1);

	(void)state;
	relocate(&o, pointer, 0, 8, host.abi->R_ADDR, code, 0);
	o.cgo = lib.cgo; /* one package's lines do, whoever has them */
	begin(&o);
	assert_int_equal(patch(), 0);
	assert_true(target_of(pointer, 0)->is_far);
	assert_int_equal(load64(root(pointer)->addr), (uintptr_t)getpid);
}

/* ---- lay out ---------------------------------------------------------------------------------------------------- */

static void sections_and_alignments_are_kept(void **state)
{
	struct object o = { 0 };
	uint32_t data = define(&o, "main.data", host.abi->SNOPTRDATA, "x", 1);
	uint32_t aligned = define(&o, "main.aligned", host.abi->SNOPTRDATA, "yyyyyyyy", 8);
	uint32_t func = define_func(&o, "main.F", 5), next = define_func(&o, "main.G", 5);
	uint32_t text = define(&o, "go:string.x", host.abi->SRODATA, "string", 6);
	uint32_t constant = define(&o, "main.constant", host.abi->SRODATA, "constant", 8);
	uint32_t bss = define(&o, "main.bss", host.abi->SNOPTRBSS, NULL, 100);

	(void)state;
	o.syms[aligned].align = 64;
	begin(&o);
	const struct unit *u = place();
	assert_int_equal(root(func)->addr, u->sec_start[SEC_TEXT]);
	assert_int_equal(root(next)->addr, u->sec_start[SEC_TEXT] + 32);
	assert_true(root(constant)->addr > u->sec_start[SEC_RODATA]); /* offset 0 means none */
	assert_true(root(text)->addr > root(constant)->addr);
	assert_int_equal(u->strings, root(constant)->addr + 8);
	assert_int_equal(root(aligned)->addr % 64, 0);
	assert_true(root(data)->addr >= u->sec_start[SEC_NOPTRDATA]);
	assert_true(root(bss)->addr + 100 <= u->moduledata);
}

static void descriptors_are_sorted_by_their_strings(void **state)
{
	struct object o = { 0 };
	uint8_t type[64] = { 0 };
	uint32_t types[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		/* a flag byte, the length, the string */
		uint32_t name = define(&o, i == 0 ? "type:.namedata.b" : "type:.namedata.a", host.abi->SRODATA,
				       i == 0 ? "\0\1b" : "\0\1a", 3);
		types[i] = define(&o, i == 0 ? "type:main.A" : "type:main.B", host.abi->SRODATA, type, sizeof(type));
		o.syms[types[i]].flag = GL_SYM_TYPELINK;
		relocate(&o, types[i], host.abi->type.Str, 4, host.abi->R_ADDROFF, name, 0);
	}
	begin(&o);
	const struct unit *u = place();
	assert_int_equal(u->ntypelinks, 2);
	assert_true(root(types[1])->addr < root(types[0])->addr);
	assert_int_equal(root(types[1])->addr, u->sec_start[SEC_RODATA] + 8);
}

static void what_fits_nowhere_is_named(void **state)
{
	struct object o = { 0 };

	(void)state;
	define(&o, "main.small", host.abi->SNOPTRBSS, NULL, 100);
	define(&o, "main.large", host.abi->SNOPTRBSS, NULL, 65 << 20);
	begin(&o);
	assert_int_equal(resolve(), 0);
	assert_int_equal(link_layout(&load.l, UNIT_MODULE), -1);
	assert_int_equal(load.err.code, GL_ENOMEM);
	assert_non_null(strstr(load.err.message, "main.large alone has 68157440"));
}

/* ---- relocate --------------------------------------------------------------------------------------------------- */

static void each_relocation_writes_what_it_means(void **state)
{
	struct object o = { 0 };
	uint8_t zeros[64] = { 0 };
	uint32_t func = define_func(&o, "main.F", 32), data = define(&o, "main.data", host.abi->SNOPTRDATA, zeros, 64);
	uint32_t constant = define(&o, "main.constant", host.abi->SRODATA, zeros, 16);

	(void)state;
	uintptr_t there = host_has("lib.There", false);
	relocate(&o, func, 1, 4, host.abi->R_CALL, refer(&o, "lib.There", GL_ABIINTERNAL), 0);
	relocate(&o, func, 8, 4, host.abi->R_PCREL, data, 4);
	relocate(&o, func, 16, 4, host.abi->R_GOTPCREL, data, 0);
	relocate(&o, data, 0, 8, host.abi->R_ADDR, func, 3);
	relocate(&o, data, 8, 4, host.abi->R_ADDROFF, constant, 0);
	relocate(&o, data, 16, 4, host.abi->R_ADDROFF | host.abi->R_WEAK, refer(&o, "lib.Gone", GL_ABIINTERNAL), 0);
	begin(&o);
	if (patch() != 0) {
		fail_msg("%s", load.err.message);
	}
	uintptr_t f = root(func)->addr, d = root(data)->addr;
	assert_int_equal((int32_t)load32(f + 1), (int32_t)(there - (f + 5)));
	assert_int_equal((int32_t)load32(f + 8), (int32_t)(d + 4 - (f + 12)));
	uintptr_t slot = f + 20 + (uintptr_t)(int32_t)load32(f + 16);
	assert_int_equal(load64(slot), d);
	assert_int_equal(load64(d), f + 3);
	assert_int_equal(load32(d + 8), root(constant)->addr - host.lookup.base);
	assert_int_equal(load32(d + 16), 0);
	assert_int_equal(*(const uint8_t *)f, 0x90);
}

static void a_method_elsewhere_is_reached_by_a_jump(void **state)
{
	struct object o = { 0 };
	uint8_t zeros[64] = { 0 };
	uint32_t type = define(&o, "type:main.T", host.abi->SRODATA, zeros, 64);

	(void)state;
	uintptr_t there = host_has("lib.T.Method", true);
	host_has("lib.T.Method.abi0", true); /* so that the plain name is ABIInternal's */
	relocate(&o, type, 0, 4, host.abi->R_METHODOFF, refer(&o, "lib.T.Method", GL_ABIINTERNAL), 0);
	begin(&o);
	assert_int_equal(patch(), 0);
	const struct unit *u = &load.l.units[UNIT_MODULE];
	uintptr_t jump = host.lookup.text + load32(root(type)->addr);
	assert_int_equal(u->nfuncs, 1);
	assert_int_equal(jump, link_sym(&load.l, u->funcs[0])->addr);
	assert_int_equal(*(const uint8_t *)jump, 0xe9);
	assert_int_equal(jump + 5 + (uintptr_t)(int32_t)load32(jump + 1), there);
}

static void refuse(struct object *o, enum gl_code code, const char *why)
{
	begin(o);
	assert_int_equal(patch(), -1);
	assert_int_equal(load.err.code, code);
	if (strstr(load.err.message, why) == NULL) {
		fail_msg("%s", load.err.message);
	}
}

static void a_patch_has_the_size_of_its_type(void **state)
{
	struct object o = { 0 };
	uint32_t func = define_func(&o, "main.F", 8);

	(void)state;
	relocate(&o, func, 7, 1, host.abi->R_TLS_LE, func, 0);
	refuse(&o, GL_EUNSUPPORTED, "relocation of type");
}

static void an_offset_of_a_function_needs_a_place_that_has_trampolines(void **state)
{
	struct object o = { 0 };
	uint32_t data = define(&o, "main.data", host.abi->SNOPTRDATA, "\0\0\0\0\0\0\0", 8);

	(void)state;
	host_has("lib.F", true);
	host_has("lib.F.abi0", true);
	relocate(&o, data, 0, 4, host.abi->R_METHODOFF, refer(&o, "lib.F", GL_ABIINTERNAL), 0);
	refuse(&o, GL_EUNSUPPORTED, "main.data has a relocation of type");
}

static void what_is_out_of_reach_is_said(void **state)
{
	struct object o = { 0 };
	uint32_t func = define_func(&o, "main.F", 16);

	(void)state;
	relocate(&o, func, 1, 4, host.abi->R_PCREL, define_func(&o, "main.G", 16), INT64_MAX);
	refuse(&o, GL_ENOMEM, "main.F can't reach main.G");
}

/* ---- describe --------------------------------------------------------------------------------------------------- */

/* As runtime.findfunc does it in the moduledata of all modules: a bucket for each 4 KiB, in it one of 16 for each 256
 * bytes, then on from there. Returns the _func. */
static uintptr_t find_func(uintptr_t pc)
{
	uintptr_t md = host.lookup.moduledata, minpc = load64(md + (uintptr_t)host.abi->moduledata.minpc);
	uintptr_t ftab = load64(md + (uintptr_t)host.abi->moduledata.ftab);
	uintptr_t off = pc - load64(md + (uintptr_t)host.abi->moduledata.text);
	const uint8_t *bucket =
		(const uint8_t *)load64(md + (uintptr_t)host.abi->moduledata.findfunctab) + (pc - minpc) / 4096 * 20;
	uintptr_t at = load32((uintptr_t)bucket) + bucket[4 + (pc - minpc) % 4096 / 256];

	while (load32(ftab + 8 * (at + 1)) <= off) {
		at++;
	}
	return load64(md + (uintptr_t)host.abi->moduledata.pclntable) + load32(ftab + 8 * at + 4);
}

static const char *name_of(uintptr_t func)
{
	uintptr_t names = load64(host.lookup.moduledata + (uintptr_t)host.abi->moduledata.funcnametab);

	return (const char *)names + load32(func + (uintptr_t)host.abi->func.nameOff);
}

static void functions_are_found_by_their_addresses(void **state)
{
	struct object o = { 0 };
	const struct gl_abi *abi = host.abi;
	static char names[16][8];
	uint32_t funcs[16];

	(void)state;
	for (int i = 0; i < 16; i++) {
		snprintf(names[i], sizeof(names[i]), "main.%c", 'A' + i);
		funcs[i] = define_func(&o, names[i], 250);
	}
	begin(&o);
	assert_int_equal(patch(), 0);
	struct unit *u = &load.l.units[UNIT_MODULE];
	pclntab_write(&load.l, u);
	lookup_add(&load.linker, u);
	assert_int_equal(u->nfuncs, 16);
	for (int i = 0; i < 16; i++) {
		uintptr_t entry = root(funcs[i])->addr, func = find_func(entry + 100);
		assert_int_equal(load32(func + (uintptr_t)abi->func.entryOff), entry - host.lookup.text);
		assert_string_equal(name_of(func), names[i]);
	}
	/* behind the last of them, and when they are gone, there is none */
	assert_string_equal(name_of(find_func(u->text_end)), "goloader.unloaded");
	assert_string_equal(name_of(find_func(u->text_end + 3000)), "goloader.unloaded");
	lookup_remove(&load.linker, u->base, u->text_pages);
	assert_string_equal(name_of(find_func(root(funcs[3])->addr)), "goloader.unloaded");
}

/* How many functions whoever goes through ftab finds, as runtime.FuncForPC says of each entry. */
static size_t count_functions(void)
{
	const struct gl_abi *abi = host.abi;
	uintptr_t md = host.lookup.moduledata, ftab = load64(md + (uintptr_t)abi->moduledata.ftab);
	size_t n = load64(md + (uintptr_t)abi->moduledata.ftab + 8), found = 0;
	uintptr_t funcs = load64(md + (uintptr_t)abi->moduledata.pclntable);

	for (size_t i = 0; i < n; i++) {
		uint32_t entry = load32(ftab + 8 * i);
		uintptr_t func = funcs + load32(ftab + 8 * i + 4);
		if (strcmp(name_of(func), "goloader.unloaded") != 0) {
			assert_int_equal(load32(func + (uintptr_t)abi->func.entryOff), entry);
			assert_int_equal(find_func(host.lookup.text + entry), func);
			found++;
		}
	}
	return found;
}

static void a_walk_through_ftab_finds_what_is_loaded_and_nothing_else(void **state)
{
	struct object o = { 0 };

	(void)state;
	define_func(&o, "main.A", 250);
	define_func(&o, "main.B", 256);
	begin(&o);
	assert_int_equal(patch(), 0);
	struct unit *u = &load.l.units[UNIT_MODULE];
	assert_int_equal(count_functions(), 0);
	pclntab_write(&load.l, u);
	lookup_add(&load.linker, u);
	assert_int_equal(u->nfuncs, 2);
	assert_int_equal(count_functions(), 2);
	lookup_remove(&load.linker, u->base, u->text_pages);
	lookup_drop_functions(&load.linker, u->ftab, u->ftab_size, false);
	u->ftab = NULL;
	assert_int_equal(count_functions(), 0);
}

/* A variable of two words, the type of which is a struct { X uintptr; P *int }, as the object describes it. */
static int describe_variable(uint32_t size, uint64_t offset, uint8_t *mask)
{
	const struct gl_abi *abi = host.abi;
	struct object o = { 0 };
	uint8_t type[128] = { 0 }, pointer[64] = { 0 }, fields[128] = { 0 };
	const int typ = gl_abi_field(abi, "internal/abi.StructField", "Typ");
	const int field_offset = gl_abi_field(abi, "internal/abi.StructField", "Offset");
	const int slice = gl_abi_field(abi, "internal/abi.StructType", "Fields");

	type[abi->type.Kind_] = 25;
	store64(type, abi->type.PtrBytes, 16);
	store64(type, slice + 8, 1);
	pointer[abi->type.Kind_] = 22;
	store64(pointer, abi->type.PtrBytes, 8);
	store64(fields, field_offset, offset);
	uint32_t var = define(&o, "main.var", abi->SBSS, NULL, size);
	uint32_t t = define(&o, "type:main.T", abi->SRODATA, type, sizeof(type));
	uint32_t p = define(&o, "type:main.P", abi->SRODATA, pointer, sizeof(pointer));
	uint32_t f = define(&o, "main.fields", abi->SRODATA, fields, sizeof(fields));
	relocate(&o, t, slice, 8, abi->R_ADDR, f, 0);
	relocate(&o, f, typ, 8, abi->R_ADDR, p, 0);
	attach(&o, var, GL_AUX_GOTYPE, t);
	begin(&o);
	assert_int_equal(patch(), 0);
	struct unit *u = &load.l.units[UNIT_MODULE];
	int result = moduledata_write(&load.l, u, "test");
	/* a small module's variables lie among others, and so do their marks, if there is room */
	uintptr_t from;
	const uint8_t *marks = lookup_mask(&load.linker, &from);
	if (u->variables == NULL) {
		marks = (const uint8_t *)load64(u->moduledata + (uintptr_t)abi->moduledata.gcbssmask + 8);
		from = u->sec_start[SEC_BSS];
	}
	size_t word = (root(var)->addr - from) / sizeof(uintptr_t);
	*mask = 0;
	for (size_t i = 0; i < size / sizeof(uintptr_t); i++) {
		*mask |= (uint8_t)((marks[(word + i) / 8] >> (word + i) % 8 & 1) << i);
	}
	return result;
}

static void pointers_of_variables_are_marked_for_the_collector(void **state)
{
	uint8_t mask;

	(void)state;
	assert_int_equal(describe_variable(16, 8, &mask), 0);
	assert_int_equal(mask, 2);
}

static void nothing_is_marked_outside_a_variable(void **state)
{
	uint8_t mask;

	(void)state;
	assert_int_equal(describe_variable(16, 16, &mask), -1);
	assert_int_equal(load.err.code, GL_EFORMAT);
	assert_non_null(strstr(load.err.message, "main.var can't be its type: type:main.T"));
}

static void variables_that_have_no_room_among_others_are_the_modules_own(void **state)
{
	enum { MOST = 256 };
	struct {
		uint8_t *p;
		size_t size;
	} taken[MOST];
	size_t n = 0;
	uint8_t mask;

	(void)state;
	for (size_t size = 1 << 20; size >= GL_SMALL_BLOCK; size /= 2) {
		for (uint8_t *p; (p = lookup_take_variables(&load.linker, size)) != NULL; n++) {
			assert_true(n < MOST);
			taken[n].p = p;
			taken[n].size = size;
		}
	}
	int result = describe_variable(16, 8, &mask);
	for (size_t i = 0; i < n; i++) {
		lookup_drop_variables(&load.linker, taken[i].p, taken[i].size, false);
	}
	const struct unit *u = &load.l.units[UNIT_MODULE];
	assert_int_equal(result, 0);
	assert_null(u->variables);
	assert_int_equal(u->variables_size, 0);
	assert_true(u->data_pages > 0);
	assert_true(u->sec_start[SEC_BSS] - (uintptr_t)u->base >= u->text_pages + u->rodata_pages);
	assert_int_equal(mask, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_name_of_the_module_is_never_the_hosts),
		TEST(the_host_comes_before_the_resident_store_and_that_before_archives),
		TEST(repeated_read_only_data_is_copied),
		TEST(a_descriptor_is_one_for_the_process),
		TEST(a_function_value_is_made_of_its_function_once),
		TEST(what_nobody_defines_is_named_with_who_needs_it),
		TEST(an_empty_variable_is_the_c_function_that_another_package_imports),
		TEST(sections_and_alignments_are_kept),
		TEST(descriptors_are_sorted_by_their_strings),
		TEST(what_fits_nowhere_is_named),
		TEST(each_relocation_writes_what_it_means),
		TEST(a_method_elsewhere_is_reached_by_a_jump),
		TEST(a_patch_has_the_size_of_its_type),
		TEST(an_offset_of_a_function_needs_a_place_that_has_trampolines),
		TEST(what_is_out_of_reach_is_said),
		TEST(functions_are_found_by_their_addresses),
		TEST(a_walk_through_ftab_finds_what_is_loaded_and_nothing_else),
		TEST(pointers_of_variables_are_marked_for_the_collector),
		TEST(nothing_is_marked_outside_a_variable),
		TEST(variables_that_have_no_room_among_others_are_the_modules_own),
	};
#undef TEST
	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
