//go:build go1.24

package mid

import (
	"fmt"
	"runtime"
	"weak"

	"example.com/uses/base"
)

// Several is a generic alias.
type Several[T any] = base.Pair[string, []T]

// Weak points to base's and mid's values without holding them.
func Weak() string {
	p, path := &base.Point{X: 1}, &Path{Tail: make([]base.Point, 3)}
	wp, wpath := weak.Make(p), weak.Make(path)
	before := fmt.Sprint(wp.Value(), len(wpath.Value().Tail), wp == weak.Make(p))
	runtime.KeepAlive(p)
	runtime.KeepAlive(path)
	p, path = nil, nil
	for i := 0; i < 10 && wpath.Value() != nil; i++ {
		runtime.GC()
	}
	var several any = Several[base.Point]{Key: "s"}
	_, ok := several.(base.Pair[string, []base.Point])
	return fmt.Sprint(before, wpath.Value() == nil, ok)
}
