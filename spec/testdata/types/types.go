// Package types has one function for each thing that ordinary Go code does with types, and that a linker can get wrong.
// Each returns text that the spec knows.
package types

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ---- own types in interfaces

type point struct{ X, Y int }

func (p point) String() string { return fmt.Sprintf("(%d;%d)", p.X, p.Y) }

type plain struct {
	A int
	B []string
	C map[string]bool
}

// Print has fmt print own types, with and without a String method.
func Print() string {
	return fmt.Sprintf("%v %+v %v %T %T", point{1, 2}, plain{3, []string{"x"}, map[string]bool{"k": true}}, &point{4, 5}, plain{},
		map[point][]plain{})
}

type shape interface{ Area() int }
type square struct{ side int }
type rect struct{ w, h int }

func (s square) Area() int { return s.side * s.side }
func (r *rect) Area() int  { return r.w * r.h }

func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case int, int64:
		return "integer"
	case string:
		return "string " + v
	case square:
		return "square"
	case *rect:
		return "*rect"
	case error:
		return "error " + v.Error()
	case fmt.Stringer:
		return "stringer " + v.String()
	case []int:
		return fmt.Sprint("ints ", len(v))
	case map[string]int:
		return fmt.Sprint("map ", len(v))
	case func(int) int:
		return fmt.Sprint("func ", v(20))
	}
	return "other"
}

// Switch sends values of many types through a type switch.
func Switch() string {
	var out []string
	for _, v := range []any{nil, 1, int64(2), "s", square{2}, &rect{}, io.EOF, point{7, 8}, []int{1, 2}, map[string]int{"a": 1},
		func(n int) int { return n + 1 }, 1.5} {
		out = append(out, kind(v))
	}
	return strings.Join(out, ",")
}

// Shapes calls methods through an interface, on values and pointers.
func Shapes() int {
	sum := 0
	for _, s := range []shape{square{3}, &rect{2, 5}, &square{1}} {
		sum += s.Area()
	}
	return sum
}

// Failed asserts a type that is not there.
func Failed() (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	var v any = square{1}
	return v.(fmt.Stringer).String()
}

// ---- errors

type notFound struct{ name string }

func (e *notFound) Error() string        { return e.name + " not found" }
func (e *notFound) Is(target error) bool { return target == fs.ErrNotExist }

// Errors finds own and the host's errors in a chain.
func Errors() string {
	err := fmt.Errorf("outer: %w", &notFound{"lamp"})
	var own *notFound
	_, open := os.Open("/no/such/file")
	var path *fs.PathError
	return fmt.Sprint(errors.As(err, &own), own.name, errors.Is(err, fs.ErrNotExist), errors.As(open, &path), path.Op,
		errors.As(open, &own), errors.Is(open, os.ErrNotExist))
}

// ---- generics

type number interface{ ~int | ~float64 }

func sum[T number](values ...T) (total T) {
	for _, v := range values {
		total += v
	}
	return
}

type list[T any] struct {
	head *node[T]
	n    int
}
type node[T any] struct {
	value T
	next  *node[T]
}

func (l *list[T]) push(v T) *list[T] {
	l.head = &node[T]{v, l.head}
	l.n++
	return l
}

func (l *list[T]) each(f func(T)) {
	for n := l.head; n != nil; n = n.next {
		f(n.value)
	}
}

func mapped[K comparable, V, W any](m map[K]V, f func(V) W) map[K]W {
	out := make(map[K]W, len(m))
	for k, v := range m {
		out[k] = f(v)
	}
	return out
}

type meters float64

// Generics instantiates functions and types with own and the host's types.
func Generics() string {
	var l list[point]
	l.push(point{1, 1}).push(point{2, 2})
	var seen []string
	l.each(func(p point) { seen = append(seen, p.String()) })
	m := mapped(map[point]time.Duration{{1, 2}: time.Second}, func(d time.Duration) string { return d.String() })
	return fmt.Sprint(sum(1, 2, 3), sum(meters(1.5), 2), seen, m[point{1, 2}], fmt.Sprintf("%T", &l))
}

// ---- maps

type key struct {
	name string
	id   any
}

// Maps hashes and compares own key types, and makes map types that the host has and has not.
func Maps() string {
	m := map[key]int{}
	for i := 0; i < 1000; i++ {
		m[key{fmt.Sprint(i % 100), i % 7}] += i
	}
	m[key{"a", point{1, 2}}] = 7
	delete(m, key{"1", 1})
	floats := map[[2]float64]*point{{1, 2}: {3, 4}}
	nested := map[string]map[rune][]point{"a": {'b': {{5, 6}}}}
	var total int
	for _, v := range m {
		total += v
	}
	failed := func() (text string) {
		defer func() { text = fmt.Sprint(recover()) }()
		m[key{"x", []int{1}}] = 1
		return
	}()
	return fmt.Sprint(len(m), total, m[key{"a", point{1, 2}}], *floats[[2]float64{1, 2}], nested["a"]['b'][0].X, failed)
}

// ---- goroutines, channels, select

type message struct {
	from int
	text string
	back chan<- message
}

// Channels passes own types between goroutines.
func Channels() string {
	in, done := make(chan message), make(chan struct{})
	var wg sync.WaitGroup
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			for m := range in {
				m.back <- message{i, strings.ToUpper(m.text), nil}
			}
		}(i)
	}
	back := make(chan message, 3)
	go func() {
		for _, word := range []string{"a", "b", "c"} {
			in <- message{-1, word, back}
		}
		close(in)
		wg.Wait()
		close(done)
	}()
	<-done
	close(back)
	var words []string
	for m := range back {
		words = append(words, m.text)
	}
	sort.Strings(words)
	return strings.Join(words, "")
}

// Select waits for what comes first, a timeout or a context's end.
func Select() string {
	ctx, cancel := context.WithCancel(context.Background())
	never := make(chan int)
	var out []string
	select {
	case <-never:
		out = append(out, "never")
	case <-time.After(time.Millisecond):
		out = append(out, "timeout")
	}
	cancel()
	select {
	case <-never:
	case <-ctx.Done():
		out = append(out, ctx.Err().Error())
	}
	select {
	case v, ok := <-never:
		out = append(out, fmt.Sprint(v, ok))
	default:
		out = append(out, "default")
	}
	return strings.Join(out, ",")
}

// Atomics uses the generic atomic pointer with an own type.
func Atomics() string {
	var p atomic.Pointer[point]
	var n atomic.Int64
	var wg sync.WaitGroup
	var once sync.Once
	var pool = sync.Pool{New: func() any { return &point{9, 9} }}
	for i := 0; i < 50; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n.Add(2)
			once.Do(func() { p.Store(&point{1, 1}) })
		}()
	}
	wg.Wait()
	return fmt.Sprint(n.Load(), p.Load(), pool.Get())
}

// ---- defer, panic, recover

type trouble struct{ code int }

func (t trouble) Error() string { return fmt.Sprint("trouble ", t.code) }

//go:noinline
func risky(n int) (result int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = r.(error)
		}
	}()
	defer func() { result *= 2 }()
	for i := 0; i < n; i++ {
		defer func() { result++ }()
	}
	if n > 2 {
		panic(trouble{n})
	}
	return n, nil
}

// Defer runs deferred calls in loops, changes named results, and recovers own and the runtime's panics.
func Defer() string {
	a, _ := risky(2)
	b, err := risky(3)
	var rt runtime.Error
	index := func() (err error) {
		defer func() { err = recover().(error) }()
		var s []int
		return fmt.Errorf("%d", s[a])
	}()
	null := func() (text string) {
		defer func() { text = fmt.Sprint(recover()) }()
		var p *point
		return fmt.Sprint(p.X)
	}()
	nested := func() (text string) {
		defer func() { text += fmt.Sprint(" ", recover()) }()
		defer func() {
			defer func() { text = fmt.Sprint(recover()) }()
			panic("second")
		}()
		panic("first")
	}()
	return fmt.Sprint(a, b, err, "|", errors.As(index, &rt), index, "|", null, "|", nested)
}

// ---- method values, embedding

type counter struct{ n int }

func (c *counter) Add(by int) int { c.n += by; return c.n }

type named interface{ Name() string }
type reader interface {
	io.Reader
	named
}
type base struct{ name string }

func (b base) Name() string { return b.name }

type source struct {
	*bytes.Buffer
	base
	named2 named
}

// Methods uses method values, method expressions and promoted methods through interfaces.
func Methods() string {
	c := &counter{}
	add, expr := c.Add, (*counter).Add
	add(1)
	expr(c, 10)
	s := source{bytes.NewBufferString("promoted"), base{"base"}, base{"inner"}}
	var r reader = s
	text, _ := io.ReadAll(r)
	f := r.Name
	g := named.Name
	return fmt.Sprint(c.n, string(text), f(), g(s.named2), s.Len())
}

// ---- reflection, json

// Item goes through encoding/json, by reflection.
type Item struct {
	Name  string            `json:"name"`
	Tags  []string          `json:"tags,omitempty"`
	Extra map[string]*point `json:"extra"`
	inner int
}

// MarshalText is found by reflection.
func (p point) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// JSON encodes and decodes own types.
func JSON() string {
	data, err := json.Marshal([]Item{{Name: "a", Tags: []string{"x"}, Extra: map[string]*point{"p": {1, 2}}, inner: 1}})
	if err != nil {
		return err.Error()
	}
	var back []struct {
		Name string
		Tags [1]string
	}
	if err := json.Unmarshal(data, &back); err != nil {
		return err.Error()
	}
	return string(data) + fmt.Sprint(back)
}

// Reflect looks at own types, and makes new ones of them.
func Reflect() string {
	t := reflect.TypeOf(Item{})
	m, _ := reflect.TypeOf(point{}).MethodByName("String")
	called := m.Func.Call([]reflect.Value{reflect.ValueOf(point{6, 7})})[0]
	made := reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(point{})), 1, 1).Interface().([]point)
	asMap := reflect.MapOf(reflect.TypeOf(point{}), t) == reflect.TypeOf(map[point]Item{})
	ptr := reflect.PointerTo(reflect.TypeOf(point{})) == reflect.TypeOf(&point{})
	return fmt.Sprint(t, t.NumField(), t.PkgPath(), t.Field(0).Tag.Get("json"), called, made, asMap, ptr)
}

// Identity tells whether types that the host has are the same ones here.
func Identity() string {
	var w io.Writer = os.Stdout
	_, isFile := w.(*os.File)
	var e error = &fs.PathError{Op: "op", Path: "p", Err: io.EOF}
	_, isPath := e.(*os.PathError)
	var v any = map[string]any{}
	_, isMap := v.(map[string]any)
	decoded := any(nil)
	_ = json.Unmarshal([]byte(`{"a":[1]}`), &decoded)
	_, isDecoded := decoded.(map[string]any)["a"].([]any)
	var d any = reflect.Zero(reflect.TypeOf(time.Second)).Interface()
	_, isDuration := d.(time.Duration)
	return fmt.Sprint(isFile, isPath, isMap, isDecoded, isDuration)
}

// ---- closures and constants

// Closures keep what they close over, also while the stack grows under them.
func Closures() string {
	var fns []func() int
	total := 0
	for i := 0; i < 3; i++ {
		i := i
		fns = append(fns, func() int { total += i; return total })
	}
	var fib func(int) int
	fib = func(n int) int {
		if n < 2 {
			return n
		}
		return fib(n-1) + fib(n-2)
	}
	out := []int{fib(20)}
	for _, f := range fns {
		out = append(out, f())
	}
	return fmt.Sprint(out)
}

var table = map[string][]float64{"pi": {3, 3.14, 3.14159}, "e": {2.718}}
var squares = func() (s [10]int) {
	for i := range s {
		s[i] = i * i
	}
	return
}()
var lookup = map[string]func(float64) float64{"double": func(x float64) float64 { return 2 * x }}
var big = [4]uint64{1<<64 - 1, 1 << 63, 0xdeadbeefcafebabe}

const text = "constant \x00 with a zero, and ünïcödé"

// Variables reads package variables with initialisers, static and run.
func Variables() string {
	return fmt.Sprint(table["pi"][2], squares[9], lookup["double"](1.25), big[0], big[2], len(text), strings.ToUpper(text[23:]))
}

// ---- garbage collection

type tree struct {
	left, right *tree
	value       [3]any
}

func grow(depth int) *tree {
	if depth == 0 {
		return nil
	}
	return &tree{grow(depth - 1), grow(depth - 1), [3]any{depth, fmt.Sprint(depth), &point{depth, depth}}}
}

func (t *tree) sum() int {
	if t == nil {
		return 0
	}
	return t.left.sum() + t.right.sum() + t.value[0].(int) + t.value[2].(*point).Y + len(t.value[1].(string))
}

var kept *tree

// Collect keeps own types alive through package variables, stacks, maps and finalizers while garbage is collected.
func Collect() string {
	kept = grow(10)
	local := grow(8)
	var finalized atomic.Int32
	for i := 0; i < 20; i++ {
		runtime.SetFinalizer(&tree{value: [3]any{i}}, func(*tree) { finalized.Add(1) })
		grow(9)
		runtime.GC()
	}
	for i := 0; i < 100 && finalized.Load() < 15; i++ {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	return fmt.Sprint(kept.sum(), local.sum(), finalized.Load() >= 15)
}
