/* Instructions of amd64, as far as the prover (prover.h) has to know them: what they read and write. */
#ifndef GL_INSN_H
#define GL_INSN_H

#include <stdbool.h>
#include <stdint.h>

#include "capstone.h"

/* General registers, as the processor counts them; then what else may stand for one. */
enum {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15,
	NREGS,
	RIP,
	VECTOR, /* any register that holds no address */
	NONE
};

enum op_class {
	OP_FORBIDDEN,
	OP_READ,  /* writes no operand */
	OP_WRITE, /* writes the first operand, and registers that `implied` says */
	OP_WRITE_TWO,
	OP_BITS, /* OP_READ or OP_WRITE whose second operand may lead beyond the first, where that is memory */
	OP_NOTHING,
	OP_MOV,
	OP_LEA,
	OP_ADD,
	OP_SUB,
	OP_XOR,
	OP_CMOV,
	OP_XCHG,
	OP_PUSH,
	OP_POP,
	OP_STOS,
	OP_MOVS,
	OP_JUMP,
	OP_BRANCH,
	OP_CALL,
	OP_RET,
	OP_TRAP
};

struct operand {
	enum { OPERAND_NONE, OPERAND_REG, OPERAND_IMM, OPERAND_MEM } type;
	uint8_t size;
	uint8_t reg;
	uint8_t base, index, scale;
	uint8_t segment; /* fs or gs */
	int64_t n;       /* immediate, displacement */
};

struct insn {
	uint32_t off;
	uint8_t size, at; /* at: where a 32-bit displacement or offset lies */
	uint8_t nops;
	bool lock, repeats;
	enum op_class class;
	uint16_t implied; /* registers that it writes without naming them */
	uint16_t id;
	struct operand ops[4];
	char mnemonic[CS_MNEMONIC_SIZE];
};

/* Takes what is needed from capstone's instruction; off is the caller's to set. What is not known to be harmless is
 * OP_FORBIDDEN. */
void insn_decode(const struct capstone *cs, const cs_insn *insn, struct insn *out);

#endif
