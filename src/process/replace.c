#include "replace.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "../memory/arena.h"

#define CANT_BE_REPLACED "code of the host can't be replaced: %s"

enum { JUMP_SIZE = 5 };

/* A copy of the whole pages in [start, start+size) in which a jump at the function leads elsewhere. NULL and an error
   where there can be none. */
static void *copy_pages(uintptr_t start, size_t size, uintptr_t function, int32_t distance, struct gl_error *err)
{
	uint8_t *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (copy == MAP_FAILED) {
		gl_fail(err, GL_EHOST, CANT_BE_REPLACED, strerror(errno));
		return NULL;
	}
	memcpy(copy, (const void *)start, size);
	copy[function - start] = 0xe9; /* jmp */
	memcpy(copy + (function - start) + 1, &distance, sizeof(distance));
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

	if (distance != (int32_t)distance) {
		return gl_fail(err, GL_EHOST, "the function at %#llx can't be replaced by one that is so far away",
			       (unsigned long long)function);
	}
	void *copy = copy_pages(start, size, function, (int32_t)distance, err);
	if (copy == NULL) {
		return -1;
	}
	if (mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)start) == MAP_FAILED) {
		gl_fail(err, GL_EHOST, CANT_BE_REPLACED, strerror(errno));
		munmap(copy, size);
		return -1;
	}
	return 0;
}
