/* Memory that is given back at once (see pool.h): blocks in a list, each filled from its start. Most pools stay small,
 * and there is one or more for each module: blocks are small, and half as large as what there is already. */
#include "pool.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_SIZE = 1 << 8, LARGEST_SIZE = 16 << 10, LEAST_TEXT = 64 };

struct gl_pool_block {
	struct gl_pool_block *next;
	alignas(max_align_t) char bytes[];
};

static bool add_block(struct gl_pool *pool, size_t room)
{
	struct gl_pool_block *block = calloc(1, sizeof(*block) + room);

	if (block != NULL) {
		block->next = pool->blocks;
		pool->blocks = block;
		pool->used = 0;
		pool->size = room;
		pool->total += room;
	}
	return block != NULL;
}

static void *take(struct gl_pool *pool, size_t size, size_t align)
{
	size_t at = (pool->used + align - 1) & ~(align - 1);

	if (pool->blocks == NULL || at > pool->size || size > pool->size - at) {
		size_t room = pool->total / 2 & ~(alignof(max_align_t) - 1);
		room = room < LEAST_SIZE ? LEAST_SIZE : room > LARGEST_SIZE ? LARGEST_SIZE : room;
		if (!add_block(pool, size > room ? size : room)) {
			return NULL;
		}
		at = 0;
	}
	pool->used = at + size;
	return pool->blocks->bytes + at;
}

void *gl_pool_take(struct gl_pool *pool, size_t size) { return take(pool, size, alignof(max_align_t)); }

bool gl_pool_reserve(struct gl_pool *pool, size_t size)
{
	return (pool->blocks != NULL && size <= pool->size - pool->used) || add_block(pool, size);
}

char *gl_pool_string(struct gl_pool *pool, const char *p, size_t n)
{
	char *s = take(pool, n + 1, 1);

	if (s != NULL && n > 0) {
		memcpy(s, p, n);
	}
	return s;
}

void gl_pool_free(struct gl_pool *pool)
{
	while (pool->blocks != NULL) {
		struct gl_pool_block *next = pool->blocks->next;
		free(pool->blocks);
		pool->blocks = next;
	}
	pool->used = pool->size = pool->total = 0;
}

void gl_text_add(struct gl_text *text, const char *p, size_t n)
{
	if (text->failed) {
		return;
	}
	if (n > GL_TEXT_MAX - text->n) {
		text->failed = text->is_long = 1;
		return;
	}
	if (text->n + n + 1 > text->cap) {
		size_t cap = (text->n + n + 1) * 2;
		cap = cap < LEAST_TEXT ? LEAST_TEXT : cap;
		char *grown = realloc(text->p, cap);
		if (grown == NULL) {
			text->failed = 1;
			return;
		}
		text->p = grown;
		text->cap = cap;
	}
	memcpy(text->p + text->n, p, n);
	text->n += n;
	text->p[text->n] = '\0';
}

void gl_text_puts(struct gl_text *text, const char *s) { gl_text_add(text, s, strlen(s)); }

char *gl_text_take(struct gl_text *text)
{
	gl_text_add(text, "", 0);
	char *p = text->p;
	if (text->failed) {
		free(p);
		p = NULL;
	}
	*text = (struct gl_text){ .failed = text->failed, .is_long = text->is_long };
	return p;
}
