#include "textflag.h"

TEXT ·Swap(SB), NOSPLIT, $0-16
	MOVQ a+0(FP), AX
	MOVQ ·table(SB), CX
	CALL ·plain(SB)
	MOVQ AX, ret+8(FP)
	RET

DATA ·table+0(SB)/8, $·Swap(SB)
DATA ·table+8(SB)/8, $7
GLOBL ·table(SB), RODATA, $16
