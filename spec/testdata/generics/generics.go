package main

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"
)

type Number interface {
	~int | ~int32 | ~int64 | ~float64
}

type Item struct {
	Name  string
	Price float64
}

func (i Item) String() string { return fmt.Sprintf("%s at %g", i.Name, i.Price) }

// List is copied to Lua, and can be made there.
type List[T any] struct{ Items []T }

// Stack stays in Go: it has methods and hidden state.
type Stack[T any] struct{ items []T }

func (s *Stack[T]) Push(v T) { s.items = append(s.items, v) }

func (s *Stack[T]) Pop() (T, error) {
	var zero T
	if len(s.items) == 0 {
		return zero, errors.New("empty")
	}
	v := s.items[len(s.items)-1]
	s.items = s.items[:len(s.items)-1]
	return v, nil
}

type hidden struct{ N int }

var Numbers = []int{1, 2, 3}

var Calls int

var last fmt.Stringer

func Max[T Number](a, b T) T {
	if a > b {
		return a
	}
	return b
}

func Plain(a int) int { return a }

func Map[K comparable, V any](keys []K, value V) map[K]V {
	m := make(map[K]V)
	for _, k := range keys {
		m[k] = value
	}
	return m
}

func Join[T fmt.Stringer](sep string, list ...T) string {
	Calls++
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = v.String()
	}
	return strings.Join(words, sep)
}

func Sorted[T any](list List[T], less func(a, b T) bool) List[T] {
	sort.Slice(list.Items, func(i, j int) bool { return less(list.Items[i], list.Items[j]) })
	return list
}

func NewStack[T any](first ...T) *Stack[T] { return &Stack[T]{items: first} }

func First[T any](list []T) (T, error) {
	var zero T
	if len(list) == 0 {
		return zero, errors.New("nothing in it")
	}
	return list[0], nil
}

func Name[T any]() string {
	var zero T
	return fmt.Sprintf("%T", zero)
}

func Nothing[T any](T) {}

func Fails[T any](v T) { panic(fmt.Sprint("no use for ", v)) }

type counter[T any] struct{ seen []T }

func (c *counter[T]) Add(v T) int { c.seen = append(c.seen, v); return len(c.seen) }

func Hide[T any](T) (hidden, error) { return hidden{7}, nil }

func Hides[T any](v T) (*counter[T], []hidden, int) {
	return &counter[T]{[]T{v}}, []hidden{{1}, {2}}, 3
}

var described int

func describe(v any) string {
	described++
	return fmt.Sprintf("%v, number %d", v, described)
}

// Describe is the only one to call describe, and to use described.
func Describe[T any](v T) string { return describe(v) }

func Unhide[T any](h hidden, v T) T { return v }

func Same[T hidden](v T) T { return v }

func Keep[T fmt.Stringer](v T) { last = v }

func Forget() { last = nil }

func Sleep[T any](v T) T {
	time.Sleep(200 * time.Millisecond)
	return v
}

var stop chan bool

func Wait[T any](v T) {
	stop = make(chan bool)
	go func() {
		<-stop
		_ = v
	}()
}

func Stop() { close(stop) }

func main() {}
