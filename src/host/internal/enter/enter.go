// Package enter calls Go code by its address, with arguments in the registers that the compiler expects them in.
//
// The Go calling convention (ABIInternal, src/cmd/compile/abi-internal.md) passes the words of most signatures in
// registers, in and out. Go source can't say "call the code at this address with these registers", so a few lines of
// assembly do. All that differs by processor in the calling of functions is in this package.
package enter

import "unsafe"

// Regs has the layout of internal/abi.RegArgs, which has been the same since Go 1.17, so that it also serves
// runtime.reflectcall. C code fills it in too: struct gl_regs of call.h.
type Regs struct {
	Ints   [IntRegs]uintptr
	Floats [FloatRegs]uint64
	// Pointers among the words in Ints, again: here the collector sees them.
	Ptrs [IntRegs]unsafe.Pointer
	// One bit for each word of Ints that is a pointer when the function returns.
	ReturnIsPtr [(IntRegs + 7) / 8]uint8
	// One bit for each word of Ints that is a place in the memory that is lent: it lies on the stack, and where that
	// is, only Call can say, since the stack may move till then.
	Lent uint16
	// No float is passed in either direction: theirs are most of the registers.
	Floatless bool
}

// Call calls the function whose code is at fn with the registers r, and leaves its results there. The function must
// have no stack-assigned parameter or result, and not keep what is lent, if anything is.
//
//go:noescape
func Call(fn unsafe.Pointer, r *Regs, lent unsafe.Pointer)

// CallWords is Call for functions that take and return no floats. The words of ints need not be Go's memory; pointers
// among the results are in ptrs too.
//
//go:noescape
func CallWords(fn unsafe.Pointer, ints *[IntRegs]uintptr, ptrs *[IntRegs]unsafe.Pointer, lent unsafe.Pointer,
	lentBits, ptrBits uint16)

// CallString is Call for a function of a string that returns one. s may lie on the stack if the function does not keep
// it.
//
//go:noescape
func CallString(fn unsafe.Pointer, s string) string

// CallInts is Call for functions that take nothing but integers and return one at most. It stores that as a number,
// too, which is quicker done here than by whoever would have to load it again.
//
//go:noescape
func CallInts(fn unsafe.Pointer, ints *[IntRegs]uintptr, number *float64)

// G returns the current goroutine's descriptor, a *runtime.g.
func G() unsafe.Pointer

// CallC calls a function of C's, void (*)(void), on the stack that this runs on: that of a thread, not a goroutine's.
func CallC(fn unsafe.Pointer)
