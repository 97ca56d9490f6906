/* What an instruction reads and writes: registers, and memory as far as a function without the runtime may use it. */
#include <string.h>

#include "prover.h"

enum { MOST_STORED = 64 }; /* bytes by one instruction */
enum { RED_ZONE = 128 };   /* bytes below the stack pointer that nobody else writes */
/* Addresses that can't be followed: a load faults, which is as good as a nil dereference. */
enum { FAULTING = 4096 };

static const char *name_of(const struct prover *p, uintptr_t addr)
{
	const char *name;

	return p->env->symbolize(p->env->arg, addr, &name) >= 0 ? name : "an address that has no name";
}

/* ---- memory ---------------------------------------------------------------------------------------------------------
 */

struct value operand_address(const struct func *f, const struct insn *in, const struct operand *op,
			     const struct state *s)
{
	struct value base = value_const(0), index = value_const(0);

	if (op->base == RIP) {
		return (struct value){ SYMBOL, 0, (int64_t)(f->entry + in->off + in->size + (uint64_t)op->n) };
	}
	if (op->base == VECTOR || op->index == VECTOR) {
		return value_unknown;
	}
	if (op->base != NONE) {
		base = s->regs[op->base];
	}
	if (op->index != NONE) {
		index = s->regs[op->index];
		if (op->scale != 1 && index.kind != CONST) {
			index = value_unknown;
		}
		if (index.kind == CONST) {
			index.n = (int64_t)((uint64_t)index.n * op->scale);
		}
	}
	return value_add(value_add(base, value_const(op->n)), index);
}

void func_use_args(struct func *f, int64_t off, unsigned size)
{
	size_t end = (size_t)(off - 8) + size;

	f->args = off >= 8 && end > f->args ? end : f->args;
}

/* What lies at an address where nobody ever writes: a generic function's dictionary leads to others. */
static struct value load_constant(const struct prover *p, uintptr_t addr)
{
	uintptr_t word;

	if (!p->env->is_constant(p->env->arg, addr, sizeof(word))) {
		return value_unknown;
	}
	memcpy(&word, (const void *)addr, sizeof(word));
	if (word == 0) {
		return value_const(0);
	}
	return p->env->is_constant(p->env->arg, word, 1) ? (struct value){ SYMBOL, MOVED, (int64_t)word } :
							   value_unknown;
}

/* A load of size bytes: forbidden, or what is loaded. */
static struct value load(struct prover *p, struct func *f, const struct insn *in, const struct operand *op,
			 const struct state *s)
{
	struct value at = operand_address(f, in, op, s);

	if (op->segment) {
		prover_forbid(p, "reads thread-local memory");
		return value_unknown;
	}
	switch (at.kind) {
	case FRAME:
		if (at.n > MOST_ARGS) {
			prover_forbid(p, "reads its caller's frame");
		}
		func_use_args(f, at.n, op->size);
		return op->size == 8 ? state_load(s, at.n) : value_unknown;
	case SYMBOL: return op->size == 8 ? load_constant(p, (uintptr_t)at.n) : value_unknown;
	case STACK:
	case LENT: return value_unknown;
	case CONST:
		if (at.n < 0 || at.n >= FAULTING) {
			prover_forbid(p, "reads memory at a fixed address");
		}
		return value_unknown;
	case GOROUTINE:
		if (at.n != p->env->stackguard || op->size != 8) {
			prover_forbid(p, "looks into the goroutine that runs it");
		}
		p->checks_stack = true;
		return value_unknown;
	default:
		prover_forbid(p, "follows a pointer that was itself read from memory, or made up");
		return value_unknown;
	}
}

static void store(struct prover *p, struct func *f, const struct insn *in, const struct operand *op, struct state *s,
		  struct value v)
{
	struct value at = operand_address(f, in, op, s);

	if (op->segment) {
		prover_forbid(p, "writes thread-local memory");
		return;
	}
	switch (at.kind) {
	case FRAME:
		if (at.n > -(int64_t)op->size && at.n < 8) {
			prover_forbid(p, "writes its return address");
		} else if (at.n < 0 && at.n < s->regs[RSP].n - RED_ZONE) {
			prover_forbid(p, "writes below the stack pointer");
		} else if (at.n + op->size > MOST_ARGS) {
			prover_forbid(p, "writes its caller's frame");
		} else {
			func_use_args(f, at.n, op->size);
			/* how much a vector instruction writes need not be known for sure */
			state_store(s, at.n, in->class == OP_WRITE ? MOST_STORED : op->size, v);
		}
		break;
	case STACK: state_forget_parts(s, at.parts); break;
	case CONST:
		if (at.n < 0 || at.n >= FAULTING) {
			prover_forbid(p, "writes memory at a fixed address");
		}
		break;
	case SYMBOL: prover_forbid(p, "stores to memory that is not the frame: %s", name_of(p, (uintptr_t)at.n)); break;
	case LENT: prover_forbid(p, "stores to memory that it is only lent"); break;
	case GOROUTINE: prover_forbid(p, "stores to the goroutine that runs it"); break;
	default: prover_forbid(p, "stores to memory that is not the frame"); break;
	}
}

/* ---- operands -------------------------------------------------------------------------------------------------------
 */

struct value operand_read(struct prover *p, struct func *f, const struct insn *in, const struct operand *op,
			  const struct state *s)
{
	switch (op->type) {
	case OPERAND_REG: return op->reg < NREGS && op->size == 8 ? s->regs[op->reg] : value_unknown;
	case OPERAND_IMM: return value_const(op->n);
	case OPERAND_MEM: return load(p, f, in, op, s);
	default: return value_unknown;
	}
}

/* What lies far below the stack pointer may be a signal handler's. */
void stack_move(struct state *s, int64_t to)
{
	s->regs[RSP].n = to;
	state_forget(s, INT64_MIN + 8, to - RED_ZONE);
}

void reg_write(struct prover *p, struct state *s, uint8_t reg, struct value v)
{
	if (reg >= NREGS) {
		return;
	}
	if (reg == RSP) {
		if (v.kind != FRAME || v.n > 0) {
			prover_forbid(p, "moves the stack pointer to where it can't be followed");
		} else {
			stack_move(s, v.n);
		}
		return;
	}
	s->regs[reg] = v;
	p->written |= 1U << reg;
}

void operand_write(struct prover *p, struct func *f, const struct insn *in, const struct operand *op, struct state *s,
		   struct value v)
{
	if (op->type == OPERAND_MEM) {
		store(p, f, in, op, s, v);
	} else if (op->type == OPERAND_REG && op->size == 4 && v.kind == CONST) {
		reg_write(p, s, op->reg, value_const((int64_t)(uint32_t)v.n));
	} else if (op->type == OPERAND_REG) {
		reg_write(p, s, op->reg, op->size == 8 ? v : value_unknown);
	}
}

void prover_note_data(struct prover *p, struct func *f, const struct insn *in)
{
	struct gl_fact fact = { .off = in->off, .size = in->size, .ref = GL_REF_NONE };

	for (uint8_t i = 0; i < in->nops; i++) {
		if (in->ops[i].type == OPERAND_MEM && in->ops[i].base == RIP) {
			fact.ref = GL_REF_DATA;
			fact.at = in->at;
			fact.target = (uintptr_t)operand_address(f, in, &in->ops[i], NULL).n;
		}
	}
	prover_add_fact(p, f, fact);
}
