/* What the prover (prover.h) knows of registers and of the words of a frame at some place in a function. */
#ifndef GL_VALUES_H
#define GL_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "insn.h"

enum value_kind {
	UNKNOWN,   /* anything */
	CONST,     /* n */
	FRAME,     /* the address n bytes above the return address */
	STACK,     /* an address somewhere in the stack: in one of the parts */
	SYMBOL,    /* the address n; in parts: MOVED, where no instruction of this function names it */
	LENT,      /* an address of memory that may be read */
	GOROUTINE, /* the address n bytes above the goroutine's */
	CALLERS    /* what the caller had in rbp, which a callee may change for its own time */
};

enum { MOVED = 1 };
enum { OWN = 1, ARGS = 2, OUTER = 4 }; /* parts of the stack: below the return address, above it, callers' frames */

struct value {
	uint8_t kind, parts;
	int64_t n;
};

extern const struct value value_unknown;
struct value value_const(int64_t n);
bool value_is_pointer(struct value v);
/* An address at some distance from v. */
struct value value_near(struct value v);
/* What holds of both. Nil and a pointer make that pointer: to follow it is right, or faults. */
struct value value_join(struct value a, struct value b);
struct value value_add(struct value a, struct value b);

/* Words of the frame of which something is known; more than that is forgotten. */
enum { MOST_SLOTS = 40 };

struct slot {
	int64_t off;
	struct value v;
};

struct state {
	struct value regs[NREGS];
	struct slot slots[MOST_SLOTS];
	uint32_t nslots;
};

/* Of the word at off, counted from the return address. */
struct value state_load(const struct state *s, int64_t off);
/* Sets the size bytes at off, of which a value is remembered when they are a word. */
void state_store(struct state *s, int64_t off, unsigned size, struct value v);
/* Forgets the words that overlap [low, high). */
void state_forget(struct state *s, int64_t low, int64_t high);
/* Forgets the words in some parts of the stack. */
void state_forget_parts(struct state *s, unsigned parts);
/* Joins from into to; tells whether that changed it. */
bool state_join(struct state *to, const struct state *from);

#endif
