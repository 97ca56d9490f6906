/* Signatures (see signature.h), whoever read them. */
#include "../grow.h"
#include "params.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

void params_add(struct params *ps, struct gl_sigparam param)
{
	if (param.name == NULL || param.type == NULL) {
		ps->nomem = true;
		return;
	}
	if (!GL_GROW(ps->list, ps->n, ps->cap)) {
		ps->nomem = true;
		return;
	}
	ps->list[ps->n++] = param;
}

/* Parameters before results, as calls want them; both keep their order. */
int params_finish(struct owned_signature *own, struct params *ps, struct gl_error *err)
{
	struct gl_sigparam *list = gl_pool_take(&own->pool, (ps->n + 1) * sizeof(*list));

	if (ps->nomem || list == NULL) {
		return gl_fail(err, GL_ENOMEM, "out of memory");
	}
	for (int results = 0; results < 2; results++) {
		for (uint32_t i = 0; i < ps->n; i++) {
			struct gl_sigparam *param = &list[own->sig.nparams + own->sig.nresults];
			uint32_t *n = results != 0 ? &own->sig.nresults : &own->sig.nparams;
			if (ps->list[i].is_result != (results != 0)) {
				continue;
			}
			*param = ps->list[i];
			if (param->name[0] == '~') {
				/* an unnamed result, ~r and its place: a gap means that one was dropped */
				ps->partial = ps->partial || strtoul(param->name + 2, NULL, 10) != *n;
				param->name = "";
			}
			++*n;
		}
	}
	own->sig.params = list;
	return 0;
}

void gl_signature_free(struct gl_signature *sig)
{
	struct owned_signature *own = (struct owned_signature *)(void *)sig;

	if (own != NULL) {
		gl_pool_free(&own->pool);
		free(own);
	}
}

static void add_params(struct gl_text *t, const struct gl_sigparam *list, uint32_t n, bool variadic)
{
	bool named = false;

	for (uint32_t i = 0; i < n; i++) {
		named = named || list[i].name[0] != '\0';
	}
	for (uint32_t i = 0; i < n; i++) {
		const char *type = list[i].type;
		gl_text_puts(t, i > 0 ? ", " : "");
		if (named) {
			gl_text_puts(t, list[i].name[0] != '\0' ? list[i].name : "_");
			gl_text_puts(t, " ");
		}
		if (variadic && i + 1 == n && strncmp(type, "[]", 2) == 0) {
			gl_text_puts(t, "...");
			type += 2;
		}
		gl_text_puts(t, type);
	}
}

/* "[K comparable, V any]" */
static void add_type_params(struct gl_text *t, const struct gl_signature *sig)
{
	for (uint32_t i = 0; i < sig->ntype_params; i++) {
		gl_text_puts(t, i == 0 ? "[" : ", ");
		gl_text_puts(t, sig->type_params[i].name);
		gl_text_puts(t, " ");
		gl_text_puts(t, sig->type_params[i].constraint);
	}
	gl_text_puts(t, sig->ntype_params > 0 ? "]" : "");
}

char *gl_signature_string(const struct gl_signature *sig)
{
	struct gl_text t = { 0 };

	if (!sig->typed) {
		gl_text_puts(&t, "func(…)");
		return gl_text_take(&t);
	}
	gl_text_puts(&t, "func");
	add_type_params(&t, sig);
	gl_text_puts(&t, "(");
	add_params(&t, sig->params, sig->nparams, sig->variadic);
	gl_text_puts(&t, ")");
	if (sig->nresults > 0) {
		const struct gl_sigparam *results = sig->params + sig->nparams;
		bool parens = sig->nresults > 1 || results[0].name[0] != '\0';
		gl_text_puts(&t, parens ? " (" : " ");
		add_params(&t, results, sig->nresults, false);
		gl_text_puts(&t, parens ? ")" : "");
	}
	return gl_text_take(&t);
}

char *gl_declaration_string(const struct gl_declaration *decl)
{
	struct gl_text t = { 0 };

	switch (decl->kind) {
	case GL_DECLARES_FUNC: return gl_signature_string(&decl->signature);
	case GL_DECLARES_TYPE:
		add_type_params(&t, &decl->signature);
		gl_text_puts(&t, decl->signature.ntype_params > 0 ? " " : "");
		gl_text_puts(&t, decl->type->is_alias ? "= " : "");
		gl_text_puts(&t, decl->type->is_alias ? decl->type->name : decl->type->underlying);
		break;
	default: {
		bool is_known = decl->signature.typed && decl->signature.nparams > 0;
		gl_text_puts(&t, is_known ? decl->signature.params[0].type : "?");
		gl_text_puts(&t, decl->constant != NULL ? " = " : "");
		gl_text_puts(&t, decl->constant != NULL ? decl->constant->text : "");
	}
	}
	return gl_text_take(&t);
}

bool gl_is_exported(const char *name, size_t n)
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
