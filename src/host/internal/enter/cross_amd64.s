#include "funcdata.h"
#include "textflag.h"

// The thread's current goroutine, as runtime/go_tls.h has it
#define get_tls(r)	MOVQ TLS, r
#define g(r)	0(r)(TLS*1)

// The assembler marks functions that set SP, and the runtime's unwinder stops at them, all but its own cgocallback
// (runtime/traceback.go, resolveInternal). fromC deserves the same trust, for the same reason: while it changes stacks, both
// have a frame of it that can be unwound. So what sets SP is spelled in bytes.
#define SET_SP_R8	BYTE $0x4c; BYTE $0x89; BYTE $0xc4 // MOVQ R8, SP

// int fromC(void *arg, void *f): by the C calling convention. See FromC.
//
// It changes to the stack of the thread's goroutine, calls crossed(arg, f, g) there, and comes back, as
// runtime.cgocallback does (asm_amd64.s explains each step).
TEXT ·fromC(SB), NOSPLIT, $48-8
	NO_LOCAL_POINTERS
	// C's registers that Go does not care for; the frame itself saves BP.
	MOVQ	BX, 8(SP)
	MOVQ	R12, 16(SP)
	MOVQ	R13, 24(SP)
	MOVQ	R14, 32(SP)
	MOVQ	R15, 40(SP)
	CMPB	·forked(SB), $0
	JNE	far
	get_tls(CX)
	MOVQ	g(CX), R14
	TESTQ	R14, R14
	JEQ	far		// this thread has never been in Go
	MOVQ	·gM(SB), DX
	MOVQ	(R14)(DX*1), R13
	MOVQ	·mG0(SB), DX
	CMPQ	R14, (R13)(DX*1)
	JNE	far
	MOVQ	·mCurg(SB), DX
	MOVQ	(R13)(DX*1), R12
	TESTQ	R12, R12
	JEQ	far
	// The runtime must know where this thread's stack lies, if it is to use it (callbackUpdateSystemStack).
	MOVQ	·gStack(SB), DX
	CMPQ	SP, 8(R14)(DX*1)
	JHI	far
	MOVQ	0(R14)(DX*1), DX
	ADDQ	$16384, DX
	CMPQ	SP, DX
	JLS	far

	MOVQ	·gSched(SB), DX
	MOVQ	0(R14)(DX*1), AX	// gobuf.sp is the first of its fields, gobuf.pc the second
	MOVQ	AX, 0(SP)
	MOVQ	SP, 0(R14)(DX*1)
	MOVQ	R12, g(CX)
	MOVQ	R12, R14
	MOVQ	0(R12)(DX*1), R8
	MOVQ	8(R12)(DX*1), R9
	MOVQ	R9, -8(R8)	// where the goroutine goes on, as the return address of this frame
	LEAQ	caller+0(FP), AX
	SUBQ	SP, AX
	SUBQ	AX, R8
	MOVQ	DI, AX
	MOVQ	SI, BX
	MOVQ	R12, CX
	SET_SP_R8
	XORPS	X15, X15
	MOVQ	·crossed(SB), R12
	CALL	R12
	LEAQ	caller+0(FP), AX
	SUBQ	SP, AX
	get_tls(CX)
	MOVQ	g(CX), R14
	MOVQ	·gSched(SB), DX
	LEAQ	(SP)(AX*1), R8
	MOVQ	-8(R8), R9
	MOVQ	R9, 8(R14)(DX*1)
	MOVQ	R8, 0(R14)(DX*1)
	MOVQ	·gM(SB), R9
	MOVQ	(R14)(R9*1), R13
	MOVQ	·mG0(SB), R9
	MOVQ	(R13)(R9*1), R14
	MOVQ	R14, g(CX)
	MOVQ	0(R14)(DX*1), R8
	SET_SP_R8
	MOVQ	0(SP), AX
	MOVQ	AX, 0(R14)(DX*1)
	MOVL	$1, AX
	JMP	done
far:
	XORL	AX, AX
done:
	MOVQ	8(SP), BX
	MOVQ	16(SP), R12
	MOVQ	24(SP), R13
	MOVQ	32(SP), R14
	MOVQ	40(SP), R15
	RET

// func FromC() unsafe.Pointer
TEXT ·FromC(SB), NOSPLIT, $0-8
	LEAQ	·fromC(SB), AX
	MOVQ	AX, ret+0(FP)
	RET
