#include "grow.h"

#include <stdlib.h>

void *gl_grown(void *list, size_t n, size_t more, size_t size, size_t most, size_t *cap)
{
	enum { FIRST = 8 };

	if (list != NULL && *cap >= n && *cap - n >= more) {
		return list;
	}
	if (most > PTRDIFF_MAX / size) {
		most = PTRDIFF_MAX / size;
	}
	if (n > most || more > most - n) {
		return NULL;
	}
	size_t want = *cap < most / 2 ? *cap * 2 : most;
	if (want < n + more) {
		want = n + more;
	}
	if (want < FIRST && most >= FIRST) {
		want = FIRST;
	}
	void *grown = realloc(list, want * size);
	if (grown != NULL) {
		*cap = want;
	}
	return grown;
}
