// Package inner is one of the module's own: its init runs first, and its functions are inlined into the root's.
package inner

import "strings"

// Log is what the init functions have written.
var Log []string

// Sizes is a map that the compiler initialises in a function of its own.
var Sizes = map[string]int{"small": 1, "medium": 10, "large": 100, "huge": 1000}

var empty struct{}

func init() { Log = append(Log, "inner", strings.Repeat("i", Sizes["medium"])) }

// Stack has methods instantiated by whoever uses it.
type Stack[T any] struct{ items []T }

func (s *Stack[T]) Push(item T) { s.items = append(s.items, item) }

func (s *Stack[T]) Pop() (item T, ok bool) {
	if len(s.items) == 0 {
		return item, false
	}
	item = s.items[len(s.items)-1]
	s.items = s.items[:len(s.items)-1]
	return item, true
}

// Third is inlined.
func Third(list []int) int { return list[2] }

// Empty returns the address of a variable without size.
func Empty() *struct{} { return &empty }

// Unused is needed by nobody, and what it holds shall not be shipped.
func Unused() string { return "nobody needs this sentence" }
