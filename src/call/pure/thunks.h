/* Thunks: entries by C's calling convention, and ways out of copies. */
#ifndef GL_CALL_PURE_THUNKS_H
#define GL_CALL_PURE_THUNKS_H

#include "asm.h"

/* Where a thunk is entered other than from its beginning. */
struct ends {
	uintptr_t fail;   /* a call has failed, with the stack pointer anywhere */
	uintptr_t deep;   /* instead of behind the call, from a function that has used much of the stack */
	uintptr_t closed; /* instead of in the copy, when there is none any more */
};

/* movq $status, cell.status; jmp to */
void put_failure(struct text *t, struct block *b, enum gl_pure_status status, uintptr_t to);
void put_thunk(struct text *t, struct block *b, struct thunk *thunk, const struct gl_pure_shape *shape,
	       const struct gl_proof *proof, struct ends *ends);
/* What stands for runtime.morestack: past the soft guard the function may go on to the hard one. */
void put_morestack(struct text *t, struct block *b, const struct ends *ends, uintptr_t too_deep);

#endif
