// Package values has a function for every line of the table of what Lua sees of Go's types (src/call/call.h).
package values

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"sort"
	"strings"
	"time"
)

func Bool(v bool) bool          { return !v }
func Int(v int) int             { return v }
func Int8(v int8) int8          { return v }
func Int16(v int16) int16       { return v }
func Int32(v int32) int32       { return v }
func Int64(v int64) int64       { return v }
func Uint(v uint) uint          { return v }
func Uint8(v uint8) uint8       { return v }
func Uint16(v uint16) uint16    { return v }
func Uint32(v uint32) uint32    { return v }
func Uint64(v uint64) uint64    { return v }
func Uintptr(v uintptr) uintptr { return v }

func Float32(v float32) float32          { return v / 2 }
func Float64(v float64) float64          { return v / 2 }
func Complex128(v complex128) complex128 { return v * v }
func Complex64(v complex64) complex64    { return v * v }

func String(v string) string   { return v + "!" }
func Bytes(v []byte) []byte    { return append(v, '!') }
func IsNilBytes(v []byte) bool { return v == nil }

func Add(a, b int) int { return a + b }

// The upper bits of the registers that carry small integers are anything.
//
//go:noinline
func Narrow(v int64) (int8, uint8, int16, uint16, int32, uint32, bool) {
	return int8(v), uint8(v), int16(v), uint16(v), int32(v), uint32(v), v&1 != 0
}

// ---- slices, arrays, maps

func Sum(v []int) (sum int) {
	for _, n := range v {
		sum += n
	}
	return
}

func IsNil(v []int) bool { return v == nil }
func NilSlice() []string { return nil }
func Upper(v []string) []string {
	out := make([]string, len(v))
	for i, s := range v {
		out[i] = strings.ToUpper(s)
	}
	return out
}
func Floats(v []float32) []float32 { return v }
func Bools(v []bool) []bool        { return v }
func Triple(v [3]int) [3]int       { return [3]int{v[2], v[1], v[0]} }
func One(v [1]string) [1]string    { return v }
func Grid(v [][]int8) [][]int8     { return v }
func Invert(m map[string]int) map[int]string {
	out := map[int]string{}
	for k, v := range m {
		out[v] = k
	}
	return out
}
func Len(m map[string]int) int                    { return len(m) }
func IsNilMap(m map[string]int) bool              { return m == nil }
func NilMap() map[string]int                      { return nil }
func BigKeys() map[uint64]string                  { return map[uint64]string{1: "small", 1 << 63: "big"} }
func Big(m map[uint64]string) string              { return m[1<<63] }
func BoolKeys(m map[bool]int) map[bool]int        { return m }
func FloatKeys(m map[float64]int) map[float64]int { return m }

func Keys(m map[string][]string) []string {
	var keys []string
	for k, list := range m {
		keys = append(keys, k+"="+strings.Join(list, ","))
	}
	sort.Strings(keys)
	return keys
}

// ---- structs, pointers

type Kind string

type Size struct {
	Width, Height int32
}

type Product struct {
	Name   string
	Kind   Kind
	Price  float64
	Stock  uint16
	Tags   []string
	Size   Size
	Parent *Product
	Attrs  map[string]string
}

func Describe(p Product) string { return fmt.Sprintf("%+v", p) }
func Same(p Product) Product    { return p }
func Rename(p *Product, name string) *Product {
	if p == nil {
		return nil
	}
	p.Name = name
	return p
}
func Cheapest(list []Product) (Product, bool) {
	if len(list) == 0 {
		return Product{}, false
	}
	best := list[0]
	for _, p := range list[1:] {
		if p.Price < best.Price {
			best = p
		}
	}
	return best, true
}
func ByName(list []*Product) map[string]*Product {
	m := map[string]*Product{}
	for _, p := range list {
		m[p.Name] = p
	}
	return m
}
func Options(o struct {
	A int
	B string
}) string {
	return fmt.Sprint(o.A, o.B)
}
func FillBytes(v []byte) {
	for i := range v {
		v[i] = '.'
	}
}
func Milliseconds(d *time.Duration) int64 {
	if d == nil {
		return -1
	}
	return d.Milliseconds()
}
func IntPointer(p *int) *int {
	if p == nil {
		return nil
	}
	n := *p + 1
	return &n
}

type Empty struct{}

func Nothing(e Empty, a int, b [0]int) (Empty, int) { return e, a }

type List struct {
	Value int
	Next  *List
}

func Chain(n int) *List {
	var l *List
	for ; n > 0; n-- {
		l = &List{n, l}
	}
	return l
}
func Length(l *List) (n int) {
	for ; l != nil; l = l.Next {
		n++
	}
	return
}
func Ring() *List {
	l := &List{Value: 1}
	l.Next = l
	return l
}

// ---- by the stack: more than the registers hold

func Many(a, b, c, d, e, f, g, h, i, j int, s string, x float32) (int, string, float32) {
	return a + 2*b + 3*c + 4*d + 5*e + 6*f + 7*g + 8*h + 9*i + 10*j, s + "?", x
}
func ManyResults(s string) (a, b, c, d, e, f string, g []string) {
	return s + "1", s + "2", s + "3", s + "4", s + "5", s + "6", []string{s + "7"}
}
func Strings5(v [5]string) [5]string { v[0], v[4] = v[4], v[0]; return v }
func Eight(a [8]int64, s []string) ([8]int64, string) {
	a[0]++
	return a, strings.Join(s, "")
}
func Deep(n int, a [4]string) ([4]string, int) {
	if n == 0 {
		return a, 0
	}
	var pad [64]byte
	pad[n%64] = byte(n)
	b, m := Deep(n-1, a)
	return b, m + int(pad[n%64])/int(pad[n%64]|1)
}

// ---- errors

type Problem struct{ Code int }

func (p *Problem) Error() string { return fmt.Sprintf("problem %d", p.Code) }

func Fail(message string) error {
	if message == "" {
		return nil
	}
	return errors.New(message)
}
func Div(a, b int) (int, error) {
	if b == 0 {
		return 0, errors.New("division by zero")
	}
	return a / b, nil
}
func Open(name string) (string, int, error) {
	if name == "missing" {
		return "", 0, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return name, len(name), nil
}
func Own(code int) (list []int, err error) {
	if code != 0 {
		return nil, &Problem{code}
	}
	return []int{1}, nil
}
func Message(err error) string {
	if err == nil {
		return "none"
	}
	return err.Error()
}
func Errors() []error       { return []error{errors.New("a"), nil, &Problem{3}} }
func Swapped() (error, int) { return errors.New("first"), 2 }

// ---- any, variadic, time

func Type(v any) string { return fmt.Sprintf("%T %v", v, v) }
func Any(what string) any {
	switch what {
	case "nil":
		return nil
	case "int":
		return 42
	case "uint8":
		return uint8(200)
	case "big":
		return uint64(1) << 63
	case "float":
		return 1.5
	case "string":
		return Kind("k")
	case "bytes":
		return []byte("bytes")
	case "bool":
		return true
	case "list":
		return []any{1, "two", []int{3}}
	case "map":
		return map[string]any{"a": 1, "b": map[int]string{1: "x"}}
	case "struct":
		return Size{1, 2}
	case "pointer":
		return &Size{3, 4}
	case "error":
		return &Problem{5}
	case "time":
		return time.Date(2024, 2, 29, 1, 2, 3, 4, time.UTC)
	case "complex":
		return complex(1, 2)
	case "array":
		return [2]bool{true, false}
	case "func":
		return func() {}
	case "ring":
		list := []any{nil}
		list[0] = list
		return list
	}
	panic("unknown " + what)
}
func NilKey() map[any]int                           { return map[any]int{nil: 1} }
func AnyKeys() map[any]int                          { return map[any]int{"s": 1, 2: 2, true: 3} }
func Join(sep string, parts ...string) string       { return strings.Join(parts, sep) }
func Count(parts ...int) (int, bool)                { return len(parts), parts == nil }
func Octets(octets ...byte) (string, bool)          { return string(octets), octets == nil }
func OctetsOf(f func(octets ...byte) string) string { return f(1, 2, 3) }
func Print(args ...any) string                      { return fmt.Sprint(args...) }
func Later(t time.Time, d time.Duration) time.Time  { return t.Add(d) }

// ---- what stays in Go (package handles has more)

type Callback struct {
	Name string
	Func func(string)
}

func Write(w io.Writer, n int) {}
func Channel() chan int        { return nil }
func Call(f func())            {}

type hidden struct{ Name string }

func Nested(list []Callback)    {}
func Hidden(list []hidden)      {}
func StructKeys(m map[Size]int) {}

// ---- what ends a call early

func Panic(message string) string  { panic(message) }
func PanicError()                  { panic(&Problem{9}) }
func PanicValue()                  { panic(Size{1, 2}) }
func PanicKind()                   { panic(Kind("k")) }
func Index(v []int, i int) int     { return v[i] }
func NilPointer(p *Product) string { return p.Name }
func deeper(n int) int {
	if n == 0 {
		panic("deep")
	}
	return deeper(n-1) + 1
}
func PanicDeep(n int) int { return deeper(n) }
func Recovered() (s string) {
	defer func() { s = fmt.Sprint("recovered ", recover()) }()
	panic("own")
}
func Repanic() {
	defer func() { panic(fmt.Sprint("again: ", recover())) }()
	panic("once")
}
func Goexit(how string) string {
	defer func() { cleaned++ }()
	if how == "deep" {
		func() {
			defer func() { recover() }()
			runtime.Goexit()
		}()
	}
	runtime.Goexit()
	return "never"
}
func GoexitIn(list []string) []string { runtime.Goexit(); return list }
func GoexitDeferred() {
	defer runtime.Goexit()
	panic("covered")
}

var cleaned int

func Cleaned() int { return cleaned }

func Grow(n int) int {
	var a [128]int
	if n == 0 {
		return a[0]
	}
	a[n%128] = n
	return Grow(n-1) + a[n%128] - n + 1
}
func GrowString(s string, n int) string {
	Grow(n)
	runtime.GC()
	return s + s
}
func Garbage(n int) [][]string {
	out := make([][]string, n)
	for i := range out {
		out[i] = []string{strings.Repeat("x", i%50), fmt.Sprint(i)}
	}
	return out
}

// ---- variables

var (
	Title   = "first"
	Limit   int8
	Sizes   []Size
	Current *Product
	Hook    func()
	Wide    uint64 = 1 << 63
	Last    error
)

func State() string { return fmt.Sprint(Title, Limit, Sizes, Current != nil, Last) }

func Lists(v [][]string) [][]string { return v }
