/* Go objects, written (see writer.h).
 *
 * Each block grows in a buffer of its own, strings in another; at the end they are put behind each other, as the header
 * lists them. Symbols that are kept get their numbers first, so that every reference to them is known when it is met;
 * references by name and by foreign number are numbered as they turn up. */
#include "writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "goobj.h"

/* A foreign symbol that has its RefName. */
struct named {
	struct gl_symref ref; /* pkg 0: an empty place */
};

struct writer {
	const struct gl_object *obj;
	const uint8_t *keep; /* per symbol */
	const struct gl_keep *how;

	uint32_t *number; /* per symbol: 1 + its new number, where it stays a definition */
	uint32_t *ref;    /* per symbol: 1 + its number among the references by name */
	bool *has_file;   /* per file: is it named by what is kept? */
	bool *is_info;    /* per symbol: a FuncInfo, which numbers symbols within its data */
	uint32_t first[BLK_NONPKGREF - BLK_SYMDEF + 1]; /* new number of each block's first symbol */
	uint32_t nrefs;

	struct named *named; /* open addressing */
	uint32_t nnamed, cap_named;

	struct gl_bytes strings, blocks[NBLK];
	bool failed;
};

/* ---- bytes ------------------------------------------------------------------------------------------------------ */

void gl_bytes_add(struct gl_bytes *bytes, const void *p, size_t n)
{
	if (bytes->failed || n > UINT32_MAX - bytes->n) {
		bytes->failed = true;
		return;
	}
	if (n > bytes->cap - bytes->n) {
		size_t cap = (bytes->n + n) * 2;
		uint8_t *grown = realloc(bytes->p, cap);
		if (grown == NULL) {
			bytes->failed = true;
			return;
		}
		bytes->p = grown;
		bytes->cap = cap;
	}
	if (n > 0) {
		memcpy(bytes->p + bytes->n, p, n);
		bytes->n += n;
	}
}

static void put8(struct gl_bytes *b, uint8_t v) { gl_bytes_add(b, &v, sizeof(v)); }
static void put16(struct gl_bytes *b, uint16_t v) { gl_bytes_add(b, &v, sizeof(v)); }
static void put32(struct gl_bytes *b, uint32_t v) { gl_bytes_add(b, &v, sizeof(v)); }
static void put64(struct gl_bytes *b, uint64_t v) { gl_bytes_add(b, &v, sizeof(v)); }

static void put_ref(struct gl_bytes *b, struct gl_symref ref)
{
	put32(b, ref.pkg);
	put32(b, ref.sym);
}

static void put_str(struct writer *w, struct gl_bytes *b, struct gl_str s)
{
	put32(b, s.n);
	put32(b, s.n > 0 ? (uint32_t)(HEADER_SIZE + w->strings.n) : 0);
	gl_bytes_add(&w->strings, s.p, s.n);
}

/* ---- references ------------------------------------------------------------------------------------------------- */

static struct named *find_named(const struct writer *w, struct gl_symref ref)
{
	uint32_t h = (ref.pkg * 0x9e3779b1u) ^ (ref.sym * 0x85ebca6bu);

	for (;; h++) {
		struct named *at = &w->named[h & (w->cap_named - 1)];
		if (at->ref.pkg == 0 || (at->ref.pkg == ref.pkg && at->ref.sym == ref.sym)) {
			return at;
		}
	}
}

static void grow_named(struct writer *w)
{
	struct named *old = w->named;
	uint32_t n = w->cap_named;
	struct named *grown = calloc(n == 0 ? 64 : (size_t)n * 2, sizeof(*grown));

	if (grown == NULL) {
		w->failed = true;
		return;
	}
	w->named = grown;
	w->cap_named = n == 0 ? 64 : n * 2;
	for (uint32_t i = 0; i < n; i++) {
		if (old[i].ref.pkg != 0) {
			*find_named(w, old[i].ref) = old[i];
		}
	}
	free(old);
}

/* Another package's symbol keeps its number there, under which its name is noted. */
static void name_foreign(struct writer *w, struct gl_symref ref)
{
	if (w->nnamed * 2 >= w->cap_named) {
		grow_named(w);
	}
	if (w->failed) {
		return;
	}
	struct named *at = find_named(w, ref);
	if (at->ref.pkg != 0) {
		return;
	}
	at->ref = ref;
	w->nnamed++;
	struct gl_str name = w->how->name(w->how->arg, w->obj, ref);
	if (name.n > 0) {
		put_ref(&w->blocks[BLK_REFNAME], ref);
		put_str(w, &w->blocks[BLK_REFNAME], name);
	}
}

static struct gl_symref new_ref(struct writer *w, struct gl_symref ref)
{
	static const uint32_t packages[] = { GL_PKG_SELF, GL_PKG_HASHED64, GL_PKG_HASHED, GL_PKG_NONE };
	uint32_t i = gl_object_local(w->obj, ref);

	if (ref.pkg == GL_PKG_INVALID || ref.pkg == GL_PKG_BUILTIN) {
		return ref;
	}
	if (i == UINT32_MAX) {
		name_foreign(w, ref);
		return ref;
	}
	if (w->number[i] != 0) {
		uint32_t number = w->number[i] - 1, blk = 3;
		while (number < w->first[blk]) {
			blk--;
		}
		return (struct gl_symref){ packages[blk], number - w->first[blk] };
	}
	if (w->ref[i] == 0) {
		struct gl_bytes *b = &w->blocks[BLK_NONPKGREF];
		struct gl_sym sym = gl_object_sym(w->obj, i);
		/* what the name of a variable without content means may be a function in assembly (link/bind.c) */
		uint32_t size = 0;
		bool is_data = i < gl_object_nsyms(w->obj) && sym.type != w->how->abi->STEXT &&
			       sym.type != w->how->abi->STEXTFIPS && gl_object_data(w->obj, i, &size) != NULL &&
			       size > 0;

		put_str(w, b, sym.name);
		put16(b, is_data ? GL_ABIINTERNAL : sym.abi);
		gl_bytes_add(b, (uint8_t[SYM_SIZE - STRINGREF_SIZE - 2]){ 0 }, SYM_SIZE - STRINGREF_SIZE - 2);
		w->ref[i] = ++w->nrefs;
	}
	uint32_t ndefs = w->first[BLK_NONPKGREF - BLK_SYMDEF] - w->first[BLK_NONPKGDEF - BLK_SYMDEF];
	return (struct gl_symref){ GL_PKG_NONE, ndefs + w->ref[i] - 1 };
}

/* Files keep their numbers, which the tables of lines are full of; those that nobody names lose their names. */
static uint32_t use_file(struct writer *w, uint32_t file)
{
	w->has_file[file] = true;
	return file;
}

/* ---- symbols ---------------------------------------------------------------------------------------------------- */

bool gl_writer_keeps_aux(uint8_t type)
{
	return type == GL_AUX_GOTYPE || type == GL_AUX_FUNCINFO || type == GL_AUX_FUNCDATA ||
	       (type >= GL_AUX_PCSP && type <= GL_AUX_PCDATA);
}

/* Numbers the definitions that stay, block by block. */
static void number_symbols(struct writer *w)
{
	const struct gl_object *obj = w->obj;
	const uint32_t sizes[] = { obj->nsymdef, obj->nhashed64, obj->nhashed, obj->nnonpkgdef };
	uint32_t i = 0, n = 0;

	for (uint32_t blk = 0; blk < 4; blk++) {
		w->first[blk] = n;
		for (uint32_t end = i + sizes[blk]; i < end; i++) {
			w->number[i] = w->keep[i] != 0 ? ++n : 0;
		}
	}
	w->first[4] = n;
	for (i = 0; i < obj->nsyms; i++) {
		uint32_t nauxs = w->keep[i] != 0 ? gl_object_nauxs(obj, i) : 0;
		for (uint32_t j = 0; j < nauxs; j++) {
			struct gl_aux aux = gl_object_aux(obj, i, j);
			if (aux.type == GL_AUX_FUNCINFO) {
				w->is_info[gl_object_local(obj, aux.sym)] = true;
			}
		}
	}
}

static void put_definition(struct writer *w, uint32_t i)
{
	static const uint8_t blocks[] = { BLK_SYMDEF, BLK_HASHED64DEF, BLK_HASHEDDEF, BLK_NONPKGDEF };
	struct gl_sym sym = gl_object_sym(w->obj, i);
	uint32_t number = w->number[i] - 1, blk = 3;

	while (number < w->first[blk]) {
		blk--;
	}
	struct gl_bytes *b = &w->blocks[blocks[blk]];
	put_str(w, b, sym.name);
	put16(b, sym.abi);
	put8(b, sym.type);
	put8(b, sym.flag);
	put8(b, sym.flag2);
	put32(b, (w->keep[i] & GL_KEEP_BODY) != 0 ? sym.size : 0);
	put32(b, sym.align);
	if (blk == 1 || blk == 2) {
		uint8_t hash[HASH_SIZE];
		gl_object_hash(w->obj, i, hash);
		gl_bytes_add(&w->blocks[blk == 1 ? BLK_HASH64 : BLK_HASH], hash, blk == 1 ? HASH64_SIZE : HASH_SIZE);
	}
}

/* FuncInfo with its inlined functions under their new numbers; of a function without a body the head alone,
 * which tells what kind of function it is and where it starts. */
static void put_funcinfo(struct writer *w, uint32_t i)
{
	struct gl_bytes *b = &w->blocks[BLK_DATA];
	uint32_t size;
	const uint8_t *p = gl_object_data(w->obj, i, &size);
	struct gl_funcinfo fi;

	gl_funcinfo_read(p, size, &fi);
	if ((w->keep[i] & GL_KEEP_BODY) == 0) {
		fi.nfiles = fi.ninltree = 0;
	}
	gl_bytes_add(b, p, FUNCINFO_SIZE - 8);
	put32(b, fi.nfiles);
	for (uint32_t k = 0; k < fi.nfiles; k++) {
		put32(b, use_file(w, gl_funcinfo_file(&fi, k)));
	}
	put32(b, fi.ninltree);
	for (uint32_t k = 0; k < fi.ninltree; k++) {
		struct gl_inlnode node = gl_funcinfo_inlnode(&fi, k);
		put32(b, (uint32_t)node.parent);
		put32(b, use_file(w, node.file));
		put32(b, (uint32_t)node.line);
		put_ref(b, new_ref(w, node.func));
		put32(b, (uint32_t)node.parent_pc);
	}
}

static void put_relocs(struct writer *w, uint32_t i)
{
	struct gl_bytes *b = &w->blocks[BLK_RELOC];
	uint32_t n = gl_object_nrelocs(w->obj, i);

	for (uint32_t j = 0; j < n; j++) {
		struct gl_reloc r = gl_object_reloc(w->obj, i, j);
		if (gl_reloc_is_marker(w->how->abi, r.type & ~w->how->abi->R_WEAK)) {
			continue;
		}
		put32(b, (uint32_t)r.off);
		put8(b, r.size);
		put16(b, r.type);
		put64(b, (uint64_t)r.add);
		put_ref(b, new_ref(w, r.sym));
	}
}

static void put_auxs(struct writer *w, uint32_t i)
{
	struct gl_bytes *b = &w->blocks[BLK_AUX];
	uint32_t n = gl_object_nauxs(w->obj, i);
	bool body = (w->keep[i] & GL_KEEP_BODY) != 0;

	for (uint32_t j = 0; j < n; j++) {
		struct gl_aux aux = gl_object_aux(w->obj, i, j);
		uint32_t local = gl_object_local(w->obj, aux.sym);
		bool wanted = body ? gl_writer_keeps_aux(aux.type) : aux.type == GL_AUX_FUNCINFO;
		if (aux.type == GL_AUX_DWARFINFO && local < w->obj->nsyms) {
			wanted = w->number[local] != 0;
		}
		if (wanted) {
			put8(b, aux.type);
			put_ref(b, new_ref(w, aux.sym));
		}
	}
}

static void put_symbol(struct writer *w, uint32_t i)
{
	put_definition(w, i);
	put32(&w->blocks[BLK_RELOCIDX], (uint32_t)(w->blocks[BLK_RELOC].n / RELOC_SIZE));
	put32(&w->blocks[BLK_AUXIDX], (uint32_t)(w->blocks[BLK_AUX].n / AUX_SIZE));
	put32(&w->blocks[BLK_DATAIDX], (uint32_t)w->blocks[BLK_DATA].n);
	if (w->is_info[i]) {
		put_funcinfo(w, i);
	} else if ((w->keep[i] & GL_KEEP_BODY) != 0) {
		uint32_t size;
		const uint8_t *p = gl_object_data(w->obj, i, &size);
		gl_bytes_add(&w->blocks[BLK_DATA], p, size);
		put_relocs(w, i);
	}
	put_auxs(w, i);
}

/* ---- an object -------------------------------------------------------------------------------------------------- */

static void put_packages(struct writer *w)
{
	/* number 0 is no package */
	for (uint32_t i = 0; i < w->obj->npkgs; i++) {
		put_str(w, &w->blocks[BLK_PKGIDX], gl_object_pkg(w->obj, i));
	}
	for (uint32_t i = 0; i < w->obj->nautolib; i++) {
		put_str(w, &w->blocks[BLK_AUTOLIB], gl_object_autolib(w->obj, i));
		const uint8_t *fingerprint = w->how->fingerprint != NULL ? w->how->fingerprint(w->how->arg, w->obj, i) :
									   gl_object_autolib_fingerprint(w->obj, i);
		gl_bytes_add(&w->blocks[BLK_AUTOLIB], fingerprint, AUTOLIB_SIZE - STRINGREF_SIZE);
	}
}

static void put_files(struct writer *w)
{
	for (uint32_t i = 0; i < w->obj->nfiles; i++) {
		bool has_name = w->has_file[i] || w->how->all_files;
		put_str(w, &w->blocks[BLK_FILE], has_name ? gl_object_file(w->obj, i) : (struct gl_str){ "", 0 });
	}
}

static void put_object(struct writer *w, struct gl_bytes *out)
{
	size_t at = HEADER_SIZE + w->strings.n;

	w->failed = w->failed || w->strings.failed;
	gl_bytes_add(out, GOOBJ_MAGIC, sizeof(GOOBJ_MAGIC) - 1);
	gl_bytes_add(out, gl_object_fingerprint(w->obj), 8);
	put32(out, w->obj->flags);
	for (uint32_t blk = 0; blk < NBLK; blk++) {
		w->failed = w->failed || w->blocks[blk].failed || at > UINT32_MAX;
		put32(out, (uint32_t)at);
		at += w->blocks[blk].n;
	}
	gl_bytes_add(out, w->strings.p, w->strings.n);
	for (uint32_t blk = 0; blk < NBLK; blk++) {
		gl_bytes_add(out, w->blocks[blk].p, w->blocks[blk].n);
	}
	out->failed = out->failed || w->failed;
}

static void write_object(const struct gl_object *obj, const uint8_t *keep, const struct gl_keep *how,
			 struct gl_bytes *out)
{
	struct writer w = { .obj = obj, .keep = keep, .how = how };

	w.number = calloc((size_t)obj->ntotal + 1, sizeof(*w.number));
	w.ref = calloc((size_t)obj->ntotal + 1, sizeof(*w.ref));
	w.has_file = calloc((size_t)obj->nfiles + 1, sizeof(*w.has_file));
	w.is_info = calloc((size_t)obj->nsyms + 1, sizeof(*w.is_info));
	if (w.number == NULL || w.ref == NULL || w.has_file == NULL || w.is_info == NULL) {
		out->failed = true;
		goto done;
	}
	number_symbols(&w);
	put_packages(&w);
	for (uint32_t i = 0; i < obj->nsyms && !w.failed; i++) {
		if (keep[i] != 0) {
			put_symbol(&w, i);
		}
	}
	put32(&w.blocks[BLK_RELOCIDX], (uint32_t)(w.blocks[BLK_RELOC].n / RELOC_SIZE));
	put32(&w.blocks[BLK_AUXIDX], (uint32_t)(w.blocks[BLK_AUX].n / AUX_SIZE));
	put32(&w.blocks[BLK_DATAIDX], (uint32_t)w.blocks[BLK_DATA].n);
	put_files(&w);
	put_object(&w, out);

done:
	free(w.number);
	free(w.ref);
	free(w.has_file);
	free(w.is_info);
	free(w.named);
	free(w.strings.p);
	for (uint32_t blk = 0; blk < NBLK; blk++) {
		free(w.blocks[blk].p);
	}
}

/* ---- the archive ------------------------------------------------------------------------------------------------ */

/* An archive's entry: its head, with the size filled in once it is known (cmd/internal/archive). */
static size_t begin_entry(struct gl_bytes *out, const char *name)
{
	char head[ENTRY_SIZE + 1];

	snprintf(head, sizeof(head), "%-16.16s%-12d%-6d%-6d%-8o%-10d`\n", name, 0, 0, 0, 0644u, 0);
	gl_bytes_add(out, head, ENTRY_SIZE);
	return out->n;
}

static void end_entry(struct gl_bytes *out, size_t begin)
{
	char size[11];

	if (!out->failed) {
		snprintf(size, sizeof(size), "%-10zu", out->n - begin);
		memcpy(out->p + begin - ENTRY_SIZE + 48, size, sizeof(size) - 1);
		if (((out->n - begin) & 1) != 0) {
			put8(out, 0);
		}
	}
}

/* The text before an object, but for its second line: the go command's hashes of what the package was made by, which
 * differ from one folder to the next. */
static void put_text(const struct gl_object *obj, struct gl_bytes *out)
{
	static const char build_id[] = "build id ";
	size_t size = (size_t)(obj->base - obj->text);
	const uint8_t *first = memchr(obj->text, '\n', size), *second;

	if (first != NULL && size - (size_t)(first + 1 - obj->text) > sizeof(build_id) &&
	    memcmp(first + 1, build_id, sizeof(build_id) - 1) == 0) {
		second = memchr(first + 1, '\n', size - (size_t)(first + 1 - obj->text));
		if (second != NULL) {
			gl_bytes_add(out, obj->text, (size_t)(first - obj->text));
			gl_bytes_add(out, second, (size_t)(obj->base - second));
			return;
		}
	}
	gl_bytes_add(out, obj->text, size);
}

int gl_package_write(const struct gl_package *pkg, const struct gl_keep *keep, struct gl_bytes *out,
		     struct gl_error *err)
{
	static const char before_exports[] = "\n\n$$B\n";
	const char *header = gl_package_header(pkg);
	size_t size;
	const uint8_t *exports = gl_package_exports(pkg, &size);

	gl_bytes_add(out, AR_MAGIC, sizeof(AR_MAGIC) - 1);
	if (keep->exports && exports != NULL) {
		size_t begin = begin_entry(out, "__.PKGDEF");
		gl_bytes_add(out, header, strlen(header));
		gl_bytes_add(out, before_exports, sizeof(before_exports) - 1);
		gl_bytes_add(out, exports, size);
		end_entry(out, begin);
	}
	for (uint32_t o = 0; o < gl_package_nobjects(pkg); o++) {
		const struct gl_object *obj = gl_package_object(pkg, o);
		size_t begin = begin_entry(out, gl_object_member(obj));
		put_text(obj, out);
		write_object(obj, keep->symbols[o], keep, out);
		end_entry(out, begin);
	}
	return out->failed ? gl_fail(err, GL_ENOMEM, "%s: out of memory", gl_package_file(pkg)) : 0;
}
