/* What looks up code in files (perf, bpftrace, strace -k) goes by the process's mappings. A page of other memory among
 * those of a library has no names, and libunwind has none for what lies behind it either. So the page that takes the
 * place of another is that one, moved away and back: where it was is read from the file again meanwhile, and in the end
 * the kernel has one mapping, as before. Kernels that can't do that (before Linux 5.13), and pages that are not as in
 * their file, get memory of no file. */
#include "replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../memory/arena.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4 /* linux/mman.h, of Linux 5.7 */
#endif

#define CANT_BE_REPLACED "code of the host can't be replaced: %s"

enum { JUMP_SIZE = 5 };

/* Writes where nobody may, as debuggers do. */
static bool force_write(void *at, const void *content, size_t size)
{
	int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	bool done = memory >= 0 && pwrite(memory, content, size, (off_t)(uintptr_t)at) == (ssize_t)size;

	if (memory >= 0) {
		close(memory);
	}
	return done;
}

/* Are they mapped from a file, and nobody has written to them? */
static bool are_of_file(uintptr_t start, size_t size)
{
	static const uint64_t present = 1ULL << 63, of_file = 1ULL << 61; /* Documentation/admin-guide/mm/pagemap.rst */
	int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	bool all = map >= 0;

	for (size_t at = 0; all && at < size; at += gl_page_size()) {
		uint64_t page = 0;
		off_t entry = (off_t)((start + at) / gl_page_size() * sizeof(page));
		(void)*(const volatile uint8_t *)(start + at); /* which has it be there */
		all = pread(map, &page, sizeof(page), entry) == sizeof(page) &&
		      (page & (present | of_file)) == (present | of_file);
	}
	if (map >= 0) {
		close(map);
	}
	return all;
}

/* The pages themselves, moved elsewhere, with the jump in them; NULL where that can't be. */
static void *move_pages(uintptr_t start, size_t size, size_t at, const uint8_t *jump)
{
	uint8_t *copy = are_of_file(start, size) ?
				mremap((void *)start, size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL) :
				MAP_FAILED;

	if (copy == MAP_FAILED) {
		return NULL;
	}
	if (!force_write(copy + at, jump, JUMP_SIZE)) {
		munmap(copy, size);
		return NULL;
	}
	return copy;
}

/* A copy of them, in memory of no file; NULL and an error where there can be none. */
static void *copy_pages(uintptr_t start, size_t size, size_t at, const uint8_t *jump, struct gl_error *err)
{
	uint8_t *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (copy == MAP_FAILED) {
		gl_fail(err, GL_EHOST, CANT_BE_REPLACED, strerror(errno));
		return NULL;
	}
	memcpy(copy, (const void *)start, size);
	memcpy(copy + at, jump, JUMP_SIZE);
	if (gl_arena_protect(copy, size, GL_PROT_READ_EXEC, err) != 0) {
		munmap(copy, size);
		return NULL;
	}
	return copy;
}

int gl_replace_function(uintptr_t function, uintptr_t by, struct gl_error *err)
{
	uintptr_t start = function & -(uintptr_t)gl_page_size();
	size_t size = gl_page_round(function + JUMP_SIZE - start);
	int64_t distance = (int64_t)(by - (function + JUMP_SIZE));
	int32_t short_distance;
	uint8_t jump[JUMP_SIZE] = { 0xe9 };

	if (distance < INT32_MIN || distance > INT32_MAX) {
		return gl_fail(err, GL_EHOST, "the function at %#llx can't be replaced by one that is so far away",
			       (unsigned long long)function);
	}
	short_distance = (int32_t)distance;
	memcpy(jump + 1, &short_distance, sizeof(short_distance));
	void *pages = move_pages(start, size, function - start, jump);
	if (pages == NULL) {
		pages = copy_pages(start, size, function - start, jump, err);
	}
	if (pages == NULL) {
		return -1;
	}
	if (mremap(pages, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)start) == MAP_FAILED) {
		gl_fail(err, GL_EHOST, CANT_BE_REPLACED, strerror(errno));
		munmap(pages, size);
		return -1;
	}
	return 0;
}
