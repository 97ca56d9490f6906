/* Many calls of one function in one crossing (src/call/many.c, src/host/many.go). */
#ifndef GL_HOST_MANY_H
#define GL_HOST_MANY_H

#include "call.h"

struct gl_many {
	struct gl_call call; /* its streams hold the arguments of all calls, one after the other, and so the results */
	uint64_t n;
	int discard; /* results are of no interest, but for an error */
	/* out */
	uint64_t done; /* calls that have come back: fewer than n where one panicked, or returned an error */
	int failed;    /* the last of them returned an error */
};

#endif
