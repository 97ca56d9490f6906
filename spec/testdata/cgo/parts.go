// Package parts has something of everything that Go and C do with each other.
package parts

/*
#cgo CFLAGS: -DFACTOR=3
#cgo LDFLAGS: -lm
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "parts.h"

static inline int triple(int x) { return FACTOR * x; }

static int failing(int code) {
	errno = code;
	return -1;
}

static struct point mirrored(struct point p) { return (struct point){ .x = p.y, .y = p.x }; }

static union number number_of(double d) { return (union number){ .d = d }; }
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/cgo"
	"strings"
	"syscall"
	"unsafe"

	"example.com/parts/counter"
)

// ---- Go calls C ----

func Triple(x int) int { return int(C.triple(C.int(x))) }

func Root(x float64) float64 { return float64(C.sqrt(C.double(x))) }

// Fail gives C's errno as an error.
func Fail(code int) (int, error) {
	n, err := C.failing(C.int(code))
	return int(n), err
}

func IsNotExist() bool {
	_, err := C.failing(C.ENOENT)
	return errors.Is(err, syscall.ENOENT)
}

func Upper(s string) string {
	in := C.CString(s)
	defer C.free(unsafe.Pointer(in))
	out := C.upper(in)
	defer C.free(unsafe.Pointer(out))
	return C.GoString(out)
}

func Bytes(n int) int {
	p := C.malloc(C.size_t(n))
	defer C.free(p)
	C.memset(p, 7, C.size_t(n))
	sum := 0
	for _, b := range C.GoBytes(p, C.int(n)) {
		sum += int(b)
	}
	return sum
}

func Mirrored(x, y float64) (float64, float64) {
	p := C.mirrored(C.struct_point{x: C.double(x), y: C.double(y)})
	return float64(p.x), float64(p.y)
}

// Bits reads a union as another of its members.
func Bits(d float64) string {
	u := C.number_of(C.double(d))
	return fmt.Sprintf("%016x", *(*uint64)(unsafe.Pointer(&u)))
}

// Count is a variable in C.
func Count() int { C.calls++; return int(C.calls) }

func FromAssembly() int { return int(C.forty_two()) }

func FromCXX(words string) (int, string) {
	in := C.CString(words)
	defer C.free(unsafe.Pointer(in))
	n := C.count_words(in)
	out := C.thrown()
	return int(n), C.GoString(out)
}

// Applied calls a C function by its pointer.
func Applied(x int) int { return int(C.apply(C.function(C.negated), C.int(x))) }

// Elsewhere calls a C function that another package brings.
func Elsewhere() int { return counter.Next() + int(C.next_from_parts()) }

// ---- C calls Go ----

//export goDouble
func goDouble(x C.int) C.int { return 2 * x }

//export goText
func goText(n C.int) *C.char { return C.CString(strings.Repeat("go", int(n))) }

func Called(x int) int { return int(C.call_go(C.int(x))) }

func CalledByPointer(x int) int { return int(C.apply(C.go_function(), C.int(x))) }

func Text(n int) string {
	s := C.text_of_go(C.int(n))
	defer C.free(unsafe.Pointer(s))
	return C.GoString(s)
}

// Deep goes from Go to C and back, n times.
func Deep(n int) int { return int(C.go_deeper(C.int(n))) }

//export goDeeper
func goDeeper(n C.int) C.int {
	if n == 0 {
		runtime.GC()
		return 0
	}
	return 1 + C.go_deeper(n-1)
}

//export goPanic
func goPanic() { panic("through C") }

func Panic() { C.call_panic() }

func Recovered() (text string) {
	defer func() { text = fmt.Sprint("recovered: ", recover()) }()
	C.call_panic()
	return "not reached"
}

//export goAdd
func goAdd(handle C.uintptr_t, x C.int) {
	*cgo.Handle(handle).Value().(*int) += int(x)
}

// Summed passes a Go pointer through C, as a handle.
func Summed(n int) int {
	sum := 0
	h := cgo.NewHandle(&sum)
	defer h.Delete()
	C.each(C.uintptr_t(h), C.int(n))
	return sum
}

// Threads has C start n threads, each of which calls Go, and waits for them.
func Threads(n int) int {
	sum := 0
	results := make(chan int, n)
	h := cgo.NewHandle(results)
	defer h.Delete()
	C.run_threads(C.uintptr_t(h), C.int(n))
	for i := 0; i < n; i++ {
		sum += <-results
	}
	return sum
}

//export goThread
func goThread(handle C.uintptr_t, number C.int) {
	garbage := make([][]byte, 100)
	for i := range garbage {
		garbage[i] = make([]byte, 1000)
	}
	runtime.Gosched()
	cgo.Handle(handle).Value().(chan int) <- int(number)
}

//export goTrace
func goTrace() *C.char {
	buf := make([]byte, 1<<16)
	return C.CString(string(buf[:runtime.Stack(buf, false)]))
}

// Trace is the traceback of a goroutine that is in Go, in C, and in Go again.
func Trace() string {
	s := C.call_trace()
	defer C.free(unsafe.Pointer(s))
	return C.GoString(s)
}

// Smuggle hands C a Go pointer to a Go pointer, which cgo forbids.
func Smuggle() {
	p := &struct{ next *int }{new(int)}
	C.take(unsafe.Pointer(p))
}

// Wait stays in C until Release.
func Wait() { go C.wait_here(); C.wait_until_waiting() }

func Release() { C.release() }
