/* A package: its objects, and its definitions by name. */
#include "link.h"

#include <stdlib.h>
#include <string.h>

/* A variable that is declared for a linkname gives way to what has content, or to a larger one
 * (cmd/link/internal/loader, addSym). */
bool link_is_better(const struct lobj *obj, uint32_t idx, const struct lobj *other, uint32_t other_idx)
{
	uint32_t data, other_data;

	gl_object_data(obj->obj, idx, &data);
	gl_object_data(other->obj, other_idx, &other_data);
	return data == 0 &&
	       (other_data > 0 || gl_object_sym(other->obj, other_idx).size > gl_object_sym(obj->obj, idx).size);
}

/* Makes symbol i known if it can be meant by name; false without memory. */
static bool index_symbol(struct lpkg *p, const struct lobj *obj, uint32_t i)
{
	struct gl_sym sym = gl_object_sym(obj->obj, i);
	enum section section = link_section(p->abi, sym.type);

	if (sym.name.n == 0 || sym.abi == GL_ABISTATIC || section == SEC_NONE ||
	    (gl_object_is_hashed(obj->obj, i) && !link_is_unique(sym.name))) {
		return true;
	}
	/* a function has an entry per ABI; what is no function carries ABI 0 and is meant by any */
	bool is_func = section == SEC_TEXT;
	struct ldef **table = is_func && sym.abi == GL_ABI0 ? &p->abi0 : &p->plain, *have;
	unsigned hash = gl_hash(sym.name.p, sym.name.n);
	HASH_FIND_BYHASHVALUE(hh, *table, sym.name.p, sym.name.n, hash, have);
	if (have != NULL) {
		if (link_is_better(have->obj, have->idx, obj, i)) {
			have->obj = obj;
			have->idx = i;
		}
		return true;
	}
	struct ldef *def = gl_pool_take(&p->defs, sizeof(*def));
	if (def == NULL) {
		return false;
	}
	*def = (struct ldef){ .name = sym.name, .obj = obj, .idx = i, .is_func = is_func };
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, *table, def->name.p, def->name.n, hash, def);
	return def->hh.tbl != NULL;
}

/* Makes a package's definitions known by name, at the first look-up: a module of one object, whose references to itself
 * are all by number, hardly needs it. Without memory there are none, and who asks for them takes care that the load
 * fails (link_check_lists); the next look-up tries again. */
static void index_package(struct lpkg *p)
{
	p->indexed = true;
	for (uint32_t o = 0; o < p->nobjs; o++) {
		const struct lobj *obj = &p->objs[o];
		for (uint32_t i = 0, nsyms = gl_object_nsyms(obj->obj); i < nsyms && p->indexed; i++) {
			p->indexed = index_symbol(p, obj, i);
		}
	}
	if (!p->indexed) {
		p->is_unlisted = true;
		HASH_CLEAR(hh, p->abi0);
		HASH_CLEAR(hh, p->plain);
		gl_pool_free(&p->defs);
	}
}

static int check_list(const struct link *l, struct lpkg *p)
{
	if (!p->is_unlisted) {
		return 0;
	}
	p->is_unlisted = false;
	return gl_out_of_memory(l->err, "listing the symbols of package %s", p->path);
}

int link_check_lists(struct link *l)
{
	for (uint32_t i = 0; i < l->npackages; i++) {
		if (check_list(l, &l->packages[i]) != 0) {
			return -1;
		}
	}
	for (struct lpkg *p = link_archives(l); p != NULL; p = p->hh.next) {
		if (check_list(l, p) != 0) {
			return -1;
		}
	}
	return 0;
}

const struct ldef *lpkg_find(struct lpkg *p, const char *name, size_t len, uint8_t want_abi)
{
	struct ldef *def = NULL;

	if (!p->indexed) {
		index_package(p);
	}
	if (want_abi == GL_ABI0) {
		HASH_FIND(hh, p->abi0, name, len, def);
	}
	if (def == NULL) {
		HASH_FIND(hh, p->plain, name, len, def);
		if (def != NULL && want_abi == GL_ABI0 && def->is_func) {
			return NULL; /* a function, but with the other ABI */
		}
	}
	return def;
}

int link_take_package(struct link *l, struct lpkg *p, struct gl_package *pkg)
{
	p->pkg = pkg;
	if (pkg == NULL) {
		return -1;
	}
	if (p->path == NULL) {
		p->path = gl_package_path(p->pkg);
	}
	p->nobjs = gl_package_nobjects(p->pkg);
	p->objs = calloc(p->nobjs, sizeof(*p->objs));
	if (p->objs == NULL) {
		return gl_fail(l->err, GL_ENOMEM, "%s: out of memory", p->path);
	}
	for (uint32_t o = 0; o < p->nobjs; o++) {
		p->objs[o] = (struct lobj){ .obj = gl_package_object(p->pkg, o), .pkg = p };
	}
	p->abi = l->linker->abi;
	return 0;
}

int link_open_package(struct link *l, struct lpkg *p, const char *file, const char *import_path)
{
	return link_take_package(l, p, gl_package_open(file, import_path, l->linker->abi, l->err));
}

int link_map_archive(struct link *l, struct lpkg *p)
{
	return link_take_package(l, p, gl_package_map(p->file, p->path, l->linker->abi, l->err));
}

const uint8_t *lpkg_fingerprint(const struct lpkg *p)
{
	for (uint32_t o = 0; o < p->nobjs; o++) {
		if (!gl_object_from_assembly(p->objs[o].obj)) {
			return gl_object_fingerprint(p->objs[o].obj);
		}
	}
	return NULL;
}

void lpkg_close(struct lpkg *p)
{
	HASH_CLEAR(hh, p->abi0);
	HASH_CLEAR(hh, p->plain);
	gl_pool_free(&p->defs);
	free(p->objs);
	gl_package_close(p->pkg);
	free(p->file);
	free(p->version);
	free(p->offered);
	if (!p->is_module) {
		free((char *)p->path);
	}
}
