/* Writing machine code of amd64, as far as thunks and the stubs of copies need it. */
#ifndef GL_CALL_PURE_ASM_H
#define GL_CALL_PURE_ASM_H

#include "room.h"

/* Code on its way to `at`. */
struct text {
	uint8_t *at;
	uint8_t bytes[THUNK_SIZE];
	size_t n;
	bool failed;
};

enum { AX, CX, DX, BX, SP, BP, SI, DI }; /* and r8 to r15, as the processor counts */

#define PUT(t, ...) put_bytes(t, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

void put_bytes(struct text *t, const void *bytes, size_t n);
void put_32(struct text *t, int64_t n);
void put_64(struct text *t, uint64_t n);
/* The last four bytes of an instruction: the offset to an address, of which `behind` more bytes follow. */
void put_offset(struct text *t, uintptr_t to, size_t behind);
void put_offset_of(struct text *t, const void *to);
void put_jump(struct text *t, uintptr_t to);
void put_push(struct text *t, int reg);
void put_pop(struct text *t, int reg);
/* mov from, to */
void put_move(struct text *t, int to, int from);
/* mov reg, at */
void put_store(struct text *t, int reg, const void *at);
/* mov at, reg */
void put_load(struct text *t, int reg, const void *at);
/* movsd %xmm…, at */
void put_store_float(struct text *t, int reg, const void *at);
/* A NaN becomes *nan: ucomisd %xmm…, %xmm…; jnp over the next; movsd nan, %xmm… (or ucomiss, movss) */
void put_plain_nan(struct text *t, int reg, bool single, const void *nan);
/* movsd %xmm…, off(%rsp), or back */
void put_spill_float(struct text *t, int reg, uint8_t off, bool back);

#endif
