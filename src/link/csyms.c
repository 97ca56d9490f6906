/* C symbols that Go refers to, and packages whose C parts are needed for them. */
#include "resolve.h"

#include <stdlib.h>
#include <string.h>

static bool is_noted(const struct link *l, const struct lpkg *p)
{
	for (uint32_t i = 0; i < l->nunlinked; i++) {
		if (l->unlinked[i] == p) {
			return true;
		}
	}
	return false;
}

static void note_unlinked(struct link *l, const struct lpkg *p)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
	if (!GL_GROW(l->unlinked, l->nunlinked, l->cap_unlinked)) {
		link_out_of_memory(l);
		return;
	}
	l->unlinked[l->nunlinked++] = p;
}

/* Notes the package, and those that it imports with C parts of their own: a package may be imported for nothing but a C
 * library that it brings, or flags for the C linker. The list grows while it is walked. */
void link_note_unlinked(struct link *l, const struct lpkg *p)
{
	uint32_t at = l->nunlinked;

	if (!is_noted(l, p)) {
		note_unlinked(l, p);
	}
	for (; at < l->nunlinked && !l->failed; at++) {
		p = l->unlinked[at];
		for (uint32_t o = 0; !p->is_module && o < p->nobjs; o++) {
			uint32_t n = gl_object_nautolib(p->objs[o].obj);
			for (uint32_t i = 0; i < n; i++) {
				struct gl_str path = gl_object_autolib(p->objs[o].obj, i);
				struct lpkg *q = link_host_has(l, path) != NULL ? NULL : link_open_archive(l, path);
				if (q != NULL && q->clib == NULL && gl_package_cgo(q->pkg) != NULL && !is_noted(l, q)) {
					note_unlinked(l, q);
				}
			}
		}
	}
}

int link_report_unlinked(struct link *l)
{
	return gl_fail(l->err, GL_ECGO, "%s: package %s has parts in C (cgo), which are not linked yet",
		       l->unlinked[0]->file, l->unlinked[0]->path);
}

/* A library of resident packages that is used for the first time: the Go functions that it calls are needed, too, and
 * its table of their addresses has to be filled (clib_connect). */
static void want_library(struct link *l, struct clib *lib)
{
	for (uint32_t i = 0; i < l->nwanted_clibs; i++) {
		if (l->wanted_clibs[i] == lib) {
			return;
		}
	}
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
	if (!GL_GROW(l->wanted_clibs, l->nwanted_clibs, l->cap_wanted_clibs)) {
		link_out_of_memory(l);
		return;
	}
	l->wanted_clibs[l->nwanted_clibs++] = lib;
	for (struct lpkg *p = link_archives(l); p != NULL && !l->failed; p = p->hh.next) {
		if (p->clib == lib) {
			link_root_go_exports(l, p);
		}
	}
}

/* The library with a package's C parts. NULL: nobody has linked them yet, or they are the module's own, whose library
 * is opened once everything has its place (clib_bind). */
static struct clib *library_of(struct link *l, struct lpkg *p)
{
	if (p->clib == NULL && l->gom != NULL && !p->is_module) {
		p->clib = link_shipped_library(l, p);
	}
	return p->clib;
}

/* ---- imports of other packages ------------------------------------------------------------------------------------
 */

/* Finds the import among the C symbols of the packages that obj imports, and of those that they import. */
static const struct gl_cgo_import *import_below(struct link *l, const struct lobj *obj, struct gl_str name,
						uint32_t search, const struct lobj **owner)
{
	const struct gl_cgo_import *found = NULL;
	char buf[3 * LONGEST_IMPORT + 1];

	for (uint32_t i = 0, n = gl_object_nautolib(obj->obj); i < n && found == NULL && !l->failed; i++) {
		struct lpkg *p = link_open_archive(l, link_import_path(obj->obj, i, buf));
		if (p == NULL || p->search == search || p->nobjs == 0) {
			continue;
		}
		p->search = search;
		*owner = &p->objs[0];
		found = gl_cgo_find_import(gl_package_cgo(p->pkg), name.p, name.n);
		if (found == NULL) {
			found = import_below(l, &p->objs[0], name, search, owner);
		}
	}
	return found;
}

/* Could symbol number i of obj be C's, going by obj alone: a name as C has them, and no content? */
static bool may_be_c(const struct link *l, const struct lobj *obj, uint32_t i)
{
	struct gl_sym sym = gl_object_sym(obj->obj, i);
	bool defined = i < gl_object_nsyms(obj->obj);
	enum section section = link_section(l->linker->abi, sym.type);
	uint32_t size = 0;

	if (sym.name.n == 0 || sym.abi == GL_ABISTATIC || memchr(sym.name.p, '.', sym.name.n) != NULL ||
	    memchr(sym.name.p, ':', sym.name.n) != NULL) {
		return false;
	}
	if (defined) {
		gl_object_data(obj->obj, i, &size);
	}
	return !defined || (size == 0 && (section == SEC_BSS || section == SEC_NOPTRBSS));
}

const struct gl_cgo_import *link_find_c_import(struct link *l, const struct lobj *obj, uint32_t i,
					       const struct lobj **owner)
{
	struct gl_image_sym host;

	if (!may_be_c(l, obj, i)) {
		return NULL;
	}
	struct gl_str name = gl_object_sym(obj->obj, i).name;
	if (host_lookup(l, name.p, name.n, GL_ABI0, &host)) {
		return NULL;
	}
	for (uint32_t k = 0; k < l->npackages; k++) {
		const struct ldef *def = lpkg_find(&l->packages[k], name.p, name.n, GL_ABI0);
		if (def != NULL && !may_be_c(l, def->obj, def->idx)) {
			return NULL; /* assembly's, say */
		}
	}
	uint32_t search = ++l->linker->searches;
	if (!obj->pkg->is_module) {
		/* what is resident must not refer to the module, nor to its library */
		return import_below(l, obj, name, search, owner);
	}
	for (uint32_t k = 0; k < l->npackages; k++) {
		const struct gl_cgo_import *import =
			gl_cgo_find_import(gl_package_cgo(l->packages[k].pkg), name.p, name.n);
		if (import != NULL) {
			*owner = &l->packages[k].objs[0];
			return import;
		}
	}
	for (uint32_t k = 0; k < l->npackages; k++) {
		for (uint32_t o = 0; o < l->packages[k].nobjs; o++) {
			const struct gl_cgo_import *import =
				import_below(l, &l->packages[k].objs[o], name, search, owner);
			if (import != NULL) {
				return import;
			}
		}
	}
	return NULL;
}

/* ---- one symbol ---------------------------------------------------------------------------------------------------
 */

/* The symbol for a C symbol that an object imports. Each object gets one of its own, because each module has a copy of
 * its library, in which the same name has another address. */
uint32_t link_resolve_c(struct link *l, const struct lobj *obj, const struct gl_cgo_import *import, struct gl_str name,
			uint32_t referrer)
{
	uint32_t self = link_new_sym(l);
	struct gl_image_sym host;

	if (self == NO_SYM) {
		return NO_SYM;
	}
	struct lsym *s = link_sym(l, self);
	s->name = name;
	s->referrer = referrer;
	s->is_far = true;
	l->has_far = true;
	s->obj = obj;
	s->state = SYM_FIXED;
	if (l->auditing) {
		return self;
	}
	if (!obj->pkg->is_module && gl_image_lookup(l->linker->image, name.p, name.n, &host)) {
		s->addr = host.addr; /* a package that the host has half of */
	} else if (import->lib != NULL) {
		s->addr = clib_find_dynamic(import);
	} else if (library_of(l, obj->pkg) != NULL) {
		s->addr = clib_find(obj->pkg->clib, import->remote);
		if (!obj->pkg->is_module && (l->shipping || !clib_is_connected(obj->pkg->clib))) {
			want_library(l, obj->pkg->clib);
		}
	} else if (obj->pkg->is_module && l->has_library) {
		return self; /* for clib_bind */
	} else {
		link_note_unlinked(l, obj->pkg);
	}
	if (s->addr == 0) {
		s->state = SYM_ABSENT;
	}
	return self;
}
