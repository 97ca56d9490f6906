/* Types in export data, and their names.
 *
 * A type is an element of its own. It becomes text at once: the name that the compiler gives it in symbols
 * (Type.LinkString in cmd/compile/internal/types/fmt.go), which is all that a linker asks for. Where type parameters
 * are in it, what stands for them is put in their place: for a use of something generic its type arguments, for the
 * declaration the parameters' own names. Both are in the dictionary that an object has (struct dict).
 *
 * Types contain types, and a damaged file may have one contain itself: each function that follows one counts how deep
 * it is, and gives up at MAX_DEPTH. */
#include "types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interface.h"
#include "signature.h"

static struct type_use read_type_use(struct elem *e)
{
	bool is_derived = pkgbits_bool(e);

	return (struct type_use){ is_derived, is_derived ? pkgbits_len(e) : pkgbits_ref(e, SEC_TYPE) };
}

uint32_t types_find(struct pkgbits *d, struct type_use use, const struct dict *dict)
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

uint32_t types_ref(struct elem *e)
{
	struct type_use use = read_type_use(e);

	return types_find(e->d, use, e->dict);
}

void types_name(struct pkgbits *d, uint32_t obj, struct named *n)
{
	struct elem e = pkgbits_open(d, SEC_NAME, obj, &no_dict);
	size_t len;

	n->obj = obj;
	n->pkg = pkgbits_pkg(&e);
	n->name = pkgbits_string(&e, &len);
	n->code = pkgbits_len(&e);
}

struct named types_named(struct elem *e)
{
	struct named n = { 0 };

	if (e->d->version < VERSION_NO_LEGACY) {
		pkgbits_bool(e);
	}
	types_name(e->d, pkgbits_ref(e, SEC_OBJ), &n);
	n.nargs = pkgbits_len(e);
	if (n.nargs > (size_t)(e->end - e->p)) {
		e->d->bad = true;
	}
	n.args = e->d->bad ? NULL : pkgbits_take(e->d, n.nargs * sizeof(*n.args));
	for (uint32_t i = 0; i < n.nargs && !e->d->bad; i++) {
		struct gl_text t = { 0 };
		types_add(&t, e);
		n.args[i] = pkgbits_text(e->d, &t);
	}
	return n;
}

struct dict types_dict(struct pkgbits *d, const struct named *n)
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

void types_skip_params(struct elem *e)
{
	for (uint32_t i = 0; i < e->dict->nparams && !e->d->bad; i++) {
		pkgbits_skip_ident(e);
	}
}

struct elem types_declared(struct pkgbits *d, const struct named *n, const struct dict *dict)
{
	struct elem e = pkgbits_open(d, SEC_OBJ, n->obj, dict);

	pkgbits_skip_pos(&e);
	if (n->code == OBJ_TYPE || d->version >= VERSION_ALIAS_PARAMS) {
		types_skip_params(&e);
	}
	return e;
}

bool types_is_universe(const struct named *n) { return n->code == OBJ_STUB && strcmp(n->pkg, "builtin") == 0; }

void types_add_named(struct gl_text *t, struct pkgbits *d, const struct named *n)
{
	if (types_is_universe(n)) {
		gl_text_puts(t, strcmp(n->name, "any") == 0  ? "interface {}" :
				strcmp(n->name, "byte") == 0 ? "uint8" :
				strcmp(n->name, "rune") == 0 ? "int32" :
							       n->name);
		return;
	}
	if (n->code == OBJ_ALIAS) {
		struct dict dict = types_dict(d, n);
		struct elem e = types_declared(d, n, &dict);
		types_add(t, &e);
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

void types_add_signature(struct gl_text *t, struct elem *e)
{
	struct elem ahead = *e;
	uint32_t nparams = pkgbits_len(&ahead);

	for (uint32_t i = 0; i < nparams && !e->d->bad; i++) {
		pkgbits_skip_ident(&ahead);
		types_ref(&ahead);
	}
	uint32_t nresults = pkgbits_len(&ahead);
	for (uint32_t i = 0; i < nresults && !e->d->bad; i++) {
		pkgbits_skip_ident(&ahead);
		types_ref(&ahead);
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
				types_add(&last, e);
				const char *s = pkgbits_text(e->d, &last);
				gl_text_puts(t, "...");
				gl_text_puts(t, strncmp(s, "[]", 2) == 0 ? s + 2 : s);
			} else {
				types_add(t, e);
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
		uint32_t to = types_ref(&e);
		found = find_type_sym(d, to, dict, false, pkg, name);
	} else if (code == TYPE_BASIC) {
		/* its package is the universe, which is nobody's own */
		gl_text_puts(pkg, "builtin");
		types_add_elem(name, d, idx, dict);
		found = true;
	} else if (code == TYPE_NAMED) {
		struct named n = types_named(&e);
		if (n.code == OBJ_ALIAS) {
			struct dict inner = types_dict(d, &n);
			struct elem to = types_declared(d, &n, &inner);
			uint32_t ref = types_ref(&to);
			found = find_type_sym(d, ref, &inner, pointer_ok, pkg, name);
		} else if (!d->bad) {
			gl_text_puts(pkg, n.pkg);
			struct gl_text whole = { 0 };
			types_add_named(&whole, d, &n);
			const char *s = pkgbits_text(d, &whole);
			size_t skip = types_is_universe(&n) ? 0 : strlen(n.pkg) + 1;
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
		uint32_t type = types_ref(e);
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
		types_add_elem(t, e->d, type, e->dict);
		if (tag_len > 0) {
			gl_text_puts(t, " ");
			pkgbits_add_quoted(t, tag, tag_len);
		}
	}
	gl_text_puts(t, n > 0 ? " }" : "}");
}

/* The terms of a union: "~int | ~string" */
static void add_union(struct gl_text *t, struct elem *e)
{
	uint32_t n = pkgbits_len(e);

	for (uint32_t i = 0; i < n && !e->d->bad; i++) {
		gl_text_puts(t, i > 0 ? " | " : "");
		gl_text_puts(t, pkgbits_bool(e) ? "~" : "");
		types_add(t, e);
	}
}

static void add_interface(struct gl_text *t, struct elem *e)
{
	struct methods ms;

	interface_read(e, &ms);
	if (ms.is_implicit && ms.n == 0 && ms.nterms == 1) {
		gl_text_puts(t, ms.terms[0]);
		interface_free(&ms);
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
	interface_free(&ms);
}

static void add_chan(struct gl_text *t, struct elem *e)
{
	enum { SEND_RECV, SEND_ONLY, RECV_ONLY }; /* types2.ChanDir */
	uint32_t dir = pkgbits_len(e);
	struct gl_text elem = { 0 };

	types_add(&elem, e);
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
		struct named named = types_named(e);
		if (!e->d->bad) {
			types_add_named(t, e->d, &named);
		}
		break;
	}
	case TYPE_POINTER:
		gl_text_puts(t, "*");
		types_add(t, e);
		break;
	case TYPE_SLICE:
		gl_text_puts(t, "[]");
		types_add(t, e);
		break;
	case TYPE_ARRAY:
		snprintf(buf, sizeof(buf), "[%llu]", (unsigned long long)pkgbits_uvarint(e));
		gl_text_puts(t, buf);
		types_add(t, e);
		break;
	case TYPE_CHAN: add_chan(t, e); break;
	case TYPE_MAP:
		gl_text_puts(t, "map[");
		types_add(t, e);
		gl_text_puts(t, "]");
		types_add(t, e);
		break;
	case TYPE_SIGNATURE:
		gl_text_puts(t, "func");
		types_add_signature(t, e);
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

void types_add_elem(struct gl_text *t, struct pkgbits *d, uint32_t idx, const struct dict *dict)
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

void types_add(struct gl_text *t, struct elem *e)
{
	uint32_t idx = types_ref(e);

	types_add_elem(t, e->d, idx, e->dict);
}
