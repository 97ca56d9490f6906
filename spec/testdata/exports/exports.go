// Package stock exports one of everything.
package stock

import (
	"errors"
	"io"
	"math"
	"sort"
	"time"
)

const (
	Ready          = true
	Name           = "lamp\x00shop é"
	Most           = 42
	Least          = -7
	Exact          = 1 << 53
	Beyond         = 1<<53 + 1
	Lowest         = math.MinInt64
	Mask   uint64  = math.MaxUint64
	Power          = 1 << 70
	Odd            = 1<<70 + 1
	Letter         = 'λ'
	Rate           = 0.19
	Third          = 1.0 / 3
	Half   float32 = 0.5
	Single float32 = 0.1
	Whole  float64 = 2
	Large          = 1e300
	Small          = 5e-324
	Googol         = 1e400
	Turn           = 0.5 - 2i
	Wait           = 90 * time.Second
)

// Colour is a typed constant's type, with a method.
type Colour uint8

const (
	Red Colour = iota
	Green
)

func (c Colour) String() string { return [...]string{"red", "green"}[c] }

// Place is embedded.
type Place struct{ Shelf int }

func (p Place) Where() int { return p.Shelf }

// Item is plain but for its methods.
type Item struct {
	Name  string `json:"name"`
	Price float64
	Place
	notes []string
}

func (i *Item) Rename(name string) { i.Name = name }
func (i Item) Label() string       { return i.Name }
func (i Item) hidden()             {}

// Point is plain data.
type Point struct{ X, Y int }

// Labelled is what has a label.
type Labelled interface {
	Label() string
	io.Closer
}

// Number is a constraint.
type Number interface{ ~int | ~int64 | ~float64 }

// Pair is generic.
type Pair[K comparable, V any] struct {
	Key   K
	Value V
}

func (p Pair[K, V]) Swap() Pair[string, V] { return Pair[string, V]{"", p.Value} }

// Box keeps what it holds.
type Box[T any] struct{ held T }

func (b *Box[T]) Held() T { return b.held }

type (
	ID      = int
	Reader  = io.Reader
	Prices  map[string]float64
	Names   []string
	Grid    [3]int
	Handler func(string) error
	Queue   chan int
	IntPair = Pair[string, int]
)

// Count is a variable.
var Count = 3

var ErrGone = errors.New("gone")

// Add is a function.
func Add(a, b int) int { return a + b }

func TakeColour(c Colour) string { return c.String() }

func Max[T Number](a, b T) T {
	if a > b {
		return a
	}
	return b
}

func Div[T Number](a, b T) T { return a / b }

func MakePair[K comparable, V any](key K, value V) Pair[K, V] { return Pair[K, V]{key, value} }

func MakeBox[T any](held T) *Box[T] { return &Box[T]{held} }

func Unbox[T any](b *Box[T]) T { return b.held }

func Keys[M ~map[K]V, K interface{ ~int | ~string }, V any](m M) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
	return keys
}

func Sum[T interface{ Number | ~string }](list ...T) (sum T) {
	for _, each := range list {
		sum += each
	}
	return
}

func Total[T Number](list []T) (sum T) {
	for _, each := range list {
		sum += each
	}
	return
}

func Zero[T any]() (zero T) { return }

func Apply[T, U any](list []T, f func(T) U) []U {
	var result []U
	for _, each := range list {
		result = append(result, f(each))
	}
	return result
}

func First[T any](list []T) (T, error) {
	if len(list) == 0 {
		var zero T
		return zero, ErrGone
	}
	return list[0], nil
}
