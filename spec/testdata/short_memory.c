/* Preloaded: lets the library's allocation number fail_at, counted from when that was set, come to nothing. Only what
 * the thread that set it asks for on behalf of core.so counts. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

static _Thread_local long left;

void fail_at(long n) { left = n; }
long fail_left(void) { return left; }

static int is_the_librarys(const void *caller)
{
	Dl_info info;

	return dladdr(caller, &info) != 0 && info.dli_fname != NULL && strstr(info.dli_fname, "core.so") != NULL;
}

static int fails(const void *caller) { return left > 0 && is_the_librarys(caller) && --left == 0; }

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n) { return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, n); }

char *strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = fails(__builtin_return_address(0)) ? NULL : __libc_malloc(len + 1);

	if (copy != NULL) {
		memcpy(copy, s, len);
		copy[len] = '\0';
	}
	return copy;
}

char *strdup(const char *s)
{
	size_t len = strlen(s) + 1;
	char *copy = fails(__builtin_return_address(0)) ? NULL : __libc_malloc(len);

	return copy != NULL ? memcpy(copy, s, len) : NULL;
}
