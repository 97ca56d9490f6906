// Package thing is what is held on to.
package thing

import "fmt"

// A T is held by a pointer.
type T struct {
	n    int
	Next *T
}

func (t *T) String() string { return fmt.Sprintf("a T of %d", t.n) }

func (t *T) Error() string { return t.String() }

// New makes one.
func New(n int) *T { return &T{n: n, Next: &T{n: n + 1}} }
