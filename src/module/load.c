/* What happens from load to the first call: gl_module_load is the table of contents, one pass a line. Each pass is in
 * the room that does it. */
#include "../process/children.h"
#include "../link/variables.h"
#include "../probes.h"
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

/* ---- load ------------------------------------------------------------------------------------------------------- */

/* One load, up to the line behind which it is over and a module is there. */
struct load {
	struct gl_host *host;
	struct link link;
	struct link_use *uses;
	struct exports exports;
	struct gl_module *mod;       /* what it makes */
	struct gl_module *resident;  /* what it adds to the resident store, or NULL */
	struct gl_module *extension; /* what it adds to the modules that are used, or NULL */
	struct gl_module *extended;  /* to which of them */
	uint32_t start;              /* of a program: the code that its goroutine starts with */
	void **descriptors[NUNITS];  /* of types, then itabs */
};

/* Open and read: each file is a package, checked; to whom each name belongs can be told. */
static int open_files(struct load *ld, const char *const *files, const char *const *import_paths, size_t nfiles,
		      const struct gl_load_options *opts)
{
	struct link *l = &ld->link;

	if (module_open_uses(l, ld->mod, opts, &ld->uses) != 0 ||
	    module_open_packages(l, files, import_paths, nfiles, opts) != 0) {
		return -1;
	}
	const char *path = l->packages[l->npackages - 1].path;
	path = path != NULL ? path : "";
	ld->mod->name = malloc(strlen(path) + 1);
	if (ld->mod->name != NULL) {
		link_plain_path((struct gl_str){ path, (uint32_t)strlen(path) }, ld->mod->name);
	}
	ld->extended = module_youngest_use(ld->mod);
	return ld->mod->name != NULL ? 0 : gl_out_of_memory(l->err, "loading %s", files[0]);
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

/* Resolve: every reference is bound; what is needed is marked and nothing else will be. */
static int resolve(struct load *ld)
{
	struct link *l = &ld->link;

	if (ld->exports.run) {
		module_root_main(l);
	} else if (module_root_exports(l, &ld->exports) != 0) {
		return -1;
	}
	if (link_resolve(l) != 0) {
		return -1;
	}
	return ld->exports.run ? add_main(l, &ld->start) : 0;
}

/* Lay out and place: every symbol has its address. The resident unit first, the others refer to it. Then the module's C
 * parts are opened, and their symbols have addresses too. */
static int place(struct load *ld, const char *library)
{
	struct link *l = &ld->link;

	if (link_layout(l, UNIT_RESIDENT) != 0 || link_layout(l, UNIT_USED) != 0 || link_layout(l, UNIT_MODULE) != 0) {
		return -1;
	}
	link_bound_counters(l);
	return clib_bind(l, library, ld->exports.run);
}

/* Relocate, describe, seal: the memory holds what the runtime will see, and is no longer writable where it must not be.
 * Nobody knows of it yet. */
static int finish(struct load *ld)
{
	struct link *l = &ld->link;

	return finish_unit(l, UNIT_RESIDENT, "goloader resident") != 0 ||
			       finish_unit(l, UNIT_USED, ld->extended != NULL ? ld->extended->name : "") != 0 ||
			       finish_unit(l, UNIT_MODULE, ld->mod->name) != 0 ?
		       -1 :
		       0;
}

static int find_descriptors(struct load *ld, enum unit_id id)
{
	struct link *l = &ld->link;
	const struct unit *u = &l->units[id];
	size_t n = (size_t)u->ntypelinks + u->nitabs;

	/* NOLINTNEXTLINE(bugprone-sizeof-expression): it is an array of pointers */
	ld->descriptors[id] = calloc(n + 1, sizeof(*ld->descriptors[id]));
	if (ld->descriptors[id] == NULL) {
		return gl_out_of_memory(l->err, "publishing");
	}
	for (size_t i = 0; i < n; i++) {
		ld->descriptors[id][i] = (void *)link_sym(l, u->order[u->sec_first[SEC_RODATA] + i])->addr;
	}
	return 0;
}

/* Export: what will be known of the module when the link is gone. It is the last that can fail before the runtime knows
 * of anything. The resident unit becomes a module of its own, and the used unit one that goes with the module that it
 * extends: both are known by name from here on, to loads that wait for the lock. */
static int keep(struct load *ld)
{
	struct link *l = &ld->link;
	struct gl_module *mod = ld->mod;

	module_keep_unit(&l->units[UNIT_MODULE], mod);
	if (module_keep_symbols(l, &l->units[UNIT_MODULE], mod) != 0 || module_keep_packages(l, mod) != 0 ||
	    module_keep_inits(l, mod) != 0 || module_add_exports(l, mod, &ld->exports) != 0 ||
	    module_prepare_unit(l, UNIT_RESIDENT, ld->host, &ld->resident) != 0 ||
	    module_prepare_unit(l, UNIT_USED, ld->host, &ld->extension) != 0) {
		return -1;
	}
	if (module_keep_settings(l, mod, ld->resident) != 0) {
		return -1;
	}
	mod->main = ld->exports.run ? (void *)link_sym(l, ld->start)->addr : NULL;
	mod->stats.resident_bytes = l->units[UNIT_RESIDENT].size;
	for (int id = 0; id < NUNITS; id++) {
		if (find_descriptors(ld, id) != 0) {
			return -1;
		}
	}
	if (ld->resident != NULL && module_know_symbols(ld->resident, ld->host->linker.resident, l->err) != 0) {
		return -1;
	}
	if (ld->extension != NULL && (module_know_symbols(ld->extension, ld->extended->names, l->err) != 0 ||
				      module_pin_uses(ld->extended, mod, l->err) != 0)) {
		return -1;
	}
	return 0;
}

/* Before the code is there: Go's memory profile is on while somebody has a use for it (profile.c). */
static void note_profile_readers(struct load *ld)
{
	struct link *l = &ld->link;

	ld->mod->reads_profile = module_reads_profile(l, UNIT_MODULE);
	if (ld->mod->reads_profile) {
		module_add_profile_reader(ld->host);
	}
	if ((ld->resident != NULL && module_reads_profile(l, UNIT_RESIDENT)) ||
	    (ld->extension != NULL && module_reads_profile(l, UNIT_USED))) {
		module_add_profile_reader(ld->host); /* for good */
	}
}

static void publish_unit(struct load *ld, enum unit_id id, struct gl_module *mod)
{
	struct unit *u = &ld->link.units[id];

	if (u->norder > 0) {
		lookup_add(&ld->host->linker, u);
		struct gl_published module = { .moduledata = (void *)u->moduledata,
					       .is_listed = u->variables == NULL,
					       .types = ld->descriptors[id],
					       .ntypes = u->variables == NULL ? 0 : u->ntypelinks,
					       .itabs = ld->descriptors[id] + u->ntypelinks,
					       .nitabs = u->nitabs };
		module_begin_race_detection(mod);
		ld->host->publish(&module);
		module_count_memory(mod);
		struct variables *variables =
			gl_debug_wants_variables() ? link_variables(&ld->link, id, gl_debug_wants_types()) : NULL;
		mod->debug = gl_debug_add_module(u->moduledata, id == UNIT_MODULE ? mod->name : "shared packages",
						 variables, u->base, u->text_pages);
		GL_PROBE3(publish, id == UNIT_MODULE ? ld->mod->name : "shared packages", u->sec_start[SEC_TEXT],
			  u->sec_size[SEC_TEXT]);
		u->base = u->variables = u->ftab = NULL; /* they are no longer the link's to give back */
	}
}

/* Publish: from here on the runtime knows the code, and what isn't the module's own stays whatever happens. */
static void publish(struct load *ld)
{
	struct link *l = &ld->link;
	struct gl_host *host = ld->host;
	struct gl_module *mod = ld->mod;

	clib_connect(l);
	note_profile_readers(ld);
	publish_unit(ld, UNIT_RESIDENT, ld->resident);
	if (ld->resident != NULL) {
		module_commit_resident(host, l, ld->resident);
		link_keep_shipped_libraries(l);
	}
	publish_unit(ld, UNIT_USED, ld->extension);
	if (ld->extension != NULL) {
		module_commit_extension(ld->extended, ld->extension);
	}
	publish_unit(ld, UNIT_MODULE, mod);
	module_reuse_itabs(host, l);
	mod->loaded = true;
	mod->since = time(NULL);
	mod->clib = l->clib;
	mod->has_c = l->clib != NULL || l->nwanted_clibs > 0;
	l->clib = NULL;
	mod->next = host->modules;
	mod->link = &host->modules;
	if (mod->next != NULL) {
		mod->next->link = &mod->next;
	}
	host->modules = mod;
}

/* A load that has failed leaves nothing behind. */
static void undo(struct load *ld)
{
	struct linker *linker = &ld->host->linker;

	if (ld->extension != NULL) {
		module_forget_symbols(ld->extension, ld->extended->names);
	}
	if (ld->resident != NULL) {
		module_forget_symbols(ld->resident, linker->resident);
	}
	module_drop_inits(ld->mod);
	for (int id = 0; id < NUNITS; id++) {
		unit_release(linker, &ld->link.units[id]);
	}
	module_free(ld->extension);
	module_free(ld->resident);
	module_free(ld->mod);
	ld->mod = NULL;
}

static void end_link(struct load *ld)
{
	module_free_exports(&ld->exports, ld->link.npackages);
	link_free(&ld->link);
	free(ld->uses);
	for (int id = 0; id < NUNITS; id++) {
		free(ld->descriptors[id]);
	}
}

/* All of a load but its init functions. Behind its end no state of the link is left: what the archives, which all loads
 * share, had been told of this one is gone. */
static struct gl_module *link_module(struct gl_host *host, const char *const *files, const char *const *import_paths,
				     size_t nfiles, const struct gl_load_options *opts, struct gl_error *err)
{
	struct load ld = { .host = host,
			   .link = { .linker = &host->linker, .err = err },
			   .exports = { .run = !opts->run_init },
			   .mod = calloc(1, sizeof(*ld.mod)),
			   .start = NO_SYM };
	double start = now_ms(), then;

	if (ld.mod == NULL) {
		gl_out_of_memory(err, "loading a module");
		return NULL;
	}
	ld.mod->host = host;
	ld.mod->age = ++host->loads;
	ld.mod->is_shared = opts->is_shared;

	if (open_files(&ld, files, import_paths, nfiles, opts) != 0) {
		goto wants;
	}
	then = now_ms();
	ld.mod->stats.read_ms = then - start;
	if (resolve(&ld) != 0) {
		goto wants;
	}
	if (place(&ld, opts->library) != 0 || finish(&ld) != 0 || keep(&ld) != 0) {
		goto fail;
	}
	start = now_ms();
	ld.mod->stats.link_ms = start - then;
	publish(&ld);
	ld.mod->stats.publish_ms = now_ms() - start;
	end_link(&ld);
	return ld.mod;

wants:
	link_name_hosts(&ld.link);
	module_hand_over_wants(host, &ld.link);
fail:
	undo(&ld);
	end_link(&ld);
	return NULL;
}

static struct gl_module *load(struct gl_host *host, const char *const *files, const char *const *import_paths,
			      size_t nfiles, const struct gl_load_options *opts, struct gl_error *err)
{
	module_begin(host);
	if (gl_host_check(host, err) != 0) {
		return NULL;
	}
	struct gl_module *mod = link_module(host, files, import_paths, nfiles, opts, err);
	if (mod == NULL) {
		return NULL;
	}

	if (host_shares_process(host)) {
		gl_children_watch(); /* what its init functions start, libraries that came since may reap */
	}
	/* ---- the link is over: others may load while this one's init functions run, with the lock let go ---- */

	double start = now_ms();
	module_set_strings(mod);
	if (!opts->run_init || module_run_inits(mod, err) == 0) {
		mod->stats.init_ms = now_ms() - start;
		return mod;
	}
	/* What an init function started before it failed may still run: then the code stays, and nobody can call it. */
	struct gl_unload how = { .prove = GL_PROVE_ALL };
	struct gl_error why;
	if (module_retire(mod, &how, &why) == 0) {
		module_free(mod);
	}
	gl_way_free(&how.way);
	return NULL;
}

struct gl_module *gl_module_load(struct gl_host *host, const char *const *files, const char *const *import_paths,
				 size_t nfiles, const struct gl_load_options *opts, struct gl_error *err)
{
	GL_PROBE2(load, files[nfiles - 1], nfiles);
	struct gl_module *mod = load(host, files, import_paths, nfiles, opts, err);

	if (mod == NULL) {
		GL_PROBE2(refusal, files[nfiles - 1], err->message);
	}
	return mod;
}
