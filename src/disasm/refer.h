/* To what a function of the host's refers, by its machine code. */
#ifndef GL_REFER_H
#define GL_REFER_H

#include "../abi/abi.h"
#include "../image/image.h"

/* Calls fn with the function's number, for each symbol of the image that its code refers to: by calls and jumps out of
 * it, by addresses relative to the instruction, and by the address that a function value holds. A symbol may come more
 * than once; of names that are no functions of the image nothing comes. Until fn returns false. Fails with
 * GL_EUNSUPPORTED where there is no decoder. */
int gl_refer_each(struct gl_image *image, const char *const *functions, size_t n,
		  bool (*fn)(size_t i, const char *symbol, void *arg), void *arg, struct gl_error *err);

#endif
