/* Export data: what a package declares (pkgbits.c reads its elements, constant.c the values of constants).
 *
 * Element 0 of the section "meta" lists the package's objects (its declarations). Reading one means reading its
 * signature, and so its types, which are elements too. Here they become text at once: the name that the compiler gives
 * a type in symbols (Type.LinkString in cmd/compile/internal/types/fmt.go), which is all that a linker asks for. Where
 * type parameters are in it, what stands for them is put in their place: for a use of something generic its type
 * arguments, for the declaration the parameters' own names. */
#include "exportdata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../grow.h"
#include "constant.h"
#include "pkgbits.h"

/* ---- names of types --------------------------------------------------------------------------------------------- */

static void add_type(struct gl_text *t, struct elem *e);
static void add_type_elem(struct gl_text *t, struct pkgbits *d, uint32_t idx, const struct dict *dict);

static struct type_use read_type_use(struct elem *e)
{
	bool is_derived = pkgbits_bool(e);

	return (struct type_use){ is_derived, is_derived ? pkgbits_len(e) : pkgbits_ref(e, SEC_TYPE) };
}

static uint32_t find_type(struct pkgbits *d, struct type_use use, const struct dict *dict)
{
	if (!use.is_derived) {
		return use.idx;
	}
	if (d->bad || use.idx >= dict->nderived) {
		d->bad = true;
		return 0;
	}
	return dict->derived[use.idx];
}

/* The element of the next type, which may depend on type parameters. */
static uint32_t read_type_ref(struct elem *e)
{
	struct type_use use = read_type_use(e);

	return find_type(e->d, use, e->dict);
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
	if (d->bad || dict.nparams > (size_t)(e.end - e.p)) {
		d->bad = true;
		return no_dict;
	}
	if (dict.nparams > 0) {
		dict.bounds = pkgbits_take(d, dict.nparams * sizeof(*dict.bounds));
	}
	for (uint32_t i = 0; i < dict.nparams && !d->bad; i++) {
		dict.bounds[i] = read_type_use(&e); /* they may name derived types, which come later */
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
		size_t tag_len;
		const uint8_t *tag = pkgbits_bytes(e, &tag_len);
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
		if (tag_len > 0) {
			gl_text_puts(t, " ");
			pkgbits_add_quoted(t, tag, tag_len);
		}
	}
	gl_text_puts(t, n > 0 ? " }" : "}");
}

struct method {
	const char *pkg, *name, *signature;
	bool exported;
};

/* What an interface asks for. Terms are for constraints alone: "~int | ~string", "comparable". */
struct methods {
	struct method *list;
	uint32_t n, cap;
	const char **terms;
	uint32_t nterms, cap_terms;
	bool is_implicit; /* the constraint was written without "interface" */
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

static void add_term(struct pkgbits *d, struct gl_text *t, struct methods *ms)
{
	const char *term = pkgbits_text(d, t);

	if (d->bad) {
		return;
	}
	if (!GL_GROW(ms->terms, ms->nterms, ms->cap_terms)) {
		d->bad = d->nomem = true;
		return;
	}
	ms->terms[ms->nterms++] = term;
}

static void collect_methods(struct pkgbits *d, uint32_t idx, const struct dict *dict, struct methods *ms);

static void collect_interface(struct elem *e, struct methods *ms)
{
	uint32_t nmethods = pkgbits_len(e), nembedded = pkgbits_len(e);

	if (nmethods == 0 && nembedded == 1) {
		ms->is_implicit = pkgbits_bool(e);
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

/* The terms of a union: "~int | ~string" */
static void add_union(struct gl_text *t, struct elem *e)
{
	uint32_t n = pkgbits_len(e);

	for (uint32_t i = 0; i < n && !e->d->bad; i++) {
		gl_text_puts(t, i > 0 ? " | " : "");
		gl_text_puts(t, pkgbits_bool(e) ? "~" : "");
		add_type(t, e);
	}
}

/* Collects what is embedded in an interface: the methods of an interface type, literal or declared, or a term. */
static void collect_methods(struct pkgbits *d, uint32_t idx, const struct dict *dict, struct methods *ms)
{
	struct elem e = pkgbits_open(d, SEC_TYPE, idx, dict);
	struct gl_text t = { 0 };

	if (++d->depth > MAX_DEPTH) {
		d->bad = true;
	}
	uint32_t code = pkgbits_len(&e);
	if (d->bad) {
		/* nothing to collect */
	} else if (code == TYPE_INTERFACE) {
		bool is_implicit = ms->is_implicit;
		collect_interface(&e, ms);
		ms->is_implicit = is_implicit;
	} else if (code == TYPE_UNION) {
		add_union(&t, &e);
		add_term(d, &t, ms);
	} else if (code == TYPE_NAMED) {
		struct named n = read_named(&e);
		if (d->bad) {
			/* nothing to collect */
		} else if (is_universe(&n)) {
			if (strcmp(n.name, "error") == 0) {
				add_method(d, ms, (struct method){ "builtin", "Error", "() string", true });
			} else if (strcmp(n.name, "any") != 0) {
				add_named(&t, d, &n);
				add_term(d, &t, ms);
			}
		} else {
			struct dict inner = dict_open(d, &n);
			struct elem to = open_declared(d, &n, &inner);
			uint32_t ref = read_type_ref(&to);
			struct elem under = pkgbits_open(d, SEC_TYPE, ref, &inner);
			uint32_t what = pkgbits_len(&under);
			if (n.code == OBJ_ALIAS || what == TYPE_INTERFACE) {
				collect_methods(d, ref, &inner, ms);
			} else if (!d->bad) {
				add_named(&t, d, &n);
				add_term(d, &t, ms);
			}
		}
	} else {
		add_type_elem(&t, d, idx, dict);
		add_term(d, &t, ms);
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
	if (ms.is_implicit && ms.n == 0 && ms.nterms == 1) {
		gl_text_puts(t, ms.terms[0]);
		free(ms.terms);
		free(ms.list);
		return;
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
	for (uint32_t i = 0; i < ms.nterms; i++) {
		gl_text_puts(t, ms.n + i > 0 ? "; " : " ");
		gl_text_puts(t, ms.terms[i]);
	}
	gl_text_puts(t, ms.n + ms.nterms > 0 ? " }" : "}");
	free(ms.terms);
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
	/* types2.BasicKind; the untyped ones only constants have */
	static const char *const names[] = { NULL,
					     "bool",
					     "int",
					     "int8",
					     "int16",
					     "int32",
					     "int64",
					     "uint",
					     "uint8",
					     "uint16",
					     "uint32",
					     "uint64",
					     "uintptr",
					     "float32",
					     "float64",
					     "complex64",
					     "complex128",
					     "string",
					     "unsafe.Pointer",
					     "untyped bool",
					     "untyped int",
					     "untyped rune",
					     "untyped float",
					     "untyped complex",
					     "untyped string" };
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
	case TYPE_UNION: add_union(t, e); break; /* of constraints, never a value's type */
	default: e->d->bad = true;
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

static const char *read_kept_type(struct elem *e)
{
	struct gl_text t = { 0 };

	add_type(&t, e);
	return pkgbits_keep(e->d, pkgbits_text(e->d, &t));
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
		list[i].name = name[0] == '#' ? "" : pkgbits_keep(e->d, name);
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

/* The names and the constraints of the type parameters that follow: dict's, whose arguments become these names. */
static void read_type_params(struct elem *e, struct dict *dict, struct gl_signature *sig)
{
	struct pkgbits *d = e->d;
	uint32_t n = dict->nparams;
	struct gl_typeparam *list = gl_pool_take(d->keep, (n + 1) * sizeof(*list));
	const char **names = pkgbits_take(d, (n + 1) * sizeof(*names));

	if (list == NULL || names == NULL) {
		d->bad = d->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < n && !d->bad; i++) {
		size_t len;
		pkgbits_skip_pos(e);
		pkgbits_ref(e, SEC_PKG);
		names[i] = list[i].name = pkgbits_keep(d, pkgbits_string(e, &len));
	}
	dict->args = names;
	dict->nargs = d->bad ? 0 : n;
	for (uint32_t i = 0; i < n && !d->bad; i++) {
		struct gl_text t = { 0 };
		add_type_elem(&t, d, find_type(d, dict->bounds[i], dict), dict);
		const char *text = pkgbits_text(d, &t);
		list[i].constraint = pkgbits_keep(d, strcmp(text, "interface {}") == 0 ? "any" : text);
	}
	sig->type_params = list;
	sig->ntype_params = d->bad ? 0 : n;
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
	if (sig->ntype_params == 0) {
		read_escapes(e->d, obj, list, sig->nparams);
	}
	struct gl_sigparam *kept = gl_pool_take(e->d->keep, ((size_t)sig->nparams + sig->nresults) * sizeof(*kept));
	if (kept == NULL) {
		e->d->bad = e->d->nomem = true;
		return;
	}
	memcpy(kept, list, ((size_t)sig->nparams + sig->nresults) * sizeof(*kept));
	sig->params = kept;
	sig->typed = true;
}

/* The type of a variable or of a constant */
static void read_one_type(struct elem *e, struct gl_signature *sig)
{
	struct gl_sigparam *list = gl_pool_take(e->d->keep, sizeof(*list));

	if (list == NULL) {
		e->d->bad = e->d->nomem = true;
		return;
	}
	*list = (struct gl_sigparam){ .name = "", .type = read_kept_type(e) };
	*sig = (struct gl_signature){ .params = list, .nparams = 1, .typed = true };
}

/* Which values a constant of this type can have. */
static enum constant_class find_class(struct pkgbits *d, uint32_t idx, const struct dict *dict)
{
	/* by types2.BasicKind */
	enum { B = CLASS_BOOL, I = CLASS_INT, F = CLASS_FLOAT, C = CLASS_COMPLEX, S = CLASS_STRING };
	static const uint8_t classes[] = { 0, B, I, I, I, I, I, I, I, I, I, I, I, F, F, C, C, S, 0, B, I, I, F, C, S };
	struct elem e = pkgbits_open(d, SEC_TYPE, idx, dict);
	enum constant_class class = CLASS_UNKNOWN;

	if (++d->depth > MAX_DEPTH) {
		d->bad = true;
	}
	uint32_t code = pkgbits_len(&e);
	if (!d->bad && code == TYPE_BASIC) {
		uint32_t kind = pkgbits_len(&e);
		class = kind < sizeof(classes) ? (enum constant_class)classes[kind] : CLASS_UNKNOWN;
	} else if (!d->bad && code == TYPE_NAMED) {
		struct named n = read_named(&e);
		if (!d->bad && (n.code == OBJ_TYPE || n.code == OBJ_ALIAS)) {
			struct dict inner = dict_open(d, &n);
			struct elem to = open_declared(d, &n, &inner);
			uint32_t ref = read_type_ref(&to);
			class = d->bad ? CLASS_UNKNOWN : find_class(d, ref, &inner);
		} else if (!d->bad && is_universe(&n)) {
			class = CLASS_INT; /* byte and rune */
		}
	}
	d->depth--;
	return class;
}

static void read_constant(struct elem *e, struct gl_declaration *decl)
{
	struct elem ahead = *e;
	uint32_t type = read_type_ref(&ahead);
	struct gl_constant *constant = gl_pool_take(e->d->keep, sizeof(*constant));

	if (constant == NULL) {
		e->d->bad = e->d->nomem = true;
		return;
	}
	enum constant_class class = find_class(e->d, type, e->dict);
	read_one_type(e, &decl->signature);
	if (!e->d->bad) {
		constant_read(e, class, constant);
	}
	decl->constant = constant;
}

/* ---- types ------------------------------------------------------------------------------------------------------ */

/* Reads the fields of a struct that follow. */
static void read_fields(struct elem *e, struct gl_typedecl *type)
{
	uint32_t n = pkgbits_len(e);

	/* each takes more than one byte */
	if (e->d->bad || n > (size_t)(e->end - e->p)) {
		e->d->bad = true;
		return;
	}
	struct gl_field *list = gl_pool_take(e->d->keep, (n + 1) * sizeof(*list));
	if (list == NULL) {
		e->d->bad = e->d->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < n && !e->d->bad; i++) {
		struct gl_field *field = &list[type->nfields];
		size_t len;
		pkgbits_skip_pos(e);
		pkgbits_ref(e, SEC_PKG);
		const char *name = pkgbits_string(e, &len);
		const char *field_type = read_kept_type(e);
		size_t tag_len;
		const uint8_t *tag = pkgbits_bytes(e, &tag_len);
		bool is_embedded = pkgbits_bool(e);
		if (!gl_is_exported(name, len)) {
			continue;
		}
		*field = (struct gl_field){ .name = pkgbits_keep(e->d, name),
					    .type = field_type,
					    .tag = gl_pool_string(e->d->keep, (const char *)tag, tag_len),
					    .is_embedded = is_embedded };
		if (field->tag == NULL) {
			e->d->bad = e->d->nomem = true;
		}
		type->nfields++;
	}
	type->fields = list;
}

static const char *keep_method_type(struct pkgbits *d, const char *signature)
{
	struct gl_text t = { 0 };

	gl_text_puts(&t, "func");
	gl_text_puts(&t, signature);
	return pkgbits_keep(d, pkgbits_text(d, &t));
}

/* What an interface asks for. */
static void read_asked_methods(struct elem *e, struct gl_typedecl *type)
{
	struct methods ms = { 0 };

	collect_interface(e, &ms);
	if (ms.n > 0) {
		qsort(ms.list, ms.n, sizeof(*ms.list), compare_methods);
	}
	struct gl_method *list = gl_pool_take(e->d->keep, (ms.n + 1) * sizeof(*list));
	if (list == NULL) {
		e->d->bad = e->d->nomem = true;
	}
	for (uint32_t i = 0; i < ms.n && !e->d->bad; i++) {
		if (ms.list[i].exported) {
			list[type->nmethods].name = pkgbits_keep(e->d, ms.list[i].name);
			list[type->nmethods++].signature = keep_method_type(e->d, ms.list[i].signature);
		}
	}
	type->methods = list;
	free(ms.terms);
	free(ms.list);
}

/* The methods that a type declares, which follow its underlying type. Generic ones are somewhere else: nobody can call
 * them without type arguments. */
static void read_methods(struct elem *e, struct gl_typedecl *type)
{
	uint32_t n = pkgbits_len(e);

	if (e->d->bad || n > (size_t)(e->end - e->p)) {
		e->d->bad = true;
		return;
	}
	struct gl_method *list = gl_pool_take(e->d->keep, (n + 1) * sizeof(*list));
	if (list == NULL) {
		e->d->bad = e->d->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < n && !e->d->bad; i++) {
		size_t len;
		struct gl_text receiver = { 0 }, signature = { 0 };
		if (e->d->version >= VERSION_METHOD_ORDER) {
			pkgbits_uvarint(e);
		}
		pkgbits_skip_pos(e);
		pkgbits_ref(e, SEC_PKG);
		const char *name = pkgbits_string(e, &len);
		skip_type_params(e);
		pkgbits_skip_ident(e);
		add_type(&receiver, e);
		add_signature(&signature, e);
		pkgbits_skip_pos(e);
		const char *receiver_type = pkgbits_text(e->d, &receiver);
		const char *text = pkgbits_text(e->d, &signature);
		if (!e->d->bad && gl_is_exported(name, len)) {
			list[type->nmethods++] = (struct gl_method){ .name = pkgbits_keep(e->d, name),
								     .signature = keep_method_type(e->d, text),
								     .by_pointer = receiver_type[0] == '*' };
		}
	}
	type->methods = list;
}

/* Reads what a declared type is underneath. */
static void read_underlying(struct elem *e, struct gl_typedecl *type)
{
	struct gl_text t = { 0 };
	uint32_t ref = read_type_ref(e);

	add_type_elem(&t, e->d, ref, e->dict);
	type->underlying = pkgbits_keep(e->d, pkgbits_text(e->d, &t));
	struct elem under = pkgbits_open(e->d, SEC_TYPE, ref, e->dict);
	switch (pkgbits_len(&under)) {
	case TYPE_STRUCT: read_fields(&under, type); break;
	case TYPE_INTERFACE: read_asked_methods(&under, type); return; /* it can't declare any */
	default: break;
	}
	read_methods(e, type);
}

/* Reads the type that an alias stands for. */
static void read_aliased(struct elem *e, struct gl_typedecl *type)
{
	struct pkgbits *d = e->d;
	struct gl_text t = { 0 };
	uint32_t ref = read_type_ref(e);

	if (++d->depth > MAX_DEPTH) {
		d->bad = true;
	}
	add_type_elem(&t, d, ref, e->dict);
	type->name = type->underlying = pkgbits_keep(d, pkgbits_text(d, &t));
	struct elem to = pkgbits_open(d, SEC_TYPE, ref, e->dict);
	struct named n = { .code = OBJ_STUB };
	uint32_t code = pkgbits_len(&to);
	if (code == TYPE_NAMED && !d->bad) {
		n = read_named(&to);
	} else if (code == TYPE_STRUCT) {
		read_fields(&to, type);
	} else if (code == TYPE_INTERFACE) {
		read_asked_methods(&to, type);
	}
	if (!d->bad && (n.code == OBJ_TYPE || n.code == OBJ_ALIAS)) {
		struct dict dict = dict_open(d, &n);
		struct elem declared = open_declared(d, &n, &dict);
		const char *name = type->name;
		if (n.code == OBJ_ALIAS) {
			read_aliased(&declared, type);
		} else {
			read_underlying(&declared, type);
		}
		type->name = name;
	}
	d->depth--;
}

static void read_type(struct pkgbits *d, const struct named *n, struct gl_declaration *decl)
{
	struct gl_typedecl *type = gl_pool_take(d->keep, sizeof(*type));
	struct dict dict = dict_open(d, n);
	struct elem e = pkgbits_open(d, SEC_OBJ, n->obj, &dict);
	struct gl_text whole = { 0 };

	if (type == NULL) {
		d->bad = d->nomem = true;
		return;
	}
	decl->type = type;
	type->name = type->underlying = "";
	pkgbits_skip_pos(&e);
	if (n->code == OBJ_TYPE || d->version >= VERSION_ALIAS_PARAMS) {
		read_type_params(&e, &dict, &decl->signature);
	}
	if (d->bad) {
		return;
	}
	if (n->code == OBJ_ALIAS) {
		type->is_alias = true;
		read_aliased(&e, type);
	} else {
		read_underlying(&e, type);
		add_named(&whole, d, n);
		type->name = pkgbits_keep(d, pkgbits_text(d, &whole));
	}
}

/* Reads one object; false where it is not exported, or another package's. */
static bool read_declaration(struct pkgbits *d, uint32_t obj, struct gl_declaration *decl)
{
	struct named n = { 0 };

	read_name(d, obj, &n);
	if (d->bad || n.code == OBJ_STUB || strcmp(n.pkg, d->self) != 0 || !gl_is_exported(n.name, strlen(n.name))) {
		return false;
	}
	*decl = (struct gl_declaration){ .name = pkgbits_keep(d, n.name), .sym = UINT32_MAX };
	if (n.code == OBJ_TYPE || n.code == OBJ_ALIAS) {
		decl->kind = GL_DECLARES_TYPE;
		read_type(d, &n, decl);
		return !d->bad;
	}
	struct elem e = pkgbits_open(d, SEC_OBJ, obj, &no_dict);
	pkgbits_skip_pos(&e);
	if (n.code == OBJ_VAR) {
		decl->kind = GL_DECLARES_VAR;
		read_one_type(&e, &decl->signature);
		return !d->bad;
	}
	if (n.code == OBJ_CONST) {
		decl->kind = GL_DECLARES_CONST;
		read_constant(&e, decl);
		return !d->bad;
	}

	decl->kind = GL_DECLARES_FUNC;
	/* a generic method stands among the functions, and only its object says so */
	if (n.code != OBJ_FUNC || (d->version >= VERSION_GENERIC_METHODS && pkgbits_bool(&e))) {
		return false;
	}
	struct dict dict = dict_open(d, &n);
	e.dict = &dict;
	read_type_params(&e, &dict, &decl->signature);
	if (!d->bad) {
		read_function(&e, obj, &decl->signature);
	}
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
	*path = pkgbits_keep(&d, d.self);
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
