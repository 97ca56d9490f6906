/* Starting the host: once per process.
 *
 * Order matters. The arena is reserved first, so that the kernel places the host below it (see memory/arena.h). Loading
 * the library starts the Go runtime on a thread of its own; the first call into it waits until it is up. A host that is
 * already there (a Go program that embeds Lua and imports goloader.dev/host, or a library that somebody else loaded)
 * keeps its place, and the arena looks for one above it. */
#include "internal.h"

#include "../debug/debug.h"
#include "../disasm/slots.h"
#include "../process/children.h"
#include "../process/limits.h"
#include "../process/replace.h"
#include "../process/signals.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Code reaches 2 GiB, and the host takes some of that: where it is larger than what is left here, the arena gets
 * another place (place_arena). */
static const size_t arena_size = ((size_t)2 << 30) - ((size_t)256 << 20);
static const size_t least_arena_size = (size_t)64 << 20;

/* The one Go runtime that a process can have. */
static struct gl_host *the_host;

/* ---- several Lua states ------------------------------------------------------------------------------------------
 *
 * A Go program may run many Lua states at once, and they all have the one host. */

static const pthread_mutex_t unlocked = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void gl_lock(void) { pthread_mutex_lock(&lock); }
void gl_unlock(void) { pthread_mutex_unlock(&lock); }

static void after_fork_in_child(void)
{
	lock = unlocked; /* whoever held it is not in this process */
	gl_children_forget();
	if (the_host != NULL) {
		the_host->forked = 1;
		if (the_host->forked_in_go != NULL) {
			*the_host->forked_in_go = 1;
		}
	}
}

/* ---- what the Go half must be told ------------------------------------------------------------------------------ */

static uintptr_t find_symbol(const void *arg, const char *name, uint64_t *size)
{
	const struct gl_host *host = arg;
	struct gl_image_sym sym;

	if (!gl_image_lookup(host->linker.image, name, strlen(name), &sym)) {
		return 0;
	}
	if (size != NULL) {
		*size = sym.size;
	}
	return sym.addr;
}

const struct gl_runtime_names *gl_host_names(const struct gl_host *host) { return &host->names; }

static int fill_runtime(struct gl_host *host, struct gl_error *err)
{
	struct linker *linker = &host->linker;

	if (gl_runtime_fill(&host->names, &host->runtime, &host->vars, err) != 0) {
		return -1;
	}
	host->runtime.find_reads = gl_slots_find_reads;
	linker->before_main = host->vars.before_main;
	linker->after_main = host->vars.after_main;
	linker->zerobase = host->vars.zerobase;
	linker->firstmoduledata = (uintptr_t)host->runtime.firstmoduledata;
	return 0;
}

void host_tell_type_map(struct gl_host *host, const char *name, uintptr_t addr)
{
	size_t offset;

	if (gl_runtime_type_map(host->abi, name, &offset)) {
		host->add_type_cache((void *)addr, offset);
	}
}

static void tell_type_maps(struct gl_host *host)
{
	const char *name;

	for (size_t i = 0; (name = gl_runtime_type_map_name(i)) != NULL; i++) {
		uintptr_t map = find_symbol(host, name, NULL);
		if (map != 0) {
			host_tell_type_map(host, name, map);
		}
	}
	/* encoding/gob has plain maps behind its lock, one of them replaced as a whole when it grows */
	void (*add_map)(void *, void *, void *) =
		(void (*)(void *, void *, void *))gl_host_export(host, "goloader_add_type_map");
	void *lock = (void *)find_symbol(host, "encoding/gob.typeLock", NULL);
	void *types = (void *)find_symbol(host, "encoding/gob.types", NULL);
	void *type = (void *)find_symbol(host, "type:map[reflect.Type]encoding/gob.gobType", NULL);
	void *infos = (void *)find_symbol(host, "encoding/gob.typeInfoMap", NULL);
	if (add_map != NULL && lock != NULL && types != NULL && type != NULL && infos != NULL) {
		add_map(lock, types, type);
		add_map(lock, infos, NULL);
	}
}

/* The two halves are built at different times: a host of one's own outlives the C library that it was made with. */
static int check_protocol(const struct gl_host *host, struct gl_error *err)
{
	uint64_t (*protocol)(void) = (uint64_t(*)(void))gl_host_export(host, "goloader_protocol");

	if (gl_host_export(host, "goloader_init") == NULL) {
		return gl_fail(err, GL_EHOST, "%s is no goloader host: it doesn't import the package goloader.dev/host",
			       host->path);
	}
	if (protocol == NULL || protocol() != GL_HOST_PROTOCOL) {
		return gl_fail(err, GL_EHOST,
			       "%s was built with the goloader.dev/host of another goloader: build it anew",
			       host->path);
	}
	return 0;
}

static void find_exports(struct gl_host *host)
{
	void (*init)(struct gl_runtime *) = (void (*)(struct gl_runtime *))gl_host_export(host, "goloader_init");

	*(void **)&host->publish = gl_host_export(host, "goloader_publish");
	*(void **)&host->retire = gl_host_export(host, "goloader_retire");
	*(void **)&host->close = gl_host_export(host, "goloader_close");
	*(void **)&host->threads = gl_host_export(host, "goloader_threads");
	*(void **)&host->make_itabs = gl_host_export(host, "goloader_make_itabs");
	*(void **)&host->gc_count = gl_host_export(host, "goloader_gc_count");
	*(void **)&host->collect = gl_host_export(host, "goloader_collect");
	*(void **)&host->run_inits = gl_host_export(host, "goloader_run_inits");
	*(void **)&host->run_main = gl_host_export(host, "goloader_run_main");
	*(void **)&host->add_type_cache = gl_host_export(host, "goloader_add_type_cache");
	init(&host->runtime);
	tell_type_maps(host);
}

/* "$GOROOT" in file names: what the host's linker put in runtime.defaultGOROOT, a Go string. */
static void find_goroot(struct gl_host *host)
{
	struct gl_string {
		const char *p;
		int64_t n;
	} goroot = { 0 };

	if (host->vars.default_goroot != NULL) {
		memcpy(&goroot, host->vars.default_goroot, sizeof(goroot));
	}
	host->linker.goroot = goroot.n > 0 && goroot.n < 4096 ? strndup(goroot.p, (size_t)goroot.n) : NULL;
}

/* The list of archives lies beside the host. */
static void find_importcfg(struct gl_host *host)
{
	if (asprintf(&host->linker.importcfg, "%s.importcfg", host->path) < 0) {
		host->linker.importcfg = NULL;
	}
}

/* ---- stack bounds -----------------------------------------------------------------------------------------------
 *
 * Go 1.21 asks for the bounds of the C stack at every call from C (runtime.callbackUpdateSystemStack), and on a
 * process's first thread the C library answers by reading /proc/self/maps: a tenth of a millisecond and more. A
 * thread's bounds never change; ours are asked for once. Later versions ask only when they must, and get the same
 * answer. */

static void (*original_stack_bounds)(uintptr_t *bounds);

static void cached_stack_bounds(uintptr_t *bounds)
{
	static _Thread_local uintptr_t known[2];
	static _Thread_local int nknown; /* words: the lower bound alone in early releases of Go 1.21, then both */

	if (nknown == 0) {
		known[1] = UINTPTR_MAX;
		original_stack_bounds(known);
		nknown = known[1] == UINTPTR_MAX ? 1 : 2;
	}
	for (int i = 0; i < nknown; i++) {
		bounds[i] = known[i];
	}
}

static void cache_stack_bounds(struct gl_host *host)
{
	void (**variable)(uintptr_t *) = host->vars.stack_bound;

	if (variable != NULL && *variable != NULL) {
		original_stack_bounds = *variable;
		*variable = cached_stack_bounds;
	}
}

/* ---- children ---------------------------------------------------------------------------------------------------
 *
 * Where Go is a library, signals and children are not its own alone (host/children.h, process/signals.h). */

static int share_children(struct gl_host *host, struct gl_error *err)
{
	void (*tell)(struct gl_children *, uintptr_t *) =
		(void (*)(struct gl_children *, uintptr_t *))gl_host_export(host, "goloader_children");
	uintptr_t by[2];

	if (!host_shares_process(host)) {
		return 0;
	}
	if (host->ignores_pipe) {
		((uint32_t *)host->runtime.handling_sig)[SIGPIPE] = 0;
	}
	tell(gl_children(), by);
	gl_children_watch();
	return gl_replace_function((uintptr_t)host->runtime.syscall6, by[0], err) == 0 &&
			       gl_replace_function((uintptr_t)host->runtime.after_fork_in_child, by[1], err) == 0 ?
		       0 :
		       -1;
}

/* ---- the arena -------------------------------------------------------------------------------------------------- */

static bool within_reach(const struct gl_arena *arena, const struct gl_image *image)
{
	return gl_arena_low(arena) >= gl_image_high(image) &&
	       gl_arena_high(arena) - gl_image_low(image) < (uintptr_t)INT32_MAX;
}

/* Where no memory can become code, nothing could be loaded: that is said at once. */
static int check_code(struct gl_error *err)
{
	size_t size = gl_page_size();
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED) {
		return gl_fail(err, GL_ENOMEM, "%zu bytes of memory: %s", size, strerror(errno));
	}
	int refused = gl_arena_protect(page, size, GL_PROT_READ_EXEC, err);
	munmap(page, size);
	return refused;
}

static int place_arena(struct gl_host *host, struct gl_error *err)
{
	/* Above a program lies the C library's heap, which grows upwards. */
	static const size_t room_for_heap = (size_t)256 << 20;
	struct linker *linker = &host->linker;

	if (linker->arena != NULL && within_reach(linker->arena, linker->image)) {
		return 0;
	}
	gl_arena_free(linker->arena);
	linker->arena = gl_arena_reserve_between(gl_image_high(linker->image) + (host->is_program ? room_for_heap : 0),
						 gl_image_low(linker->image) + INT32_MAX, arena_size, err);
	return linker->arena != NULL ? 0 : -1;
}

/* Cuts the arena in two: modules, and code that is none of theirs. */
static int divide_arena(struct gl_host *host, struct gl_error *err)
{
	enum { COPIES = 16 }; /* their part of the whole */
	struct gl_arena *arena = host->linker.arena;

	host->copies = gl_arena_split(arena, gl_page_round((gl_arena_high(arena) - gl_arena_low(arena)) / COPIES), err);
	return host->copies != NULL ? lookup_open(&host->linker, err) : -1;
}

/* ---- a host that is there already ------------------------------------------------------------------------------- */

static bool is_program(const struct link_map *map) { return map->l_name == NULL || map->l_name[0] == '\0'; }

char *gl_host_self(void)
{
	void *init = dlsym(RTLD_DEFAULT, "goloader_init");
	Dl_info info;
	struct link_map *map;

	if (the_host != NULL) {
		return strdup(the_host->path);
	}
	if (init == NULL || dladdr1(init, &info, (void **)&map, RTLD_DL_LINKMAP) == 0) {
		return NULL;
	}
	return realpath(is_program(map) ? "/proc/self/exe" : map->l_name, NULL);
}

/* The threads that Go makes now keep what is blocked here. A program's must take every signal: one that it sends to the
 * thread that it is on (raise) would never come. */
static void *open_library(struct gl_host *host)
{
	struct gl_signals before;
	void *handle;

	if (host->for_program) {
		gl_signals_take();
		return dlopen(host->path, RTLD_NOW | RTLD_LOCAL);
	}
	gl_signals_hold(&before, gl_children());
	handle = dlopen(host->path, RTLD_NOW | RTLD_LOCAL);
	gl_signals_release(&before);
	host->ignores_pipe = before.pipe_is_ignored;
	return handle;
}

/* Loads the library, unless it is the program itself, which dlopen doesn't take by its name. */
static int open_image(struct gl_host *host, struct gl_error *err)
{
	char *self = gl_host_self();
	struct link_map *map;
	bool is_self = self != NULL && strcmp(self, host->path) == 0;

	if (self != NULL && !is_self) {
		gl_fail(err, GL_EHOST, "this process has a host already, %s: a process can have one Go runtime", self);
		free(self);
		return -1;
	}
	free(self);
	host->was_there = is_self;
	if (is_self) {
		host->handle = dlopen(host->path, RTLD_NOW | RTLD_NOLOAD);
		if (host->handle == NULL) {
			host->handle = dlopen(NULL, RTLD_NOW);
		}
	} else {
		/* a process may be allowed less address space (ulimit -v) */
		size_t room = arena_size;
		if (gl_limits_check(&room, least_arena_size, err) != 0) {
			return -1;
		}
		room &= -gl_page_size();
		for (size_t size = room; host->linker.arena == NULL; size /= 2) {
			host->linker.arena = gl_arena_reserve(size, err);
			if (host->linker.arena == NULL && size / 2 < least_arena_size) {
				return -1;
			}
		}
		host->handle = open_library(host);
	}
	if (host->handle == NULL || dlinfo(host->handle, RTLD_DI_LINKMAP, &map) != 0) {
		return gl_fail(err, GL_EHOST, "%s", dlerror());
	}
	host->is_program = is_program(map);
	host->linker.image = gl_image_open(host->handle, host->path, err);
	return host->linker.image != NULL ? 0 : -1;
}

/* ---- the face --------------------------------------------------------------------------------------------------- */

static void publish_lookup(struct gl_host *host)
{
	const struct lookup *lookup = &host->linker.lookup;
	struct gl_published pages = { .moduledata = (void *)lookup->moduledata, .is_listed = 1 };
	struct gl_published variables = { .moduledata = (void *)lookup->roots, .is_listed = 1 };

	host->runtime.arena_low = lookup->base;
	host->runtime.arena_high = gl_arena_high(host->linker.arena);
	host->runtime.owners = lookup->owners;
	host->runtime.image_low = gl_image_low(host->linker.image);
	host->runtime.image_high = gl_image_high(host->linker.image);
	host->publish(&pages);
	host->publish(&variables);
}

static void host_free(struct gl_host *host)
{
	if (host == NULL) {
		return;
	}
	/* a Go runtime can't be stopped: once loaded, the library stays, and so does what describes it */
	gl_image_free(host->linker.image);
	lookup_close(&host->linker.lookup);
	gl_arena_free(host->linker.arena);
	gl_arena_free(host->copies);
	gl_abi_free(host->abi);
	free((char *)host->linker.goroot);
	free(host->path);
	free(host->itself);
	free(host);
}

struct gl_host *gl_host_start(const char *path, const char *desc, bool for_program, struct gl_error *err)
{
	char desc_path[4096];
	struct gl_host *host = NULL;

	if (the_host != NULL) {
		if (strcmp(the_host->path, path) != 0) {
			gl_fail(err, GL_EHOST, "this process has a host already, %s: a process can have one Go runtime",
				the_host->path);
			return NULL;
		}
		return gl_host_check(the_host, err) == 0 ? the_host : NULL;
	}
	host = calloc(1, sizeof(*host));
	if (host == NULL || (host->path = strdup(path)) == NULL ||
	    (host->itself = calloc(1, sizeof(*host->itself))) == NULL) {
		gl_out_of_memory(err, "starting %s", path);
		goto fail;
	}
	host->itself->host = host;
	snprintf(desc_path, sizeof(desc_path), "%s.desc", path);
	host->abi = gl_abi_read(desc != NULL ? desc : desc_path, err);
	if (host->abi == NULL) {
		goto fail;
	}
	host->for_program = for_program;
	host->linker.abi = host->abi;
	host->names =
		(struct gl_runtime_names){ .abi = host->abi, .host = host->path, .find = find_symbol, .arg = host };
	if (check_code(err) != 0 || open_image(host, err) != 0 || place_arena(host, err) != 0 ||
	    check_protocol(host, err) != 0 || gl_runtime_check_version(&host->names, err) != 0 ||
	    gl_image_tls_offset(host->linker.image, &host->linker.tls_offset, err) != 0 ||
	    fill_runtime(host, err) != 0 || divide_arena(host, err) != 0) {
		goto fail;
	}
	find_exports(host);
	if (host_share_race_detector(host, find_symbol(host, "runtime.racearenastart", NULL),
				     find_symbol(host, "runtime.racedataend", NULL), err) != 0) {
		goto fail;
	}
	gl_debug_begin(host->abi, host->linker.firstmoduledata, host->is_program);
	if (share_children(host, err) != 0) {
		goto fail;
	}
	cache_stack_bounds(host);
	find_goroot(host);
	find_importcfg(host);
	host_begin_profile(host, host->was_there);
	publish_lookup(host);
	the_host = host;
	pthread_atfork(NULL, NULL, after_fork_in_child);
	return host;

fail:
	host_free(host);
	return NULL;
}

const struct gl_abi *gl_host_abi(const struct gl_host *host) { return host->abi; }
struct gl_arena *gl_host_copies(const struct gl_host *host) { return host->copies; }
struct gl_image *gl_host_image(const struct gl_host *host) { return host->linker.image; }
const char *gl_host_path(const struct gl_host *host) { return host->path; }
void *gl_host_export(const struct gl_host *host, const char *name) { return dlsym(host->handle, name); }

void gl_host_note_forks(struct gl_host *host, uint8_t *forked) { host->forked_in_go = forked; }

int gl_host_check(const struct gl_host *host, struct gl_error *err)
{
	if (host->forked) {
		return gl_fail(err, GL_EHOST,
			       "the host was started before this process forked, and a Go runtime does not survive "
			       "fork: start it in the child (in nginx: init_worker_by_lua)");
	}
	return 0;
}

int gl_host_add_archive(struct gl_host *host, const char *import_path, const char *file, const char *version,
			struct gl_error *err)
{
	return linker_add_archive(&host->linker, import_path, file, version, err) != NULL ? 0 : -1;
}

int gl_host_add_build(struct gl_host *host, const char *import_path, const char *file, struct gl_error *err)
{
	return linker_add_build(&host->linker, import_path, file, err);
}

size_t gl_host_missing(const struct gl_host *host, const char *const **packages)
{
	*packages = (const char *const *)host->missing;
	return host->nmissing;
}

size_t gl_host_unlinked(const struct gl_host *host, const char *const **files, bool *are_archives)
{
	*files = (const char *const *)host->unlinked;
	*are_archives = host->unlinked_archives;
	return host->nunlinked;
}

int gl_host_trust(struct gl_host *host, const struct gl_trust *trust, struct gl_error *err)
{
	struct linker *linker = &host->linker;

	if (linker->is_strict && !gl_trust_same_keys(&linker->trust, trust)) {
		return gl_fail(err, GL_ETRUST, "this process trusts other keys already");
	}
	if (!gl_trust_add(&linker->trust, trust)) {
		return gl_out_of_memory(err, "noting keys");
	}
	linker->is_strict = true;
	return 0;
}

size_t gl_host_unused(const struct gl_host *host, size_t *blocks)
{
	const struct gl_arena *arenas[] = { host->linker.arena, host->linker.lookup.variables,
					    host->linker.lookup.functions, host->copies };
	size_t n = 0, some;

	*blocks = 0;
	for (size_t i = 0; i < sizeof(arenas) / sizeof(arenas[0]); i++) {
		n += gl_arena_unused(arenas[i], &some);
		*blocks += some;
	}
	return n;
}

bool gl_host_is_strict(const struct gl_host *host) { return host->linker.is_strict; }

int gl_host_add_library(struct gl_host *host, const char *const *archives, size_t n, const char *file,
			struct gl_error *err)
{
	struct clib *lib = NULL;

	if (host->linker.is_strict) {
		return gl_fail(err, GL_ETRUST, "%s: this process loads only shipped modules", file);
	}
	for (struct lpkg *p = host->linker.archives; p != NULL; p = p->hh.next) {
		for (size_t i = 0; i < n && p->clib == NULL; i++) {
			if (strcmp(p->file, archives[i]) != 0) {
				continue;
			}
			if (lib == NULL && (lib = clib_open(file, err)) == NULL) {
				return -1;
			}
			p->clib = lib;
		}
	}
	return 0;
}
