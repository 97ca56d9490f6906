/* Faults in copies: a nil dereference, a division by zero and a stack that is used up go on at the thunk's end. */
#ifndef GL_CALL_PURE_FAULTS_H
#define GL_CALL_PURE_FAULTS_H

#include <stdint.h>

#include "../../error.h"

/* Where code lies that is a copy, for the signal handler: never freed, since that may be looking. */
struct region {
	_Atomic uintptr_t low, high;
	uintptr_t fail; /* where a fault goes on */
	uint64_t *status;
	uintptr_t guard_low, guard_high;
	struct region *next;
};

/* A region that is empty; NULL when memory is short. */
struct region *pure_region_new(void);
void pure_region_set(struct region *r, uintptr_t low, uintptr_t high);
/* From now on the region is nobody's, and pure_region_new may give it again. */
void pure_region_clear(struct region *r);
/* Sees to it that faults come here first. */
int pure_catch_faults(struct gl_error *err);

#endif
