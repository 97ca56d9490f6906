/* Go objects, read only (see object.h for the format and who writes it).
 *
 * An object is opened in two steps, the second of which trusts only what the first has checked: its block table is
 * read, and then every string, index and size that the blocks hold is checked once (object_check). The accessors below
 * that line compute addresses without looking back. */
#include "object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "goobj.h"

static const char goobj_magic[8] = GOOBJ_MAGIC;
static const char ar_magic[8] = AR_MAGIC;

/* ---- bytes ------------------------------------------------------------------------------------------------------ */

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static struct gl_symref get_symref(const uint8_t *p) { return (struct gl_symref){ get32(p), get32(p + 4) }; }

/* A string that object_check has seen. */
static struct gl_str get_str(const struct gl_object *obj, const uint8_t *p)
{
	return (struct gl_str){ (const char *)obj->base + get32(p + 4), get32(p) };
}

static uint32_t refname_hash(struct gl_symref ref) { return (ref.pkg * 0x9e3779b1u) ^ (ref.sym * 0x85ebca6bu); }

/* ---- checking --------------------------------------------------------------------------------------------------- */

static int bad(const struct gl_object *obj, struct gl_error *err, const char *what, uint64_t number)
{
	return gl_fail(err, GL_EFORMAT, "%s: member %s is corrupt: %s (%llu)", obj->pkg->file, obj->member, what,
		       (unsigned long long)number);
}

/* Is the string that p refers to in the file, and none that ends early for those who copy it as C's do? */
static bool str_ok(const struct gl_object *obj, const uint8_t *p)
{
	uint32_t n = get32(p), off = get32(p + 4);

	return (uint64_t)n + off <= obj->size && memchr(obj->base + off, '\0', n) == NULL;
}

static bool symref_ok(const struct gl_object *obj, struct gl_symref ref)
{
	switch (ref.pkg) {
	case GL_PKG_INVALID: return ref.sym == 0;
	case GL_PKG_SELF: return ref.sym < obj->nsymdef;
	case GL_PKG_HASHED64: return ref.sym < obj->nhashed64;
	case GL_PKG_HASHED: return ref.sym < obj->nhashed;
	case GL_PKG_NONE: return ref.sym < (uint64_t)obj->nnonpkgdef + obj->nnonpkgref;
	case GL_PKG_BUILTIN: return true; /* the list is the toolchain's; whoever resolves it checks */
	default: return ref.pkg < obj->npkgs;
	}
}

/* Reads the block table; what it says is in bounds afterwards. */
static int object_read_header(struct gl_object *obj, struct gl_error *err)
{
	if (obj->size < HEADER_SIZE) {
		return bad(obj, err, "truncated header, bytes", obj->size);
	}
	if (memcmp(obj->base, goobj_magic, sizeof(goobj_magic)) != 0) {
		return bad(obj, err, "unknown object magic, byte 3 is", obj->base[3]);
	}
	obj->flags = get32(obj->base + 16);
	for (uint32_t i = 0; i < NBLK; i++) {
		obj->off[i] = get32(obj->base + 20 + 4 * (size_t)i);
		if (obj->off[i] > obj->size || (i > 0 && obj->off[i] < obj->off[i - 1]) || obj->off[i] < HEADER_SIZE) {
			return bad(obj, err, "block outside the file, number", i);
		}
	}

	static const struct {
		uint8_t blk, size;
	} units[] = {
		{ BLK_AUTOLIB, AUTOLIB_SIZE },
		{ BLK_PKGIDX, STRINGREF_SIZE },
		{ BLK_FILE, STRINGREF_SIZE },
		{ BLK_SYMDEF, SYM_SIZE },
		{ BLK_HASHED64DEF, SYM_SIZE },
		{ BLK_HASHEDDEF, SYM_SIZE },
		{ BLK_NONPKGDEF, SYM_SIZE },
		{ BLK_NONPKGREF, SYM_SIZE },
		{ BLK_REFFLAGS, REFFLAGS_SIZE },
		{ BLK_HASH64, HASH64_SIZE },
		{ BLK_HASH, HASH_SIZE },
		{ BLK_RELOCIDX, 4 },
		{ BLK_AUXIDX, 4 },
		{ BLK_DATAIDX, 4 },
		{ BLK_RELOC, RELOC_SIZE },
		{ BLK_AUX, AUX_SIZE },
		{ BLK_REFNAME, REFNAME_SIZE },
	};
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if ((obj->off[units[i].blk + 1] - obj->off[units[i].blk]) % units[i].size != 0) {
			return bad(obj, err, "block of a broken size, number", units[i].blk);
		}
	}
#define COUNT(blk, unit) ((obj->off[(blk) + 1] - obj->off[blk]) / (unit))
	obj->nautolib = COUNT(BLK_AUTOLIB, AUTOLIB_SIZE);
	obj->npkgs = COUNT(BLK_PKGIDX, STRINGREF_SIZE);
	obj->nfiles = COUNT(BLK_FILE, STRINGREF_SIZE);
	obj->nsymdef = COUNT(BLK_SYMDEF, SYM_SIZE);
	obj->nhashed64 = COUNT(BLK_HASHED64DEF, SYM_SIZE);
	obj->nhashed = COUNT(BLK_HASHEDDEF, SYM_SIZE);
	obj->nnonpkgdef = COUNT(BLK_NONPKGDEF, SYM_SIZE);
	obj->nnonpkgref = COUNT(BLK_NONPKGREF, SYM_SIZE);
	obj->nrefnames = COUNT(BLK_REFNAME, REFNAME_SIZE);
	obj->nsyms = obj->nsymdef + obj->nhashed64 + obj->nhashed + obj->nnonpkgdef;
	obj->ntotal = obj->nsyms + obj->nnonpkgref;

	if (COUNT(BLK_HASH64, HASH64_SIZE) < obj->nhashed64 || COUNT(BLK_HASH, HASH_SIZE) < obj->nhashed) {
		return bad(obj, err, "fewer hashes than hashed symbols", COUNT(BLK_HASH, HASH_SIZE));
	}
	if (COUNT(BLK_RELOCIDX, 4) != obj->nsyms + 1 || COUNT(BLK_AUXIDX, 4) != obj->nsyms + 1 ||
	    COUNT(BLK_DATAIDX, 4) != obj->nsyms + 1) {
		return bad(obj, err, "index of a wrong length for symbols", obj->nsyms);
	}
#undef COUNT
	return 0;
}

/* One of the three indices that give each symbol its run of relocations, auxiliaries or data. */
static int check_index(const struct gl_object *obj, uint32_t blk, uint32_t limit, struct gl_error *err)
{
	const uint8_t *p = obj->base + obj->off[blk];
	uint32_t last = 0;

	for (uint32_t i = 0; i <= obj->nsyms; i++) {
		uint32_t v = get32(p + 4 * (size_t)i);
		if (v < last || v > limit) {
			return bad(obj, err, "index runs backwards or past its block, symbol", i);
		}
		last = v;
	}
	return 0;
}

static int check_syms(const struct gl_object *obj, struct gl_error *err)
{
	const uint8_t *p = obj->base + obj->off[BLK_SYMDEF];

	for (uint32_t i = 0; i < obj->ntotal; i++, p += SYM_SIZE) {
		if (!str_ok(obj, p)) {
			return bad(obj, err, "name outside the file, or with a NUL in it, symbol", i);
		}
		uint32_t align = get32(p + 17);
		if (align > 1u << 16 || (align & (align - 1)) != 0) {
			return bad(obj, err, "alignment is no power of two below 64 KiB, symbol", i);
		}
	}
	return 0;
}

static int check_relocs(const struct gl_object *obj, struct gl_error *err)
{
	for (uint32_t i = 0; i < obj->nsyms; i++) {
		uint32_t n = gl_object_nrelocs(obj, i);
		if (n == 0) {
			continue; /* most have none */
		}
		uint32_t size = gl_object_sym(obj, i).size, data_size;

		/* symbols that are never placed (pc tables, DWARF) have data but may claim no size */
		gl_object_data(obj, i, &data_size);
		size = size > data_size ? size : data_size;

		for (uint32_t j = 0; j < n; j++) {
			struct gl_reloc r = gl_object_reloc(obj, i, j);
			if (r.off < 0 || (uint64_t)r.off + r.size > size) {
				/* markers (size 0) may stand anywhere */
				if (r.size != 0) {
					return bad(obj, err, "relocation outside its symbol, number", i);
				}
			}
			if (!symref_ok(obj, r.sym)) {
				return bad(obj, err, "relocation to a symbol that does not exist, from number", i);
			}
		}
	}
	return 0;
}

static int check_auxs(const struct gl_object *obj, struct gl_error *err)
{
	for (uint32_t i = 0; i < obj->nsyms; i++) {
		uint32_t n = gl_object_nauxs(obj, i);

		for (uint32_t j = 0; j < n; j++) {
			struct gl_aux a = gl_object_aux(obj, i, j);
			if (!symref_ok(obj, a.sym)) {
				return bad(obj, err, "auxiliary symbol that does not exist, of number", i);
			}
			if (a.type != GL_AUX_FUNCINFO) {
				continue;
			}
			/* each of them, though a function should have one */
			struct gl_funcinfo fi;
			uint32_t info = gl_object_local(obj, a.sym), size;
			const uint8_t *p = info < obj->nsyms ? gl_object_data(obj, info, &size) : NULL;
			if (p == NULL || !gl_funcinfo_read(p, size, &fi)) {
				return bad(obj, err, "broken function information, number", i);
			}
			for (uint32_t k = 0; k < fi.nfiles; k++) {
				if (gl_funcinfo_file(&fi, k) >= obj->nfiles) {
					return bad(obj, err, "file number outside the file table, function", i);
				}
			}
			for (uint32_t k = 0; k < fi.ninltree; k++) {
				struct gl_inlnode node = gl_funcinfo_inlnode(&fi, k);
				if (node.file >= obj->nfiles || node.parent >= (int64_t)fi.ninltree ||
				    !symref_ok(obj, node.func)) {
					return bad(obj, err, "broken inlining tree, function", i);
				}
			}
		}
	}
	return 0;
}

/* Checks everything that the accessors take for granted. */
static int object_check(struct gl_object *obj, struct gl_error *err)
{
	const struct {
		uint32_t blk, n, size;
	} strings[] = { { BLK_AUTOLIB, obj->nautolib, AUTOLIB_SIZE },
			{ BLK_PKGIDX, obj->npkgs, STRINGREF_SIZE },
			{ BLK_FILE, obj->nfiles, STRINGREF_SIZE } };

	for (size_t s = 0; s < sizeof(strings) / sizeof(strings[0]); s++) {
		for (uint32_t i = 0; i < strings[s].n; i++) {
			if (!str_ok(obj, obj->base + obj->off[strings[s].blk] + (size_t)i * strings[s].size)) {
				return bad(obj, err, "string outside the file, or with a NUL in it, block",
					   strings[s].blk);
			}
		}
	}
	if (check_index(obj, BLK_RELOCIDX, (obj->off[BLK_RELOC + 1] - obj->off[BLK_RELOC]) / RELOC_SIZE, err) != 0 ||
	    check_index(obj, BLK_AUXIDX, (obj->off[BLK_AUX + 1] - obj->off[BLK_AUX]) / AUX_SIZE, err) != 0 ||
	    check_index(obj, BLK_DATAIDX, obj->off[BLK_DATA + 1] - obj->off[BLK_DATA], err) != 0 ||
	    check_syms(obj, err) != 0 || check_relocs(obj, err) != 0 || check_auxs(obj, err) != 0) {
		return -1;
	}
	for (uint32_t i = 0; i < obj->nrefnames; i++) {
		const uint8_t *p = obj->base + obj->off[BLK_REFNAME] + (size_t)i * REFNAME_SIZE;
		if (!str_ok(obj, p + 8)) {
			return bad(obj, err,
				   "name of a referenced symbol outside the file, or with a NUL in it, number", i);
		}
	}
	return 0;
}

/* RefNames come in no order; a table makes each look-up one probe. */
static int object_index_refnames(struct gl_object *obj, struct gl_error *err)
{
	uint32_t size = 16;

	while (size < obj->nrefnames * 2) {
		size *= 2;
	}
	obj->refname_table = calloc(size, sizeof(*obj->refname_table));
	if (obj->refname_table == NULL) {
		return gl_fail(err, GL_ENOMEM, "%s: out of memory", obj->pkg->file);
	}
	obj->refname_mask = size - 1;
	for (uint32_t i = 0; i < obj->nrefnames; i++) {
		struct gl_symref ref = get_symref(obj->base + obj->off[BLK_REFNAME] + (size_t)i * REFNAME_SIZE);
		uint32_t h = refname_hash(ref) & obj->refname_mask;
		while (obj->refname_table[h] != 0) {
			h = (h + 1) & obj->refname_mask;
		}
		obj->refname_table[h] = i + 1;
	}
	return 0;
}

int object_open(struct gl_object *obj, struct gl_error *err)
{
	bool ok = object_read_header(obj, err) == 0 && object_check(obj, err) == 0 &&
		  object_index_refnames(obj, err) == 0;

	return ok ? 0 : -1;
}

/* ---- accessors: everything below is in bounds by object_check ------------------------------------------------------
 */

/* ---- names alone ------------------------------------------------------------------------------------------------ */

struct gl_symnames {
	struct gl_package pkg; /* file and map; no objects */
	struct gl_object obj;  /* _go_.o, of which only the header is checked */
};

static const uint8_t *second_entry(const struct gl_package *pkg)
{
	char digits[11] = "";

	if (pkg->size < sizeof(ar_magic) + ENTRY_SIZE || memcmp(pkg->map, ar_magic, sizeof(ar_magic)) != 0) {
		return NULL;
	}
	memcpy(digits, pkg->map + sizeof(ar_magic) + 48, 10);
	unsigned long size = strtoul(digits, NULL, 10), at = sizeof(ar_magic) + ENTRY_SIZE;
	if (size > pkg->size - at || pkg->size - at - size <= ENTRY_SIZE + 1) {
		return NULL;
	}
	return pkg->map + at + size + (size & 1);
}

struct gl_symnames *gl_symnames_open(const char *path, const struct gl_abi *abi, struct gl_error *err)
{
	struct gl_symnames *names = calloc(1, sizeof(*names));
	static const char member[] = "_go_.o ";
	const uint8_t *entry, *end = NULL;

	if (names == NULL || (names->pkg.file = strdup(path)) == NULL) {
		gl_fail(err, GL_ENOMEM, "%s: out of memory", path);
		goto fail;
	}
	if (package_map(&names->pkg, 0, err) != 0) {
		goto fail;
	}
	/* the compiler's object is the second entry, behind the export data, whose pages need not be touched */
	entry = second_entry(&names->pkg);
	size_t left = entry == NULL ? 0 : names->pkg.size - (size_t)(entry - names->pkg.map);
	if (left > ENTRY_SIZE && memcmp(entry, member, sizeof(member) - 1) == 0) {
		const uint8_t *header = entry + ENTRY_SIZE, *eol = memchr(header, '\n', left - ENTRY_SIZE);
		if (eol != NULL &&
		    gl_abi_check_header(abi, path, (const char *)header, (size_t)(eol - header), err) != 0) {
			goto fail;
		}
		end = memmem(header, left - ENTRY_SIZE, "\n!\n", 3);
	}
	if (end == NULL) {
		gl_fail(err, GL_EMISMATCH, "%s holds no object of \"%s\"", path, abi->object_header);
		goto fail;
	}
	names->obj = (struct gl_object){ .pkg = &names->pkg, .base = end + 3 };
	names->obj.size = names->pkg.size - (size_t)(names->obj.base - names->pkg.map);
	snprintf(names->obj.member, sizeof(names->obj.member), "_go_.o");
	if (object_read_header(&names->obj, err) != 0) {
		goto fail;
	}
	for (uint32_t i = 0; i < names->obj.nautolib; i++) {
		if (!str_ok(&names->obj, names->obj.base + names->obj.off[BLK_AUTOLIB] + (size_t)i * AUTOLIB_SIZE)) {
			bad(&names->obj, err, "import outside the file, number", i);
			goto fail;
		}
	}
	return names;

fail:
	gl_symnames_close(names);
	return NULL;
}

void gl_symnames_close(struct gl_symnames *names)
{
	if (names != NULL) {
		if (names->pkg.map != NULL) {
			munmap((void *)names->pkg.map, names->pkg.size);
		}
		free(names->pkg.file);
		free(names);
	}
}

const struct gl_object *gl_symnames_object(const struct gl_symnames *names) { return &names->obj; }

struct gl_str gl_symnames_get(const struct gl_symnames *names, const uint8_t fingerprint[8], uint32_t i)
{
	const struct gl_object *obj = &names->obj;
	const uint8_t *p = obj->base + obj->off[BLK_SYMDEF] + (size_t)i * SYM_SIZE;

	if (i >= obj->nsymdef || memcmp(obj->base + 8, fingerprint, 8) != 0 || !str_ok(obj, p)) {
		return (struct gl_str){ "", 0 };
	}
	return get_str(obj, p);
}

const struct gl_package *gl_object_package(const struct gl_object *obj) { return obj->pkg; }
const char *gl_object_member(const struct gl_object *obj) { return obj->member; }
bool gl_object_from_assembly(const struct gl_object *obj) { return (obj->flags & OBJ_FLAG_FROM_ASSEMBLY) != 0; }
uint32_t gl_object_nsyms(const struct gl_object *obj) { return obj->nsyms; }
uint32_t gl_object_ntotal(const struct gl_object *obj) { return obj->ntotal; }
uint32_t gl_object_npkgs(const struct gl_object *obj) { return obj->npkgs; }
uint32_t gl_object_nautolib(const struct gl_object *obj) { return obj->nautolib; }
uint32_t gl_object_nfiles(const struct gl_object *obj) { return obj->nfiles; }

struct gl_str gl_object_pkg(const struct gl_object *obj, uint32_t i)
{
	return get_str(obj, obj->base + obj->off[BLK_PKGIDX] + (size_t)i * STRINGREF_SIZE);
}

struct gl_str gl_object_autolib(const struct gl_object *obj, uint32_t i)
{
	return get_str(obj, obj->base + obj->off[BLK_AUTOLIB] + (size_t)i * AUTOLIB_SIZE);
}

const uint8_t *gl_object_autolib_fingerprint(const struct gl_object *obj, uint32_t i)
{
	return obj->base + obj->off[BLK_AUTOLIB] + (size_t)i * AUTOLIB_SIZE + STRINGREF_SIZE;
}

const uint8_t *gl_object_fingerprint(const struct gl_object *obj) { return obj->base + 8; }

struct gl_str gl_object_file(const struct gl_object *obj, uint32_t i)
{
	return get_str(obj, obj->base + obj->off[BLK_FILE] + (size_t)i * STRINGREF_SIZE);
}

struct gl_sym gl_object_sym(const struct gl_object *obj, uint32_t i)
{
	/* the five symbol blocks follow each other without a gap, so that one number finds all */
	const uint8_t *p = obj->base + obj->off[BLK_SYMDEF] + (size_t)i * SYM_SIZE;

	return (struct gl_sym){ .name = get_str(obj, p),
				.abi = get16(p + 8),
				.type = p[10],
				.flag = p[11],
				.flag2 = p[12],
				.size = get32(p + 13),
				.align = get32(p + 17) };
}

uint32_t gl_object_local(const struct gl_object *obj, struct gl_symref ref)
{
	switch (ref.pkg) {
	case GL_PKG_SELF: return ref.sym;
	case GL_PKG_HASHED64: return obj->nsymdef + ref.sym;
	case GL_PKG_HASHED: return obj->nsymdef + obj->nhashed64 + ref.sym;
	case GL_PKG_NONE: return obj->nsymdef + obj->nhashed64 + obj->nhashed + ref.sym;
	default: return UINT32_MAX;
	}
}

uint32_t gl_object_nrefnames(const struct gl_object *obj) { return obj->nrefnames; }

uint32_t gl_object_find_ref(const struct gl_object *obj, struct gl_symref ref)
{
	uint32_t h = refname_hash(ref) & obj->refname_mask;

	for (; obj->refname_table[h] != 0; h = (h + 1) & obj->refname_mask) {
		uint32_t i = obj->refname_table[h] - 1;
		struct gl_symref have = get_symref(obj->base + obj->off[BLK_REFNAME] + (size_t)i * REFNAME_SIZE);
		if (have.pkg == ref.pkg && have.sym == ref.sym) {
			return i;
		}
	}
	return UINT32_MAX;
}

struct gl_str gl_object_refname_at(const struct gl_object *obj, uint32_t i)
{
	return get_str(obj, obj->base + obj->off[BLK_REFNAME] + (size_t)i * REFNAME_SIZE + 8);
}

struct gl_str gl_object_refname(const struct gl_object *obj, struct gl_symref ref)
{
	uint32_t i = gl_object_find_ref(obj, ref);

	return i != UINT32_MAX ? gl_object_refname_at(obj, i) : (struct gl_str){ "", 0 };
}

bool gl_object_is_hashed(const struct gl_object *obj, uint32_t i)
{
	return i >= obj->nsymdef && i < obj->nsymdef + obj->nhashed64 + obj->nhashed;
}

bool gl_object_is_nonpkg(const struct gl_object *obj, uint32_t i)
{
	return i >= obj->nsymdef + obj->nhashed64 + obj->nhashed;
}

void gl_object_hash(const struct gl_object *obj, uint32_t i, uint8_t hash[16])
{
	i -= obj->nsymdef;
	if (i < obj->nhashed64) {
		memcpy(hash, obj->base + obj->off[BLK_HASH64] + (size_t)i * HASH64_SIZE, HASH64_SIZE);
		memset(hash + HASH64_SIZE, 0, HASH_SIZE - HASH64_SIZE);
	} else {
		i -= obj->nhashed64;
		memcpy(hash, obj->base + obj->off[BLK_HASH] + (size_t)i * HASH_SIZE, HASH_SIZE);
	}
}

static uint32_t index_at(const struct gl_object *obj, uint32_t blk, uint32_t i)
{
	return get32(obj->base + obj->off[blk] + 4 * (size_t)i);
}

const uint8_t *gl_object_data(const struct gl_object *obj, uint32_t i, uint32_t *size)
{
	uint32_t off = index_at(obj, BLK_DATAIDX, i);

	*size = index_at(obj, BLK_DATAIDX, i + 1) - off;
	return obj->base + obj->off[BLK_DATA] + off;
}

uint32_t gl_object_nrelocs(const struct gl_object *obj, uint32_t i)
{
	return index_at(obj, BLK_RELOCIDX, i + 1) - index_at(obj, BLK_RELOCIDX, i);
}

struct gl_reloc gl_object_reloc(const struct gl_object *obj, uint32_t i, uint32_t j)
{
	const uint8_t *p = obj->base + obj->off[BLK_RELOC] + ((size_t)index_at(obj, BLK_RELOCIDX, i) + j) * RELOC_SIZE;

	return (struct gl_reloc){ .off = (int32_t)get32(p),
				  .size = p[4],
				  .type = get16(p + 5),
				  .add = (int64_t)get64(p + 7),
				  .sym = get_symref(p + 15) };
}

uint32_t gl_object_nauxs(const struct gl_object *obj, uint32_t i)
{
	return index_at(obj, BLK_AUXIDX, i + 1) - index_at(obj, BLK_AUXIDX, i);
}

struct gl_aux gl_object_aux(const struct gl_object *obj, uint32_t i, uint32_t j)
{
	const uint8_t *p = obj->base + obj->off[BLK_AUX] + ((size_t)index_at(obj, BLK_AUXIDX, i) + j) * AUX_SIZE;

	return (struct gl_aux){ .type = p[0], .sym = get_symref(p + 1) };
}

bool gl_funcinfo_read(const uint8_t *p, uint32_t size, struct gl_funcinfo *fi)
{
	if (size < FUNCINFO_SIZE) {
		return false;
	}
	*fi = (struct gl_funcinfo){ .args = get32(p),
				    .locals = get32(p + 4),
				    .func_id = p[8],
				    .func_flag = p[9],
				    .start_line = (int32_t)get32(p + 12),
				    .nfiles = get32(p + 16),
				    .files = p + 20 };
	if (fi->nfiles > (size - FUNCINFO_SIZE) / 4) {
		return false;
	}
	fi->inltree = p + 20 + 4 * (size_t)fi->nfiles + 4;
	fi->ninltree = get32(fi->inltree - 4);
	return fi->ninltree <= (size - FUNCINFO_SIZE - 4 * fi->nfiles) / INLNODE_SIZE;
}

bool gl_object_funcinfo(const struct gl_object *obj, uint32_t i, struct gl_funcinfo *fi)
{
	uint32_t n = gl_object_nauxs(obj, i);

	for (uint32_t j = 0; j < n; j++) {
		struct gl_aux aux = gl_object_aux(obj, i, j);
		if (aux.type == GL_AUX_FUNCINFO) {
			uint32_t size;
			const uint8_t *p = gl_object_data(obj, gl_object_local(obj, aux.sym), &size);
			return gl_funcinfo_read(p, size, fi);
		}
	}
	return false;
}

uint32_t gl_funcinfo_file(const struct gl_funcinfo *fi, uint32_t k) { return get32(fi->files + 4 * (size_t)k); }

struct gl_inlnode gl_funcinfo_inlnode(const struct gl_funcinfo *fi, uint32_t k)
{
	const uint8_t *p = fi->inltree + (size_t)k * INLNODE_SIZE;

	return (struct gl_inlnode){ .parent = (int32_t)get32(p),
				    .file = get32(p + 4),
				    .line = (int32_t)get32(p + 8),
				    .func = get_symref(p + 12),
				    .parent_pc = (int32_t)get32(p + 20) };
}

bool gl_reloc_is_marker(const struct gl_abi *abi, int type)
{
	return type == abi->R_USETYPE || type == abi->R_USEIFACE || type == abi->R_USEIFACEMETHOD ||
	       type == abi->R_USENAMEDMETHOD || type == abi->R_USEGENERICIFACEMETHOD || type == abi->R_USEFIELD ||
	       type == abi->R_CALLIND;
}
