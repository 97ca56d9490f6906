// Package scarce returns what Lua needs memory for.
package scarce

import (
	"errors"
	"fmt"
)

type Part struct{ Name string }

type Whole struct {
	Name  string
	Parts []*Part
	More  map[string]any
	Done  func() string
}

type Failure struct{ Why string }

func (f *Failure) Error() string { return f.Why }

var Shown any = &Whole{Name: "shown"}

func (w *Whole) Text(s string) string { return w.Name + s }

func New() *Whole {
	return &Whole{"whole", []*Part{{"a"}, {"b"}}, map[string]any{"c": &Part{"d"}, "e": 1}, func() string { return "f" }}
}

func Text(s string) string { return s + s }

func List(n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = New()
	}
	return list
}

func Fail(s string) (string, error) { return "", fmt.Errorf("%s: %w", s, &Failure{"for a reason"}) }

func Panic(s string) string { panic(errors.New(s)) }

func Apply(s string, f func(string) string) string { return f(s) }

func Later(n int) ([]any, error) { return List(n), nil }

func Take(parts []Part, f func() string) int { return len(parts) + len(f()) }

var Taken []Part

func Double(n int) int { return 2 * n }
