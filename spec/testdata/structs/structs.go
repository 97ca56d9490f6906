// Package structs has structs whose methods matter.
package structs

import (
	"context"
	"fmt"
	"strings"
)

// Point is plain data with methods of both kinds.
type Point struct {
	X, Y int
}

func (p Point) Add(q Point) Point              { return Point{p.X + q.X, p.Y + q.Y} }
func (p Point) String() string                 { return fmt.Sprintf("(%d, %d)", p.X, p.Y) }
func (p *Point) Move(dx, dy int)               { p.X, p.Y = p.X+dx, p.Y+dy }
func (p Point) Check(limit int) (int, error)   { return p.X, check(p.X, limit) }
func (p Point) Apply(f func(int, int) int) int { return f(p.X, p.Y) }
func (p Point) Wait(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
func (p Point) Sum(more ...int) (sum int)      { return total(append(more, p.X, p.Y)) }
func (p *Point) Scale(by int) (before, after int) {
	before = p.X
	p.X *= by
	p.Y *= by
	return before, p.X
}
func (p Point) Boom() int { panic("boom") }

func total(all []int) (sum int) {
	for _, n := range all {
		sum += n
	}
	return sum
}

func check(n, limit int) error {
	if n > limit {
		return fmt.Errorf("%d is more than %d", n, limit)
	}
	return nil
}

// Plain has none.
type Plain struct {
	X, Y int
}

// Named has promoted methods, and a field that may be nil.
type Named struct {
	Point
	Name string
	Next *Named
}

// Title has the word with a capital.
func (n Named) Title() string { return strings.ToUpper(n.Name) }

// Bag shares a map and a slice with whoever has copied it.
type Bag struct {
	Counts map[string]int
	Order  []string
}

// Put changes what the map has, and nothing of the copy that is the receiver.
func (b Bag) Put(name string) { b.Counts[name]++ }

// Push needs the variable.
func (b *Bag) Push(name string) { b.Order = append(b.Order, name); b.Counts[name]++ }

// Len is how many there are.
func (b Bag) Len() int { return len(b.Counts) }

// Hidden has state that no table has: it is a handle.
type Hidden struct {
	X int
	y int
}

// Y is the state.
func (h Hidden) Y() int { return h.y }

// Fault is an error, and a struct.
type Fault struct{ Code int }

func (f Fault) Error() string { return fmt.Sprintf("fault %d", f.Code) }

// Brief has a method String that is no fmt.Stringer's.
type Brief struct{ Text string }

func (b Brief) String(n int) string { return b.Text[:n] }

// Late fails when its time is over.
func Late(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("late: %w", ctx.Err()) }

func NewPoint(x, y int) Point          { return Point{x, y} }
func NewPlain(x, y int) Plain          { return Plain{x, y} }
func NewHidden(x int) Hidden           { return Hidden{x, x + 1} }
func NewBrief(s string) Brief          { return Brief{s} }
func NewFault(code int) Fault          { return Fault{code} }
func NewBag() Bag                      { return Bag{Counts: map[string]int{}} }
func NewNamed(name string) Named       { return Named{Point{1, 2}, name, nil} }
func Points(n int) []Point             { return make([]Point, n) }
func ByName() map[string]Point         { return map[string]Point{"origin": {}, "one": {1, 1}} }
func Boxed() any                       { return Point{3, 4} }
func BoxedAll() []any                  { return []any{Point{5, 6}, Plain{7, 8}, "x"} }
func Unboxed(v any) string             { return fmt.Sprintf("%v", v) }
func Take(p Point) int                 { return p.X }
func Each(f func(Point) int) (sum int) { return f(Point{1, 2}) + f(Point{3, 4}) }

// Where is a variable.
var Where = Point{10, 20}
