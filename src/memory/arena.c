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

size_t gl_page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

size_t gl_page_round(size_t size)
{
	size_t page = gl_page_size();

	return (size + page - 1) & ~(page - 1);
}

static struct gl_arena *arena_of(void *p, size_t size, struct gl_error *err)
{
	struct gl_arena *arena = calloc(1, sizeof(*arena));
	struct range *all = calloc(1, sizeof(*all));

	if (arena == NULL || all == NULL) {
		free(arena);
		free(all);
		munmap(p, size);
		gl_fail(err, GL_ENOMEM, "arena: out of memory");
		return NULL;
	}
	*all = (struct range){ .start = (uintptr_t)p, .size = size };
	*arena = (struct gl_arena){ .low = (uintptr_t)p, .high = (uintptr_t)p + size, .oldest = all };
	return arena;
}

static void *reserve_at(uintptr_t hint, size_t size, int flags)
{
	return mmap((void *)hint, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

struct gl_arena *gl_arena_reserve(size_t size, struct gl_error *err)
{
	void *p = reserve_at(0, size, 0);

	if (p == MAP_FAILED) {
		gl_fail(err, GL_ENOMEM, "arena: the kernel refuses %zu bytes of address space: %s", size,
			strerror(errno));
		return NULL;
	}
	return arena_of(p, size, err);
}

struct gl_arena *gl_arena_reserve_between(uintptr_t low, uintptr_t high, size_t size, struct gl_error *err)
{
	const uintptr_t step = (uintptr_t)1 << 24;
	const size_t least = (size_t)1 << 26;

	for (; size >= least; size /= 2) {
		for (uintptr_t at = (low + step - 1) & ~(step - 1); at + size <= high && at >= low; at += step) {
			void *p = reserve_at(at, size, MAP_FIXED_NOREPLACE);
			if (p == MAP_FAILED) {
				continue;
			}
			if ((uintptr_t)p == at) {
				return arena_of(p, size, err);
			}
			munmap(p, size); /* a kernel that takes the address for a hint */
		}
	}
	gl_fail(err, GL_ENOMEM, "arena: no hole of %zu bytes of address space within reach of the host", least);
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
			gl_fail(err, GL_ENOMEM, "arena: the kernel refuses %zu bytes of memory: %s", size,
				strerror(errno));
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

/* Where the list has the first range, from link on, that lies directly before or behind r; its end when there is none.
 */
static struct range **find_neighbour(struct range **link, const struct range *r)
{
	while (*link != NULL && (*link)->start != r->start + r->size && (*link)->start + (*link)->size != r->start) {
		link = &(*link)->next;
	}
	return link;
}

static void take_in(struct range *older, struct range **link)
{
	struct range *r = *link;

	older->start = r->start < older->start ? r->start : older->start;
	older->size += r->size;
	*link = r->next;
	free(r);
}

/* Adds a range to the list as its youngest. No two of the list touch, so that it can have two neighbours at most: the
 * older of them takes it in, and then the other one. */
static void add_range(struct gl_arena *arena, struct range *youngest)
{
	struct range **link = find_neighbour(&arena->oldest, youngest), *older = *link;

	if (older == NULL) {
		*link = youngest;
		return;
	}
	take_in(older, &youngest);
	link = find_neighbour(&older->next, older);
	if (*link != NULL) {
		take_in(older, link);
	}
}

void gl_arena_give(struct gl_arena *arena, void *block, size_t size)
{
	/* a fresh PROT_NONE mapping gives the pages back and forgets their contents in one step */
	if (mmap(block, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
	    MAP_FAILED) {
		return; /* it stays as it is, and nobody gets it again */
	}

	struct range *r = calloc(1, sizeof(*r));
	if (r == NULL) {
		return; /* the addresses are lost, the memory is not */
	}
	*r = (struct range){ .start = (uintptr_t)block, .size = size };
	add_range(arena, r);
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
