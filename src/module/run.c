/* Running what a module brings with it: its init functions, and a program's main. */
#include "internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What others share comes first: it never needs what is the module's own. */
int module_keep_inits(struct link *l, struct gl_module *mod)
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

int module_run_inits(struct gl_module *mod, struct gl_error *err)
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
