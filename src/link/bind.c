/* Bind: say where a symbol of a given name lives.
 *
 * Names are bound in this order:
 *
 *   1. A name that mentions one of the module's own packages ("main.T", "type:map[string]main.T") belongs to the
 *      module. It is never looked up in the host, which may well have a namesake: the host's own main, or an older
 *      version. One that mentions a package of a module which this one uses belongs to that one.
 *      So does one without a package's path that one of the module's packages gives a content.
 *   2. The host. Then the resident store.
 *   3. A definition in the object at hand: one that the compiler repeats in each object that needs it (DUPOK:
 *      instantiated generics, wrappers), or a pushed linkname. It is copied to whoever needs it.
 *   4. The archive of the package that the name belongs to, or that of whoever names it: code and data the host
 *      lacks, because dead-code elimination dropped it or the package is not in it. What is pulled becomes resident.
 *   5. A descriptor or itab that an object brings along: it becomes resident, for there must be one in the process.
 *   6. A function value (F·f) is made of its function. */
#include "resolve.h"

#include <stdio.h>
#include <string.h>

void link_place(struct link *l, struct lsym *s, const struct lobj *obj, uint32_t idx, enum unit_id unit)
{
	struct gl_sym sym = gl_object_sym(obj->obj, idx);
	uint32_t data;

	gl_object_data(obj->obj, idx, &data);
	s->state = SYM_PLACED;
	s->obj = obj;
	s->idx = idx;
	s->unit = unit;
	s->section = link_section(l->linker->abi, sym.type);
	s->size = sym.size > data ? sym.size : data;
	s->align = sym.align;
	s->is_func = s->section == SEC_TEXT;
	if (s->size == 0 && s->section > SEC_RODATA && l->linker->zerobase != 0) {
		/* as cmd/link does: all empty variables are one, and the one that new(struct{}) gives */
		s->state = SYM_FIXED;
		s->addr = l->linker->zerobase;
	}
	if (s->section == SEC_TEXT && s->size == 0) {
		s->state = SYM_ABSENT; /* a function whose body is elsewhere */
	}
	if (s->section == SEC_NONE) {
		s->state = (int)sym.type == l->linker->abi->STLSBSS ? SYM_TLS : SYM_ABSENT;
	}
}

/* Has a package initialised of which a symbol was pulled, if the host has none of it. Imports alone would not lead
 * there: the symbol may have been needed by a function of a package that the host has, whose init task is long done. */
static void schedule_package(struct link *l, struct lpkg *p)
{
	if (p->init_scheduled || p->is_module) {
		return;
	}
	p->init_scheduled = true;
	if (link_host_has(l, (struct gl_str){ p->path, (uint32_t)strlen(p->path) }) == NULL) {
		char name[1024];
		int n = snprintf(name, sizeof(name), "%s..inittask", p->path);
		if (n > 0 && (size_t)n < sizeof(name) && lpkg_find(p, name, (size_t)n, GL_ABIINTERNAL) != NULL) {
			link_root(l, UNIT_RESIDENT, lpkg_find(p, name, (size_t)n, GL_ABIINTERNAL)->name.p, (size_t)n,
				  GL_ABIINTERNAL);
		}
	}
}

/* Has a variable initialised that was pulled from a package that the host has, too. The host's linker had dropped it
 * for want of users. If it is a map, the compiler may have put its initialiser into a function of its own
 * (cmd/compile/internal/pkginit/initorder.go), which was dropped with it and so has not run. */
static void schedule_outlined_init(struct link *l, struct lpkg *p, const struct ldef *var)
{
	char prefix[1024];
	int n = snprintf(prefix, sizeof(prefix), "%s.map.init.", p->path);

	for (struct ldef *def = p->plain; n > 0 && (size_t)n < sizeof(prefix) && def != NULL; def = def->hh.next) {
		if (!def->is_func || !str_starts(def->name, prefix)) {
			continue;
		}
		uint32_t nrelocs = gl_object_nrelocs(def->obj->obj, def->idx);
		for (uint32_t j = 0; j < nrelocs; j++) {
			struct gl_reloc r = gl_object_reloc(def->obj->obj, def->idx, j);
			if (def->obj == var->obj && gl_object_local(def->obj->obj, r.sym) == var->idx) {
				uint32_t s = link_root(l, UNIT_RESIDENT, def->name.p, def->name.n, GL_ABIINTERNAL);
				if (s != NO_SYM && link_sym(l, s)->state == SYM_PLACED) {
					link_push(l, &l->extra_inits, &l->nextra_inits, &l->cap_extra_inits, s);
				}
				break;
			}
		}
	}
}

/* Takes a symbol from the archive of a package that the host lacks wholly or in part, if that defines it. It becomes
 * resident. */
static bool pull(struct link *l, struct lsym *s, enum unit_id view, struct lpkg *p)
{
	const struct ldef *def = p == NULL ? NULL : lpkg_find(p, s->name.p, s->name.n, s->want_abi);

	if (def == NULL) {
		return false;
	}
	if (view != UNIT_RESIDENT) {
		/* one copy, whoever asks: the resident view's */
		s->alias = link_resolve_name(l, s->name, s->want_abi, UNIT_RESIDENT, NULL, 0, s->referrer);
		return s->alias != NO_SYM;
	}
	link_place(l, s, def->obj, def->idx, UNIT_RESIDENT);
	if (s->state != SYM_PLACED) {
		return s->state == SYM_TLS;
	}
	p->gave = true;
	schedule_package(l, p);
	if ((s->section == SEC_BSS || s->section == SEC_NOPTRBSS || s->section == SEC_DATA) &&
	    link_host_has(l, (struct gl_str){ p->path, (uint32_t)strlen(p->path) }) != NULL) {
		schedule_outlined_init(l, p, def);
	}
	return true;
}

/* Has the symbol content of its own: code or data, not the empty declaration that a pulled linkname leaves? */
static bool has_content(const struct lobj *obj, uint32_t idx)
{
	uint32_t size;

	gl_object_data(obj->obj, idx, &size);
	return size > 0;
}

/* Binds s to what an earlier load placed under its name, if anything. */
bool link_bind_known(struct lsym *s, struct known_sym *const *names)
{
	struct known_sym *known = NULL;

	HASH_FIND(hh, names[s->want_abi], s->name.p, s->name.n, known);
	if (known == NULL && s->want_abi == GL_ABI0) {
		HASH_FIND(hh, names[GL_ABIINTERNAL], s->name.p, s->name.n, known);
		if (known != NULL && known->is_func) {
			known = NULL;
		}
	}
	if (known != NULL) {
		s->state = SYM_FIXED;
		s->addr = known->addr;
		s->size = known->size;
		s->is_func = known->is_func;
	}
	return known != NULL;
}

bool link_bind_fixed(struct link *l, struct lsym *s)
{
	struct gl_image_sym host;

	if (host_lookup(l, s->name.p, s->name.n, s->want_abi, &host)) {
		s->state = SYM_FIXED;
		s->addr = host.addr;
		s->size = (uint32_t)host.size;
		s->is_func = host.is_func;
		return true;
	}
	if (l->shipping || !link_bind_known(s, l->linker->resident)) {
		return false;
	}
	if (!l->failed) {
		l->failed = linker_check_init(l->linker, s->name, l->err) != 0;
	}
	return true;
}

/* Finds a definition in the files that were given: the module's own, or those of the modules it uses. */
static const struct ldef *find_given(const struct link *l, const struct lsym *s, bool is_used)
{
	const struct ldef *best = NULL;

	for (uint32_t i = 0; i < l->npackages && (best == NULL || !has_content(best->obj, best->idx)); i++) {
		struct lpkg *p = &l->packages[i];
		bool is_asked = !p->is_shared && p->is_used == is_used;
		const struct ldef *def = !is_asked ? NULL : lpkg_find(p, s->name.p, s->name.n, s->want_abi);
		if (def != NULL && (best == NULL || link_is_better(best->obj, best->idx, def->obj, def->idx))) {
			best = def;
		}
	}
	return best;
}

static bool bind_file(struct link *l, struct lsym *s, bool is_used, enum unit_id unit)
{
	const struct ldef *def = find_given(l, s, is_used);

	if (def != NULL) {
		link_place(l, s, def->obj, def->idx, unit);
	}
	return def != NULL && s->state != SYM_ABSENT;
}

static bool bind_given(struct link *l, struct lsym *s, enum unit_id unit)
{
	return bind_file(l, s, unit == UNIT_USED, unit);
}

/* F·f where nobody defines it: a word in read-only data that holds F's address. */
static bool bind_funcval(struct link *l, struct lsym *s, enum unit_id view, uint32_t self)
{
	static const char suffix[] = "\xc2\xb7"
				     "f";

	if (!str_ends(s->name, suffix)) {
		return false;
	}
	struct gl_str fn = { s->name.p, s->name.n - (uint32_t)(sizeof(suffix) - 1) };
	if (str_ends(fn, suffix)) {
		return false; /* F·f·f, from a hostile object: without this, a long name would be as deep a recursion */
	}
	uint32_t target = link_resolve_name(l, fn, GL_ABIINTERNAL, view, NULL, 0, self);
	if (target == NO_SYM || link_sym(l, target)->state == SYM_ABSENT) {
		return false;
	}
	s->state = SYM_PLACED;
	s->synthetic = SYNTH_FUNCVAL;
	s->target = target;
	s->unit = view;
	s->section = SEC_RODATA;
	s->size = s->align = sizeof(uintptr_t);
	return true;
}

/* Might p's archive define functions of other packages, by linknames it pushes there? "sync.runtime_Semacquire" is the
 * runtime's. The runtime and its kin do most of that; others are asked when they have been opened for something else,
 * or when whoever needs it imports them ("testing/synctest.testingSynctestTest" is testing's). */
static bool may_push(const struct lpkg *p)
{
	static const char *const known[] = { "syscall", "os", "reflect", "time" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(p->path, known[i]) == 0) {
			return true;
		}
	}
	return p->pkg != NULL || strncmp(p->path, "runtime", 7) == 0 || strncmp(p->path, "internal/", 9) == 0;
}

static struct lpkg *open_known(struct link *l, const struct lpkg *p)
{
	return link_open_archive(l, (struct gl_str){ p->path, (uint32_t)strlen(p->path) });
}

/* A variable without content may be one that another package gives its value by linkname, or the package's own
 * assembly: cmd/link lets the one with content win, be it data or code (loader.addSym). */
bool link_defines_itself(const struct lobj *obj, uint32_t idx)
{
	return has_content(obj, idx) || (!gl_object_is_nonpkg(obj->obj, idx) && obj->pkg->nobjs == 1);
}

/* A name of the module's own. A function without a body may be one that another package pushes there: the runtime does,
 * to a test's own copy of os, or to sync_test. */
static void bind_own(struct link *l, struct lsym *s, enum unit_id view, const struct lobj *obj, uint32_t idx)
{
	struct gl_image_sym host;
	struct gl_str path = link_package_of(s->name);

	bool defined = obj != NULL && obj->pkg->is_module && link_defines_itself(obj, idx);
	if (view == UNIT_USED && defined) {
		/* An instance of a used module's generic function, compiled here, completes that module. With it goes
		 * what the compiler made for this very code, under the name of the package that it compiled: what a
		 * type switch remembers, say ("pkg..typeAssert.0"). Nobody else can name it, and in later loads another
		 * one may be called so. */
		link_place(l, s, obj, idx, UNIT_USED);
		s->by_name = false;
	}
	if (view != UNIT_MODULE) {
		return;
	}
	if (defined) {
		link_place(l, s, obj, idx, UNIT_MODULE);
		return;
	}
	if (bind_given(l, s, UNIT_MODULE) || bind_funcval(l, s, view, s->self) || str_is(path, "main")) {
		return;
	}
	if (host_lookup(l, s->name.p, s->name.n, s->want_abi, &host) && host.is_func) {
		s->state = SYM_FIXED;
		s->addr = host.addr;
		s->size = (uint32_t)host.size;
		s->is_func = true;
		return;
	}
	/* the host dropped it, for nobody called it there */
	for (struct lpkg *p = link_all_archives(l); p != NULL && !l->failed; p = p->hh.next) {
		struct lpkg *open = may_push(p) ? open_known(l, p) : NULL;
		const struct ldef *def = open == NULL ? NULL : lpkg_find(open, s->name.p, s->name.n, s->want_abi);
		if (def != NULL && def->is_func) {
			link_place(l, s, def->obj, def->idx, UNIT_MODULE);
			return;
		}
	}
	/* an instance, for types of the module's own, that only the build has which the module was compiled against */
	const struct lobj *by = s->referrer == NO_SYM ? NULL : link_sym(l, s->referrer)->obj;
	struct lpkg *build = link_open_build(l, by, path);
	const struct ldef *def = build == NULL ? NULL : lpkg_find(build, s->name.p, s->name.n, s->want_abi);
	if (def != NULL) {
		link_place(l, s, def->obj, def->idx, UNIT_MODULE);
	}
}

/* A name of a module that this one uses: as that has it, or as it would have it. */
static void bind_used(struct link *l, struct lsym *s, enum unit_id view, const struct lobj *obj, uint32_t idx)
{
	if (view != UNIT_USED) {
		return;
	}
	for (uint32_t i = 0; i < l->nuses; i++) {
		if (link_bind_known(s, l->uses[i].names)) {
			return;
		}
	}
	/* A root may be what the module's own object is the first to describe: map[int]used.T. */
	if (obj != NULL && link_defines_itself(obj, idx)) {
		link_place(l, s, obj, idx, UNIT_USED);
	} else if (!bind_given(l, s, UNIT_USED) && !bind_file(l, s, false, UNIT_USED)) {
		bind_funcval(l, s, view, s->self);
	}
}

/* Names that assembly and linknames give may lack a package's path ("TEXT callbackasm(SB)"). */
static bool has_path(struct gl_str name)
{
	return memchr(name.p, '.', name.n) != NULL || memchr(name.p, ':', name.n) != NULL;
}

/* A name without a path that one of the module's packages gives a content is the module's: another package, or another
 * version of this one, may have brought the process the same name. */
static bool bind_own_without_path(struct link *l, struct lsym *s, enum unit_id view)
{
	const struct ldef *def = view != UNIT_MODULE || has_path(s->name) ? NULL : find_given(l, s, false);

	if (def == NULL || !has_content(def->obj, def->idx)) {
		return false;
	}
	link_place(l, s, def->obj, def->idx, UNIT_MODULE);
	return true;
}

/* What another object of the same package defines: its assembly, of a package that the process shares. */
static bool bind_beside(struct link *l, struct lsym *s, enum unit_id view, const struct lobj *obj)
{
	return !obj->pkg->is_module && !obj->pkg->is_used && pull(l, s, view, obj->pkg);
}

/* Binds by the rules at the head of this file. obj and idx are the definition in the object at hand, if it has one. */
void link_bind(struct link *l, uint32_t self, enum unit_id view, const struct lobj *obj, uint32_t idx, enum tie tie)
{
	struct lsym *s = link_sym(l, self);
	bool unique = link_is_unique(s->name);

	if (str_is(s->name, "runtime.tlsg")) {
		s->state = SYM_TLS;
		return;
	}
	if (tie == TIE_OWN) {
		bind_own(l, s, view, obj, idx);
		return;
	}
	if (tie == TIE_USED) {
		bind_used(l, s, view, obj, idx);
		return;
	}
	if (bind_own_without_path(l, s, view)) {
		return;
	}
	struct gl_sym def = { 0 };
	if (obj != NULL) {
		def = gl_object_sym(obj->obj, idx);
		if ((def.flag & GL_SYM_DUPOK) != 0 && link_section(l->linker->abi, def.type) == SEC_RODATA && !unique) {
			link_place(l, s, obj, idx, view);
			return;
		}
	}
	if (link_bind_fixed(l, s)) {
		return;
	}
	struct gl_str path = link_package_of(s->name);
	if (str_ends(s->name, "..inittask") && link_host_has(l, path) != NULL) {
		/* a package without functions to run has no task in the host (cmd/link/internal/ld/inittask.go) */
		s->state = SYM_FIXED;
		return;
	}
	if (obj != NULL && !unique && has_content(obj, idx)) {
		link_place(l, s, obj, idx, view);
		return;
	}
	if (pull(l, s, view, link_open_archive(l, path))) {
		return;
	}
	if (obj != NULL) {
		if (!unique && !link_defines_itself(obj, idx) && bind_beside(l, s, view, obj)) {
			return;
		}
		link_place(l, s, obj, idx, unique ? UNIT_RESIDENT : view);
		return;
	}
	if (bind_given(l, s, UNIT_MODULE)) {
		if (unique || view == UNIT_RESIDENT) {
			s->unit = UNIT_RESIDENT;
		}
		return;
	}
	const struct lobj *by = s->referrer == NO_SYM ? NULL : link_sym(l, s->referrer)->obj;
	if (bind_funcval(l, s, view, self) || (by != NULL && bind_beside(l, s, view, by))) {
		return;
	}
	for (struct lpkg *p = link_all_archives(l); p != NULL; p = p->hh.next) {
		if (may_push(p) && pull(l, s, view, open_known(l, p))) {
			return;
		}
	}
	for (uint32_t i = 0; by != NULL && i < gl_object_nautolib(by->obj); i++) {
		if (pull(l, s, view, link_open_archive(l, gl_object_autolib(by->obj, i)))) {
			return;
		}
	}
	pull(l, s, view, link_open_build(l, by, path));
}
