/* The C parts of packages (those that import "C"), as a shared library that the C compiler's linker has made of them.
 *
 * References go both ways. Go's to C are few and all alike: cmd/cgo makes Go call C by an address that a variable
 * holds, so that it doesn't matter how far away the system has placed the library; dlsym answers them. For C's to Go
 * (exported functions, and what cmd/cgo's wrappers call of runtime/cgo) the library brings one jump each, through a
 * table of addresses: it is the same file in whatever process, wherever host and module lie. The table is filled before
 * any Go code of the module runs. lua/goloader/building/cgo.lua writes the jumps:
 *
 *     goloader_go_names   the names, in C, each ended by NUL; an empty one is the last
 *     goloader_go_slots   an address for each
 *
 * and what Go refers to, because C can hide that from the dynamic linker (-fvisibility=hidden):
 *
 *     goloader_c_symbols  pairs of a name and an address (struct clib_symbol); the last is two zeros
 *
 * Each module has its own copy of its library: C's variables are as much the module's as Go's. It is closed when the
 * module has been unloaded and nobody in C uses it any more (clib_users.c); that of resident packages stays, as they
 * do.
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../object/file.h"
#include "clib_users.h"
#include "link.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct clib_symbol *)a)->name, ((const struct clib_symbol *)b)->name);
}

/* Libraries that were linked before there was such a table have none. */
static void sort_symbols(struct clib *lib)
{
	lib->symbols = dlsym(lib->handle, "goloader_c_symbols");
	while (lib->symbols != NULL && lib->symbols[lib->nsymbols].name != NULL) {
		lib->nsymbols++;
	}
	if (lib->symbols != NULL && lib->nsymbols > 0) {
		qsort(lib->symbols, lib->nsymbols, sizeof(*lib->symbols), by_name);
	}
}

/* Takes fd. */
static struct clib *open_library(const char *file, int fd, const char *name, struct gl_error *err)
{
	struct clib *lib = calloc(1, sizeof(*lib));
	struct clib_snapshot before = { 0 };

	if (lib == NULL || clib_snapshot_take(&before) != 0) {
		gl_fail(err, GL_ENOMEM, "%s: out of memory", file);
		goto fail;
	}
	snprintf(lib->name, sizeof(lib->name), "%s", name);
	lib->handle = dlopen(name[0] != '\0' ? name : file, RTLD_NOW | RTLD_LOCAL);
	if (lib->handle == NULL) {
		gl_fail(err, GL_ELIBRARY, "error while loading shared libraries: %s", dlerror());
		goto fail;
	}
	lib->fd = fd;
	if (clib_snapshot_compare(&before, lib) != 0) {
		gl_fail(err, GL_ENOMEM, "%s: out of memory", file);
		free(before.bases);
		clib_close(lib);
		return NULL;
	}
	free(before.bases);
	lib->names = dlsym(lib->handle, "goloader_go_names");
	lib->slots = dlsym(lib->handle, "goloader_go_slots");
	sort_symbols(lib);
	if (lib->names == NULL || lib->slots == NULL) {
		gl_fail(err, GL_EFORMAT, "%s was not linked for goloader: it has no goloader_go_names", file);
		clib_close(lib);
		return NULL;
	}
	return lib;

fail:
	free(before.bases);
	free(lib);
	if (fd >= 0) {
		close(fd);
	}
	return NULL;
}

struct clib *clib_open(const char *file, struct gl_error *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct statvfs place;
	uint8_t *bytes;
	size_t size;

	if (fd < 0 || fstatvfs(fd, &place) != 0 || (place.f_flag & ST_NOEXEC) == 0) {
		return open_library(file, fd, "", err);
	}
	/* nothing can be mapped as code where the file lies: a copy in memory can */
	close(fd);
	if (file_read(file, &bytes, &size, err) != 0) {
		return NULL;
	}
	struct clib *lib = clib_open_bytes(file, bytes, size, err);
	free(bytes);
	return lib;
}

struct clib *clib_open_bytes(const char *from, const uint8_t *bytes, size_t size, struct gl_error *err)
{
	int fd = memfd_create("goloader", MFD_CLOEXEC);
	char name[sizeof(((struct clib *)NULL)->name)];

	while (fd >= 0 && size > 0) {
		ssize_t n = write(fd, bytes, size);
		if (n < 0 && errno != EINTR) {
			break;
		}
		bytes += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || size > 0) {
		gl_fail(err, GL_EIO, "%s: its parts in C find no memory: %s", from, strerror(errno));
		if (fd >= 0) {
			close(fd);
		}
		return NULL;
	}
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return open_library(from, fd, name, err);
}

int clib_read(const struct clib *lib, struct gl_bytes *out, struct gl_error *err)
{
	uint8_t buf[1 << 14];
	off_t at = 0;
	ssize_t n;

	while ((n = lib->fd < 0 ? -1 : pread(lib->fd, buf, sizeof(buf), at)) > 0) {
		gl_bytes_add(out, buf, (size_t)n);
		at += n;
	}
	return n == 0 ? 0 : gl_fail(err, GL_EIO, "the packages' parts in C can't be read: %s", strerror(errno));
}

/* What an exported Go function is when its module is gone: its caller gets zeros. C code may call it all the same while
 * the library is being closed, from a destructor or a function given to atexit. */
static void nothing(void) {}

static void disconnect_exports(struct clib *lib)
{
	const char *name = lib->names;

	for (size_t i = 0; name != NULL && lib->slots != NULL && *name != '\0'; i++, name += strlen(name) + 1) {
		if (strncmp(name, "_cgoexp_", 8) == 0) {
			__atomic_store_n(&lib->slots[i], (uintptr_t)nothing, __ATOMIC_RELEASE);
		}
	}
}

void clib_close(struct clib *lib)
{
	if (lib == NULL) {
		return;
	}
	disconnect_exports(lib);
	dlclose(lib->handle);
	/* the dynamic linker knows libraries by their names: one that stays keeps its own, so that no other gets it */
	bool stays = lib->name[0] != '\0' && dlopen(lib->name, RTLD_NOW | RTLD_NOLOAD) != NULL;
	if (lib->fd >= 0 && !stays) {
		close(lib->fd);
	}
	free(lib->objects);
	free(lib);
}

bool clib_is_used(struct clib *lib, const struct clib_go *go, char *who, size_t size)
{
	lib->next = NULL;
	clib_find_users(lib, go, who, size);
	return lib->objects[0].use == CLIB_USED;
}

void clib_span(const struct clib *lib, uintptr_t *low, uintptr_t *high)
{
	*low = lib->objects[0].low;
	*high = lib->objects[0].high;
}

struct clib *clib_next(const struct clib *lib) { return lib->next; }
void clib_set_go_refers(struct clib *lib, bool refers) { lib->go_refers = refers; }

/* A library that it depends on, and that only it has opened, would go with it: where that is used, it is opened once
 * more. */
static void keep_dependencies(const struct clib *lib)
{
	for (size_t i = 1; i < lib->nobjects; i++) {
		if (lib->objects[i].use != CLIB_UNUSED) {
			(void)dlopen(lib->objects[i].name, RTLD_NOW | RTLD_NOLOAD);
		}
	}
}

void clib_release(struct clib *lib, struct clib **kept, const struct clib_go *go)
{
	if (lib == NULL) {
		return;
	}
	disconnect_exports(lib);
	lib->next = *kept;
	*kept = lib;
	clib_find_users(*kept, go, NULL, 0);
	for (struct clib **link = kept; *link != NULL;) {
		struct clib *at = *link;
		if (at->objects[0].use != CLIB_UNUSED || at->go_refers) {
			link = &at->next;
			continue;
		}
		*link = at->next;
		keep_dependencies(at);
		clib_close(at);
	}
}

bool clib_is_connected(const struct clib *lib) { return lib->connected; }

uintptr_t clib_find(const struct clib *lib, const char *name)
{
	const struct clib_symbol key = { .name = name };
	const struct clib_symbol *found =
		lib->nsymbols == 0 ? NULL : bsearch(&key, lib->symbols, lib->nsymbols, sizeof(key), by_name);

	return found != NULL && found->addr != 0 ? found->addr : (uintptr_t)dlsym(lib->handle, name);
}

bool clib_is_function(uintptr_t addr)
{
	Dl_info info;
	const ElfW(Sym) *sym = NULL;

	if (dladdr1((void *)addr, &info, (void **)&sym, RTLD_DL_SYMENT) == 0 || sym == NULL) {
		return false;
	}
	int type = sym->st_info & 0xf;
	return type == STT_FUNC || type == STT_GNU_IFUNC;
}

/* "getaddrinfo#GLIBC_2.2.5" names a version too. The library stays: nobody counts who uses it. */
uintptr_t clib_find_dynamic(const struct gl_cgo_import *import)
{
	void *handle = import->lib[0] == '\0' ? RTLD_DEFAULT : dlopen(import->lib, RTLD_NOW | RTLD_GLOBAL);
	const char *hash = strchr(import->remote, '#');
	char name[256];

	if (handle == NULL && import->lib[0] != '\0') {
		return 0;
	}
	if (hash == NULL) {
		return (uintptr_t)dlsym(handle, import->remote);
	}
	size_t n = (size_t)(hash - import->remote);
	if (n >= sizeof(name)) {
		return 0;
	}
	memcpy(name, import->remote, n);
	name[n] = '\0';
	return (uintptr_t)dlvsym(handle, name, hash + 1);
}

/* ---- what Go refers to ------------------------------------------------------------------------------------------ */

/* A program's C functions are in reach of dlsym, as they would be natively. */
static void make_global(const struct clib *lib, const char *file)
{
	void *again = dlopen(lib->name[0] != '\0' ? lib->name : file, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);

	if (again != NULL) {
		dlclose(again);
	}
}

/* Constructors in C run when a library is opened, so a load opens that of its module only once nothing is missing. */
int clib_bind(struct link *l, const char *file, bool is_program)
{
	if (!l->has_library) {
		return 0;
	}
	l->clib = l->gom != NULL ? link_shipped_own_library(l) : clib_open(file, l->err);
	if (l->clib == NULL) {
		return -1;
	}
	if (is_program) {
		make_global(l->clib, file);
	}
	for (uint32_t i = 0; i < l->npackages; i++) {
		if (!l->packages[i].is_used) {
			l->packages[i].clib = l->clib;
		}
	}
	for (uint32_t i = 0; i < l->nsyms; i++) {
		struct lsym *s = link_sym(l, i);
		if (!s->is_far || s->addr != 0 || !s->obj->pkg->is_module) {
			continue;
		}
		const struct gl_cgo *cgo = gl_package_cgo(s->obj->pkg->pkg);
		const char *name = gl_cgo_find_import(cgo, s->name.p, s->name.n)->remote;
		s->addr = clib_find(l->clib, name);
		if (s->addr == 0) {
			return gl_fail(l->err, GL_EMISSING, "%s: package %s refers to %s in C, which %s doesn't have",
				       s->obj->pkg->file, s->obj->pkg->path, name, file != NULL ? file : l->gom->file);
		}
	}
	return 0;
}

/* ---- what C refers to ------------------------------------------------------------------------------------------- */

/* The address of a Go symbol that C calls name: an export of the packages that share the library, or the host's. */
static uintptr_t go_address(struct link *l, const struct clib *lib, const char *name)
{
	struct gl_image_sym sym;

	for (uint32_t i = 0; i < l->npackages; i++) {
		uint32_t s = l->packages[i].clib == lib ? link_root_export(l, &l->packages[i], name) : NO_SYM;
		if (s != NO_SYM) {
			return link_sym(l, s)->addr;
		}
	}
	for (struct lpkg *p = link_archives(l); p != NULL; p = p->hh.next) {
		uint32_t s = p->clib == lib && p->pkg != NULL ? link_root_export(l, p, name) : NO_SYM;
		if (s != NO_SYM) {
			return link_sym(l, s)->addr;
		}
	}
	return gl_image_lookup(l->linker->image, name, strlen(name), &sym) ? sym.addr : 0;
}

/* Not every host has all that C could call: what is missing in an older Go is called by nobody. */
static void connect_library(struct link *l, struct clib *lib)
{
	const char *name = lib->names;

	for (size_t i = 0; *name != '\0'; i++, name += strlen(name) + 1) {
		__atomic_store_n(&lib->slots[i], go_address(l, lib, name), __ATOMIC_RELEASE);
	}
	lib->connected = true;
}

void clib_connect(struct link *l)
{
	if (l->clib != NULL) {
		connect_library(l, l->clib);
	}
	for (uint32_t i = 0; i < l->nwanted_clibs; i++) {
		connect_library(l, l->wanted_clibs[i]);
	}
}
