// Package csymbols refers to C symbols of every kind.
package csymbols

/*
#cgo CFLAGS: -fvisibility=hidden -fcommon
#cgo CXXFLAGS: -fvisibility=hidden
#include <stdlib.h>
extern int hidden_counter, common_counter, weak_counter, cxx_counter;
extern int (*hidden_pointer)(int);
extern const char table[1 << 20];
int hidden_function(int);
int next_local(void);
int is_constructed(void);
int from_table(const char *), from_inline(void), from_thread_local(void);

static inline int twice(int n) { return 2 * n; }
static int apply(int (*f)(int), int n) { return f(n); }
*/
import "C"

import (
	"unsafe"

	"example.com/csymbols/other"
)

func Variables() (int, int, int, int) {
	C.hidden_counter++
	C.common_counter += 2
	return int(C.hidden_counter), int(C.common_counter), int(C.weak_counter), int(C.cxx_counter)
}

func Functions() (int, int, int) {
	return int(C.hidden_function(1)), int(C.apply(C.hidden_pointer, 2)), int(C.twice(3))
}

func Constant(i int) int { return int(C.table[i]) }

func NextLocal() int { return int(C.next_local()) }

func Constructed() int { return int(C.is_constructed()) }

func CXX() (int, int, int) {
	name := C.CString("ten")
	defer C.free(unsafe.Pointer(name))
	return int(C.from_table(name)), int(C.from_inline()), int(C.from_thread_local())
}

// Without a cgo line of its own, a variable is the C function that package other imports: Go's linker knows each name
// once.
//
//go:linkname getpid getpid
var getpid byte

// The address in data, which the linker writes.
var pidFunction = unsafe.Pointer(&getpid)

//go:linkname cgocall runtime.cgocall
func cgocall(fn, arg unsafe.Pointer) int32

func Pids() (bool, bool) {
	pid := other.Pid()
	return int(cgocall(pidFunction, nil)) == pid, int(cgocall(unsafe.Pointer(&getpid), nil)) == pid
}

// A C variable of another package's, by the same way.
//
//go:linkname otherCounter other_counter
var otherCounter byte

func Shared() (int, int) {
	p := (*int32)(unsafe.Pointer(&otherCounter))
	*p += 1
	return int(*p), other.Counter()
}
