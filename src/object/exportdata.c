/* Export data: the unified format of Go 1.20 and later, the part of it that types functions and variables.
 *
 * A package is a table of elements in ten sections: strings, packages, names, types, objects, and so on. An element
 * starts with the list of the elements it refers to, and what follows are small numbers, each in LEB128:
 *
 *     version  flags  end of each section  end of each element | elements … | fingerprint
 *     element: n  (section, index) × n  body
 *
 * Element 0 of the section "meta" lists the package's objects (its declarations). Reading one means reading its
 * signature, and so its types, which are elements too. Here they become text at once: the name that the compiler gives
 * a type in symbols (Type.LinkString in cmd/compile/internal/types/fmt.go), which is all that a linker asks for.
 *
 * Facts come from internal/pkgbits (decoder.go, version.go), cmd/compile/internal/importer/ureader.go and
 * cmd/compile/internal/noder/writer.go, Go 1.21 to 1.27. The format carries its own version; a version from the future
 * is left alone, and then DWARF types the package. */
#include "exportdata.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

enum section {
	SEC_STRING,
	SEC_META,
	SEC_POSBASE,
	SEC_PKG,
	SEC_NAME,
	SEC_TYPE,
	SEC_OBJ,
	SEC_OBJEXT,
	SEC_OBJDICT,
	SEC_BODY,
	NSEC
};

enum { OBJ_ALIAS, OBJ_CONST, OBJ_TYPE, OBJ_FUNC, OBJ_VAR, OBJ_STUB };

enum {
	TYPE_BASIC,
	TYPE_NAMED,
	TYPE_POINTER,
	TYPE_SLICE,
	TYPE_ARRAY,
	TYPE_CHAN,
	TYPE_MAP,
	TYPE_SIGNATURE,
	TYPE_STRUCT,
	TYPE_INTERFACE,
	TYPE_UNION,
	TYPE_PARAM
};

/* internal/pkgbits/version.go: in which version of the format a field came or went */
enum {
	VERSION_FLAGS = 1,           /* a word of flags in the header */
	VERSION_NO_LEGACY = 2,       /* "has init", "derived func instance" and "derived info needed" are gone */
	VERSION_ALIAS_PARAMS = 2,    /* aliases have type parameters */
	VERSION_GENERIC_METHODS = 4, /* a flag says that a function is one; dictionaries count receivers' parameters */
	VERSION_KNOWN = 5
};
enum { FLAG_SYNC_MARKERS = 1 };

enum {
	MAX_DEPTH = 200,     /* types in types; a type literal can't contain itself but through an alias */
	MAX_STEPS = 1 << 22, /* elements opened; aliases can make a small file stand for a huge text */
	FINGERPRINT_SIZE = 8
};

struct data {
	const uint8_t *ends, *elems; /* the end of each element, then the elements */
	size_t elems_size;
	uint32_t section_end[NSEC]; /* in elements */
	uint32_t version;
	const char **pkgs;    /* by element, once read: a package's element is long, and each identifier names one */
	const char *self;     /* the package's own path, as symbol names carry it */
	struct gl_pool *keep; /* what the caller gets */
	struct gl_pool temp;  /* what is read on the way */
	uint32_t depth, steps;
	bool bad; /* something was wrong: everything read since is zero */
};

/* Type parameters and what stands for them. A type that depends on them is named by its place in derived. */
struct dict {
	uint32_t nderived, *derived; /* elements of the type section */
	uint32_t nparams;
	uint32_t nargs;
	const char **args;
};

struct elem {
	struct data *d;
	const struct dict *dict;
	const uint8_t *p, *end;
	const uint8_t *refs;      /* the list of references */
	uint32_t nrefs, seen_ref; /* how many, and the number of the one at seen */
	const uint8_t *seen;
};

static const struct dict no_dict;

/* ---- elements --------------------------------------------------------------------------------------------------- */

static uint32_t get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void *take(struct data *d, size_t size)
{
	void *p = gl_pool_take(&d->temp, size);

	if (p == NULL) {
		d->bad = true;
	}
	return p;
}

static uint64_t read_uvarint(struct elem *e)
{
	uint64_t v = 0;

	for (unsigned shift = 0; e->p < e->end && shift < 64 && !e->d->bad; shift += 7) {
		uint8_t b = *e->p++;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80) {
			return v;
		}
	}
	e->d->bad = true;
	return 0;
}

/* A count or index: each thing counted takes a byte at least. */
static uint32_t read_len(struct elem *e)
{
	uint64_t v = read_uvarint(e);

	if (v > UINT32_MAX) {
		e->d->bad = true;
		return 0;
	}
	return (uint32_t)v;
}

static bool read_bool(struct elem *e)
{
	if (e->d->bad || e->p >= e->end || *e->p > 1) {
		e->d->bad = true;
		return false;
	}
	return *e->p++ != 0;
}

static bool elem_bytes(struct data *d, enum section sec, uint32_t idx, const uint8_t **p, const uint8_t **end)
{
	uint32_t first = sec > 0 ? d->section_end[sec - 1] : 0;

	if (d->bad || idx >= d->section_end[sec] - first) {
		d->bad = true;
		return false;
	}
	idx += first;
	uint32_t from = idx > 0 ? get32(d->ends + 4 * ((size_t)idx - 1)) : 0;
	uint32_t to = get32(d->ends + 4 * (size_t)idx);
	if (from > to || to > d->elems_size) {
		d->bad = true;
		return false;
	}
	*p = d->elems + from;
	*end = d->elems + to;
	return true;
}

static struct elem elem_open(struct data *d, enum section sec, uint32_t idx, const struct dict *dict)
{
	static const uint8_t nothing[1];
	struct elem e = { .d = d, .dict = dict, .p = nothing, .end = nothing };

	if (++d->steps > MAX_STEPS) {
		d->bad = true;
	}
	if (elem_bytes(d, sec, idx, &e.p, &e.end)) {
		e.nrefs = read_len(&e);
		e.refs = e.seen = e.p;
		for (uint32_t i = 0; i < e.nrefs && !d->bad; i++) {
			read_uvarint(&e);
			read_uvarint(&e);
		}
	}
	return e;
}

/* The element that the next number refers to, through the list of references. */
static uint32_t read_ref(struct elem *e, enum section sec)
{
	uint32_t want = read_len(e);

	if (e->d->bad || want >= e->nrefs) {
		e->d->bad = true;
		return 0;
	}
	/* bodies mostly refer forwards, so that going on from the last one saves reading the list again and again */
	if (want < e->seen_ref) {
		e->seen_ref = 0;
		e->seen = e->refs;
	}
	struct elem list = { .d = e->d, .p = e->seen, .end = e->end };
	for (; e->seen_ref < want; e->seen_ref++) {
		read_uvarint(&list);
		read_uvarint(&list);
	}
	e->seen = list.p;
	if (read_len(&list) != (uint32_t)sec) {
		e->d->bad = true;
	}
	return read_len(&list);
}

static bool is_string(struct elem *e, const char *s)
{
	const uint8_t *p, *end;
	uint32_t idx = read_ref(e, SEC_STRING);

	return elem_bytes(e->d, SEC_STRING, idx, &p, &end) && (size_t)(end - p) == strlen(s) &&
	       memcmp(p, s, strlen(s)) == 0;
}

static const char *read_string(struct elem *e, size_t *n)
{
	const uint8_t *p, *end;
	uint32_t idx = read_ref(e, SEC_STRING);

	*n = 0;
	if (!elem_bytes(e->d, SEC_STRING, idx, &p, &end)) {
		return "";
	}
	*n = (size_t)(end - p);
	char *s = gl_pool_string(&e->d->temp, (const char *)p, *n);
	if (s == NULL || memchr(s, '\0', *n) != NULL) {
		e->d->bad = true;
		return "";
	}
	return s;
}

static void skip_pos(struct elem *e)
{
	if (read_bool(e)) {
		read_ref(e, SEC_POSBASE);
		read_uvarint(e);
		read_uvarint(e);
	}
}

/* Adds a path as symbol names carry it (objabi.PathToPrefix). */
static void add_prefix(struct gl_text *t, const char *path)
{
	const char *slash = strrchr(path, '/');

	for (const char *p = path; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		if (c <= ' ' || (c == '.' && (slash == NULL || p > slash)) || c == '%' || c == '"' || c >= 0x7f) {
			char hex[4];
			snprintf(hex, sizeof(hex), "%%%02x", c);
			gl_text_puts(t, hex);
		} else {
			gl_text_add(t, p, 1);
		}
	}
}

/* What a text became, kept with the data's other temporary strings. */
static const char *text_done(struct data *d, struct gl_text *t)
{
	char *p = gl_text_take(t);
	char *s = p != NULL ? gl_pool_string(&d->temp, p, strlen(p)) : NULL;

	free(p);
	if (s == NULL) {
		d->bad = true;
		return "";
	}
	return s;
}

/* A package's path in symbol names; "builtin" for the universe. */
static const char *read_pkg(struct elem *e)
{
	uint32_t idx = read_ref(e, SEC_PKG), npkgs = e->d->section_end[SEC_PKG] - e->d->section_end[SEC_PKG - 1];

	if (e->d->bad || idx >= npkgs) {
		e->d->bad = true;
		return "";
	}
	if (e->d->pkgs[idx] == NULL) {
		struct elem pkg = elem_open(e->d, SEC_PKG, idx, &no_dict);
		struct gl_text t = { 0 };
		size_t n;
		const char *path = read_string(&pkg, &n);
		add_prefix(&t, path);
		e->d->pkgs[idx] = n > 0 ? text_done(e->d, &t) : e->d->self;
		free(t.p);
	}
	return e->d->pkgs[idx];
}

/* A position and an identifier that nobody asks for. */
static void skip_ident(struct elem *e)
{
	skip_pos(e);
	read_ref(e, SEC_PKG);
	read_ref(e, SEC_STRING);
}

bool exportdata_is_exported(const char *name, size_t n)
{
	if (n == 0) {
		return false;
	}
	const unsigned char *p = (const unsigned char *)name;
	if (p[0] < 0x80) {
		return p[0] >= 'A' && p[0] <= 'Z';
	}
	wint_t c = p[0];
	size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	if (more >= n) {
		return false;
	}
	c &= 0x3fu >> more;
	for (size_t i = 1; i <= more; i++) {
		c = c << 6 | (p[i] & 0x3f);
	}
	/* C libraries count the 31 title-case letters as upper case, Go does not */
	if (c == 0x1c5 || c == 0x1c8 || c == 0x1cb || c == 0x1f2 || (c >= 0x1f88 && c <= 0x1faf && (c & 8) != 0) ||
	    c == 0x1fbc || c == 0x1fcc || c == 0x1ffc) {
		return false;
	}
	/* the program's own locale may know no letters beyond ASCII */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (utf8 == (locale_t)0) {
		return false;
	}
	bool upper = iswupper_l(c, utf8) != 0;
	freelocale(utf8);
	return upper;
}

/* ---- names of types --------------------------------------------------------------------------------------------- */

static void add_type(struct gl_text *t, struct elem *e);
static void add_type_elem(struct gl_text *t, struct data *d, uint32_t idx, const struct dict *dict);

/* The element of the next type, which may depend on type parameters. */
static uint32_t read_type_ref(struct elem *e)
{
	if (!read_bool(e)) {
		return read_ref(e, SEC_TYPE);
	}
	uint32_t i = read_len(e);
	if (e->d->bad || i >= e->dict->nderived) {
		e->d->bad = true;
		return 0;
	}
	return e->dict->derived[i];
}

/* A use of a declared type: which object it is, and its type arguments. */
struct named {
	uint32_t obj;
	const char *pkg, *name;
	uint32_t code;
	uint32_t nargs;
	const char **args;
};

static void read_name(struct data *d, uint32_t obj, struct named *n)
{
	struct elem e = elem_open(d, SEC_NAME, obj, &no_dict);
	size_t len;

	n->obj = obj;
	n->pkg = read_pkg(&e);
	n->name = read_string(&e, &len);
	n->code = read_len(&e);
}

static struct named read_named(struct elem *e)
{
	struct named n = { 0 };

	if (e->d->version < VERSION_NO_LEGACY) {
		read_bool(e);
	}
	read_name(e->d, read_ref(e, SEC_OBJ), &n);
	n.nargs = read_len(e);
	if (n.nargs > (size_t)(e->end - e->p)) {
		e->d->bad = true;
	}
	n.args = e->d->bad ? NULL : take(e->d, n.nargs * sizeof(*n.args));
	for (uint32_t i = 0; i < n.nargs && !e->d->bad; i++) {
		struct gl_text t = { 0 };
		add_type(&t, e);
		n.args[i] = text_done(e->d, &t);
	}
	return n;
}

/* The dictionary of an object, with the arguments that a use of it gives. */
static struct dict dict_open(struct data *d, const struct named *n)
{
	struct elem e = elem_open(d, SEC_OBJDICT, n->obj, &no_dict);
	struct dict dict = { .nargs = n->nargs, .args = n->args };

	if (read_len(&e) != 0) {
		d->bad = true; /* implicit parameters: a local type, which no exported declaration can name */
	}
	if (d->version >= VERSION_GENERIC_METHODS && read_len(&e) != 0) {
		d->bad = true; /* parameters of a receiver: a method, which is read nowhere here */
	}
	dict.nparams = read_len(&e);
	for (uint32_t i = 0; i < dict.nparams && !d->bad; i++) {
		/* the bound; it may name derived types, which come later */
		if (read_bool(&e)) {
			read_uvarint(&e);
		} else {
			read_ref(&e, SEC_TYPE);
		}
	}
	dict.nderived = read_len(&e);
	if (d->bad || dict.nderived > (size_t)(e.end - e.p)) {
		d->bad = true;
		return no_dict;
	}
	dict.derived = take(d, dict.nderived * sizeof(*dict.derived));
	for (uint32_t i = 0; i < dict.nderived && !d->bad; i++) {
		dict.derived[i] = read_ref(&e, SEC_TYPE);
		if (d->version < VERSION_NO_LEGACY) {
			read_bool(&e);
		}
	}
	return d->bad ? no_dict : dict;
}

static void skip_type_params(struct elem *e)
{
	for (uint32_t i = 0; i < e->dict->nparams && !e->d->bad; i++) {
		skip_ident(e);
	}
}

/* Opens the object of an alias or a type at the type it stands for. */
static struct elem open_declared(struct data *d, const struct named *n, const struct dict *dict)
{
	struct elem e = elem_open(d, SEC_OBJ, n->obj, dict);

	skip_pos(&e);
	if (n->code == OBJ_TYPE || d->version >= VERSION_ALIAS_PARAMS) {
		skip_type_params(&e);
	}
	return e;
}

static bool is_universe(const struct named *n) { return n->code == OBJ_STUB && strcmp(n->pkg, "builtin") == 0; }

static void add_named(struct gl_text *t, struct data *d, const struct named *n)
{
	if (is_universe(n)) {
		gl_text_puts(t, strcmp(n->name, "any") == 0  ? "interface {}" :
				strcmp(n->name, "byte") == 0 ? "uint8" :
				strcmp(n->name, "rune") == 0 ? "int32" :
							       n->name);
		return;
	}
	if (n->code == OBJ_ALIAS) {
		struct dict dict = dict_open(d, n);
		struct elem e = open_declared(d, n, &dict);
		add_type(t, &e);
		return;
	}
	gl_text_puts(t, n->pkg);
	gl_text_puts(t, ".");
	gl_text_puts(t, n->name);
	for (uint32_t i = 0; i < n->nargs; i++) {
		gl_text_puts(t, i == 0 ? "[" : ",");
		gl_text_puts(t, n->args[i]);
	}
	gl_text_puts(t, n->nargs > 0 ? "]" : "");
}

/* Adds the parameters and results that follow, in Go's notation. */
static void add_signature(struct gl_text *t, struct elem *e)
{
	struct elem ahead = *e;
	uint32_t nparams = read_len(&ahead);

	for (uint32_t i = 0; i < nparams && !e->d->bad; i++) {
		skip_ident(&ahead);
		read_type_ref(&ahead);
	}
	uint32_t nresults = read_len(&ahead);
	for (uint32_t i = 0; i < nresults && !e->d->bad; i++) {
		skip_ident(&ahead);
		read_type_ref(&ahead);
	}
	/* whether the last parameter is variadic is said at the very end */
	bool variadic = read_bool(&ahead);

	for (int results = 0; results < 2; results++) {
		uint32_t count = read_len(e);
		if (results != 0 && count == 0) {
			break;
		}
		gl_text_puts(t, results == 0 ? "(" : count == 1 ? " " : " (");
		for (uint32_t i = 0; i < count && !e->d->bad; i++) {
			skip_ident(e);
			gl_text_puts(t, i > 0 ? ", " : "");
			if (results == 0 && variadic && i + 1 == count) {
				struct gl_text last = { 0 };
				add_type(&last, e);
				const char *s = text_done(e->d, &last);
				gl_text_puts(t, "...");
				gl_text_puts(t, strncmp(s, "[]", 2) == 0 ? s + 2 : s);
			} else {
				add_type(t, e);
			}
		}
		gl_text_puts(t, results == 0 || count > 1 ? ")" : "");
	}
	read_bool(e);
}

/* strconv.Quote, as far as struct tags go: what is no control character stays as it is. */
static void add_quoted(struct gl_text *t, const char *s)
{
	static const char plain[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";

	gl_text_puts(t, "\"");
	for (; *s != '\0'; s++) {
		const char *found = strchr(plain, *s);
		char buf[8];
		if (found != NULL) {
			snprintf(buf, sizeof(buf), "\\%c", letters[found - plain]);
		} else if ((unsigned char)*s < ' ' || *s == 0x7f) {
			snprintf(buf, sizeof(buf), "\\x%02x", (unsigned char)*s);
		} else {
			snprintf(buf, sizeof(buf), "%c", *s);
		}
		gl_text_puts(t, buf);
	}
	gl_text_puts(t, "\"");
}

/* The package and name of the declared type that idx is, or points to, once aliases are followed; false when it is a
 * type literal. */
static bool find_type_sym(struct data *d, uint32_t idx, const struct dict *dict, bool pointer_ok, struct gl_text *pkg,
			  struct gl_text *name)
{
	struct elem e = elem_open(d, SEC_TYPE, idx, dict);
	bool found = false;

	if (++d->depth > MAX_DEPTH) {
		d->bad = true;
	}
	uint32_t code = read_len(&e);
	if (d->bad) {
		/* nothing to follow */
	} else if (code == TYPE_POINTER && pointer_ok) {
		uint32_t to = read_type_ref(&e);
		found = find_type_sym(d, to, dict, false, pkg, name);
	} else if (code == TYPE_BASIC) {
		/* its package is the universe, which is nobody's own */
		gl_text_puts(pkg, "builtin");
		add_type_elem(name, d, idx, dict);
		found = true;
	} else if (code == TYPE_NAMED) {
		struct named n = read_named(&e);
		if (n.code == OBJ_ALIAS) {
			struct dict inner = dict_open(d, &n);
			struct elem to = open_declared(d, &n, &inner);
			uint32_t ref = read_type_ref(&to);
			found = find_type_sym(d, ref, &inner, pointer_ok, pkg, name);
		} else if (!d->bad) {
			gl_text_puts(pkg, n.pkg);
			struct gl_text whole = { 0 };
			add_named(&whole, d, &n);
			const char *s = text_done(d, &whole);
			size_t skip = is_universe(&n) ? 0 : strlen(n.pkg) + 1;
			gl_text_puts(name, strlen(s) >= skip ? s + skip : s);
			found = true;
		}
	}
	d->depth--;
	return found;
}

static void add_struct(struct gl_text *t, struct elem *e)
{
	uint32_t n = read_len(e);

	gl_text_puts(t, "struct {");
	for (uint32_t i = 0; i < n && !e->d->bad; i++) {
		size_t len;
		skip_pos(e);
		const char *pkg = read_pkg(e);
		const char *name = read_string(e, &len);
		bool exported = exportdata_is_exported(name, len);
		uint32_t type = read_type_ref(e);
		const char *tag = read_string(e, &len);
		bool embedded = read_bool(e);
		bool named = true;

		if (embedded) {
			/* an embedded field has a name of its own only where an alias or type arguments made it differ
			 */
			struct gl_text type_pkg = { 0 }, type_name = { 0 };
			if (find_type_sym(e->d, type, e->dict, true, &type_pkg, &type_name)) {
				const char *p = text_done(e->d, &type_pkg), *s = text_done(e->d, &type_name);
				named = strcmp(s, name) != 0 || (!exported && strcmp(p, pkg) != 0);
			}
			free(type_pkg.p);
			free(type_name.p);
		}
		gl_text_puts(t, i > 0 ? "; " : " ");
		if (named) {
			if (!exported) {
				gl_text_puts(t, pkg);
				gl_text_puts(t, ".");
			}
			gl_text_puts(t, name);
			gl_text_puts(t, embedded ? " = " : " ");
		}
		add_type_elem(t, e->d, type, e->dict);
		if (tag[0] != '\0') {
			gl_text_puts(t, " ");
			add_quoted(t, tag);
		}
	}
	gl_text_puts(t, n > 0 ? " }" : "}");
}

struct method {
	const char *pkg, *name, *signature;
	bool exported;
};

struct methods {
	struct method *list;
	uint32_t n, cap;
};

static void add_method(struct data *d, struct methods *ms, struct method m)
{
	for (uint32_t i = 0; i < ms->n; i++) {
		/* two embedded interfaces may bring the same method */
		if (strcmp(ms->list[i].name, m.name) == 0 && (m.exported || strcmp(ms->list[i].pkg, m.pkg) == 0)) {
			return;
		}
	}
	if (ms->n == ms->cap) {
		uint32_t cap = ms->cap * 2 + 8;
		struct method *grown = realloc(ms->list, cap * sizeof(*grown));
		if (grown == NULL) {
			d->bad = true;
			return;
		}
		ms->list = grown;
		ms->cap = cap;
	}
	ms->list[ms->n++] = m;
}

static void collect_methods(struct data *d, uint32_t idx, const struct dict *dict, struct methods *ms);

static void collect_interface(struct elem *e, struct methods *ms)
{
	uint32_t nmethods = read_len(e), nembedded = read_len(e);

	if (nmethods == 0 && nembedded == 1) {
		read_bool(e); /* implicit: a constraint written without "interface" */
	}
	for (uint32_t i = 0; i < nmethods && !e->d->bad; i++) {
		struct method m;
		struct gl_text t = { 0 };
		size_t n;
		skip_pos(e);
		m.pkg = read_pkg(e);
		m.name = read_string(e, &n);
		m.exported = exportdata_is_exported(m.name, n);
		add_signature(&t, e);
		m.signature = text_done(e->d, &t);
		add_method(e->d, ms, m);
	}
	for (uint32_t i = 0; i < nembedded && !e->d->bad; i++) {
		uint32_t idx = read_type_ref(e);
		collect_methods(e->d, idx, e->dict, ms);
	}
}

/* Collects the methods of an interface type, literal or declared. */
static void collect_methods(struct data *d, uint32_t idx, const struct dict *dict, struct methods *ms)
{
	struct elem e = elem_open(d, SEC_TYPE, idx, dict);

	if (++d->depth > MAX_DEPTH) {
		d->bad = true;
	}
	uint32_t code = read_len(&e);
	if (!d->bad && code == TYPE_INTERFACE) {
		collect_interface(&e, ms);
	} else if (!d->bad && code == TYPE_NAMED) {
		struct named n = read_named(&e);
		if (is_universe(&n)) {
			if (strcmp(n.name, "error") == 0) {
				add_method(d, ms, (struct method){ "builtin", "Error", "() string", true });
			}
		} else {
			struct dict inner = dict_open(d, &n);
			struct elem to = open_declared(d, &n, &inner);
			uint32_t ref = read_type_ref(&to);
			collect_methods(d, ref, &inner, ms);
		}
	}
	d->depth--;
}

/* types.CompareSyms: exported ones first, then by name, then by package */
static int compare_methods(const void *a, const void *b)
{
	const struct method *x = a, *y = b;

	if (x->exported != y->exported) {
		return x->exported ? -1 : 1;
	}
	int c = strcmp(x->name, y->name);
	return c != 0 || x->exported ? c : strcmp(x->pkg, y->pkg);
}

static void add_interface(struct gl_text *t, struct elem *e)
{
	struct methods ms = { 0 };

	collect_interface(e, &ms);
	if (ms.n > 0) {
		qsort(ms.list, ms.n, sizeof(*ms.list), compare_methods);
	}
	gl_text_puts(t, "interface {");
	for (uint32_t i = 0; i < ms.n; i++) {
		gl_text_puts(t, i > 0 ? "; " : " ");
		if (!ms.list[i].exported) {
			gl_text_puts(t, ms.list[i].pkg);
			gl_text_puts(t, ".");
		}
		gl_text_puts(t, ms.list[i].name);
		gl_text_puts(t, ms.list[i].signature);
	}
	gl_text_puts(t, ms.n > 0 ? " }" : "}");
	free(ms.list);
}

static void add_chan(struct gl_text *t, struct elem *e)
{
	enum { SEND_RECV, SEND_ONLY, RECV_ONLY }; /* types2.ChanDir */
	uint32_t dir = read_len(e);
	struct gl_text elem = { 0 };

	add_type(&elem, e);
	const char *s = text_done(e->d, &elem);
	bool parens = dir == SEND_RECV && strncmp(s, "<-", 2) == 0;
	gl_text_puts(t, dir == SEND_ONLY ? "chan<- " : dir == RECV_ONLY ? "<-chan " : "chan ");
	gl_text_puts(t, parens ? "(" : "");
	gl_text_puts(t, s);
	gl_text_puts(t, parens ? ")" : "");
}

static void add_basic(struct gl_text *t, struct elem *e)
{
	/* types2.BasicKind; untyped kinds follow, which no declaration has */
	static const char *const names[] = { NULL,        "bool",       "int",     "int8",          "int16",
					     "int32",     "int64",      "uint",    "uint8",         "uint16",
					     "uint32",    "uint64",     "uintptr", "float32",       "float64",
					     "complex64", "complex128", "string",  "unsafe.Pointer" };
	uint32_t kind = read_len(e);

	if (kind == 0 || kind >= sizeof(names) / sizeof(names[0])) {
		e->d->bad = true;
		return;
	}
	gl_text_puts(t, names[kind]);
}

static void add_type_body(struct gl_text *t, struct elem *e)
{
	uint32_t n;
	char buf[32];

	switch (read_len(e)) {
	case TYPE_BASIC: add_basic(t, e); break;
	case TYPE_NAMED: {
		struct named named = read_named(e);
		if (!e->d->bad) {
			add_named(t, e->d, &named);
		}
		break;
	}
	case TYPE_POINTER:
		gl_text_puts(t, "*");
		add_type(t, e);
		break;
	case TYPE_SLICE:
		gl_text_puts(t, "[]");
		add_type(t, e);
		break;
	case TYPE_ARRAY:
		snprintf(buf, sizeof(buf), "[%llu]", (unsigned long long)read_uvarint(e));
		gl_text_puts(t, buf);
		add_type(t, e);
		break;
	case TYPE_CHAN: add_chan(t, e); break;
	case TYPE_MAP:
		gl_text_puts(t, "map[");
		add_type(t, e);
		gl_text_puts(t, "]");
		add_type(t, e);
		break;
	case TYPE_SIGNATURE:
		gl_text_puts(t, "func");
		add_signature(t, e);
		break;
	case TYPE_STRUCT: add_struct(t, e); break;
	case TYPE_INTERFACE: add_interface(t, e); break;
	case TYPE_PARAM:
		n = read_len(e);
		if (n >= e->dict->nargs) {
			e->d->bad = true;
			break;
		}
		gl_text_puts(t, e->dict->args[n]);
		break;
	default: e->d->bad = true; /* unions are constraints, never a value's type */
	}
}

static void add_type_elem(struct gl_text *t, struct data *d, uint32_t idx, const struct dict *dict)
{
	struct elem e = elem_open(d, SEC_TYPE, idx, dict);

	if (++d->depth > MAX_DEPTH) {
		d->bad = true;
	}
	if (!d->bad && !t->failed) {
		add_type_body(t, &e);
	}
	d->depth--;
}

static void add_type(struct gl_text *t, struct elem *e)
{
	uint32_t idx = read_type_ref(e);

	add_type_elem(t, e->d, idx, e->dict);
}

/* ---- declarations ----------------------------------------------------------------------------------------------- */

static const char *keep(struct data *d, const char *s)
{
	char *kept = gl_pool_string(d->keep, s, strlen(s));

	if (kept == NULL) {
		d->bad = true;
		return "";
	}
	return kept;
}

static const char *read_kept_type(struct elem *e)
{
	struct gl_text t = { 0 };

	add_type(&t, e);
	return keep(e->d, text_done(e->d, &t));
}

/* Reads parameters or results into list, which has room for max. */
static uint32_t read_params(struct elem *e, struct gl_sigparam *list, uint32_t max, bool is_result)
{
	uint32_t n = read_len(e);

	if (n > max) {
		e->d->bad = true;
	}
	for (uint32_t i = 0; i < n && !e->d->bad; i++) {
		size_t len;
		skip_pos(e);
		read_ref(e, SEC_PKG);
		const char *name = read_string(e, &len);
		/* "#rv1": an unnamed result that the body of a range over a function sets
		 * (cmd/compile/internal/rangefunc) */
		list[i].name = name[0] == '#' ? "" : keep(e->d, name);
		list[i].type = read_kept_type(e);
		list[i].is_result = is_result;
		list[i].is_lent = false;
	}
	return e->d->bad ? 0 : n;
}

/* Escape analysis notes with each parameter where what it points to flows: "esc:" and a byte for each place, zeros at
 * the end left out, or nothing when it flows to the heap (cmd/compile/internal/escape/leaks.go). The note is among what
 * the compiler adds to an object (noder/linker.go, relocFuncExt). */
static void read_escapes(struct data *d, uint32_t obj, struct gl_sigparam *params, uint32_t n)
{
	struct elem e = elem_open(d, SEC_OBJEXT, obj, &no_dict);

	read_uvarint(&e);                                /* pragmas */
	bool is_linknamed = (read_uvarint(&e) & 1) != 0; /* -1, and not its symbol's index */
	if (is_linknamed || d->bad || !read_bool(&e)) {
		return;
	}
	read_uvarint(&e); /* ABI */
	for (uint32_t i = 0; i < n && !d->bad; i++) {
		params[i].is_lent = is_string(&e, "esc:");
	}
}

static void read_function(struct elem *e, uint32_t obj, struct gl_signature *sig)
{
	/* each parameter takes more than one byte of the element */
	uint32_t room = (uint32_t)(e->end - e->p);
	struct gl_sigparam *list = take(e->d, (size_t)room * sizeof(*list));

	if (list == NULL) {
		return;
	}
	sig->nparams = read_params(e, list, room, false);
	sig->nresults = read_params(e, list + sig->nparams, room - sig->nparams, true);
	sig->variadic = read_bool(e);
	read_escapes(e->d, obj, list, sig->nparams);
	struct gl_sigparam *kept = gl_pool_take(e->d->keep, ((size_t)sig->nparams + sig->nresults) * sizeof(*kept));
	if (kept == NULL) {
		e->d->bad = true;
		return;
	}
	memcpy(kept, list, ((size_t)sig->nparams + sig->nresults) * sizeof(*kept));
	sig->params = kept;
	sig->typed = true;
}

static void read_variable(struct elem *e, struct gl_signature *sig)
{
	struct gl_sigparam *list = gl_pool_take(e->d->keep, sizeof(*list));

	if (list == NULL) {
		e->d->bad = true;
		return;
	}
	*list = (struct gl_sigparam){ .name = "", .type = read_kept_type(e) };
	*sig = (struct gl_signature){ .params = list, .nparams = 1, .typed = true };
}

/* Reads one object; false where it is not an exported function or variable of this package. */
static bool read_declaration(struct data *d, uint32_t obj, struct gl_declaration *decl)
{
	struct named n = { 0 };

	read_name(d, obj, &n);
	if (d->bad || (n.code != OBJ_FUNC && n.code != OBJ_VAR) || strcmp(n.pkg, d->self) != 0 ||
	    !exportdata_is_exported(n.name, strlen(n.name))) {
		return false;
	}
	*decl = (struct gl_declaration){ .name = keep(d, n.name), .is_func = n.code == OBJ_FUNC };
	if (n.code == OBJ_VAR) {
		struct elem e = elem_open(d, SEC_OBJ, obj, &no_dict);
		skip_pos(&e);
		read_variable(&e, &decl->signature);
		return !d->bad;
	}

	/* a generic method stands among the functions, and only its object says so */
	struct elem e = elem_open(d, SEC_OBJ, obj, &no_dict);
	skip_pos(&e);
	if (d->version >= VERSION_GENERIC_METHODS && read_bool(&e)) {
		return false;
	}
	struct dict dict = dict_open(d, &n);
	if (d->bad || dict.nparams > 0) {
		return false; /* generic: there is no one function of this name */
	}
	e.dict = &dict;
	read_function(&e, obj, &decl->signature);
	return !d->bad;
}

static bool read_header(struct data *d, const uint8_t *p, size_t size)
{
	const uint8_t *end = p + size;

	/* 'u' for the unified format; Go 1.19 and earlier wrote others */
	if (size < 5 || *p++ != 'u') {
		return false;
	}
	d->version = get32(p);
	p += 4;
	if (d->version > VERSION_KNOWN) {
		return false;
	}
	if (d->version >= VERSION_FLAGS) {
		if (end - p < 4 || (get32(p) & FLAG_SYNC_MARKERS) != 0) {
			return false; /* for debugging the compiler (-d=syncframes) */
		}
		p += 4;
	}
	if (end - p < 4 * NSEC) {
		d->bad = true;
		return true;
	}
	uint32_t last = 0;
	for (int i = 0; i < NSEC; i++, p += 4) {
		d->section_end[i] = get32(p);
		if (d->section_end[i] < last) {
			d->bad = true;
			return true;
		}
		last = d->section_end[i];
	}
	if (last == 0 || last > (size_t)(end - p) / 4) {
		d->bad = true;
		return true;
	}
	d->ends = p;
	d->elems = p + 4 * (size_t)last;
	d->elems_size = get32(d->elems - 4);
	if (d->elems_size + FINGERPRINT_SIZE > (size_t)(end - d->elems)) {
		d->bad = true;
	}
	return true;
}

int exportdata_read(const struct gl_package *pkg, struct gl_pool *pool, struct gl_declaration **list, uint32_t *n,
		    const char **path, struct gl_error *err)
{
	struct data d = { .keep = pool, .self = gl_package_path(pkg) };
	size_t size;
	const uint8_t *p = gl_package_exports(pkg, &size);

	*list = NULL;
	*n = 0;
	if (p == NULL || !read_header(&d, p, size)) {
		return 0;
	}

	if (!d.bad) {
		uint32_t npkgs = d.section_end[SEC_PKG] - d.section_end[SEC_PKG - 1];
		d.pkgs = take(&d, npkgs * sizeof(*d.pkgs));
	}
	struct elem root = elem_open(&d, SEC_META, 0, &no_dict);
	d.self = read_pkg(&root);
	if (d.version < VERSION_NO_LEGACY) {
		read_bool(&root);
	}
	uint32_t count = read_len(&root);
	if (count > (size_t)(root.end - root.p)) {
		d.bad = true;
	}
	struct gl_declaration *decls = d.bad ? NULL : calloc(count > 0 ? count : 1, sizeof(*decls));
	for (uint32_t i = 0; i < count && !d.bad && decls != NULL; i++) {
		if (d.version < VERSION_NO_LEGACY) {
			read_bool(&root);
		}
		uint32_t obj = read_ref(&root, SEC_OBJ);
		if (read_len(&root) != 0) {
			d.bad = true;
		}
		if (!d.bad && read_declaration(&d, obj, &decls[*n])) {
			++*n;
		}
	}
	*path = keep(&d, d.self);
	gl_pool_free(&d.temp);
	if (d.bad || decls == NULL) {
		free(decls);
		*n = 0;
		return gl_fail(err, GL_EFORMAT, "%s: the export data is corrupt", gl_package_file(pkg));
	}
	*list = decls;
	return 1;
}
