/* Mark: from the roots, find every symbol that is needed, as cmd/link's deadcode does. */
#include "resolve.h"

#include <string.h>

static void mark(struct link *l, uint32_t s)
{
	struct lsym *sym = s == NO_SYM ? NULL : link_sym(l, s);

	if (sym == NULL || sym->marked || sym->state != SYM_PLACED) {
		return;
	}
	sym->marked = true;
	link_push(l, &l->work, &l->nwork, &l->cap_work, s);
	link_push(l, &l->placed, &l->nplaced, &l->cap_placed, s);
}

static void scan_relocs(struct link *l, uint32_t s)
{
	const struct gl_abi *abi = l->linker->abi;
	const struct lsym *sym = link_sym(l, s);
	uint32_t n = gl_object_nrelocs(sym->obj->obj, sym->idx);

	for (uint32_t j = 0; j < n && !l->failed; j++) {
		struct gl_reloc r = gl_object_reloc(sym->obj->obj, sym->idx, j);
		bool weak = (r.type & abi->R_WEAK) != 0;
		int type = r.type & ~abi->R_WEAK;

		if (gl_reloc_is_marker(abi, type) || r.sym.pkg == GL_PKG_INVALID) {
			continue;
		}
		uint32_t t = link_resolve_ref(l, sym->obj, r.sym, (enum unit_id)sym->unit, s);
		if (t == NO_SYM && !l->failed) {
			gl_fail(l->err, GL_EFORMAT, "%s: %.*s refers to a symbol without a name", sym->obj->pkg->file,
				(int)sym->name.n, sym->name.p);
			l->failed = true;
		}
		if (l->failed) {
			return;
		}
		if (link_sym(l, t)->state == SYM_ABSENT && !weak) {
			link_note_missing(l, t);
		}
		mark(l, t);
	}
}

static void scan_auxs(struct link *l, uint32_t s)
{
	const struct lsym *sym = link_sym(l, s);
	uint32_t n = gl_object_nauxs(sym->obj->obj, sym->idx);

	for (uint32_t j = 0; j < n && !l->failed; j++) {
		struct gl_aux aux = gl_object_aux(sym->obj->obj, sym->idx, j);
		if (aux.type == GL_AUX_FUNCDATA && sym->section == SEC_TEXT) {
			/* assembly functions name argument maps that may not exist (cmd/link, ignoreFuncData) */
			mark(l, link_resolve_ref(l, sym->obj, aux.sym, (enum unit_id)sym->unit, s));
		}
		if (aux.type == GL_AUX_GOTYPE && (sym->section == SEC_DATA || sym->section == SEC_BSS)) {
			uint32_t t = link_resolve_ref(l, sym->obj, aux.sym, (enum unit_id)sym->unit, s);
			if (l->failed) {
				return;
			}
			if (t == NO_SYM) {
				/* a type of another package that the object names by number only, and its archive is
				 * needed */
				link_note_missing_package(l, gl_object_pkg(sym->obj->obj, aux.sym.pkg));
				link_note_missing(l, s);
				continue;
			}
			if (link_is_pointer_name(link_sym(l, t)->name)) {
				continue; /* its mask needs no descriptor */
			}
			if (link_sym(l, t)->state == SYM_ABSENT) {
				link_note_missing(l, t);
			}
			mark(l, t);
		}
	}
}

static void drain(struct link *l)
{
	while (l->nwork > 0 && !l->failed) {
		uint32_t s = l->work[--l->nwork];
		const struct lsym *sym = link_sym(l, s);
		if (sym->synthetic == SYNTH_FUNCVAL) {
			mark(l, sym->target);
			continue;
		}
		if (sym->synthetic == SYNTH_NONE) {
			scan_relocs(l, s);
			scan_auxs(l, s);
		}
	}
}

static uint32_t root_at(struct link *l, const struct lobj *obj, uint32_t i, enum unit_id view)
{
	if (link_touch(l, (struct lobj *)obj, view) != 0) {
		return NO_SYM;
	}
	uint32_t s = link_resolve_local(l, (struct lobj *)obj, i, view, NO_SYM);
	mark(l, s);
	return s;
}

uint32_t link_root_at(struct link *l, const struct lobj *obj, uint32_t i) { return root_at(l, obj, i, UNIT_MODULE); }

uint32_t link_root_export(struct link *l, struct lpkg *p, const char *remote)
{
	const struct gl_cgo *cgo = gl_package_cgo(p->pkg);

	for (size_t i = 0; cgo != NULL && i < cgo->nexports; i++) {
		const char *name = cgo->exports[i].name;
		if (strcmp(cgo->exports[i].remote, remote) != 0) {
			continue;
		}
		const struct ldef *def = lpkg_find(p, name, strlen(name), GL_ABIINTERNAL);
		if (def == NULL) {
			def = lpkg_find(p, name, strlen(name), GL_ABI0);
		}
		if (def != NULL) {
			return root_at(l, def->obj, def->idx, p->is_module ? UNIT_MODULE : UNIT_RESIDENT);
		}
	}
	return NO_SYM;
}

void link_root_go_exports(struct link *l, struct lpkg *p)
{
	if (p->pkg == NULL && link_map_archive(l, p) != 0) {
		l->failed = true;
		return;
	}
	const struct gl_cgo *cgo = gl_package_cgo(p->pkg);
	for (size_t i = 0; cgo != NULL && i < cgo->nexports; i++) {
		link_root_export(l, p, cgo->exports[i].remote);
	}
}

uint32_t link_root(struct link *l, enum unit_id view, const char *name, size_t len, uint8_t want_abi)
{
	uint32_t s = link_resolve_name(l, (struct gl_str){ name, (uint32_t)len }, want_abi, view, NULL, 0, NO_SYM);

	if (s == NO_SYM || link_sym(l, s)->state == SYM_ABSENT) {
		return NO_SYM;
	}
	mark(l, s);
	return s;
}

/* The package's own symbols come first in its object. */
static void root_inittask(struct link *l, const struct lpkg *p)
{
	for (uint32_t o = 0; o < p->nobjs; o++) {
		const struct lobj *obj = &p->objs[o];
		uint32_t n = gl_object_nsyms(obj->obj);
		for (uint32_t i = 0; i < n && !gl_object_is_hashed(obj->obj, i) && !gl_object_is_nonpkg(obj->obj, i);
		     i++) {
			if (str_ends(gl_object_sym(obj->obj, i).name, "..inittask")) {
				link_root_at(l, obj, i);
				return;
			}
		}
	}
}

/* What was pulled must fit: the archives to each other, and the module to them. An archive that was opened in search of
 * a name and had nothing to give need not. */
static int check_archives(struct link *l)
{
	for (struct lpkg *p = link_archives(l); p != NULL; p = p->hh.next) {
		if (p->init_scheduled && !p->checked) {
			if (link_check_imports(l, p) != 0) {
				return -1;
			}
			p->checked = true;
		}
	}
	for (uint32_t i = 0; i < l->npackages; i++) {
		if (link_check_imports(l, &l->packages[i]) != 0) {
			return -1;
		}
	}
	return 0;
}

int link_resolve(struct link *l)
{
	for (uint32_t i = 0; i < l->npackages; i++) {
		if (link_check_imports(l, &l->packages[i]) != 0) {
			return -1;
		}
	}
	for (uint32_t i = 0; i < l->npackages && !l->failed; i++) {
		if (!l->packages[i].is_used && !l->packages[i].is_shared) {
			root_inittask(l, &l->packages[i]);
			link_root_go_exports(l, &l->packages[i]);
		}
	}
	drain(l);
	if (l->failed || link_check_lists(l) != 0 || link_order_inits(l) != 0) {
		return -1;
	}
	link_forget_found(l);
	if (l->nunlinked > 0) {
		return link_report_unlinked(l);
	}
	return l->nmissing > 0 ? link_report_missing(l) : check_archives(l);
}
