/* One instruction: what holds after it, and whether it is forbidden. */
#include "prover.h"

static bool is_same_reg(const struct insn *in)
{
	return in->nops == 2 && in->ops[0].type == OPERAND_REG && in->ops[1].type == OPERAND_REG &&
	       in->ops[0].reg == in->ops[1].reg && in->ops[0].reg < NREGS && in->ops[0].size >= 4 &&
	       in->ops[0].size == in->ops[1].size;
}

static bool writes_memory(const struct insn *in)
{
	return in->ops[0].type == OPERAND_MEM && in->class != OP_READ && in->class != OP_NOTHING &&
	       in->class != OP_CALL && in->class != OP_JUMP && in->class != OP_PUSH && in->id != X86_INS_BT;
}

/* What the instruction writes to its first operand. */
static struct value result_of(struct prover *p, struct func *f, const struct insn *in, const struct state *s)
{
	bool is_read = in->class != OP_MOV && in->class != OP_LEA && !writes_memory(in);
	struct value a = is_read ? operand_read(p, f, in, &in->ops[0], s) : value_unknown;
	struct value b = in->nops > 1 && in->class != OP_LEA ? operand_read(p, f, in, &in->ops[1], s) : value_unknown;

	switch (in->class) {
	case OP_MOV: return b;
	case OP_LEA: return operand_address(f, in, &in->ops[1], s);
	case OP_ADD:
		if (in->nops == 1) {
			b = value_const(in->id == X86_INS_INC ? 1 : -1);
		}
		return value_add(a, b);
	case OP_SUB:
		if (b.kind == CONST) {
			return value_add(a, value_const((int64_t)(0 - (uint64_t)b.n)));
		}
		return value_is_pointer(a) && b.kind == UNKNOWN ? value_near(a) : value_unknown;
	case OP_XOR: return is_same_reg(in) ? value_const(0) : value_unknown;
	case OP_CMOV: return value_join(a, b);
	default: return value_unknown;
	}
}

static void push(struct prover *p, struct func *f, const struct insn *in, struct state *s)
{
	struct value v = operand_read(p, f, in, &in->ops[0], s);

	if (in->ops[0].type == OPERAND_REG && in->ops[0].size != 8) {
		prover_forbid(p, "pushes less than a word");
	}
	s->regs[RSP].n -= 8;
	state_store(s, s->regs[RSP].n, 8, v);
}

static void pop(struct prover *p, const struct insn *in, struct state *s)
{
	struct value v = state_load(s, s->regs[RSP].n);

	if (in->ops[0].type != OPERAND_REG || in->ops[0].size != 8 || in->ops[0].reg == RSP || s->regs[RSP].n >= 0) {
		prover_forbid(p, "pops what is not its own");
		return;
	}
	stack_move(s, s->regs[RSP].n + 8);
	reg_write(p, s, in->ops[0].reg, v);
}

/* rep stosq and rep movsq, or one of these without rep: to where rdi points, from where rsi does. */
static void string_op(struct prover *p, const struct insn *in, struct state *s)
{
	struct value to = value_near(s->regs[RDI]), from = value_near(s->regs[RSI]);

	if (to.kind != STACK) {
		prover_forbid(p, "stores to memory that is not the frame");
	}
	if (in->class == OP_MOVS && !value_is_pointer(from)) {
		prover_forbid(p, "copies from where a pointer leads that was itself read from memory");
	}
	state_forget_parts(s, to.kind == STACK ? to.parts : 0);
	s->regs[RDI] = to;
	s->regs[RSI] = in->class == OP_MOVS ? from : s->regs[RSI];
	s->regs[RCX] = in->repeats ? value_const(0) : s->regs[RCX];
	p->written |= 1U << RDI | 1U << RSI | 1U << RCX;
}

static void exchange(struct prover *p, struct func *f, const struct insn *in, struct state *s)
{
	struct value a, b;

	if (in->ops[0].type == OPERAND_MEM || in->ops[1].type == OPERAND_MEM) {
		prover_forbid(p, "exchanges with memory: that is for other threads to see");
		return;
	}
	a = operand_read(p, f, in, &in->ops[0], s);
	b = operand_read(p, f, in, &in->ops[1], s);
	operand_write(p, f, in, &in->ops[0], s, b);
	operand_write(p, f, in, &in->ops[1], s, a);
}

/* After a call of assembly Go code loads the goroutine's address again: by mov %fs:(…), %r14, or, where the place is
 * known at start only, mov …(%rip), %r14 and mov %fs:(%r14), %r14. */
enum reload { RELOAD_NONE, RELOAD_WHOLE, RELOAD_FIRST, RELOAD_SECOND };

static bool is_load_of_r14(const struct insn *in)
{
	return in->class == OP_MOV && in->nops == 2 && in->ops[0].type == OPERAND_REG && in->ops[0].reg == R14 &&
	       in->ops[0].size == 8 && in->ops[1].type == OPERAND_MEM && in->ops[1].index == NONE;
}

static enum reload find_reload(const struct func *f, const struct insn *in, const struct state *s)
{
	uint32_t next = in->off + in->size;

	if (!is_load_of_r14(in)) {
		return RELOAD_NONE;
	}
	if (in->ops[1].segment) {
		struct value r14 = s->regs[R14];
		return in->ops[1].base == NONE && in->size >= 7 ? RELOAD_WHOLE :
		       in->ops[1].base == R14 && in->ops[1].n == 0 && r14.kind == GOROUTINE && r14.n == 0 ?
								  RELOAD_SECOND :
								  RELOAD_NONE;
	}
	if (in->ops[1].base != RIP || in->size != 7 || next >= f->size || f->leads[next] || f->insn_at[next] == 0) {
		return RELOAD_NONE;
	}
	const struct insn *second = &f->insns[f->insn_at[next] - 1];
	bool pairs =
		is_load_of_r14(second) && second->ops[1].segment && second->ops[1].base == R14 && second->ops[1].n == 0;
	return pairs ? RELOAD_FIRST : RELOAD_NONE;
}

static void write_implied(struct prover *p, const struct insn *in, struct state *s)
{
	for (int r = 0; r < NREGS; r++) {
		if (in->implied >> r & 1) {
			s->regs[r] = value_unknown;
			p->written |= 1U << r;
		}
	}
}

bool step_insn(struct prover *p, struct func *f, const struct insn *in, struct state *s)
{
	if (s->regs[RSP].kind != FRAME) {
		prover_forbid(p, "the stack pointer differs by the way that leads here");
		return false;
	}
	switch (in->class) {
	case OP_JUMP:
	case OP_BRANCH: return step_jump(p, f, in, s);
	case OP_CALL: return step_call(p, f, in, s, false);
	case OP_RET:
		if (s->regs[RSP].n != 0) {
			prover_forbid(p, "returns with the stack pointer elsewhere");
		}
		step_leave(p, f, s, false);
		prover_add_fact(p, f, (struct gl_fact){ .off = in->off, .size = in->size });
		return false;
	default: break;
	}
	enum reload reload = find_reload(f, in, s);
	if (reload != RELOAD_NONE) {
		enum gl_ref ref = reload == RELOAD_SECOND ? GL_REF_DROPPED : GL_REF_G;
		prover_add_fact(p, f, (struct gl_fact){ .off = in->off, .size = in->size, .ref = ref });
		reg_write(p, s, R14, (struct value){ GOROUTINE, 0, 0 });
		return true;
	}
	if (in->class == OP_TRAP) {
		prover_add_fact(p, f, (struct gl_fact){ .off = in->off, .size = in->size, .ref = GL_REF_GIVE_UP });
		return false;
	}
	prover_note_data(p, f, in);
	if (in->lock && writes_memory(in)) {
		prover_forbid(p, "changes memory for other threads to see");
		return true;
	}
	struct state before = *s;
	switch (in->class) {
	case OP_FORBIDDEN: prover_forbid(p, "%s: not known to be harmless", in->mnemonic); return true;
	case OP_NOTHING: p->sets_direction |= in->id == X86_INS_STD; break;
	case OP_PUSH: push(p, f, in, s); break;
	case OP_POP: pop(p, in, s); break;
	case OP_STOS:
	case OP_MOVS: string_op(p, in, s); break;
	case OP_XCHG: exchange(p, f, in, s); break;
	case OP_BITS:
		if (in->ops[0].type == OPERAND_MEM && in->ops[1].type != OPERAND_IMM) {
			prover_forbid(p, "%s: a bit somewhere in memory", in->mnemonic);
		}
		/* fallthrough */
	default:
		for (uint8_t i = 2; i < in->nops; i++) {
			operand_read(p, f, in, &in->ops[i], &before);
		}
		struct value v = result_of(p, f, in, &before);
		if (in->class == OP_READ || in->id == X86_INS_BT) {
			break;
		}
		if (in->class == OP_WRITE_TWO && in->nops > 1) {
			operand_write(p, f, in, &in->ops[1], s, value_unknown);
		}
		if (in->nops > 0) {
			operand_write(p, f, in, &in->ops[0], s, v);
		}
		break;
	}
	write_implied(p, in, s);
	return true;
}
