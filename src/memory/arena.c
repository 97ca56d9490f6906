/* The arena (see arena.h): one reservation, cut into blocks of whole pages.
 *
 * Free ranges are the nodes of a tree, ordered by address, so that a range that comes back finds its neighbours; each
 * node knows the largest range below it, so that the first one that a block fits in is found from the root down. That
 * the lowest is taken keeps what is in use close together. The tree is a treap: a node has a random weight, and none
 * weighs more than its parent, which keeps it flat whatever the order of gives and takes is.
 *
 * What is given back first waits in a queue, oldest first, so that addresses rest before a later module gets them. */
#include "arena.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* How much may rest; or an eighth of the arena. Each range is noted, and what others note of its pages is memory that
 * has been written: a thousand small modules are eight megabytes. */
enum { MOST_RESTING = 16 << 20 };

/* The same of variables, whose pages are the process's as long as they rest; and by how much more can be written at
 * once, when the next of them is taken. */
enum { MOST_VARIABLES_RESTING = 32 << 10, OPENED_AT_ONCE = 256 << 10 };

struct range {
	uintptr_t start;
	size_t size;
	size_t largest; /* of the ranges from here down */
	uint32_t weight;
	struct range *left, *right;
	struct range *next; /* of a list */
};

/* Ranges lie beside each other: each on its own, they would keep much of a large heap from being given back. */
enum { SLAB = 64 };
struct slab {
	struct slab *next;
	struct range ranges[SLAB];
};

/* A block that was given back when there was no memory to note it, or the kernel refused to take its pages. Of more
 * than so many, at a time, the addresses are lost. */
enum { MOST_LATE = 64 };
struct late {
	uintptr_t start;
	size_t size;
	bool is_abandoned;
};

struct gl_arena {
	uintptr_t low, high;
	struct late late[MOST_LATE];
	size_t nlate;
	struct range *root;
	struct range *resting, **end_of_resting;
	struct range *abandoned;
	size_t resting_bytes, most_resting;
	uint32_t seed;
	bool of_variables; /* in another arena */
	uintptr_t opened;  /* from low to there it can be written */
	uintptr_t dumped;  /* and is in core files */
	uintptr_t reached;
	struct slab *slabs;
	struct range *unused; /* of them */
};

size_t gl_page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

size_t gl_page_round(size_t size)
{
	size_t page = gl_page_size();

	return (size + page - 1) & ~(page - 1);
}

static struct range *new_range(struct gl_arena *arena, uintptr_t start, size_t size)
{
	struct slab *slab = arena->unused == NULL ? calloc(1, sizeof(*slab)) : NULL;

	if (slab != NULL) {
		slab->next = arena->slabs;
		arena->slabs = slab;
		for (int i = 0; i < SLAB; i++) {
			slab->ranges[i].next = arena->unused;
			arena->unused = &slab->ranges[i];
		}
	}
	struct range *r = arena->unused;
	if (r != NULL) {
		arena->unused = r->next;
		*r = (struct range){ .start = start, .size = size, .largest = size };
	}
	return r;
}

static void free_range(struct gl_arena *arena, struct range *r)
{
	if (r != NULL) {
		r->next = arena->unused;
		arena->unused = r;
	}
}

/* All of it is free. */
static void begin(struct gl_arena *arena, struct range *all)
{
	arena->low = arena->reached = arena->opened = arena->dumped = all->start;
	arena->high = all->start + all->size;
	arena->root = all;
	arena->seed = 1;
	arena->end_of_resting = &arena->resting;
}

static struct gl_arena *arena_of(void *p, size_t size, struct gl_error *err)
{
	struct gl_arena *arena = calloc(1, sizeof(*arena));
	struct range *all = arena != NULL ? new_range(arena, (uintptr_t)p, size) : NULL;

	if (all == NULL) {
		free(arena);
		munmap(p, size);
		gl_fail(err, GL_ENOMEM, "arena: out of memory");
		return NULL;
	}
	begin(arena, all);
	arena->most_resting = size / 8 < MOST_RESTING ? size / 8 : MOST_RESTING;
	return arena;
}

/* What is only reserved stays out of core files: gdb's gcore would write gigabytes of zeros. */
static void *reserve_at(uintptr_t hint, size_t size, int flags)
{
	void *p = mmap((void *)hint, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);

	if (p != MAP_FAILED) {
		madvise(p, size, MADV_DONTDUMP);
	}
	return p;
}

/* Has core files have an arena's memory up to an address, once it comes into use, and some beyond: the kernel is asked
 * seldom. Without that, core files lack loaded code. */
static void dump_until(struct gl_arena *arena, uintptr_t high)
{
	const uintptr_t step = (uintptr_t)1 << 24;

	if (high > arena->dumped) {
		high = arena->high - arena->dumped > step && high < arena->dumped + step ? arena->dumped + step :
											   gl_page_round(high);
		if (madvise((void *)arena->dumped, high - arena->dumped, MADV_DODUMP) == 0) {
			arena->dumped = high;
		}
	}
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
	if (!arena->of_variables) {
		munmap((void *)arena->low, arena->high - arena->low);
	}
	for (struct slab *slab = arena->slabs, *next; slab != NULL; slab = next) {
		next = slab->next;
		free(slab);
	}
	free(arena);
}

struct gl_arena *gl_arena_split(struct gl_arena *arena, size_t size, struct gl_error *err)
{
	struct gl_arena *upper = arena_of((void *)(arena->high - size), size, err);

	/* what failed has unmapped it: nobody is to get it either way */
	arena->high -= size;
	arena->root->size = arena->root->largest = arena->root->size - size;
	return upper;
}

uintptr_t gl_arena_low(const struct gl_arena *arena) { return arena->low; }
uintptr_t gl_arena_high(const struct gl_arena *arena) { return arena->high; }
uintptr_t gl_arena_reached(const struct gl_arena *arena) { return arena->reached; }

/* ---- the tree of free ranges ------------------------------------------------------------------------------------- */

static size_t largest_of(const struct range *r) { return r != NULL ? r->largest : 0; }

static struct range *update(struct range *r)
{
	size_t below = largest_of(r->left) > largest_of(r->right) ? largest_of(r->left) : largest_of(r->right);

	r->largest = below > r->size ? below : r->size;
	return r;
}

/* Joins two trees; all of left is below all of right. */
static struct range *join(struct range *left, struct range *right)
{
	if (left == NULL || right == NULL) {
		return left != NULL ? left : right;
	}
	if (left->weight > right->weight) {
		left->right = join(left->right, right);
		return update(left);
	}
	right->left = join(left, right->left);
	return update(right);
}

/* Cuts a tree in two: what starts before an address, and the rest. */
static void cut(struct range *r, uintptr_t at, struct range **before, struct range **rest)
{
	if (r == NULL) {
		*before = *rest = NULL;
	} else if (r->start < at) {
		cut(r->right, at, &r->right, rest);
		*before = update(r);
	} else {
		cut(r->left, at, before, &r->left);
		*rest = update(r);
	}
}

/* Takes the lowest or the highest range out of a tree, when it begins or ends at an address. */
static struct range *take_out(struct range **tree, bool highest, uintptr_t touching)
{
	struct range *r = *tree;

	while (r != NULL && (highest ? r->right : r->left) != NULL) {
		r = highest ? r->right : r->left;
	}
	if (r == NULL || (highest ? r->start + r->size : r->start) != touching) {
		return NULL;
	}
	struct range *before, *same, *after;
	cut(*tree, r->start, &before, &same);
	cut(same, r->start + 1, &same, &after);
	*tree = join(before, after);
	return r;
}

/* Gives back the pages from an address to another that were in use for the last time, all of them in a free range. */
static void empty_pages(const struct range *r, uintptr_t from, uintptr_t to)
{
	uintptr_t page = gl_page_size(), low = (r->start + page - 1) & -page, high = (r->start + r->size) & -page;

	from &= -page;
	to = (to + page - 1) & -page;
	low = from > low ? from : low;
	high = to < high ? to : high;
	if (low < high) {
		madvise((void *)low, high - low, MADV_DONTNEED);
	}
}

/* Adds a range, which takes in those that it touches. */
static void add_range(struct gl_arena *arena, struct range *r)
{
	struct range *before, *after;
	uintptr_t start = r->start, end = r->start + r->size;

	cut(arena->root, r->start, &before, &after);
	struct range *left = take_out(&before, true, r->start);
	struct range *right = take_out(&after, false, r->start + r->size);
	if (left != NULL) {
		r->start = left->start;
		r->size += left->size;
	}
	r->size += right != NULL ? right->size : 0;
	free_range(arena, left);
	free_range(arena, right);
	if (arena->of_variables) {
		empty_pages(r, start, end);
	}
	/* xorshift32: any weights do that have nothing to do with the addresses */
	arena->seed ^= arena->seed << 13;
	arena->seed ^= arena->seed >> 17;
	arena->seed ^= arena->seed << 5;
	r->weight = arena->seed;
	r->left = r->right = NULL;
	arena->root = join(join(before, update(r)), after);
}

static bool has_room(const struct range *tree, size_t size) { return tree != NULL && tree->largest >= size; }

/* The lowest range that has size bytes. */
static const struct range *first_fit(const struct range *r, size_t size)
{
	while (has_room(r, size)) {
		if (has_room(r->left, size)) {
			r = r->left;
		} else if (r->size >= size) {
			return r;
		} else {
			r = r->right;
		}
	}
	return NULL;
}

/* Cuts size bytes off the start of the range that first_fit finds, if it finds one. */
static void cut_off(struct gl_arena *arena, struct range **link, size_t size)
{
	struct range *r = *link;

	if (!has_room(r, size)) {
		return;
	}
	if (has_room(r->left, size)) {
		cut_off(arena, &r->left, size);
	} else if (r->size >= size) {
		r->start += size; /* all that is left of it in the tree stays below, what is right above */
		r->size -= size;
	} else {
		cut_off(arena, &r->right, size);
	}
	if (r->size == 0) {
		*link = join(r->left, r->right);
		free_range(arena, r);
	} else {
		update(r);
	}
}

/* ---- taking and giving ------------------------------------------------------------------------------------------- */

/* Those that have rested longest can be taken again, until no more than most bytes rest. */
static void end_rest(struct gl_arena *arena, size_t most)
{
	while (arena->resting_bytes > most) {
		struct range *r = arena->resting;
		arena->resting = r->next;
		if (arena->resting == NULL) {
			arena->end_of_resting = &arena->resting;
		}
		arena->resting_bytes -= r->size;
		add_range(arena, r);
	}
}

static void take_back_abandoned(struct gl_arena *arena)
{
	for (struct range *r = arena->abandoned, *next; r != NULL; r = next) {
		next = r->next;
		add_range(arena, r);
	}
	arena->abandoned = NULL;
}

/* The lowest range that has size bytes, if need be one that should still rest. */
static const struct range *find_room(struct gl_arena *arena, size_t size, struct gl_error *err)
{
	const struct range *r = first_fit(arena->root, size);

	if (r == NULL) {
		end_rest(arena, 0);
		r = first_fit(arena->root, size);
	}
	if (r == NULL) {
		take_back_abandoned(arena);
		r = first_fit(arena->root, size);
	}
	if (r == NULL) {
		gl_fail(err, GL_ENOMEM, "arena: no %zu bytes left within reach of the host", size);
	}
	return r;
}

/* Has a block be written; of variables, a part of the arena. */
static int open_block(struct gl_arena *arena, uintptr_t start, size_t size, struct gl_error *err)
{
	uintptr_t low = start, high = start + size;

	if (arena->of_variables) {
		if (high <= arena->opened) {
			return 0;
		}
		low = arena->opened;
		high = arena->high - low > OPENED_AT_ONCE && high < low + OPENED_AT_ONCE ? low + OPENED_AT_ONCE :
											   gl_page_round(high);
	}
	if (mprotect((void *)low, high - low, PROT_READ | PROT_WRITE) != 0) {
		return gl_fail(err, GL_ENOMEM, "arena: the kernel refuses %zu bytes of memory: %s", size,
			       strerror(errno));
	}
	arena->opened = arena->of_variables ? high : arena->opened;
	dump_until(arena, high);
	return 0;
}

static void give_late(struct gl_arena *arena);

void *gl_arena_take(struct gl_arena *arena, size_t size, struct gl_error *err)
{
	give_late(arena);

	const struct range *r = find_room(arena, size, err);

	if (r == NULL || open_block(arena, r->start, size, err) != 0) {
		return NULL;
	}
	uintptr_t start = r->start;
	cut_off(arena, &arena->root, size);
	arena->reached = start + size > arena->reached ? start + size : arena->reached;
	return (void *)start;
}

struct gl_arena *gl_arena_of_variables(struct gl_arena *from, size_t size, struct gl_error *err)
{
	const struct range *r = find_room(from, size, err);
	struct gl_arena *arena = calloc(1, sizeof(*arena));
	struct range *all = r != NULL && arena != NULL ? new_range(arena, r->start, size) : NULL;

	if (all == NULL) {
		free(arena);
		if (r != NULL) {
			gl_fail(err, GL_ENOMEM, "arena: out of memory");
		}
		return NULL;
	}
	begin(arena, all);
	arena->of_variables = true;
	arena->most_resting = MOST_VARIABLES_RESTING;
	cut_off(from, &from->root, size);
	return arena;
}

/* Gives a block's pages back to the kernel, and forgets their contents. False without memory of ours or the kernel's:
 * then it stays as it is. */
static bool give(struct gl_arena *arena, const struct late *block)
{
	if (arena->of_variables) {
		memset((void *)block->start, 0, block->size);
	}
	struct range *r = new_range(arena, block->start, block->size);
	/* a fresh PROT_NONE mapping takes the pages and closes them in one step */
	if (r == NULL || (!arena->of_variables &&
			  mmap((void *)block->start, block->size, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)) {
		free_range(arena, r);
		return false;
	}
	if (block->is_abandoned) {
		r->next = arena->abandoned;
		arena->abandoned = r;
		return true;
	}
	*arena->end_of_resting = r;
	arena->end_of_resting = &r->next;
	arena->resting_bytes += block->size;
	end_rest(arena, arena->most_resting);
	return true;
}

static void give_late(struct gl_arena *arena)
{
	while (arena->nlate > 0 && give(arena, &arena->late[arena->nlate - 1])) {
		arena->nlate--;
	}
}

/* Whoever gives can't be told that it fails: it is tried again with the next block that is taken or given. */
static void give_or_note(struct gl_arena *arena, struct late block)
{
	give_late(arena);
	if (!give(arena, &block) && arena->nlate < MOST_LATE) {
		arena->late[arena->nlate++] = block;
	}
}

void gl_arena_give(struct gl_arena *arena, void *block, size_t size)
{
	give_or_note(arena, (struct late){ .start = (uintptr_t)block, .size = size });
}

void gl_arena_abandon(struct gl_arena *arena, void *block, size_t size)
{
	give_or_note(arena, (struct late){ .start = (uintptr_t)block, .size = size, .is_abandoned = true });
}

static size_t bytes_in(const struct range *tree)
{
	return tree == NULL ? 0 : tree->size + bytes_in(tree->left) + bytes_in(tree->right);
}

size_t gl_arena_unused(const struct gl_arena *arena, size_t *blocks)
{
	size_t n = bytes_in(arena->root) + arena->resting_bytes;

	*blocks = 0;
	for (const struct slab *slab = arena->slabs; slab != NULL; slab = slab->next) {
		++*blocks;
	}
	for (const struct range *r = arena->abandoned; r != NULL; r = r->next) {
		n += r->size;
	}
	return n;
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
		if (prot == GL_PROT_READ_EXEC && errno == EACCES) {
			return gl_fail(
				err, GL_EHOST,
				"this process may not make new code executable (systemd's MemoryDenyWriteExecute "
				"and SELinux's execmem forbid it)");
		}
		return gl_fail(err, GL_ENOMEM, "mprotect of %zu bytes at %p: %s", size, start, strerror(errno));
	}
	return 0;
}
