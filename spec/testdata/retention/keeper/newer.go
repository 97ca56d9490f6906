//go:build go1.24

package keeper

import (
	"fmt"
	"iter"
	"runtime"
)

func init() {
	kinds["cleanup: its argument"] = func(v fmt.Stringer) func() string {
		got := make(chan string, 1)
		place.object = &holder{}
		runtime.AddCleanup(place.object, func(v fmt.Stringer) { got <- v.String() }, v)
		return func() string { place.object = nil; return collected(got) }
	}
	kinds["cleanup: what it has captured"] = func(v fmt.Stringer) func() string {
		got := make(chan string, 1)
		place.object = &holder{}
		runtime.AddCleanup(place.object, func(int) { got <- v.String() }, 1)
		return func() string { place.object = nil; return collected(got) }
	}
	kinds["coroutine"] = func(v fmt.Stringer) func() string {
		next, stop := iter.Pull(func(yield func(string) bool) {
			if yield("") {
				yield(v.String())
			}
		})
		next()
		return func() string {
			defer stop()
			s, _ := next()
			return s
		}
	}
}
