// Package sigs declares functions in every way that a signature can be written. Each export is preceded by what a
// reader of the compiled object must make of it: "want" and the name and signature, with PKG for this package's path
// as symbols carry it. "hidden" instead of "want" marks functions that the compiler's DWARF does not tell in full in
// one version of Go or another, so that only export data gives them; "declared" is what no symbol stands for: constants,
// types and generic functions.
package sigs

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"sync"
	"time"
	"unsafe"
)

// ---- types that signatures name

// declared P struct { A int }
type P struct{ A int }

// declared Pair [K comparable, V any] struct { Key K; Val V }
type Pair[K comparable, V any] struct {
	Key K
	Val V
}

// declared Int = int
type Int = int

// declared Alias = map[string]PKG.Pair[int,*PKG.P]
type Alias = map[string]Pair[Int, *P]

// declared Stringer interface { String() string }
type Stringer interface{ String() string }
type hidden struct{ n int }

// declared Reader interface { Error() string; Read([]uint8) (int, error); PKG.close() }
type Reader interface {
	io.Reader
	error
	close()
}

func (p P) Value(a int) int            { return a + p.A }
func (p *P) Pointer(s string) string   { return s }
func (p Pair[K, V]) Get(k K) (v V)     { return p.Val }
func (h *hidden) Exported() (int, int) { return h.n, h.n }

// ---- plain parameters and results

// want None func()
func None() { fmt.Println() }

// want One func(a int) int
//
//go:noinline
func One(a int) int { return a }

// want Grouped func(a int, b int, c string, d string) (x int, y int, err error)
func Grouped(a, b int, c, d string) (x, y int, err error) { return a, b, nil }

// want Kinds func(a bool, b int8, c int16, d int32, e int64, f uint, g uint8, h uint16, i uint32, j uint64)
func Kinds(a bool, b int8, c int16, d int32, e int64, f uint, g uint8, h uint16, i uint32, j uint64) {
}

// want Floats func(a uintptr, b float32, c float64, d complex64) complex128
func Floats(a uintptr, b float32, c float64, d complex64) complex128 { return 0 }

// hidden Many func(a string, b string, c string, d string, e string, f string, g string) (string, []string, error)
//
//go:noinline
func Many(a, b, c, d, e, f, g string) (string, []string, error) { return a + g, []string{b}, nil }

// want Two func(a string, b []uint8) (string, error)
//
//go:noinline
func Two(a string, b []byte) (string, error) { return a, nil }

// ---- blank and unnamed ones

// hidden Blank func(_ int, s string, _ float64) string
func Blank(_ int, s string, _ float64) string { return s }

// hidden Unnamed func(int, string, []uint8) (string, error)
//
//go:noinline
func Unnamed(int, string, []byte) (string, error) { return "", nil }

// hidden BlankResult func(a int) (_ int, err error)
func BlankResult(a int) (_ int, err error) { return a, nil }

// want Unused func(unused string, also int) (r int)
func Unused(unused string, also int) (r int) { return 1 }

// ---- variadic

// hidden Printf func(format string, args ...interface {}) (int, error)
func Printf(format string, args ...any) (int, error) { return fmt.Printf(format, args...) }

// hidden Only func(...string)
func Only(...string) {}

// want Slice func(xs []string)
func Slice(xs []string) {}

// ---- what optimisation does to parameters

// want Inlined func(a int, b string) (n int, s string)
func Inlined(a int, b string) (n int, s string) { return a, b }

// want CallsInlined func(a int) int
//
//go:noinline
func CallsInlined(a int) int {
	n, s := Inlined(a, "x")
	m, _ := Grouped2(n, len(s))
	return m
}

// want Grouped2 func(x int, y int) (int, int)
func Grouped2(x, y int) (int, int) { return y, x }

// want Recovers func(a int) (n int, err error)
func Recovers(a int) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	n = 1 / a
	return
}

// want Escapes func(p int) (f func() int, m sync.Locker)
func Escapes(p main) (f func() int, m sync.Locker) {
	n := 0
	return func() int { n++; return n }, new(sync.Mutex)
}

type main = int

// want Big func(a [4]PKG.P, b struct { X int; Y [100]string }) [3]float64
func Big(a [4]P, b struct {
	X int
	Y [100]string
}) [3]float64 {
	return [3]float64{}
}

// ---- composite types

// want Composite func(m map[string][]*PKG.P, c chan int, s chan<- string, r <-chan bool) chan (<-chan int)
func Composite(m map[string][]*P, c chan int, s chan<- string, r <-chan bool) chan (<-chan int) {
	return nil
}

// want Funcs func(f func(int, ...string) error, g func() (int, error), h func(func())) func(PKG.P) *PKG.P
func Funcs(f func(a int, b ...string) error, g func() (int, error), h func(func())) func(P) *P {
	return nil
}

// want Interfaces func(e interface {}, s PKG.Stringer, i interface { A(); B(int) string; PKG.c() })
func Interfaces(e any, s Stringer, i interface {
	c()
	B(int) string
	A()
}) {
}

// want Embedding func(r PKG.Reader, i interface { Close() error; Error() string; Read([]uint8) (int, error); PKG.x() })
func Embedding(r Reader, i interface {
	io.ReadCloser
	error
	x()
}) {
}

// want Structs func(s struct { A int "json:\"a,omitempty\""; PKG.b string "why:\"it's \\\\ a\ttab\""; io.Writer; *PKG.P })
func Structs(s struct {
	A int    `json:"a,omitempty"`
	b string "why:\"it's \\\\ a\ttab\""
	io.Writer
	*P
}) {
}

// want EmbeddedAlias func(s *struct { Int = int; PKG.int = int; Pair = PKG.Pair[int,string]; PKG.hidden })
func EmbeddedAlias(s *struct {
	Int
	int
	Pair[int, string]
	hidden
}) {
}

// want Aliases func(a map[string]PKG.Pair[int,*PKG.P], r int32, b []uint8)
func Aliases(a Alias, r rune, b []byte) {}

// want Generic func(p PKG.Pair[string,[]PKG.Pair[int,PKG.P]]) *PKG.Pair[interface {},error]
func Generic(p Pair[string, []Pair[int, P]]) *Pair[any, error] { return nil }

// want Imported func(ctx context.Context, w net/http.ResponseWriter, d time.Duration, f *os.File, p unsafe.Pointer)
func Imported(ctx context.Context, w http.ResponseWriter, d time.Duration, f *os.File, p unsafe.Pointer) {
}

// want Unexported func(h *PKG.hidden) PKG.hidden
func Unexported(h *hidden) hidden { return *h }

// want Ünïcode func(größe int) int
func Ünïcode(größe int) int { return größe }

// hidden Asm func(a int, _ string) int
func Asm(a int, _ string) int

// ---- what is generic

// declared Instance func[T any](t T) T
func Instance[T any](t T) T { return t }

// declared Number interface { ~int | ~float64 }
type Number interface{ ~int | ~float64 }

// declared Ordered interface { String() string; comparable; ~int | PKG.P }
type Ordered interface {
	Stringer
	comparable
	~int | P
}

// declared Keys func[M ~map[K]V, K comparable, V any](m M) (keys []K)
func Keys[M ~map[K]V, K comparable, V any](m M) (keys []K) { return nil }

// declared Sum func[T PKG.Number, U *T, F interface { ~func(T) }, S interface { String() string; ~string }](F, ...T) PKG.Pair[T,U]
func Sum[T Number, U *T, F interface{ ~func(T) }, S interface {
	~string
	String() string
}](F, ...T) Pair[T, U] {
	panic("")
}

// declared Tree [T interface { Less(T) bool }] struct { Left *PKG.Tree[T]; Value T; PKG.n int }
type Tree[T interface{ Less(T) bool }] struct {
	Left  *Tree[T]
	Value T
	n     int
}

func (t *Tree[U]) Insert(value U) *Tree[U] { return t }

// ---- constants

// declared Level uint8
type Level uint8

// declared Const untyped int = 1
const Const = 1

const (
	// declared Yes untyped bool = true
	Yes = true
	// declared Text untyped string = "a\x00\"b\"\n\\ é"
	Text = "a\x00\"b\"\n\\ é"
	// declared Long untyped string = "0123456789012345678901234567890123456789012345678901234567890123456789é"…
	Long = "0123456789012345678901234567890123456789012345678901234567890123456789éé"
	// declared Least untyped int = -9223372036854775808
	Least = -1 << 63
	// declared Most uint64 = 18446744073709551615
	Most uint64 = 1<<64 - 1
	// declared Power untyped int = 1180591620717411303424
	Power = 1 << 70
	// declared Odd untyped int = -1180591620717411303425
	Odd = -(1<<70 + 1)
	// declared Letter untyped rune = 955
	Letter = 'λ'
	// declared High PKG.Level = 2
	High Level = 2
	// declared Wait time.Duration = 5000000000
	Wait = 5 * time.Second
	// declared Byte uint8 = 7
	Byte byte = 7
	// declared Tenth untyped float = 0.1
	Tenth = 0.1
	// declared Whole float64 = 2
	Whole float64 = 2
	// declared Pi untyped float = 3.141592653589793
	Pi = math.Pi
	// declared Tiny untyped float = 4.94065645841247e-324
	Tiny = math.SmallestNonzeroFloat64
	// declared Googol untyped float = 1e+400
	Googol = 1e400
	// declared Nothing untyped float = 0
	Nothing = 1e-5000
	// declared Turn untyped complex = (0.5 + -2i)
	Turn = 0.5 - 2i
	// declared Three complex64 = (3 + 0i)
	Three complex64 = 3
)

// ---- what is no export

func unexported(a int) int           { return a }
func ǅitle() int                     { return unexported(1) + Instance(2) }
func 世界() int                        { return ǅitle() }
func init()                          { 世界() }
func (p *P) method(a int) func() int { return func() int { return p.A + a } }
func linkname()                      { fmt.Print((&P{}).method(1)()) }

// ---- variables

// want Count int
var Count int

// want Table map[string]PKG.P
var Table = map[string]P{"a": {1}}

// want Hook func(int) error
var Hook func(int) error

// want Empty struct {}
var Empty struct{}

// want Any interface {}
var Any any = linkname

// want Mutex sync.Mutex
var Mutex sync.Mutex

// want Generics PKG.Pair[string,int]
var Generics Pair[string, int]

var private = 1

var kept []string

// want Lent func(s string, b []uint8, n int) int
func Lent(s string, b []byte, n int) int { return len(s+"!") + int(b[n]) }

// want Kept func(stored string, lent string, returned string, sent []uint8) string
func Kept(stored, lent, returned string, sent []byte) string {
	kept = append(kept, stored, lent+"!")
	go func() { print(len(sent)) }()
	return returned[1:]
}
