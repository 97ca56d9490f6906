// Package handles has values that stay in Go: what spec/handles_spec.lua does with them.
package handles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// A Counter has hidden state and methods.
type Counter struct {
	Name string
	Step int8
	Box  Box
	Tags []string
	Attr map[string]int
	Next *Counter
	Made time.Time
	Hook func(int) int

	mu sync.Mutex
	n  int
}

type Box struct {
	Width, Height int
	Inner         struct{ Depth int }
}

func New(name string) *Counter { return &Counter{Name: name, Step: 1, Tags: []string{"a", "b"}} }
func Nil() *Counter            { return nil }
func Value(name string) Counter {
	return Counter{Name: name, Step: 2}
}

func (c *Counter) Add(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += n
	return c.n
}

func (c *Counter) Get() int                        { return c.n }
func (c *Counter) Self() *Counter                  { return c }
func (c *Counter) Div(by int) (int, error)         { return div(c.n, by) }
func (c *Counter) Sum(first int, more ...int8) int { return c.sum(first, more) }
func (c *Counter) String() string                  { return fmt.Sprintf("counter %s at %d", c.Name, c.n) }
func (c *Counter) Box2() Box                       { return c.Box }
func (c *Counter) Panic(why string)                { panic(why) }
func (c *Counter) Many(a string, b []int, f float64, d map[string]bool, e [3]int64, g, h, i int) (string, float64) {
	return fmt.Sprint(c.Name, a, b, d, e, g, h, i), f
}

func (c *Counter) sum(first int, more []int8) int {
	for _, n := range more {
		first += int(n)
	}
	return first
}

func div(a, b int) (int, error) {
	if b == 0 {
		return 0, ErrZero
	}
	return a / b, nil
}

func Total(cs ...*Counter) (sum int) {
	for _, c := range cs {
		if c != nil {
			sum += c.n
		}
	}
	return sum
}
func Copy(c Counter) string                { return c.Name + fmt.Sprint(c.n) }
func List(n int) (list []*Counter)         { return make([]*Counter, n) }
func Same(a, b *Counter) bool              { return a == b }
func Show(s fmt.Stringer) string           { return "<" + s.String() + ">" }
func Any(v any) (any, string)              { return v, fmt.Sprintf("%T", v) }
func First(list []*Counter) *Counter       { return list[0] }
func Stringers(n int) []fmt.Stringer       { return make([]fmt.Stringer, n) }
func Item(name string) (i struct{ A any }) { i.A = New(name); return i }

// An Embedding has members of what is embedded.
type Embedding struct {
	*Counter
	Extra int
}

func Embed(name string) *Embedding { return &Embedding{New(name), 7} }
func EmbedNil() *Embedding         { return &Embedding{} }

// A Node is plain data with methods.
type Node struct {
	Value int
	Next  *Node
}

func (n Node) Double() int  { return 2 * n.Value }
func (n *Node) Set(v int)   { n.Value = v }
func NewNode(v int) *Node   { return &Node{Value: v} }
func PlainNode(v int) Node  { return Node{Value: v} }
func Ring() *Node           { n := &Node{Value: 1}; n.Next = n; return n }
func NodeValue(n *Node) int { return n.Value }

var Silent chan int

func Seen(m map[any]int) int    { return len(m) }
func PairOf(a any) [2]any       { return [2]any{a, nil} }
func Ints() []int               { return nil }
func SeenPairs() map[[2]any]int { return map[[2]any]int{{int64(1), int64(2)}: 3} }

func Closed() chan int          { c := make(chan int); close(c); return c }
func Channel(n int) chan string { return make(chan string, n) }
func UpTo(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := 0; i < n && yield(i); i++ {
		}
	}
}
func OnlyOut(n int) <-chan int     { c := make(chan int, n); c <- 5; return c }
func TakesOut(c <-chan string) int { return len(c) }
func Later(c chan<- string, ms int, s string) {
	go func() {
		time.Sleep(time.Duration(ms) * time.Millisecond)
		c <- s
	}()
}

type Point struct{ X, Y int }

func Points() map[Point]string         { return map[Point]string{{1, 2}: "a", {3, 4}: "b"} }
func Lookup(m map[Point]string) string { return m[Point{1, 2}] }
func Words() map[string]int            { return map[string]int{"one": 1, "get": 2, "Three": 3} }
func NilMap() map[string]int           { return nil }
func Numbers(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i * i
	}
	return list
}
func Bytes() []byte             { return []byte("bytes") }
func Adder(n int) func(int) int { return func(m int) int { return n + m } }
func Joiner() func(sep string, parts ...string) (string, error) {
	return func(sep string, parts ...string) (string, error) {
		if len(parts) == 0 {
			return "", ErrZero
		}
		return strings.Join(parts, sep), nil
	}
}
func Apply(f func(int) int, n int) int       { return f(n) }
func NilFunc() func()                        { return nil }
func SameFunc(f func(int) int) func(int) int { return f }

func With(ctx context.Context, key string, v any) context.Context {
	return context.WithValue(ctx, key, v)
}
func ContextValue(ctx context.Context, key string) any { return ctx.Value(key) }
func NilContext() context.Context                      { return nil }

func Address() unsafe.Pointer         { return unsafe.Pointer(&Limit) }
func IsAddress(p unsafe.Pointer) bool { return p == unsafe.Pointer(&Limit) }
func NextRune(r rune) rune            { return r + 1 }
func Mixed() []any                    { return []any{1, "s", nil, New("c"), []int{1}, map[string]int{"a": 1}} }
func Counters() map[string]*Counter   { return map[string]*Counter{"a": New("a"), "nil": nil} }
func HiddenList() []Counter           { return []Counter{{Name: "x"}, {Name: "y"}} }
func Odd(m map[*Counter]int) int      { return len(m) }
func Plain(b *Box) int                { return b.Width }
func PlainOrNil(ok bool) *Box {
	if !ok {
		return nil
	}
	return &Box{Width: 1}
}
func NilStringer() fmt.Stringer { var c *Counter; return c }
func BigStruct(n int) []Point   { return make([]Point, n) }
func Matrix() [2][2]int         { return [2][2]int{{1, 2}, {3, 4}} }
func Goexit(c *Counter)         { runtime.Goexit() }
func Cyclic() []any             { list := []any{nil}; list[0] = list; return list }
func Describe(c *Counter) string {
	if c == nil {
		return "nil"
	}
	return c.Name
}
func PtrPtr() **Node            { n := &Node{Value: 9}; return &n }
func Reader(s string) io.Reader { return strings.NewReader(s) }
func ReadAll(r io.Reader) (string, error) {
	b, err := io.ReadAll(r)
	return string(b), err
}
func Buffer(s string) *bytes.Buffer { return bytes.NewBufferString(s) }

var (
	ErrZero  = errors.New("by zero")
	ErrOther = errors.New("by zero")
	Limit    int8
	Current  Counter
	Names    = []string{"x", "y"}
	Table    map[string]int
	MaxInt   = Max[int]
	Pairs    = Pair[string, int]{"a", 1}
)

// Generic types and functions

func Max[T int | float64 | string](a, b T) T {
	if a > b {
		return a
	}
	return b
}

type Pair[K comparable, V any] struct {
	Key   K
	Value V
}

func (p *Pair[K, V]) Swap(k K, v V) (K, V) { k, v, p.Key, p.Value = p.Key, p.Value, k, v; return k, v }

func MakePair(k string, v int) *Pair[string, int] { return &Pair[string, int]{k, v} }

// Errors

type Problem struct{ Code int }

func (p *Problem) Error() string { return fmt.Sprintf("problem %d", p.Code) }

func Fail(how string) error {
	switch how {
	case "zero":
		return ErrZero
	case "wrapped":
		return fmt.Errorf("wrapped: %w", ErrZero)
	case "path":
		return &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}
	case "problem":
		return &Problem{4}
	case "joined":
		return errors.Join(ErrOther, &Problem{5})
	}
	return nil
}
func IsZero(err error) bool { return errors.Is(err, ErrZero) }
func Back(err error) error  { return err }
