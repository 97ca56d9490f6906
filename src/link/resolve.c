/* Resolve: from the roots, find every symbol that is needed, and say where it lives.
 *
 * A reference is by name (and ABI), by place in the object at hand, or by content. Names are bound in this order:
 *
 *   1. A name that mentions one of the module's own packages ("main.T", "type:map[string]main.T") belongs to the
 * module. It is never looked up in the host, which may well have a namesake: the host's own main, or an older version.
 *   2. The host. Then the resident store.
 *   3. A definition in the object at hand: one that the compiler repeats in each object that needs it (DUPOK:
 *      instantiated generics, wrappers), or a pushed linkname. It is copied to whoever needs it.
 *   4. The archive of the package that the name belongs to: code and data the host lacks, because dead-code elimination
 *      dropped it or the package is not in it. What is pulled becomes resident.
 *   5. A descriptor or itab that an object brings along: it becomes resident, for there must be one in the process.
 *   6. A function value (F·f) is made of its function.
 *
 * Content-addressable symbols (strings, pointer masks) are always copied: their tables are reached by offsets from
 * the unit itself. */
#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1024 };

/* ---- helpers ---------------------------------------------------------------------------------------------------- */

bool str_is(struct gl_str s, const char *lit) { return strlen(lit) == s.n && memcmp(s.p, lit, s.n) == 0; }

bool str_starts(struct gl_str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

bool str_ends(struct gl_str s, const char *suffix)
{
	size_t n = strlen(suffix);

	return s.n >= n && memcmp(s.p + s.n - n, suffix, n) == 0;
}

static int out_of_memory(struct link *l)
{
	l->failed = true;
	return gl_fail(l->err, GL_ENOMEM, "out of memory while linking");
}

/* Appends to a growing array; on failure the link is marked as failed and the caller goes on to the next check. */
static void push(struct link *l, uint32_t **array, uint32_t *n, uint32_t *cap, uint32_t v)
{
	if (*n == *cap) {
		uint32_t grown = *cap == 0 ? 256 : *cap * 2;
		uint32_t *p = realloc(*array, grown * sizeof(*p));
		if (p == NULL) {
			out_of_memory(l);
			return;
		}
		*array = p;
		*cap = grown;
	}
	(*array)[(*n)++] = v;
}

struct lsym *link_sym(const struct link *l, uint32_t s) { return &l->chunks[s / CHUNK][s % CHUNK]; }

/* A fresh symbol; NO_SYM when memory is short. */
static uint32_t new_sym(struct link *l)
{
	if (l->nsyms == l->nchunks * CHUNK) {
		/* NOLINTNEXTLINE(bugprone-sizeof-expression): chunks is an array of pointers */
		struct lsym **grown = realloc(l->chunks, (l->nchunks + 1) * sizeof(*grown));
		if (grown != NULL) {
			l->chunks = grown;
			l->chunks[l->nchunks] = calloc(CHUNK, sizeof(struct lsym));
		}
		if (grown == NULL || l->chunks[l->nchunks] == NULL) {
			out_of_memory(l);
			return NO_SYM;
		}
		l->nchunks++;
	}
	struct lsym *s = link_sym(l, l->nsyms);
	s->referrer = NO_SYM;
	s->target = NO_SYM;
	s->func = NO_SYM;
	s->alias = NO_SYM;
	s->self = l->nsyms;
	return l->nsyms++;
}

uint32_t link_new_synthetic(struct link *l, enum synthetic kind, uint32_t target, enum unit_id unit)
{
	uint32_t self = new_sym(l);

	if (self != NO_SYM) {
		struct lsym *s = link_sym(l, self);
		s->name = link_sym(l, target)->name;
		s->state = SYM_PLACED;
		s->synthetic = kind;
		s->target = target;
		s->unit = unit;
		s->section = SEC_TEXT;
		s->size = s->align = SYNTH_CODE_SIZE;
		s->is_func = true;
		s->marked = true;
	}
	return self;
}

uint32_t link_add_main(struct link *l, uint32_t main)
{
	uint32_t self = link_new_synthetic(l, SYNTH_MAIN, main, UNIT_MODULE);

	if (self != NO_SYM) {
		link_sym(l, self)->name = (struct gl_str){ "runtime.main", 12 };
		push(l, &l->placed, &l->nplaced, &l->cap_placed, self);
	}
	return l->failed ? NO_SYM : self;
}

static enum section section_of(const struct gl_abi *abi, uint8_t type)
{
	int t = type;

	if (t == abi->STEXT || t == abi->STEXTFIPS) {
		return SEC_TEXT;
	}
	if (t == abi->SRODATA || t == abi->SRODATAFIPS) {
		return SEC_RODATA;
	}
	if (t == abi->SNOPTRDATA || t == abi->SNOPTRDATAFIPS) {
		return SEC_NOPTRDATA;
	}
	if (t == abi->SDATA || t == abi->SDATAFIPS) {
		return SEC_DATA;
	}
	if (t == abi->SBSS) {
		return SEC_BSS;
	}
	if (t == abi->SNOPTRBSS || t == abi->SCOVERAGE_COUNTER || t == abi->SCOVERAGE_AUXVAR ||
	    t == abi->SLIBFUZZER_8BIT_COUNTER) {
		return SEC_NOPTRBSS;
	}
	return SEC_NONE;
}

/* A descriptor of a type, of which the process must have one: "type:map[string]int", not its helpers, whose names go on
 * with a dot ("type:.eq.", "type:.namedata."). */
static bool is_type_name(struct gl_str name) { return str_starts(name, "type:") && name.n > 5 && name.p[5] != '.'; }

static bool is_itab_name(struct gl_str name) { return str_starts(name, "go:itab."); }

/* What the process must have but one of: descriptors are compared by address, and so are itabs, which the compiler
 * makes content-addressable all the same. */
static bool is_unique_name(struct gl_str name) { return is_type_name(name) || is_itab_name(name); }

/* The package a symbol belongs to, as a span of its name: up to the first dot behind the last slash, before any type
 * arguments or receiver. For a descriptor that of the named type it describes. n is 0 where there is none. */
static struct gl_str package_of(struct gl_str name)
{
	if (is_type_name(name)) {
		name.p += 5;
		name.n -= 5;
		while (name.n > 0 && name.p[0] == '*') {
			name.p++;
			name.n--;
		}
	} else if (str_starts(name, "go:builtin.")) {
		return (struct gl_str){ "runtime", 7 }; /* error.Error, whose wrapper the runtime's object holds */
	} else if (str_starts(name, "go:")) {
		return (struct gl_str){ name.p, 0 };
	}
	uint32_t start = 0, i = 0;
	for (; i < name.n && name.p[i] != '[' && name.p[i] != '(' && name.p[i] != '{' && name.p[i] != ' '; i++) {
		if (name.p[i] == '/') {
			start = i + 1;
		}
	}
	const char *dot = memchr(name.p + start, '.', i - start);
	return (struct gl_str){ name.p, dot == NULL ? 0 : (uint32_t)(dot - name.p) };
}

/* ---- packages and their definitions ----------------------------------------------------------------------------- */

/* Can symbol i be meant by name? */
static bool is_indexed(const struct lpkg *p, const struct gl_object *obj, uint32_t i)
{
	struct gl_sym sym = gl_object_sym(obj, i);

	return sym.name.n > 0 && sym.abi != GL_ABISTATIC && section_of(p->abi, sym.type) != SEC_NONE &&
	       (!gl_object_is_hashed(obj, i) || is_unique_name(sym.name));
}

/* Makes a package's definitions known by name, at the first look-up: a module of one object, whose references to itself
 * are all by number, never needs it. Without memory there are none. */
static void index_package(struct lpkg *p)
{
	size_t n = 0;

	for (uint32_t o = 0; o < p->nobjs; o++) {
		for (uint32_t i = 0, nsyms = gl_object_nsyms(p->objs[o].obj); i < nsyms; i++) {
			n += is_indexed(p, p->objs[o].obj, i);
		}
	}
	p->defs = calloc(n > 0 ? n : 1, sizeof(*p->defs));
	p->indexed = true;
	if (p->defs == NULL) {
		return;
	}
	size_t used = 0;
	for (uint32_t o = 0; o < p->nobjs; o++) {
		const struct lobj *obj = &p->objs[o];
		uint32_t nsyms = gl_object_nsyms(obj->obj);
		for (uint32_t i = 0; i < nsyms; i++) {
			if (!is_indexed(p, obj->obj, i)) {
				continue;
			}
			struct gl_sym sym = gl_object_sym(obj->obj, i);
			/* a function has an entry per ABI; what is no function carries ABI 0 and is meant by any */
			bool is_func = section_of(p->abi, sym.type) == SEC_TEXT;
			struct ldef **table = is_func && sym.abi == GL_ABI0 ? &p->abi0 : &p->plain, *have;
			HASH_FIND(hh, *table, sym.name.p, sym.name.n, have);
			if (have != NULL) {
				/* a variable declared for a linkname gives way to the one with content */
				uint32_t size;
				gl_object_data(obj->obj, i, &size);
				if (size > 0) {
					uint32_t old;
					gl_object_data(have->obj->obj, have->idx, &old);
					if (old == 0) {
						have->obj = obj;
						have->idx = i;
					}
				}
				continue;
			}
			struct ldef *def = &p->defs[used++];
			*def = (struct ldef){ .name = sym.name, .obj = obj, .idx = i, .is_func = is_func };
			HASH_ADD_KEYPTR(hh, *table, def->name.p, def->name.n, def);
		}
	}
}

const struct ldef *lpkg_find(struct lpkg *p, const char *name, size_t len, uint8_t want_abi)
{
	struct ldef *def = NULL;

	if (!p->indexed) {
		index_package(p);
	}
	if (want_abi == GL_ABI0) {
		HASH_FIND(hh, p->abi0, name, len, def);
	}
	if (def == NULL) {
		HASH_FIND(hh, p->plain, name, len, def);
		if (def != NULL && want_abi == GL_ABI0 && def->is_func) {
			return NULL; /* a function, but with the other ABI */
		}
	}
	return def;
}

int link_open_package(struct link *l, struct lpkg *p, const char *file, const char *import_path)
{
	p->pkg = gl_package_open(file, import_path, l->linker->abi, l->err);
	if (p->pkg == NULL) {
		return -1;
	}
	if (p->path == NULL) {
		p->path = gl_package_path(p->pkg);
	}
	p->nobjs = gl_package_nobjects(p->pkg);
	p->objs = calloc(p->nobjs, sizeof(*p->objs));
	if (p->objs == NULL) {
		return gl_fail(l->err, GL_ENOMEM, "%s: out of memory", file);
	}
	for (uint32_t o = 0; o < p->nobjs; o++) {
		p->objs[o] = (struct lobj){ .obj = gl_package_object(p->pkg, o), .pkg = p };
	}
	p->abi = l->linker->abi;
	return 0;
}

void lpkg_close(struct lpkg *p)
{
	HASH_CLEAR(hh, p->abi0);
	HASH_CLEAR(hh, p->plain);
	free(p->defs);
	free(p->objs);
	gl_package_close(p->pkg);
	free(p->file);
	if (!p->is_module) {
		free((char *)p->path);
	}
}

/* "gopkg.in/yaml.v3" is "gopkg.in/yaml%2ev3" in symbol names (cmd/internal/objabi.PathToPrefix): dots behind the last
 * slash, control characters, '%', '"' and bytes that are no ASCII are escaped. */
static char *path_to_prefix(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *out = calloc(strlen(path) + 1, 3), *w = out;

	for (const char *p = path; out != NULL && *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		if (c <= ' ' || (c == '.' && (slash == NULL || p > slash)) || c == '%' || c == '"' || c >= 0x7f) {
			w += sprintf(w, "%%%02x", c);
		} else {
			*w++ = *p;
		}
	}
	return out;
}

struct lpkg *linker_add_archive(struct linker *linker, const char *import_path, const char *file, struct gl_error *err)
{
	char *path = path_to_prefix(import_path), *copy = strdup(file);
	struct lpkg *p = NULL;

	if (path == NULL || copy == NULL) {
		goto fail;
	}
	HASH_FIND_STR(linker->archives, path, p);
	if (p != NULL) {
		free(path);
		if (p->pkg != NULL) {
			free(copy); /* in use: symbols of the resident store may have come from it */
			return p;
		}
		free(p->file);
		p->file = copy;
		p->names_failed = false;
		return p;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		goto fail;
	}
	p->path = path;
	p->file = copy;
	HASH_ADD_KEYPTR(hh, linker->archives, p->path, strlen(p->path), p);
	if (p->hh.tbl == NULL) {
		free(p);
		goto fail;
	}
	return p;

fail:
	free(path);
	free(copy);
	gl_fail(err, GL_ENOMEM, "%s: out of memory", file);
	return NULL;
}

/* Reads "packagefile path=file" lines, as the compiler's -importcfg has them. What can't be read is as if it weren't
 * there: the symbols that stay missing then are named. */
static void read_importcfg(struct linker *linker)
{
	FILE *f = fopen(linker->importcfg, "re");
	char *line = NULL;
	size_t cap = 0;
	struct gl_error ignored;

	free(linker->importcfg);
	linker->importcfg = NULL;
	while (f != NULL && getline(&line, &cap, f) > 0) {
		static const char keyword[] = "packagefile ";
		char *path = line + sizeof(keyword) - 1, *eq;
		if (strncmp(line, keyword, sizeof(keyword) - 1) != 0 || (eq = strchr(path, '=')) == NULL) {
			continue;
		}
		*eq = '\0';
		eq[1 + strcspn(eq + 1, "\n")] = '\0';
		char *prefix = path_to_prefix(path);
		struct lpkg *have = NULL;
		if (prefix != NULL) {
			HASH_FIND_STR(linker->archives, prefix, have);
		}
		if (have == NULL) {
			linker_add_archive(linker, path, eq + 1, &ignored);
		}
		free(prefix);
	}
	free(line);
	if (f != NULL) {
		fclose(f);
	}
}

static struct lpkg *named_archive(struct link *l, struct gl_str path)
{
	struct lpkg *p = NULL;

	if (path.n == 0) {
		return NULL; /* an unnamed type, say */
	}
	HASH_FIND(hh, l->linker->archives, path.p, path.n, p);
	if (p == NULL && l->linker->importcfg != NULL) {
		read_importcfg(l->linker);
		HASH_FIND(hh, l->linker->archives, path.p, path.n, p);
	}
	return p;
}

/* The archive of a package, opened at the first need; NULL when there is none. One whose file has gone (Go trims its
 * build cache) counts as none, so that the caller is asked for another; one that can't be used fails the load. */
static struct lpkg *find_archive(struct link *l, struct gl_str path)
{
	struct lpkg *p = named_archive(l, path);

	if (p == NULL) {
		return NULL;
	}
	if (p->pkg == NULL && access(p->file, R_OK) != 0) {
		return NULL;
	}
	if (p->pkg == NULL && link_open_package(l, p, p->file, p->path) != 0) {
		l->failed = true;
		return NULL;
	}
	return p;
}

/* The name that another package's object gives its symbol number ref.sym. */
static struct gl_str foreign_name(struct link *l, const struct lobj *obj, struct gl_symref ref)
{
	const struct gl_str none = { "", 0 };
	struct gl_str path = gl_object_pkg(obj->obj, ref.pkg);
	const uint8_t *fingerprint = NULL;
	struct gl_error ignored;

	for (uint32_t i = 0; i < l->npackages; i++) {
		if (str_is(path, l->packages[i].path) && ref.sym < gl_object_nsyms(l->packages[i].objs[0].obj)) {
			return gl_object_sym(l->packages[i].objs[0].obj, ref.sym).name;
		}
	}
	uint32_t nautolib = gl_object_nautolib(obj->obj);
	for (uint32_t i = 0; i < nautolib && fingerprint == NULL; i++) {
		struct gl_str lib = gl_object_autolib(obj->obj, i);
		if (lib.n == path.n && memcmp(lib.p, path.p, lib.n) == 0) {
			fingerprint = gl_object_autolib_fingerprint(obj->obj, i);
		}
	}
	struct lpkg *p = named_archive(l, path);
	if (p == NULL || fingerprint == NULL || p->names_failed) {
		return none;
	}
	if (p->names == NULL && (p->names = gl_symnames_open(p->file, l->linker->abi, &ignored)) == NULL) {
		p->names_failed = true;
		return none;
	}
	return gl_symnames_get(p->names, fingerprint, ref.sym);
}

struct gl_str link_ref_name(struct link *l, const struct lobj *obj, struct gl_symref ref)
{
	uint32_t i = gl_object_local(obj->obj, ref);

	if (i != UINT32_MAX) {
		return gl_object_sym(obj->obj, i).name;
	}
	if (ref.pkg == GL_PKG_BUILTIN) {
		const char *name = ref.sym < l->linker->abi->nbuiltins ? l->linker->abi->builtins[ref.sym].name : "";
		return (struct gl_str){ name, (uint32_t)strlen(name) };
	}
	struct gl_str name = gl_object_refname(obj->obj, ref);
	return name.n > 0 ? name : foreign_name(l, obj, ref);
}

/* ---- the host --------------------------------------------------------------------------------------------------- */

const uint8_t *host_func(const struct linker *linker, uintptr_t addr)
{
	const struct gl_abi *abi = linker->abi;
	const uint8_t *md = (const uint8_t *)linker->firstmoduledata;
	uintptr_t text, minpc, maxpc;
	const uint32_t *ftab;
	const uint8_t *pclntable;
	int64_t n;

	memcpy(&text, md + abi->moduledata.text, sizeof(text));
	memcpy(&minpc, md + abi->moduledata.minpc, sizeof(minpc));
	memcpy(&maxpc, md + abi->moduledata.maxpc, sizeof(maxpc));
	memcpy(&ftab, md + abi->moduledata.ftab, sizeof(ftab));
	memcpy(&n, md + abi->moduledata.ftab + 8, sizeof(n));
	memcpy(&pclntable, md + abi->moduledata.pclntable, sizeof(pclntable));
	if (addr < minpc || addr >= maxpc || addr < text || n < 2) {
		return NULL;
	}
	/* ftab: pairs of entry offset from text and offset of the _func in pclntable; the last is the end */
	uint32_t off = (uint32_t)(addr - text);
	int64_t low = 0, high = n - 1;
	while (high - low > 1) {
		int64_t mid = low + (high - low) / 2;
		if (ftab[2 * mid] <= off) {
			low = mid;
		} else {
			high = mid;
		}
	}
	return pclntable + ftab[2 * low + 1];
}

static bool host_func_is_asm(const struct linker *linker, const uint8_t *func)
{
	return (func[linker->abi->func.flag] & linker->abi->FuncFlagAsm) != 0;
}

/* Is name, an assembly function the host has under its plain name only, entered by ABIInternal? The name alone doesn't
 * tell: the linker drops the entry that nobody uses, and marks a function's ABI only where both are left
 * (cmd/link/internal/ld/symtab.go, mangleABIName). Only the runtime and its kin write ABIInternal assembly, and what of
 * it compiled code calls is reached so. Elsewhere a function written in assembly has a Go wrapper under ABIInternal. */
static bool asm_is_abiinternal(const char *name, size_t len)
{
	struct gl_str path = package_of((struct gl_str){ name, (uint32_t)len });

	return str_is(path, "runtime") || str_starts(path, "runtime/internal/") ||
	       str_starts(path, "internal/runtime/") || str_is(path, "internal/bytealg") || str_is(path, "reflect");
}

static bool host_lookup(struct link *l, const char *name, size_t len, uint8_t want_abi, struct gl_image_sym *out)
{
	struct linker *linker = l->linker;
	char abi0[1024];
	struct gl_image_sym other = { 0 };
	bool has_abi0 = false;

	bool has_plain = gl_image_lookup(linker->image, name, len, out);
	if ((!has_plain || out->is_func) && len + sizeof(".abi0") <= sizeof(abi0)) {
		memcpy(abi0, name, len);
		memcpy(abi0 + len, ".abi0", sizeof(".abi0"));
		has_abi0 = gl_image_lookup(linker->image, abi0, len + 5, &other);
	}
	if (want_abi == GL_ABI0 && has_abi0) {
		*out = other;
		return true;
	}
	if (!has_plain) {
		return false;
	}
	if (!out->is_func || (want_abi == GL_ABIINTERNAL && has_abi0)) {
		return true;
	}
	const uint8_t *func = host_func(linker, out->addr);
	if (func == NULL) {
		return true; /* C code, which knows neither ABI: whoever names it knows what he does */
	}
	if (!host_func_is_asm(linker, func)) {
		return want_abi == GL_ABIINTERNAL;
	}
	return asm_is_abiinternal(name, len) == (want_abi == GL_ABIINTERNAL);
}

/* Is the package linked into the host? The linker of a host that imports "plugin" notes each by its export data's
 * fingerprint (cmd/link/internal/ld/symtab.go). */
static bool host_has_package(struct link *l, struct gl_str path)
{
	char name[1024];
	struct gl_image_sym sym;
	int n = snprintf(name, sizeof(name), "go:link.pkghashbytes.%.*s", (int)path.n, path.p);

	return n > 0 && (size_t)n < sizeof(name) && gl_image_lookup(l->linker->image, name, (size_t)n, &sym);
}

/* ---- binding ---------------------------------------------------------------------------------------------------- */

bool link_is_tied(const struct link *l, struct gl_str name)
{
	for (uint32_t i = 0; i < l->npackages; i++) {
		const char *path = l->packages[i].path;
		size_t n = strlen(path);
		const char *p = name.p, *end = name.p + name.n;

		while (n > 0 && (p = memmem(p, (size_t)(end - p), path, n)) != NULL) {
			char before = p > name.p ? p[-1] : ' ', after = p + n < end ? p[n] : ' ';
			if (after == '.' && strchr("/_-%~", before) == NULL &&
			    !((before >= '0' && before <= '9') || ((before | 32) >= 'a' && (before | 32) <= 'z') ||
			      (unsigned char)before >= 0x80)) {
				return true;
			}
			p++;
		}
	}
	return false;
}

static void place(struct link *l, struct lsym *s, const struct lobj *obj, uint32_t idx, enum unit_id unit)
{
	struct gl_sym sym = gl_object_sym(obj->obj, idx);
	uint32_t data;

	gl_object_data(obj->obj, idx, &data);
	s->state = SYM_PLACED;
	s->obj = obj;
	s->idx = idx;
	s->unit = unit;
	s->section = section_of(l->linker->abi, sym.type);
	s->size = sym.size > data ? sym.size : data;
	s->align = sym.align;
	s->is_func = s->section == SEC_TEXT;
	if (s->size == 0 && s->section > SEC_RODATA && l->linker->zerobase != 0) {
		/* as cmd/link does: all empty variables are one, and the one that new(struct{}) gives */
		s->state = SYM_FIXED;
		s->addr = l->linker->zerobase;
	}
	if (s->section == SEC_NONE) {
		s->state = (int)sym.type == l->linker->abi->STLSBSS ? SYM_TLS : SYM_ABSENT;
	}
}

static void mark(struct link *l, uint32_t s)
{
	struct lsym *sym = s == NO_SYM ? NULL : link_sym(l, s);

	if (sym == NULL || sym->marked || sym->state != SYM_PLACED) {
		return;
	}
	sym->marked = true;
	push(l, &l->work, &l->nwork, &l->cap_work, s);
	push(l, &l->placed, &l->nplaced, &l->cap_placed, s);
}

/* A pulled package that the host does not have at all must be initialised, though nobody in the chain of imports may
 * have said so (a function of the host's half of another package brought it in). */
static void schedule_package(struct link *l, struct lpkg *p)
{
	if (p->init_scheduled || p->is_module) {
		return;
	}
	p->init_scheduled = true;
	if (!host_has_package(l, (struct gl_str){ p->path, (uint32_t)strlen(p->path) })) {
		char name[1024];
		int n = snprintf(name, sizeof(name), "%s..inittask", p->path);
		if (n > 0 && (size_t)n < sizeof(name) && lpkg_find(p, name, (size_t)n, GL_ABIINTERNAL) != NULL) {
			link_root(l, UNIT_RESIDENT, lpkg_find(p, name, (size_t)n, GL_ABIINTERNAL)->name.p, (size_t)n,
				  GL_ABIINTERNAL);
		}
	}
}

/* A variable that dead-code elimination dropped from a package the host has: a map's initialiser may have been outlined
 * (cmd/compile/internal/pkginit/initorder.go) and dropped with it, so that nobody ran it. */
static void schedule_outlined_init(struct link *l, struct lpkg *p, const struct ldef *var)
{
	char prefix[1024];
	int n = snprintf(prefix, sizeof(prefix), "%s.map.init.", p->path);

	for (struct ldef *def = p->plain; n > 0 && (size_t)n < sizeof(prefix) && def != NULL; def = def->hh.next) {
		if (!str_starts(def->name, prefix)) {
			continue;
		}
		uint32_t nrelocs = gl_object_nrelocs(def->obj->obj, def->idx);
		for (uint32_t j = 0; j < nrelocs; j++) {
			struct gl_reloc r = gl_object_reloc(def->obj->obj, def->idx, j);
			if (def->obj == var->obj && gl_object_local(def->obj->obj, r.sym) == var->idx) {
				uint32_t s = link_root(l, UNIT_RESIDENT, def->name.p, def->name.n, GL_ABIINTERNAL);
				if (s != NO_SYM && link_sym(l, s)->state == SYM_PLACED) {
					push(l, &l->extra_inits, &l->nextra_inits, &l->cap_extra_inits, s);
				}
				break;
			}
		}
	}
}

static uint32_t resolve_name(struct link *l, struct gl_str name, uint8_t want_abi, enum unit_id view,
			     const struct lobj *obj, uint32_t idx, uint32_t referrer);

static bool pull(struct link *l, struct lsym *s, enum unit_id view, struct lpkg *p)
{
	const struct ldef *def = p == NULL ? NULL : lpkg_find(p, s->name.p, s->name.n, s->want_abi);

	if (def == NULL) {
		return false;
	}
	if (view == UNIT_MODULE) {
		/* one copy, whoever asks: the resident view's */
		s->alias = resolve_name(l, s->name, s->want_abi, UNIT_RESIDENT, NULL, 0, s->referrer);
		return s->alias != NO_SYM;
	}
	place(l, s, def->obj, def->idx, UNIT_RESIDENT);
	if (s->state != SYM_PLACED) {
		return s->state == SYM_TLS;
	}
	schedule_package(l, p);
	if ((s->section == SEC_BSS || s->section == SEC_NOPTRBSS || s->section == SEC_DATA) &&
	    host_has_package(l, (struct gl_str){ p->path, (uint32_t)strlen(p->path) })) {
		schedule_outlined_init(l, p, def);
	}
	return true;
}

/* Has the symbol content of its own: code or data, not the empty declaration that a pulled linkname leaves? */
static bool has_content(const struct lobj *obj, uint32_t idx)
{
	uint32_t size;

	gl_object_data(obj->obj, idx, &size);
	return size > 0;
}

static bool bind_fixed(struct link *l, struct lsym *s)
{
	struct gl_image_sym host;
	struct resident_sym *res = NULL;

	if (host_lookup(l, s->name.p, s->name.n, s->want_abi, &host)) {
		s->state = SYM_FIXED;
		s->addr = host.addr;
		s->size = (uint32_t)host.size;
		s->is_func = host.is_func;
		return true;
	}
	HASH_FIND(hh, l->linker->resident[s->want_abi], s->name.p, s->name.n, res);
	if (res == NULL && s->want_abi == GL_ABI0) {
		HASH_FIND(hh, l->linker->resident[GL_ABIINTERNAL], s->name.p, s->name.n, res);
		if (res != NULL && res->is_func) {
			res = NULL;
		}
	}
	if (res != NULL) {
		s->state = SYM_FIXED;
		s->addr = res->addr;
		s->size = res->size;
		s->is_func = res->is_func;
	}
	return res != NULL;
}

static bool bind_module(struct link *l, struct lsym *s)
{
	for (uint32_t i = 0; i < l->npackages; i++) {
		const struct ldef *def = lpkg_find(&l->packages[i], s->name.p, s->name.n, s->want_abi);
		if (def != NULL) {
			place(l, s, def->obj, def->idx, UNIT_MODULE);
			return s->state != SYM_ABSENT;
		}
	}
	return false;
}

/* F·f where nobody defines it: a word in read-only data that holds F's address. */
static bool bind_funcval(struct link *l, struct lsym *s, enum unit_id view, uint32_t self)
{
	static const char suffix[] = "\xc2\xb7"
				     "f";

	if (!str_ends(s->name, suffix)) {
		return false;
	}
	struct gl_str fn = { s->name.p, s->name.n - (uint32_t)(sizeof(suffix) - 1) };
	uint32_t target = resolve_name(l, fn, GL_ABIINTERNAL, view, NULL, 0, self);
	if (target == NO_SYM || link_sym(l, target)->state == SYM_ABSENT) {
		return false;
	}
	s->state = SYM_PLACED;
	s->synthetic = SYNTH_FUNCVAL;
	s->target = target;
	s->unit = view;
	s->section = SEC_RODATA;
	s->size = s->align = sizeof(uintptr_t);
	return true;
}

/* The rule of the file's head. obj and idx are the definition in the object at hand, if it has one. */
static void bind(struct link *l, uint32_t self, enum unit_id view, const struct lobj *obj, uint32_t idx, bool tied)
{
	struct lsym *s = link_sym(l, self);
	bool unique = is_unique_name(s->name);

	if (str_is(s->name, "runtime.tlsg")) {
		s->state = SYM_TLS;
		return;
	}
	if (tied) {
		if (view == UNIT_MODULE && obj != NULL && obj->pkg->is_module &&
		    (!gl_object_is_nonpkg(obj->obj, idx) || has_content(obj, idx))) {
			place(l, s, obj, idx, UNIT_MODULE);
		} else if (view == UNIT_MODULE) {
			bind_module(l, s);
		}
		return;
	}
	struct gl_sym def = { 0 };
	if (obj != NULL) {
		def = gl_object_sym(obj->obj, idx);
		if ((def.flag & GL_SYM_DUPOK) != 0 && section_of(l->linker->abi, def.type) == SEC_RODATA && !unique) {
			place(l, s, obj, idx, view);
			return;
		}
	}
	if (bind_fixed(l, s)) {
		return;
	}
	struct gl_str path = package_of(s->name);
	if (str_ends(s->name, "..inittask") && host_has_package(l, path)) {
		/* a package without functions to run has no task in the host (cmd/link/internal/ld/inittask.go) */
		s->state = SYM_FIXED;
		return;
	}
	if (obj != NULL && !unique && has_content(obj, idx)) {
		place(l, s, obj, idx, view);
		return;
	}
	if (pull(l, s, view, find_archive(l, path))) {
		return;
	}
	if (obj != NULL) {
		place(l, s, obj, idx, unique ? UNIT_RESIDENT : view);
		return;
	}
	if (bind_module(l, s)) {
		if (unique || view == UNIT_RESIDENT) {
			s->unit = UNIT_RESIDENT;
		}
		return;
	}
	if (bind_funcval(l, s, view, self)) {
		return;
	}
	/* a linkname pushed by another package: "sync.runtime_Semacquire" is the runtime's. The runtime and its kin do
	 * most of that; others are asked when they have been opened for something else. */
	for (struct lpkg *p = l->linker->archives; p != NULL; p = p->hh.next) {
		if (p->pkg == NULL && strncmp(p->path, "runtime", 7) != 0 && strncmp(p->path, "internal/", 9) != 0 &&
		    strcmp(p->path, "syscall") != 0 && strcmp(p->path, "os") != 0 && strcmp(p->path, "reflect") != 0 &&
		    strcmp(p->path, "time") != 0) {
			continue;
		}
		struct gl_str key = { p->path, (uint32_t)strlen(p->path) };
		if (pull(l, s, view, find_archive(l, key))) {
			return;
		}
	}
}

static uint32_t resolve_name(struct link *l, struct gl_str name, uint8_t want_abi, enum unit_id view,
			     const struct lobj *obj, uint32_t idx, uint32_t referrer)
{
	struct lsym *have = NULL;
	bool tied = link_is_tied(l, name);

	if (view == UNIT_MODULE && !tied && is_unique_name(name)) {
		view = UNIT_RESIDENT; /* of the process, whoever asks */
	}
	HASH_FIND(hh, l->by_name[view][want_abi], name.p, name.n, have);
	if (have != NULL) {
		if (have->state == SYM_ABSENT && have->alias == NO_SYM && obj != NULL && !tied) {
			/* first named by an object that only refers to it, now by one that defines it */
			bind(l, have->self, view, obj, idx, tied);
		}
		return have->alias != NO_SYM ? have->alias : have->self;
	}
	uint32_t self = new_sym(l);
	if (self == NO_SYM) {
		return NO_SYM;
	}
	struct lsym *s = link_sym(l, self);
	s->name = name;
	s->want_abi = want_abi;
	s->referrer = referrer;
	HASH_ADD_KEYPTR(hh, l->by_name[view][want_abi], s->name.p, s->name.n, s);
	if (s->hh.tbl == NULL) {
		out_of_memory(l);
		return NO_SYM;
	}
	bind(l, self, view, obj, idx, tied);
	if (want_abi == GL_ABI0 && s->alias == NO_SYM && s->state != SYM_ABSENT && !s->is_func) {
		/* references by name to what is no function carry ABI 0; those by number don't, and mean the same
		 * symbol */
		s->alias = resolve_name(l, name, GL_ABIINTERNAL, view, obj, idx, referrer);
	}
	return s->alias != NO_SYM ? s->alias : self;
}

static uint32_t resolve_hashed(struct link *l, const struct lobj *obj, uint32_t idx, enum unit_id view)
{
	uint8_t hash[16];
	struct lsym *have = NULL;

	gl_object_hash(obj->obj, idx, hash);
	struct gl_sym sym = gl_object_sym(obj->obj, idx);
	/* short hashes are the content itself, without its trailing zeros: the size belongs to the key */
	hash[15] ^= (uint8_t)(sym.size & 0xff);
	hash[14] ^= (uint8_t)(sym.size >> 8 & 0xff);
	hash[13] ^= (uint8_t)sym.type;
	HASH_FIND(hh, l->by_hash[view], hash, sizeof(hash), have);
	if (have != NULL) {
		return have->self;
	}
	uint32_t self = new_sym(l);
	if (self == NO_SYM) {
		return NO_SYM;
	}
	struct lsym *s = link_sym(l, self);
	memcpy(s->hash, hash, sizeof(hash));
	s->name = sym.name;
	place(l, s, obj, idx, view);
	HASH_ADD(hh, l->by_hash[view], hash, sizeof(s->hash), s);
	if (s->hh.tbl == NULL) {
		out_of_memory(l);
		return NO_SYM;
	}
	return self;
}

static int touch(struct link *l, struct lobj *obj, enum unit_id view)
{
	if (obj->locals[view] != NULL) {
		return 0;
	}
	if (obj->locals[UNIT_MODULE] == NULL && obj->locals[UNIT_RESIDENT] == NULL) {
		if (l->ntouched == l->cap_touched) {
			uint32_t grown = l->cap_touched == 0 ? 16 : l->cap_touched * 2;
			/* NOLINTNEXTLINE(bugprone-sizeof-expression): touched is an array of pointers */
			const struct lobj **p = realloc(l->touched, grown * sizeof(*p));
			if (p == NULL) {
				return out_of_memory(l);
			}
			l->touched = p;
			l->cap_touched = grown;
		}
		l->touched[l->ntouched++] = obj;
	}
	obj->locals[view] = calloc(gl_object_ntotal(obj->obj) + 1, sizeof(uint32_t));
	obj->refs[view] = calloc(gl_object_nrefnames(obj->obj) + 1, sizeof(uint32_t));
	return obj->locals[view] != NULL && obj->refs[view] != NULL ? 0 : out_of_memory(l);
}

/* Symbol number i of the object, defined there or named there. */
static uint32_t resolve_local(struct link *l, struct lobj *obj, uint32_t i, enum unit_id view, uint32_t referrer)
{
	const struct gl_abi *abi = l->linker->abi;
	uint32_t *cache = &obj->locals[view][i];
	if (*cache != 0) {
		return *cache - 1;
	}
	struct gl_sym sym = gl_object_sym(obj->obj, i);
	bool defined = i < gl_object_nsyms(obj->obj);
	uint32_t s;
	if (defined && gl_object_is_hashed(obj->obj, i) && !is_unique_name(sym.name)) {
		s = resolve_hashed(l, obj, i, view);
	} else if (defined && (sym.abi == GL_ABISTATIC || sym.name.n == 0)) {
		s = new_sym(l);
		if (s != NO_SYM) {
			link_sym(l, s)->name = sym.name;
			link_sym(l, s)->referrer = referrer;
			place(l, link_sym(l, s), obj, i, view);
		}
	} else {
		bool abi0 = sym.abi == GL_ABI0 && (!defined || section_of(abi, sym.type) == SEC_TEXT);
		s = resolve_name(l, sym.name, abi0 ? GL_ABI0 : GL_ABIINTERNAL, view, defined ? obj : NULL, i, referrer);
	}
	*cache = 1 + s;
	return s;
}

uint32_t link_resolve_ref(struct link *l, const struct lobj *const_obj, struct gl_symref ref, enum unit_id view,
			  uint32_t referrer)
{
	struct lobj *obj = (struct lobj *)const_obj; /* its caches are ours */
	const struct gl_abi *abi = l->linker->abi;

	if (ref.pkg == GL_PKG_INVALID || touch(l, obj, view) != 0) {
		return NO_SYM;
	}
	if (ref.pkg == GL_PKG_BUILTIN) {
		if (ref.sym >= abi->nbuiltins) {
			return NO_SYM;
		}
		const char *name = abi->builtins[ref.sym].name;
		return resolve_name(l, (struct gl_str){ name, (uint32_t)strlen(name) },
				    abi->builtins[ref.sym].abi == 0 ? GL_ABI0 : GL_ABIINTERNAL, view, NULL, 0,
				    referrer);
	}
	uint32_t i = gl_object_local(obj->obj, ref);
	if (i == UINT32_MAX) {
		/* another package's symbol; functions reached this way are ABIInternal (cmd/internal/obj/sym.go) */
		uint32_t slot = gl_object_find_ref(obj->obj, ref);
		if (slot == UINT32_MAX) {
			struct gl_str name = foreign_name(l, obj, ref);
			return name.n == 0 ? NO_SYM : resolve_name(l, name, GL_ABIINTERNAL, view, NULL, 0, referrer);
		}
		uint32_t *cache = &obj->refs[view][slot];
		if (*cache == 0) {
			*cache = 1 + resolve_name(l, gl_object_refname_at(obj->obj, slot), GL_ABIINTERNAL, view, NULL,
						  0, referrer);
		}
		return *cache - 1;
	}
	return resolve_local(l, obj, i, view, referrer);
}

/* ---- marking ---------------------------------------------------------------------------------------------------- */

static void note_missing_package(struct link *l, struct gl_str path)
{
	for (uint32_t i = 0; i < l->nmissing_packages; i++) {
		if (strlen(l->missing_packages[i]) == path.n && memcmp(l->missing_packages[i], path.p, path.n) == 0) {
			return;
		}
	}
	char **grown = realloc(l->missing_packages, (l->nmissing_packages + 1) * sizeof(*grown));
	if (grown == NULL) {
		return;
	}
	l->missing_packages = grown;
	char *copy = malloc(path.n + 1), *w = copy;
	if (copy == NULL) {
		return;
	}
	for (uint32_t i = 0; i < path.n; i++) {
		unsigned hex;
		if (path.p[i] == '%' && i + 2 < path.n && sscanf(path.p + i + 1, "%2x", &hex) == 1) {
			*w++ = (char)hex;
			i += 2;
		} else {
			*w++ = path.p[i];
		}
	}
	*w = '\0';
	l->missing_packages[l->nmissing_packages++] = copy;
}

static void note_missing(struct link *l, uint32_t s)
{
	for (uint32_t i = 0; i < l->nmissing; i++) {
		if (l->missing[i] == s) {
			return;
		}
	}
	push(l, &l->missing, &l->nmissing, &l->cap_missing, s);
}

/* Marker relocations tell the Go linker's dead-code pass what to keep; nothing is patched for them. We keep all methods
 * of every type we keep, so that they tell us nothing. */
static bool is_marker(const struct gl_abi *abi, int type)
{
	return type == abi->R_USETYPE || type == abi->R_USEIFACE || type == abi->R_USEIFACEMETHOD ||
	       type == abi->R_USENAMEDMETHOD || type == abi->R_USEGENERICIFACEMETHOD || type == abi->R_USEFIELD ||
	       type == abi->R_CALLIND;
}

static void scan_relocs(struct link *l, uint32_t s)
{
	const struct gl_abi *abi = l->linker->abi;
	const struct lsym *sym = link_sym(l, s);
	uint32_t n = gl_object_nrelocs(sym->obj->obj, sym->idx);

	for (uint32_t j = 0; j < n && !l->failed; j++) {
		struct gl_reloc r = gl_object_reloc(sym->obj->obj, sym->idx, j);
		bool weak = (r.type & abi->R_WEAK) != 0;
		int type = r.type & ~abi->R_WEAK;

		if (is_marker(abi, type) || r.sym.pkg == GL_PKG_INVALID) {
			continue;
		}
		uint32_t t = link_resolve_ref(l, sym->obj, r.sym, (enum unit_id)sym->unit, s);
		if (t == NO_SYM && !l->failed) {
			gl_fail(l->err, GL_EFORMAT, "%s: %.*s refers to a symbol without a name", sym->obj->pkg->file,
				(int)sym->name.n, sym->name.p);
			l->failed = true;
		}
		if (l->failed) {
			return;
		}
		if (link_sym(l, t)->state == SYM_ABSENT && !weak) {
			note_missing(l, t);
		}
		mark(l, t);
	}
}

bool link_is_pointer_name(struct gl_str type)
{
	return str_starts(type, "type:*") || str_starts(type, "type:map[") || str_starts(type, "type:chan ") ||
	       str_starts(type, "type:<-chan ") || str_starts(type, "type:func(");
}

static void scan_auxs(struct link *l, uint32_t s)
{
	const struct lsym *sym = link_sym(l, s);
	uint32_t n = gl_object_nauxs(sym->obj->obj, sym->idx);

	for (uint32_t j = 0; j < n && !l->failed; j++) {
		struct gl_aux aux = gl_object_aux(sym->obj->obj, sym->idx, j);
		if (aux.type == GL_AUX_FUNCDATA && sym->section == SEC_TEXT) {
			/* assembly functions name argument maps that may not exist (cmd/link, ignoreFuncData) */
			mark(l, link_resolve_ref(l, sym->obj, aux.sym, (enum unit_id)sym->unit, s));
		}
		if (aux.type == GL_AUX_GOTYPE && (sym->section == SEC_DATA || sym->section == SEC_BSS)) {
			uint32_t t = link_resolve_ref(l, sym->obj, aux.sym, (enum unit_id)sym->unit, s);
			if (t == NO_SYM) {
				/* a type of another package that the object names by number only, and its archive is
				 * needed */
				note_missing_package(l, gl_object_pkg(sym->obj->obj, aux.sym.pkg));
				note_missing(l, s);
				continue;
			}
			if (link_is_pointer_name(link_sym(l, t)->name)) {
				continue; /* its mask needs no descriptor */
			}
			if (link_sym(l, t)->state == SYM_ABSENT) {
				note_missing(l, t);
			}
			mark(l, t);
		}
	}
}

static void drain(struct link *l)
{
	while (l->nwork > 0 && !l->failed) {
		uint32_t s = l->work[--l->nwork];
		const struct lsym *sym = link_sym(l, s);
		if (sym->synthetic == SYNTH_FUNCVAL) {
			mark(l, sym->target);
			continue;
		}
		if (sym->synthetic == SYNTH_NONE) {
			scan_relocs(l, s);
			scan_auxs(l, s);
		}
	}
}

uint32_t link_root_at(struct link *l, const struct lobj *obj, uint32_t i)
{
	if (touch(l, (struct lobj *)obj, UNIT_MODULE) != 0) {
		return NO_SYM;
	}
	uint32_t s = resolve_local(l, (struct lobj *)obj, i, UNIT_MODULE, NO_SYM);
	mark(l, s);
	return s;
}

uint32_t link_root(struct link *l, enum unit_id view, const char *name, size_t len, uint8_t want_abi)
{
	uint32_t s = resolve_name(l, (struct gl_str){ name, (uint32_t)len }, want_abi, view, NULL, 0, NO_SYM);

	if (s == NO_SYM || link_sym(l, s)->state == SYM_ABSENT) {
		return NO_SYM;
	}
	mark(l, s);
	return s;
}

/* ---- init functions --------------------------------------------------------------------------------------------- */

/* Orders the inittasks by their R_INITORDER edges as cmd/link/internal/ld/inittask.go does: of those whose imports are
 * done, the first by name. */
static void order_inits(struct link *l)
{
	const struct gl_abi *abi = l->linker->abi;
	uint32_t *tasks = NULL, ntasks = 0, cap = 0;

	for (uint32_t i = 0; i < l->nplaced; i++) {
		const struct lsym *sym = link_sym(l, l->placed[i]);
		if (sym->obj != NULL && str_ends(sym->name, "..inittask")) {
			push(l, &tasks, &ntasks, &cap, l->placed[i]);
		}
	}
	bool *done = calloc(ntasks + 1, sizeof(*done));
	for (uint32_t round = 0; done != NULL && round < ntasks; round++) {
		uint32_t best = NO_SYM;
		for (uint32_t i = 0; i < ntasks; i++) {
			const struct lsym *sym = link_sym(l, tasks[i]);
			bool ready = !done[i];
			uint32_t n = gl_object_nrelocs(sym->obj->obj, sym->idx);
			for (uint32_t j = 0; ready && j < n; j++) {
				struct gl_reloc r = gl_object_reloc(sym->obj->obj, sym->idx, j);
				if ((int)r.type != abi->R_INITORDER) {
					continue;
				}
				uint32_t dep = link_resolve_ref(l, sym->obj, r.sym, (enum unit_id)sym->unit, tasks[i]);
				for (uint32_t k = 0; k < ntasks; k++) {
					if (tasks[k] == dep && !done[k]) {
						ready = false;
					}
				}
			}
			if (ready) {
				const struct lsym *old = best == NO_SYM ? NULL : link_sym(l, tasks[best]);
				size_t common = old == NULL ? 0 : old->name.n < sym->name.n ? old->name.n : sym->name.n;
				int cmp = old == NULL ? 1 : memcmp(old->name.p, sym->name.p, common);
				if (cmp > 0 || (cmp == 0 && old != NULL && old->name.n > sym->name.n)) {
					best = i;
				}
			}
		}
		if (best == NO_SYM) {
			gl_fail(l->err, GL_EFORMAT, "the packages' init functions depend on each other in a cycle");
			l->failed = true;
			break;
		}
		done[best] = true;
		if (link_sym(l, tasks[best])->size > abi->initTask.size) {
			push(l, &l->inits, &l->ninits, &l->cap_inits, tasks[best]);
		}
	}
	if (done == NULL) {
		out_of_memory(l);
	}
	free(done);
	free(tasks);
}

/* ---- the pass --------------------------------------------------------------------------------------------------- */

static int report_missing(struct link *l)
{
	char list[7000];
	size_t used = 0;
	uint32_t shown = 0;

	for (uint32_t i = 0; i < l->nmissing; i++) {
		const struct lsym *sym = link_sym(l, l->missing[i]);
		const struct lsym *by = sym->referrer == NO_SYM ? NULL : link_sym(l, sym->referrer);
		struct gl_str path = package_of(sym->name);
		struct lpkg *p = NULL;

		if (path.n > 0 && !link_is_tied(l, sym->name)) {
			p = named_archive(l, path);
			if (p == NULL || (p->pkg == NULL && access(p->file, R_OK) != 0)) {
				note_missing_package(l, path);
			}
		}
		int n = snprintf(list + used, sizeof(list) - used, "%s%.*s%s (needed by %.*s)", shown > 0 ? ", " : "",
				 (int)sym->name.n, sym->name.p, sym->want_abi == GL_ABI0 ? " <ABI0>" : "",
				 by == NULL ? 4 : (int)by->name.n, by == NULL ? "load" : by->name.p);
		if (n > 0 && (size_t)n < sizeof(list) - used) {
			used += (size_t)n;
			shown++;
		} else {
			list[used] = '\0';
		}
	}
	if (shown < l->nmissing) {
		return gl_fail(l->err, GL_EMISSING, "%u symbols are defined nowhere: %s, and %u more", l->nmissing,
			       list, l->nmissing - shown);
	}
	return gl_fail(l->err, GL_EMISSING, "%u symbol%s defined nowhere: %s", l->nmissing,
		       l->nmissing == 1 ? " is" : "s are", list);
}

/* The package's own symbols come first in its object. */
static void root_inittask(struct link *l, const struct lpkg *p)
{
	for (uint32_t o = 0; o < p->nobjs; o++) {
		const struct lobj *obj = &p->objs[o];
		uint32_t n = gl_object_nsyms(obj->obj);
		for (uint32_t i = 0; i < n && !gl_object_is_hashed(obj->obj, i) && !gl_object_is_nonpkg(obj->obj, i);
		     i++) {
			if (str_ends(gl_object_sym(obj->obj, i).name, "..inittask")) {
				link_root_at(l, obj, i);
				return;
			}
		}
	}
}

int link_resolve(struct link *l)
{
	for (uint32_t i = 0; i < l->npackages && !l->failed; i++) {
		root_inittask(l, &l->packages[i]);
	}
	drain(l);
	if (!l->failed) {
		order_inits(l);
	}
	if (l->failed) {
		return -1;
	}
	return l->nmissing > 0 ? report_missing(l) : 0;
}

void link_free(struct link *l)
{
	for (uint32_t i = 0; i < l->ntouched; i++) {
		struct lobj *obj = (struct lobj *)l->touched[i];
		for (int v = 0; v < NUNITS; v++) {
			free(obj->locals[v]);
			free(obj->refs[v]);
			obj->locals[v] = obj->refs[v] = NULL;
		}
		free(obj->pctab);
		obj->pctab = NULL;
	}
	for (int v = 0; v < NUNITS; v++) {
		HASH_CLEAR(hh, l->by_name[v][0]);
		HASH_CLEAR(hh, l->by_name[v][1]);
		HASH_CLEAR(hh, l->by_hash[v]);
		unit_free(&l->units[v]);
	}
	for (uint32_t i = 0; i < l->nchunks; i++) {
		free(l->chunks[i]);
	}
	for (uint32_t i = 0; i < l->nmissing_packages; i++) {
		free(l->missing_packages[i]);
	}
	/* a package whose initialisation was planned by a load that failed is planned anew by the next */
	free(l->missing_packages);
	free(l->chunks);
	free(l->touched);
	free(l->work);
	free(l->placed);
	free(l->inits);
	free(l->extra_inits);
	free(l->missing);
	for (uint32_t i = 0; i < l->npackages; i++) {
		lpkg_close(&l->packages[i]);
	}
	free(l->packages);
}
