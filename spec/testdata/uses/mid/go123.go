//go:build go1.23

package mid

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"unique"

	"example.com/uses/base"
)

// Iterators yield base's and mid's values.
func Iterators() string {
	walk := func(n int) iter.Seq2[int, base.Point] {
		return func(yield func(int, base.Point) bool) {
			for i := range n {
				if !yield(i, base.Point{X: i * i}) {
					return
				}
			}
		}
	}
	next, stop := iter.Pull2(walk(3))
	defer stop()
	next()
	_, second, ok := next()
	sum := 0
	for _, p := range walk(10) {
		if p.X > 20 {
			break
		}
		sum += p.X
	}
	m := maps.Collect(walk(4))
	return fmt.Sprint(second, ok, sum, slices.Sorted(maps.Keys(m)))
}

// Unique makes handles of base's and mid's types.
func Unique() string {
	a, b := unique.Make(base.Point{X: 1}), unique.Make(base.Point{X: 1})
	c, d := unique.Make(Weight(3)), unique.Make(Weight(4))
	base.Boxes["handle"] = a
	return fmt.Sprint(a == b, a.Value(), c == d, c.Value())
}
