/* uthash, with a hash for long names, and without the end of the process where memory is short. */
#ifndef GL_HASH_H
#define GL_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* For uthash, whose own functions take a name byte by byte: the names of symbols are long, and hashing them was a tenth
 * of a load. uthash goes by the low bits, in which each bit of the name must tell: hence both halves of the product. */
static inline uint64_t gl_hash_word(uint64_t hash, uint64_t word)
{
	unsigned __int128 product = (unsigned __int128)(hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline unsigned gl_hash(const void *key, size_t len)
{
	const uint8_t *p = key, *end = p + len;
	uint64_t hash = len, word = 0;

	for (; end - p > 8; p += 8) {
		memcpy(&word, p, 8);
		hash = gl_hash_word(hash, word);
	}
	if (len >= 8) {
		memcpy(&word, end - 8, 8); /* the rest, and some of it again */
	} else {
		memcpy(&word, p, len);
	}
	return (unsigned)gl_hash_word(hash, word);
}

#define HASH_FUNCTION(key, len, hash) (hash) = gl_hash((key), (len))

/* Short of memory, uthash would end the process; told so, it leaves the entry out with a NULL in hh.tbl, which whoever
 * relies on the entry checks. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#endif
