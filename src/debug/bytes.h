/* Bytes that are written one after the other, as ELF and DWARF want them on this processor. */
#ifndef GL_DEBUG_BYTES_H
#define GL_DEBUG_BYTES_H

#include <string.h>

#include "../grow.h"

struct bytes {
	uint8_t *p;
	size_t n, cap;
	bool failed; /* memory was short: what follows is not written */
};

/* n bytes to be filled in at once; NULL when memory is short. */
static inline uint8_t *bytes_take(struct bytes *b, size_t n)
{
	if (b->failed || (b->n + n > b->cap && !GL_RESERVE(b->p, b->n, n, b->cap))) {
		b->failed = true;
		return NULL;
	}
	b->n += n;
	return b->p + b->n - n;
}

static inline void put(struct bytes *b, const void *data, size_t n)
{
	uint8_t *at = n > 0 ? bytes_take(b, n) : NULL;

	if (at != NULL) {
		memcpy(at, data, n);
	}
}

static inline void put_8(struct bytes *b, uint8_t v) { put(b, &v, sizeof(v)); }
static inline void put_16(struct bytes *b, uint16_t v) { put(b, &v, sizeof(v)); }
static inline void put_32(struct bytes *b, uint32_t v) { put(b, &v, sizeof(v)); }
static inline void put_64(struct bytes *b, uint64_t v) { put(b, &v, sizeof(v)); }
static inline void put_string(struct bytes *b, const char *s) { put(b, s, strlen(s) + 1); }

static inline void put_uleb(struct bytes *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7) {
		put_8(b, (uint8_t)(v | 0x80));
	}
	put_8(b, (uint8_t)v);
}

static inline void put_sleb(struct bytes *b, int64_t v)
{
	for (; v < -0x40 || v >= 0x40; v >>= 7) {
		put_8(b, (uint8_t)(v | 0x80));
	}
	put_8(b, (uint8_t)(v & 0x7f));
}

static inline void put_align(struct bytes *b, size_t align, uint8_t with)
{
	while (b->n % align != 0 && !b->failed) {
		put_8(b, with);
	}
}

/* Sets the length that begins at a place, to what follows it so far. */
static inline void set_length(struct bytes *b, size_t at)
{
	uint32_t length = (uint32_t)(b->n - at - sizeof(length));

	if (!b->failed) {
		memcpy(b->p + at, &length, sizeof(length));
	}
}

#endif
