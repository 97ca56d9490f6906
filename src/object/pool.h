/* Memory that is given back at once: strings and small arrays that live as long as what they describe. */
#ifndef GL_POOL_H
#define GL_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct gl_pool_block;
struct gl_pool {
	struct gl_pool_block *blocks; /* newest first */
	size_t used, size;            /* bytes of the newest */
	size_t total;                 /* of all */
};

/* Zeroed memory, aligned for any object; NULL when there is none. */
void *gl_pool_take(struct gl_pool *pool, size_t size);
/* Makes room for so many bytes at once, for an array and strings behind it. */
bool gl_pool_reserve(struct gl_pool *pool, size_t size);
char *gl_pool_string(struct gl_pool *pool, const char *p, size_t n);
void gl_pool_free(struct gl_pool *pool);

/* A growing text. After a failure (no memory, or longer than GL_TEXT_MAX) it stays failed and what is added is lost. */
enum { GL_TEXT_MAX = 1 << 20 };
struct gl_text {
	char *p;
	size_t n, cap;
	int failed;
	int is_long; /* that is why it failed: not for want of memory */
};
void gl_text_add(struct gl_text *text, const char *p, size_t n);
void gl_text_puts(struct gl_text *text, const char *s);
/* The text, for the caller to free; NULL (and nothing to free) when it failed. */
char *gl_text_take(struct gl_text *text);

#endif
