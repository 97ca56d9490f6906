#include "textflag.h"

// func Asm(a int, _ string) int
TEXT ·Asm(SB), NOSPLIT, $0-32
	MOVQ a+0(FP), AX
	MOVQ AX, ret+24(FP)
	RET
