/* Shipping a module: everything up to resolve is done as for a load, and instead of being laid out in memory, what was
 * found to be needed is written to a file (object/gom.h). Loading that file starts from the same objects, less what
 * nobody needs, and runs the whole of the load: so it can meet a process that has other modules in it.
 *
 *     ship:    read the key > open > read > resolve > prune > write
 *     load:    check hash and Go (link/shipped.c) > read > resolve > … (load.c) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* ---- writing ---------------------------------------------------------------------------------------------------- */

struct shipment {
	struct link *l;
	struct kept *kept;
	struct gl_pool pool; /* the manifest's strings */
	struct gl_bytes payload;
	struct gl_gom gom;
	char host_id[GL_IMAGE_ID_SIZE];
	struct gl_gom_package *packages;
	struct gl_gom_import *imports;
	struct gl_gom_export *exports;
	struct gl_gom_library *libraries;
	const struct gl_secret_key *key; /* that it is signed with; NULL: it is not */
};

static int out_of_memory(struct shipment *s) { return gl_out_of_memory(s->l->err, "shipping"); }

static struct gl_str name_of(void *arg, const struct gl_object *obj, struct gl_symref ref)
{
	struct shipment *s = arg;
	const struct lobj at = { .obj = (struct gl_object *)obj };

	return link_ref_name(s->l, &at, ref);
}

/* The module may have been compiled against another build of the standard library, with other flags (link/builds.c),
 * and bound to the host's: where there is no Go, nobody can tell any more that a package is of the standard library. So
 * the file says what its imports were bound to. */
static const uint8_t *fingerprint_of(void *arg, const struct gl_object *obj, uint32_t i)
{
	struct shipment *s = arg;

	return link_bound_fingerprint(s->l, obj, i);
}

/* What is kept of an object; nothing of one that resolve never came to. */
static const uint8_t *kept_symbols(const struct shipment *s, const struct lobj *obj)
{
	struct kept *k = NULL;

	HASH_FIND_PTR(s->kept, &obj, k);
	return k != NULL ? k->symbols : NULL;
}

static int add_package(struct shipment *s, const struct lpkg *p, enum gl_gom_role role)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): symbols is an array of pointers */
	const uint8_t **symbols = gl_pool_take(&s->pool, (p->nobjs + 1) * sizeof(*symbols));
	struct gl_keep keep = { .abi = s->l->linker->abi,
				.symbols = symbols,
				.exports = role == GL_GOM_ROOT,
				.all_files = s->l->keeps_variables,
				.name = name_of,
				.fingerprint = fingerprint_of,
				.arg = s };
	size_t start = s->payload.n;

	if (symbols == NULL) {
		return out_of_memory(s);
	}
	for (uint32_t o = 0; o < p->nobjs; o++) {
		symbols[o] = kept_symbols(s, &p->objs[o]);
		if (symbols[o] == NULL) {
			symbols[o] = gl_pool_take(&s->pool, (size_t)gl_object_ntotal(p->objs[o].obj) + 1);
		}
		if (symbols[o] == NULL) {
			return out_of_memory(s);
		}
	}
	if (gl_package_write(p->pkg, &keep, &s->payload, s->l->err) != 0) {
		return -1;
	}
	struct gl_gom_package *entry = &s->packages[s->gom.npackages++];
	entry->role = role;
	entry->path = p->path;
	entry->version = p->version;
	entry->size = s->payload.n - start;
	link_hex(entry->fingerprint, lpkg_fingerprint(p));
	return 0;
}

static int compare_packages(const void *a, const void *b)
{
	return strcmp((*(const struct lpkg *const *)a)->path, (*(const struct lpkg *const *)b)->path);
}

/* The module's own packages, then the archives that gave something, by path: the same objects make the same file. */
static int add_packages(struct shipment *s)
{
	struct link *l = s->l;
	size_t n = 0, narchives = HASH_COUNT(link_archives(l));
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): shared is an array of pointers */
	const struct lpkg **shared = gl_pool_take(&s->pool, (narchives + 1) * sizeof(*shared));

	s->packages = gl_pool_take(&s->pool, (l->npackages + narchives + 1) * sizeof(*s->packages));
	if (shared == NULL || s->packages == NULL) {
		return out_of_memory(s);
	}
	for (uint32_t i = 0; i < l->npackages; i++) {
		const struct lpkg *p = &l->packages[i];
		if (add_package(s, p, p->is_root ? GL_GOM_ROOT : GL_GOM_OWN) != 0) {
			return -1;
		}
	}
	for (const struct lpkg *p = link_archives(l); p != NULL; p = p->hh.next) {
		bool gave = false;
		for (uint32_t o = 0; o < p->nobjs; o++) {
			gave = gave || kept_symbols(s, &p->objs[o]) != NULL;
		}
		if (gave) {
			shared[n++] = p;
		}
	}
	if (n > 0) {
		/* NOLINTNEXTLINE(bugprone-sizeof-expression): shared is an array of pointers */
		qsort(shared, n, sizeof(*shared), compare_packages);
	}
	for (size_t i = 0; i < n; i++) {
		if (add_package(s, shared[i], GL_GOM_SHARED) != 0) {
			return -1;
		}
	}
	s->gom.packages = s->packages;
	return 0;
}

static int compare_imports(const void *a, const void *b)
{
	return strcmp(((const struct gl_gom_import *)a)->path, ((const struct gl_gom_import *)b)->path);
}

static bool is_shipped(const struct shipment *s, const char *path)
{
	for (size_t i = 0; i < s->gom.npackages; i++) {
		char plain[1024];
		struct gl_str escaped = { s->packages[i].path, (uint32_t)strlen(s->packages[i].path) };
		if (escaped.n < sizeof(plain)) {
			link_plain_path(escaped, plain);
			if (strcmp(plain, path) == 0) {
				return true;
			}
		}
	}
	return false;
}

/* What an object imports and the file hasn't. */
static int add_import(struct shipment *s, const struct gl_object *obj, uint32_t i)
{
	struct gl_str lib = gl_object_autolib(obj, i);
	struct gl_gom_import import = { .in_host = link_host_has(s->l, lib) != NULL };

	import.path = gl_pool_string(&s->pool, lib.p, lib.n);
	if (import.path == NULL) {
		return out_of_memory(s);
	}
	if (lib.n > 0 && strpbrk(import.path, " \n") == NULL && !is_shipped(s, import.path)) {
		link_hex(import.fingerprint, link_bound_fingerprint(s->l, obj, i));
		s->imports[s->gom.nimports++] = import;
	}
	return 0;
}

static void thin_imports(struct shipment *s)
{
	size_t n = 0;

	if (s->gom.nimports > 0) {
		qsort(s->imports, s->gom.nimports, sizeof(*s->imports), compare_imports);
	}
	for (size_t i = 0; i < s->gom.nimports; i++) {
		if (n == 0 || strcmp(s->imports[n - 1].path, s->imports[i].path) != 0) {
			s->imports[n++] = s->imports[i];
		}
	}
	s->gom.nimports = n;
	s->gom.imports = s->imports;
}

/* The imports of the module's own packages: those of the shared ones are their own business. */
static int add_imports(struct shipment *s)
{
	const struct link *l = s->l;
	size_t n = 0;

	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < l->npackages; i++) {
			for (uint32_t o = 0; o < l->packages[i].nobjs; o++) {
				const struct gl_object *obj = l->packages[i].objs[o].obj;
				n += gl_object_nautolib(obj);
				for (uint32_t k = 0; round == 1 && k < gl_object_nautolib(obj); k++) {
					if (add_import(s, obj, k) != 0) {
						return -1;
					}
				}
			}
		}
		if (round == 0 && (s->imports = gl_pool_take(&s->pool, (n + 1) * sizeof(*s->imports))) == NULL) {
			return out_of_memory(s);
		}
	}
	thin_imports(s);
	return 0;
}

static int add_exports(struct shipment *s, const struct exports *ex)
{
	const struct link *l = s->l;
	size_t n = 0;

	for (uint32_t i = 0; i < l->npackages; i++) {
		n += ex->decls[i] != NULL ? ex->decls[i]->n : 0;
	}
	s->exports = gl_pool_take(&s->pool, (n + 1) * sizeof(*s->exports));
	if (s->exports == NULL) {
		return out_of_memory(s);
	}
	for (uint32_t i = 0; i < l->npackages; i++) {
		for (uint32_t d = 0; ex->decls[i] != NULL && d < ex->decls[i]->n; d++) {
			const struct gl_declaration *decl = &ex->decls[i]->list[d];
			char *text = gl_declaration_string(decl);
			struct gl_gom_export *e = &s->exports[s->gom.nexports++];
			e->kind = decl->kind;
			e->package = l->packages[i].path;
			e->name = decl->name;
			e->signature = text == NULL ? NULL : gl_pool_string(&s->pool, text, strlen(text));
			free(text);
			if (e->signature == NULL) {
				return out_of_memory(s);
			}
		}
	}
	s->gom.exports = s->exports;
	return 0;
}

static int add_library(struct shipment *s, bool is_own, const struct clib *lib, const char *packages)
{
	struct gl_gom_library *entry = &s->libraries[s->gom.nlibraries++];
	size_t start = s->payload.n;

	if (packages == NULL) {
		return out_of_memory(s);
	}
	if (clib_read(lib, &s->payload, s->l->err) != 0) {
		return -1;
	}
	*entry = (struct gl_gom_library){ .is_own = is_own, .packages = packages, .size = s->payload.n - start };
	return 0;
}

/* The shared packages whose C parts a library has, separated by spaces. */
static const char *packages_of(struct shipment *s, const struct clib *lib)
{
	struct gl_text text = { 0 };

	for (size_t i = 0; i < s->gom.npackages; i++) {
		struct lpkg *p = NULL;
		HASH_FIND_STR(link_archives(s->l), s->packages[i].path, p);
		if (s->packages[i].role == GL_GOM_SHARED && p != NULL && p->clib == lib) {
			gl_text_puts(&text, text.n > 0 ? " " : "");
			gl_text_puts(&text, p->path);
		}
	}
	char *words = gl_text_take(&text);
	const char *kept = words == NULL ? NULL : gl_pool_string(&s->pool, words, strlen(words));
	free(words);
	return kept;
}

/* The C parts, as they were linked for this host. */
static int add_libraries(struct shipment *s, const char *own)
{
	struct link *l = s->l;

	s->libraries = gl_pool_take(&s->pool, (l->nwanted_clibs + 1) * sizeof(*s->libraries));
	if (s->libraries == NULL) {
		return out_of_memory(s);
	}
	if (own != NULL) {
		struct clib *lib = clib_open(own, l->err);
		int ret = lib == NULL ? -1 : add_library(s, true, lib, "");
		clib_close(lib);
		if (ret != 0) {
			return -1;
		}
	}
	for (uint32_t i = 0; i < l->nwanted_clibs; i++) {
		if (add_library(s, false, l->wanted_clibs[i], packages_of(s, l->wanted_clibs[i])) != 0) {
			return -1;
		}
	}
	s->gom.libraries = s->libraries;
	return 0;
}

static int write_shipment(struct shipment *s, const struct exports *ex, const struct gl_load_options *opts,
			  const char *out)
{
	const struct gl_image *image = s->l->linker->image;
	const char *path = gl_image_path(image), *slash = strrchr(path, '/');

	s->gom.header = s->l->linker->abi->object_header;
	s->gom.host_id = s->host_id;
	s->gom.host_name = slash != NULL ? slash + 1 : path;
	if (gl_image_id(image, s->host_id, s->l->err) != 0 || link_keep(s->l, &s->kept) != 0 || add_packages(s) != 0 ||
	    add_imports(s) != 0 || add_exports(s, ex) != 0 || add_libraries(s, opts->library) != 0) {
		return -1;
	}
	return gl_gom_write(out, &s->gom, &s->payload, s->key, s->l->err);
}

int gl_module_ship(struct gl_host *host, const char *const *files, const char *const *import_paths, size_t nfiles,
		   const struct gl_load_options *opts, const char *out, struct gl_error *err)
{
	struct link l = {
		.linker = &host->linker, .err = err, .shipping = true, .keeps_variables = opts->keeps_variables
	};
	struct gl_secret_key key;
	struct shipment s = { .l = &l, .key = opts->key != NULL ? &key : NULL };
	struct exports ex = { 0 };
	int ret = -1;

	if (s.key != NULL && gl_key_read_secret(opts->key, &key, err) != 0) {
		return -1; /* before all that takes its time */
	}
	module_begin(host);
	if (gl_host_check(host, err) == 0 && module_open_packages(&l, files, import_paths, nfiles, opts) == 0 &&
	    module_root_exports(&l, &ex) == 0) {
		module_root_main(&l);
		ret = link_resolve(&l);
	}
	if (ret != 0) {
		module_hand_over_wants(host, &l);
	} else {
		s.gom.godebug = opts->godebug;
		s.gom.strings = opts->strings;
		s.gom.nstrings = opts->nstrings;
		ret = write_shipment(&s, &ex, opts, out);
	}
	if (s.key != NULL) {
		gl_key_forget(&key);
	}
	kept_free(s.kept);
	free(s.payload.p);
	module_free_exports(&ex, l.npackages);
	link_free(&l);
	gl_pool_free(&s.pool);
	return ret;
}
