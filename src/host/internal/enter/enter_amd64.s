#include "funcdata.h"
#include "textflag.h"

// Offsets in Regs
#define INT(i) (8*i)
#define FLOAT(i) (72+8*i)
#define PTR(i) (192+8*i)
#define RETURN_IS_PTR 264
#define LENT 266
#define FLOATLESS 268

// Makes an address of a word that is a place in lent memory. R13 holds Lent, R14 the memory.
#define ARGUMENT(i, reg) \
	BTL	$i, R13 \
	JCC	2(PC) \
	ADDQ	R14, reg

// Loads the registers that carry integers and pointers from where R12 points.
#define LOAD_INTS \
	MOVQ	INT(0)(R12), AX \
	MOVQ	INT(1)(R12), BX \
	MOVQ	INT(2)(R12), CX \
	MOVQ	INT(3)(R12), DI \
	MOVQ	INT(4)(R12), SI \
	MOVQ	INT(5)(R12), R8 \
	MOVQ	INT(6)(R12), R9 \
	MOVQ	INT(7)(R12), R10 \
	MOVQ	INT(8)(R12), R11

// Makes addresses of all words that are places in lent memory.
#define LEND \
	ARGUMENT(0, AX) \
	ARGUMENT(1, BX) \
	ARGUMENT(2, CX) \
	ARGUMENT(3, DI) \
	ARGUMENT(4, SI) \
	ARGUMENT(5, R8) \
	ARGUMENT(6, R9) \
	ARGUMENT(7, R10) \
	ARGUMENT(8, R11)

// Stores a result word, and once more where the collector sees it when it is a pointer. It must not see another: a
// number that looks like the address of free memory stops the program. R13 holds ReturnIsPtr, R12 the *Regs.
#define RESULT(i, reg) \
	MOVQ	reg, INT(i)(R12) \
	BTL	$i, R13 \
	JCC	2(PC) \
	MOVQ	reg, PTR(i)(R12)

// Stores a result where the collector sees it, when it is a pointer. R13 holds the bits that say so, R12 the pointers.
#define POINTER(i, reg) \
	BTL	$i, R13 \
	JCC	2(PC) \
	MOVQ	reg, INT(i)(R12)

// func Call(fn unsafe.Pointer, r *Regs, lent unsafe.Pointer)
//
// The frame is the spill area: the place that a callee may use for its register arguments when it needs the registers
// for something else, at most one word for each. What lies there is the callee's to describe.
TEXT ·Call(SB), 0, $192-24
	NO_LOCAL_POINTERS
	MOVQ	r+8(FP), R12
	LOAD_INTS
	MOVWLZX	LENT(R12), R13
	TESTL	R13, R13
	JEQ	lentless
	MOVQ	lent+16(FP), R14
	LEND
lentless:
	CMPB	FLOATLESS(R12), $0
	JNE	loaded
	MOVSD	FLOAT(0)(R12), X0
	MOVSD	FLOAT(1)(R12), X1
	MOVSD	FLOAT(2)(R12), X2
	MOVSD	FLOAT(3)(R12), X3
	MOVSD	FLOAT(4)(R12), X4
	MOVSD	FLOAT(5)(R12), X5
	MOVSD	FLOAT(6)(R12), X6
	MOVSD	FLOAT(7)(R12), X7
	MOVSD	FLOAT(8)(R12), X8
	MOVSD	FLOAT(9)(R12), X9
	MOVSD	FLOAT(10)(R12), X10
	MOVSD	FLOAT(11)(R12), X11
	MOVSD	FLOAT(12)(R12), X12
	MOVSD	FLOAT(13)(R12), X13
	MOVSD	FLOAT(14)(R12), X14
loaded:
	XORPS	X15, X15
	MOVQ	(TLS), R14
	MOVQ	fn+0(FP), R12
	CALL	R12
	// The stack may have moved: the argument is read again.
	MOVQ	r+8(FP), R12
	MOVWLZX	RETURN_IS_PTR(R12), R13
	RESULT(0, AX)
	RESULT(1, BX)
	RESULT(2, CX)
	RESULT(3, DI)
	RESULT(4, SI)
	RESULT(5, R8)
	RESULT(6, R9)
	RESULT(7, R10)
	RESULT(8, R11)
	CMPB	FLOATLESS(R12), $0
	JNE	stored
	MOVSD	X0, FLOAT(0)(R12)
	MOVSD	X1, FLOAT(1)(R12)
	MOVSD	X2, FLOAT(2)(R12)
	MOVSD	X3, FLOAT(3)(R12)
	MOVSD	X4, FLOAT(4)(R12)
	MOVSD	X5, FLOAT(5)(R12)
	MOVSD	X6, FLOAT(6)(R12)
	MOVSD	X7, FLOAT(7)(R12)
	MOVSD	X8, FLOAT(8)(R12)
	MOVSD	X9, FLOAT(9)(R12)
	MOVSD	X10, FLOAT(10)(R12)
	MOVSD	X11, FLOAT(11)(R12)
	MOVSD	X12, FLOAT(12)(R12)
	MOVSD	X13, FLOAT(13)(R12)
	MOVSD	X14, FLOAT(14)(R12)
stored:
	RET

// func CallWords(fn unsafe.Pointer, ints *[IntRegs]uintptr, ptrs *[IntRegs]unsafe.Pointer, lent unsafe.Pointer,
// 	lentBits, ptrBits uint16)
TEXT ·CallWords(SB), 0, $72-36
	NO_LOCAL_POINTERS
	MOVQ	ints+8(FP), R12
	LOAD_INTS
	MOVWLZX	lentBits+32(FP), R13
	TESTL	R13, R13
	JEQ	loaded
	MOVQ	lent+24(FP), R14
	LEND
loaded:
	XORPS	X15, X15
	MOVQ	(TLS), R14
	MOVQ	fn+0(FP), R12
	CALL	R12
	MOVQ	ints+8(FP), R12
	MOVQ	AX, INT(0)(R12)
	MOVQ	BX, INT(1)(R12)
	MOVQ	CX, INT(2)(R12)
	MOVQ	DI, INT(3)(R12)
	MOVQ	SI, INT(4)(R12)
	MOVQ	R8, INT(5)(R12)
	MOVQ	R9, INT(6)(R12)
	MOVQ	R10, INT(7)(R12)
	MOVQ	R11, INT(8)(R12)
	MOVWLZX	ptrBits+34(FP), R13
	MOVQ	ptrs+16(FP), R12
	POINTER(0, AX)
	POINTER(1, BX)
	POINTER(2, CX)
	POINTER(3, DI)
	POINTER(4, SI)
	POINTER(5, R8)
	POINTER(6, R9)
	POINTER(7, R10)
	POINTER(8, R11)
	RET

// func CallString(fn unsafe.Pointer, s string) string
TEXT ·CallString(SB), 0, $72-40
	NO_LOCAL_POINTERS
	MOVQ	s_base+8(FP), AX
	MOVQ	s_len+16(FP), BX
	XORPS	X15, X15
	MOVQ	(TLS), R14
	MOVQ	fn+0(FP), R12
	CALL	R12
	MOVQ	AX, ret_base+24(FP)
	MOVQ	BX, ret_len+32(FP)
	RET

// func CallInts(fn unsafe.Pointer, ints *[IntRegs]uintptr, number *float64)
TEXT ·CallInts(SB), 0, $72-24
	NO_LOCAL_POINTERS
	MOVQ	ints+8(FP), R12
	LOAD_INTS
	XORPS	X15, X15
	MOVQ	(TLS), R14
	MOVQ	fn+0(FP), R12
	CALL	R12
	CVTSQ2SD	AX, X0
	MOVQ	number+16(FP), R12
	MOVSD	X0, (R12)
	MOVQ	ints+8(FP), R12
	MOVQ	AX, INT(0)(R12)
	RET

// func G() unsafe.Pointer
TEXT ·G(SB), NOSPLIT, $0-8
	MOVQ	(TLS), AX
	MOVQ	AX, ret+0(FP)
	RET

// func CallC(fn unsafe.Pointer)
TEXT ·CallC(SB), NOSPLIT, $0-8
	MOVQ	fn+0(FP), AX
	MOVQ	SP, BX		// C keeps it
	MOVQ	SP, R8
	ANDQ	$~15, R8
	MOVQ	R8, SP
	CALL	AX
	MOVQ	BX, SP
	RET
