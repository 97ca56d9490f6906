/* Packages: the module's, the archives of what the host lacks, and what their symbols' names tell of them.
 *
 * Import paths are escaped here as in symbol names ("gopkg.in/yaml%2ev3"). */
#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- names ------------------------------------------------------------------------------------------------------ */

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

enum section link_section(const struct gl_abi *abi, uint8_t type)
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
	if (t == abi->SCOVERAGE_COUNTER) {
		return SEC_COVER;
	}
	if (t == abi->SNOPTRBSS || t == abi->SCOVERAGE_AUXVAR || t == abi->SLIBFUZZER_8BIT_COUNTER) {
		return SEC_NOPTRBSS;
	}
	return SEC_NONE;
}

/* A descriptor of a type, of which the process must have one: "type:map[string]int", not its helpers, whose names go on
 * with a dot ("type:.eq.", "type:.namedata."). */
static bool is_type_name(struct gl_str name) { return str_starts(name, "type:") && name.n > 5 && name.p[5] != '.'; }

static bool is_itab_name(struct gl_str name) { return str_starts(name, "go:itab."); }

/* Is it a shape: what the compiler makes of a type argument, for code that several types share? Nobody compares these,
 * as code that asks for a type finds the real one in its dictionary. A long one is named by its hash, which does not
 * say whether it mentions a module's type (cmd/compile/internal/noder/reader.go, shapify). */
static bool is_shape_name(struct gl_str name) { return memmem(name.p, name.n, "go.shape.", 9) != NULL; }

bool link_is_unique(struct gl_str name) { return (is_type_name(name) && !is_shape_name(name)) || is_itab_name(name); }

struct gl_str link_package_of(struct gl_str name)
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

/* ---- whose name is it? ------------------------------------------------------------------------------------------ */

static bool is_path_char(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (unsigned char)c >= 0x80 || c == '/' ||
	       c == '_' || c == '-' || c == '%' || c == '~' || c == '+';
}

int link_tie_package(struct link *l, enum tie tie, const char *path, const uint8_t *fingerprint)
{
	size_t n = strlen(path);
	struct tied_package *t = NULL;

	HASH_FIND(hh, l->ties, path, n, t);
	if (n == 0 || t != NULL) {
		return 0; /* the module's own come first: they are never a used module's */
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL) {
		return link_out_of_memory(l);
	}
	*t = (struct tied_package){ .path = path, .tie = tie, .fingerprint = fingerprint };
	HASH_ADD_KEYPTR(hh, l->ties, t->path, n, t);
	if (t->hh.tbl == NULL) {
		free(t);
		return link_out_of_memory(l);
	}
	l->tie_shapes[n % 64] |= UINT64_C(1) << ((unsigned char)path[n - 1] % 64);
	return 0;
}

int link_tie_own(struct link *l, struct lpkg *p)
{
	const uint8_t *fingerprint = lpkg_fingerprint(p);
	struct tied_package *t = NULL;

	HASH_FIND_STR(l->ties, p->path, t);
	if (t == NULL || t->tie == TIE_OWN) {
		return link_tie_package(l, TIE_OWN, p->path, fingerprint);
	}
	if (p->is_root) {
		return gl_fail(l->err, GL_EDUPLICATE, "%s is package %s, which a module has that it is to use", p->file,
			       p->path);
	}
	if (fingerprint != NULL && memcmp(fingerprint, t->fingerprint, 8) != 0) {
		return gl_fail(l->err, GL_EMISMATCH, "%s is another version of package %s than the module to use has",
			       p->file, p->path);
	}
	p->is_used = true;
	return 0;
}

/* What stands before a path without being part of one: "go:itab.", "type:noalg.", "type:.eq.". */
static struct gl_str skip_prefix(struct gl_str name)
{
	static const char *const prefixes[] = { "go:itab.", "type:noalg.", "type:." };
	uint32_t skip = 0;

	for (int i = 0; i < 3 && skip == 0; i++) {
		skip = str_starts(name, prefixes[i]) ? (uint32_t)strlen(prefixes[i]) : 0;
	}
	if (skip > 0 && name.p[skip - 2] == ':') {
		const char *dot = memchr(name.p + skip, '.', name.n - skip);
		skip = dot == NULL ? skip : (uint32_t)(dot - name.p) + 1;
	}
	return (struct gl_str){ name.p + skip, name.n - skip };
}

enum tie link_tie(const struct link *l, struct gl_str name)
{
	enum tie tie = TIE_NONE;

	name = skip_prefix(name);
	/* A name is made of words ("a/b.T", "map", "x.(*T).f"); in each, a path ends at the first dot behind the last
	 * slash. */
	for (const char *p = name.p, *end = name.p + name.n; p < end; p++) {
		const char *start = p, *dot = NULL;
		while (start < end && *start == '.') {
			start++; /* ...T, of a variadic parameter */
		}
		for (p = start; p < end && (is_path_char(*p) || *p == '.'); p++) {
			if (*p == '/') {
				dot = NULL;
			} else if (*p == '.' && dot == NULL) {
				dot = p;
			}
		}
		size_t n = dot == NULL ? 0 : (size_t)(dot - start);
		if (n == 0 || (l->tie_shapes[n % 64] >> ((unsigned char)dot[-1] % 64) & 1) == 0) {
			continue;
		}
		struct tied_package *t = NULL;
		HASH_FIND(hh, l->ties, start, n, t);
		if (t != NULL && t->tie == TIE_OWN) {
			return TIE_OWN;
		}
		tie = t != NULL ? TIE_USED : tie;
	}
	return tie;
}

/* ---- packages and their definitions ----------------------------------------------------------------------------- */

/* A definition of a name that has one: a variable declared for a linkname gives way to the one with content. */
static void prefer_content(struct ldef *have, const struct lobj *obj, uint32_t i)
{
	uint32_t old, size;

	gl_object_data(have->obj->obj, have->idx, &old);
	gl_object_data(obj->obj, i, &size);
	if (size > 0 && old == 0) {
		have->obj = obj;
		have->idx = i;
	}
}

/* Makes symbol i known if it can be meant by name; def is room for it. */
static bool index_symbol(struct lpkg *p, const struct lobj *obj, uint32_t i, struct ldef *def)
{
	struct gl_sym sym = gl_object_sym(obj->obj, i);
	enum section section = link_section(p->abi, sym.type);

	if (sym.name.n == 0 || sym.abi == GL_ABISTATIC || section == SEC_NONE ||
	    (gl_object_is_hashed(obj->obj, i) && !link_is_unique(sym.name))) {
		return false;
	}
	/* a function has an entry per ABI; what is no function carries ABI 0 and is meant by any */
	bool is_func = section == SEC_TEXT;
	struct ldef **table = is_func && sym.abi == GL_ABI0 ? &p->abi0 : &p->plain, *have;
	unsigned hash = link_hash(sym.name.p, sym.name.n);
	HASH_FIND_BYHASHVALUE(hh, *table, sym.name.p, sym.name.n, hash, have);
	if (have != NULL) {
		prefer_content(have, obj, i);
		return false;
	}
	*def = (struct ldef){ .name = sym.name, .obj = obj, .idx = i, .is_func = is_func };
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, *table, def->name.p, def->name.n, hash, def);
	return true;
}

/* Makes a package's definitions known by name, at the first look-up: a module of one object, whose references to itself
 * are all by number, hardly needs it. Without memory there are none. */
static void index_package(struct lpkg *p)
{
	size_t n = 0, used = 0;

	for (uint32_t o = 0; o < p->nobjs; o++) {
		n += gl_object_nsyms(p->objs[o].obj);
	}
	/* room for all, of which the kernel gives what is used */
	p->defs = calloc(n > 0 ? n : 1, sizeof(*p->defs));
	p->indexed = true;
	for (uint32_t o = 0; p->defs != NULL && o < p->nobjs; o++) {
		const struct lobj *obj = &p->objs[o];
		for (uint32_t i = 0, nsyms = gl_object_nsyms(obj->obj); i < nsyms; i++) {
			used += index_symbol(p, obj, i, &p->defs[used]);
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

int link_take_package(struct link *l, struct lpkg *p, struct gl_package *pkg)
{
	p->pkg = pkg;
	if (pkg == NULL) {
		return -1;
	}
	if (p->path == NULL) {
		p->path = gl_package_path(p->pkg);
	}
	p->nobjs = gl_package_nobjects(p->pkg);
	p->objs = calloc(p->nobjs, sizeof(*p->objs));
	if (p->objs == NULL) {
		return gl_fail(l->err, GL_ENOMEM, "%s: out of memory", p->path);
	}
	for (uint32_t o = 0; o < p->nobjs; o++) {
		p->objs[o] = (struct lobj){ .obj = gl_package_object(p->pkg, o), .pkg = p };
	}
	p->abi = l->linker->abi;
	return 0;
}

int link_open_package(struct link *l, struct lpkg *p, const char *file, const char *import_path)
{
	return link_take_package(l, p, gl_package_open(file, import_path, l->linker->abi, l->err));
}

const uint8_t *lpkg_fingerprint(const struct lpkg *p)
{
	for (uint32_t o = 0; o < p->nobjs; o++) {
		if (!gl_object_from_assembly(p->objs[o].obj)) {
			return gl_object_fingerprint(p->objs[o].obj);
		}
	}
	return NULL;
}

void lpkg_close(struct lpkg *p)
{
	HASH_CLEAR(hh, p->abi0);
	HASH_CLEAR(hh, p->plain);
	free(p->defs);
	free(p->objs);
	gl_package_close(p->pkg);
	free(p->file);
	free(p->version);
	free(p->offered);
	if (!p->is_module) {
		free((char *)p->path);
	}
}

/* "gopkg.in/yaml.v3" is "gopkg.in/yaml%2ev3" in symbol names (cmd/internal/objabi.PathToPrefix): dots behind the last
 * slash, control characters, '"' and bytes that are no ASCII are escaped. So is '%', which no import path has
 * (cmd/go, module.CheckImportPath): a path that has one is left as it is, for it is escaped already. */
static size_t escape_path(struct gl_str path, char *out /* 3 * path.n + 1 bytes */)
{
	const char *slash = memrchr(path.p, '/', path.n);
	char *w = out;

	for (const char *p = path.p; p < path.p + path.n; p++) {
		unsigned char c = (unsigned char)*p;
		if (c <= ' ' || (c == '.' && (slash == NULL || p > slash)) || c == '"' || c >= 0x7f) {
			w += sprintf(w, "%%%02x", c);
		} else {
			*w++ = *p;
		}
	}
	*w = '\0';
	return (size_t)(w - out);
}

static char *path_to_prefix(const char *path)
{
	size_t n = strlen(path);
	char *out = malloc(3 * n + 1);

	if (out != NULL) {
		escape_path((struct gl_str){ path, (uint32_t)n }, out);
	}
	return out;
}


/* What obj's import number i is called in symbol names; longer ones than any file system can hold are left alone. */
static struct gl_str import_path(const struct gl_object *obj, uint32_t i, char buf[3 * LONGEST_IMPORT + 1])
{
	struct gl_str path = gl_object_autolib(obj, i);

	return path.n > LONGEST_IMPORT ? path : (struct gl_str){ buf, (uint32_t)escape_path(path, buf) };
}

void link_plain_path(struct gl_str path, char *out)
{
	for (uint32_t i = 0; i < path.n; i++) {
		unsigned hex;
		if (path.p[i] == '%' && i + 2 < path.n && sscanf(path.p + i + 1, "%2x", &hex) == 1) {
			*out++ = (char)hex;
			i += 2;
		} else {
			*out++ = path.p[i];
		}
	}
	*out = '\0';
}

/* Closes what is open of an archive, of which nothing was taken. */
static void close_archive(struct lpkg *p)
{
	HASH_CLEAR(hh, p->abi0);
	HASH_CLEAR(hh, p->plain);
	free(p->defs);
	free(p->objs);
	gl_package_close(p->pkg);
	gl_symnames_close(p->names);
	p->defs = NULL;
	p->objs = NULL;
	p->nobjs = 0;
	p->pkg = NULL;
	p->names = NULL;
	p->indexed = p->checked = false;
}

/* An archive in use stays: symbols of the resident store have come from it. Another that is offered for the same
 * package may be the same anew, or another version; whoever needs that is told (link_check_imports). */
static void offer(const struct linker *linker, struct lpkg *p, char *file, char *version)
{
	struct resident_package *resident = NULL;

	HASH_FIND_STR(linker->resident_packages, p->path, resident);
	if (resident == NULL && p->clib == NULL && strcmp(p->file, file) != 0) {
		close_archive(p); /* it was only looked into, or shipped */
	}
	if (p->pkg != NULL) {
		free(p->offered);
		p->offered = version != NULL ? version : file;
		free(version != NULL ? file : NULL);
		return;
	}
	free(p->file);
	free(p->version);
	p->file = file;
	p->version = version;
	p->names_failed = false;
}

struct lpkg *linker_add_archive(struct linker *linker, const char *import_path, const char *file, const char *version,
				struct gl_error *err)
{
	char *path = path_to_prefix(import_path), *file_copy = strdup(file);
	char *version_copy = version == NULL ? NULL : strdup(version);
	struct lpkg *p = NULL;

	if (path == NULL || file_copy == NULL || (version != NULL && version_copy == NULL)) {
		goto fail;
	}
	HASH_FIND_STR(linker->archives, path, p);
	if (p != NULL) {
		free(path);
		offer(linker, p, file_copy, version_copy);
		return p;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		goto fail;
	}
	p->path = path;
	p->file = file_copy;
	p->version = version_copy;
	HASH_ADD_KEYPTR(hh, linker->archives, p->path, strlen(p->path), p);
	if (p->hh.tbl == NULL) {
		free(p);
		goto fail;
	}
	return p;

fail:
	free(path);
	free(file_copy);
	free(version_copy);
	gl_fail(err, GL_ENOMEM, "%s: out of memory", file);
	return NULL;
}

/* Takes an archive over from the list beside the host. What can't be read is as if it weren't there: the symbols that
 * stay missing then are named. */
static struct lpkg *add_listed(struct linker *linker, const char *path)
{
	struct gl_error ignored;

	if (linker->importcfg != NULL) {
		linker->listed = importcfg_read(linker->importcfg);
		free(linker->importcfg);
		linker->importcfg = NULL;
	}
	const char *file = linker->listed == NULL ? NULL : importcfg_find(linker->listed, path);
	return file == NULL ? NULL : linker_add_archive(linker, path, file, NULL, &ignored);
}

struct lpkg *link_archives(const struct link *l) { return l->gom != NULL ? l->shipped : l->linker->archives; }

struct lpkg *link_archive(struct link *l, struct gl_str path)
{
	struct lpkg *p = NULL;
	char plain[LONGEST_IMPORT + 1];

	if (path.n == 0) {
		return NULL; /* an unnamed type, say */
	}
	HASH_FIND(hh, link_archives(l), path.p, path.n, p);
	if (p == NULL && l->gom == NULL && path.n <= LONGEST_IMPORT) {
		link_plain_path(path, plain);
		p = add_listed(l->linker, plain);
	}
	return p;
}

struct lpkg *link_all_archives(struct link *l)
{
	struct linker *linker = l->linker;

	for (const char *path; l->gom == NULL && linker->listed != NULL &&
			       (path = importcfg_path(linker->listed, linker->nlisted)) != NULL;
	     linker->nlisted++) {
		char *prefix = path_to_prefix(path);
		if (prefix != NULL) {
			link_archive(l, (struct gl_str){ prefix, (uint32_t)strlen(prefix) });
		}
		free(prefix);
	}
	return link_archives(l);
}

struct lpkg *link_open_archive(struct link *l, struct gl_str path)
{
	struct lpkg *p = link_archive(l, path);

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

static bool same_fingerprint(const uint8_t *a, const uint8_t *b) { return memcmp(a, b, 8) == 0; }

/* Are those packages that obj imports and the host has the host's own? Then what their export data tells of others,
 * whose symbols obj names by the numbers found there, is true of the host's too. */
static bool imports_from_host(struct link *l, struct lobj *obj)
{
	char buf[3 * LONGEST_IMPORT + 1];

	if (obj->imports == IMPORTS_UNKNOWN) {
		obj->imports = IMPORTS_FROM_HOST;
		for (uint32_t i = 0, n = gl_object_nautolib(obj->obj); i < n; i++) {
			const uint8_t *have = link_host_has(l, import_path(obj->obj, i, buf));
			if (have != NULL && !same_fingerprint(have, gl_object_autolib_fingerprint(obj->obj, i))) {
				obj->imports = IMPORTS_FROM_ELSEWHERE;
			}
		}
	}
	return obj->imports == IMPORTS_FROM_HOST;
}

/* The fingerprint of a package, its path spelled plainly, as obj was compiled with it; NULL when nobody knows. It may
 * be one that obj does not import: the type of `var x = other.New()` can be a third package's, and so can a function
 * that was inlined. Then what obj imports tells. */
static const uint8_t *fingerprint_of(struct link *l, struct lobj *obj, const char *path, uint32_t search)
{
	const uint8_t *found = NULL;
	uint32_t n = gl_object_nautolib(obj->obj);
	char buf[3 * LONGEST_IMPORT + 1];

	for (uint32_t i = 0; i < n; i++) {
		if (str_is(gl_object_autolib(obj->obj, i), path)) {
			return gl_object_autolib_fingerprint(obj->obj, i);
		}
	}
	bool from_host = imports_from_host(l, obj);
	if (from_host && (found = link_host_has(l, (struct gl_str){ path, (uint32_t)strlen(path) })) != NULL) {
		return found;
	}
	for (uint32_t i = 0; i < n && found == NULL; i++) {
		struct gl_str lib = import_path(obj->obj, i, buf);
		const uint8_t *imported = gl_object_autolib_fingerprint(obj->obj, i);
		struct lpkg *p = NULL;
		for (uint32_t j = 0; j < l->npackages && p == NULL; j++) {
			p = str_is(lib, l->packages[j].path) ? &l->packages[j] : NULL;
		}
		if (p == NULL && from_host && link_host_has(l, lib) != NULL) {
			continue; /* it imports nothing that the host lacks */
		}
		p = p != NULL ? p : link_open_archive(l, lib);
		const uint8_t *have = p == NULL ? NULL : lpkg_fingerprint(p);
		if (have != NULL && same_fingerprint(have, imported)) {
			if (p->search != search && p->nobjs > 0) {
				p->search = search;
				found = fingerprint_of(l, &p->objs[0], path, search);
			}
		} else if (lib.n <= LONGEST_IMPORT) {
			char plain[LONGEST_IMPORT + 1];
			link_plain_path(lib, plain);
			found = linker_search_build(l->linker, plain, imported, path, search);
		}
	}
	return found;
}

/* The name that another package's object gives its symbol number ref.sym, which the object at hand doesn't tell. */
struct gl_str link_foreign_name(struct link *l, const struct lobj *const_obj, struct gl_symref ref)
{
	struct lobj *obj = (struct lobj *)const_obj; /* its caches are ours */
	const struct gl_str none = { "", 0 };
	struct gl_str path = gl_object_pkg(obj->obj, ref.pkg);
	struct gl_error ignored;

	if (l->gom != NULL) {
		return none; /* it has new numbers, and names whatever it knew the name of */
	}
	for (uint32_t i = 0; i < l->npackages; i++) {
		if (str_is(path, l->packages[i].path) && ref.sym < gl_object_nsyms(l->packages[i].objs[0].obj)) {
			return gl_object_sym(l->packages[i].objs[0].obj, ref.sym).name;
		}
	}
	if (path.n > LONGEST_IMPORT) {
		return none;
	}
	char plain[LONGEST_IMPORT + 1];
	link_plain_path(path, plain);
	const uint8_t *fingerprint = fingerprint_of(l, obj, plain, ++l->linker->searches);
	if (fingerprint == NULL) {
		return none;
	}
	struct lpkg *p = link_archive(l, path);
	if (p != NULL && p->names == NULL && !p->names_failed) {
		p->names = gl_symnames_open(p->file, l->linker->abi, &ignored);
		p->names_failed = p->names == NULL;
	}
	struct gl_str name = p == NULL || p->names == NULL ? none : gl_symnames_get(p->names, fingerprint, ref.sym);
	if (name.n > 0) {
		return name;
	}
	const struct gl_symnames *names = linker_find_build(l->linker, plain, fingerprint);
	return names == NULL ? none : gl_symnames_get(names, fingerprint, ref.sym);
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
	return name.n > 0 ? name : link_foreign_name(l, obj, ref);
}

/* ---- versions --------------------------------------------------------------------------------------------------- */

/* The linker of a host that imports "plugin" notes each package's fingerprint (cmd/link/internal/ld/symtab.go), under
 * its path as the go command spells it. */
const uint8_t *link_host_has(struct link *l, struct gl_str path)
{
	static const char prefix[] = "go:link.pkghashbytes.";
	char name[1024];
	struct gl_image_sym sym;

	if (path.n + sizeof(prefix) > sizeof(name)) {
		return NULL;
	}
	memcpy(name, prefix, sizeof(prefix));
	link_plain_path(path, name + sizeof(prefix) - 1);
	if (gl_image_lookup(l->linker->image, name, strlen(name), &sym)) {
		return (const uint8_t *)sym.addr;
	}
	return NULL;
}

/* Another Go release's, or flags for all packages (-gcflags=all=), may give the host's standard library other export
 * data than the one compiled against; its release is checked by the objects' header. */
static bool is_standard(const struct link *l, struct gl_str path)
{
	char dir[1200];
	int n = snprintf(dir, sizeof(dir), "%s/src/%.*s", l->linker->goroot, (int)path.n, path.p);

	return n > 0 && (size_t)n < sizeof(dir) && access(dir, F_OK) == 0;
}

static const char *name_of(const struct lpkg *p) { return p->version != NULL ? p->version : p->file; }

void linker_note_resident(struct linker *linker, const struct lpkg *p)
{
	struct resident_package *known = NULL;
	const uint8_t *fingerprint = lpkg_fingerprint(p);

	HASH_FIND_STR(linker->resident_packages, p->path, known);
	if (known != NULL) {
		known->clib = known->clib != NULL ? known->clib : p->clib;
	}
	if (known != NULL || fingerprint == NULL) {
		return;
	}
	known = calloc(1, sizeof(*known));
	if (known == NULL) {
		return;
	}
	known->path = strdup(p->path);
	known->from = strdup(name_of(p));
	known->clib = p->clib;
	memcpy(known->fingerprint, fingerprint, 8);
	if (known->path != NULL && known->from != NULL) {
		HASH_ADD_KEYPTR(hh, linker->resident_packages, known->path, strlen(known->path), known);
	}
	if (known->hh.tbl == NULL) {
		free(known->path); /* short of memory: the check is left out */
		free(known->from);
		free(known);
	}
}

static int refuse_import(struct link *l, const struct lpkg *p, struct gl_str path, const char *where, const char *have,
			 const char *wanted)
{
	return gl_fail(l->err, GL_EMISMATCH, "%s (%s) was compiled against another version of %.*s%s%s%s than %s%s%s%s",
		       p->path, name_of(p), (int)path.n, path.p, wanted != NULL ? " (" : "",
		       wanted != NULL ? wanted : "", wanted != NULL ? ")" : "", where, have != NULL ? " (" : "",
		       have != NULL ? have : "", have != NULL ? ")" : "");
}

static int check_import(struct link *l, const struct lpkg *p, struct gl_str path, const uint8_t *fingerprint)
{
	struct tied_package *t = NULL;
	struct lpkg *archive = NULL;
	struct resident_package *resident = NULL;
	const uint8_t *have;

	if (p->is_module) {
		HASH_FIND(hh, l->ties, path.p, path.n, t);
	}
	if (t != NULL) {
		if (t->fingerprint == NULL || memcmp(t->fingerprint, fingerprint, 8) == 0) {
			return 0;
		}
		return refuse_import(l, p, path,
				     t->tie == TIE_OWN ? "is loaded with it" : "the module that it uses has", NULL,
				     NULL);
	}
	HASH_FIND(hh, link_archives(l), path.p, path.n, archive);
	HASH_FIND(hh, l->linker->resident_packages, path.p, path.n, resident);
	have = link_host_has(l, path);
	if (have != NULL) {
		if (memcmp(have, fingerprint, 8) == 0 || is_standard(l, path)) {
			return 0;
		}
		return refuse_import(l, p, path, "the host has", NULL, archive == NULL ? NULL : archive->version);
	}
	const char *from = resident != NULL ? resident->from : archive == NULL ? NULL : name_of(archive);
	have = resident != NULL                        ? resident->fingerprint :
	       archive == NULL || archive->pkg == NULL ? NULL :
							 lpkg_fingerprint(archive);
	if (have == NULL || memcmp(have, fingerprint, 8) == 0 || is_standard(l, path)) {
		return 0;
	}
	return refuse_import(l, p, path, "this process has", from,
			     archive == NULL ? NULL :
			     l->gom != NULL  ? archive->version :
					       archive->offered);
}

int link_check_imports(struct link *l, struct lpkg *p)
{
	for (uint32_t o = 0; o < p->nobjs; o++) {
		const struct gl_object *obj = p->objs[o].obj;
		for (uint32_t i = 0, n = gl_object_nautolib(obj); i < n; i++) {
			char buf[3 * LONGEST_IMPORT + 1];
			if (check_import(l, p, import_path(obj, i, buf), gl_object_autolib_fingerprint(obj, i)) != 0) {
				return -1;
			}
		}
	}
	return 0;
}
