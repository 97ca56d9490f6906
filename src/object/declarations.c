/* A package's exports (see signature.h): from its export data, or from its symbols and their DWARF. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "../grow.h"
#include "dwarf.h"
#include "exportdata.h"

struct owned_declarations {
	struct gl_declarations decls;
	struct gl_pool pool;
	struct gl_declaration *list;
};

static bool is_text(const struct gl_abi *abi, uint8_t type)
{
	return type == abi->STEXT || (abi->STEXTFIPS >= 0 && type == abi->STEXTFIPS);
}

static bool is_data(const struct gl_abi *abi, uint8_t type)
{
	const int kinds[] = { abi->SNOPTRDATA, abi->SNOPTRDATAFIPS, abi->SDATA,
			      abi->SDATAFIPS,  abi->SBSS,           abi->SNOPTRBSS };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i] == type) {
			return true;
		}
	}
	return false;
}

static bool is_letter(char c) { return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80; }

/* The identifier in a symbol's name, when it is that of an exported function or variable of the package; n is 0
 * otherwise. Methods have a dot or a parenthesis more, instances of generic functions a bracket, closures and wrappers
 * a dot or a hyphen. */
static struct gl_str exported_name(struct gl_str sym, const char *path, size_t path_len)
{
	struct gl_str none = { "", 0 };

	if (sym.n < path_len + 2 || memcmp(sym.p, path, path_len) != 0 || sym.p[path_len] != '.') {
		return none;
	}
	struct gl_str name = { sym.p + path_len + 1, sym.n - (uint32_t)path_len - 1 };
	for (uint32_t i = 0; i < name.n; i++) {
		/* U+00B7, the dot that local types and linker-made symbols carry */
		if (!is_letter(name.p[i]) || (i + 1 < name.n && memcmp(name.p + i, "\xc2\xb7", 2) == 0)) {
			return none;
		}
	}
	return gl_is_exported(name.p, name.n) ? name : none;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct gl_declaration *)a)->name, ((const struct gl_declaration *)b)->name);
}

/* Calls enter by ABIInternal; what assembly defines has a wrapper for it from the compiler. */
static bool can_be_declared(const struct gl_abi *abi, const struct gl_object *obj, uint32_t s, struct gl_sym sym)
{
	return (is_text(abi, sym.type) ? sym.abi == GL_ABIINTERNAL : is_data(abi, sym.type)) &&
	       !gl_object_is_hashed(obj, s);
}

/* An exported function or variable, as a package's symbols have it. */
struct exported {
	struct gl_str path; /* the package's; what follows starts as zero */
	uint32_t object, next;
	const struct gl_object *obj;
	uint32_t sym;
	struct gl_str name;
	enum gl_declaration_kind kind;
};

/* Goes on to the next one; false after the last. */
static bool next_exported(const struct gl_package *pkg, const struct gl_abi *abi, struct exported *e)
{
	for (; e->object < gl_package_nobjects(pkg); e->object++, e->next = 0) {
		e->obj = gl_package_object(pkg, e->object);
		for (uint32_t n = gl_object_nsyms(e->obj); e->next < n;) {
			e->sym = e->next++;
			struct gl_sym sym = gl_object_sym(e->obj, e->sym);
			e->name = exported_name(sym.name, e->path.p, e->path.n);
			if (e->name.n > 0 && can_be_declared(abi, e->obj, e->sym, sym)) {
				e->kind = is_text(abi, sym.type) ? GL_DECLARES_FUNC : GL_DECLARES_VAR;
				return true;
			}
		}
	}
	return false;
}

/* The declaration of a name, among n that are sorted by name; or NULL. */
static struct gl_declaration *find_declaration(struct owned_declarations *own, uint32_t n, struct gl_str name)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const char *have = own->list[mid].name;
		int c = strncmp(have, name.p, name.n);
		c = c == 0 && have[name.n] != '\0' ? 1 : c;
		if (c == 0) {
			return &own->list[mid];
		}
		if (c < 0) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return NULL;
}

bool gl_declaration_has_symbol(const struct gl_declaration *decl)
{
	return (decl->kind == GL_DECLARES_FUNC && decl->signature.ntype_params == 0) || decl->kind == GL_DECLARES_VAR;
}

/* Gives each function and variable its symbol, and drops those that have none here, unless all are wanted. */
static void bind_symbols(struct owned_declarations *own, uint32_t n, const char *path, const struct gl_package *pkg,
			 const struct gl_abi *abi, enum gl_which_declarations which)
{
	struct exported e = { .path = { path, (uint32_t)strlen(path) } };

	while (next_exported(pkg, abi, &e)) {
		struct gl_declaration *decl = find_declaration(own, n, e.name);
		if (decl != NULL && gl_declaration_has_symbol(decl) && decl->kind == e.kind) {
			decl->object = e.object;
			decl->sym = e.sym;
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		if (which == GL_DECLARATIONS_ALL || own->list[i].sym != UINT32_MAX ||
		    !gl_declaration_has_symbol(&own->list[i])) {
			own->list[own->decls.n++] = own->list[i];
		}
	}
}

/* A variable's type, from the symbol of its descriptor. */
static int read_variable(struct owned_declarations *own, const struct gl_object *obj, struct gl_declaration *decl,
			 struct gl_error *err)
{
	static const char prefix[] = "type:";
	uint32_t n = gl_object_nauxs(obj, decl->sym);

	for (uint32_t i = 0; i < n; i++) {
		struct gl_aux aux = gl_object_aux(obj, decl->sym, i);
		if (aux.type != GL_AUX_GOTYPE) {
			continue;
		}
		struct gl_str name = gl_object_symref_name(obj, aux.sym);
		if (name.n <= sizeof(prefix) - 1 || memcmp(name.p, prefix, sizeof(prefix) - 1) != 0) {
			return 0;
		}
		struct gl_sigparam *param = gl_pool_take(&own->pool, sizeof(*param));
		if (param == NULL) {
			return gl_fail(err, GL_ENOMEM, "out of memory");
		}
		param->name = "";
		param->type = gl_pool_string(&own->pool, name.p + sizeof(prefix) - 1, name.n - (sizeof(prefix) - 1));
		if (param->type == NULL) {
			return gl_fail(err, GL_ENOMEM, "out of memory");
		}
		decl->signature = (struct gl_signature){ .params = param, .nparams = 1, .typed = true };
	}
	return 0;
}

/* Without export data: the symbols say what there is, DWARF of which type. */
static int read_from_symbols(struct owned_declarations *own, const struct gl_package *pkg, const struct gl_abi *abi,
			     struct gl_error *err)
{
	const char *path = gl_package_path(pkg);
	struct exported e = { .path = { path, (uint32_t)strlen(path) } };
	uint32_t cap = 0;

	while (next_exported(pkg, abi, &e)) {
		if (!GL_GROW(own->list, own->decls.n, cap)) {
			return gl_fail(err, GL_ENOMEM, "out of memory");
		}
		struct gl_declaration *decl = &own->list[own->decls.n++];
		*decl = (struct gl_declaration){ .kind = e.kind, .object = e.object, .sym = e.sym };
		decl->name = gl_pool_string(&own->pool, e.name.p, e.name.n);
		if (decl->name == NULL) {
			return gl_fail(err, GL_ENOMEM, "out of memory");
		}
		if (e.kind == GL_DECLARES_VAR) {
			if (read_variable(own, e.obj, decl, err) != 0) {
				return -1;
			}
			continue;
		}
		struct owned_signature one = { .pool = own->pool };
		int ret = dwarf_read(&one, e.obj, e.sym, abi, err);
		own->pool = one.pool;
		decl->signature = one.sig;
		if (ret != 0) {
			return -1;
		}
	}
	return 0;
}

int gl_declarations_read(const struct gl_package *pkg, const struct gl_abi *abi, enum gl_which_declarations which,
			 struct gl_declarations **out, struct gl_error *err)
{
	struct owned_declarations *own = calloc(1, sizeof(*own));
	const char *path;
	uint32_t n;

	*out = NULL;
	if (own == NULL) {
		return gl_fail(err, GL_ENOMEM, "out of memory");
	}
	int found = exportdata_read(pkg, &own->pool, &own->list, &n, &path, err);
	if (found < 0) {
		goto fail;
	}
	if (found > 0) {
		if (n > 0) {
			qsort(own->list, n, sizeof(*own->list), compare_names);
		}
		bind_symbols(own, n, path, pkg, abi, which);
	} else {
		if (read_from_symbols(own, pkg, abi, err) != 0) {
			goto fail;
		}
		if (own->decls.n > 0) {
			qsort(own->list, own->decls.n, sizeof(*own->list), compare_names);
		}
	}
	own->decls.list = own->list;
	*out = &own->decls;
	return 0;

fail:
	gl_declarations_free(&own->decls);
	return -1;
}

void gl_declarations_free(struct gl_declarations *decls)
{
	struct owned_declarations *own = (struct owned_declarations *)(void *)decls;

	if (own != NULL) {
		gl_pool_free(&own->pool);
		free(own->list);
		free(own);
	}
}
