// Package crowd is loaded many times over.
package crowd

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"unsafe"
)

type point struct{ X, Y int }

func (p *point) String() string { return fmt.Sprint(p.X, " ", p.Y) }

type fault struct{ pcs []uintptr }

func (f *fault) Error() string { return "fault" }

var (
	names  = []string{"here", "there"}
	points = map[string]fmt.Stringer{"origin": &point{}}
	count  int
)

// Add changes variables of all kinds.
func Add(x, y int) string {
	count++
	p := &point{x, y}
	points[names[count%2]] = p
	return points[names[count%2]].String()
}

//go:noinline
func deep(n int, f func()) int {
	if n == 0 {
		f()
		return 1
	}
	return deep(n-1, f) + 1
}

// Trace says which functions its own stack has, and in which lines.
func Trace() (trace string) {
	deep(2, func() {
		pcs := make([]uintptr, 20)
		frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
		for {
			frame, more := frames.Next()
			if strings.HasPrefix(frame.Function, "crowd.") {
				trace += fmt.Sprintf("%s:%d ", strings.TrimPrefix(frame.Function, "crowd."), frame.Line)
			}
			if !more {
				return
			}
		}
	})
	return trace
}

// Fail panics, and recovers further out.
func Fail() (err error) {
	defer func() { err = fmt.Errorf("%v", recover()) }()
	deep(10, func() { panic(&point{1, 2}) })
	return nil
}

//go:noinline
func grow(n int) int {
	var room [512]byte
	room[n%512] = 1
	if n == 0 {
		return int(room[1])
	}
	return grow(n-1) + int(room[3])
}

// Grow has the stacks of new goroutines grow.
func Grow(goroutines int) {
	done := make(chan int)
	for i := 0; i < goroutines; i++ {
		go func() { done <- grow(60) }()
		<-done
	}
}

// Collect gives back what Go doesn't need.
func Collect() { debug.FreeOSMemory() }

// PCs are code addresses of this module.
func PCs() []uintptr {
	pcs := make([]uintptr, 3)
	runtime.Callers(1, pcs)
	return pcs[:1]
}

// Type is the address of a type of this module.
func Type() uintptr {
	var p any = &point{}
	return *(*uintptr)(unsafe.Pointer(&p))
}
