/* Preloaded: lets call number n of core.so's for memory or to the system fail, counted from when refuse(n, kinds) was
 * called, as the system would let it fail; and counts what core.so has of memory and mappings, so that it can be told
 * whether something is lost. Only calls of the thread that has asked count, or with
 * ANY_THREAD those of all; inotify's, which Lua makes, from anywhere.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { MEMORY = 1, MAP = 2, FILES = 4, THREADS = 8, ANY_THREAD = 16, SHORT = 32 };

static long left;
static int refused_kinds;
static const char *refused_what = "";
static _Thread_local int asks;
static uintptr_t core_low, core_high;

void refuse(long n, int kinds)
{
	if (n > 0) {
		refused_what = "";
	}
	asks = 1;
	__atomic_store_n(&refused_kinds, kinds, __ATOMIC_SEQ_CST);
	__atomic_store_n(&left, n, __ATOMIC_SEQ_CST);
}
/* What was refused; "" when it did not come to that. */
const char *refused(void) { return refused_what; }

static int is_core(const void *caller)
{
	uintptr_t at = (uintptr_t)caller;
	Dl_info info;

	if (core_high == 0 && dladdr(caller, &info) != 0 && info.dli_fname != NULL &&
	    strstr(info.dli_fname, "goloader/core.so") != NULL) {
		const ElfW(Ehdr) *head = info.dli_fbase;
		const ElfW(Phdr) *parts = (const ElfW(Phdr) *)((const char *)head + head->e_phoff);
		core_low = (uintptr_t)head;
		for (int i = 0; i < head->e_phnum; i++) {
			uintptr_t end = core_low + parts[i].p_vaddr + parts[i].p_memsz;
			core_high = parts[i].p_type == PT_LOAD && end > core_high ? end : core_high;
		}
	}
	return core_high != 0 && at >= core_low && at < core_high;
}

static int fails(int kind, const char *what, int error)
{
	int kinds = __atomic_load_n(&refused_kinds, __ATOMIC_RELAXED);

	if (__atomic_load_n(&left, __ATOMIC_RELAXED) <= 0 || (kinds & kind) == 0 ||
	    (!asks && (kinds & ANY_THREAD) == 0) || __atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST) != 0) {
		return 0;
	}
	refused_what = what;
	errno = error;
	return 1;
}

#define FAILS(kind, what, error) (is_core(__builtin_return_address(0)) && fails(kind, what, error))

/* ---- what core.so has ----------------------------------------------------------------------------------------------
 */

enum { SLOTS = 1 << 20 };
static uintptr_t slots[SLOTS];
static long live, mapped;
static int locked;

static size_t place(uintptr_t p) { return (p >> 4) * 0x9e3779b97f4a7c15U >> 44; }

static void *note(void *p, const void *caller)
{
	if (p == NULL || !is_core(caller)) {
		return p;
	}
	while (__atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE)) {
	}
	size_t i = place((uintptr_t)p);
	while (slots[i] > 1 && slots[i] != (uintptr_t)p) {
		i = (i + 1) % SLOTS;
	}
	live += slots[i] != (uintptr_t)p;
	slots[i] = (uintptr_t)p;
	__atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
	return p;
}

static void forget(void *p)
{
	if (p == NULL || live == 0) {
		return;
	}
	while (__atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE)) {
	}
	for (size_t i = place((uintptr_t)p); slots[i] != 0; i = (i + 1) % SLOTS) {
		if (slots[i] == (uintptr_t)p) {
			slots[i] = 1; /* was taken */
			live--;
			break;
		}
	}
	__atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
}

long live_blocks(void) { return live; }
long mapped_bytes(void) { return mapped; }

/* ---- memory --------------------------------------------------------------------------------------------------------
 */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

#define CALLER __builtin_return_address(0)

void *malloc(size_t n) { return FAILS(MEMORY, "malloc", ENOMEM) ? NULL : note(__libc_malloc(n), CALLER); }

void *calloc(size_t n, size_t size)
{
	return FAILS(MEMORY, "calloc", ENOMEM) ? NULL : note(__libc_calloc(n, size), CALLER);
}

void *realloc(void *p, size_t n)
{
	if (FAILS(MEMORY, "realloc", ENOMEM)) {
		return NULL;
	}
	void *grown = __libc_realloc(p, n);
	if (grown != NULL) {
		forget(p);
	}
	return note(grown, CALLER);
}

void free(void *p)
{
	forget(p);
	__libc_free(p);
}

char *strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = FAILS(MEMORY, "strndup", ENOMEM) ? NULL : note(__libc_malloc(len + 1), CALLER);

	if (copy != NULL) {
		memcpy(copy, s, len);
		copy[len] = '\0';
	}
	return copy;
}

char *strdup(const char *s)
{
	size_t len = strlen(s) + 1;
	char *copy = FAILS(MEMORY, "strdup", ENOMEM) ? NULL : note(__libc_malloc(len), CALLER);

	return copy != NULL ? memcpy(copy, s, len) : NULL;
}

/* ---- mappings ------------------------------------------------------------------------------------------------------
 */

void *mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	if (FAILS(MAP, "mmap", ENOMEM)) {
		return MAP_FAILED;
	}
	void *p = (void *)syscall(SYS_mmap, addr, size, prot, flags, fd, offset);
	if (p != MAP_FAILED && (flags & MAP_FIXED) == 0 && is_core(CALLER)) {
		__atomic_add_fetch(&mapped, (long)size, __ATOMIC_RELAXED);
	}
	return p;
}

int munmap(void *addr, size_t size)
{
	if (FAILS(MAP, "munmap", ENOMEM)) {
		return -1;
	}
	if (is_core(CALLER)) {
		__atomic_sub_fetch(&mapped, (long)size, __ATOMIC_RELAXED);
	}
	return (int)syscall(SYS_munmap, addr, size);
}

int mprotect(void *addr, size_t size, int prot)
{
	return FAILS(MAP, "mprotect", ENOMEM) ? -1 : (int)syscall(SYS_mprotect, addr, size, prot);
}

/* ---- files ---------------------------------------------------------------------------------------------------------
 */

int open(const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	int mode = (flags & O_CREAT) != 0 ? va_arg(args, int) : 0;
	va_end(args);
	return FAILS(FILES, "open", EMFILE) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* Reading and writing an eventfd can't fail: it is 8 bytes in the kernel, and there is nobody to wait for. */
static unsigned char is_eventfd[4096];

static int is_file(int fd) { return fd < 0 || fd >= (int)sizeof(is_eventfd) || !is_eventfd[fd]; }

ssize_t read(int fd, void *p, size_t n)
{
	if (is_file(fd) && FAILS(SHORT, "short read", 0)) {
		return 0; /* the file has shrunk */
	}
	return is_file(fd) && FAILS(FILES, "read", EIO) ? -1 : syscall(SYS_read, fd, p, n);
}
ssize_t write(int fd, const void *p, size_t n)
{
	return is_file(fd) && FAILS(FILES, "write", ENOSPC) ? -1 : syscall(SYS_write, fd, p, n);
}
ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	return FAILS(FILES, "pread", EIO) ? -1 : syscall(SYS_pread64, fd, p, n, at);
}
int memfd_create(const char *name, unsigned int flags)
{
	return FAILS(FILES, "memfd_create", EMFILE) ? -1 : (int)syscall(SYS_memfd_create, name, flags);
}
int eventfd(unsigned int n, int flags)
{
	int fd = FAILS(FILES, "eventfd", EMFILE) ? -1 : (int)syscall(SYS_eventfd2, n, flags);

	if (fd >= 0 && fd < (int)sizeof(is_eventfd)) {
		is_eventfd[fd] = 1;
	}
	return fd;
}
int close(int fd)
{
	if (fd >= 0 && fd < (int)sizeof(is_eventfd)) {
		is_eventfd[fd] = 0;
	}
	return (int)syscall(SYS_close, fd);
}
int rename(const char *from, const char *to)
{
	return FAILS(FILES, "rename", EACCES) ? -1 : (int)syscall(SYS_rename, from, to);
}
ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return FAILS(FILES, "pwrite", ENOSPC) ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}
int ftruncate(int fd, off_t size)
{
	return FAILS(FILES, "ftruncate", ENOSPC) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}
int fstat(int fd, struct stat *st) { return FAILS(FILES, "fstat", EIO) ? -1 : (int)syscall(SYS_fstat, fd, st); }
int epoll_create1(int flags)
{
	return FAILS(FILES, "epoll_create1", EMFILE) ? -1 : (int)syscall(SYS_epoll_create1, flags);
}
int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	return FAILS(FILES, "epoll_ctl", ENOSPC) ? -1 : (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);
}
int timerfd_create(int clock, int flags)
{
	return FAILS(FILES, "timerfd_create", EMFILE) ? -1 : (int)syscall(SYS_timerfd_create, clock, flags);
}
int timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *from)
{
	return FAILS(FILES, "timerfd_settime", EINVAL) ? -1 : (int)syscall(SYS_timerfd_settime, fd, flags, to, from);
}
int inotify_init1(int flags)
{
	return fails(FILES, "inotify_init1", EMFILE) ? -1 : (int)syscall(SYS_inotify_init1, flags);
}
int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	return fails(FILES, "inotify_add_watch", ENOSPC) ? -1 : (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}

/* stdio's own calls are made from within the C library: what core.so asks of it fails as a whole. */
size_t fwrite(const void *p, size_t size, size_t n, FILE *f)
{
	return FAILS(FILES, "fwrite", ENOSPC) ? 0 : fwrite_unlocked(p, size, n, f);
}

int fclose(FILE *f)
{
	static int (*next)(FILE *);

	if (next == NULL) {
		next = (int (*)(FILE *))dlsym(RTLD_NEXT, "fclose");
	}
	int fails_now = FAILS(FILES, "fclose", ENOSPC), ret = next(f);
	if (fails_now) {
		errno = ENOSPC;
	}
	return fails_now ? EOF : ret;
}

FILE *fdopen(int fd, const char *mode)
{
	static FILE *(*next)(int, const char *);

	if (next == NULL) {
		next = (FILE * (*)(int, const char *)) dlsym(RTLD_NEXT, "fdopen");
	}
	return FAILS(MEMORY, "fdopen", ENOMEM) ? NULL : next(fd, mode);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (next == NULL) {
		next = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT,
												      "pthread_create");
	}
	return FAILS(THREADS, "pthread_create", EAGAIN) ? EAGAIN : next(thread, attr, start, arg);
}
