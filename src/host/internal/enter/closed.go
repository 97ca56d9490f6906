package enter

// Closed is called in the place of functions that are not to be called any more.
var Closed func()

// ClosedCode is the address of what calls it, for a jump from such a function's beginning: the stack is as it was at
// the call, and what was called by either calling convention comes here.
func ClosedCode() uintptr

// callClosed is what that code goes on with.
func callClosed() { Closed() }
