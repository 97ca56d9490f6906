/* Thunks (see thunks.h).
 *
 * A thunk puts C's words into Go's registers, changes to the room's stack where the function checks its own, and calls
 * the copy through a word that says where that is. */
#include "thunks.h"

#if defined(__x86_64__)

void put_failure(struct text *t, struct block *b, enum gl_pure_status status, uintptr_t to)
{
	PUT(t, 0x48, 0xc7, 0x05);
	put_offset(t, (uintptr_t)&b->cell.status, 4);
	put_32(t, status);
	put_jump(t, to);
}

static void put_settle(struct text *t, struct block *b)
{
	PUT(t, 0x48, 0x8d, 0x3d); /* lea b, %rdi */
	put_offset_of(t, b);
	PUT(t, 0x48, 0xb8); /* mov $settle, %rax */
	put_64(t, (uintptr_t)pure_settle);
	PUT(t, 0xff, 0xd0); /* call *%rax */
}

/* Go's argument registers (cmd/compile/abi-internal.md), and what C's caller finds unchanged. */
static const uint8_t go_ints[] = { AX, BX, CX, DI, SI, 8, 9, 10, 11 };
static const uint8_t kept_by_c[] = { BX, BP, 12, 13, 14, 15 };
enum { MOST_FLOATS = 8, MOST_RESULT_FLOATS = 15 };

/* C's words to Go's registers: rdi, rsi, rdx, rcx, r8, r9, then the stack, of which `pushed` words are the thunk's. */
static void put_arguments(struct text *t, size_t n, size_t pushed)
{
	static const uint8_t moves[][3] = { { AX, DI, 1 }, { BX, SI, 2 }, { DI, CX, 4 },
					    { CX, DX, 3 }, { SI, 8, 5 },  { 8, 9, 6 } };

	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		if (n >= moves[i][2]) {
			put_move(t, moves[i][0], moves[i][1]);
		}
	}
	for (size_t i = 6; i < n; i++) { /* mov …(%rsp), %r9 to %r11 */
		PUT(t, 0x4c, 0x8b, (uint8_t)(0x44 | (go_ints[i] & 7) << 3), 0x24, (uint8_t)(8 * (pushed + 1 + i - 6)));
	}
}

void put_thunk(struct text *t, struct block *b, struct thunk *thunk, const struct gl_pure_shape *shape,
	       const struct gl_proof *proof, struct ends *ends)
{
	uint32_t written = proof->written | (shape->nints > 1 ? 1U << BX : 0) | (proof->checks_stack ? 1U << 14 : 0);
	bool to_cell = shape->int_results + shape->float_results > 1;
	size_t pushed = 0;

	for (size_t i = 0; i < sizeof(kept_by_c); i++) {
		if (written >> kept_by_c[i] & 1) {
			put_push(t, kept_by_c[i]);
			pushed++;
		}
	}
	put_arguments(t, shape->nints, pushed);
	put_store(t, SP, &b->saved_sp);
	if (proof->checks_stack) {
		put_load(t, SP, &b->stack_top);
		PUT(t, 0x4c, 0x8d, 0x35); /* lea g, %r14 */
		put_offset_of(t, b->g);
	} else {
		PUT(t, 0x48, 0x81, 0xec); /* sub $…, %rsp */
		put_32(t, (int64_t)((proof->args + 15) & ~(size_t)15) + (pushed % 2 == 0 ? 8 : 0));
	}
	PUT(t, 0x45, 0x0f, 0x57, 0xff); /* xorps %xmm15, %xmm15 */
	PUT(t, 0x48, 0xff, 0x05);       /* incq calls */
	put_offset_of(t, &thunk->calls);
	PUT(t, 0xff, 0x15); /* call *code */
	put_offset_of(t, &thunk->code);

	uintptr_t back = (uintptr_t)t->at + t->n;
	for (size_t i = 0; i < shape->float_results; i++) {
		bool single = shape->singles >> i & 1;
		put_plain_nan(t, (int)i, single, single ? (const void *)&b->single_nan : &b->nan);
	}
	for (size_t i = 0; to_cell && i < shape->int_results; i++) {
		put_store(t, go_ints[i], &b->cell.ints[i]);
	}
	for (size_t i = 0; to_cell && i < shape->float_results; i++) {
		put_store_float(t, (int)i, &b->cell.floats[i]);
	}
	uintptr_t tail = (uintptr_t)t->at + t->n;
	put_load(t, SP, &b->saved_sp);
	if (proof->sets_direction) {
		PUT(t, 0xfc); /* cld */
	}
	for (size_t i = sizeof(kept_by_c); i-- > 0;) {
		if (written >> kept_by_c[i] & 1) {
			put_pop(t, kept_by_c[i]);
		}
	}
	PUT(t, 0xc3);

	/* A failure, from wherever the stack pointer is. */
	ends->fail = (uintptr_t)t->at + t->n;
	put_load(t, SP, &b->saved_sp);
	PUT(t, 0x48, 0x83, 0xe4, 0xf0); /* and $-16, %rsp */
	put_settle(t, b);
	put_jump(t, tail);

	/* There is no copy any more. */
	ends->closed = (uintptr_t)t->at + t->n;
	put_failure(t, b, GL_PURE_CLOSED, tail);

	/* Returns here instead of behind the call, having been deep in the stack. */
	ends->deep = (uintptr_t)t->at + t->n;
	for (size_t i = 0; proof->checks_stack && i < sizeof(go_ints); i++) {
		put_push(t, go_ints[i]);
	}
	if (proof->checks_stack) {
		PUT(t, 0x48, 0x83, 0xec, 0x78); /* sub $120, %rsp: aligned, since nine words were pushed */
		for (int i = 0; i < MOST_RESULT_FLOATS; i++) {
			put_spill_float(t, i, (uint8_t)(8 * i), false);
		}
		put_settle(t, b);
		for (int i = 0; i < MOST_RESULT_FLOATS; i++) {
			put_spill_float(t, i, (uint8_t)(8 * i), true);
		}
		PUT(t, 0x48, 0x83, 0xc4, 0x78); /* add $120, %rsp */
		for (size_t i = sizeof(go_ints); i-- > 0;) {
			put_pop(t, go_ints[i]);
		}
		put_jump(t, back);
	}
}

void put_morestack(struct text *t, struct block *b, const struct ends *ends, uintptr_t too_deep)
{
	put_push(t, AX);
	put_load(t, AX, &b->hard);
	PUT(t, 0x48, 0x39, 0x05); /* cmp %rax, guard */
	put_offset_of(t, pure_stackguard_of(b));
	PUT(t, 0x0f, 0x84); /* je */
	put_offset(t, too_deep, 0);
	put_store(t, AX, pure_stackguard_of(b));
	put_push(t, CX);
	put_load(t, CX, &b->stack_top);
	PUT(t, 0x48, 0x8d, 0x05); /* lea deep, %rax */
	put_offset(t, ends->deep, 0);
	PUT(t, 0x48, 0x89, 0x41, 0xf8); /* mov %rax, -8(%rcx) */
	put_pop(t, CX);
	put_pop(t, AX);
	PUT(t, 0xc3);
}

#endif
