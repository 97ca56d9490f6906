/* Where an instruction leads: into another function with what that sees of this one's stack, back to the caller, or
 * elsewhere in the function, by a jump table too. */
#include <stdlib.h>
#include <string.h>

#include "prover.h"

/* ---- calls ----------------------------------------------------------------------------------------------------------
 */

/* What a value of the caller's is to a callee whose frame begins at top (the caller's offset of what the callee knows
 * as 8), or to one that it jumps to. */
static struct value value_for_callee(struct value v, const struct func *callee, int64_t top, bool is_jump)
{
	switch (v.kind) {
	case FRAME:
		if (is_jump && v.n < 8) {
			return value_unknown;
		}
		return (struct value){
			STACK, is_jump || (v.n >= top && v.n < top + (int64_t)callee->args) ? OUTER | ARGS : OUTER, 0
		};
	case STACK:
		if (is_jump && v.parts & OWN) {
			return value_unknown;
		}
		return (struct value){ STACK, is_jump ? OUTER | ARGS : OUTER, 0 };
	case SYMBOL: return (struct value){ SYMBOL, MOVED, v.n };
	case CONST:
	case GOROUTINE: return v.n == 0 ? v : value_unknown;
	case LENT: return v;
	default: return value_unknown;
	}
}

/* The compiler's scratch registers tell a callee nothing; prologues of large frames leave addresses of the frame there.
 */
static bool is_passed(int reg, bool is_jump)
{
	return reg != RSP && reg != RBP && (is_jump || (reg != R12 && reg != R13));
}

static void enter(struct prover *p, struct func *callee, const struct state *s, int64_t top, bool is_jump)
{
	struct state entry = { .nslots = 0 };

	for (int r = 0; r < NREGS; r++) {
		entry.regs[r] =
			is_passed(r, is_jump) ? value_for_callee(s->regs[r], callee, top, is_jump) : value_unknown;
	}
	entry.regs[RSP] = (struct value){ FRAME, 0, 0 };
	entry.regs[RBP] = (struct value){ CALLERS, 0, 0 };
	for (uint32_t i = 0; i < s->nslots; i++) {
		int64_t off = s->slots[i].off - top + 8;
		struct value v = value_for_callee(s->slots[i].v, callee, top, is_jump);
		if (off >= 8 && off < MOST_ARGS && v.kind != UNKNOWN) {
			entry.slots[entry.nslots++] = (struct slot){ off, v };
		}
	}
	if (!callee->entered) {
		callee->entered = true;
		callee->at_entry = entry;
		p->changed = true;
	} else if (state_join(&callee->at_entry, &entry)) {
		p->changed = true;
	}
}

/* A register or result as the caller may use it: what lay in the frame of who returns is gone. */
static struct value value_for_caller(struct value v)
{
	switch (v.kind) {
	case FRAME: return v.n < 8 ? value_unknown : (struct value){ STACK, OWN | ARGS | OUTER, 0 };
	case STACK: return v.parts & OWN ? value_unknown : (struct value){ STACK, OWN | ARGS | OUTER, 0 };
	case SYMBOL: return (struct value){ LENT, 0, 0 };
	case CONST:
	case GOROUTINE: return v.n == 0 ? v : value_unknown;
	case LENT: return v;
	default: return value_unknown;
	}
}

void step_leave(struct prover *p, struct func *f, const struct state *s, bool translated)
{
	struct state exit = { .nslots = 0 };

	for (int r = 0; r < NREGS; r++) {
		exit.regs[r] = translated ? s->regs[r] : value_for_caller(s->regs[r]);
	}
	exit.regs[RSP] = value_unknown;
	exit.regs[RBP] = s->regs[RBP].kind == CALLERS ? s->regs[RBP] : value_unknown;
	if (!f->returns) {
		f->returns = true;
		f->at_exit = exit;
		p->changed = true;
	} else if (state_join(&f->at_exit, &exit)) {
		p->changed = true;
	}
}

/* After a call of who knows what. */
static void forget_registers(struct state *s)
{
	for (int r = 0; r < NREGS; r++) {
		if (r != RSP && r != R14) {
			s->regs[r] = value_unknown;
		}
	}
}

/* Of which parts of the stack does a callee get hold, by registers or by arguments from top on? */
static unsigned shown_parts(const struct state *s, int64_t top)
{
	unsigned parts = 0;

	for (int r = 0; r < NREGS; r++) {
		struct value v = value_near(s->regs[r]);
		parts |= is_passed(r, false) && v.kind == STACK ? v.parts : 0;
	}
	for (uint32_t i = 0; i < s->nslots; i++) {
		struct value v = value_near(s->slots[i].v);
		parts |= s->slots[i].off >= top && v.kind == STACK ? v.parts : 0;
	}
	return parts;
}

bool step_call(struct prover *p, struct func *f, const struct insn *in, struct state *s, bool is_jump)
{
	struct gl_routine code;
	uintptr_t target = (uintptr_t)in->ops[0].n;
	struct gl_fact fact = { .off = in->off, .size = in->size, .at = in->at, .target = target };
	int64_t top = is_jump ? 8 : s->regs[RSP].n;

	if (in->ops[0].type != OPERAND_IMM) {
		prover_forbid(p, is_jump ? "jumps to an address that it computes" :
					   "calls by a pointer: a closure, a function value or an interface's method");
		prover_note_data(p, f, in);
		forget_registers(s);
		return !is_jump;
	}
	if (!p->env->find_code(p->env->arg, target, &code) || target < code.addr || target >= code.end) {
		prover_forbid(p, "calls code that has no name");
		prover_add_fact(p, f, fact);
		forget_registers(s);
		return !is_jump;
	}
	if (is_jump && s->regs[RSP].n != 0) {
		prover_forbid(p, "jumps into %s with a frame of its own", code.name);
	}
	if (in->size < 5) {
		prover_forbid(p, "a short jump into %s, which can't be told anew", code.name);
	}
	switch (code.kind) {
	case GL_CALLEE_PANIC:
		fact.ref = GL_REF_PANIC;
		fact.index = (uint32_t)code.why;
		prover_add_fact(p, f, fact);
		return false;
	case GL_CALLEE_MORESTACK:
		fact.ref = GL_REF_MORESTACK;
		prover_add_fact(p, f, fact);
		forget_registers(s);
		return !is_jump;
	case GL_CALLEE_REFUSED:
		prover_forbid(p, "calls %s, which %s", code.name, code.does);
		prover_add_fact(p, f, fact);
		forget_registers(s);
		return !is_jump;
	default: break;
	}
	if (f->doomed[in->off]) {
		prover_forbid(p, "calls %s on the way to a panic", code.name);
		prover_add_fact(p, f, fact);
		return false;
	}
	struct func *callee = prover_find_func(p, &code, target);
	if (callee == NULL) {
		prover_forbid(p, "calls %s: with that, there is too much code to look into", code.name);
		forget_registers(s);
		return !is_jump;
	}
	fact.ref = GL_REF_CODE;
	fact.index = prover_func_index(p, callee);
	prover_add_fact(p, f, fact);
	if (top + (int64_t)callee->args > 0 && !is_jump) {
		prover_forbid(p, "calls %s with less room for arguments than that uses", code.name);
	}
	enter(p, callee, s, top, is_jump);
	if (!callee->returns) {
		return false;
	}
	if (is_jump) {
		func_use_args(f, 8, (unsigned)callee->args);
		struct state exit = callee->at_exit;
		if (s->regs[RBP].kind != CALLERS) {
			exit.regs[RBP] = value_unknown;
		}
		step_leave(p, f, &exit, true);
		return false;
	}
	unsigned shown = shown_parts(s, top);
	state_forget_parts(s, shown);
	state_forget(s, INT64_MIN + 8, top + (int64_t)callee->args);
	for (int r = 0; r < NREGS; r++) {
		if (r != RSP) {
			struct value v = callee->at_exit.regs[r];
			if (r == RBP) {
				v = v.kind == CALLERS ? s->regs[RBP] : value_unknown;
			}
			/* an address in the stack that it returns is one that it was given */
			if (r != RBP && v.kind == STACK) {
				v.parts &= (uint8_t)shown;
				v = v.parts == 0 ? value_unknown : v;
			}
			s->regs[r] = v;
		}
	}
	return true;
}

/* ---- jumps ----------------------------------------------------------------------------------------------------------
 */

/* The jump table at addr: as many entries as lead into the function. */
static struct gl_jump_table *find_table(struct prover *p, struct func *f, uintptr_t addr)
{
	enum { MOST_ENTRIES = 4096 };
	uint32_t func = prover_func_index(p, f), n = 0;

	for (uint32_t i = 0; i < p->ntables; i++) {
		if (p->tables[i].addr == addr && p->tables[i].func == func) {
			return &p->tables[i];
		}
	}
	while (n < MOST_ENTRIES && p->env->is_constant(p->env->arg, addr + 8 * n, 8)) {
		uintptr_t target;
		memcpy(&target, (const uint8_t *)addr + 8 * (size_t)n, sizeof(target));
		if (!func_has(f, target)) {
			break;
		}
		n++;
	}
	struct gl_jump_table *grown = n > 0 ? realloc(p->tables, (p->ntables + 1) * sizeof(*grown)) : NULL;
	if (grown == NULL) {
		p->failed |= n > 0;
		return NULL;
	}
	p->tables = grown;
	p->tables[p->ntables] = (struct gl_jump_table){ addr, func, n };
	return &p->tables[p->ntables++];
}

/* jmp *(table)(index*8), which is how the compiler writes a switch; it has checked the index. */
static bool jump_by_table(struct prover *p, struct func *f, const struct insn *in, const struct state *s)
{
	const struct operand *op = &in->ops[0];

	if (op->type != OPERAND_MEM || op->base >= NREGS || op->index >= NREGS || op->scale != 8 || op->n != 0 ||
	    s->regs[op->base].kind != SYMBOL || s->regs[op->base].parts != 0 || op->segment) {
		return false;
	}
	const struct gl_jump_table *table = find_table(p, f, (uintptr_t)s->regs[op->base].n);
	if (table == NULL) {
		return false;
	}
	for (uint32_t i = 0; i < table->n; i++) {
		uintptr_t target;
		memcpy(&target, (const uint8_t *)table->addr + 8 * (size_t)i, sizeof(target));
		func_add_lead(p, f, (uint32_t)(target - f->entry));
		prover_flow(p, f, (uint32_t)(target - f->entry), s);
	}
	prover_add_fact(p, f, (struct gl_fact){ .off = in->off, .size = in->size });
	return true;
}

bool step_jump(struct prover *p, struct func *f, const struct insn *in, struct state *s)
{
	if (in->ops[0].type == OPERAND_IMM && func_has(f, (uintptr_t)in->ops[0].n)) {
		prover_flow(p, f, (uint32_t)((uintptr_t)in->ops[0].n - f->entry), s);
		prover_add_fact(p, f, (struct gl_fact){ .off = in->off, .size = in->size });
	} else if (in->class == OP_BRANCH || !jump_by_table(p, f, in, s)) {
		struct state copy = *s;
		step_call(p, f, in, &copy, true);
	}
	return in->class == OP_BRANCH;
}
