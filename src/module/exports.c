/* What a module exports: as roots of the load, while it is resolved, and as what Lua sees, when everything has its
 * address. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- roots ------------------------------------------------------------------------------------------------------ */

void module_root_main(struct link *l)
{
	static const char name[] = "main.main";

	for (uint32_t i = 0; i < l->npackages; i++) {
		const struct ldef *def = lpkg_find(&l->packages[i], name, sizeof(name) - 1, GL_ABIINTERNAL);
		if (def != NULL) {
			link_root(l, UNIT_MODULE, def->name.p, def->name.n, GL_ABIINTERNAL);
			return;
		}
	}
}

/* The name of the descriptor of a type that an export mentions: values are carried by it. */
struct mentioned_type {
	const char *name;
	size_t n;
	UT_hash_handle hh;
};

static void mention_type(struct link *l, struct exports *ex, const char *type)
{
	size_t n = strlen(type) + 5;
	struct mentioned_type *have, *mentioned = gl_pool_take(&ex->pool, sizeof(*mentioned) + n + 1);

	if (mentioned == NULL) {
		link_out_of_memory(l);
		return;
	}
	char *name = (char *)(mentioned + 1);
	snprintf(name, n + 1, "type:%s", type);
	HASH_FIND(hh, ex->types, name, n, have);
	if (have == NULL) {
		*mentioned = (struct mentioned_type){ .name = name, .n = n };
		HASH_ADD_KEYPTR(hh, ex->types, mentioned->name, n, mentioned);
		if (mentioned->hh.tbl == NULL) {
			link_out_of_memory(l);
		}
	}
}

static bool is_mentioned(const struct exports *ex, struct gl_str name)
{
	struct mentioned_type *have;

	HASH_FIND(hh, ex->types, name.p, name.n, have);
	return have != NULL;
}

/* Marks the descriptors of the types that exports mention, as far as there are any. The compiler writes none for some
 * composite types; those are put together from their parts when a call needs them (call/plan.c). */
static void root_mentioned_types(struct link *l, const struct exports *ex)
{
	for (const struct mentioned_type *t = ex->types; t != NULL; t = t->hh.next) {
		link_root(l, UNIT_MODULE, t->name, t->n, GL_ABIINTERNAL);
	}
}

/* Is this the name of the descriptor of an exported type of the package that is not generic ("type:path.Name"), or of a
 * pointer to one ("type:*path.Name")? */
static bool is_exported_type(struct gl_str name, const char *path)
{
	size_t n = strlen(path), at = name.p[5] == '*' ? 6 : 5;

	return name.n > at + n + 1 && memcmp(name.p + at, path, n) == 0 && name.p[at + n] == '.' &&
	       gl_is_exported(name.p + at + n + 1, name.n - at - n - 1) &&
	       memchr(name.p + at + n + 1, '.', name.n - at - n - 1) == NULL &&
	       memchr(name.p + at, '[', name.n - at) == NULL;
}

/* Marks the descriptors of the package's exported types, and with them their methods, whether a function mentions them
 * or not: Lua can make values of these types. And what else it describes of the types that exports mention, before they
 * are asked for by name: a module of one object need not have a table of its names then (lpkg_find). */
static void root_types(struct link *l, const struct exports *ex, const struct lpkg *p)
{
	for (uint32_t o = 0; o < p->nobjs; o++) {
		const struct gl_object *obj = p->objs[o].obj;

		for (uint32_t s = 0, n = gl_object_nsyms(obj); s < n; s++) {
			struct gl_str name = gl_object_sym(obj, s).name;

			if (name.n < 6 || memcmp(name.p, "type:", 5) != 0 || gl_object_is_hashed(obj, s)) {
				continue;
			}
			if (p->is_shared && is_exported_type(name, p->path)) {
				link_root(l, UNIT_MODULE, name.p, name.n, GL_ABIINTERNAL);
			} else if (!p->is_shared && (is_exported_type(name, p->path) || is_mentioned(ex, name))) {
				link_root_at(l, &p->objs[o], s);
			}
		}
	}
}

static bool has_descriptor(const struct gl_declaration *decl)
{
	return decl->kind == GL_DECLARES_TYPE && decl->signature.ntype_params == 0;
}

/* A function or a variable of a package that stays the process's: by its name it is the host's, or what an earlier load
 * has taken from the package's archive, or is taken from there now. */
static void root_shared(struct link *l, struct gl_pool *pool, const struct lpkg *p, const struct gl_declaration *decl)
{
	size_t n = strlen(p->path) + 1 + strlen(decl->name);
	char *name = gl_pool_take(pool, n + 1);

	if (name == NULL) {
		link_out_of_memory(l);
		return;
	}
	snprintf(name, n + 1, "%s.%s", p->path, decl->name);
	link_root(l, UNIT_MODULE, name, n, GL_ABIINTERNAL);
}

/* Constants and what is generic have nothing in memory. */
static void root_declaration(struct link *l, struct exports *ex, const struct lpkg *p,
			     const struct gl_declaration *decl)
{
	const struct gl_signature *sig = &decl->signature;

	if (has_descriptor(decl)) {
		mention_type(l, ex, decl->type->name);
	}
	if (!gl_declaration_has_symbol(decl)) {
		return;
	}
	if (p->is_shared) {
		root_shared(l, &ex->pool, p, decl);
	} else {
		link_root_at(l, &p->objs[decl->object], decl->sym);
	}
	for (uint32_t k = 0; k < sig->nparams + sig->nresults; k++) {
		mention_type(l, ex, sig->params[k].type);
	}
}

int module_root_exports(struct link *l, struct exports *ex)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): decls is an array of pointers */
	ex->decls = calloc(l->npackages, sizeof(*ex->decls));
	if (ex->decls == NULL) {
		return gl_out_of_memory(l->err, "reading exports");
	}
	for (uint32_t i = 0; i < l->npackages; i++) {
		if (!l->packages[i].is_root) {
			continue;
		}
		enum gl_which_declarations which = l->packages[i].is_shared ? GL_DECLARATIONS_ALL : GL_DECLARATIONS_OWN;
		if (gl_declarations_read(l->packages[i].pkg, l->linker->abi, which, &ex->decls[i], l->err) != 0) {
			return -1;
		}
		for (uint32_t d = 0; d < ex->decls[i]->n; d++) {
			root_declaration(l, ex, &l->packages[i], &ex->decls[i]->list[d]);
		}
		root_types(l, ex, &l->packages[i]);
	}
	root_mentioned_types(l, ex);
	return 0;
}

void module_free_declarations(struct gl_declarations **decls, uint32_t n)
{
	for (uint32_t i = 0; decls != NULL && i < n; i++) {
		gl_declarations_free(decls[i]);
	}
	free(decls);
}

void module_free_exports(struct exports *ex, uint32_t n)
{
	module_free_declarations(ex->decls, n);
	ex->decls = NULL;
	HASH_CLEAR(hh, ex->types);
	gl_pool_free(&ex->pool);
}

/* ---- exports ---------------------------------------------------------------------------------------------------- */

static uintptr_t type_address(struct link *l, const char *type)
{
	size_t n = strlen(type) + 5;
	char small[512], *name = n < sizeof(small) ? small : malloc(n + 1);
	uintptr_t addr = 0;

	if (name == NULL) {
		link_out_of_memory(l);
		return 0;
	}
	snprintf(name, n + 1, "type:%s", type);
	/* root_mentioned_types has marked it before anything was laid out: this finds the same symbol again */
	uint32_t s = link_root(l, UNIT_MODULE, name, n, GL_ABIINTERNAL);
	if (s != NO_SYM && (link_sym(l, s)->state == SYM_FIXED || link_sym(l, s)->marked)) {
		addr = link_sym(l, s)->addr;
	}
	if (name != small) {
		free(name);
	}
	return addr;
}

/* The symbol of a function or a variable that has a place; NULL of a function that is declared without a body, and
 * implemented in another package. */
static const struct lsym *find_placed(struct link *l, const struct lpkg *p, const struct gl_declaration *decl)
{
	char full[1024];
	int n = snprintf(full, sizeof(full), "%s.%s", p->path, decl->name);
	struct lsym *s = NULL;

	if (n > 0 && (size_t)n < sizeof(full)) {
		HASH_FIND(hh, l->by_name[UNIT_MODULE][GL_ABIINTERNAL], full, (size_t)n, s);
	}
	if (s != NULL && s->alias != NO_SYM) {
		s = link_sym(l, s->alias); /* in the resident store */
	}
	/* A variable of no size has no place in the module, as it has none in a program that Go links. */
	bool is_empty =
		s != NULL && decl->kind != GL_DECLARES_FUNC && s->state == SYM_FIXED && s->addr == l->linker->zerobase;
	bool is_elsewhere = s != NULL && p->is_shared && s->state == SYM_FIXED;
	return s != NULL && (s->marked || is_empty || is_elsewhere) ? s : NULL;
}

/* A function or a variable. Its strings are the module's own: who has called it may speak of it after the unloading. */
static int add_placed(struct link *l, struct gl_module *mod, const struct lpkg *p, const char *package,
		      const struct gl_declaration *decl)
{
	const struct lsym *s = find_placed(l, p, decl);
	const struct gl_signature *sig = &decl->signature;
	bool is_func = decl->kind == GL_DECLARES_FUNC;

	if (s == NULL) {
		return 0;
	}
	struct gl_export *e = &mod->exports[mod->nexports];
	uint32_t nparams = sig->nparams + sig->nresults;
	struct gl_param *params = gl_pool_take(&mod->exports_pool, (nparams + 1) * sizeof(*params));
	*e = (struct gl_export){ .name = gl_pool_string(&mod->exports_pool, decl->name, strlen(decl->name)),
				 .package = package,
				 .kind = is_func ? GL_EXPORT_FUNC : GL_EXPORT_VAR,
				 .addr = s->addr,
				 .params = params,
				 .nparams = sig->nparams,
				 .nresults = sig->nresults,
				 .variadic = sig->variadic,
				 .typed = sig->typed,
				 .decl = decl };
	if (e->name == NULL || params == NULL) {
		return -1;
	}
	for (uint32_t k = 0; k < nparams; k++) {
		const struct gl_sigparam *from = &sig->params[k];
		params[k] =
			(struct gl_param){ .name = gl_pool_string(&mod->exports_pool, from->name, strlen(from->name)),
					   .type_name =
						   gl_pool_string(&mod->exports_pool, from->type, strlen(from->type)),
					   .type = type_address(l, from->type),
					   .is_result = from->is_result,
					   .is_lent = from->is_lent };
		if (params[k].name == NULL || params[k].type_name == NULL || l->failed) {
			return -1;
		}
	}
	mod->nexports++;
	return 0;
}

/* What is no symbol of the package's. */
static int add_declared(struct link *l, struct gl_module *mod, const char *package, const struct gl_declaration *decl)
{
	mod->exports[mod->nexports++] =
		(struct gl_export){ .name = decl->name,
				    .package = package,
				    .kind = decl->kind == GL_DECLARES_TYPE  ? GL_EXPORT_TYPE :
					    decl->kind == GL_DECLARES_CONST ? GL_EXPORT_CONST :
									      GL_EXPORT_GENERIC,
				    .addr = has_descriptor(decl) ? type_address(l, decl->type->name) : 0,
				    .variadic = decl->signature.variadic,
				    .typed = true,
				    .decl = decl };
	return l->failed ? -1 : 0;
}

/* The Go type, as Lua is told: a variable's or a constant's by its name alone. */
static int set_signature(struct gl_module *mod, struct gl_export *e)
{
	if (e->kind == GL_EXPORT_VAR) {
		e->signature = e->typed && e->nparams > 0 ? e->params[0].type_name : "?";
		return 0;
	}
	if (e->kind == GL_EXPORT_CONST) {
		e->signature = e->decl->signature.params[0].type;
		return 0;
	}
	char *text = gl_declaration_string(e->decl);
	e->signature = text == NULL ? NULL : gl_pool_string(&mod->exports_pool, text, strlen(text));
	free(text);
	return e->signature == NULL ? -1 : 0;
}

static int add_exports(struct link *l, struct gl_module *mod, const struct lpkg *p, const struct gl_declarations *decls)
{
	const char *package = gl_pool_string(&mod->exports_pool, p->path, strlen(p->path));

	if (package == NULL) {
		return -1;
	}
	for (uint32_t d = 0; d < decls->n; d++) {
		size_t had = mod->nexports;
		const struct gl_declaration *decl = &decls->list[d];
		int ret = gl_declaration_has_symbol(decl) ? add_placed(l, mod, p, package, decl) :
							    add_declared(l, mod, package, decl);
		if (ret != 0 || (mod->nexports > had && set_signature(mod, &mod->exports[had]) != 0)) {
			return -1;
		}
	}
	return 0;
}

int module_add_exports(struct link *l, struct gl_module *mod, struct exports *ex)
{
	size_t n = 0;

	for (uint32_t i = 0; ex->decls != NULL && i < l->npackages; i++) {
		n += ex->decls[i] != NULL ? ex->decls[i]->n : 0;
	}
	mod->decls = ex->decls;
	mod->ndecls = l->npackages;
	ex->decls = NULL;
	mod->exports = gl_pool_take(&mod->exports_pool, (n + 1) * sizeof(*mod->exports));
	bool ok = mod->exports != NULL;
	for (uint32_t i = l->npackages; mod->decls != NULL && ok && i-- > 0;) {
		ok = mod->decls[i] == NULL || add_exports(l, mod, &l->packages[i], mod->decls[i]) == 0;
	}
	return ok ? 0 : gl_out_of_memory(l->err, "noting exports");
}
