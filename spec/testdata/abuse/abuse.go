// Package abuse has one of each: what spec/bench/abuse.lua calls in every wrong way.
package abuse

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"
)

type Point struct {
	X, Y int32
	Name string
	Tags []string
	Near map[string]*Point
	When time.Duration
	Any  any
	fn   func()
}

func (p Point) Sum() int32                         { return p.X + p.Y }
func (p *Point) Move(dx, dy int32) *Point          { p.X += dx; p.Y += dy; return p }
func (p *Point) Each(f func(string) bool) int      { return Visit(p.Tags, f) }
func (p *Point) Fail(text string) (int, error)     { return 0, errors.New(text) }
func (p *Point) Panic(text string)                 { panic(text) }
func (p *Point) Label(prefix string, n int) string { return fmt.Sprint(prefix, p.Name, n) }

type Shape interface{ Area() float64 }

type Square float64

func (s Square) Area() float64 { return float64(s * s) }

type List []int

func (l List) Len() int { return len(l) }

type Tree struct {
	Left, Right *Tree
	Value       int
}

type Pair[K comparable, V any] struct {
	Key   K
	Value V
}

const (
	Answer = 42
	Huge   = 1 << 100
	Text   = "text"
	Pi     = 3.25
)

var (
	Number  int
	Small   int8
	Ratio   float64
	Title   = "title"
	Origin  Point
	Points  = []Point{{X: 1}}
	Index   = map[string]int{"one": 1}
	Numbers = map[float64]string{1: "one"}
	Queue   = make(chan int, 4)
	Hook    func(int) int
	Thing   any
	ErrOdd  = errors.New("odd")
	Root    *Tree
)

func Int(v int) int                          { return v }
func Int8(v int8) int8                       { return v }
func Uint16(v uint16) uint16                 { return v }
func Uint64(v uint64) uint64                 { return v }
func Int64(v int64) int64                    { return v }
func Float(v float64) float64                { return v }
func Float32(v float32) float32              { return v }
func Bool(v bool) bool                       { return v }
func String(v string) string                 { return v }
func Bytes(v []byte) []byte                  { return v }
func Complex(v complex128) complex128        { return v }
func Any(v any) any                          { return v }
func Ints(v []int) []int                     { return v }
func Array(v [3]int) [3]int                  { return v }
func Strings(v []string) []string            { return v }
func Map(v map[string]int) map[string]int    { return v }
func Deep(v map[string][]map[int]string) int { return len(v) }
func Struct(v Point) Point                   { return v }
func Pointer(v *Point) *Point                { return v }
func TreeOf(v *Tree) *Tree                   { return v }
func Area(v Shape) float64 {
	if v == nil {
		return -1
	}
	return v.Area()
}
func Error(v error) error             { return v }
func Duration(v time.Duration) string { return v.String() }
func Add(a, b int) int                { return a + b }
func Mix(a int, b string, c float64, d bool, e []byte) (string, int, bool) {
	return fmt.Sprint(a, b, c, d, len(e)), a, d
}
func Sum(v ...int) (sum int) {
	for _, each := range v {
		sum += each
	}
	return
}
func Print(format string, v ...any) string { return fmt.Sprintf(format, v...) }
func Divide(a, b int) int                  { return a / b }
func Fail(text string) (int, error)        { return 0, fmt.Errorf("%s: %w", text, ErrOdd) }
func Panic(v any)                          { panic(v) }
func Make(n int) *Point                    { return &Point{X: int32(n), Tags: []string{"a", "b"}} }
func Chan(n int) chan string               { return make(chan string, n&7) }
func Closure(n int) func(int) int          { return func(m int) int { return n + m } }
func None()                                {}

func Visit(v []string, f func(string) bool) (n int) {
	for _, each := range v {
		if !f(each) {
			break
		}
		n++
	}
	return
}
func Apply(f func(int) int, n int) int    { return f(n) }
func Twice(f func(func(int) int) int) int { return f(func(n int) int { return n + 1 }) }
func Try(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("recovered: %v", r)
		}
	}()
	return f()
}
func Sort(v []int, less func(a, b int) bool) []int {
	sort.Slice(v, func(i, j int) bool { return less(v[i], v[j]) })
	return v
}
func Count(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := 0; i < n&63; i++ {
			if !yield(i) {
				return
			}
		}
	}
}
func Beside(f func(int) int, n int) int {
	done := make(chan int)
	go func() {
		defer func() { recover(); close(done) }()
		done <- f(n)
	}()
	return <-done
}
func Wait(ctx context.Context, d time.Duration) error {
	if d > 20*time.Millisecond || d < 0 {
		d = 20 * time.Millisecond
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
func Slow(n int) int { time.Sleep(time.Duration(n&15) * time.Millisecond); return n }

func Max[T int | float64 | string](a, b T) T {
	if a > b {
		return a
	}
	return b
}
func Keys[K comparable, V any](m map[K]V) int { return len(m) }
