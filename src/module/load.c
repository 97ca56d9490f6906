/* What happens from load to the first call: gl_module_load is the table of contents, one pass a line. Each pass is in
 * the room that does it. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
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

/* ---- load ------------------------------------------------------------------------------------------------------- */

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
	if (module_open_uses(&l, mod, opts, &uses) != 0 ||
	    module_open_packages(&l, files, import_paths, nfiles, opts) != 0 || l.packages == NULL) {
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

	extended = module_youngest_use(mod);

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
	module_keep_unit(&l.units[UNIT_MODULE], mod);
	if (module_keep_symbols(&l, &l.units[UNIT_MODULE], mod) != 0 || module_keep_packages(&l, mod) != 0 ||
	    module_keep_inits(&l, mod) != 0 || module_add_exports(&l, mod, &ex) != 0) {
		goto fail;
	}
	mod->main = ex.run ? (void *)link_sym(&l, start_sym)->addr : NULL;
	if (module_prepare_unit(&l, UNIT_RESIDENT, host, &resident) != 0 ||
	    module_prepare_unit(&l, UNIT_USED, host, &extension) != 0 ||
	    (extension != NULL && module_pin_uses(extended, mod, err) != 0)) {
		goto fail;
	}
	mod->stats.resident_bytes = l.units[UNIT_RESIDENT].size;
	mod->stats.link_ms = now_ms() - then;
	then = now_ms();

	clib_connect(&l);
	mod->reads_profile = module_reads_profile(&l, UNIT_MODULE);
	if (mod->reads_profile) {
		module_add_profile_reader(host);
	}
	if ((resident != NULL && module_reads_profile(&l, UNIT_RESIDENT)) ||
	    (extension != NULL && module_reads_profile(&l, UNIT_USED))) {
		module_add_profile_reader(host); /* for good */
	}

	/* Publish: from here on the runtime knows the code, and what isn't the module's own stays whatever happens. */
	if (publish(host, &l, &l.units[UNIT_RESIDENT]) != 0) {
		goto fail;
	}
	if (resident != NULL) {
		module_commit_resident(host, &l, resident);
		link_keep_shipped_libraries(&l);
		resident = NULL;
		l.units[UNIT_RESIDENT].base = NULL;
	}
	if (publish(host, &l, &l.units[UNIT_USED]) != 0) {
		goto fail;
	}
	if (extension != NULL) {
		module_commit_extension(extended, extension);
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
	if (ship_set_strings(&l, mod) != 0 || (opts->run_init && module_run_inits(mod, err) != 0)) {
		goto fail;
	}
	mod->stats.init_ms = now_ms() - then;
	module_free_exports(&ex, l.npackages);
	link_free(&l);
	free(uses);
	return mod;

fail:
	module_free_exports(&ex, l.npackages);
	if (published) {
		/* an init function failed. What it started may still run: then its code stays, and nobody can call it.
		 */
		struct gl_error why;
		if (module_retire(mod, &(struct gl_unload){ .prove = GL_PROVE_ALL }, &why) == 0) {
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
