/* Resolve: which symbol does a reference mean?
 *
 * A reference is by name (and ABI), by place in the object at hand, or by content. Where a name is bound to, bind.c
 * says.
 *
 * What a package's cgo lines import is C's, whatever its name, and what they export is called by the package's C parts
 * alone: neither is looked for elsewhere (csyms.c).
 *
 * Content-addressable symbols (strings, pointer masks) are always copied: their tables are reached by offsets from
 * the unit itself. */
#include "resolve.h"

#include <stdlib.h>
#include <string.h>

uint32_t link_resolve_name(struct link *l, struct gl_str name, uint8_t want_abi, enum unit_id view,
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
	unsigned hash = gl_hash(name.p, name.n);
	HASH_FIND_BYHASHVALUE(hh, l->by_name[view][want_abi], name.p, name.n, hash, have);
	if (have != NULL) {
		if (have->state == SYM_ABSENT && have->alias == NO_SYM && obj != NULL && tie == TIE_NONE) {
			/* first named by an object that only refers to it, now by one that defines it */
			link_bind(l, have->self, view, obj, idx, tie);
		}
		return have->alias != NO_SYM ? have->alias : have->self;
	}
	uint32_t self = link_new_sym(l);
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
	link_bind(l, self, view, obj, idx, tie);
	if (want_abi == GL_ABI0 && s->alias == NO_SYM && s->state != SYM_ABSENT && !s->is_func) {
		/* references by name to what is no function carry ABI 0; those by number don't, and mean the same
		 * symbol */
		s->alias = link_resolve_name(l, name, GL_ABIINTERNAL, view, obj, idx, referrer);
	}
	return s->alias != NO_SYM ? s->alias : self;
}

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
	uint32_t self = link_new_sym(l);
	if (self == NO_SYM) {
		return NO_SYM;
	}
	struct lsym *s = link_sym(l, self);
	memcpy(s->hash, hash, sizeof(hash));
	s->name = sym.name;
	link_place(l, s, obj, idx, view);
	HASH_ADD(hh, l->by_hash[view], hash, sizeof(s->hash), s);
	if (s->hh.tbl == NULL) {
		link_out_of_memory(l);
		return NO_SYM;
	}
	return self;
}

int link_touch(struct link *l, struct lobj *obj, enum unit_id view)
{
	if (obj->locals[view] != NULL) {
		return 0;
	}
	if (obj->locals[UNIT_MODULE] == NULL && obj->locals[UNIT_RESIDENT] == NULL) {
		/* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
		if (!GL_GROW(l->touched, l->ntouched, l->cap_touched)) {
			return link_out_of_memory(l);
		}
		l->touched[l->ntouched++] = obj;
	}
	uint32_t *locals = calloc(gl_object_ntotal(obj->obj) + 1, sizeof(*locals));
	uint32_t *refs = calloc(gl_object_nrefnames(obj->obj) + 1, sizeof(*refs));
	if (locals == NULL || refs == NULL) {
		free(locals);
		free(refs);
		return link_out_of_memory(l);
	}
	obj->locals[view] = locals;
	obj->refs[view] = refs;
	return 0;
}

/* A Go function that the package exports to C. The package's own C parts call it, so it is the one in this object even
 * when the process has another function of the same name: another version of the package may be loaded, too. */
static uint32_t resolve_export(struct link *l, const struct lobj *obj, uint32_t i, enum unit_id view, uint32_t referrer)
{
	uint32_t self = link_new_sym(l);

	if (self != NO_SYM) {
		struct lsym *s = link_sym(l, self);
		s->name = gl_object_sym(obj->obj, i).name;
		s->want_abi = gl_object_sym(obj->obj, i).abi == GL_ABI0 ? GL_ABI0 : GL_ABIINTERNAL;
		s->referrer = referrer;
		link_place(l, s, obj, i, view);
	}
	return self;
}

/* A symbol that is local to its object's file (static).
 *
 * Each load gets its own copy of constants and functions. Variables of a package that is shared must exist once in the
 * process, the local ones too: `var x = &T{…}` is two variables, x and a local one, "pkg..stmp_3", which holds the T
 * and which the package's init function may change. So these are looked up by name like any other, first in the host
 * and then in the resident store. That works because the compiler gives each of them a name that no other local
 * variable of the package has; assembly makes no such promise, and its local variables are copied. */
static uint32_t resolve_static(struct link *l, struct lobj *obj, uint32_t i, enum unit_id view, uint32_t referrer)
{
	struct gl_sym sym = gl_object_sym(obj->obj, i);
	bool shared = !obj->pkg->is_module;
	bool named = sym.name.n > 0 && link_section(l->linker->abi, sym.type) > SEC_RODATA &&
		     !gl_object_from_assembly(obj->obj);

	if (named && shared && view != UNIT_RESIDENT) {
		return link_touch(l, obj, UNIT_RESIDENT) != 0 ? NO_SYM :
								link_resolve_local(l, obj, i, UNIT_RESIDENT, referrer);
	}
	uint32_t self = link_new_sym(l);
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
	if (named && shared && link_bind_fixed(l, s)) {
		return self;
	}
	for (uint32_t k = 0; named && obj->pkg->is_used && k < l->nuses; k++) {
		if (link_bind_known(s, l->uses[k].names)) {
			return self;
		}
	}
	link_place(l, s, obj, i, view);
	return self;
}

/* Symbol number i of the object, defined there or named there. */
uint32_t link_resolve_local(struct link *l, struct lobj *obj, uint32_t i, enum unit_id view, uint32_t referrer)
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
	const struct lobj *importer = obj;
	uint32_t s;
	if (import == NULL) {
		import = link_find_c_import(l, obj, i, &importer);
	}
	if (import != NULL) {
		s = link_resolve_c(l, importer, import, sym.name, referrer);
	} else if (defined && obj->pkg->is_module && gl_cgo_find_export(cgo, sym.name.p, sym.name.n) != NULL) {
		s = resolve_export(l, obj, i, view, referrer);
	} else if (defined && gl_object_is_hashed(obj->obj, i) && !link_is_unique(sym.name)) {
		s = resolve_hashed(l, obj, i, view);
	} else if (defined && (sym.abi == GL_ABISTATIC || sym.name.n == 0)) {
		s = resolve_static(l, obj, i, view, referrer);
	} else {
		/* a variable's name may be that of a function in assembly, whose address is wanted */
		bool abi0 = sym.abi == GL_ABI0 &&
			    (!defined || link_section(abi, sym.type) == SEC_TEXT || !link_defines_itself(obj, i));
		s = link_resolve_name(l, sym.name, abi0 ? GL_ABI0 : GL_ABIINTERNAL, view, defined ? obj : NULL, i,
				      referrer);
	}
	*cache = 1 + s;
	return s;
}

/* Where -race, -msan or -asan is given, the compiler has every access to memory reported. A runtime without that
 * sanitizer lacks the function, or has one that ends the process. */
static bool refuse_sanitizer(struct link *l, const char *builtin, uint32_t referrer)
{
	static const struct {
		const char *prefix, *flag;
	} sanitizers[] = { { "runtime.race", "-race" }, { "runtime.msan", "-msan" }, { "runtime.asan", "-asan" } };

	for (size_t i = l->linker->has_race; i < sizeof(sanitizers) / sizeof(sanitizers[0]); i++) {
		if (strncmp(builtin, sanitizers[i].prefix, strlen(sanitizers[i].prefix)) == 0) {
			const struct lobj *by = referrer == NO_SYM ? NULL : link_sym(l, referrer)->obj;
			gl_fail(l->err, GL_EUNSUPPORTED,
				"%s was compiled with %s, which takes a runtime of its own that this host is not built "
				"with",
				by == NULL ? "the object" : by->pkg->file, sanitizers[i].flag);
			l->failed = true;
			return true;
		}
	}
	return false;
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
		if (refuse_sanitizer(l, name, referrer)) {
			return NO_SYM;
		}
		*cache = 1 + link_resolve_name(l, (struct gl_str){ name, (uint32_t)strlen(name) },
					       abi->builtins[i].abi == 0 ? GL_ABI0 : GL_ABIINTERNAL, view, NULL, 0,
					       referrer);
	}
	return *cache - 1;
}

uint32_t link_resolve_ref(struct link *l, const struct lobj *const_obj, struct gl_symref ref, enum unit_id view,
			  uint32_t referrer)
{
	struct lobj *obj = (struct lobj *)const_obj; /* its caches are ours */

	if (ref.pkg == GL_PKG_INVALID || link_touch(l, obj, view) != 0) {
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
			return name.n == 0 ? NO_SYM :
					     link_resolve_name(l, name, GL_ABIINTERNAL, view, NULL, 0, referrer);
		}
		uint32_t *cache = &obj->refs[view][slot];
		if (*cache == 0) {
			*cache = 1 + link_resolve_name(l, gl_object_refname_at(obj->obj, slot), GL_ABIINTERNAL, view,
						       NULL, 0, referrer);
		}
		return *cache - 1;
	}
	return link_resolve_local(l, obj, i, view, referrer);
}
