/* A function of the host's that is to be another one. */
#ifndef GL_PROCESS_REPLACE_H
#define GL_PROCESS_REPLACE_H

#include <stdint.h>

#include "../error.h"

/* Has all calls of the function at an address go to another, of the same type and at most 2 GiB away. The page is
 * replaced as a whole: it is never writable and executable, and threads may run what else is on it. Nobody may be in
 * the first five bytes of the function. */
int gl_replace_function(uintptr_t function, uintptr_t by, struct gl_error *err);

#endif
