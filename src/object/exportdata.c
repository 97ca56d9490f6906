/* Export data: the part of it that types functions and variables (pkgbits.c reads its elements).
 *
 * Element 0 of the section "meta" lists the package's objects (its declarations). Reading one means reading its
 * signature, and so its types, which are elements too. Here they become text at once: the name that the compiler gives
 * a type in symbols (Type.LinkString in cmd/compile/internal/types/fmt.go), which is all that a linker asks for. */
#include "exportdata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../grow.h"
#include "pkgbits.h"

/* ---- names of types --------------------------------------------------------------------------------------------- */

static void add_type(struct gl_text *t, struct elem *e);
static void add_type_elem(struct gl_text *t, struct pkgbits *d, uint32_t idx, const struct dict *dict);

/* The element of the next type, which may depend on type parameters. */
static uint32_t read_type_ref(struct elem *e)
{
	if (!pkgbits_bool(e)) {
		return pkgbits_ref(e, SEC_TYPE);
	}
	uint32_t i = pkgbits_len(e);
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

static void read_name(struct pkgbits *d, uint32_t obj, struct named *n)
{
	struct elem e = pkgbits_open(d, SEC_NAME, obj, &no_dict);
	size_t len;

	n->obj = obj;
	n->pkg = pkgbits_pkg(&e);
	n->name = pkgbits_string(&e, &len);
	n->code = pkgbits_len(&e);
}

static struct named read_named(struct elem *e)
{
	struct named n = { 0 };

	if (e->d->version < VERSION_NO_LEGACY) {
		pkgbits_bool(e);
	}
	read_name(e->d, pkgbits_ref(e, SEC_OBJ), &n);
	n.nargs = pkgbits_len(e);
	if (n.nargs > (size_t)(e->end - e->p)) {
		e->d->bad = true;
	}
	n.args = e->d->bad ? NULL : pkgbits_take(e->d, n.nargs * sizeof(*n.args));
	for (uint32_t i = 0; i < n.nargs && !e->d->bad; i++) {
		struct gl_text t = { 0 };
		add_type(&t, e);
		n.args[i] = pkgbits_text(e->d, &t);
	}
	return n;
}

/* The dictionary of an object, with the arguments that a use of it gives. */
static struct dict dict_open(struct pkgbits *d, const struct named *n)
{
	struct elem e = pkgbits_open(d, SEC_OBJDICT, n->obj, &no_dict);
	struct dict dict = { .nargs = n->nargs, .args = n->args };

	if (pkgbits_len(&e) != 0) {
		d->bad = true; /* implicit parameters: a local type, which no exported declaration can name */
	}
	if (d->version >= VERSION_GENERIC_METHODS && pkgbits_len(&e) != 0) {
		d->bad = true; /* parameters of a receiver: a method, which is read nowhere here */
	}
	dict.nparams = pkgbits_len(&e);
	for (uint32_t i = 0; i < dict.nparams && !d->bad; i++) {
		/* the bound; it may name derived types, which come later */
		if (pkgbits_bool(&e)) {
			pkgbits_uvarint(&e);
		} else {
			pkgbits_ref(&e, SEC_TYPE);
		}
	}
	dict.nderived = pkgbits_len(&e);
	if (d->bad || dict.nderived > (size_t)(e.end - e.p)) {
		d->bad = true;
		return no_dict;
	}
	dict.derived = pkgbits_take(d, dict.nderived * sizeof(*dict.derived));
	for (uint32_t i = 0; i < dict.nderived && !d->bad; i++) {
		dict.derived[i] = pkgbits_ref(&e, SEC_TYPE);
		if (d->version < VERSION_NO_LEGACY) {
			pkgbits_bool(&e);
		}
	}
	return d->bad ? no_dict : dict;
}

static void skip_type_params(struct elem *e)
{
	for (uint32_t i = 0; i < e->dict->nparams && !e->d->bad; i++) {
		pkgbits_skip_ident(e);
	}
}

/* Opens the object of an alias or a type at the type it stands for. */
static struct elem open_declared(struct pkgbits *d, const struct named *n, const struct dict *dict)
{
	struct elem e = pkgbits_open(d, SEC_OBJ, n->obj, dict);

	pkgbits_skip_pos(&e);
	if (n->code == OBJ_TYPE || d->version >= VERSION_ALIAS_PARAMS) {
		skip_type_params(&e);
	}
	return e;
}

static bool is_universe(const struct named *n) { return n->code == OBJ_STUB && strcmp(n->pkg, "builtin") == 0; }

static void add_named(struct gl_text *t, struct pkgbits *d, const struct named *n)
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
	uint32_t nparams = pkgbits_len(&ahead);

	for (uint32_t i = 0; i < nparams && !e->d->bad; i++) {
		pkgbits_skip_ident(&ahead);
		read_type_ref(&ahead);
	}
	uint32_t nresults = pkgbits_len(&ahead);
	for (uint32_t i = 0; i < nresults && !e->d->bad; i++) {
		pkgbits_skip_ident(&ahead);
		read_type_ref(&ahead);
	}
	/* whether the last parameter is variadic is said at the very end */
	bool variadic = pkgbits_bool(&ahead);

	for (int results = 0; results < 2; results++) {
		uint32_t count = pkgbits_len(e);
		if (results != 0 && count == 0) {
			break;
		}
		gl_text_puts(t, results == 0 ? "(" : count == 1 ? " " : " (");
		for (uint32_t i = 0; i < count && !e->d->bad; i++) {
			pkgbits_skip_ident(e);
			gl_text_puts(t, i > 0 ? ", " : "");
			if (results == 0 && variadic && i + 1 == count) {
				struct gl_text last = { 0 };
				add_type(&last, e);
				const char *s = pkgbits_text(e->d, &last);
				gl_text_puts(t, "...");
				gl_text_puts(t, strncmp(s, "[]", 2) == 0 ? s + 2 : s);
			} else {
				add_type(t, e);
			}
		}
		gl_text_puts(t, results == 0 || count > 1 ? ")" : "");
	}
	pkgbits_bool(e);
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
static bool find_type_sym(struct pkgbits *d, uint32_t idx, const struct dict *dict, bool pointer_ok,
			  struct gl_text *pkg, struct gl_text *name)
{
	struct elem e = pkgbits_open(d, SEC_TYPE, idx, dict);
	bool found = false;

	if (++d->depth > MAX_DEPTH) {
		d->bad = true;
	}
	uint32_t code = pkgbits_len(&e);
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
			const char *s = pkgbits_text(d, &whole);
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
	uint32_t n = pkgbits_len(e);

	gl_text_puts(t, "struct {");
	for (uint32_t i = 0; i < n && !e->d->bad; i++) {
		size_t len;
		pkgbits_skip_pos(e);
		const char *pkg = pkgbits_pkg(e);
		const char *name = pkgbits_string(e, &len);
		bool exported = gl_is_exported(name, len);
		uint32_t type = read_type_ref(e);
		const char *tag = pkgbits_string(e, &len);
		bool embedded = pkgbits_bool(e);
		bool named = true;

		if (embedded) {
			/* an embedded field has a name of its own only where an alias or type arguments made it differ
			 */
			struct gl_text type_pkg = { 0 }, type_name = { 0 };
			if (find_type_sym(e->d, type, e->dict, true, &type_pkg, &type_name)) {
				const char *p = pkgbits_text(e->d, &type_pkg), *s = pkgbits_text(e->d, &type_name);
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

static void add_method(struct pkgbits *d, struct methods *ms, struct method m)
{
	for (uint32_t i = 0; i < ms->n; i++) {
		/* two embedded interfaces may bring the same method */
		if (strcmp(ms->list[i].name, m.name) == 0 && (m.exported || strcmp(ms->list[i].pkg, m.pkg) == 0)) {
			return;
		}
	}
	if (!GL_GROW(ms->list, ms->n, ms->cap)) {
		d->bad = d->nomem = true;
		return;
	}
	ms->list[ms->n++] = m;
}

static void collect_methods(struct pkgbits *d, uint32_t idx, const struct dict *dict, struct methods *ms);

static void collect_interface(struct elem *e, struct methods *ms)
{
	uint32_t nmethods = pkgbits_len(e), nembedded = pkgbits_len(e);

	if (nmethods == 0 && nembedded == 1) {
		pkgbits_bool(e); /* implicit: a constraint written without "interface" */
	}
	for (uint32_t i = 0; i < nmethods && !e->d->bad; i++) {
		struct method m;
		struct gl_text t = { 0 };
		size_t n;
		pkgbits_skip_pos(e);
		m.pkg = pkgbits_pkg(e);
		m.name = pkgbits_string(e, &n);
		m.exported = gl_is_exported(m.name, n);
		add_signature(&t, e);
		m.signature = pkgbits_text(e->d, &t);
		add_method(e->d, ms, m);
	}
	for (uint32_t i = 0; i < nembedded && !e->d->bad; i++) {
		uint32_t idx = read_type_ref(e);
		collect_methods(e->d, idx, e->dict, ms);
	}
}

/* Collects the methods of an interface type, literal or declared. */
static void collect_methods(struct pkgbits *d, uint32_t idx, const struct dict *dict, struct methods *ms)
{
	struct elem e = pkgbits_open(d, SEC_TYPE, idx, dict);

	if (++d->depth > MAX_DEPTH) {
		d->bad = true;
	}
	uint32_t code = pkgbits_len(&e);
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
	uint32_t dir = pkgbits_len(e);
	struct gl_text elem = { 0 };

	add_type(&elem, e);
	const char *s = pkgbits_text(e->d, &elem);
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
	uint32_t kind = pkgbits_len(e);

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

	switch (pkgbits_len(e)) {
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
		snprintf(buf, sizeof(buf), "[%llu]", (unsigned long long)pkgbits_uvarint(e));
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
		n = pkgbits_len(e);
		if (n >= e->dict->nargs) {
			e->d->bad = true;
			break;
		}
		gl_text_puts(t, e->dict->args[n]);
		break;
	default: e->d->bad = true; /* unions are constraints, never a value's type */
	}
}

static void add_type_elem(struct gl_text *t, struct pkgbits *d, uint32_t idx, const struct dict *dict)
{
	struct elem e = pkgbits_open(d, SEC_TYPE, idx, dict);

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

static const char *keep(struct pkgbits *d, const char *s)
{
	char *kept = gl_pool_string(d->keep, s, strlen(s));

	if (kept == NULL) {
		d->bad = d->nomem = true;
		return "";
	}
	return kept;
}

static const char *read_kept_type(struct elem *e)
{
	struct gl_text t = { 0 };

	add_type(&t, e);
	return keep(e->d, pkgbits_text(e->d, &t));
}

/* Reads parameters or results into list, which has room for max. */
static uint32_t read_params(struct elem *e, struct gl_sigparam *list, uint32_t max, bool is_result)
{
	uint32_t n = pkgbits_len(e);

	if (n > max) {
		e->d->bad = true;
	}
	for (uint32_t i = 0; i < n && !e->d->bad; i++) {
		size_t len;
		pkgbits_skip_pos(e);
		pkgbits_ref(e, SEC_PKG);
		const char *name = pkgbits_string(e, &len);
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
static void read_escapes(struct pkgbits *d, uint32_t obj, struct gl_sigparam *params, uint32_t n)
{
	struct elem e = pkgbits_open(d, SEC_OBJEXT, obj, &no_dict);

	pkgbits_uvarint(&e);                                /* pragmas */
	bool is_linknamed = (pkgbits_uvarint(&e) & 1) != 0; /* -1, and not its symbol's index */
	if (is_linknamed || d->bad || !pkgbits_bool(&e)) {
		return;
	}
	pkgbits_uvarint(&e); /* ABI */
	for (uint32_t i = 0; i < n && !d->bad; i++) {
		params[i].is_lent = pkgbits_is_string(&e, "esc:");
	}
}

static void read_function(struct elem *e, uint32_t obj, struct gl_signature *sig)
{
	/* each parameter takes more than one byte of the element */
	uint32_t room = (uint32_t)(e->end - e->p);
	struct gl_sigparam *list = pkgbits_take(e->d, (size_t)room * sizeof(*list));

	if (list == NULL) {
		return;
	}
	sig->nparams = read_params(e, list, room, false);
	sig->nresults = read_params(e, list + sig->nparams, room - sig->nparams, true);
	sig->variadic = pkgbits_bool(e);
	read_escapes(e->d, obj, list, sig->nparams);
	struct gl_sigparam *kept = gl_pool_take(e->d->keep, ((size_t)sig->nparams + sig->nresults) * sizeof(*kept));
	if (kept == NULL) {
		e->d->bad = e->d->nomem = true;
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
		e->d->bad = e->d->nomem = true;
		return;
	}
	*list = (struct gl_sigparam){ .name = "", .type = read_kept_type(e) };
	*sig = (struct gl_signature){ .params = list, .nparams = 1, .typed = true };
}

/* Reads one object; false where it is not an exported function or variable of this package. */
static bool read_declaration(struct pkgbits *d, uint32_t obj, struct gl_declaration *decl)
{
	struct named n = { 0 };

	read_name(d, obj, &n);
	if (d->bad || (n.code != OBJ_FUNC && n.code != OBJ_VAR) || strcmp(n.pkg, d->self) != 0 ||
	    !gl_is_exported(n.name, strlen(n.name))) {
		return false;
	}
	*decl = (struct gl_declaration){ .name = keep(d, n.name), .is_func = n.code == OBJ_FUNC };
	if (n.code == OBJ_VAR) {
		struct elem e = pkgbits_open(d, SEC_OBJ, obj, &no_dict);
		pkgbits_skip_pos(&e);
		read_variable(&e, &decl->signature);
		return !d->bad;
	}

	/* a generic method stands among the functions, and only its object says so */
	struct elem e = pkgbits_open(d, SEC_OBJ, obj, &no_dict);
	pkgbits_skip_pos(&e);
	if (d->version >= VERSION_GENERIC_METHODS && pkgbits_bool(&e)) {
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

int exportdata_read(const struct gl_package *pkg, struct gl_pool *pool, struct gl_declaration **list, uint32_t *n,
		    const char **path, struct gl_error *err)
{
	struct pkgbits d = { .keep = pool, .self = gl_package_path(pkg) };
	size_t size;
	const uint8_t *p = gl_package_exports(pkg, &size);

	*list = NULL;
	*n = 0;
	if (p == NULL || !pkgbits_header(&d, p, size)) {
		return 0;
	}

	if (!d.bad) {
		uint32_t npkgs = d.section_end[SEC_PKG] - d.section_end[SEC_PKG - 1];
		d.pkgs = pkgbits_take(&d, npkgs * sizeof(*d.pkgs));
	}
	struct elem root = pkgbits_open(&d, SEC_META, 0, &no_dict);
	d.self = pkgbits_pkg(&root);
	if (d.version < VERSION_NO_LEGACY) {
		pkgbits_bool(&root);
	}
	uint32_t count = pkgbits_len(&root);
	if (count > (size_t)(root.end - root.p)) {
		d.bad = true;
	}
	struct gl_declaration *decls = d.bad ? NULL : calloc(count > 0 ? count : 1, sizeof(*decls));
	for (uint32_t i = 0; i < count && !d.bad && decls != NULL; i++) {
		if (d.version < VERSION_NO_LEGACY) {
			pkgbits_bool(&root);
		}
		uint32_t obj = pkgbits_ref(&root, SEC_OBJ);
		if (pkgbits_len(&root) != 0) {
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
		return d.nomem || !d.bad ?
			       gl_fail(err, GL_ENOMEM, "%s: out of memory", gl_package_file(pkg)) :
			       gl_fail(err, GL_EFORMAT, "%s: the export data is corrupt", gl_package_file(pkg));
	}
	*list = decls;
	return 1;
}
