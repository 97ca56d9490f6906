/* Prune: what of each object a shipped module needs.
 *
 * Everything that resolve has marked is kept where it was found. What a kept symbol refers to is one of three things:
 *
 *   - found by name, wherever it lies: then the name is all that is needed, since loading the shipped module resolves
 * it anew, and finds what was found now, or what another module has brought to the resident store meanwhile;
 *   - the object's own business, which no name leads to: content-addressable and file-local symbols, function tables,
 *     and read-only data that is copied to whoever needs it. It must lie in the object itself, though the same may have
 *     been taken from another one now. So must what the compiler repeats in each object that needs it (DUPOK: instances
 *     of generic functions, type descriptors): another host may lack what this one has only because its own packages
 *     need the same;
 *   - a function that was inlined: of it, tracebacks want to know what it was.
 *
 * What debuggers are to know of variables (variables.c) is kept where it is asked for: a function's entries, whatever
 * their relocations lead to in the object, and the descriptors of the types that they name. */
#include "../grow.h"
#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct task {
	const struct lobj *obj;
	uint32_t idx;
	uint8_t how;
};

struct pruner {
	struct link *l;
	struct kept *kept;
	struct task *tasks;
	size_t ntasks, cap;
};

static struct kept *kept_of(struct pruner *p, const struct lobj *obj)
{
	struct kept *k = NULL;

	HASH_FIND_PTR(p->kept, &obj, k);
	if (k != NULL) {
		return k;
	}
	k = calloc(1, sizeof(*k));
	if (k != NULL) {
		k->obj = obj;
		k->symbols = calloc((size_t)gl_object_ntotal(obj->obj) + 1, 1);
	}
	if (k != NULL && k->symbols != NULL) {
		HASH_ADD_PTR(p->kept, obj, k);
	}
	if (k == NULL || k->symbols == NULL || k->hh.tbl == NULL) {
		link_out_of_memory(p->l);
		free(k == NULL ? NULL : k->symbols);
		free(k);
		return NULL;
	}
	return k;
}

static void keep(struct pruner *p, const struct lobj *obj, uint32_t idx, uint8_t how)
{
	struct kept *k = kept_of(p, obj);

	if (k == NULL || (k->symbols[idx] & how) != 0) {
		return;
	}
	k->symbols[idx] |= how;
	if (!GL_GROW(p->tasks, p->ntasks, p->cap)) {
		link_out_of_memory(p->l);
		return;
	}
	p->tasks[p->ntasks++] = (struct task){ .obj = obj, .idx = idx, .how = how };
}

/* Is the symbol, defined in the object, out of a name's reach, or repeated wherever it is needed? Variables without
 * size are never placed, and so aren't marked (resolve.c). */
static bool is_own_business(const struct link *l, const struct lobj *obj, uint32_t idx)
{
	struct gl_sym sym = gl_object_sym(obj->obj, idx);
	enum section section = link_section(l->linker->abi, sym.type);
	bool unique = link_is_unique(sym.name);

	return sym.name.n == 0 || sym.abi == GL_ABISTATIC || (gl_object_is_hashed(obj->obj, idx) && !unique) ||
	       (sym.flag & GL_SYM_DUPOK) != 0 || (sym.size == 0 && section > SEC_RODATA);
}

/* What the kept symbol of an object refers to. */
static void keep_ref(struct pruner *p, const struct lobj *obj, struct gl_symref ref)
{
	uint32_t i = gl_object_local(obj->obj, ref);

	if (ref.pkg != GL_PKG_INVALID && i < gl_object_nsyms(obj->obj) && is_own_business(p->l, obj, i)) {
		keep(p, obj, i, GL_KEEP_BODY);
	}
}

static void keep_local(struct pruner *p, const struct lobj *obj, struct gl_symref ref, uint8_t how)
{
	uint32_t i = gl_object_local(obj->obj, ref);

	if (ref.pkg != GL_PKG_INVALID && i < gl_object_nsyms(obj->obj)) {
		keep(p, obj, i, how);
	}
}

/* A function that was inlined, in this object or in that of another package of the module. */
static void keep_inlined(struct pruner *p, const struct lobj *obj, struct gl_symref ref)
{
	const struct link *l = p->l;

	if (gl_object_local(obj->obj, ref) != UINT32_MAX) {
		keep_local(p, obj, ref, GL_KEEP_INFO);
		return;
	}
	if (ref.pkg == GL_PKG_BUILTIN) {
		return;
	}
	struct gl_str path = gl_object_pkg(obj->obj, ref.pkg);
	for (uint32_t i = 0; i < l->npackages; i++) {
		const struct lpkg *other = &l->packages[i];
		if (str_is(path, other->path) && ref.sym < gl_object_nsyms(other->objs[0].obj)) {
			keep(p, &other->objs[0], ref.sym, GL_KEEP_INFO);
		}
	}
}

/* Where there is no export data, exports are typed by their DWARF, which may refer to an abstract entry. */
static void keep_dwarf(struct pruner *p, const struct lobj *obj, struct gl_symref ref)
{
	static const char suffix[] = "$abstract";
	uint32_t i = gl_object_local(obj->obj, ref);
	size_t exports;

	if (!obj->pkg->is_root || gl_package_exports(obj->pkg->pkg, &exports) != NULL ||
	    i >= gl_object_nsyms(obj->obj)) {
		return;
	}
	keep(p, obj, i, GL_KEEP_BODY);
	for (uint32_t j = 0, n = gl_object_nrelocs(obj->obj, i); j < n; j++) {
		struct gl_symref to = gl_object_reloc(obj->obj, i, j).sym;
		uint32_t t = gl_object_local(obj->obj, to);
		if (t < gl_object_nsyms(obj->obj) && str_ends(gl_object_sym(obj->obj, t).name, suffix)) {
			keep(p, obj, t, GL_KEEP_BODY);
		}
	}
}

/* The descriptor of a type that an entry names ("go:info.T"), which nobody else may have a use for. */
static void keep_type(struct pruner *p, const struct lobj *obj, struct gl_str entry)
{
	static const char info[] = "go:info.", type[] = "type:";
	char name[1024];
	int n = snprintf(name, sizeof(name), "%s%.*s", type, (int)(entry.n - (sizeof(info) - 1)),
			 entry.p + sizeof(info) - 1);

	if (n < 0 || n >= (int)sizeof(name)) {
		return;
	}
	const struct ldef *def = lpkg_find(obj->pkg, name, (size_t)n, GL_ABI0);
	for (uint32_t i = 0; i < p->l->npackages && def == NULL; i++) {
		def = lpkg_find(&p->l->packages[i], name, (size_t)n, GL_ABI0);
	}
	if (def != NULL) {
		keep(p, def->obj, def->idx, GL_KEEP_BODY);
	}
}

/* Debugging information, which has no place in memory. */
static bool is_entry(const struct gl_abi *abi, const struct lobj *obj, uint32_t idx)
{
	return link_section(abi, gl_object_sym(obj->obj, idx).type) == SEC_NONE;
}

/* What a function's entry refers to, or an abstract one. */
static void keep_entry(struct pruner *p, const struct lobj *obj, uint32_t idx)
{
	const struct gl_abi *abi = p->l->linker->abi;

	for (uint32_t j = 0, n = gl_object_nrelocs(obj->obj, idx); j < n; j++) {
		struct gl_reloc r = gl_object_reloc(obj->obj, idx, j);
		uint32_t i = gl_object_local(obj->obj, r.sym);
		struct gl_str name = link_ref_name(p->l, obj, r.sym);
		if (str_starts(name, "go:info.")) {
			keep_type(p, obj, name);
		}
		/* what is in memory is kept for other reasons, or not */
		if (r.sym.pkg != GL_PKG_INVALID && i < gl_object_nsyms(obj->obj) && is_entry(abi, obj, i)) {
			keep(p, obj, i, GL_KEEP_BODY);
		}
	}
}

static void keep_auxs(struct pruner *p, const struct task *t)
{
	const struct gl_object *obj = t->obj->obj;
	struct gl_funcinfo fi;

	for (uint32_t j = 0, n = gl_object_nauxs(obj, t->idx); j < n; j++) {
		struct gl_aux aux = gl_object_aux(obj, t->idx, j);
		if (aux.type == GL_AUX_FUNCINFO) {
			keep_local(p, t->obj, aux.sym, t->how);
		} else if (t->how == GL_KEEP_INFO) {
			continue;
		} else if (aux.type == GL_AUX_GOTYPE || aux.type == GL_AUX_FUNCDATA) {
			keep_ref(p, t->obj, aux.sym);
		} else if (aux.type == GL_AUX_DWARFINFO && !p->l->keeps_variables) {
			keep_dwarf(p, t->obj, aux.sym);
		} else if (aux.type == GL_AUX_DWARFINFO || gl_writer_keeps_aux(aux.type)) {
			keep_local(p, t->obj, aux.sym, GL_KEEP_BODY);
		}
	}
	if (t->how == GL_KEEP_BODY && gl_object_funcinfo(obj, t->idx, &fi)) {
		for (uint32_t k = 0; k < fi.ninltree; k++) {
			keep_inlined(p, t->obj, gl_funcinfo_inlnode(&fi, k).func);
		}
	}
}

static void keep_relocs(struct pruner *p, const struct task *t)
{
	const struct gl_abi *abi = p->l->linker->abi;

	for (uint32_t j = 0, n = gl_object_nrelocs(t->obj->obj, t->idx); j < n; j++) {
		struct gl_reloc r = gl_object_reloc(t->obj->obj, t->idx, j);
		if (!gl_reloc_is_marker(abi, r.type & ~abi->R_WEAK)) {
			keep_ref(p, t->obj, r.sym);
		}
	}
}

int link_keep(struct link *l, struct kept **kept)
{
	struct pruner p = { .l = l };

	for (uint32_t i = 0; i < l->nsyms; i++) {
		const struct lsym *s = link_sym(l, i);
		if (s->obj != NULL && !s->is_far && s->state != SYM_ABSENT && (s->marked || s->state != SYM_PLACED)) {
			keep(&p, s->obj, s->idx, GL_KEEP_BODY);
		}
	}
	while (p.ntasks > 0 && !l->failed) {
		struct task t = p.tasks[--p.ntasks];
		keep_auxs(&p, &t);
		if (t.how == GL_KEEP_BODY && l->keeps_variables && is_entry(l->linker->abi, t.obj, t.idx)) {
			keep_entry(&p, t.obj, t.idx);
		} else if (t.how == GL_KEEP_BODY) {
			keep_relocs(&p, &t);
		}
	}
	free(p.tasks);
	*kept = p.kept;
	return l->failed ? -1 : 0;
}

void kept_free(struct kept *kept)
{
	struct kept *k = kept, *next;

	HASH_CLEAR(hh, kept);
	for (; k != NULL; k = next) {
		next = k->hh.next;
		free(k->symbols);
		free(k);
	}
}
