// Package callbacks has functions that take functions, for spec/callbacks_spec.lua.
package callbacks

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sort"
	"strings"
)

type Item struct {
	Name  string
	Price float64
	Tags  []string
}

type Visitor func(Item) (keep bool, err error)

type Handlers struct {
	Name   string
	OnItem func(item Item, i int) string
	More   []func(string) string
}

func Run(f func()) { f() }

func Apply(n int, f func(int) int) int { return f(n) }

func Map(words []string, f func(string) string) []string {
	var all []string
	for _, word := range words {
		all = append(all, f(word))
	}
	return all
}

func Sort(items []Item, less func(a, b Item) bool) []Item {
	sort.SliceStable(items, func(i, j int) bool { return less(items[i], items[j]) })
	return items
}

func Walk(items []Item, visit Visitor) (kept []Item, err error) {
	for _, item := range items {
		keep, err := visit(item)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", item.Name, err)
		}
		if keep {
			kept = append(kept, item)
		}
	}
	return kept, nil
}

func Check(f func(string) error) error { return f("name") }

func Find(f func() (*Item, error)) (*Item, error) { return f() }

func Pair(f func() (*Item, []int, error)) (*Item, []int, error) { return f() }

func Handle(h Handlers, items []Item) []string {
	var all []string
	for i, item := range items {
		text := h.OnItem(item, i)
		for _, more := range h.More {
			text = more(text)
		}
		all = append(all, text)
	}
	return all
}

func Compose(text string, fs ...func(string) string) string {
	for _, f := range fs {
		text = f(text)
	}
	return text
}

func Variadic(f func(format string, args ...any) string) string { return f("%s", "a", 1, nil, 2.5) }

func Numbers(f func(int8, uint64, float32, bool, complex128, []byte) (int8, uint64, float32, bool, complex128, []byte)) string {
	a, b, c, d, e, g := f(-128, 1<<64-1, 1.5, true, 1+2i, []byte("bytes"))
	return fmt.Sprint(a, b, c, d, e, string(g))
}

// Large passes by the stack what does not fit into registers.
func Large(f func(a [4]int, b Item, c map[string][]int, d *Item) ([4]int, map[string]Item)) ([4]int, map[string]Item) {
	return f([4]int{1, 2, 3, 4}, Item{"b", 1, []string{"t"}}, map[string][]int{"x": {1, 2}}, &Item{Name: "d"})
}

func IsNil(f func()) bool { return f == nil }

// Recovered calls f, and says what it recovers.
func Recovered(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			err, isError := r.(error)
			text = fmt.Sprintf("%v %T: %v", isError, r, err)
		}
	}()
	f()
	return "nothing"
}

// Again recovers, does something else, and panics with the same value.
func Again(f, other func()) {
	defer func() {
		r := recover()
		Recovered(other)
		panic(r)
	}()
	f()
}

func Wrapped(f func()) {
	defer func() { panic(fmt.Errorf("wrapped: %w", recover().(error))) }()
	f()
}

func Returned(f func()) (err error) {
	defer func() { err, _ = recover().(error) }()
	f()
	return nil
}

var saved error

func Save(f func()) {
	defer func() { saved, _ = recover().(error) }()
	f()
}

func Saved() { panic(saved) }

var kept func() string

func Keep(f func() string) string {
	kept = f
	return f()
}

func Kept() string { return kept() }

// KeptText says what kept panics with.
func KeptText() (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	return kept()
}

func Forget() { kept = nil }

func Elsewhere(f func() string) string {
	result := make(chan string)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				result <- fmt.Sprint("panic: ", r)
			}
		}()
		result <- f()
	}()
	return <-result
}

func Panic(message string) { panic(errors.New(message)) }

func Goexit(f func()) {
	f()
	runtime.Goexit()
}

func Collect(f func()) string {
	runtime.GC()
	f()
	runtime.GC()
	return strings.Repeat("x", 10)
}

// Deep grows its stack around a call.
func Deep(n int, f func(int) int) int {
	var pad [64]int
	pad[n%64] = n
	if n == 0 {
		return f(0)
	}
	return Deep(n-1, f) + pad[n%64] - n + 1
}

func Context(ctx context.Context, f func(string) string) string {
	v, _ := ctx.Value("key").(string)
	return f(v)
}

func Channel(f func(chan int), sizes ...int) {
	var c chan int
	for _, n := range sizes {
		c = make(chan int, n)
	}
	f(c)
}

func SameChannel(f func() chan int) chan int { return f() }

func Adder(a int) func(int) int             { return func(b int) int { return a + b } }
func Through(f func() int) func(int) int    { n := f(); return func(int) int { return n } }
func Applier() func(func(int) int, int) int { return func(f func(int) int, n int) int { return f(n) } }

var ran int

func Runner(n int) func() { return func() { ran += n } }
func Ran() int            { return ran }

// A List has a method that takes a function, and hidden fields.
type List struct {
	numbers []int
	kept    func(int) int
}

func NewList(numbers []int) *List { return &List{numbers: numbers} }

func (l *List) Each(f func(int) int) (results []int) {
	for _, n := range l.numbers {
		results = append(results, f(n))
	}
	return results
}

func (l *List) Keep(f func(int) int) { l.kept = f }
func (l *List) Kept() int            { return l.kept(1) }

// KeepFor keeps f while g runs; so does HookFor, where CallHook finds it.
func (l *List) KeepFor(f func(int) int, g func()) {
	l.kept = f
	g()
}
func HookFor(f, g func()) {
	Hook = f
	g()
}
func CallHook(n int) int {
	Hook()
	return n
}

var Hook func()

func Total(n int, f func(float64) float64) (sum float64) {
	for i := 0; i < n; i++ {
		sum += f(float64(i))
	}
	return sum
}

func Maker(f func() func()) { f()() }
