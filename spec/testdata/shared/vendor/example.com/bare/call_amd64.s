#include "textflag.h"

// func callAddr(code uintptr) int
TEXT ·callAddr(SB), NOSPLIT, $0-16
	MOVQ code+0(FP), AX
	CALL AX
	CALL bare_double(SB)
	MOVQ AX, ret+8(FP)
	RET
