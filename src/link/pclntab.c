/* What the runtime needs to walk stacks through a unit's functions, grow and shrink them, and name them in tracebacks.
 *
 * The tables are those of cmd/link/internal/ld/pcln.go, read by runtime/symtab.go; they follow each other in rodata:
 *
 *     pcHeader      magic and offsets: the host's own, with our numbers
 *     funcnametab   names, each ended by NUL
 *     cutab         for each object, and each file number in it, the offset of the file's name in
 *     filetab       file names, each ended by NUL
 *     pctab         the compiler's pc-value tables, byte for byte; offset 0 means "none"
 *     functab       (entry, offset) pairs sorted by entry, then one _func per function with its pcdata and funcdata
 *     inline trees  arrays of inlinedCall, which functions reach as funcdata
 *
 * They hold nothing but offsets, so that they are built before the unit has addresses. Once it has, they are copied,
 * and all that the offsets lead to is counted from one address, the same for all modules (lookup.h tells why). */
#include "../grow.h"
#include "link.h"

#include <stdlib.h>
#include <string.h>

struct buffer {
	uint8_t *p;
	size_t n, cap;
};

/* A function name in funcnametab, with what is known of the function where it was inlined. */
struct name_entry {
	struct gl_str name; /* an object's or an archive's, which the load keeps */
	uint32_t off;
	bool known;
	uint8_t func_id;
	int32_t start_line;
	UT_hash_handle hh;
};

struct file_entry {
	char *name;
	uint32_t off;
	UT_hash_handle hh;
};

/* An object's part of cutab. */
struct cu_entry {
	const struct lobj *obj;
	uint32_t max;    /* entries: highest file number in use, plus one */
	uint32_t off;    /* of the first in cutab */
	uint32_t *names; /* per file: offset of its name in filetab, UINT32_MAX where no function of the unit uses it */
	UT_hash_handle hh;
};

struct builder {
	struct link *l;
	struct unit *u;
	struct buffer names, files, pctab, funcs, inltrees;
	struct name_entry *name_table;
	struct gl_pool pool; /* its entries */
	struct file_entry *file_table;
	struct cu_entry *cus;
	uint32_t ncutab;
	uint32_t *func_off; /* of each function's _func in functab */
	bool failed;
};

/* Grows by size zeroed bytes at an alignment; returns their offset. */
static size_t reserve(struct builder *b, struct buffer *buf, size_t size, size_t align)
{
	size_t at = round_up(buf->n, align);

	if (!GL_RESERVE(buf->p, buf->n, at + size - buf->n, buf->cap)) {
		gl_fail(b->l->err, GL_ENOMEM, "out of memory while building function tables");
		b->failed = true;
		return SIZE_MAX;
	}
	memset(buf->p + buf->n, 0, at + size - buf->n);
	buf->n = at + size;
	return at;
}

static uint32_t append(struct builder *b, struct buffer *buf, const void *data, size_t size)
{
	size_t at = reserve(b, buf, size, 1);

	if (at == SIZE_MAX) {
		return 0;
	}
	memcpy(buf->p + at, data, size);
	return (uint32_t)at;
}

static void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof(v)); }

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

static struct name_entry *func_name(struct builder *b, struct gl_str name)
{
	struct name_entry *e = NULL;

	HASH_FIND(hh, b->name_table, name.p, name.n, e);
	if (e != NULL) {
		return e;
	}
	e = gl_pool_take(&b->pool, sizeof(*e));
	if (e != NULL) {
		e->name = name;
		e->off = append(b, &b->names, name.p, name.n);
		append(b, &b->names, "", 1);
		HASH_ADD_KEYPTR(hh, b->name_table, e->name.p, e->name.n, e);
	}
	if (e == NULL || e->hh.tbl == NULL) {
		gl_fail(b->l->err, GL_ENOMEM, "out of memory while building function tables");
		b->failed = true;
		return NULL;
	}
	return e;
}

/* cmd/link/internal/ld/pcln.go, expandGoroot: the standard library's files are compiled as "$GOROOT/src/…". */
char *link_expand_file(const struct linker *linker, struct gl_str file)
{
	static const char goroot[] = "$GOROOT", sym_prefix[] = "gofile..";
	const char *root = linker->goroot;

	if (str_starts(file, sym_prefix)) {
		file.p += sizeof(sym_prefix) - 1;
		file.n -= (uint32_t)(sizeof(sym_prefix) - 1);
	}
	if (root != NULL && root[0] != '\0' && str_starts(file, goroot) && file.n > 7 && file.p[7] == '/') {
		size_t n = strlen(root);
		char *out = malloc(n + file.n);
		if (out != NULL) {
			memcpy(out, root, n);
			memcpy(out + n, file.p + 7, file.n - 7);
			out[n + file.n - 7] = '\0';
		}
		return out;
	}
	return strndup(file.p, file.n);
}

static uint32_t file_name(struct builder *b, struct gl_str file)
{
	char *name = link_expand_file(b->l->linker, file);
	struct file_entry *e = NULL;

	if (name == NULL) {
		goto fail;
	}
	HASH_FIND_STR(b->file_table, name, e);
	if (e != NULL) {
		free(name);
		return e->off;
	}
	e = calloc(1, sizeof(*e));
	if (e == NULL) {
		goto fail;
	}
	e->name = name;
	e->off = append(b, &b->files, name, strlen(name) + 1);
	uint32_t off = e->off;
	HASH_ADD_KEYPTR(hh, b->file_table, e->name, strlen(e->name), e);
	if (e->hh.tbl == NULL) {
		free(e);
		goto fail;
	}
	return off;

fail:
	free(name);
	gl_fail(b->l->err, GL_ENOMEM, "out of memory while building function tables");
	b->failed = true;
	return 0;
}

/* obj: NULL for code of the linker's own. */
static struct cu_entry *cu_of(struct builder *b, const struct lobj *obj)
{
	struct cu_entry *cu = NULL;
	uint32_t nfiles = obj != NULL ? gl_object_nfiles(obj->obj) : 1;

	HASH_FIND_PTR(b->cus, &obj, cu);
	if (cu != NULL) {
		return cu;
	}
	cu = calloc(1, sizeof(*cu));
	if (cu == NULL || (cu->names = malloc((nfiles + 1) * sizeof(*cu->names))) == NULL) {
		free(cu);
		gl_fail(b->l->err, GL_ENOMEM, "out of memory while building function tables");
		b->failed = true;
		return NULL;
	}
	memset(cu->names, 0xff, (nfiles + 1) * sizeof(*cu->names));
	cu->obj = obj;
	HASH_ADD_PTR(b->cus, obj, cu);
	if (cu->hh.tbl == NULL) {
		free(cu->names);
		free(cu);
		gl_fail(b->l->err, GL_ENOMEM, "out of memory while building function tables");
		b->failed = true;
		return NULL;
	}
	return cu;
}

static void use_file(struct builder *b, struct cu_entry *cu, uint32_t file)
{
	if (cu->names[file] == UINT32_MAX) {
		cu->names[file] = file_name(b, gl_object_file(cu->obj->obj, file));
	}
	if (cu->max < file + 1) {
		cu->max = file + 1;
	}
}

/* The only code of the linker's own that has a file: what calls main. */
static void use_file_of_main(struct builder *b)
{
	static const char name[] = "$GOROOT/src/runtime/proc.go";
	struct cu_entry *cu = cu_of(b, NULL);

	if (cu != NULL) {
		cu->names[0] = file_name(b, (struct gl_str){ name, sizeof(name) - 1 });
		cu->max = 1;
	}
}

/* Counts each object's files, then gives each object its part of cutab. */
static void collect_files(struct builder *b)
{
	for (uint32_t i = 0; i < b->u->nfuncs && !b->failed; i++) {
		const struct lsym *s = link_sym(b->l, b->u->funcs[i]);
		struct gl_funcinfo fi;
		if (s->synthetic == SYNTH_MAIN) {
			use_file_of_main(b);
		}
		if (s->obj == NULL || !gl_object_funcinfo(s->obj->obj, s->idx, &fi)) {
			continue;
		}
		struct cu_entry *cu = cu_of(b, s->obj);
		for (uint32_t k = 0; cu != NULL && k < fi.nfiles; k++) {
			use_file(b, cu, gl_funcinfo_file(&fi, k));
		}
		for (uint32_t k = 0; cu != NULL && k < fi.ninltree; k++) {
			use_file(b, cu, gl_funcinfo_inlnode(&fi, k).file);
		}
	}
	for (struct cu_entry *cu = b->cus; cu != NULL; cu = cu->hh.next) {
		cu->off = b->ncutab;
		b->ncutab += cu->max;
	}
}

/* ---- one function ----------------------------------------------------------------------------------------------- */

/* A pc-value table of the function's object, once per unit. */
static uint32_t pc_table(struct builder *b, const struct lobj *const_obj, struct gl_symref ref)
{
	struct lobj *obj = (struct lobj *)const_obj; /* its caches are ours */
	uint32_t i = gl_object_local(obj->obj, ref), size;

	if (ref.pkg == GL_PKG_INVALID || i >= gl_object_nsyms(obj->obj)) {
		return 0;
	}
	if (obj->pctab == NULL || obj->pctab_unit != b->u->id) {
		free(obj->pctab);
		obj->pctab = calloc(gl_object_nsyms(obj->obj) + 1, sizeof(*obj->pctab));
		obj->pctab_unit = (uint8_t)b->u->id;
		if (obj->pctab == NULL) {
			gl_fail(b->l->err, GL_ENOMEM, "out of memory while building function tables");
			b->failed = true;
			return 0;
		}
	}
	if (obj->pctab[i] == 0) {
		const uint8_t *data = gl_object_data(obj->obj, i, &size);
		obj->pctab[i] = size == 0 ? 0 : append(b, &b->pctab, data, size);
	}
	return obj->pctab[i];
}

/* The offset of the deferreturn call in the function, where a recovered panic goes on (computeDeferReturn). The call
 * instruction starts one byte before its operand: this is amd64's. */
static uint32_t deferreturn_of(struct builder *b, const struct lsym *s)
{
	uint32_t n = gl_object_nrelocs(s->obj->obj, s->idx);

	for (uint32_t j = 0; j < n; j++) {
		struct gl_reloc r = gl_object_reloc(s->obj->obj, s->idx, j);
		if ((int)r.type != b->l->linker->abi->R_CALL) {
			continue;
		}
		uint32_t t = link_resolve_ref(b->l, s->obj, r.sym, (enum unit_id)s->unit, s->self);
		if (t != NO_SYM && str_is(link_sym(b->l, t)->name, "runtime.deferreturn")) {
			return (uint32_t)r.off - 1;
		}
	}
	return 0;
}

/* What is known of an inlined function: from its own object, another of the module, or the host. */
static void learn_inlined(struct builder *b, struct name_entry *e, const struct lobj *obj, struct gl_symref ref)
{
	const struct gl_abi *abi = b->l->linker->abi;
	uint32_t i = gl_object_local(obj->obj, ref);
	struct gl_funcinfo fi;
	struct gl_image_sym host;

	e->known = true;
	bool found = i < gl_object_nsyms(obj->obj) && gl_object_funcinfo(obj->obj, i, &fi);
	bool tied = !found && link_tie(b->l, e->name) != TIE_NONE;
	for (uint32_t p = 0; tied && !found && p < b->l->npackages; p++) {
		const struct ldef *def = lpkg_find(&b->l->packages[p], e->name.p, e->name.n, GL_ABIINTERNAL);
		found = def != NULL && gl_object_funcinfo(def->obj->obj, def->idx, &fi);
	}
	if (found) {
		e->func_id = fi.func_id;
		e->start_line = fi.start_line;
		return;
	}
	if (!tied && gl_image_lookup(b->l->linker->image, e->name.p, e->name.n, &host)) {
		const uint8_t *func = host_func(b->l->linker, host.addr);
		if (func != NULL) {
			e->func_id = func[abi->func.funcID];
			e->start_line = (int32_t)get32(func + abi->func.startLine);
		}
	}
}

static uint32_t inline_tree(struct builder *b, const struct lsym *s, const struct gl_funcinfo *fi)
{
	const struct gl_abi *abi = b->l->linker->abi;
	size_t each = abi->inlinedCall.size;
	size_t at = reserve(b, &b->inltrees, fi->ninltree * each, 4);

	for (uint32_t k = 0; k < fi->ninltree && !b->failed; k++) {
		struct gl_inlnode node = gl_funcinfo_inlnode(fi, k);
		struct name_entry *e = func_name(b, link_ref_name(b->l, s->obj, node.func));
		if (e == NULL) {
			return 0;
		}
		if (!e->known) {
			learn_inlined(b, e, s->obj, node.func);
		}
		uint8_t *p = b->inltrees.p + at + k * each;
		p[abi->inlinedCall.funcID] = e->func_id;
		put32(p + abi->inlinedCall.nameOff, e->off);
		put32(p + abi->inlinedCall.parentPc, (uint32_t)node.parent_pc);
		put32(p + abi->inlinedCall.startLine, (uint32_t)e->start_line);
	}
	return (uint32_t)at;
}

enum { MAX_TABLES = 64 };

struct func_tables {
	uint32_t pcsp, pcfile, pcline, pcinline;
	uint32_t pcdata[MAX_TABLES], funcdata[MAX_TABLES];
	uint32_t npcdata, nfuncdata;
};

static int read_tables(struct builder *b, const struct lsym *s, struct func_tables *t)
{
	uint32_t n = gl_object_nauxs(s->obj->obj, s->idx);

	for (uint32_t j = 0; j < n; j++) {
		struct gl_aux aux = gl_object_aux(s->obj->obj, s->idx, j);
		switch (aux.type) {
		case GL_AUX_PCSP: t->pcsp = pc_table(b, s->obj, aux.sym); break;
		case GL_AUX_PCFILE: t->pcfile = pc_table(b, s->obj, aux.sym); break;
		case GL_AUX_PCLINE: t->pcline = pc_table(b, s->obj, aux.sym); break;
		case GL_AUX_PCINLINE: t->pcinline = pc_table(b, s->obj, aux.sym); break;
		case GL_AUX_PCDATA:
			if (t->npcdata < MAX_TABLES) {
				t->pcdata[t->npcdata++] = pc_table(b, s->obj, aux.sym);
			}
			break;
		case GL_AUX_FUNCDATA: {
			uint32_t f = link_resolve_ref(b->l, s->obj, aux.sym, (enum unit_id)s->unit, s->self);
			const struct lsym *fd = f == NO_SYM ? NULL : link_sym(b->l, f);
			if (t->nfuncdata == MAX_TABLES) {
				break;
			}
			if (fd != NULL && fd->state == SYM_FIXED) {
				return gl_fail(b->l->err, GL_EUNSUPPORTED,
					       "%.*s shares its metadata %.*s with the host", (int)s->name.n, s->name.p,
					       (int)fd->name.n, fd->name.p);
			}
			t->funcdata[t->nfuncdata++] =
				fd == NULL || fd->state != SYM_PLACED ? UINT32_MAX : (uint32_t)fd->addr;
			break;
		}
		default: break;
		}
	}
	return 0;
}

/* Bytes of pctab that say "no frame" over code of the linker's own: from the starting value -1 up by one (zigzag 2),
 * for all its bytes. */
static const uint8_t synthetic_pcsp[] = { 2, SYNTH_CODE_SIZE, 0 };

/* Where what calls main is, to whoever asks: at the call in runtime.main, as natively. A number of less than 2^13 from
 * the starting value -1 on, zigzag, takes two bytes. */
static void place_main(struct builder *b, struct gl_funcinfo *fi, struct func_tables *t)
{
	const struct gl_abi *abi = b->l->linker->abi;
	uint32_t step = ((uint32_t)gl_abi_const(abi, "runtime.main:call") + 1) * 2;
	const uint8_t line[] = { (uint8_t)(step | 0x80), (uint8_t)(step >> 7 & 0x7f), SYNTH_CODE_SIZE, 0 };

	fi->start_line = (int32_t)gl_abi_const(abi, "runtime.main:line");
	t->pcline = append(b, &b->pctab, line, sizeof(line));
	t->pcfile = append(b, &b->pctab, synthetic_pcsp, sizeof(synthetic_pcsp)); /* the first file, too */
}

/* What the runtime must know a function by. A goroutine that starts in the runtime is one of its own, and is neither
 * shown nor missed, unless it starts in main (runtime.isSystemGoroutine). */
static uint8_t func_id(const struct gl_abi *abi, const struct lsym *s, const struct gl_funcinfo *fi)
{
	int64_t main = s->synthetic == SYNTH_MAIN ? gl_abi_const(abi, "FuncID_runtime_main") : -1;

	return main >= 0 ? (uint8_t)main : fi->func_id;
}

/* Writes the _func of function number i; inline trees are noted as offsets among themselves, funcdata as addresses from
 * the start of rodata. */
static int add_func(struct builder *b, uint32_t i, uint32_t no_frame)
{
	const struct gl_abi *abi = b->l->linker->abi;
	const struct lsym *s = link_sym(b->l, b->u->funcs[i]);
	struct func_tables t = { 0 };
	struct gl_funcinfo fi = { 0 };
	bool has_info = s->obj != NULL && gl_object_funcinfo(s->obj->obj, s->idx, &fi);
	uint32_t inltree = UINT32_MAX, cu_off = UINT32_MAX;

	if (has_info) {
		if (read_tables(b, s, &t) != 0) {
			return -1;
		}
		if (fi.ninltree > 0) {
			inltree = inline_tree(b, s, &fi);
			uint32_t pc = (uint32_t)abi->PCDATA_InlTreeIndex, fd = (uint32_t)abi->FUNCDATA_InlTree;
			if (t.npcdata < pc + 1) {
				t.npcdata = pc + 1;
			}
			t.pcdata[pc] = t.pcinline;
			while (t.nfuncdata < fd + 1) {
				t.funcdata[t.nfuncdata++] = UINT32_MAX;
			}
		}
	}
	if (s->synthetic == SYNTH_MAIN) {
		place_main(b, &fi, &t);
	}
	if (has_info || s->synthetic == SYNTH_MAIN) {
		struct cu_entry *cu = NULL;
		HASH_FIND_PTR(b->cus, &s->obj, cu);
		cu_off = cu == NULL ? UINT32_MAX : cu->off;
	}
	struct name_entry *name = func_name(b, s->name);
	size_t at = reserve(b, &b->funcs, abi->func.size + (size_t)(t.npcdata + t.nfuncdata) * 4, 8);
	if (name == NULL || b->failed) {
		return -1;
	}
	b->func_off[i] = (uint32_t)at;
	uint8_t *p = b->funcs.p + at;
	put32(p + abi->func.entryOff, (uint32_t)s->addr);
	put32(p + abi->func.nameOff, name->off);
	put32(p + abi->func.args, has_info ? fi.args : 0);
	put32(p + abi->func.deferreturn, s->obj != NULL ? deferreturn_of(b, s) : 0);
	put32(p + abi->func.pcsp, s->synthetic != SYNTH_NONE ? no_frame : t.pcsp);
	put32(p + abi->func.pcfile, t.pcfile);
	put32(p + abi->func.pcln, t.pcline);
	put32(p + abi->func.npcdata, t.npcdata);
	put32(p + abi->func.cuOffset, cu_off);
	put32(p + abi->func.startLine, (uint32_t)fi.start_line);
	p[abi->func.funcID] = func_id(abi, s, &fi);
	p[abi->func.flag] = s->synthetic != SYNTH_NONE ? (uint8_t)abi->FuncFlagAsm : fi.func_flag;
	p[abi->func.nfuncdata] = (uint8_t)t.nfuncdata;
	p += abi->func.size;
	for (uint32_t k = 0; k < t.npcdata; k++, p += 4) {
		put32(p, t.pcdata[k]);
	}
	for (uint32_t k = 0; k < t.nfuncdata; k++, p += 4) {
		/* the trees come after the functions; their place is added when it is known (finish_inline_trees) */
		put32(p, fi.ninltree > 0 && k == (uint32_t)abi->FUNCDATA_InlTree ? inltree : t.funcdata[k]);
	}
	return 0;
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

/* Inline trees were noted by their offset among themselves; the runtime wants it from the start of rodata. */
static void finish_inline_trees(struct builder *b, uint32_t trees_off)
{
	const struct gl_abi *abi = b->l->linker->abi;

	for (uint32_t i = 0; i < b->u->nfuncs; i++) {
		const struct lsym *s = link_sym(b->l, b->u->funcs[i]);
		struct gl_funcinfo fi;
		if (s->obj == NULL || !gl_object_funcinfo(s->obj->obj, s->idx, &fi) || fi.ninltree == 0) {
			continue;
		}
		uint8_t *func = b->funcs.p + b->func_off[i];
		uint8_t *p = func + abi->func.size + 4 * (size_t)get32(func + abi->func.npcdata) +
			     4 * (size_t)abi->FUNCDATA_InlTree;
		put32(p, get32(p) + trees_off);
	}
}

static void builder_free(struct builder *b)
{
	struct file_entry *file = b->file_table;
	struct cu_entry *cu = b->cus;

	HASH_CLEAR(hh, b->name_table);
	HASH_CLEAR(hh, b->file_table);
	HASH_CLEAR(hh, b->cus);
	gl_pool_free(&b->pool);
	for (struct file_entry *next; file != NULL; file = next) {
		next = file->hh.next;
		free(file->name);
		free(file);
	}
	for (struct cu_entry *next; cu != NULL; cu = next) {
		next = cu->hh.next;
		free(cu->names);
		free(cu);
	}
	free(b->names.p);
	free(b->files.p);
	free(b->pctab.p);
	free(b->funcs.p);
	free(b->inltrees.p);
	free(b->func_off);
}

static void place(struct pclntab *t, size_t at, const struct buffer *from)
{
	if (from->n > 0) {
		memcpy(t->buf + at, from->p, from->n);
	}
}

static int assemble(struct builder *b, size_t rodata_off)
{
	const struct gl_abi *abi = b->l->linker->abi;
	struct pclntab *t = &b->u->pclntab;
	uint32_t nfuncs = b->u->nfuncs;
	size_t ftab = ((size_t)nfuncs + 2) * 8; /* with an entry where the code ends, and one that ends any search */

	t->names = round_up(abi->pcHeader.size, 8);
	t->cutab = round_up(t->names + b->names.n, 8);
	t->files = round_up(t->cutab + (size_t)b->ncutab * 4, 8);
	t->pctab = round_up(t->files + b->files.n, 8);
	t->functab = round_up(t->pctab + b->pctab.n, 8);
	t->trees = round_up(t->functab + ftab + b->funcs.n, 8);
	t->size = t->trees + b->inltrees.n;
	t->ninlined = (uint32_t)(b->inltrees.n / abi->inlinedCall.size);
	t->ncutab = b->ncutab;
	t->buf = calloc(1, t->size);
	if (t->buf == NULL) {
		return gl_fail(b->l->err, GL_ENOMEM, "out of memory while building function tables");
	}
	if (rodata_off + t->size > UINT32_MAX) {
		return gl_fail(b->l->err, GL_ENOMEM, "read-only data of more than 4 GiB");
	}
	finish_inline_trees(b, (uint32_t)(rodata_off + t->trees));

	/* the header: the host's, which knows its magic and its processor */
	const uint8_t *host_header;
	memcpy(&host_header, (const uint8_t *)b->l->linker->firstmoduledata + abi->moduledata.pcHeader,
	       sizeof(host_header));
	memcpy(t->buf, host_header, abi->pcHeader.size);
	uint64_t fields[][2] = { { (uint64_t)abi->pcHeader.nfunc, nfuncs },
				 { (uint64_t)abi->pcHeader.nfiles, HASH_COUNT(b->file_table) },
				 { (uint64_t)abi->pcHeader.funcnameOffset, t->names },
				 { (uint64_t)abi->pcHeader.cuOffset, t->cutab },
				 { (uint64_t)abi->pcHeader.filetabOffset, t->files },
				 { (uint64_t)abi->pcHeader.pctabOffset, t->pctab },
				 { (uint64_t)abi->pcHeader.pclnOffset, t->functab } };
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		memcpy(t->buf + fields[i][0], &fields[i][1], sizeof(fields[i][1]));
	}
	place(t, t->names, &b->names);
	place(t, t->files, &b->files);
	place(t, t->pctab, &b->pctab);
	for (uint32_t i = 0; i < nfuncs; i++) {
		put32(t->buf + t->functab + (size_t)i * 8, (uint32_t)link_sym(b->l, b->u->funcs[i])->addr);
		put32(t->buf + t->functab + (size_t)i * 8 + 4, (uint32_t)ftab + b->func_off[i]);
	}
	put32(t->buf + t->functab + (size_t)nfuncs * 8, (uint32_t)b->u->sec_size[SEC_TEXT]);
	put32(t->buf + t->functab + (size_t)nfuncs * 8 + 8, UINT32_MAX);
	place(t, t->functab + ftab, &b->funcs);
	place(t, t->trees, &b->inltrees);

	for (const struct cu_entry *cu = b->cus; cu != NULL; cu = cu->hh.next) {
		memcpy(t->buf + t->cutab + 4 * (size_t)cu->off, cu->names, 4 * (size_t)cu->max);
	}
	return 0;
}

int pclntab_build(struct link *l, struct unit *u, size_t rodata_off)
{
	struct builder b = { .l = l, .u = u };
	int result = -1;

	b.func_off = calloc(u->nfuncs + 1, sizeof(*b.func_off));
	if (b.func_off == NULL) {
		gl_fail(l->err, GL_ENOMEM, "out of memory while building function tables");
		goto out;
	}
	append(&b, &b.pctab, "", 1); /* offset 0 means "no table" */
	append(&b, &b.names, "", 1);
	uint32_t no_frame = append(&b, &b.pctab, synthetic_pcsp, sizeof(synthetic_pcsp));
	collect_files(&b);
	for (uint32_t i = 0; i < u->nfuncs && !b.failed; i++) {
		if (add_func(&b, i, no_frame) != 0) {
			goto out;
		}
	}
	result = b.failed ? -1 : assemble(&b, rodata_off);
out:
	builder_free(&b);
	return result;
}

/* ---- once the unit has addresses --------------------------------------------------------------------------------- */

/* How far what offsets are counted from in a unit's tables lies behind what they are to be counted from. */
struct distances {
	uint32_t text, rodata, names, cutab, files, pctab, functab;
};

static void move(uint8_t *p, uint32_t by) { put32(p, get32(p) + by); }

/* Not where there is none. */
static void move_but(uint8_t *p, uint32_t none, uint32_t by)
{
	if (get32(p) != none) {
		move(p, by);
	}
}

static void move_func(const struct gl_abi *abi, uint8_t *func, const struct distances *by)
{
	uint8_t *tables = func + abi->func.size;

	move(func + abi->func.entryOff, by->text);
	move(func + abi->func.nameOff, by->names);
	move_but(func + abi->func.pcsp, 0, by->pctab);
	move_but(func + abi->func.pcfile, 0, by->pctab);
	move_but(func + abi->func.pcln, 0, by->pctab);
	move_but(func + abi->func.cuOffset, UINT32_MAX, by->cutab);
	for (uint32_t k = get32(func + abi->func.npcdata); k > 0; k--, tables += 4) {
		move_but(tables, 0, by->pctab);
	}
	for (uint32_t k = func[abi->func.nfuncdata]; k > 0; k--, tables += 4) {
		move_but(tables, UINT32_MAX, by->rodata);
	}
}

void pclntab_write(const struct link *l, struct unit *u)
{
	const struct gl_abi *abi = l->linker->abi;
	const struct pclntab *t = &u->pclntab;
	uint8_t *at = (uint8_t *)u->tables_start, *functab = at + t->functab;
	uintptr_t base = l->linker->lookup.base, tables = u->tables_start - base, text = l->linker->lookup.text;
	struct distances by = { .text = (uint32_t)(u->sec_start[SEC_TEXT] - text),
				.rodata = (uint32_t)(u->sec_start[SEC_RODATA] - base),
				.names = (uint32_t)(tables + t->names),
				.cutab = (uint32_t)((tables + t->cutab) / 4), /* it counts entries */
				.files = (uint32_t)(tables + t->files),
				.pctab = (uint32_t)(tables + t->pctab),
				.functab = (uint32_t)(tables + t->functab) };

	memcpy(at, t->buf, t->size);
	if (abi->pcHeader.textStart >= 0) {
		memcpy(at + abi->pcHeader.textStart, &text, sizeof(text));
	}
	for (uint32_t i = 0; i < u->nfuncs; i++) {
		uint8_t *pair = functab + (size_t)i * 8;
		move_func(abi, functab + get32(pair + 4), &by);
		move(pair, by.text);
		move(pair + 4, by.functab);
	}
	move(functab + (size_t)u->nfuncs * 8, by.text);
	put32(functab + (size_t)u->nfuncs * 8 + 4, l->linker->lookup.none);
	for (uint32_t i = 0; i < t->ncutab; i++) {
		move_but(at + t->cutab + (size_t)i * 4, UINT32_MAX, by.files);
	}
	for (uint32_t i = 0; i < t->ninlined; i++) {
		move(at + t->trees + (size_t)i * abi->inlinedCall.size + abi->inlinedCall.nameOff, by.names);
	}
}
