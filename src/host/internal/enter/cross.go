package enter

import "unsafe"

// C calls Go by way of runtime.cgocallback, which prepares for all that can happen then: threads that the runtime has
// not seen before, panics that unwind through C, profilers. A thread that has called before and whose callee catches
// its panics needs little of it. FromC is that little: it changes from the thread's stack to its goroutine's, whose
// descriptor, the thread's own since the first call, is all it needs to know. What the goroutine must do then to be let
// run, and before it goes back, is the callee's (src/host/enter.go).

// Offsets in bytes: of the runtime's g, and of its m. C sets them before it uses FromC.
var gM, gStack, gSched, mG0, mCurg uintptr

// crossed is the code of what FromC calls on the goroutine's stack.
var crossed unsafe.Pointer

// forked is set by C when the process is no longer the one that Go was started in.
var forked bool

// Forked returns the address of forked.
func Forked() *bool { return &forked }

// SetUp says where in the runtime's g its m, stack and sched are, and in its m g0 and curg; and what to call, a
// func(arg, f, g unsafe.Pointer).
func SetUp(m, stack, sched, g0, curg uintptr, code unsafe.Pointer) {
	gM, gStack, gSched, mG0, mCurg, crossed = m, stack, sched, g0, curg, code
}

// FromC returns the address of a C function
//
//	int fromC(void *arg, void *f);
//
// which calls the function of SetUp on the stack of this thread's goroutine g, and returns 1; or 0 and does nothing,
// when this call has to go the long way: a thread's first, or one on a stack that the thread was not created with.
func FromC() unsafe.Pointer

// fromC is that C function. Go must not call it; to declare it makes the maps that assemblers before Go 1.22 refer to.
// caller is no argument, but the name of the place where the C caller's frame begins.
func fromC(caller uintptr)
