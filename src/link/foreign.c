/* Names of symbols that an object refers to by the number that another package's object gives them. */
#include "link.h"

#include <string.h>

static bool same_fingerprint(const uint8_t *a, const uint8_t *b) { return memcmp(a, b, 8) == 0; }

/* Are those packages that obj imports and the host has the host's own? Then what their export data tells of others,
 * whose symbols obj names by the numbers found there, is true of the host's too. */
static bool imports_from_host(struct link *l, struct lobj *obj)
{
	char buf[3 * LONGEST_IMPORT + 1];

	if (obj->imports == IMPORTS_UNKNOWN) {
		obj->imports = IMPORTS_FROM_HOST;
		for (uint32_t i = 0, n = gl_object_nautolib(obj->obj); i < n; i++) {
			const uint8_t *have = link_host_has(l, link_import_path(obj->obj, i, buf));
			if (have != NULL && !same_fingerprint(have, gl_object_autolib_fingerprint(obj->obj, i))) {
				obj->imports = IMPORTS_FROM_ELSEWHERE;
			}
		}
	}
	return obj->imports == IMPORTS_FROM_HOST;
}

/* The fingerprint of a package, its path spelled plainly, as obj was compiled with it; NULL when nobody knows. It may
 * be one that obj does not import: the type of `var x = other.New()` can be a third package's, and so can a function
 * that was inlined. Then what obj imports tells. */
static const uint8_t *fingerprint_of(struct link *l, struct lobj *obj, const char *path, uint32_t search)
{
	const uint8_t *found = NULL;
	uint32_t n = gl_object_nautolib(obj->obj);
	char buf[3 * LONGEST_IMPORT + 1];

	for (uint32_t i = 0; i < n; i++) {
		if (str_is(gl_object_autolib(obj->obj, i), path)) {
			return gl_object_autolib_fingerprint(obj->obj, i);
		}
	}
	bool from_host = imports_from_host(l, obj);
	if (from_host && (found = link_host_has(l, (struct gl_str){ path, (uint32_t)strlen(path) })) != NULL) {
		return found;
	}
	for (uint32_t i = 0; i < n && found == NULL; i++) {
		struct gl_str lib = link_import_path(obj->obj, i, buf);
		struct lpkg *p = NULL;
		for (uint32_t j = 0; j < l->npackages && p == NULL; j++) {
			p = str_is(lib, l->packages[j].path) ? &l->packages[j] : NULL;
		}
		if (p == NULL && from_host && link_host_has(l, lib) != NULL) {
			continue; /* it imports nothing that the host lacks */
		}
		p = p != NULL ? p : link_open_archive(l, lib);
		const uint8_t *imported = gl_object_autolib_fingerprint(obj->obj, i);
		const uint8_t *have = p == NULL ? NULL : lpkg_fingerprint(p);
		if (have != NULL && same_fingerprint(have, imported)) {
			if (p->search != search && p->nobjs > 0) {
				p->search = search;
				found = fingerprint_of(l, &p->objs[0], path, search);
			}
		} else if (lib.n <= LONGEST_IMPORT) {
			char plain[LONGEST_IMPORT + 1];
			link_plain_path(lib, plain);
			found = linker_search_build(l->linker, plain, imported, path, search);
		}
	}
	return found;
}

struct lpkg *link_open_build(struct link *l, const struct lobj *by, struct gl_str path)
{
	char plain[LONGEST_IMPORT + 1];

	if (l->gom != NULL || by == NULL || path.n == 0 || path.n > LONGEST_IMPORT) {
		return NULL;
	}
	link_plain_path(path, plain);
	const uint8_t *fingerprint = fingerprint_of(l, (struct lobj *)by, plain, ++l->linker->searches);
	const char *file = fingerprint == NULL ? NULL : linker_build_file(l->linker, plain, fingerprint);
	return file == NULL ? NULL : link_open_other_archive(l, plain, file);
}

/* The name that another package's object gives its symbol number ref.sym, which the object at hand doesn't tell. */
struct gl_str link_foreign_name(struct link *l, const struct lobj *const_obj, struct gl_symref ref)
{
	struct lobj *obj = (struct lobj *)const_obj; /* its caches are ours */
	const struct gl_str none = { "", 0 };
	struct gl_str path = gl_object_pkg(obj->obj, ref.pkg);
	struct gl_error ignored;

	if (l->gom != NULL) {
		return none; /* it has new numbers, and names whatever it knew the name of */
	}
	for (uint32_t i = 0; i < l->npackages; i++) {
		if (str_is(path, l->packages[i].path) && ref.sym < gl_object_nsyms(l->packages[i].objs[0].obj)) {
			return gl_object_sym(l->packages[i].objs[0].obj, ref.sym).name;
		}
	}
	if (path.n > LONGEST_IMPORT) {
		return none;
	}
	char plain[LONGEST_IMPORT + 1];
	link_plain_path(path, plain);
	const uint8_t *fingerprint = fingerprint_of(l, obj, plain, ++l->linker->searches);
	if (fingerprint == NULL) {
		return none;
	}
	struct lpkg *p = link_archive(l, path);
	if (p != NULL && p->names == NULL && !p->names_failed) {
		p->names = gl_symnames_open(p->file, l->linker->abi, &ignored);
		p->names_failed = p->names == NULL;
	}
	struct gl_str name = p == NULL || p->names == NULL ? none : gl_symnames_get(p->names, fingerprint, ref.sym);
	if (name.n > 0) {
		return name;
	}
	const struct gl_symnames *names = linker_find_build(l->linker, plain, fingerprint);
	return names == NULL ? none : gl_symnames_get(names, fingerprint, ref.sym);
}

struct gl_str link_ref_name(struct link *l, const struct lobj *obj, struct gl_symref ref)
{
	uint32_t i = gl_object_local(obj->obj, ref);

	if (i != UINT32_MAX) {
		return gl_object_sym(obj->obj, i).name;
	}
	if (ref.pkg == GL_PKG_BUILTIN) {
		const char *name = ref.sym < l->linker->abi->nbuiltins ? l->linker->abi->builtins[ref.sym].name : "";
		return (struct gl_str){ name, (uint32_t)strlen(name) };
	}
	struct gl_str name = gl_object_refname(obj->obj, ref);
	return name.n > 0 ? name : link_foreign_name(l, obj, ref);
}
