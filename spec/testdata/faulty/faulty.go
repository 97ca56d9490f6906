// Package faulty faults, and recurses without end, on each road.
package faulty

import "runtime/debug"

type T struct{ v int }

func (t *T) Get() int { return t.v + nothing.v }

var nothing *T

func Pure(n int) int {
	if n > 0 {
		return n
	}
	return nothing.v
}

func Text(s string) string {
	if s != "" {
		return s + "!"
	}
	return string(rune(nothing.v))
}

func Any(v any) any {
	if v != nil {
		return v
	}
	return nothing.v
}

func New() *T { return &T{} }

func Apply(n int, f func(int) int) int { return f(n) + nothing.v }

func Limit() { debug.SetMaxStack(1 << 20) }

func Deep(n int) int {
	if n < 0 {
		return n
	}
	return Deep(n+1) + 1
}

func DeepText(s string) string {
	if s == "" {
		return s
	}
	return DeepText(s) + "x"
}

func DeepAny(v any) any {
	if v == nil {
		return v
	}
	return []any{DeepAny(v)}
}
