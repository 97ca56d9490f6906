#include "textflag.h"

// func Prefetch(p uintptr)
TEXT ·Prefetch(SB), NOSPLIT, $0-8
	MOVQ	p+0(FP), AX
	PREFETCHT0	(AX)
	RET
