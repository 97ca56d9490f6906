/* The life of a module (see module.h). gl_module_load and gl_module_unload are the table of contents; each pass is in
 * the room that does it. */
#include "module.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "start.h"

struct gl_module {
	struct gl_host *host;
	struct gl_module *next; /* of the host's list, or of the module that this one extends */
	bool loaded;
	char *name;   /* what the runtime calls it */
	uint64_t age; /* number of its load */

	struct gl_module *extensions; /* what modules that use this one have added to it; they go when it goes */
	struct gl_module **uses;      /* the modules this one can't be without */
	size_t nuses, nusers;
	struct known_sym *names[2]; /* what users can refer to, per want_abi; filled at the first use */
	bool names_known;
	struct type_caches caches; /* of its call sites; found at the first unload of another */
	struct known_package *packages;
	uint32_t npackages;

	uint8_t *base;
	size_t size, text_pages, rodata_pages;
	uintptr_t text, etext, moduledata;
	uintptr_t itabs, eitabs, strings, estrings; /* constant data */
	struct clib *clib;                          /* its packages' parts in C */

	struct gl_pool pool; /* names, exports, symbols */
	struct gl_export *exports;
	size_t nexports;
	struct gl_module_symbol *symbols; /* by address */
	size_t nsymbols;
	struct gl_module_stats stats;

	bool has_c; /* it runs C, or a package that it was the first to use does */

	void **init_funcs, **init_tasks; /* for gl_module_run_main, when they have not run yet */
	size_t ninit_funcs, ninit_tasks;
	size_t nshared_funcs, nshared_tasks; /* the first of them: of packages that other modules see too */
	void *main;
};

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* ---- open and read ---------------------------------------------------------------------------------------------- */

/* A dependency that the host has too: then the host's version serves, and the file is there for what the host dropped.
 */
static int take_from_host(struct link *l, const struct lpkg *p, enum gl_twice twice, bool *taken)
{
	struct gl_str path = { p->path, (uint32_t)strlen(p->path) };
	const uint8_t *have = link_host_has(l, path), *given = lpkg_fingerprint(p);

	*taken = false;
	if (have == NULL || given == NULL || twice == GL_TWICE_ALWAYS || str_is(path, "main")) {
		return 0;
	}
	if (memcmp(have, given, 8) != 0) {
		return twice == GL_TWICE_OTHER ?
			       0 :
			       gl_fail(l->err, GL_EMISMATCH, "%s is another version of package %s than the host %s has",
				       p->file, p->path, gl_image_path(l->linker->image));
	}
	*taken = true;
	return linker_add_archive(l->linker, gl_package_path(p->pkg), p->file, NULL, l->err) == NULL ? -1 : 0;
}

static int check_package(struct link *l, const struct lpkg *p)
{
	for (const struct lpkg *other = l->packages; other < p; other++) {
		if (p->path[0] != '\0' && strcmp(other->path, p->path) == 0) {
			return gl_fail(l->err, GL_EDUPLICATE, "%s and %s are both package %s", other->file, p->file,
				       p->path);
		}
	}
	return 0;
}

/* The packages of the modules that this one uses come first: a file that was given of one completes it. */
static int tie_uses(struct link *l)
{
	for (uint32_t i = 0; i < l->nuses; i++) {
		for (uint32_t k = 0; k < l->uses[i].npackages; k++) {
			const struct known_package *p = &l->uses[i].packages[k];
			if (link_tie_package(l, TIE_USED, p->path, p->fingerprint) != 0) {
				return -1;
			}
		}
	}
	return 0;
}

int module_tie_package(struct link *l, struct lpkg *p)
{
	const uint8_t *fingerprint = lpkg_fingerprint(p);
	struct tied_package *t = NULL;

	HASH_FIND_STR(l->ties, p->path, t);
	if (t == NULL || t->tie == TIE_OWN) {
		return link_tie_package(l, TIE_OWN, p->path, fingerprint);
	}
	if (p->is_root) {
		return gl_fail(l->err, GL_EDUPLICATE, "%s is package %s, which a module has that it is to use", p->file,
			       p->path);
	}
	if (fingerprint != NULL && memcmp(fingerprint, t->fingerprint, 8) != 0) {
		return gl_fail(l->err, GL_EMISMATCH, "%s is another version of package %s than the module to use has",
			       p->file, p->path);
	}
	p->is_used = true;
	return 0;
}

/* A package that a used module has, has its C parts there. */
static void find_library(struct link *l, struct lpkg *p)
{
	for (uint32_t i = 0; p->is_used && i < l->nuses; i++) {
		for (uint32_t k = 0; k < l->uses[i].npackages; k++) {
			if (strcmp(l->uses[i].packages[k].path, p->path) == 0) {
				p->clib = l->uses[i].clib;
			}
		}
	}
	if (p->clib == NULL && !l->has_library && gl_package_nforeigns(p->pkg) > 0) {
		link_note_unlinked(l, p);
	}
}

int module_open_packages(struct link *l, const char *const *files, const char *const *import_paths, size_t nfiles,
			 const struct gl_load_options *opts)
{
	if (nfiles == 0) {
		return gl_fail(l->err, GL_EIO, "no object to load");
	}
	if (tie_uses(l) != 0) {
		return -1;
	}
	if (nfiles == 1 && !l->shipping && gl_gom_is(files[0])) {
		return ship_open(l, files[0]);
	}
	l->packages = calloc(nfiles, sizeof(*l->packages));
	if (l->packages == NULL) {
		return gl_fail(l->err, GL_ENOMEM, "%s: out of memory", files[0]);
	}
	l->has_library = opts->library != NULL;
	for (size_t i = 0; i < nfiles; i++) {
		struct lpkg *p = &l->packages[l->npackages];
		bool taken = false;
		*p = (struct lpkg){ .is_module = true, .is_root = i >= opts->ndeps };
		l->npackages++;
		p->file = strdup(files[i]);
		if (p->file == NULL) {
			return gl_fail(l->err, GL_ENOMEM, "%s: out of memory", files[i]);
		}
		if (link_open_package(l, p, files[i], import_paths != NULL ? import_paths[i] : NULL) != 0 ||
		    check_package(l, p) != 0 || (!p->is_root && take_from_host(l, p, opts->twice, &taken) != 0)) {
			return -1;
		}
		if (taken) {
			lpkg_close(p);
			l->npackages--;
		} else if (module_tie_package(l, p) != 0) {
			return -1;
		} else {
			find_library(l, p);
		}
	}
	return l->nunlinked > 0 ? link_report_unlinked(l) : 0;
}

/* The packages that the module brings, for those who will use it. */
static int keep_packages(struct link *l, struct gl_module *mod)
{
	mod->packages = gl_pool_take(&mod->pool, (l->npackages + 1) * sizeof(*mod->packages));
	for (uint32_t i = 0; mod->packages != NULL && i < l->npackages; i++) {
		const struct lpkg *p = &l->packages[i];
		const uint8_t *fingerprint = lpkg_fingerprint(p);
		if (p->is_used) {
			continue;
		}
		struct known_package *kept = &mod->packages[mod->npackages++];
		kept->path = gl_pool_string(&mod->pool, p->path, strlen(p->path));
		kept->is_root = p->is_root;
		memcpy(kept->fingerprint, fingerprint != NULL ? fingerprint : (const uint8_t[8]){ 0 }, 8);
		if (kept->path == NULL) {
			mod->packages = NULL;
		}
	}
	return mod->packages != NULL ? 0 : gl_fail(l->err, GL_ENOMEM, "out of memory while noting packages");
}

/* ---- roots ------------------------------------------------------------------------------------------------------ */

void module_root_main(struct link *l)
{
	static const char name[] = "main.main";

	for (uint32_t i = 0; i < l->npackages; i++) {
		const struct ldef *def = lpkg_find(&l->packages[i], name, sizeof(name) - 1, GL_ABIINTERNAL);
		if (def != NULL) {
			link_root(l, UNIT_MODULE, def->name.p, def->name.n, GL_ABIINTERNAL);
			return;
		}
	}
}

/* A type that an export mentions: its descriptor must be there, to carry values by. Those nobody describes are made
 * from their parts later. */
static void root_type(struct link *l, struct gl_pool *pool, const char *type)
{
	size_t n = strlen(type) + 5;
	char *name = gl_pool_take(pool, n + 1);

	if (name != NULL) {
		snprintf(name, n + 1, "type:%s", type);
		link_root(l, UNIT_MODULE, name, n, GL_ABIINTERNAL);
	}
}

/* The part behind "type:" or "type:*", and the package's path, of the name of an exported type that is not generic. */
static bool is_exported_type(struct gl_str name, const char *path)
{
	size_t n = strlen(path);

	if (name.n < 6 || memcmp(name.p, "type:", 5) != 0) {
		return false;
	}
	size_t at = name.p[5] == '*' ? 6 : 5;
	return name.n > at + n + 1 && memcmp(name.p + at, path, n) == 0 && name.p[at + n] == '.' &&
	       gl_is_exported(name.p + at + n + 1, name.n - at - n - 1) &&
	       memchr(name.p + at + n + 1, '.', name.n - at - n - 1) == NULL &&
	       memchr(name.p + at, '[', name.n - at) == NULL;
}

/* Exported types have their descriptors in the module whether a function mentions them or not, and so their methods:
 * Lua can make values of them. */
static void root_types(struct link *l, const struct lpkg *p)
{
	for (uint32_t o = 0; o < gl_package_nobjects(p->pkg); o++) {
		const struct gl_object *obj = gl_package_object(p->pkg, o);

		for (uint32_t s = 0, n = gl_object_nsyms(obj); s < n; s++) {
			struct gl_str name = gl_object_sym(obj, s).name;

			if (is_exported_type(name, p->path)) {
				link_root(l, UNIT_MODULE, name.p, name.n, GL_ABIINTERNAL);
			}
		}
	}
}

int module_root_exports(struct link *l, struct gl_pool *pool, struct exports *ex)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): decls is an array of pointers */
	ex->decls = calloc(l->npackages, sizeof(*ex->decls));
	if (ex->decls == NULL) {
		return gl_fail(l->err, GL_ENOMEM, "out of memory while reading exports");
	}
	for (uint32_t i = 0; i < l->npackages; i++) {
		if (!l->packages[i].is_root) {
			continue;
		}
		if (gl_declarations_read(l->packages[i].pkg, l->linker->abi, &ex->decls[i], l->err) != 0) {
			return -1;
		}
		for (uint32_t d = 0; d < ex->decls[i]->n; d++) {
			const struct gl_declaration *decl = &ex->decls[i]->list[d];
			link_root_at(l, &l->packages[i].objs[decl->object], decl->sym);
			for (uint32_t k = 0; k < decl->signature.nparams + decl->signature.nresults; k++) {
				root_type(l, pool, decl->signature.params[k].type);
			}
		}
		root_types(l, &l->packages[i]);
	}
	return 0;
}

void module_exports_free(struct exports *ex, uint32_t n)
{
	for (uint32_t i = 0; ex->decls != NULL && i < n; i++) {
		gl_declarations_free(ex->decls[i]);
	}
	free(ex->decls);
}

/* ---- describe, seal, publish ------------------------------------------------------------------------------------ */

static int seal(struct unit *u, struct gl_error *err)
{
	uint8_t *rodata = u->base + u->text_pages;

	if (gl_arena_protect(u->base, u->text_pages, GL_PROT_READ_EXEC, err) != 0) {
		return -1;
	}
	return gl_arena_protect(rodata, u->rodata_pages, GL_PROT_READ, err);
}

static int finish_unit(struct link *l, enum unit_id id, const char *name)
{
	struct unit *u = &l->units[id];

	if (u->norder == 0) {
		return 0;
	}
	if (link_relocate(l, id) != 0) {
		return -1;
	}
	pclntab_write(l, u);
	if (moduledata_write(l, u, name) != 0) {
		return -1;
	}
	return seal(u, l->err);
}

static int publish(struct gl_host *host, struct link *l, struct unit *u)
{
	void **itabs;

	if (u->norder == 0) {
		return 0;
	}
	itabs = calloc(u->nitabs + 1, sizeof(*itabs));
	if (itabs == NULL) {
		return gl_fail(l->err, GL_ENOMEM, "out of memory while publishing");
	}
	for (uint32_t i = 0; i < u->nitabs; i++) {
		itabs[i] = (void *)link_sym(l, u->order[u->sec_first[SEC_RODATA] + u->ntypelinks + i])->addr;
	}
	host->publish((void *)u->moduledata, itabs, u->nitabs);
	free(itabs);
	return 0;
}

/* ---- what stays known of a unit --------------------------------------------------------------------------------- */

static bool is_exported_name(const char *name, size_t len)
{
	const char *dot = memrchr(name, '.', len);

	return dot != NULL && dot[1] >= 'A' && dot[1] <= 'Z';
}

static int keep_symbols(struct link *l, struct unit *u, struct gl_module *mod)
{
	static const char kinds[NSECTIONS] = { '?', 't', 'r', 'd', 'd', 'b', 'b', 'b' };

	mod->symbols = gl_pool_take(&mod->pool, (u->norder + 1) * sizeof(*mod->symbols));
	if (mod->symbols == NULL) {
		return gl_fail(l->err, GL_ENOMEM, "out of memory while noting symbols");
	}
	for (uint32_t i = 0; i < u->norder; i++) {
		const struct lsym *s = link_sym(l, u->order[i]);
		if (s->name.n == 0) {
			continue;
		}
		char *name = gl_pool_string(&mod->pool, s->name.p, s->name.n);
		if (name == NULL) {
			return gl_fail(l->err, GL_ENOMEM, "out of memory while noting symbols");
		}
		char kind = kinds[s->section];
		if (is_exported_name(name, s->name.n)) {
			kind = (char)(kind - 'a' + 'A');
		}
		mod->symbols[mod->nsymbols++] =
			(struct gl_module_symbol){ .name = name,
						   .addr = s->addr,
						   .size = s->size,
						   .by_name = s->by_name && s->synthetic != SYNTH_TRAMPOLINE,
						   .abi = s->is_func ? s->want_abi : GL_ABIINTERNAL,
						   .kind = kind };
	}
	return 0;
}

static void keep_unit(struct unit *u, struct gl_module *mod)
{
	mod->base = u->base;
	mod->size = u->size;
	mod->text_pages = u->text_pages;
	mod->rodata_pages = u->rodata_pages;
	mod->itabs = u->sec_start[SEC_RODATA] + u->itabs_start;
	mod->eitabs = u->sec_start[SEC_RODATA] + u->itabs_end;
	mod->strings = u->strings;
	mod->estrings = u->sec_start[SEC_RODATA] + u->sec_size[SEC_RODATA];
	mod->text = u->sec_start[SEC_TEXT];
	mod->etext = u->text_end;
	mod->moduledata = u->moduledata;
	mod->stats.text = u->sec_size[SEC_TEXT];
	mod->stats.rodata = u->sec_size[SEC_RODATA] + u->tables_size;
	mod->stats.data = u->sec_size[SEC_NOPTRDATA] + u->sec_size[SEC_DATA];
	mod->stats.bss = u->sec_size[SEC_BSS] + u->sec_size[SEC_NOPTRBSS] + u->sec_size[SEC_COVER];
	mod->stats.bytes = u->size;
}

/* The resident unit becomes a module of its own that nobody can unload, the used unit one that goes with the module it
 * extends; the symbols of both can be resolved to. Prepared before anything is published, so that it can fail. */
static int prepare_unit(struct link *l, enum unit_id id, struct gl_host *host, struct gl_module **made)
{
	struct unit *u = &l->units[id];
	struct gl_module *mod = u->norder == 0 ? NULL : calloc(1, sizeof(*mod));

	*made = mod;
	if (u->norder == 0) {
		return 0;
	}
	if (mod == NULL || keep_symbols(l, u, mod) != 0) {
		return gl_fail(l->err, GL_ENOMEM, "out of memory while noting symbols");
	}
	mod->host = host;
	mod->loaded = true;
	keep_unit(u, mod);
	return 0;
}

/* Makes a unit's symbols known by name; those there already win. Without memory some aren't known, and a later module
 * brings them again. */
static void know_symbols(struct gl_module *mod, struct known_sym **names)
{
	for (size_t i = 0; i < mod->nsymbols; i++) {
		const struct gl_module_symbol *sym = &mod->symbols[i];
		size_t len = strlen(sym->name);
		struct known_sym *known = NULL;
		if (!sym->by_name) {
			continue;
		}
		HASH_FIND(hh, names[sym->abi], sym->name, len, known);
		if (known != NULL || (known = gl_pool_take(&mod->pool, sizeof(*known))) == NULL) {
			continue;
		}
		*known = (struct known_sym){ .name = (char *)sym->name,
					     .want_abi = sym->abi,
					     .is_func = (sym->kind | 32) == 't',
					     .size = (uint32_t)sym->size,
					     .addr = sym->addr };
		HASH_ADD_KEYPTR(hh, names[sym->abi], known->name, len, known);
	}
}

static void commit_resident(struct gl_host *host, const struct link *l, struct gl_module *mod)
{
	for (const struct lpkg *p = link_archives(l); p != NULL; p = p->hh.next) {
		if (p->gave) {
			linker_note_resident(&host->linker, p);
		}
	}
	know_symbols(mod, host->linker.resident);
	for (size_t i = 0; i < mod->nsymbols; i++) {
		host_tell_type_map(host, mod->symbols[i].name, mod->symbols[i].addr);
	}
	mod->next = host->resident;
	host->resident = mod;
}

/* ---- modules that use each other -------------------------------------------------------------------------------- */

static bool is_using(const struct gl_module *mod, const struct gl_module *other)
{
	for (size_t i = 0; i < mod->nuses; i++) {
		if (mod->uses[i] == other) {
			return true;
		}
	}
	return false;
}

static int add_use(struct gl_module *mod, struct gl_module *other, struct gl_error *err)
{
	if (mod == other || is_using(mod, other)) {
		return 0;
	}
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): uses is an array of pointers */
	struct gl_module **grown = realloc(mod->uses, (mod->nuses + 1) * sizeof(*grown));
	if (grown == NULL) {
		return gl_fail(err, GL_ENOMEM, "out of memory while noting that %s uses %s", mod->name, other->name);
	}
	mod->uses = grown;
	mod->uses[mod->nuses++] = other;
	other->nusers++;
	return 0;
}

static void drop_uses(struct gl_module *mod)
{
	for (size_t i = 0; i < mod->nuses; i++) {
		mod->uses[i]->nusers--;
	}
	free(mod->uses);
	mod->uses = NULL;
	mod->nuses = 0;
}

/* All that a module uses, directly or by way of others, in link_uses: their packages are in reach of its objects. */
static int open_uses(struct link *l, struct gl_module *mod, const struct gl_load_options *opts,
		     struct link_use **link_uses)
{
	for (size_t i = 0; i < opts->nuses; i++) {
		struct gl_module *used = opts->uses[i];
		if (!used->loaded) {
			return gl_fail(l->err, GL_ECLOSED, "module %s, which is to be used, was unloaded", used->name);
		}
		if (used->host != mod->host) {
			return gl_fail(l->err, GL_EHOST, "module %s, which is to be used, is another host's",
				       used->name);
		}
		if (add_use(mod, used, l->err) != 0) {
			return -1;
		}
	}
	for (size_t i = 0; i < mod->nuses; i++) {
		for (size_t k = 0; k < mod->uses[i]->nuses; k++) {
			if (add_use(mod, mod->uses[i]->uses[k], l->err) != 0) {
				return -1;
			}
		}
	}
	*link_uses = calloc(mod->nuses + 1, sizeof(**link_uses));
	if (*link_uses == NULL) {
		return gl_fail(l->err, GL_ENOMEM, "out of memory while noting what is used");
	}
	for (size_t i = 0; i < mod->nuses; i++) {
		struct gl_module *used = mod->uses[i];
		if (!used->names_known) {
			know_symbols(used, used->names);
			used->names_known = true;
		}
		(*link_uses)[i] = (struct link_use){ .name = used->name,
						     .names = used->names,
						     .clib = used->clib,
						     .packages = used->packages,
						     .npackages = used->npackages };
	}
	l->uses = *link_uses;
	l->nuses = (uint32_t)mod->nuses;
	return 0;
}

/* What this load adds to the modules it uses belongs to the youngest of them: the only one that may mention them all.
 */
static struct gl_module *youngest_use(const struct gl_module *mod)
{
	struct gl_module *youngest = mod->nuses > 0 ? mod->uses[0] : NULL;

	for (size_t i = 1; i < mod->nuses; i++) {
		youngest = mod->uses[i]->age > youngest->age ? mod->uses[i] : youngest;
	}
	return youngest;
}

/* From now on it can't be without the others. */
static int pin_uses(struct gl_module *youngest, const struct gl_module *mod, struct gl_error *err)
{
	for (size_t i = 0; i < mod->nuses; i++) {
		if (add_use(youngest, mod->uses[i], err) != 0) {
			return -1;
		}
	}
	return 0;
}

static void commit_extension(struct gl_module *extended, struct gl_module *extension)
{
	know_symbols(extension, extended->names);
	extension->next = extended->extensions;
	extended->extensions = extension;
}

/* ---- exports ---------------------------------------------------------------------------------------------------- */

static uintptr_t type_address(struct link *l, const char *type)
{
	size_t n = strlen(type) + 5;
	char small[512], *name = n < sizeof(small) ? small : malloc(n + 1);
	uintptr_t addr = 0;

	if (name != NULL) {
		snprintf(name, n + 1, "type:%s", type);
		/* rooted before: this finds it again */
		uint32_t s = link_root(l, UNIT_MODULE, name, n, GL_ABIINTERNAL);
		if (s != NO_SYM && (link_sym(l, s)->state == SYM_FIXED || link_sym(l, s)->marked)) {
			addr = link_sym(l, s)->addr;
		}
	}
	if (name != small) {
		free(name);
	}
	return addr;
}

static int add_export(struct link *l, struct gl_module *mod, const struct lpkg *p, const struct gl_declaration *decl)
{
	char full[1024];
	int n = snprintf(full, sizeof(full), "%s.%s", p->path, decl->name);
	struct lsym *s = NULL;
	const struct gl_signature *sig = &decl->signature;

	if (n > 0 && (size_t)n < sizeof(full)) {
		HASH_FIND(hh, l->by_name[UNIT_MODULE][GL_ABIINTERNAL], full, (size_t)n, s);
	}
	if (s == NULL || !s->marked) {
		return 0; /* declared, but its code is in another package */
	}
	struct gl_export *e = &mod->exports[mod->nexports];
	uint32_t nparams = sig->nparams + sig->nresults;
	struct gl_param *params = gl_pool_take(&mod->pool, (nparams + 1) * sizeof(*params));
	*e = (struct gl_export){ .name = gl_pool_string(&mod->pool, decl->name, strlen(decl->name)),
				 .package = gl_pool_string(&mod->pool, p->path, strlen(p->path)),
				 .kind = decl->is_func ? GL_EXPORT_FUNC : GL_EXPORT_VAR,
				 .addr = s->addr,
				 .params = params,
				 .nparams = sig->nparams,
				 .nresults = sig->nresults,
				 .variadic = sig->variadic,
				 .typed = sig->typed };
	if (e->name == NULL || e->package == NULL || params == NULL) {
		return -1;
	}
	for (uint32_t k = 0; k < nparams; k++) {
		const struct gl_sigparam *from = &sig->params[k];
		params[k] = (struct gl_param){ .name = gl_pool_string(&mod->pool, from->name, strlen(from->name)),
					       .type_name = gl_pool_string(&mod->pool, from->type, strlen(from->type)),
					       .type = type_address(l, from->type),
					       .is_result = from->is_result,
					       .is_lent = from->is_lent };
		if (params[k].name == NULL || params[k].type_name == NULL) {
			return -1;
		}
	}
	if (decl->is_func) {
		char *text = gl_signature_string(sig);
		e->signature = text == NULL ? NULL : gl_pool_string(&mod->pool, text, strlen(text));
		free(text);
	} else {
		e->signature = sig->typed && nparams > 0 ? params[0].type_name : "?";
	}
	if (e->signature == NULL) {
		return -1;
	}
	mod->nexports++;
	return 0;
}

static int add_exports(struct link *l, struct gl_module *mod, const struct exports *ex)
{
	size_t n = 0;

	for (uint32_t i = 0; ex->decls != NULL && i < l->npackages; i++) {
		n += ex->decls[i] != NULL ? ex->decls[i]->n : 0;
	}
	mod->exports = gl_pool_take(&mod->pool, (n + 1) * sizeof(*mod->exports));
	bool ok = mod->exports != NULL;
	for (uint32_t i = l->npackages; ex->decls != NULL && ok && i-- > 0;) {
		for (uint32_t d = 0; ok && ex->decls[i] != NULL && d < ex->decls[i]->n; d++) {
			ok = add_export(l, mod, &l->packages[i], &ex->decls[i]->list[d]) == 0;
		}
	}
	return ok ? 0 : gl_fail(l->err, GL_ENOMEM, "out of memory while noting exports");
}

/* ---- initialise ------------------------------------------------------------------------------------------------- */

/* What others share comes first: it never needs what is the module's own. */
static int keep_inits(struct link *l, struct gl_module *mod)
{
	mod->init_funcs = gl_pool_take(&mod->pool, (l->nextra_inits + 1) * sizeof(void *));
	mod->init_tasks = gl_pool_take(&mod->pool, (l->ninits + 1) * sizeof(void *));
	if (mod->init_funcs == NULL || mod->init_tasks == NULL) {
		return gl_fail(l->err, GL_ENOMEM, "out of memory while noting init functions");
	}
	for (int own = 0; own <= 1; own++) {
		for (uint32_t i = 0; i < l->nextra_inits; i++) {
			const struct lsym *s = link_sym(l, l->extra_inits[i]);
			if ((s->unit == UNIT_MODULE) == own) {
				mod->init_funcs[mod->ninit_funcs++] = (void *)s->addr;
			}
		}
		for (uint32_t i = 0; i < l->ninits; i++) {
			const struct lsym *s = link_sym(l, l->inits[i]);
			if ((s->unit == UNIT_MODULE) == own) {
				mod->init_tasks[mod->ninit_tasks++] = (void *)s->addr;
			}
		}
		if (!own) {
			mod->nshared_funcs = mod->ninit_funcs;
			mod->nshared_tasks = mod->ninit_tasks;
		}
	}
	return 0;
}

static int run_inits(struct gl_module *mod, struct gl_error *err)
{
	const struct gl_host *host = mod->host;
	size_t funcs = mod->nshared_funcs, tasks = mod->nshared_tasks;
	char *what = NULL;

	/* Another load must not find a package that is shared and not initialised yet. The module's own is nobody
	 * else's, and may run Lua, which may load modules. */
	if (funcs + tasks > 0) {
		what = host->run_inits(mod->init_funcs, funcs, mod->init_tasks, tasks);
	}
	if (what == NULL) {
		gl_unlock();
		what = host->run_inits(mod->init_funcs + funcs, mod->ninit_funcs - funcs, mod->init_tasks + tasks,
				       mod->ninit_tasks - tasks);
		gl_lock();
	}
	mod->ninit_funcs = mod->ninit_tasks = 0;
	if (what != NULL) {
		gl_fail(err, GL_EPANIC, "%s: %s", mod->name, what);
		free(what);
		return -1;
	}
	return 0;
}

/* ---- load ------------------------------------------------------------------------------------------------------- */

static void free_strings(char ***list, size_t *n)
{
	for (size_t i = 0; i < *n; i++) {
		free((*list)[i]);
	}
	free(*list);
	*list = NULL;
	*n = 0;
}

/* What an earlier load or shipping has left is gone. */
void module_begin(struct gl_host *host)
{
	free_strings(&host->missing, &host->nmissing);
	free_strings(&host->unlinked, &host->nunlinked);
	for (struct lpkg *p = host->linker.archives; p != NULL; p = p->hh.next) {
		p->init_scheduled = p->gave = false; /* what a failed load planned, the next one plans anew */
	}
}

/* What the caller may help with. */
void module_hand_over_wants(struct gl_host *host, struct link *l)
{
	host->missing = l->missing_packages;
	host->nmissing = l->nmissing_packages;
	l->missing_packages = NULL;
	l->nmissing_packages = 0;

	host->unlinked = calloc(l->nunlinked + 1, sizeof(char *));
	for (uint32_t i = 0; host->unlinked != NULL && i < l->nunlinked; i++) {
		host->unlinked[i] = strdup(l->unlinked[i]->file);
		if (host->unlinked[i] == NULL) {
			break;
		}
		host->nunlinked++;
		host->unlinked_archives = !l->unlinked[i]->is_module;
	}
}

/* A module that never came to be, or its shell. */
static void module_free(struct gl_module *mod)
{
	if (mod != NULL) {
		drop_uses(mod);
		HASH_CLEAR(hh, mod->names[0]);
		HASH_CLEAR(hh, mod->names[1]);
		free(mod->caches.list);
		gl_pool_free(&mod->pool);
		free(mod->name);
		free(mod);
	}
}

static int find_roots(struct link *l, struct gl_module *mod, struct exports *ex)
{
	if (ex->run) {
		module_root_main(l);
		return 0;
	}
	return module_root_exports(l, &mod->pool, ex);
}

/* A program starts at a frame of the name that programs expect below main.main. */
static int add_main(struct link *l, uint32_t *start)
{
	struct lsym *s = NULL;

	HASH_FIND(hh, l->by_name[UNIT_MODULE][GL_ABIINTERNAL], "main.main", 9, s);
	if (s == NULL || !s->marked) {
		return gl_fail(l->err, GL_EMISSING, "%s has no func main in package main: there is nothing to run",
			       l->packages[l->npackages - 1].file);
	}
	*start = link_add_main(l, s->self);
	return *start == NO_SYM ? -1 : 0;
}

static int retire(struct gl_module *mod, struct gl_unload *how, struct gl_error *err);

struct gl_module *gl_module_load(struct gl_host *host, const char *const *files, const char *const *import_paths,
				 size_t nfiles, const struct gl_load_options *opts, struct gl_error *err)
{
	struct link l = { .linker = &host->linker, .err = err };
	struct exports ex = { .run = !opts->run_init };
	struct gl_module *mod = calloc(1, sizeof(*mod)), *resident = NULL, *extension = NULL, *extended;
	struct link_use *uses = NULL;
	bool published = false;
	uint32_t start_sym = NO_SYM;
	double start = now_ms(), then;

	module_begin(host);
	if (mod == NULL) {
		gl_fail(err, GL_ENOMEM, "out of memory");
		return NULL;
	}
	mod->host = host;
	mod->age = ++host->loads;
	if (gl_host_check(host, err) != 0) {
		goto fail;
	}

	/* Open and read: each file is a package, checked; to whom each name belongs can be told. */
	if (open_uses(&l, mod, opts, &uses) != 0 || module_open_packages(&l, files, import_paths, nfiles, opts) != 0 ||
	    l.packages == NULL) {
		module_hand_over_wants(host, &l);
		goto fail;
	}
	const char *path = l.packages[l.npackages - 1].path;
	mod->name = strdup(path != NULL ? path : "");
	then = now_ms();
	mod->stats.read_ms = then - start;

	/* Resolve: every reference is bound; what is needed is marked and nothing else will be. */
	if (mod->name == NULL || find_roots(&l, mod, &ex) != 0 || link_resolve(&l) != 0) {
		module_hand_over_wants(host, &l);
		goto fail;
	}
	if (ex.run && add_main(&l, &start_sym) != 0) {
		goto fail;
	}

	/* Lay out and place: every symbol has its address. The resident unit first, the others refer to it. */
	if (link_layout(&l, UNIT_RESIDENT) != 0 || link_layout(&l, UNIT_USED) != 0 ||
	    link_layout(&l, UNIT_MODULE) != 0) {
		goto fail;
	}

	extended = youngest_use(mod);

	/* Open the module's C parts: their symbols have addresses too. */
	if (clib_bind(&l, opts->library, ex.run) != 0) {
		goto fail;
	}

	/* Relocate, describe, seal: the memory holds what the runtime will see, and is no longer writable where it must
	 * not be. Nobody knows of it yet. */
	if (finish_unit(&l, UNIT_RESIDENT, "goloader resident") != 0 ||
	    finish_unit(&l, UNIT_USED, extended != NULL ? extended->name : "") != 0 ||
	    finish_unit(&l, UNIT_MODULE, mod->name) != 0) {
		goto fail;
	}
	keep_unit(&l.units[UNIT_MODULE], mod);
	if (keep_symbols(&l, &l.units[UNIT_MODULE], mod) != 0 || keep_packages(&l, mod) != 0 ||
	    keep_inits(&l, mod) != 0 || add_exports(&l, mod, &ex) != 0) {
		goto fail;
	}
	mod->main = ex.run ? (void *)link_sym(&l, start_sym)->addr : NULL;
	if (prepare_unit(&l, UNIT_RESIDENT, host, &resident) != 0 ||
	    prepare_unit(&l, UNIT_USED, host, &extension) != 0 ||
	    (extension != NULL && pin_uses(extended, mod, err) != 0)) {
		goto fail;
	}
	mod->stats.resident_bytes = l.units[UNIT_RESIDENT].size;
	mod->stats.link_ms = now_ms() - then;
	then = now_ms();

	clib_connect(&l);

	/* Publish: from here on the runtime knows the code, and what isn't the module's own stays whatever happens. */
	if (publish(host, &l, &l.units[UNIT_RESIDENT]) != 0) {
		goto fail;
	}
	if (resident != NULL) {
		commit_resident(host, &l, resident);
		ship_keep_libraries(&l);
		resident = NULL;
		l.units[UNIT_RESIDENT].base = NULL;
	}
	if (publish(host, &l, &l.units[UNIT_USED]) != 0) {
		goto fail;
	}
	if (extension != NULL) {
		commit_extension(extended, extension);
		extension = NULL;
		l.units[UNIT_USED].base = NULL;
	}
	if (publish(host, &l, &l.units[UNIT_MODULE]) != 0) {
		goto fail;
	}
	published = true;
	mod->loaded = true;
	mod->clib = l.clib;
	mod->has_c = l.clib != NULL || l.nwanted_clibs > 0;
	l.clib = NULL;
	mod->next = host->modules;
	host->modules = mod;
	mod->stats.publish_ms = now_ms() - then;
	then = now_ms();

	/* Initialise. */
	if (ship_set_strings(&l, mod) != 0 || (opts->run_init && run_inits(mod, err) != 0)) {
		goto fail;
	}
	mod->stats.init_ms = now_ms() - then;
	module_exports_free(&ex, l.npackages);
	link_free(&l);
	free(uses);
	return mod;

fail:
	module_exports_free(&ex, l.npackages);
	if (published) {
		/* an init function failed. What it started may still run: then its code stays, and nobody can call it.
		 */
		struct gl_error why;
		if (retire(mod, &(struct gl_unload){ .prove = GL_PROVE_ALL }, &why) == 0) {
			module_free(mod);
		}
	} else {
		for (int u = 0; u < NUNITS; u++) {
			unit_release(&host->linker, &l.units[u]);
		}
		module_free(mod);
		module_free(resident);
		module_free(extension);
	}
	link_free(&l);
	free(uses);
	return NULL;
}

/* ---- unload ----------------------------------------------------------------------------------------------------- */

/* What an unload must know of the caches that call sites keep of type assertions (Go 1.22 and later): the compiler's
 * variables "pkg..typeAssert.3" and "pkg..interfaceSwitch.0" (cmd/compile/internal/ssagen), with the offset of the
 * cache in each and the empty cache that it starts with. A kind that this Go lacks has no empty one. */
struct cache_kinds {
	size_t offset[2];
	uintptr_t empty[2];
};

static struct cache_kinds cache_kinds(const struct gl_host *host)
{
	static const char *const empty[] = { "runtime.emptyTypeAssertCache", "runtime.emptyInterfaceSwitchCache" };
	static const char *const structs[] = { "internal/abi.TypeAssert", "internal/abi.InterfaceSwitch" };
	struct cache_kinds kinds = { 0 };
	struct gl_image_sym sym;

	for (int i = 0; i < 2; i++) {
		int off = gl_abi_field(host->abi, structs[i], "Cache");
		if (off >= 0 && gl_image_lookup(host->linker.image, empty[i], strlen(empty[i]), &sym)) {
			kinds.empty[i] = sym.addr;
			kinds.offset[i] = (size_t)off;
		}
	}
	return kinds;
}

static bool note_cache(struct type_caches *caches, const struct cache_kinds *kinds, const char *name, uintptr_t addr)
{
	int kind = strstr(name, "..typeAssert.") != NULL ? 0 : strstr(name, "..interfaceSwitch.") != NULL ? 1 : -1;

	if (kind < 0 || kinds->empty[kind] == 0) {
		return true;
	}
	if (caches->n == caches->cap) {
		size_t cap = caches->cap == 0 ? 64 : caches->cap * 2;
		struct type_cache *p = realloc(caches->list, cap * sizeof(*p));
		if (p == NULL) {
			return false;
		}
		caches->list = p;
		caches->cap = cap;
	}
	caches->list[caches->n++] =
		(struct type_cache){ .at = addr + kinds->offset[kind], .empty = kinds->empty[kind] };
	return true;
}

struct cache_search {
	struct type_caches *caches;
	struct cache_kinds kinds;
	bool failed;
};

static bool note_host_cache(const struct gl_image_sym *sym, void *arg)
{
	struct cache_search *search = arg;

	search->failed |= !note_cache(search->caches, &search->kinds, sym->name, sym->addr);
	return !search->failed;
}

/* Finds each module's caches once; returns how many there are, or -1 when memory is short. */
static int64_t find_caches(struct gl_module *mod, const struct cache_kinds *kinds, const struct gl_module *but)
{
	int64_t total = 0;

	for (; mod != NULL; mod = mod->next) {
		for (size_t i = 0; !mod->caches.known && i < mod->nsymbols; i++) {
			if (!note_cache(&mod->caches, kinds, mod->symbols[i].name, mod->symbols[i].addr)) {
				mod->caches.n = 0;
				return -1;
			}
		}
		mod->caches.known = true;
		int64_t inner = mod == but ? 0 : find_caches(mod->extensions, kinds, NULL);
		if (inner < 0) {
			return -1;
		}
		total += inner + (mod == but ? 0 : (int64_t)mod->caches.n);
	}
	return total;
}

static struct type_cache *add_caches(struct type_cache *to, const struct gl_module *mod, const struct gl_module *but)
{
	for (; mod != NULL; mod = mod->next) {
		if (mod == but) {
			continue;
		}
		memcpy(to, mod->caches.list, mod->caches.n * sizeof(*to));
		to = add_caches(to + mod->caches.n, mod->extensions, NULL);
	}
	return to;
}

/* All caches, of the host, the resident units and the other modules. One that remembers a type of the module would
 * match whatever type gets its address next. The result is the caller's to free; NULL when memory is short. */
static struct type_cache *all_caches(struct gl_host *host, const struct gl_module *but, size_t *n)
{
	struct cache_search search = { .caches = &host->caches, .kinds = cache_kinds(host) };

	if (!host->caches.known) {
		gl_image_each(host->linker.image, note_host_cache, &search);
		if (search.failed) {
			host->caches.n = 0;
			return NULL;
		}
		host->caches.known = true;
	}
	int64_t modules = find_caches(host->modules, &search.kinds, but);
	int64_t resident = find_caches(host->resident, &search.kinds, but);
	if (modules < 0 || resident < 0) {
		return NULL;
	}
	*n = host->caches.n + (size_t)modules + (size_t)resident;
	struct type_cache *all = malloc((*n + 1) * sizeof(*all));
	if (all != NULL) {
		struct type_cache *next = all;
		memcpy(next, host->caches.list, host->caches.n * sizeof(*all));
		next = add_caches(next + host->caches.n, host->modules, but);
		add_caches(next, host->resident, but);
	}
	return all;
}

/* Gives back what has been buried for two collections. */
static void exhume(struct gl_host *host)
{
	uint64_t gc = host->graves != NULL ? host->gc_count() : 0;

	while (host->graves != NULL && host->graves->gc + 2 <= gc) {
		struct grave *g = host->graves;
		host->graves = g->next;
		host->buried -= g->size;
		gl_arena_give(host->linker.arena, g->base, g->size);
		free(g);
	}
}

/* Gives back a module's code at once, and its types a little later. An object on Go's heap may have a pointer to its
 * type in front of it (those of more than 512 bytes, runtime/mbitmap.go) and the collector reads the type of all it
 * marks. What nobody refers to any more isn't marked, but a stack scanned conservatively, or a collection that starts
 * from stale registers, may still hit on such an object before it is swept: two collections later it can't.
 *
 * Where somebody has kept a constant string (a name given to log.SetPrefix, say), or a type that may be kept, all that
 * is constant stays mapped. */
static void bury(struct gl_module *mod, bool constants_stay)
{
	enum { MOST = 8 << 20 };
	struct gl_host *host = mod->host;
	struct grave *g = malloc(sizeof(*g)), **link = &host->graves;

	gl_arena_give(host->linker.arena, mod->base, mod->text_pages);
	if (g == NULL) {
		return; /* the rest stays mapped: better that than a crash */
	}
	size_t skip = mod->text_pages + (constants_stay ? mod->rodata_pages : 0);
	*g = (struct grave){ .base = mod->base + skip, .size = mod->size - skip, .gc = host->gc_count() };
	while (*link != NULL) {
		link = &(*link)->next;
	}
	*link = g;
	host->buried += g->size;
	if (host->buried > MOST) {
		host->collect();
		host->collect();
	}
	exhume(host);
}

static void set_part(struct gl_part *part, const struct gl_module *mod)
{
	*part = (struct gl_part){ .moduledata = (void *)mod->moduledata,
				  .text = (void *)mod->text,
				  .etext = (void *)mod->etext,
				  .rodata = mod->base + mod->text_pages,
				  .itabs = (void *)mod->itabs,
				  .eitabs = (void *)mod->eitabs,
				  .strings = (void *)mod->strings,
				  .estrings = (void *)mod->estrings,
				  .erodata = mod->base + mod->text_pages + mod->rodata_pages,
				  .low = mod->base,
				  .high = mod->base + mod->size };
}

static size_t count_parts(const struct gl_module *mod)
{
	size_t n = 1;

	for (const struct gl_module *m = mod->extensions; m != NULL; m = m->next) {
		n++;
	}
	return n;
}

static size_t set_parts(struct gl_part *parts, const struct gl_module *mod)
{
	size_t n = 0;

	/* without anything in it, it was never published */
	if (mod->base != NULL) {
		set_part(&parts[n++], mod);
	}
	for (const struct gl_module *m = mod->extensions; m != NULL; m = m->next) {
		set_part(&parts[n++], m);
	}
	return n;
}

/* What the runtime is to forget: the module, those that go along, and their extensions. The result is the caller's to
 * free. */
static struct gl_part *all_parts(const struct gl_module *mod, const struct gl_unload *how, size_t *n)
{
	size_t total = count_parts(mod);

	for (size_t i = 0; i < how->nalong; i++) {
		total += count_parts(how->along[i]);
	}
	struct gl_part *parts = calloc(total, sizeof(*parts));
	*n = parts == NULL ? 0 : set_parts(parts, mod);
	for (size_t i = 0; parts != NULL && i < how->nalong; i++) {
		*n += set_parts(parts + *n, how->along[i]);
	}
	return parts;
}

/* What the Go runtime knows of threads and signals; the list of threads is the caller's to free. Without memory it is
 * empty, and each thread is taken for one of C's. */
static struct clib_go go_of(const struct gl_host *host)
{
	size_t n = host->threads(NULL, 0) + 16; /* there may be more by the time they are listed */
	struct gl_thread *threads = calloc(n, sizeof(*threads));
	size_t listed = threads != NULL ? host->threads(threads, n) : 0;

	return (struct clib_go){ .threads = threads,
				 .nthreads = listed < n ? listed : n,
				 .handled = host->runtime.handling_sig,
				 .forwarded = host->runtime.fwd_sig };
}

/* Closes the library of a module's C parts, unless somebody in C still uses it. */
static void release_library(struct gl_module *mod)
{
	if (mod->clib != NULL) {
		struct clib_go go = go_of(mod->host);
		clib_release(mod->clib, &mod->host->kept_libraries, &go);
		free((void *)go.threads);
		mod->clib = NULL;
	}
}

/* Fails when a thread is in the module's C parts, or a signal is handled by them. */
static int check_library(const struct gl_module *mod, const struct gl_module *blamed, struct gl_error *err)
{
	char who[512];

	if (mod->clib == NULL) {
		return 0;
	}
	struct clib_go go = go_of(mod->host);
	bool used = clib_is_used(mod->clib, &go, who, sizeof(who));
	free((void *)go.threads);
	return used ? gl_fail(err, GL_EBUSY, "module %s can't be unloaded: %s", blamed->name, who) : 0;
}

static void forget_module(struct gl_module *mod, bool constants_stay)
{
	for (struct gl_module **link = &mod->host->modules; *link != NULL; link = &(*link)->next) {
		if (*link == mod) {
			*link = mod->next;
			break;
		}
	}
	for (struct gl_module *m = mod->extensions, *next; m != NULL; m = next) {
		next = m->next;
		bury(m, constants_stay);
		module_free(m);
	}
	release_library(mod);
	if (mod->base != NULL) {
		bury(mod, constants_stay);
		mod->base = NULL;
	}
	mod->extensions = NULL;
	HASH_CLEAR(hh, mod->names[0]);
	HASH_CLEAR(hh, mod->names[1]);
	drop_uses(mod);
	mod->loaded = false;
	mod->nexports = mod->nsymbols = 0;
}

static void name_variable(const struct gl_module *mod, uintptr_t addr, char *out, size_t size)
{
	const char *name = NULL;

	if (gl_module_symbolize(mod, addr, &name) >= 0) {
		snprintf(out, size, "variable %s", name);
		return;
	}
	for (const struct gl_module *m = mod->host->modules; m != NULL; m = m->next) {
		if (m != mod && gl_module_symbolize(m, addr, &name) >= 0) {
			snprintf(out, size, "variable %s of module %s", name, m->name);
			return;
		}
	}
	snprintf(out, size, "a variable of the runtime");
}

/* Says who holds on to the module. */
static int refuse_unload(struct gl_module *mod, const struct gl_retired *r, struct gl_error *err)
{
	static const char *const whats[] = {
		[GL_HOLDER_FINALIZER] = "a finalizer or cleanup", [GL_HOLDER_OBJECT] = "an object on the heap"
	};
	const char *name = NULL, *what = r->holder == GL_HOLDER_NONE || r->reason != NULL ? NULL : whats[r->holder];
	char holder[1100], through[60] = "";

	if (r->holder == GL_HOLDER_NONE || r->holder == GL_HOLDER_HANDLE) {
		return gl_fail(err, GL_EBUSY, "module %s can't be unloaded: %s", mod->name,
			       r->reason != NULL ? r->reason : "a goroutine is in its code");
	}
	if (r->holder == GL_HOLDER_CODE) {
		return gl_fail(
			err, GL_EBUSY,
			"module %s can't be unloaded: machine code that it made is in the runtime's list of modules",
			mod->name);
	}
	if (r->holder == GL_HOLDER_VARIABLE) {
		name_variable(mod, r->holder_at, holder, sizeof(holder));
		what = holder;
	}
	if (r->holder_through > 0) {
		snprintf(through, sizeof(through), ", by way of %zu object%s", r->holder_through,
			 r->holder_through == 1 ? "" : "s");
	}
	if (gl_module_symbolize(mod, r->holder_word, &name) < 0) {
		name = "one of its types";
	}
	/* a goroutine's text ends in its traceback */
	const char *text = r->reason != NULL ? r->reason : what, *line = strchr(text, '\n');
	return gl_fail(err, GL_EBUSY, "module %s can't be unloaded: %.*s refers to %s%s%s", mod->name,
		       line != NULL ? (int)(line - text) : (int)strlen(text), text, name, through,
		       line != NULL ? line : "");
}

/* Makes the runtime forget the module and gives its memory back; nothing has happened when it fails. */
static int retire(struct gl_module *mod, struct gl_unload *how, struct gl_error *err)
{
	struct gl_host *host = mod->host;
	struct gl_retired r = { .prove = how->prove, .drop_handles = how->drop_handles };
	struct gl_part *parts = all_parts(mod, how, &r.nparts);
	struct type_cache *caches = all_caches(host, mod, &r.ncaches);
	int busy = 0;

	if (parts != NULL && caches != NULL) {
		r.parts = parts;
		r.caches = caches;
		busy = r.nparts == 0 ? 0 : host->retire(&r);
	}
	free(caches);
	free(parts);
	if (parts == NULL || caches == NULL) {
		return gl_fail(err, GL_ENOMEM, "%s: out of memory while unloading", mod->name);
	}
	if (busy < 0) {
		return gl_fail(err, GL_EHOST, "module %s can't be unloaded: this Go's worldStop has an unknown size",
			       mod->name);
	}
	how->held_by_handle = busy > 0 && r.holder == GL_HOLDER_HANDLE;
	if (busy > 0) {
		refuse_unload(mod, &r, err);
		free(r.reason);
		return -1;
	}
	for (size_t i = 0; i < how->nalong; i++) {
		forget_module(how->along[i], r.constants_stay != 0);
	}
	forget_module(mod, r.constants_stay != 0);
	return 0;
}

static bool goes_along(const struct gl_unload *how, const struct gl_module *mod)
{
	for (size_t i = 0; i < how->nalong; i++) {
		if (how->along[i] == mod) {
			return true;
		}
	}
	return false;
}

int gl_module_unload(struct gl_module *mod, struct gl_unload *how, struct gl_error *err)
{
	if (!mod->loaded) {
		return gl_fail(err, GL_ECLOSED, "module %s was unloaded", mod->name);
	}
	if (gl_host_check(mod->host, err) != 0) {
		return -1;
	}
	for (const struct gl_module *m = mod->host->modules; mod->nusers > 0 && m != NULL; m = m->next) {
		if (is_using(m, mod) && !goes_along(how, m)) {
			return gl_fail(err, GL_EBUSY, "module %s can't be unloaded: module %s uses it", mod->name,
				       m->name);
		}
	}
	for (size_t i = 0; how->prove != GL_PROVE_NOTHING && i < how->nalong; i++) {
		if (check_library(how->along[i], mod, err) != 0) {
			return -1;
		}
	}
	if (how->prove != GL_PROVE_NOTHING && check_library(mod, mod, err) != 0) {
		return -1;
	}
	return retire(mod, how, err);
}

void gl_module_free(struct gl_module *mod)
{
	if (mod != NULL && !mod->loaded) {
		module_free(mod);
	}
}

bool gl_module_is_loaded(const struct gl_module *mod) { return mod->loaded; }
struct gl_host *gl_module_host(const struct gl_module *mod) { return mod->host; }

static bool is_type_of(const char *symbol, const char *path, const char *name)
{
	size_t n = strlen(path);

	return strncmp(symbol, "type:", 5) == 0 && strncmp(symbol + 5, path, n) == 0 && symbol[5 + n] == '.' &&
	       strcmp(symbol + 5 + n + 1, name) == 0;
}

/* Other packages in the module may have types of that name, and what compares values of it is called "type:.eq.…". */
uintptr_t gl_module_type(const struct gl_module *mod, const char *name)
{
	for (uint32_t p = 0; p < mod->npackages; p++) {
		for (size_t i = 0; mod->packages[p].is_root && i < mod->nsymbols; i++) {
			if (is_type_of(mod->symbols[i].name, mod->packages[p].path, name)) {
				return mod->symbols[i].addr;
			}
		}
	}
	return 0;
}

static const struct gl_module_symbol *find_symbol(const struct gl_module *mod, const char *name)
{
	for (size_t i = 0; i < mod->nsymbols; i++) {
		if (strcmp(mod->symbols[i].name, name) == 0) {
			return &mod->symbols[i];
		}
	}
	return NULL;
}

int gl_module_set_string(struct gl_module *mod, const char *name, const char *value, size_t len, struct gl_error *err)
{
	struct {
		const char *p;
		int64_t n;
	} string = { .n = (int64_t)len };
	const struct gl_module_symbol *own = find_symbol(mod, name);
	struct gl_image_sym sym = { 0 };

	for (const struct gl_module *m = mod->host->resident; own == NULL && m != NULL; m = m->next) {
		own = find_symbol(m, name);
	}
	if (own != NULL) {
		sym = (struct gl_image_sym){ .addr = own->addr,
					     .size = own->size,
					     .is_func = strchr("tTrR", own->kind) != NULL };
	} else if (!gl_image_lookup(mod->host->linker.image, name, strlen(name), &sym)) {
		return gl_fail(err, GL_EMISSING, "%s: no such variable in module %s or the host", name, mod->name);
	}
	if (sym.is_func || sym.size != sizeof(string)) {
		return gl_fail(err, GL_ETYPE, "%s is no variable of type string", name);
	}
	/* The program may keep the text for ever. It is no memory of Go's, and needs no write barrier. */
	char *copy = malloc(len + 1);
	if (copy == NULL) {
		return gl_fail(err, GL_ENOMEM, "%s: out of memory", name);
	}
	memcpy(copy, value, len);
	string.p = copy;
	memcpy((void *)sym.addr, &string, sizeof(string));
	return 0;
}

/* Signals that tell of a mistake of the thread that gets them, which nobody else can take. */
static void program_signals(sigset_t *set)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };

	sigfillset(set);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		sigdelset(set, own[i]);
	}
}

/* Lets the runtime find that all goroutines of a program are asleep (runtime.checkdead). It counts the threads that
 * could still do something, and among them are those that it keeps for calls from C (runtime.newextram), and this one,
 * since it has called once. Where there is no C and no other thread has called, nobody ever will, and they are no more
 * than sysmon is. A program with C has them natively, too, and never finds out. This thread has left Go, and the
 * program has not begun, but its thread is there: nobody is missed meanwhile. */
static int32_t uncounted_threads(const struct gl_module *mod)
{
	const struct gl_host *host = mod->host;

	if (mod->has_c || host->is_program || host->extra_threads == NULL || host->foreign_threads == NULL ||
	    host->system_threads == NULL || host->runtime.g_startpc < 0 || atomic_load(host->foreign_threads) != 1) {
		return 0;
	}
	return (int32_t)atomic_load(host->extra_threads) + 1;
}

int gl_module_run_main(struct gl_module *mod, const char *const *args, size_t nargs, struct gl_error *err)
{
	if (!mod->loaded) {
		return gl_fail(err, GL_ECLOSED, "module %s was unloaded", mod->name);
	}
	if (mod->main == NULL) {
		return gl_fail(err, GL_EMISSING, "module %s was not loaded to be run: it has no main", mod->name);
	}
	if (gl_host_check(mod->host, err) != 0) {
		return -1;
	}
	int begin = eventfd(0, EFD_CLOEXEC), done = eventfd(0, EFD_CLOEXEC);
	if (begin < 0 || done < 0) {
		return gl_fail(err, GL_EIO, "module %s can't be run: eventfd: %s", mod->name, strerror(errno));
	}
	/* The program's signals go to its own threads: this one, which waits outside of Go, would have to die of them.
	 */
	sigset_t signals, before;
	program_signals(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, &before);
	mod->host->run_main(mod->init_funcs, mod->ninit_funcs, mod->init_tasks, mod->ninit_tasks, mod->main, args,
			    nargs, begin, done);
	mod->ninit_funcs = mod->ninit_tasks = 0;
	/* This thread has left Go, and the program's waits in a system call before it begins, and when it has ended:
	 * nobody is missed meanwhile. */
	int32_t uncounted = uncounted_threads(mod);
	eventfd_t count;
	if (uncounted > 0) {
		atomic_fetch_add(mod->host->system_threads, uncounted);
	}
	eventfd_write(begin, 1);
	while (eventfd_read(done, &count) < 0 && errno == EINTR) {
	}
	if (uncounted > 0) {
		atomic_fetch_sub(mod->host->system_threads, uncounted);
	}
	eventfd_write(begin, 1); /* Go closes it */
	close(done);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return 0;
}

/* ---- what a module holds ---------------------------------------------------------------------------------------- */

size_t gl_module_exports(const struct gl_module *mod, const struct gl_export **exports)
{
	*exports = mod->exports;
	return mod->nexports;
}

size_t gl_module_symbols(const struct gl_module *mod, const struct gl_module_symbol **symbols)
{
	*symbols = mod->symbols;
	return mod->nsymbols;
}

void gl_module_stats(const struct gl_module *mod, struct gl_module_stats *stats) { *stats = mod->stats; }

static const struct gl_module_symbol *find_own_symbol(const struct gl_module *mod, uintptr_t addr)
{
	size_t low = 0, high = mod->nsymbols;

	if (mod->base == NULL || addr < (uintptr_t)mod->base || addr >= (uintptr_t)mod->base + mod->size) {
		return NULL;
	}
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (mod->symbols[mid].addr <= addr) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	if (low == 0) {
		return NULL;
	}
	const struct gl_module_symbol *s = &mod->symbols[low - 1];
	return addr - s->addr < (s->size > 0 ? s->size : 1) ? s : NULL;
}

static const struct gl_module_symbol *find_symbol_whole(const struct gl_module *mod, uintptr_t addr)
{
	const struct gl_module_symbol *s = find_own_symbol(mod, addr);

	for (const struct gl_module *m = mod->extensions; s == NULL && m != NULL; m = m->next) {
		s = find_own_symbol(m, addr);
	}
	return s;
}

bool gl_module_find_symbol(const struct gl_module *mod, uintptr_t addr, struct gl_module_symbol *sym)
{
	struct gl_image_sym found;
	const struct gl_module_symbol *s = find_symbol_whole(mod, addr);

	for (size_t i = 0; s == NULL && i < mod->nuses; i++) {
		s = find_symbol_whole(mod->uses[i], addr);
	}
	for (const struct gl_module *m = mod->host->resident; s == NULL && m != NULL; m = m->next) {
		s = find_own_symbol(m, addr);
	}
	if (s != NULL) {
		*sym = *s;
		return true;
	}
	if (!gl_image_symbolize(mod->host->linker.image, addr, &found)) {
		return false;
	}
	*sym = (struct gl_module_symbol){
		.name = found.name, .addr = found.addr, .size = found.size, .kind = found.is_func ? 'T' : '?'
	};
	return true;
}

int64_t gl_module_symbolize(const struct gl_module *mod, uintptr_t addr, const char **name)
{
	struct gl_module_symbol sym;

	if (!gl_module_find_symbol(mod, addr, &sym)) {
		return -1;
	}
	*name = sym.name;
	return (int64_t)(addr - sym.addr);
}
