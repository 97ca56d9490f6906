/* Copies of proven code: stubs, code, jump tables. */
#ifndef GL_CALL_PURE_COPY_H
#define GL_CALL_PURE_COPY_H

#include "thunks.h"

enum { STUB_SIZE = 64, STUBS = GL_PURE_CLOSED + 1 };

struct copy {
	uint8_t *base;
	size_t stubs[STUBS], morestack; /* offsets */
	size_t *funcs, *tables;         /* offsets too: as many as the proof has of them */
};

/* Where everything goes; returns the size. */
size_t pure_lay_copy(const struct gl_proof *proof, struct copy *c);
int pure_write_copy(const struct gl_proof *proof, const struct copy *c, size_t size, struct block *b,
		    const struct ends *ends, struct gl_error *err);
uintptr_t pure_address_in(const struct copy *c, size_t off);

#endif
