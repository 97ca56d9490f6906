// Package refused has something to call on each road.
package refused

import "fmt"

type Pair struct {
	A, B int
}

func (p *Pair) Sum() int { return p.A + p.B }

func (p Pair) String() string { return fmt.Sprint(p.A, p.B) }

var Table = map[string]int{"a": 1}

var Shown = &Pair{1, 2}

func Add(a, b int) int { return a + b }

func Text(s string) string { return s + "!" }

func List(n int) []*Pair {
	list := make([]*Pair, n)
	for i := range list {
		list[i] = &Pair{i, i}
	}
	return list
}

func New() *Pair { return &Pair{3, 4} }

func Fail(s string) error { return fmt.Errorf("failed: %s", s) }

func Apply(n int, f func(int) int) int { return f(n) }

func Any(v any) any { return v }

func Halve(v float64) float64 { return v / 2 }

func init() { Table["b"] = 2 }
