/* How Go calls a Lua function that it was given for a func parameter (src/call/callback.c, src/host/callback.go). */
#ifndef GL_HOST_CALLBACK_H
#define GL_HOST_CALLBACK_H

#include "call.h"

enum gl_callback_status {
	GL_CALLBACK_DONE,  /* the stream holds a word, 0: the results; 1: an error, in the place of results */
	GL_CALLBACK_ERROR, /* it holds what a panic with a Lua error is told by: number and serial number of the error
			    * value, and its text */
	GL_CALLBACK_AWAY,  /* Lua can't be called from here */
};

struct gl_callback {
	void *caller;   /* the gl_call's */
	uintptr_t name; /* what messages call the function: Go's bytes, for the time of the call */
	size_t name_len;
	uint64_t number;         /* of the function, as in the stream of arguments */
	struct gl_buffer stream; /* Go's: arguments, then results */
	enum gl_callback_status status;
};

#endif
