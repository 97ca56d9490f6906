/* Which words of a frame may code still read (see slots.h)?
 *
 * A Go function moves its stack pointer in its first and last instructions only, and what the compiler spills it stores
 * to and loads from a place named by the stack pointer and a number. So the paths from pc on are followed, each until
 *
 *   1. it loads the word, with others perhaps: the answer is yes;
 *   2. it stores a whole word there, or leaves the function: this path says no;
 *   3. it comes to an instruction that an earlier path has come to: that path says it.
 *
 * An address that is taken of some place in the frame (LEA) is a load of the word only where the word may be a part of
 * a variable that is copied as a whole, and the address may be that variable's. Variables whose address is taken
 * otherwise are known to the collector (src/host/stacks.go), and their words are not asked about. */
#include "slots.h"

#include <stdbool.h>
#include <stdlib.h>

#include "capstone.h"

struct place {
	uintptr_t addr;
	int64_t sp; /* the stack pointer there, from that at the start */
};

struct search {
	const struct gl_slot *slot;
	const struct capstone *cs;
	cs_insn *insn;
	uint8_t *seen; /* a byte for each of the function's */
	struct place *todo;
	size_t ntodo, cap;
};

/* What an instruction comes to. */
enum outcome { GOES_ON, IS_READ, ENDS };

static bool push(struct search *s, uintptr_t addr, int64_t sp)
{
	if (addr < s->slot->entry || addr >= s->slot->end) {
		return true; /* it leaves the function */
	}
	if (s->ntodo == s->cap) {
		size_t cap = s->cap == 0 ? 64 : s->cap * 2;
		struct place *p = realloc(s->todo, cap * sizeof(*p));
		if (p == NULL) {
			return false;
		}
		s->todo = p;
		s->cap = cap;
	}
	s->todo[s->ntodo++] = (struct place){ addr, sp };
	return true;
}

/* Does the instruction do nothing with its first operand but overwrite it? Of those that the compiler stores by. */
static bool is_store(unsigned id)
{
	switch (id) {
	case X86_INS_MOV:
	case X86_INS_MOVQ:
	case X86_INS_MOVSD:
	case X86_INS_MOVUPS:
	case X86_INS_MOVAPS:
	case X86_INS_MOVUPD:
	case X86_INS_MOVAPD:
	case X86_INS_MOVDQU:
	case X86_INS_MOVDQA:
	case X86_INS_VMOVUPS:
	case X86_INS_VMOVDQU:
	case X86_INS_VMOVDQA:
	case X86_INS_VMOVDQU8:
	case X86_INS_VMOVDQU64: return true;
	default: return false;
	}
}

static bool is_jump(const struct search *s) { return s->cs->insn_group(s->cs->handle, s->insn, X86_GRP_JUMP); }

/* The operands in memory: is the word among them? */
static enum outcome look_at_memory(const struct search *s, int64_t sp)
{
	const cs_x86 *x86 = &s->insn->detail->x86;
	bool overwritten = false;

	for (uint8_t i = 0; i < x86->op_count; i++) {
		const cs_x86_op *op = &x86->operands[i];
		if (op->type != X86_OP_MEM || op->mem.base != X86_REG_RSP || s->insn->id == X86_INS_NOP) {
			continue;
		}
		if (s->insn->id == X86_INS_LEA) {
			int64_t taken = sp + op->mem.disp;
			if (taken >= s->slot->variables && taken <= s->slot->offset) {
				return IS_READ;
			}
			continue;
		}
		/* an index may lead anywhere behind */
		int64_t low = sp + op->mem.disp, high = op->mem.index != X86_REG_INVALID ? INT64_MAX : low + op->size;
		if (high <= s->slot->offset || low >= s->slot->offset + 8) {
			continue;
		}
		/* Pointers are loaded as a whole. A flag may lie in a word of which the rest was never overwritten. */
		bool is_part = op->mem.index == X86_REG_INVALID && op->size > 0 && op->size < 8;
		if (is_part) {
			continue;
		}
		if (i != 0 || !is_store(s->insn->id)) {
			return IS_READ;
		}
		overwritten = op->mem.index == X86_REG_INVALID && low <= s->slot->offset && high >= s->slot->offset + 8;
	}
	return overwritten ? ENDS : GOES_ON;
}

/* Follows the stack pointer; false where it is lost. */
static bool move_sp(const struct search *s, int64_t *sp)
{
	const cs_x86 *x86 = &s->insn->detail->x86;
	const cs_x86_op *ops = x86->operands;

	switch (s->insn->id) {
	case X86_INS_PUSH:
	case X86_INS_PUSHFQ: *sp -= 8; return true;
	case X86_INS_POP:
	case X86_INS_POPFQ: *sp += 8; return true;
	default: break;
	}
	for (uint8_t i = 0; i < x86->op_count; i++) {
		if (ops[i].type != X86_OP_REG || ops[i].reg != X86_REG_RSP) {
			continue;
		}
		if (i > 0) {
			/* only the frame pointer may have a copy; a comparison (the stack's end, at the entry) is none
			 */
			if (s->insn->id == X86_INS_CMP ||
			    (s->insn->id == X86_INS_MOV && ops[0].type == X86_OP_REG && ops[0].reg == X86_REG_RBP)) {
				continue;
			}
			return false;
		}
		if (s->insn->id == X86_INS_CMP) {
			continue;
		}
		if (x86->op_count == 2 && ops[1].type == X86_OP_IMM && s->insn->id == X86_INS_SUB) {
			*sp -= ops[1].imm;
		} else if (x86->op_count == 2 && ops[1].type == X86_OP_IMM && s->insn->id == X86_INS_ADD) {
			*sp += ops[1].imm;
		} else if (s->insn->id == X86_INS_LEA && ops[1].mem.base == X86_REG_RSP &&
			   ops[1].mem.index == X86_REG_INVALID) {
			*sp += ops[1].mem.disp;
		} else {
			return false;
		}
	}
	return true;
}

/* A jump by a table of addresses, which the code has taken the address of just before: all of the table's. */
static bool push_table(struct search *s, const cs_x86_op *op, x86_reg reg, uintptr_t table, int64_t sp)
{
	if (op->type != X86_OP_MEM || op->mem.base != reg || op->mem.scale != 8 || op->mem.disp != 0 ||
	    table % 8 != 0) {
		return false;
	}
	for (const uintptr_t *to = (const uintptr_t *)table; *to > s->slot->entry && *to < s->slot->end; to++) {
		if (!push(s, *to, sp)) {
			return false;
		}
	}
	return true;
}

/* Is it a call that doesn't return? What follows it then is some other path's. */
static bool is_end(const struct search *s, const cs_x86_op *ops)
{
	if (s->insn->id != X86_INS_CALL || ops[0].type != X86_OP_IMM || s->slot->no_return == NULL) {
		return false;
	}
	for (int i = 0; i < GL_NO_RETURN; i++) {
		if ((uintptr_t)s->slot->no_return[i] == (uintptr_t)ops[0].imm) {
			return true;
		}
	}
	return false;
}

/* Follows one path from a place on. */
static enum outcome follow(struct search *s, struct place at)
{
	x86_reg table_reg = X86_REG_INVALID;
	uintptr_t table = 0;
	int64_t sp = at.sp;

	for (uintptr_t addr = at.addr; addr >= s->slot->entry && addr < s->slot->end;) {
		const uint8_t *code = (const uint8_t *)addr;
		size_t size = s->slot->end - addr;
		uint64_t next = addr;
		if (s->seen[addr - s->slot->entry]) {
			return ENDS;
		}
		s->seen[addr - s->slot->entry] = 1;
		if (!s->cs->disasm_iter(s->cs->handle, &code, &size, &next, s->insn)) {
			return IS_READ;
		}
		const cs_x86_op *ops = s->insn->detail->x86.operands;
		enum outcome outcome = look_at_memory(s, sp);
		if (outcome != GOES_ON) {
			return outcome;
		}
		if (!move_sp(s, &sp)) {
			return IS_READ;
		}
		if (s->insn->id == X86_INS_LEA && ops[1].mem.base == X86_REG_RIP) {
			table_reg = ops[0].reg;
			table = (uintptr_t)(next + (uint64_t)ops[1].mem.disp);
		}
		if (is_end(s, ops)) {
			return ENDS;
		}
		if (s->insn->id == X86_INS_RET || s->insn->id == X86_INS_UD2 || s->insn->id == X86_INS_INT3) {
			return ENDS;
		}
		if (is_jump(s)) {
			bool pushed = ops[0].type == X86_OP_IMM ? push(s, (uintptr_t)ops[0].imm, sp) :
								  push_table(s, &ops[0], table_reg, table, sp);
			if (!pushed) {
				return IS_READ;
			}
			if (s->insn->id == X86_INS_JMP) {
				return ENDS;
			}
		}
		addr = (uintptr_t)next;
	}
	return ENDS;
}

static int is_read(const struct capstone *cs, cs_insn *insn, const struct gl_slot *slot)
{
	struct search s = { .slot = slot, .cs = cs, .insn = insn };
	enum outcome outcome = IS_READ;

	if (slot->pc < slot->entry || slot->pc >= slot->end) {
		return 1;
	}
	s.seen = calloc(1, slot->end - slot->entry);
	bool recovers = slot->recovers != 0 && slot->recovers != slot->pc;
	if (s.seen != NULL && push(&s, slot->pc, 0) && (!recovers || push(&s, slot->recovers, 0))) {
		do {
			outcome = follow(&s, s.todo[--s.ntodo]);
		} while (outcome != IS_READ && s.ntodo > 0);
	}
	free(s.seen);
	free(s.todo);
	return outcome == IS_READ;
}

void gl_slots_find_reads(struct gl_slot *slots, size_t n)
{
	struct capstone cs;
	struct gl_error err;

	for (size_t i = 0; i < n; i++) {
		slots[i].is_read = 1;
	}
	if (capstone_open(&cs, CS_ARCH_X86, CS_MODE_64, &err) != 0) {
		return;
	}
	cs_insn *insn = cs.malloc(cs.handle);
	for (size_t i = 0; insn != NULL && i < n; i++) {
		slots[i].is_read = is_read(&cs, insn, &slots[i]);
	}
	if (insn != NULL) {
		cs.free(insn, 1);
	}
	capstone_close(&cs);
}
