/* Resolve: from the roots, find every symbol that is needed, and say where it lives.
 *
 * A reference is by name (and ABI), by place in the object at hand, or by content. Names are bound in this order:
 *
 *   1. A name that mentions one of the module's own packages ("main.T", "type:map[string]main.T") belongs to the
 *      module. It is never looked up in the host, which may well have a namesake: the host's own main, or an older
 *      version. One that mentions a package of a module which this one uses belongs to that one.
 *   2. The host. Then the resident store.
 *   3. A definition in the object at hand: one that the compiler repeats in each object that needs it (DUPOK:
 *      instantiated generics, wrappers), or a pushed linkname. It is copied to whoever needs it.
 *   4. The archive of the package that the name belongs to: code and data the host lacks, because dead-code elimination
 *      dropped it or the package is not in it. What is pulled becomes resident.
 *   5. A descriptor or itab that an object brings along: it becomes resident, for there must be one in the process.
 *   6. A function value (F·f) is made of its function.
 *
 * What a package's cgo lines import is C's, whatever its name, and what they export is called by the package's C parts
 * alone: neither is looked for elsewhere.
 *
 * Content-addressable symbols (strings, pointer masks) are always copied: their tables are reached by offsets from
 * the unit itself. */
#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1024 };

/* ---- helpers ---------------------------------------------------------------------------------------------------- */

int link_out_of_memory(struct link *l)
{
	l->failed = true;
	return gl_fail(l->err, GL_ENOMEM, "out of memory while linking");
}

/* Appends to a growing array; on failure the link is marked as failed and the caller goes on to the next check. */
static void push(struct link *l, uint32_t **array, uint32_t *n, uint32_t *cap, uint32_t v)
{
	if (*n == *cap) {
		uint32_t grown = *cap == 0 ? 256 : *cap * 2;
		uint32_t *p = realloc(*array, grown * sizeof(*p));
		if (p == NULL) {
			link_out_of_memory(l);
			return;
		}
		*array = p;
		*cap = grown;
	}
	(*array)[(*n)++] = v;
}

struct lsym *link_sym(const struct link *l, uint32_t s) { return &l->chunks[s / CHUNK][s % CHUNK]; }

/* A fresh symbol; NO_SYM when memory is short. */
static uint32_t new_sym(struct link *l)
{
	if (l->nsyms == l->nchunks * CHUNK) {
		/* NOLINTNEXTLINE(bugprone-sizeof-expression): chunks is an array of pointers */
		struct lsym **grown = realloc(l->chunks, (l->nchunks + 1) * sizeof(*grown));
		if (grown != NULL) {
			l->chunks = grown;
			l->chunks[l->nchunks] = calloc(CHUNK, sizeof(struct lsym));
		}
		if (grown == NULL || l->chunks[l->nchunks] == NULL) {
			link_out_of_memory(l);
			return NO_SYM;
		}
		l->nchunks++;
	}
	struct lsym *s = link_sym(l, l->nsyms);
	s->referrer = NO_SYM;
	s->target = NO_SYM;
	for (int v = 0; v < NUNITS; v++) {
		s->tramp[v] = NO_SYM;
	}
	s->func = NO_SYM;
	s->alias = NO_SYM;
	s->self = l->nsyms;
	return l->nsyms++;
}

uint32_t link_new_synthetic(struct link *l, enum synthetic kind, uint32_t target, enum unit_id unit)
{
	uint32_t self = new_sym(l);

	if (self != NO_SYM) {
		struct lsym *s = link_sym(l, self);
		s->name = link_sym(l, target)->name;
		s->state = SYM_PLACED;
		s->synthetic = kind;
		s->target = target;
		s->unit = unit;
		s->section = SEC_TEXT;
		s->size = s->align = SYNTH_CODE_SIZE;
		s->is_func = true;
		s->marked = true;
	}
	return self;
}

uint32_t link_add_main(struct link *l, uint32_t main)
{
	uint32_t self = link_new_synthetic(l, SYNTH_MAIN, main, UNIT_MODULE);

	if (self != NO_SYM) {
		link_sym(l, self)->name = (struct gl_str){ "runtime.main", 12 };
		push(l, &l->placed, &l->nplaced, &l->cap_placed, self);
	}
	return l->failed ? NO_SYM : self;
}

/* ---- the host --------------------------------------------------------------------------------------------------- */

const uint8_t *host_func(const struct linker *linker, uintptr_t addr)
{
	const struct gl_abi *abi = linker->abi;
	const uint8_t *md = (const uint8_t *)linker->firstmoduledata;
	uintptr_t text, minpc, maxpc;
	const uint32_t *ftab;
	const uint8_t *pclntable;
	int64_t n;

	memcpy(&text, md + abi->moduledata.text, sizeof(text));
	memcpy(&minpc, md + abi->moduledata.minpc, sizeof(minpc));
	memcpy(&maxpc, md + abi->moduledata.maxpc, sizeof(maxpc));
	memcpy(&ftab, md + abi->moduledata.ftab, sizeof(ftab));
	memcpy(&n, md + abi->moduledata.ftab + 8, sizeof(n));
	memcpy(&pclntable, md + abi->moduledata.pclntable, sizeof(pclntable));
	if (addr < minpc || addr >= maxpc || addr < text || n < 2) {
		return NULL;
	}
	/* ftab: pairs of entry offset from text and offset of the _func in pclntable; the last is the end */
	uint32_t off = (uint32_t)(addr - text);
	int64_t low = 0, high = n - 1;
	while (high - low > 1) {
		int64_t mid = low + (high - low) / 2;
		if (ftab[2 * mid] <= off) {
			low = mid;
		} else {
			high = mid;
		}
	}
	return pclntable + ftab[2 * low + 1];
}

static bool host_func_is_asm(const struct linker *linker, const uint8_t *func)
{
	return (func[linker->abi->func.flag] & linker->abi->FuncFlagAsm) != 0;
}

/* Is name, an assembly function the host has under its plain name only, entered by ABIInternal? The name alone doesn't
 * tell: the linker drops the entry that nobody uses, and marks a function's ABI only where both are left
 * (cmd/link/internal/ld/symtab.go, mangleABIName). Only the runtime and its kin write ABIInternal assembly, and what of
 * it compiled code calls is reached so. Elsewhere a function written in assembly has a Go wrapper under ABIInternal. */
static bool asm_is_abiinternal(const char *name, size_t len)
{
	struct gl_str path = link_package_of((struct gl_str){ name, (uint32_t)len });

	return str_is(path, "runtime") || str_starts(path, "runtime/internal/") ||
	       str_starts(path, "internal/runtime/") || str_is(path, "internal/bytealg") || str_is(path, "reflect");
}

static bool host_lookup(struct link *l, const char *name, size_t len, uint8_t want_abi, struct gl_image_sym *out)
{
	struct linker *linker = l->linker;
	char abi0[1024];
	struct gl_image_sym other = { 0 };
	bool has_abi0 = false;

	bool has_plain = gl_image_lookup(linker->image, name, len, out);
	if ((!has_plain || out->is_func) && len + sizeof(".abi0") <= sizeof(abi0)) {
		memcpy(abi0, name, len);
		memcpy(abi0 + len, ".abi0", sizeof(".abi0"));
		has_abi0 = gl_image_lookup(linker->image, abi0, len + 5, &other);
	}
	if (want_abi == GL_ABI0 && has_abi0) {
		*out = other;
		return true;
	}
	if (!has_plain) {
		return false;
	}
	if (!out->is_func || (want_abi == GL_ABIINTERNAL && has_abi0)) {
		return true;
	}
	const uint8_t *func = host_func(linker, out->addr);
	if (func == NULL) {
		return true; /* C code, which knows neither ABI: whoever names it knows what he does */
	}
	if (!host_func_is_asm(linker, func)) {
		return want_abi == GL_ABIINTERNAL;
	}
	return asm_is_abiinternal(name, len) == (want_abi == GL_ABIINTERNAL);
}

/* ---- binding ---------------------------------------------------------------------------------------------------- */

static void place(struct link *l, struct lsym *s, const struct lobj *obj, uint32_t idx, enum unit_id unit)
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

static void mark(struct link *l, uint32_t s)
{
	struct lsym *sym = s == NO_SYM ? NULL : link_sym(l, s);

	if (sym == NULL || sym->marked || sym->state != SYM_PLACED) {
		return;
	}
	sym->marked = true;
	push(l, &l->work, &l->nwork, &l->cap_work, s);
	push(l, &l->placed, &l->nplaced, &l->cap_placed, s);
}

/* A pulled package that the host does not have at all must be initialised, though nobody in the chain of imports may
 * have said so (a function of the host's half of another package brought it in). */
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

/* A variable that dead-code elimination dropped from a package the host has: a map's initialiser may have been outlined
 * (cmd/compile/internal/pkginit/initorder.go) and dropped with it, so that nobody ran it. */
static void schedule_outlined_init(struct link *l, struct lpkg *p, const struct ldef *var)
{
	char prefix[1024];
	int n = snprintf(prefix, sizeof(prefix), "%s.map.init.", p->path);

	for (struct ldef *def = p->plain; n > 0 && (size_t)n < sizeof(prefix) && def != NULL; def = def->hh.next) {
		if (!str_starts(def->name, prefix)) {
			continue;
		}
		uint32_t nrelocs = gl_object_nrelocs(def->obj->obj, def->idx);
		for (uint32_t j = 0; j < nrelocs; j++) {
			struct gl_reloc r = gl_object_reloc(def->obj->obj, def->idx, j);
			if (def->obj == var->obj && gl_object_local(def->obj->obj, r.sym) == var->idx) {
				uint32_t s = link_root(l, UNIT_RESIDENT, def->name.p, def->name.n, GL_ABIINTERNAL);
				if (s != NO_SYM && link_sym(l, s)->state == SYM_PLACED) {
					push(l, &l->extra_inits, &l->nextra_inits, &l->cap_extra_inits, s);
				}
				break;
			}
		}
	}
}

static uint32_t resolve_name(struct link *l, struct gl_str name, uint8_t want_abi, enum unit_id view,
			     const struct lobj *obj, uint32_t idx, uint32_t referrer);

static bool pull(struct link *l, struct lsym *s, enum unit_id view, struct lpkg *p)
{
	const struct ldef *def = p == NULL ? NULL : lpkg_find(p, s->name.p, s->name.n, s->want_abi);

	if (def == NULL) {
		return false;
	}
	if (view != UNIT_RESIDENT) {
		/* one copy, whoever asks: the resident view's */
		s->alias = resolve_name(l, s->name, s->want_abi, UNIT_RESIDENT, NULL, 0, s->referrer);
		return s->alias != NO_SYM;
	}
	place(l, s, def->obj, def->idx, UNIT_RESIDENT);
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
static bool bind_known(struct lsym *s, struct known_sym *const *names)
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

static bool bind_fixed(struct link *l, struct lsym *s)
{
	struct gl_image_sym host;

	if (host_lookup(l, s->name.p, s->name.n, s->want_abi, &host)) {
		s->state = SYM_FIXED;
		s->addr = host.addr;
		s->size = (uint32_t)host.size;
		s->is_func = host.is_func;
		return true;
	}
	if (l->shipping || !bind_known(s, l->linker->resident)) {
		return false;
	}
	if (!l->failed) {
		l->failed = linker_check_init(l->linker, s->name, l->err) != 0;
	}
	return true;
}

/* Finds a definition in the files that were given: the module's own, or those of the modules it uses. */
static bool bind_file(struct link *l, struct lsym *s, bool is_used, enum unit_id unit)
{
	for (uint32_t i = 0; i < l->npackages; i++) {
		struct lpkg *p = &l->packages[i];
		const struct ldef *def = p->is_used != is_used ? NULL : lpkg_find(p, s->name.p, s->name.n, s->want_abi);
		if (def != NULL) {
			place(l, s, def->obj, def->idx, unit);
			return s->state != SYM_ABSENT;
		}
	}
	return false;
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
	uint32_t target = resolve_name(l, fn, GL_ABIINTERNAL, view, NULL, 0, self);
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

/* Is it said where the object at hand defines it? A variable without content may be one that another package gives its
 * value by linkname, or the package's own assembly: cmd/link lets the one with content win (loader.addSym). */
static bool is_settled(const struct lobj *obj, uint32_t idx)
{
	return has_content(obj, idx) || (!gl_object_is_nonpkg(obj->obj, idx) && obj->pkg->nobjs == 1);
}

/* A name of the module's own. A function without a body may be one that another package pushes there: the runtime does,
 * to a test's own copy of os, or to sync_test. */
static void bind_own(struct link *l, struct lsym *s, enum unit_id view, const struct lobj *obj, uint32_t idx)
{
	struct gl_image_sym host;
	struct gl_str path = link_package_of(s->name);

	if (view != UNIT_MODULE) {
		return;
	}
	if (obj != NULL && obj->pkg->is_module && is_settled(obj, idx)) {
		place(l, s, obj, idx, UNIT_MODULE);
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
			place(l, s, def->obj, def->idx, UNIT_MODULE);
			return;
		}
	}
}

/* A name of a module that this one uses: as that has it, or as it would have it. */
static void bind_used(struct link *l, struct lsym *s, enum unit_id view, const struct lobj *obj, uint32_t idx)
{
	if (view != UNIT_USED) {
		return;
	}
	for (uint32_t i = 0; i < l->nuses; i++) {
		if (bind_known(s, l->uses[i].names)) {
			return;
		}
	}
	/* A root may be what the module's own object is the first to describe: map[int]used.T. */
	if (obj != NULL && is_settled(obj, idx)) {
		place(l, s, obj, idx, UNIT_USED);
	} else if (!bind_given(l, s, UNIT_USED) && !bind_file(l, s, false, UNIT_USED)) {
		bind_funcval(l, s, view, s->self);
	}
}

/* The rule of the file's head. obj and idx are the definition in the object at hand, if it has one. */
static void bind(struct link *l, uint32_t self, enum unit_id view, const struct lobj *obj, uint32_t idx, enum tie tie)
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
	struct gl_sym def = { 0 };
	if (obj != NULL) {
		def = gl_object_sym(obj->obj, idx);
		if ((def.flag & GL_SYM_DUPOK) != 0 && link_section(l->linker->abi, def.type) == SEC_RODATA && !unique) {
			place(l, s, obj, idx, view);
			return;
		}
	}
	if (bind_fixed(l, s)) {
		return;
	}
	struct gl_str path = link_package_of(s->name);
	if (str_ends(s->name, "..inittask") && link_host_has(l, path) != NULL) {
		/* a package without functions to run has no task in the host (cmd/link/internal/ld/inittask.go) */
		s->state = SYM_FIXED;
		return;
	}
	if (obj != NULL && !unique && has_content(obj, idx)) {
		place(l, s, obj, idx, view);
		return;
	}
	if (pull(l, s, view, link_open_archive(l, path))) {
		return;
	}
	if (obj != NULL) {
		place(l, s, obj, idx, unique ? UNIT_RESIDENT : view);
		return;
	}
	if (bind_given(l, s, UNIT_MODULE)) {
		if (unique || view == UNIT_RESIDENT) {
			s->unit = UNIT_RESIDENT;
		}
		return;
	}
	if (bind_funcval(l, s, view, self)) {
		return;
	}
	for (struct lpkg *p = link_all_archives(l); p != NULL; p = p->hh.next) {
		if (may_push(p) && pull(l, s, view, open_known(l, p))) {
			return;
		}
	}
	const struct lobj *by = s->referrer == NO_SYM ? NULL : link_sym(l, s->referrer)->obj;
	for (uint32_t i = 0; by != NULL && i < gl_object_nautolib(by->obj); i++) {
		if (pull(l, s, view, link_open_archive(l, gl_object_autolib(by->obj, i)))) {
			return;
		}
	}
}

static uint32_t resolve_name(struct link *l, struct gl_str name, uint8_t want_abi, enum unit_id view,
			     const struct lobj *obj, uint32_t idx, uint32_t referrer)
{
	struct lsym *have = NULL;
	/* what is resident never means a module's package, but the host's, or the resident store's, of that path */
	enum tie tie = view == UNIT_RESIDENT ? TIE_NONE : link_tie(l, name);

	if (tie == TIE_USED && view == UNIT_MODULE) {
		view = UNIT_USED;
	} else if (tie == TIE_NONE && link_is_unique(name)) {
		view = UNIT_RESIDENT; /* of the process, whoever asks */
	}
	unsigned hash = link_hash(name.p, name.n);
	HASH_FIND_BYHASHVALUE(hh, l->by_name[view][want_abi], name.p, name.n, hash, have);
	if (have != NULL) {
		if (have->state == SYM_ABSENT && have->alias == NO_SYM && obj != NULL && tie == TIE_NONE) {
			/* first named by an object that only refers to it, now by one that defines it */
			bind(l, have->self, view, obj, idx, tie);
		}
		return have->alias != NO_SYM ? have->alias : have->self;
	}
	uint32_t self = new_sym(l);
	if (self == NO_SYM) {
		return NO_SYM;
	}
	struct lsym *s = link_sym(l, self);
	s->name = name;
	s->want_abi = want_abi;
	s->referrer = referrer;
	s->by_name = true;
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, l->by_name[view][want_abi], s->name.p, s->name.n, hash, s);
	if (s->hh.tbl == NULL) {
		link_out_of_memory(l);
		return NO_SYM;
	}
	bind(l, self, view, obj, idx, tie);
	if (want_abi == GL_ABI0 && s->alias == NO_SYM && s->state != SYM_ABSENT && !s->is_func) {
		/* references by name to what is no function carry ABI 0; those by number don't, and mean the same
		 * symbol */
		s->alias = resolve_name(l, name, GL_ABIINTERNAL, view, obj, idx, referrer);
	}
	return s->alias != NO_SYM ? s->alias : self;
}

static void root_go_exports(struct link *l, struct lpkg *p);

static uint32_t resolve_hashed(struct link *l, const struct lobj *obj, uint32_t idx, enum unit_id view)
{
	uint8_t hash[16];
	struct lsym *have = NULL;

	gl_object_hash(obj->obj, idx, hash);
	struct gl_sym sym = gl_object_sym(obj->obj, idx);
	/* short hashes are the content itself, without its trailing zeros: the size belongs to the key */
	hash[15] ^= (uint8_t)(sym.size & 0xff);
	hash[14] ^= (uint8_t)(sym.size >> 8 & 0xff);
	hash[13] ^= (uint8_t)sym.type;
	HASH_FIND(hh, l->by_hash[view], hash, sizeof(hash), have);
	if (have != NULL) {
		return have->self;
	}
	uint32_t self = new_sym(l);
	if (self == NO_SYM) {
		return NO_SYM;
	}
	struct lsym *s = link_sym(l, self);
	memcpy(s->hash, hash, sizeof(hash));
	s->name = sym.name;
	place(l, s, obj, idx, view);
	HASH_ADD(hh, l->by_hash[view], hash, sizeof(s->hash), s);
	if (s->hh.tbl == NULL) {
		link_out_of_memory(l);
		return NO_SYM;
	}
	return self;
}

static int touch(struct link *l, struct lobj *obj, enum unit_id view)
{
	if (obj->locals[view] != NULL) {
		return 0;
	}
	if (obj->locals[UNIT_MODULE] == NULL && obj->locals[UNIT_RESIDENT] == NULL) {
		if (l->ntouched == l->cap_touched) {
			uint32_t grown = l->cap_touched == 0 ? 16 : l->cap_touched * 2;
			/* NOLINTNEXTLINE(bugprone-sizeof-expression): touched is an array of pointers */
			const struct lobj **p = realloc(l->touched, grown * sizeof(*p));
			if (p == NULL) {
				return link_out_of_memory(l);
			}
			l->touched = p;
			l->cap_touched = grown;
		}
		l->touched[l->ntouched++] = obj;
	}
	obj->locals[view] = calloc(gl_object_ntotal(obj->obj) + 1, sizeof(uint32_t));
	obj->refs[view] = calloc(gl_object_nrefnames(obj->obj) + 1, sizeof(uint32_t));
	return obj->locals[view] != NULL && obj->refs[view] != NULL ? 0 : link_out_of_memory(l);
}

/* ---- C ---------------------------------------------------------------------------------------------------------- */

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
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): unlinked is an array of pointers */
	const struct lpkg **grown = realloc(l->unlinked, (l->nunlinked + 1) * sizeof(*grown));

	if (grown == NULL) {
		link_out_of_memory(l);
		return;
	}
	l->unlinked = grown;
	l->unlinked[l->nunlinked++] = p;
}

/* Packages may be imported for nothing but what they bring for C: a library, or flags for the linker. The list grows
 * while it is walked. */
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

/* The library of resident packages is used for the first time: what it calls must be there. */
static void want_library(struct link *l, struct clib *lib)
{
	for (uint32_t i = 0; i < l->nwanted_clibs; i++) {
		if (l->wanted_clibs[i] == lib) {
			return;
		}
	}
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): wanted_clibs is an array of pointers */
	struct clib **grown = realloc(l->wanted_clibs, (l->nwanted_clibs + 1) * sizeof(*grown));
	if (grown == NULL) {
		link_out_of_memory(l);
		return;
	}
	l->wanted_clibs = grown;
	l->wanted_clibs[l->nwanted_clibs++] = lib;
	for (struct lpkg *p = link_archives(l); p != NULL && !l->failed; p = p->hh.next) {
		if (p->clib == lib) {
			root_go_exports(l, p);
		}
	}
}

/* The C parts of a package; NULL where nobody has linked them, or the load will (clib_bind). */
static struct clib *library_of(struct link *l, struct lpkg *p)
{
	if (p->clib == NULL && l->gom != NULL && !p->is_module) {
		p->clib = link_shipped_library(l, p);
	}
	return p->clib;
}

/* A C symbol, as one object sees it: each module has its own. */
static uint32_t resolve_c(struct link *l, const struct lobj *obj, const struct gl_cgo_import *import,
			  struct gl_str name, uint32_t referrer)
{
	uint32_t self = new_sym(l);
	struct gl_image_sym host;

	if (self == NO_SYM) {
		return NO_SYM;
	}
	struct lsym *s = link_sym(l, self);
	s->name = name;
	s->referrer = referrer;
	s->is_far = true;
	s->obj = obj;
	s->state = SYM_FIXED;
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

/* What C calls, by whatever name, is the package's own: another version of it may be in the process. */
static uint32_t resolve_export(struct link *l, const struct lobj *obj, uint32_t i, enum unit_id view, uint32_t referrer)
{
	uint32_t self = new_sym(l);

	if (self != NO_SYM) {
		struct lsym *s = link_sym(l, self);
		s->name = gl_object_sym(obj->obj, i).name;
		s->want_abi = gl_object_sym(obj->obj, i).abi == GL_ABI0 ? GL_ABI0 : GL_ABIINTERNAL;
		s->referrer = referrer;
		place(l, s, obj, i, view);
	}
	return self;
}

static uint32_t resolve_local(struct link *l, struct lobj *obj, uint32_t i, enum unit_id view, uint32_t referrer);

/* A symbol that only its object knows. Data of a package that lasts longer than this load must be where an earlier load
 * has put it, or the host: `var x = &T{…}` is two variables, and only the second, "pkg..stmp_3", is what init fills. So
 * writable ones are known by their names, which the compiler makes one of a kind in a package; an assembler doesn't. */
static uint32_t resolve_static(struct link *l, struct lobj *obj, uint32_t i, enum unit_id view, uint32_t referrer)
{
	struct gl_sym sym = gl_object_sym(obj->obj, i);
	bool shared = !obj->pkg->is_module;
	bool named = sym.name.n > 0 && link_section(l->linker->abi, sym.type) > SEC_RODATA &&
		     !gl_object_from_assembly(obj->obj);

	if (named && shared && view != UNIT_RESIDENT) {
		return touch(l, obj, UNIT_RESIDENT) != 0 ? NO_SYM : resolve_local(l, obj, i, UNIT_RESIDENT, referrer);
	}
	uint32_t self = new_sym(l);
	if (self == NO_SYM) {
		return NO_SYM;
	}
	struct lsym *s = link_sym(l, self);
	s->name = sym.name;
	s->referrer = referrer;
	if (named) {
		s->want_abi = GL_ABIINTERNAL;
		s->by_name = true;
	}
	if (named && shared && bind_fixed(l, s)) {
		return self;
	}
	for (uint32_t k = 0; named && obj->pkg->is_used && k < l->nuses; k++) {
		if (bind_known(s, l->uses[k].names)) {
			return self;
		}
	}
	place(l, s, obj, i, view);
	return self;
}

/* Symbol number i of the object, defined there or named there. */
static uint32_t resolve_local(struct link *l, struct lobj *obj, uint32_t i, enum unit_id view, uint32_t referrer)
{
	const struct gl_abi *abi = l->linker->abi;
	uint32_t *cache = &obj->locals[view][i];
	if (*cache != 0) {
		return *cache - 1;
	}
	struct gl_sym sym = gl_object_sym(obj->obj, i);
	bool defined = i < gl_object_nsyms(obj->obj);
	const struct gl_cgo *cgo = gl_package_cgo(obj->pkg->pkg);
	const struct gl_cgo_import *import = gl_cgo_find_import(cgo, sym.name.p, sym.name.n);
	uint32_t s;
	if (import != NULL) {
		s = resolve_c(l, obj, import, sym.name, referrer);
	} else if (defined && obj->pkg->is_module && gl_cgo_find_export(cgo, sym.name.p, sym.name.n) != NULL) {
		s = resolve_export(l, obj, i, view, referrer);
	} else if (defined && gl_object_is_hashed(obj->obj, i) && !link_is_unique(sym.name)) {
		s = resolve_hashed(l, obj, i, view);
	} else if (defined && (sym.abi == GL_ABISTATIC || sym.name.n == 0)) {
		s = resolve_static(l, obj, i, view, referrer);
	} else {
		bool abi0 = sym.abi == GL_ABI0 && (!defined || link_section(abi, sym.type) == SEC_TEXT);
		s = resolve_name(l, sym.name, abi0 ? GL_ABI0 : GL_ABIINTERNAL, view, defined ? obj : NULL, i, referrer);
	}
	*cache = 1 + s;
	return s;
}

/* Number i of the functions that the compiler calls of its own accord: most references are to one of these. */
static uint32_t resolve_builtin(struct link *l, uint32_t i, enum unit_id view, uint32_t referrer)
{
	const struct gl_abi *abi = l->linker->abi;

	if (i >= abi->nbuiltins) {
		return NO_SYM;
	}
	if (l->builtins[view] == NULL && (l->builtins[view] = calloc(abi->nbuiltins, sizeof(uint32_t))) == NULL) {
		link_out_of_memory(l);
		return NO_SYM;
	}
	uint32_t *cache = &l->builtins[view][i];
	if (*cache == 0) {
		const char *name = abi->builtins[i].name;
		*cache =
			1 + resolve_name(l, (struct gl_str){ name, (uint32_t)strlen(name) },
					 abi->builtins[i].abi == 0 ? GL_ABI0 : GL_ABIINTERNAL, view, NULL, 0, referrer);
	}
	return *cache - 1;
}

uint32_t link_resolve_ref(struct link *l, const struct lobj *const_obj, struct gl_symref ref, enum unit_id view,
			  uint32_t referrer)
{
	struct lobj *obj = (struct lobj *)const_obj; /* its caches are ours */

	if (ref.pkg == GL_PKG_INVALID || touch(l, obj, view) != 0) {
		return NO_SYM;
	}
	if (ref.pkg == GL_PKG_BUILTIN) {
		return resolve_builtin(l, ref.sym, view, referrer);
	}
	uint32_t i = gl_object_local(obj->obj, ref);
	if (i == UINT32_MAX) {
		/* another package's symbol; functions reached this way are ABIInternal (cmd/internal/obj/sym.go) */
		uint32_t slot = gl_object_find_ref(obj->obj, ref);
		if (slot == UINT32_MAX) {
			struct gl_str name = link_foreign_name(l, obj, ref);
			return name.n == 0 ? NO_SYM : resolve_name(l, name, GL_ABIINTERNAL, view, NULL, 0, referrer);
		}
		uint32_t *cache = &obj->refs[view][slot];
		if (*cache == 0) {
			*cache = 1 + resolve_name(l, gl_object_refname_at(obj->obj, slot), GL_ABIINTERNAL, view, NULL,
						  0, referrer);
		}
		return *cache - 1;
	}
	return resolve_local(l, obj, i, view, referrer);
}

/* ---- marking ---------------------------------------------------------------------------------------------------- */

static void note_missing_package(struct link *l, struct gl_str path)
{
	for (uint32_t i = 0; i < l->nmissing_packages; i++) {
		if (strlen(l->missing_packages[i]) == path.n && memcmp(l->missing_packages[i], path.p, path.n) == 0) {
			return;
		}
	}
	char **grown = realloc(l->missing_packages, (l->nmissing_packages + 1) * sizeof(*grown));
	if (grown == NULL) {
		return;
	}
	l->missing_packages = grown;
	char *copy = malloc(path.n + 1);
	if (copy == NULL) {
		return;
	}
	link_plain_path(path, copy);
	l->missing_packages[l->nmissing_packages++] = copy;
}

static void note_missing(struct link *l, uint32_t s)
{
	for (uint32_t i = 0; i < l->nmissing; i++) {
		if (l->missing[i] == s) {
			return;
		}
	}
	push(l, &l->missing, &l->nmissing, &l->cap_missing, s);
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
			note_missing(l, t);
		}
		mark(l, t);
	}
}

bool link_is_pointer_name(struct gl_str type)
{
	return str_starts(type, "type:*") || str_starts(type, "type:map[") || str_starts(type, "type:chan ") ||
	       str_starts(type, "type:<-chan ") || str_starts(type, "type:func(");
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
			if (t == NO_SYM) {
				/* a type of another package that the object names by number only, and its archive is
				 * needed */
				note_missing_package(l, gl_object_pkg(sym->obj->obj, aux.sym.pkg));
				note_missing(l, s);
				continue;
			}
			if (link_is_pointer_name(link_sym(l, t)->name)) {
				continue; /* its mask needs no descriptor */
			}
			if (link_sym(l, t)->state == SYM_ABSENT) {
				note_missing(l, t);
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
	if (touch(l, (struct lobj *)obj, view) != 0) {
		return NO_SYM;
	}
	uint32_t s = resolve_local(l, (struct lobj *)obj, i, view, NO_SYM);
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

static void root_go_exports(struct link *l, struct lpkg *p)
{
	if (p->pkg == NULL && link_open_package(l, p, p->file, p->path) != 0) {
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
	uint32_t s = resolve_name(l, (struct gl_str){ name, (uint32_t)len }, want_abi, view, NULL, 0, NO_SYM);

	if (s == NO_SYM || link_sym(l, s)->state == SYM_ABSENT) {
		return NO_SYM;
	}
	mark(l, s);
	return s;
}

/* ---- the pass --------------------------------------------------------------------------------------------------- */

/* What an object only referred to may have been defined by one that was looked through later. */
static void forget_found(struct link *l)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->nmissing; i++) {
		if (link_sym(l, l->missing[i])->state == SYM_ABSENT) {
			l->missing[n++] = l->missing[i];
		}
	}
	l->nmissing = n;
}

/* Is there a function of that name whose entry is for the other ABI? Go's compiler makes the missing one where it sees
 * both sides: a declaration in Go of what the package's assembly defines, or refers to (go tool asm -gensymabis). */
static bool has_other_abi(struct link *l, const struct lsym *sym, struct lpkg *archive)
{
	uint8_t other = sym->want_abi == GL_ABI0 ? GL_ABIINTERNAL : GL_ABI0;
	struct gl_image_sym host;
	const struct ldef *def;

	for (uint32_t i = 0; i < l->npackages; i++) {
		def = lpkg_find(&l->packages[i], sym->name.p, sym->name.n, other);
		if (def != NULL && def->is_func) {
			return true;
		}
	}
	if (archive != NULL && archive->pkg != NULL) {
		def = lpkg_find(archive, sym->name.p, sym->name.n, other);
		return def != NULL && def->is_func;
	}
	return host_lookup(l, sym->name.p, sym->name.n, other, &host) && host.is_func;
}

static int report_missing(struct link *l)
{
	char list[7000];
	size_t used = 0;
	uint32_t shown = 0;

	for (uint32_t i = 0; i < l->nmissing; i++) {
		const struct lsym *sym = link_sym(l, l->missing[i]);
		const struct lsym *by = sym->referrer == NO_SYM ? NULL : link_sym(l, sym->referrer);
		struct gl_str path = link_package_of(sym->name);
		struct lpkg *p = NULL;

		if (path.n > 0 && link_tie(l, sym->name) == TIE_NONE) {
			p = link_archive(l, path);
			if (p == NULL || (p->pkg == NULL && access(p->file, R_OK) != 0)) {
				note_missing_package(l, path);
			}
		}
		const char *abi = !has_other_abi(l, sym, p) ? "" :
				  sym->want_abi == GL_ABI0  ? "; there is one, but only as Go calls it: <ABIInternal>" :
							      "; there is one, but only as assembly calls it: <ABI0>";
		int n = snprintf(list + used, sizeof(list) - used, "%s%.*s%s (needed by %.*s%s)", shown > 0 ? ", " : "",
				 (int)sym->name.n, sym->name.p, sym->want_abi == GL_ABI0 ? " <ABI0>" : "",
				 by == NULL ? 4 : (int)by->name.n, by == NULL ? "load" : by->name.p, abi);
		if (n > 0 && (size_t)n < sizeof(list) - used) {
			used += (size_t)n;
			shown++;
		} else {
			list[used] = '\0';
		}
	}
	if (shown < l->nmissing) {
		return gl_fail(l->err, GL_EMISSING, "%u symbols are defined nowhere: %s, and %u more", l->nmissing,
			       list, l->nmissing - shown);
	}
	return gl_fail(l->err, GL_EMISSING, "%u symbol%s defined nowhere: %s", l->nmissing,
		       l->nmissing == 1 ? " is" : "s are", list);
}

int link_report_unlinked(struct link *l)
{
	return gl_fail(l->err, GL_ECGO, "%s: package %s has parts in C (cgo), which are not linked yet",
		       l->unlinked[0]->file, l->unlinked[0]->path);
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
		if (!l->packages[i].is_used) {
			root_inittask(l, &l->packages[i]);
			root_go_exports(l, &l->packages[i]);
		}
	}
	drain(l);
	if (l->failed || link_order_inits(l) != 0) {
		return -1;
	}
	forget_found(l);
	if (l->nunlinked > 0) {
		return link_report_unlinked(l);
	}
	return l->nmissing > 0 ? report_missing(l) : check_archives(l);
}

void link_free(struct link *l)
{
	for (struct lpkg *p = l->linker->archives; p != NULL; p = p->hh.next) {
		p->init_scheduled = p->gave = false; /* what this load has planned, the next one plans anew */
	}
	for (uint32_t i = 0; i < l->ntouched; i++) {
		struct lobj *obj = (struct lobj *)l->touched[i];
		for (int v = 0; v < NUNITS; v++) {
			free(obj->locals[v]);
			free(obj->refs[v]);
			obj->locals[v] = obj->refs[v] = NULL;
		}
		free(obj->pctab);
		obj->pctab = NULL;
	}
	for (int v = 0; v < NUNITS; v++) {
		HASH_CLEAR(hh, l->by_name[v][0]);
		HASH_CLEAR(hh, l->by_name[v][1]);
		HASH_CLEAR(hh, l->by_hash[v]);
		free(l->builtins[v]);
		unit_free(&l->units[v]);
	}
	/* What is left in freed memory of the addresses of C functions would look as if somebody held on to those
	 * (clib_users.c). */
	for (uint32_t i = 0; i < l->nsyms; i++) {
		if (link_sym(l, i)->is_far) {
			explicit_bzero(&link_sym(l, i)->addr, sizeof(link_sym(l, i)->addr));
		}
	}
	for (uint32_t i = 0; i < l->nchunks; i++) {
		free(l->chunks[i]);
	}
	for (uint32_t i = 0; i < l->nmissing_packages; i++) {
		free(l->missing_packages[i]);
	}
	free(l->missing_packages);
	free(l->wanted_clibs);
	free(l->unlinked);
	clib_close(l->clib);
	free(l->chunks);
	free(l->touched);
	free(l->work);
	free(l->placed);
	free(l->inits);
	free(l->init_imports);
	free(l->extra_inits);
	free(l->missing);
	for (uint32_t i = 0; i < l->npackages; i++) {
		lpkg_close(&l->packages[i]);
	}
	free(l->packages);
	struct lpkg *shipped = l->shipped, *next_shipped;
	HASH_CLEAR(hh, l->shipped);
	for (; shipped != NULL; shipped = next_shipped) {
		next_shipped = shipped->hh.next;
		lpkg_close(shipped);
		free(shipped);
	}
	for (size_t i = 0; l->shipped_clibs != NULL && i < l->gom->nlibraries; i++) {
		clib_close(l->shipped_clibs[i]);
	}
	free(l->shipped_clibs);
	gl_gom_close(l->gom);
	struct tied_package *tie = l->ties, *next;
	HASH_CLEAR(hh, l->ties);
	for (; tie != NULL; tie = next) {
		next = tie->hh.next;
		free(tie);
	}
}
