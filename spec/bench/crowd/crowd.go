// Package main measures what the runtime does in and for one module, however many others there are.
package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

type thing struct{ next *thing }

func (t *thing) String() string { return "thing" }

type fault struct{ name string }

func (f *fault) Error() string { return f.name }

var values = []any{&thing{}, &fault{}, 3, "text"}

// The fastest of many times, in nanoseconds.
func fastest(times int, f func()) float64 {
	least := time.Hour
	for i := 0; i < times; i++ {
		begin := time.Now()
		f()
		least = min(least, time.Since(begin))
	}
	return float64(least)
}

//go:noinline
func deep(n int, f func()) int {
	if n == 0 {
		f()
		return 1
	}
	return deep(n-1, f) + 1
}

// Traceback walks over a stack of 50 frames.
func Traceback() (took float64) {
	pcs := make([]uintptr, 100)
	deep(50, func() { took = fastest(500, func() { runtime.Callers(0, pcs) }) })
	return took
}

// Collect is one garbage collection.
func Collect() float64 {
	return fastest(50, runtime.GC)
}

// Assert asks values for interfaces.
func Assert() float64 {
	n := 0
	return fastest(500, func() {
		for i := 0; i < 100; i++ {
			for _, v := range values {
				if _, is := v.(fmt.Stringer); is {
					n++
				}
				if _, is := v.(error); is {
					n++
				}
			}
		}
	})
}

// Free gives back what Go doesn't need.
func Free() { debug.FreeOSMemory() }

func main() {}
