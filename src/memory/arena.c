/* The arena (see arena.h): one reservation, cut into blocks of whole pages by a first-fit list. */
#include "arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Free ranges by age: a block is taken from the oldest range that fits, so that addresses rest as long as possible
 * before a later module gets them again. */
struct range {
	uintptr_t start;
	size_t size;
	struct range *next;
};

struct gl_arena {
	uintptr_t low, high;
	struct range *oldest;
};

size_t gl_page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

size_t gl_page_round(size_t size)
{
	size_t page = gl_page_size();

	return (size + page - 1) & ~(page - 1);
}

struct gl_arena *gl_arena_reserve(size_t size, struct gl_error *err)
{
	struct gl_arena *arena = calloc(1, sizeof(*arena));
	struct range *all = calloc(1, sizeof(*all));

	if (arena == NULL || all == NULL) {
		gl_fail(err, GL_ENOMEM, "arena: out of memory");
		goto fail;
	}
	void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		gl_fail(err, GL_ENOMEM, "arena: the kernel refuses %zu bytes of address space: %s", size, strerror(errno));
		goto fail;
	}
	*all = (struct range){ .start = (uintptr_t)p, .size = size };
	*arena = (struct gl_arena){ .low = (uintptr_t)p, .high = (uintptr_t)p + size, .oldest = all };
	return arena;

fail:
	free(arena);
	free(all);
	return NULL;
}

void gl_arena_free(struct gl_arena *arena)
{
	if (arena == NULL) {
		return;
	}
	munmap((void *)arena->low, arena->high - arena->low);
	for (struct range *r = arena->oldest, *next; r != NULL; r = next) {
		next = r->next;
		free(r);
	}
	free(arena);
}

uintptr_t gl_arena_low(const struct gl_arena *arena) { return arena->low; }
uintptr_t gl_arena_high(const struct gl_arena *arena) { return arena->high; }

void *gl_arena_take(struct gl_arena *arena, size_t size, struct gl_error *err)
{
	for (struct range **link = &arena->oldest; *link != NULL; link = &(*link)->next) {
		struct range *r = *link;
		if (r->size < size) {
			continue;
		}
		void *p = (void *)r->start;
		if (mprotect(p, size, PROT_READ | PROT_WRITE) != 0) {
			gl_fail(err, GL_ENOMEM, "arena: the kernel refuses %zu bytes of memory: %s", size, strerror(errno));
			return NULL;
		}
		r->start += size;
		r->size -= size;
		if (r->size == 0) {
			*link = r->next;
			free(r);
		}
		return p;
	}
	gl_fail(err, GL_ENOMEM, "arena: no %zu bytes left within reach of the host", size);
	return NULL;
}

/* Joins neighbours, the younger into the older one's place in the list. */
static void join_ranges(struct gl_arena *arena)
{
	for (struct range *a = arena->oldest; a != NULL; a = a->next) {
		for (struct range **link = &arena->oldest; *link != NULL;) {
			struct range *b = *link;
			if (b != a && (b->start == a->start + a->size || b->start + b->size == a->start)) {
				a->start = b->start < a->start ? b->start : a->start;
				a->size += b->size;
				*link = b->next;
				free(b);
				link = &arena->oldest; /* the grown range may touch another */
			} else {
				link = &b->next;
			}
		}
	}
}

void gl_arena_give(struct gl_arena *arena, void *block, size_t size)
{
	/* a fresh PROT_NONE mapping gives the pages back and forgets their contents in one step */
	mmap(block, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	struct range *r = calloc(1, sizeof(*r));
	if (r == NULL) {
		return; /* the addresses are lost, the memory is not */
	}
	*r = (struct range){ .start = (uintptr_t)block, .size = size };
	struct range **link = &arena->oldest;
	while (*link != NULL) {
		link = &(*link)->next;
	}
	*link = r;
	join_ranges(arena);
}

int gl_arena_protect(void *start, size_t size, enum gl_protection prot, struct gl_error *err)
{
	int flags = PROT_READ;

	switch (prot) {
	case GL_PROT_READ_EXEC: flags = PROT_READ | PROT_EXEC; break;
	case GL_PROT_READ: break;
	case GL_PROT_READ_WRITE: flags = PROT_READ | PROT_WRITE; break;
	}
	if (size > 0 && mprotect(start, size, flags) != 0) {
		return gl_fail(err, GL_ENOMEM, "mprotect of %zu bytes at %p: %s", size, start, strerror(errno));
	}
	return 0;
}
