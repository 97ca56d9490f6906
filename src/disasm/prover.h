/* What the prover's files share: prove.c goes over the functions, funcs.c knows their code, step.c follows one
 * instruction, operands.c what it reads and writes, calls.c where it leads. */
#ifndef GL_PROVER_H
#define GL_PROVER_H

#include "../object/pool.h"
#include "prove.h"
#include "values.h"

enum { MOST_ARGS = 512 }; /* bytes above the return address that a function may use */

/* A function that the code at hand calls, or is. */
struct func {
	struct gl_routine code;
	uintptr_t entry; /* where it is entered: code.addr, or behind it */
	uint32_t size;
	struct insn *insns;
	uint32_t ninsns, cap;
	uint32_t *insn_at;     /* by offset: index + 1 */
	struct state **states; /* by offset: where paths begin or meet */
	uint32_t *todo;        /* offsets */
	uint32_t ntodo, todo_cap;
	uint8_t *leads;  /* by offset: paths meet there */
	uint8_t *doomed; /* by offset: from that instruction on, nothing but a panic can come */
	bool entered, returns;
	struct state at_entry, at_exit;
	size_t args; /* bytes above the return address */
	struct gl_fact *facts;
	uint32_t nfacts;
};

struct gl_prover {
	struct capstone cs;
	cs_insn *decoded;
};

/* One proof in the making. */
struct prover {
	struct gl_prover *decoder;
	const struct gl_prove_env *env;
	struct func **funcs;
	uint32_t nfuncs;
	size_t code; /* bytes */
	struct gl_jump_table *tables;
	uint32_t ntables;
	struct gl_remark *remarks;
	uint32_t nremarks;
	struct gl_pool pool;
	uint32_t written;
	bool checks_stack, sets_direction;
	bool changed, again; /* since the last pass; of the function at hand: it has more code than was known */
	bool all_remarks;    /* wanted, not only the first */
	bool refuted;        /* the first is there, and that is enough */
	bool reporting;
	bool forbidden; /* what the last instruction did, and why */
	char why[512];
	bool failed;  /* out of memory */
	bool gave_up; /* too much code */
};

/* ---- funcs.c --------------------------------------------------------------------------------------------------------
 */

/* Says what forbids the instruction at hand; the first reason stands. */
void prover_forbid(struct prover *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void prover_add_remark(struct prover *p, const struct func *f, uint32_t off, const char *text);
/* Adds what a copy needs to know of an instruction, while it is collected. */
void prover_add_fact(struct prover *p, struct func *f, struct gl_fact fact);
/* A path arrives at off with s: what held there before is joined with it, and followed again where that changed it. */
void prover_flow(struct prover *p, struct func *f, uint32_t off, const struct state *s);

/* The function that is entered at entry, made when it is not known yet; NULL when there is too much code, or no
 * memory. */
struct func *prover_find_func(struct prover *p, const struct gl_routine *code, uintptr_t entry);
uint32_t prover_func_index(const struct prover *p, const struct func *f);
void func_free(struct func *f);
/* The instruction at off; NULL when there is none. */
const struct insn *func_insn(struct prover *p, struct func *f, uint32_t off);
bool func_has(const struct func *f, uintptr_t addr);
void func_add_todo(struct prover *p, struct func *f, uint32_t off);
/* Paths meet at off, too. */
void func_add_lead(struct prover *p, struct func *f, uint32_t off);
/* Finds where paths meet, as far as direct jumps tell. */
void func_find_leads(struct prover *p, struct func *f);
/* Finds the instructions from which on nothing but a panic can come. */
void func_find_doomed(const struct prover *p, struct func *f);

/* ---- operands.c -----------------------------------------------------------------------------------------------------
 */

struct value operand_address(const struct func *f, const struct insn *in, const struct operand *op,
			     const struct state *s);
struct value operand_read(struct prover *p, struct func *f, const struct insn *in, const struct operand *op,
			  const struct state *s);
void operand_write(struct prover *p, struct func *f, const struct insn *in, const struct operand *op, struct state *s,
		   struct value v);
void reg_write(struct prover *p, struct state *s, uint8_t reg, struct value v);
/* The stack pointer is now at `to`. */
void stack_move(struct state *s, int64_t to);
/* The function uses size bytes of its frame at off: those above the return address are its arguments. */
void func_use_args(struct func *f, int64_t off, unsigned size);
/* The address of data that an instruction names is told anew in the copy. */
void prover_note_data(struct prover *p, struct func *f, const struct insn *in);

/* ---- calls.c and step.c: each tells whether the next instruction is reached from this one ---------------------------
 */

/* A call, or a jump out of the function. */
bool step_call(struct prover *p, struct func *f, const struct insn *in, struct state *s, bool is_jump);
bool step_jump(struct prover *p, struct func *f, const struct insn *in, struct state *s);
bool step_insn(struct prover *p, struct func *f, const struct insn *in, struct state *s);
/* The function returns: what its callers have then. translated: s is told as callers tell it already. */
void step_leave(struct prover *p, struct func *f, const struct state *s, bool translated);

#endif
