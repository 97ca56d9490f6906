#include "textflag.h"

DATA start<>+0(SB)/8, $1000
GLOBL start<>(SB), RODATA|NOPTR, $8

// func Sum(list []int64) int64
TEXT ·Sum(SB), NOSPLIT, $0-32
	MOVQ list_base+0(FP), SI
	MOVQ list_len+8(FP), CX
	MOVQ start<>(SB), AX
loop:
	TESTQ CX, CX
	JZ done
	ADDQ (SI), AX
	ADDQ $8, SI
	DECQ CX
	JMP loop
done:
	MOVQ AX, ret+24(FP)
	RET
