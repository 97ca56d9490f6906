#include "textflag.h"

DATA bare_words+0(SB)/8, $11
DATA bare_words+8(SB)/8, $12
GLOBL bare_words(SB), NOPTR, $16

TEXT bare_seven(SB), NOSPLIT, $0
	MOVQ $7, AX
	RET

TEXT bare_double(SB), NOSPLIT, $0
	ADDQ AX, AX
	RET
