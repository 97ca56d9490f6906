/* Running what a module brings with it: its init functions, and a program's main. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- init functions --------------------------------------------------------------------------------------------- */

static int take_lists(const struct link *l, struct gl_module *mod)
{
	mod->init_funcs = gl_pool_take(&mod->inits_pool, (l->nextra_inits + 1) * sizeof(void *));
	mod->init_tasks = gl_pool_take(&mod->inits_pool, (l->ninits + 1) * sizeof(void *));
	mod->shared = gl_pool_take(&mod->inits_pool, (l->nextra_inits + l->ninits + 1) * sizeof(*mod->shared));
	return mod->init_funcs != NULL && mod->init_tasks != NULL && mod->shared != NULL ?
		       0 :
		       gl_out_of_memory(l->err, "noting init functions");
}

/* Notes something that initialises a shared package. Other loads can refer to the package as soon as the lock is let
 * go, so that it counts as not initialised from now on. */
static int add_shared(struct link *l, struct gl_module *mod, const struct lsym *s, struct shared_init init)
{
	struct gl_str path = link_package_of(s->name);

	init.package = gl_pool_string(&mod->inits_pool, path.p, path.n);
	if (init.package == NULL) {
		return gl_out_of_memory(l->err, "noting init functions");
	}
	if (linker_begin_init(l->linker, path, l->err) != 0) {
		return -1;
	}
	mod->shared[mod->nshared++] = init;
	return 0;
}

/* The same of a package's inittask. place tells for each of link->inits where in mod->shared it is. */
static int add_shared_task(struct link *l, struct gl_module *mod, const struct link_init *task, uint32_t *place)
{
	uint32_t *imports = gl_pool_take(&mod->inits_pool, (task->nimports + 1) * sizeof(*imports));

	if (imports == NULL) {
		return gl_out_of_memory(l->err, "noting init functions");
	}
	/* a shared package never imports one of the module's own: all its imports have a place already */
	for (uint32_t i = 0; i < task->nimports; i++) {
		imports[i] = place[task->imports[i]];
	}
	place[task - l->inits] = (uint32_t)mod->nshared;
	return add_shared(
		l, mod, link_sym(l, task->sym),
		(struct shared_init){ .runs = task->has_functions, .imports = imports, .nimports = task->nimports });
}

static int keep_lists(struct link *l, struct gl_module *mod, uint32_t *place)
{
	for (int own = 0; own <= 1; own++) {
		for (uint32_t i = 0; i < l->nextra_inits; i++) {
			const struct lsym *s = link_sym(l, l->extra_inits[i]);
			if ((s->unit == UNIT_MODULE) != own) {
				continue;
			}
			if (!own && add_shared(l, mod, s, (struct shared_init){ .runs = true }) != 0) {
				return -1;
			}
			mod->init_funcs[mod->ninit_funcs++] = (void *)s->addr;
		}
		for (uint32_t i = 0; i < l->ninits; i++) {
			const struct lsym *s = link_sym(l, l->inits[i].sym);
			if ((s->unit == UNIT_MODULE) != own) {
				continue;
			}
			if (!own && add_shared_task(l, mod, &l->inits[i], place) != 0) {
				return -1;
			}
			if (l->inits[i].has_functions) {
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

/* Lists what initialises the load's packages: first that of shared ones, which never import the module's own. */
int module_keep_inits(struct link *l, struct gl_module *mod)
{
	uint32_t *place = calloc(l->ninits + 1, sizeof(*place));
	int ret = place == NULL ? gl_out_of_memory(l->err, "noting init functions") : take_lists(l, mod);

	if (ret == 0) {
		ret = keep_lists(l, mod, place);
	}
	free(place);
	return ret;
}

void module_drop_inits(struct gl_module *mod)
{
	for (size_t i = 0; i < mod->nshared; i++) {
		linker_end_init(&mod->host->linker, mod->shared[i].package);
	}
	mod->nshared = mod->ninit_funcs = mod->ninit_tasks = 0;
	for (size_t i = 0; i < mod->nsettings; i++) {
		free(mod->settings[i].value);
	}
	mod->nsettings = 0;
}

/* n functions have returned. Where in mod->shared is the one that has not? */
static size_t place_after(const struct gl_module *mod, size_t n)
{
	size_t at = 0;

	while (at < mod->nshared && (!mod->shared[at].runs || n-- > 0)) {
		at++;
	}
	return at;
}

static const char *failed_import(const struct gl_module *mod, const struct shared_init *init)
{
	for (uint32_t i = 0; i < init->nimports; i++) {
		if (mod->shared[init->imports[i]].failure != NULL) {
			return mod->shared[init->imports[i]].failure;
		}
	}
	return NULL;
}

static void fail_shared(struct gl_module *mod, struct shared_init *init, const char *failure)
{
	char *copy = gl_pool_string(&mod->inits_pool, failure, strlen(failure));

	init->failure = copy != NULL ? copy : "panic";
	linker_fail_init(&mod->host->linker, init->package, strdup(failure));
}

/* The function at this place has panicked, and those before it have returned. Packages that import this one, directly
 * or not, can't be used either, and have failed with the same panic. The remaining ones have nothing to do with it:
 * they are initialised, so that later loads can use them. */
static void run_rest(struct gl_module *mod, size_t at, const char *failure)
{
	size_t nfuncs = mod->nshared_funcs, next = 0;

	for (size_t i = 0; i <= at; i++) {
		next += mod->shared[i].runs;
	}
	fail_shared(mod, &mod->shared[at], failure);
	while (++at < mod->nshared) {
		struct shared_init *init = &mod->shared[at];
		const char *inherited = failed_import(mod, init);
		size_t n = next, ndone;

		next += init->runs;
		if (inherited != NULL) {
			fail_shared(mod, init, inherited);
		} else if (init->runs) {
			bool is_func = n < nfuncs;
			char *what =
				mod->host->run_inits(mod->init_funcs + n, is_func,
						     mod->init_tasks + (is_func ? 0 : n - nfuncs), !is_func, &ndone);
			if (what != NULL) {
				fail_shared(mod, init, what);
			}
			free(what);
		}
	}
}

/* Initialises the shared packages, with the lock held: another load that needs one of them waits until it is done. */
static char *run_shared(struct gl_module *mod)
{
	size_t ndone = 0;
	char *failure = NULL;

	if (mod->nshared_funcs + mod->nshared_tasks > 0) {
		failure = mod->host->run_inits(mod->init_funcs, mod->nshared_funcs, mod->init_tasks, mod->nshared_tasks,
					       &ndone);
	}
	if (failure != NULL) {
		run_rest(mod, place_after(mod, ndone), failure);
	}
	for (size_t i = 0; i < mod->nshared; i++) {
		linker_end_init(&mod->host->linker, mod->shared[i].package); /* one that has failed stays noted */
	}
	/* cppcheck-suppress returnDanglingLifetime ; a message of malloc's, which has nothing of ndone */
	return failure;
}

/* Initialises the module's own packages. No other load can refer to them yet, and their functions may take their time,
 * or even wait for somebody who loads modules meanwhile: the lock is let go. */
static char *run_own(struct gl_module *mod)
{
	size_t funcs = mod->nshared_funcs, tasks = mod->nshared_tasks, ndone;

	if (funcs == mod->ninit_funcs && tasks == mod->ninit_tasks) {
		return NULL;
	}
	gl_unlock();
	char *failure = mod->host->run_inits(mod->init_funcs + funcs, mod->ninit_funcs - funcs, mod->init_tasks + tasks,
					     mod->ninit_tasks - tasks, &ndone);
	gl_lock();
	/* cppcheck-suppress returnDanglingLifetime ; a message of malloc's, which has nothing of ndone */
	return failure;
}

int module_run_inits(struct gl_module *mod, struct gl_error *err)
{
	char *failure = run_shared(mod);

	if (failure == NULL) {
		failure = run_own(mod);
	}
	mod->nshared = mod->ninit_funcs = mod->ninit_tasks = 0;
	gl_pool_free(&mod->inits_pool);
	if (failure != NULL) {
		gl_fail(err, GL_EPANIC, "%s: %s", mod->name, failure);
		free(failure);
		return -1;
	}
	return 0;
}

/* ---- string variables that are given values --------------------------------------------------------------------- */

struct go_string {
	const char *p;
	int64_t n;
};

static const struct gl_module_symbol *find_symbol(const struct gl_module *mod, const char *name)
{
	for (size_t i = 0; i < mod->nsymbols; i++) {
		if (strcmp(mod->symbols[i].name, name) == 0) {
			return &mod->symbols[i];
		}
	}
	return NULL;
}

/* A string variable of the module, of the resident store (and of what is about to be added to it, or NULL), or of the
 * host; NULL when there is none. */
static void *find_string(const struct gl_module *mod, const struct gl_module *resident, const char *name,
			 struct gl_error *err)
{
	const struct gl_module_symbol *own = find_symbol(mod, name);
	struct gl_image_sym sym = { 0 };

	if (own == NULL && resident != NULL) {
		own = find_symbol(resident, name);
	}
	for (const struct gl_module *m = mod->host->resident; own == NULL && m != NULL; m = m->next) {
		own = find_symbol(m, name);
	}
	if (own != NULL) {
		sym = (struct gl_image_sym){ .addr = own->addr,
					     .size = own->size,
					     .is_func = strchr("tTrR", own->kind) != NULL };
	} else if (!gl_image_lookup(mod->host->linker.image, name, strlen(name), &sym)) {
		gl_fail(err, GL_EMISSING, "%s: no such variable in module %s or the host", name, mod->name);
		return NULL;
	}
	if (sym.is_func || sym.size != sizeof(struct go_string)) {
		gl_fail(err, GL_ETYPE, "%s is no variable of type string", name);
		return NULL;
	}
	return (void *)sym.addr;
}

/* The program may keep the text for ever. It is no memory of Go's, and needs no write barrier. */
static char *copy_text(const char *value, size_t len)
{
	char *copy = malloc(len + 1);

	if (copy != NULL && len > 0) {
		memcpy(copy, value, len);
	}
	return copy;
}

static void set_string(void *variable, const char *copy, size_t len)
{
	struct go_string string = { copy, (int64_t)len };

	memcpy(variable, &string, sizeof(string));
}

int module_keep_settings(const struct link *l, struct gl_module *mod, const struct gl_module *resident)
{
	size_t n = l->gom != NULL ? l->gom->nstrings : 0;

	mod->settings = gl_pool_take(&mod->pool, (n + 1) * sizeof(*mod->settings));
	if (mod->settings == NULL) {
		return gl_out_of_memory(l->err, "noting the values of variables");
	}
	for (size_t i = 0; i < n; i++) {
		const struct gl_gom_string *from = &l->gom->strings[i];
		struct set_string *to = &mod->settings[mod->nsettings];
		to->variable = find_string(mod, resident, from->name, l->err);
		if (to->variable == NULL) {
			if (l->err->code == GL_EMISSING) {
				continue; /* as for Go's linker, a variable that nobody uses is none */
			}
			return -1;
		}
		to->value = copy_text(from->value, from->size);
		to->size = from->size;
		if (to->value == NULL) {
			return gl_out_of_memory(l->err, "noting the values of variables");
		}
		mod->nsettings++;
	}
	return 0;
}

void module_set_strings(struct gl_module *mod)
{
	for (size_t i = 0; i < mod->nsettings; i++) {
		set_string(mod->settings[i].variable, mod->settings[i].value, mod->settings[i].size);
	}
	mod->nsettings = 0;
}

int gl_module_set_string(struct gl_module *mod, const char *name, const char *value, size_t len, struct gl_error *err)
{
	void *variable = find_string(mod, NULL, name, err);

	if (variable == NULL) {
		return -1;
	}
	char *copy = copy_text(value, len);
	if (copy == NULL) {
		return gl_out_of_memory(err, "setting %s", name);
	}
	set_string(variable, copy, len);
	return 0;
}

/* ---- main ------------------------------------------------------------------------------------------------------- */

/* Lets the runtime find that all goroutines of a program are asleep (runtime.checkdead). It counts the threads that
 * could still do something, and among them are those that it keeps for calls from C (runtime.newextram). Where there is
 * no C and no other thread has called, nobody ever will, and they are no more than sysmon is. A program with C has them
 * natively, too, and never finds out. */
static int32_t idle_threads(const struct gl_module *mod)
{
	const struct gl_host *host = mod->host;

	if (mod->has_c || host->is_program || host->vars.extra_threads == NULL || host->vars.foreign_threads == NULL ||
	    host->vars.system_threads == NULL || host->runtime.g_startpc < 0 ||
	    atomic_load(host->vars.foreign_threads) != 1) {
		return 0;
	}
	return (int32_t)atomic_load(host->vars.extra_threads);
}

int gl_module_run_main(struct gl_module *mod, const char *const *args, size_t nargs, struct gl_error *err)
{
	struct gl_program program = { .init_funcs = mod->init_funcs,
				      .ninit_funcs = mod->ninit_funcs,
				      .init_tasks = mod->init_tasks,
				      .ninit_tasks = mod->ninit_tasks,
				      .main = mod->main,
				      .args = args,
				      .nargs = nargs,
				      .system_threads = mod->host->vars.system_threads,
				      .system_goroutines = mod->host->vars.system_goroutines,
				      .idle_threads = idle_threads(mod) };

	if (!mod->loaded) {
		return gl_fail(err, GL_ECLOSED, "module %s was unloaded", mod->name);
	}
	if (mod->main == NULL) {
		return gl_fail(err, GL_EMISSING, "module %s was not loaded to be run: it has no main", mod->name);
	}
	if (gl_host_check(mod->host, err) != 0) {
		return -1;
	}
	module_drop_inits(mod); /* its goroutine runs them, and the process ends with them if they panic */
	fflush(NULL);           /* the process ends as Go's do, which writes nothing that C holds back */
	mod->host->run_main(&program);
	return gl_fail(err, GL_EHOST, "module %s: the program has ended, and the process has not", mod->name);
}
