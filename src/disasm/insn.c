/* What instructions do (see insn.h). Capstone tells the operands; what is done with them is said here for each that the
 * compiler or the assembly of the standard library is known to use, since a prover that is told of a write too few
 * proves too much. */
#include "insn.h"

#include <stdio.h>

static uint8_t reg_of(x86_reg reg)
{
#define REG(n, r64, r32, r16, r8)                                                                                      \
	case X86_REG_##r64:                                                                                            \
	case X86_REG_##r32:                                                                                            \
	case X86_REG_##r16:                                                                                            \
	case X86_REG_##r8: return n;
	switch (reg) {
		REG(RAX, RAX, EAX, AX, AL)
		REG(RCX, RCX, ECX, CX, CL)
		REG(RDX, RDX, EDX, DX, DL)
		REG(RBX, RBX, EBX, BX, BL)
		REG(RSP, RSP, ESP, SP, SPL)
		REG(RBP, RBP, EBP, BP, BPL)
		REG(RSI, RSI, ESI, SI, SIL)
		REG(RDI, RDI, EDI, DI, DIL)
		REG(R8, R8, R8D, R8W, R8B)
		REG(R9, R9, R9D, R9W, R9B)
		REG(R10, R10, R10D, R10W, R10B)
		REG(R11, R11, R11D, R11W, R11B)
		REG(R12, R12, R12D, R12W, R12B)
		REG(R13, R13, R13D, R13W, R13B)
		REG(R14, R14, R14D, R14W, R14B)
		REG(R15, R15, R15D, R15W, R15B)
	case X86_REG_AH: return RAX;
	case X86_REG_BH: return RBX;
	case X86_REG_CH: return RCX;
	case X86_REG_DH: return RDX;
	case X86_REG_RIP: return RIP;
	case X86_REG_INVALID:
	case X86_REG_RIZ:
	case X86_REG_EIZ: return NONE;
	default: return VECTOR;
	}
#undef REG
}

/* What the table below lacks: vector instructions, of which the first operand is written if any is; those that write
 * elsewhere are not taken. */
static enum op_class classify_vector(const struct capstone *cs, const cs_insn *insn)
{
	static const unsigned groups[] = { X86_GRP_SSE1,  X86_GRP_SSE2,  X86_GRP_SSE3, X86_GRP_SSSE3,
					   X86_GRP_SSE41, X86_GRP_SSE42, X86_GRP_AES,  X86_GRP_PCLMUL,
					   X86_GRP_SHA,   X86_GRP_AVX,   X86_GRP_AVX2, X86_GRP_FMA,
					   X86_GRP_BMI,   X86_GRP_BMI2,  X86_GRP_ADX,  X86_GRP_F16C };

	switch (insn->id) {
	case X86_INS_LDMXCSR:
	case X86_INS_STMXCSR:
	case X86_INS_VLDMXCSR:
	case X86_INS_VSTMXCSR:
	case X86_INS_MASKMOVDQU:
	case X86_INS_VMASKMOVDQU:
	case X86_INS_MASKMOVQ:
	case X86_INS_VGATHERDPD:
	case X86_INS_VGATHERDPS:
	case X86_INS_VGATHERQPD:
	case X86_INS_VGATHERQPS:
	case X86_INS_VPGATHERDD:
	case X86_INS_VPGATHERDQ:
	case X86_INS_VPGATHERQD:
	case X86_INS_VPGATHERQQ:
	case X86_INS_MONITOR:
	case X86_INS_MWAIT:
	case X86_INS_CLFLUSH: return OP_FORBIDDEN;
	case X86_INS_MULX: return OP_WRITE_TWO;

#define FMA(op) X86_INS_V##op##SS : case X86_INS_V##op##SD : case X86_INS_V##op##PS : case X86_INS_V##op##PD
	/* of no group in Capstone 5, in some of their forms or in all */
	case FMA(FMADD132):
	case FMA(FMADD213):
	case FMA(FMADD231):
	case FMA(FMSUB132):
	case FMA(FMSUB213):
	case FMA(FMSUB231):
	case FMA(FNMADD132):
	case FMA(FNMADD213):
	case FMA(FNMADD231):
	case FMA(FNMSUB132):
	case FMA(FNMSUB213):
	case FMA(FNMSUB231):
#undef FMA
	case X86_INS_CVTSI2SD:
	case X86_INS_CVTSI2SS:
	case X86_INS_CVTSD2SI:
	case X86_INS_CVTSS2SI:
	case X86_INS_VCVTSI2SD:
	case X86_INS_VCVTSI2SS:
	case X86_INS_VCVTSD2SI:
	case X86_INS_VCVTSS2SI:
	case X86_INS_PABSB:
	case X86_INS_PABSW:
	case X86_INS_PABSD:
	case X86_INS_PALIGNR:
	case X86_INS_VPALIGNR:
	case X86_INS_PEXTRW:
	case X86_INS_PINSRW:
	case X86_INS_VPINSRW:
	case X86_INS_PMADDUBSW: return OP_WRITE;
	default: break;
	}
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (cs->insn_group(cs->handle, insn, groups[i])) {
			return OP_WRITE;
		}
	}
	return OP_FORBIDDEN;
}

/* Everything that is not here is not taken. What is written without being named is added to implied. */
static enum op_class classify(const struct capstone *cs, const cs_insn *insn, uint16_t *implied)
{
	uint8_t nops = insn->detail->x86.op_count;

	switch (insn->id) {
	case X86_INS_CMP:
	case X86_INS_TEST:
	case X86_INS_UCOMISS:
	case X86_INS_UCOMISD:
	case X86_INS_COMISS:
	case X86_INS_COMISD:
	case X86_INS_VUCOMISS:
	case X86_INS_VUCOMISD:
	case X86_INS_VCOMISS:
	case X86_INS_VCOMISD:
	case X86_INS_PTEST:
	case X86_INS_VPTEST: return OP_READ;

	case X86_INS_PCMPESTRI:
	case X86_INS_PCMPISTRI: *implied |= 1 << RCX; return OP_READ;

	case X86_INS_NOP:
	case X86_INS_PAUSE:
	case X86_INS_LFENCE:
	case X86_INS_MFENCE:
	case X86_INS_SFENCE:
	case X86_INS_PREFETCHNTA:
	case X86_INS_PREFETCHT0:
	case X86_INS_PREFETCHT1:
	case X86_INS_PREFETCHT2:
	case X86_INS_CLD:
	case X86_INS_STD:
	case X86_INS_CLC:
	case X86_INS_STC:
	case X86_INS_CMC:
	case X86_INS_VZEROUPPER:
	case X86_INS_VZEROALL: return OP_NOTHING;

	case X86_INS_ADC:
	case X86_INS_SBB:
	case X86_INS_AND:
	case X86_INS_OR:
	case X86_INS_NOT:
	case X86_INS_NEG:
	case X86_INS_SHL:
	case X86_INS_SAL:
	case X86_INS_SHR:
	case X86_INS_SAR:
	case X86_INS_ROL:
	case X86_INS_ROR:
	case X86_INS_RCL:
	case X86_INS_RCR:
	case X86_INS_SHLD:
	case X86_INS_SHRD:
	case X86_INS_MOVZX:
	case X86_INS_MOVSX:
	case X86_INS_MOVSXD:
	case X86_INS_MOVBE:
	case X86_INS_BSWAP:
	case X86_INS_BSF:
	case X86_INS_BSR:
	case X86_INS_TZCNT:
	case X86_INS_LZCNT:
	case X86_INS_POPCNT:
	case X86_INS_CRC32:
	case X86_INS_ADCX:
	case X86_INS_ADOX:
	case X86_INS_SETA:
	case X86_INS_SETAE:
	case X86_INS_SETB:
	case X86_INS_SETBE:
	case X86_INS_SETE:
	case X86_INS_SETG:
	case X86_INS_SETGE:
	case X86_INS_SETL:
	case X86_INS_SETLE:
	case X86_INS_SETNE:
	case X86_INS_SETNO:
	case X86_INS_SETNP:
	case X86_INS_SETNS:
	case X86_INS_SETO:
	case X86_INS_SETP:
	case X86_INS_SETS: return OP_WRITE;

	case X86_INS_IMUL:
		if (nops > 1) {
			return OP_WRITE;
		}
		/* fallthrough */
	case X86_INS_MUL:
	case X86_INS_DIV:
	case X86_INS_IDIV: *implied |= 1 << RAX | 1 << RDX; return OP_READ;

	case X86_INS_CBW:
	case X86_INS_CWDE:
	case X86_INS_CDQE:
	case X86_INS_CWD:
	case X86_INS_CDQ:
	case X86_INS_CQO: *implied |= 1 << RAX | 1 << RDX; return OP_NOTHING;

	case X86_INS_BT:
	case X86_INS_BTS:
	case X86_INS_BTR:
	case X86_INS_BTC: return OP_BITS;

	case X86_INS_CMOVA:
	case X86_INS_CMOVAE:
	case X86_INS_CMOVB:
	case X86_INS_CMOVBE:
	case X86_INS_CMOVE:
	case X86_INS_CMOVG:
	case X86_INS_CMOVGE:
	case X86_INS_CMOVL:
	case X86_INS_CMOVLE:
	case X86_INS_CMOVNE:
	case X86_INS_CMOVNO:
	case X86_INS_CMOVNP:
	case X86_INS_CMOVNS:
	case X86_INS_CMOVO:
	case X86_INS_CMOVP:
	case X86_INS_CMOVS: return OP_CMOV;

	case X86_INS_MOV:
	case X86_INS_MOVABS: return OP_MOV;
	case X86_INS_LEA: return OP_LEA;
	case X86_INS_ADD:
	case X86_INS_INC:
	case X86_INS_DEC: return OP_ADD;
	case X86_INS_SUB: return OP_SUB;
	case X86_INS_XOR: return OP_XOR;
	case X86_INS_XCHG: return OP_XCHG;
	case X86_INS_PUSH: return OP_PUSH;
	case X86_INS_POP: return OP_POP;
	case X86_INS_STOSB:
	case X86_INS_STOSD:
	case X86_INS_STOSQ:
	case X86_INS_STOSW: return OP_STOS;
	case X86_INS_MOVSB:
	case X86_INS_MOVSQ:
	case X86_INS_MOVSW: return OP_MOVS;
	/* two instructions of one name: the other one copies a number between vector registers and memory */
	case X86_INS_MOVSD: return insn->detail->x86.opcode[0] == 0xa5 ? OP_MOVS : OP_WRITE;
	case X86_INS_JMP: return OP_JUMP;
	case X86_INS_JA:
	case X86_INS_JAE:
	case X86_INS_JB:
	case X86_INS_JBE:
	case X86_INS_JE:
	case X86_INS_JG:
	case X86_INS_JGE:
	case X86_INS_JL:
	case X86_INS_JLE:
	case X86_INS_JNE:
	case X86_INS_JNO:
	case X86_INS_JNP:
	case X86_INS_JNS:
	case X86_INS_JO:
	case X86_INS_JP:
	case X86_INS_JS: return OP_BRANCH;
	case X86_INS_CALL: return OP_CALL;
	case X86_INS_RET: return nops == 0 ? OP_RET : OP_FORBIDDEN;
	case X86_INS_UD2:
	case X86_INS_INT3: return OP_TRAP;
	default: break;
	}
	return classify_vector(cs, insn);
}

static struct operand operand_of(const cs_x86_op *op)
{
	struct operand o = { .size = op->size, .reg = NONE, .base = NONE, .index = NONE, .scale = 1 };

	switch (op->type) {
	case X86_OP_REG:
		if ((op->reg >= X86_REG_MM0 && op->reg <= X86_REG_MM7) ||
		    (op->reg >= X86_REG_ST0 && op->reg <= X86_REG_ST7)) {
			break; /* they would have to be given back as they were */
		}
		o.type = OPERAND_REG;
		o.reg = reg_of(op->reg);
		break;
	case X86_OP_IMM:
		o.type = OPERAND_IMM;
		o.n = op->imm;
		break;
	case X86_OP_MEM:
		o.type = OPERAND_MEM;
		o.base = reg_of(op->mem.base);
		o.index = reg_of(op->mem.index);
		o.scale = (uint8_t)op->mem.scale;
		o.n = op->mem.disp;
		o.segment = op->mem.segment != X86_REG_INVALID;
		break;
	default: break;
	}
	return o;
}

void insn_decode(const struct capstone *cs, const cs_insn *insn, struct insn *out)
{
	const cs_x86 *x86 = &insn->detail->x86;

	*out = (struct insn){ .size = (uint8_t)insn->size, .id = (uint16_t)insn->id, .nops = x86->op_count };
	snprintf(out->mnemonic, sizeof(out->mnemonic), "%s", insn->mnemonic);
	out->lock = x86->prefix[0] == X86_PREFIX_LOCK;
	out->repeats = x86->prefix[0] == X86_PREFIX_REP || x86->prefix[0] == X86_PREFIX_REPNE;
	for (uint8_t i = 0; i < insn->detail->regs_write_count; i++) {
		uint8_t reg = reg_of((x86_reg)insn->detail->regs_write[i]);
		if (reg < NREGS && reg != RSP) {
			out->implied |= (uint16_t)(1U << reg);
		}
	}
	out->class = classify(cs, insn, &out->implied);
	if (x86->op_count > sizeof(out->ops) / sizeof(out->ops[0]) || x86->addr_size != 8) {
		out->class = OP_FORBIDDEN;
		out->nops = 0;
	}
	bool uses_stack = out->class == OP_PUSH || out->class == OP_POP || out->class == OP_RET;
	bool branches = out->class == OP_JUMP || out->class == OP_BRANCH || out->class == OP_CALL;
	if (branches && x86->op_count == 1 && x86->operands[0].type == X86_OP_IMM && insn->size != 2 &&
	    insn->size != (out->class == OP_BRANCH ? 6 : 5)) {
		out->class = OP_FORBIDDEN; /* with prefixes that processors don't agree on */
	}
	if ((branches || uses_stack) && x86->prefix[2] != 0) {
		out->class = OP_FORBIDDEN; /* of half words */
	}
	out->at = branches ? x86->encoding.imm_offset : x86->encoding.disp_offset;
	for (uint8_t i = 0; i < out->nops; i++) {
		out->ops[i] = operand_of(&x86->operands[i]);
		if (out->ops[i].type == OPERAND_NONE) {
			out->class = OP_FORBIDDEN;
		}
	}
}
