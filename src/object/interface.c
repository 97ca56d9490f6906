/* Interfaces in export data: what one asks for.
 *
 * An interface lists methods of its own, and types that are embedded in it: other interfaces, whose methods it asks for
 * too, or what constrains type parameters: other types and unions of them, which are called its terms here. */
#include "interface.h"

#include <stdlib.h>
#include <string.h>

#include "../grow.h"
#include "signature.h"
#include "types.h"

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
		types_add_signature(&t, e);
		m.signature = pkgbits_text(e->d, &t);
		add_method(e->d, ms, m);
	}
	for (uint32_t i = 0; i < nembedded && !e->d->bad; i++) {
		uint32_t idx = types_ref(e);
		collect_methods(e->d, idx, e->dict, ms);
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
	} else if (code == TYPE_NAMED) {
		struct named n = types_named(&e);
		if (d->bad) {
			/* nothing to collect */
		} else if (types_is_universe(&n)) {
			if (strcmp(n.name, "error") == 0) {
				add_method(d, ms, (struct method){ "builtin", "Error", "() string", true });
			} else if (strcmp(n.name, "any") != 0) {
				types_add_named(&t, d, &n);
				add_term(d, &t, ms);
			}
		} else {
			struct dict inner = types_dict(d, &n);
			struct elem to = types_declared(d, &n, &inner);
			uint32_t ref = types_ref(&to);
			struct elem under = pkgbits_open(d, SEC_TYPE, ref, &inner);
			uint32_t what = pkgbits_len(&under);
			if (n.code == OBJ_ALIAS || what == TYPE_INTERFACE) {
				collect_methods(d, ref, &inner, ms);
			} else if (!d->bad) {
				types_add_named(&t, d, &n);
				add_term(d, &t, ms);
			}
		}
	} else {
		types_add_elem(&t, d, idx, dict);
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

void interface_read(struct elem *e, struct methods *ms)
{
	*ms = (struct methods){ 0 };
	collect_interface(e, ms);
	if (ms->n > 0) {
		qsort(ms->list, ms->n, sizeof(*ms->list), compare_methods);
	}
}

void interface_free(struct methods *ms)
{
	free(ms->list);
	free(ms->terms);
	*ms = (struct methods){ 0 };
}
