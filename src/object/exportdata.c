/* Export data: what a package declares (types.c reads types and names them, constant.c the values of constants,
 * pkgbits.c the elements of which all of it is made).
 *
 * Element 0 of the section "meta" lists the package's objects (its declarations). Reading one means reading its
 * signature, and so its types, which are elements too. */
#include "exportdata.h"

#include <stdlib.h>
#include <string.h>

#include "constant.h"
#include "interface.h"
#include "pkgbits.h"
#include "types.h"

/* ---- declarations ----------------------------------------------------------------------------------------------- */

static const char *read_kept_type(struct elem *e)
{
	struct gl_text t = { 0 };

	types_add(&t, e);
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
		types_add_elem(&t, d, types_find(d, dict->bounds[i], dict), dict);
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
		struct named n = types_named(&e);
		if (!d->bad && (n.code == OBJ_TYPE || n.code == OBJ_ALIAS)) {
			struct dict inner = types_dict(d, &n);
			struct elem to = types_declared(d, &n, &inner);
			uint32_t ref = types_ref(&to);
			class = d->bad ? CLASS_UNKNOWN : find_class(d, ref, &inner);
		} else if (!d->bad && types_is_universe(&n)) {
			class = CLASS_INT; /* byte and rune */
		}
	}
	d->depth--;
	return class;
}

static void read_constant(struct elem *e, struct gl_declaration *decl)
{
	struct elem ahead = *e;
	uint32_t type = types_ref(&ahead);
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
	struct methods ms;

	interface_read(e, &ms);
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
	interface_free(&ms);
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
		types_skip_params(e);
		pkgbits_skip_ident(e);
		types_add(&receiver, e);
		types_add_signature(&signature, e);
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
	uint32_t ref = types_ref(e);

	types_add_elem(&t, e->d, ref, e->dict);
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
	uint32_t ref = types_ref(e);

	if (++d->depth > MAX_DEPTH) {
		d->bad = true;
	}
	types_add_elem(&t, d, ref, e->dict);
	type->name = type->underlying = pkgbits_keep(d, pkgbits_text(d, &t));
	struct elem to = pkgbits_open(d, SEC_TYPE, ref, e->dict);
	struct named n = { .code = OBJ_STUB };
	uint32_t code = pkgbits_len(&to);
	if (code == TYPE_NAMED && !d->bad) {
		n = types_named(&to);
	} else if (code == TYPE_STRUCT) {
		read_fields(&to, type);
	} else if (code == TYPE_INTERFACE) {
		read_asked_methods(&to, type);
	}
	if (!d->bad && (n.code == OBJ_TYPE || n.code == OBJ_ALIAS)) {
		struct dict dict = types_dict(d, &n);
		struct elem declared = types_declared(d, &n, &dict);
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
	struct dict dict = types_dict(d, n);
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
		types_add_named(&whole, d, n);
		type->name = pkgbits_keep(d, pkgbits_text(d, &whole));
	}
}

/* Reads one object; false where it is not exported, or another package's. */
static bool read_declaration(struct pkgbits *d, uint32_t obj, struct gl_declaration *decl)
{
	struct named n = { 0 };

	types_name(d, obj, &n);
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
	struct dict dict = types_dict(d, &n);
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
