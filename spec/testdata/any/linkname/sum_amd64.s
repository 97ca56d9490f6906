#include "funcdata.h"
#include "textflag.h"

DATA start<>+0(SB)/8, $1000
GLOBL start<>(SB), NOPTR, $8

// func sum(numbers []int64) int64
TEXT ·sum(SB), $40-32
	NO_LOCAL_POINTERS
	MOVQ numbers_base+0(FP), SI
	MOVQ numbers_len+8(FP), CX
	MOVQ start<>(SB), AX
next:
	TESTQ CX, CX
	JZ    done
	MOVQ  AX, 0(SP)
	MOVQ  (SI), DX
	MOVQ  DX, 8(SP)
	MOVQ  SI, 24(SP)
	MOVQ  CX, 32(SP)
	CALL  ·add(SB)
	MOVQ  16(SP), AX
	MOVQ  24(SP), SI
	MOVQ  32(SP), CX
	ADDQ  $8, SI
	DECQ  CX
	JMP   next
done:
	MOVQ AX, ret+24(FP)
	RET

DATA linkname_words+0(SB)/8, $11
DATA linkname_words+8(SB)/8, $12
GLOBL linkname_words(SB), NOPTR, $16

TEXT linkname_seven(SB), NOSPLIT, $0
	MOVQ $7, AX
	RET

TEXT ·eight(SB), NOSPLIT, $0
	MOVQ $8, AX
	RET

// func callAddr(code uintptr) int
TEXT ·callAddr(SB), NOSPLIT, $0-16
	MOVQ code+0(FP), AX
	CALL AX
	MOVQ AX, ret+8(FP)
	RET
