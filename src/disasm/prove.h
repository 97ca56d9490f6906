/* Facts about machine code: does a function, with all that it calls, need no Go runtime?
 *
 * Code that only computes, reads what it was given and writes to its own stack may run anywhere: without a goroutine,
 * without the scheduler's leave, on any stack. Whether it is such code is told by following every path through it with
 * what is known of each register and each word of the frame: does it hold an address in the stack, an address of
 * memory that the caller lends, the address of a symbol, a constant, or anything? What is loaded from elsewhere may be
 * anything: an address read from a variable must not be followed, since the collector, which waits for nobody who is
 * no goroutine, may free what it points to.
 *
 * Where a path can only end in a panic it may do what it likes on its way there, to make up a message for example: the
 * copy gives up at the first thing that is forbidden.
 *
 * What is believed: that an index stays within what it indexes (the compiler checks it, and unsafe code that lies is
 * wrong on every road), and that a callee keeps to its calling convention. */
#ifndef GL_PROVE_H
#define GL_PROVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../error.h"
#include "disasm.h"

enum gl_callee {
	GL_CALLEE_CODE,      /* to be looked into */
	GL_CALLEE_PANIC,     /* never returns */
	GL_CALLEE_MORESTACK, /* returns once there is room, with no register kept */
	GL_CALLEE_REFUSED,   /* needs the runtime */
};

struct gl_routine {
	const char *name;
	uintptr_t addr, end; /* of all of the function: a call may lead to its middle */
	enum gl_callee kind;
	const char *does; /* GL_CALLEE_REFUSED: "allocates", completing "calls runtime.newobject, which …" */
	int why;          /* GL_CALLEE_PANIC: what the prover passes on */
};

/* Who lives where. */
struct gl_prove_env {
	bool (*find_code)(void *arg, uintptr_t addr, struct gl_routine *code); /* the function that covers addr */
	bool (*is_constant)(void *arg, uintptr_t addr, size_t size); /* can be read, and nobody ever writes there */
	gl_symbolize_fn *symbolize;
	void *arg;
	int32_t stackguard; /* offset of the one field of runtime.g that may be read */
};

/* What an instruction refers to that must be told anew when it is copied. */
enum gl_ref {
	GL_REF_NONE,
	GL_REF_DATA,      /* target is an address, 32 bits from the end of the instruction, told at its byte `at` */
	GL_REF_CODE,      /* likewise; target is function number `index`, at its entry */
	GL_REF_PANIC,     /* likewise; bound to a stub: index is gl_routine's why */
	GL_REF_MORESTACK, /* likewise */
	GL_REF_TABLE,     /* likewise: target is jump table number `index` */
	GL_REF_G,         /* loads the goroutine's address into r14: to be that of the copy's, by a lea of 7 bytes */
	GL_REF_GIVE_UP,   /* is on the way to a panic: a copy ends there */
	GL_REF_DROPPED    /* the second half of that, which does nothing in a copy */
};

struct gl_fact {
	uint32_t off; /* from the function's entry */
	uint8_t size;
	uint8_t at;
	enum gl_ref ref;
	uint32_t index;
	uintptr_t target;
};

/* A function of a proof: from an entry to its end. What no path leads to is not among the facts. */
struct gl_proved {
	const char *name;
	uintptr_t addr;
	size_t size;
	const struct gl_fact *facts;
	size_t nfacts;
};

struct gl_jump_table {
	uintptr_t addr;
	uint32_t func; /* whose code the entries, absolute addresses, lie in */
	uint32_t n;
};

/* An instruction that forbids it, and why: "stores to memory that is not the frame". */
struct gl_remark {
	uint32_t func;
	uintptr_t addr;
	const char *text;
};

struct gl_proof {
	bool holds;                    /* there are no remarks */
	const struct gl_proved *funcs; /* the first is the one that was asked for */
	size_t nfuncs;
	const struct gl_jump_table *tables;
	size_t ntables;
	const struct gl_remark *remarks; /* by function and address */
	size_t nremarks;
	uint32_t written;    /* bit i: general register i, as the processor counts them, is written somewhere */
	bool checks_stack;   /* reads the stack guard: may need any amount of stack */
	bool sets_direction; /* sets the direction flag, somewhere */
	size_t args;         /* bytes above the return address that the first function uses */
};

/* How a parameter's word arrives in a register. */
enum gl_word { GL_WORD_NUMBER, GL_WORD_LENT /* an address of memory to be read */ };

/* What decodes instructions: a millisecond to open, 3 MB of memory while it is. */
struct gl_prover;
struct gl_prover *gl_prover_open(const char *goarch, struct gl_error *err);
void gl_prover_close(struct gl_prover *prover);

/* Looks into the function at addr, whose nwords integer registers hold what words say. For an answer the first remark
 * is enough; all of them may take a second. */
int gl_prove(struct gl_prover *prover, const struct gl_prove_env *env, uintptr_t addr, const enum gl_word *words,
	     size_t nwords, bool all_remarks, struct gl_proof **out, struct gl_error *err);
void gl_proof_free(struct gl_proof *proof);

#endif
