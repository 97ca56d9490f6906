// Package base is a module that others use: its types and variables are theirs too.
package base

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

type Point struct{ X, Y int }

func (p Point) String() string     { return fmt.Sprintf("(%d;%d)", p.X, p.Y) }
func (p *Point) Move(dx, dy int)   { p.X, p.Y = p.X+dx, p.Y+dy }
func (p Point) Plus(q Point) Point { return Point{p.X + q.X, p.Y + q.Y} }
func (p Point) sum() int           { return p.X + p.Y }

// Only reflection calls it.
func (p Point) Mirrored(factor int) Point { return Point{-p.X * factor, -p.Y * factor} }

type Celsius float64

func (c Celsius) Fahrenheit() float64 { return float64(c)*9/5 + 32 }

type Shape interface{ Area() float64 }

type Scaler interface {
	Shape
	Scale(by float64) Shape
}

// Others embed it, and so get a method that is not exported.
type Sealed interface{ sealed() string }

type Seal struct{ Name string }

func (s Seal) sealed() string { return "sealed " + s.Name }

func Open(s Sealed) string { return s.sealed() }

type Square struct{ Side float64 }

func (s Square) Area() float64          { return s.Side * s.Side }
func (s Square) Scale(by float64) Shape { return Square{s.Side * by} }

func Total(shapes ...Shape) (sum float64) {
	for _, s := range shapes {
		sum += s.Area()
	}
	return sum
}

type NotFound struct{ Name string }

func (e *NotFound) Error() string        { return "no " + e.Name }
func (e *NotFound) Is(target error) bool { return target == ErrGone && e.Name == "ghost" }

var ErrGone = errors.New("gone")

// Find fails in two ways.
func Find(name string) error {
	if name == "" {
		return fmt.Errorf("find: %w", ErrGone)
	}
	return fmt.Errorf("find: %w", &NotFound{name})
}

// Try makes a panic an error.
func Try(f func()) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case error:
			err = fmt.Errorf("caught: %w", p)
		default:
			err = fmt.Errorf("caught %T: %v", p, p)
		}
	}()
	f()
	return nil
}

// ---- generics

type Number interface{ ~int | ~int64 | ~float64 }

func Sum[T Number](list ...T) (sum T) {
	for _, v := range list {
		sum += v
	}
	return sum
}

func Map[T, U any](list []T, f func(T) U) []U {
	var out []U
	for _, v := range list {
		out = append(out, f(v))
	}
	return out
}

type List[T any] struct {
	head *node[T]
	n    int
}

type node[T any] struct {
	value T
	next  *node[T]
}

func (l *List[T]) Push(v T) *List[T] {
	l.head = &node[T]{v, l.head}
	l.n++
	return l
}

func (l *List[T]) All() (out []T) {
	for n := l.head; n != nil; n = n.next {
		out = append(out, n.value)
	}
	return out
}

func (l *List[T]) String() string { return fmt.Sprintf("%d of %T: %v", l.n, *new(T), l.All()) }

type Pair[K comparable, V any] struct {
	Key   K
	Value V
}

func Sorted[K ~string, V any](m map[K]V) (out []Pair[K, V]) {
	for k, v := range m {
		out = append(out, Pair[K, V]{k, v})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out
}

type Set[T comparable] map[T]struct{}

func (s Set[T]) Add(v T) Set[T] { s[v] = struct{}{}; return s }
func (s Set[T]) Has(v T) bool   { _, ok := s[v]; return ok }

// ---- state

var (
	Counter  int
	Registry = map[string]Shape{"unit": Square{1}}
	Box      any
	Boxes    = map[string]any{}
	Hook     = func(s string) string { return "base:" + s }
	Origin   = Point{}
)

func Count() int                      { Counter++; return Counter }
func Apply(s string) string           { return Hook(s) }
func Registered() string              { return strings.Join(names(), ",") }
func Call(f func(Point) Point) Point  { return f(Point{1, 2}) }
func Kept() string                    { return fmt.Sprintf("%T", Box) }
func Describe(s fmt.Stringer) string  { return s.String() }
func Worker(in <-chan Point) []Point  { return drain(in) }
func Adder(n int) func(p Point) Point { return func(p Point) Point { return p.Plus(Point{n, n}) } }

func names() (out []string) {
	for name := range Registry {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

func drain(in <-chan Point) (out []Point) {
	for p := range in {
		out = append(out, p)
	}
	return out
}

// Sink can be left where any module finds it.
type Sink struct{ n int }

func (s *Sink) Write(p []byte) (int, error) { s.n += len(p); return len(p), nil }

// A type that nobody outside can name.
type hidden struct{ n int }

func (h hidden) Reveal() string { return fmt.Sprint("hidden ", h.n, " ", Point{h.n, h.n}.sum()) }

func Hidden(n int) any { return hidden{n} }

// Kind has a case for each thing that a call site's cache remembers.
func Kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case Point:
		return "point"
	case *Point:
		return "*point"
	case Celsius:
		return "celsius"
	case []Point:
		return "points"
	case map[string]Point:
		return "map of points"
	case [2]Point:
		return "two points"
	case func(Point) Point:
		return "func of points"
	case chan Point:
		return "chan of points"
	case struct{ P Point }:
		return "struct of a point"
	case *List[int]:
		return "list of int"
	case Pair[string, int]:
		return "pair"
	case Scaler:
		return "scaler"
	case Shape:
		return "shape"
	case error:
		return "error " + v.Error()
	case fmt.Stringer:
		return "stringer " + v.String()
	}
	return "other"
}

// IsShape asserts to an interface: the call site has a cache.
func IsShape(v any) bool {
	_, ok := v.(Shape)
	return ok
}
