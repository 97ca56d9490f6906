/* Limits of the process under which Go's runtime would end it. */
#ifndef GL_PROCESS_LIMITS_H
#define GL_PROCESS_LIMITS_H

#include <stddef.h>

#include "../error.h"

/* Before the runtime is started. *room is how much address space there may be for modules beside what the runtime takes
 * for itself; it is only made smaller. Fails with GL_ELIMIT, naming the limit and what is needed, where less than least
 * bytes would be left, or where the threads could not be made that the runtime starts with. */
int gl_limits_check(size_t *room, size_t least, struct gl_error *err);

#endif
