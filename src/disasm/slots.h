/* Which words of a frame may code still read? A word that a function spilled and will not load again is as dead as a
 * register, and no table of the compiler's says so where the word is no pointer to the collector. The code does. */
#ifndef GL_SLOTS_H
#define GL_SLOTS_H

#include "../host/runtime.h"

/* Answers for each; what can't be told (capstone is not installed, the code does what no compiled code does, memory is
 * short) is a yes. */
void gl_slots_find_reads(struct gl_slot *slots, size_t n);

#endif
