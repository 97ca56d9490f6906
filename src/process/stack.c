#include "stack.h"

#include <pthread.h>
#include <stdint.h>

/* A thread's stack stays where it is. Both are 0 until it was asked for; to ask takes the C library a while. */
static _Thread_local uintptr_t low, high;

static void find_stack(void)
{
	pthread_attr_t attr;
	void *start;
	size_t size;

	low = high = 1;
	if (pthread_getattr_np(pthread_self(), &attr) != 0) {
		return;
	}
	if (pthread_attr_getstack(&attr, &start, &size) == 0) {
		low = (uintptr_t)start;
		high = low + size;
	}
	pthread_attr_destroy(&attr);
}

size_t gl_stack_left(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	if (high == 0) {
		find_stack();
	}
	return here >= low && here < high ? here - low : SIZE_MAX;
}
