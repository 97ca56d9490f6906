/* Arrays that grow: room is made for twice as many elements as there was room for, and more where more are wanted.
 *
 * list is a variable that points to the array, n the number of its elements, cap the number that it has room for (a
 * variable of any unsigned type). Where memory is short, or no cap of that type can hold the number, the result is
 * false, and the array is as it was. The array is freed with free(). */
#ifndef GL_GROW_H
#define GL_GROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is there room for more elements behind the first n? */
#define GL_RESERVE(list, n, more, cap)                                                                                 \
	__extension__({                                                                                                \
		size_t cap_ = (cap);                                                                                   \
		void *grown_ =                                                                                         \
			gl_grown((list), (n), (more), sizeof(*(list)), (size_t)(__typeof__(cap))SIZE_MAX, &cap_);      \
		if (grown_ != NULL) {                                                                                  \
			(list) = grown_;                                                                               \
			(cap) = (__typeof__(cap))cap_;                                                                 \
		}                                                                                                      \
		grown_ != NULL;                                                                                        \
	})

/* Is there room for one more? */
#define GL_GROW(list, n, cap) GL_RESERVE(list, n, 1, cap)

/* What the macros call: the array, moved if it had to be; NULL when it can't grow. */
void *gl_grown(void *list, size_t n, size_t more, size_t size, size_t most, size_t *cap);

#endif
