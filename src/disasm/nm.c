/* The symbols of a Go object (see nm.h).
 *
 * An object holds far more symbols than a person wants to read: pc tables, stack maps, DWARF. Listed is what takes a
 * place in the loaded module, and what it needs from others. */
#include "nm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../object/gom.h"
#include "../object/pool.h"
#include "../object/signature.h"

struct owned {
	struct gl_nm nm;
	struct gl_nm_symbol *list;
	size_t cap;
	struct gl_pool pool;
};

/* The letter of a symbol kind, or 0 for what is never placed (DWARF, and pc tables, which have no kind of their own).
 */
static char kind_letter(const struct gl_abi *abi, const struct gl_sym *sym)
{
	const struct {
		int type;
		char letter;
	} kinds[] = { { abi->STEXT, 'T' },
		      { abi->STEXTFIPS, 'T' },
		      { abi->SRODATA, 'R' },
		      { abi->SRODATAFIPS, 'R' },
		      { abi->SNOPTRDATA, 'D' },
		      { abi->SNOPTRDATAFIPS, 'D' },
		      { abi->SDATA, 'D' },
		      { abi->SDATAFIPS, 'D' },
		      { abi->SBSS, 'B' },
		      { abi->SNOPTRBSS, 'B' },
		      { abi->STLSBSS, 'B' },
		      { abi->SLIBFUZZER_8BIT_COUNTER, 'B' },
		      { abi->SCOVERAGE_COUNTER, 'B' },
		      { abi->SCOVERAGE_AUXVAR, 'B' } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].type == sym->type) {
			bool local = (sym->flag & GL_SYM_LOCAL) != 0 || sym->abi == GL_ABISTATIC;
			return (char)(local ? kinds[i].letter + ('a' - 'A') : kinds[i].letter);
		}
	}
	return 0;
}

static struct gl_nm_symbol *add(struct owned *own, struct gl_str name, char kind, struct gl_error *err)
{
	if (own->nm.n == own->cap) {
		size_t cap = own->cap * 2 + 64;
		struct gl_nm_symbol *grown = realloc(own->list, cap * sizeof(*grown));
		if (grown == NULL) {
			gl_fail(err, GL_ENOMEM, "out of memory");
			return NULL;
		}
		own->list = grown;
		own->cap = cap;
	}
	struct gl_nm_symbol *s = &own->list[own->nm.n];
	*s = (struct gl_nm_symbol){ .kind = kind, .abi = -1 };
	s->name = gl_pool_string(&own->pool, name.p, name.n);
	if (s->name == NULL) {
		gl_fail(err, GL_ENOMEM, "out of memory");
		return NULL;
	}
	own->nm.n++;
	return s;
}

/* The declaration that symbol sym of object o is, or NULL. */
static const struct gl_declaration *find_declaration(const struct gl_declarations *decls, uint32_t o, uint32_t sym)
{
	for (uint32_t i = 0; decls != NULL && i < decls->n; i++) {
		if (decls->list[i].object == o && decls->list[i].sym == sym) {
			return &decls->list[i];
		}
	}
	return NULL;
}

static int set_signature(struct owned *own, struct gl_nm_symbol *s, const struct gl_declaration *decl,
			 struct gl_error *err)
{
	s->is_export = true;
	if ((decl->kind == GL_DECLARES_FUNC || decl->kind == GL_DECLARES_VAR) && !decl->signature.typed) {
		return 0;
	}
	char *text = gl_declaration_string(decl);
	s->signature = text != NULL ? gl_pool_string(&own->pool, text, strlen(text)) : NULL;
	free(text);
	return s->signature != NULL ? 0 : gl_fail(err, GL_ENOMEM, "out of memory");
}

/* Adds the exports that are no symbols: constants, types and generic functions. */
static int add_declared(struct owned *own, const struct gl_package *pkg, const struct gl_declarations *decls,
			struct gl_error *err)
{
	for (uint32_t i = 0; decls != NULL && i < decls->n; i++) {
		const struct gl_declaration *decl = &decls->list[i];
		struct gl_text t = { 0 };
		if (decl->sym != UINT32_MAX) {
			continue;
		}
		gl_text_puts(&t, gl_package_path(pkg));
		gl_text_puts(&t, ".");
		gl_text_puts(&t, decl->name);
		char *name = gl_text_take(&t);
		struct gl_nm_symbol *s = NULL;
		if (name == NULL) {
			gl_fail(err, GL_ENOMEM, "out of memory");
		} else {
			s = add(own, (struct gl_str){ name, (uint32_t)strlen(name) }, '-', err);
		}
		free(name);
		if (s == NULL || set_signature(own, s, decl, err) != 0) {
			return -1;
		}
	}
	return 0;
}

static int add_defined(struct owned *own, const struct gl_package *pkg, uint32_t o, const struct gl_declarations *decls,
		       const struct gl_abi *abi, struct gl_error *err)
{
	const struct gl_object *obj = gl_package_object(pkg, o);
	uint32_t nsyms = gl_object_nsyms(obj);

	for (uint32_t i = 0; i < nsyms; i++) {
		struct gl_sym sym = gl_object_sym(obj, i);
		char kind = kind_letter(abi, &sym);
		bool is_text = kind == 'T' || kind == 't';
		/* text has no size of its own in some kinds of object, but its bytes are all there */
		uint32_t bytes;
		gl_object_data(obj, i, &bytes);
		if (kind == 0 || sym.name.n == 0 || (is_text && bytes == 0)) {
			continue; /* of a function that was inlined everywhere, a shipped module has but the name */
		}
		struct gl_nm_symbol *s = add(own, sym.name, kind, err);
		if (s == NULL) {
			return -1;
		}
		s->size = is_text && bytes > sym.size ? bytes : sym.size;
		if (is_text) {
			s->abi = sym.abi == GL_ABI0 ? 0 : 1;
		}
		const struct gl_declaration *decl = find_declaration(decls, o, i);
		if (decl != NULL && set_signature(own, s, decl, err) != 0) {
			return -1;
		}
	}
	return 0;
}

/* Adds what the placed symbols' relocations name and the object does not define; names that come twice are thinned out
 * later. */
static int add_undefined(struct owned *own, const struct gl_object *obj, const struct gl_abi *abi, struct gl_error *err)
{
	uint32_t nsyms = gl_object_nsyms(obj), nrefs = gl_object_ntotal(obj) - nsyms;
	bool *seen = calloc((size_t)nrefs + abi->nbuiltins + 1, sizeof(*seen));
	int ret = 0;

	if (seen == NULL) {
		return gl_fail(err, GL_ENOMEM, "out of memory");
	}
	for (uint32_t i = 0; i < nsyms && ret == 0; i++) {
		struct gl_sym sym = gl_object_sym(obj, i);
		uint32_t n = kind_letter(abi, &sym) != 0 ? gl_object_nrelocs(obj, i) : 0;
		for (uint32_t j = 0; j < n && ret == 0; j++) {
			struct gl_symref ref = gl_object_reloc(obj, i, j).sym;
			uint32_t local = gl_object_local(obj, ref);
			struct gl_str name = { NULL, 0 };
			if (local != UINT32_MAX) {
				if (local >= nsyms && local - nsyms < nrefs && !seen[local - nsyms]) {
					seen[local - nsyms] = true;
					name = gl_object_sym(obj, local).name;
				}
			} else if (ref.pkg == GL_PKG_BUILTIN) {
				if (ref.sym < abi->nbuiltins && !seen[nrefs + ref.sym]) {
					seen[nrefs + ref.sym] = true;
					name.p = abi->builtins[ref.sym].name;
					name.n = (uint32_t)strlen(name.p);
				}
			} else if (ref.pkg != GL_PKG_INVALID) {
				name = gl_object_refname(obj, ref);
			}
			if (name.n > 0 && add(own, name, 'U', err) == NULL) {
				ret = -1;
			}
		}
	}
	free(seen);
	return ret;
}

/* By name, what is defined before what is not. */
static int compare(const void *a, const void *b)
{
	const struct gl_nm_symbol *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	if (c == 0) {
		c = (x->kind == 'U') - (y->kind == 'U');
	}
	return c != 0 ? c : y->abi - x->abi;
}

static void thin(struct owned *own)
{
	size_t kept = 0;

	if (own->nm.n > 0) {
		qsort(own->list, own->nm.n, sizeof(*own->list), compare);
	}
	for (size_t i = 0; i < own->nm.n; i++) {
		bool again = kept > 0 && own->list[i].kind == 'U' &&
			     strcmp(own->list[i].name, own->list[kept - 1].name) == 0;
		if (!again) {
			own->list[kept++] = own->list[i];
		}
	}
	own->nm.n = kept;
	own->nm.symbols = own->list;
}

/* has_exports: Lua sees what the package exports. */
static int list_package(struct owned *own, const struct gl_package *pkg, bool has_exports, const struct gl_abi *abi,
			struct gl_error *err)
{
	struct gl_declarations *decls = NULL;
	int ret = has_exports ? gl_declarations_read(pkg, abi, GL_DECLARATIONS_OWN, &decls, err) : 0;

	for (uint32_t o = 0; ret == 0 && o < gl_package_nobjects(pkg); o++) {
		ret = add_defined(own, pkg, o, decls, abi, err);
		if (ret == 0) {
			ret = add_undefined(own, gl_package_object(pkg, o), abi, err);
		}
	}
	if (ret == 0) {
		ret = add_declared(own, pkg, decls, err);
	}
	gl_declarations_free(decls);
	return ret;
}

static int list_gom(struct owned *own, const char *path, const struct gl_abi *abi, struct gl_error *err)
{
	struct gl_gom *gom = gl_gom_open(path, err);
	int ret = gom == NULL ? -1 : 0;

	for (size_t i = 0; ret == 0 && i < gom->npackages; i++) {
		const struct gl_gom_package *from = &gom->packages[i];
		struct gl_package *pkg = gl_package_open_bytes(path, from->bytes, from->size, from->path, abi, err);
		ret = pkg == NULL ? -1 : list_package(own, pkg, from->role == GL_GOM_ROOT, abi, err);
		gl_package_close(pkg);
	}
	gl_gom_close(gom);
	return ret;
}

int gl_nm_read(const char *path, const struct gl_abi *abi, struct gl_nm **out, struct gl_error *err)
{
	struct owned *own = calloc(1, sizeof(*own));
	struct gl_package *pkg = NULL;
	int ret;

	*out = NULL;
	if (own == NULL) {
		return gl_fail(err, GL_ENOMEM, "%s: out of memory", path);
	}
	int is_shipped = gl_gom_is(path, err);
	if (is_shipped != 0) {
		ret = is_shipped < 0 ? -1 : list_gom(own, path, abi, err);
	} else {
		pkg = gl_package_open(path, NULL, abi, err);
		ret = pkg == NULL ? -1 : list_package(own, pkg, true, abi, err);
	}
	gl_package_close(pkg);
	if (ret != 0) {
		gl_nm_free(&own->nm);
		return -1;
	}
	thin(own);
	*out = &own->nm;
	return 0;
}

void gl_nm_free(struct gl_nm *nm)
{
	struct owned *own = (struct owned *)(void *)nm;

	if (own != NULL) {
		gl_pool_free(&own->pool);
		free(own->list);
		free(own);
	}
}
