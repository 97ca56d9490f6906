// Package soak has something to call for everything that a call can carry, do and suffer.
package soak

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
)

func Add(a, b int) int { return a + b }

func Index(s string, c uint8) int {
	for i := 0; i < len(s); i++ {
		if s[i] == c {
			return i
		}
	}
	return -1
}

// At panics beyond the end.
func At(s string, i int) uint8 { return s[i] }

func Half(n int) (int, error) {
	if n%2 != 0 {
		return 0, fmt.Errorf("%d is odd", n)
	}
	return n / 2, nil
}

func Turn(s string) string { return s[len(s)/2:] + s[:len(s)/2] }

func Reverse(b []byte) []byte {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return b
}

type Item struct {
	Name  string
	Price float64
	Tags  []string
	Size  *Size
}

type Size struct{ Width, Height int }

func Raise(item Item, by float64) Item {
	item.Price += by
	return item
}

func Names(items []Item) map[string]int {
	names := make(map[string]int, len(items))
	for i, item := range items {
		names[item.Name] = i + 1
	}
	return names
}

func Echo(v any) any { return v }

func Join(separator string, parts ...string) string { return strings.Join(parts, separator) }

func Panic(s string) { panic(s) }

func Wrapped(s string) error { return fmt.Errorf("wrapped: %w", errors.New(s)) }

func Leave() { runtime.Goexit() }

// Counter has hidden state: it stays in Go.
type Counter struct {
	Name  string
	count int
}

func NewCounter(name string) *Counter { return &Counter{Name: name} }

func (c *Counter) Count(by int) int {
	c.count += by
	return c.count
}

// Rename keeps what it is given, and gives what it was given before.
func (c *Counter) Rename(name string) string {
	before := c.Name
	c.Name = name
	return before
}

func Total(counters []*Counter) int {
	total := 0
	for _, c := range counters {
		total += c.count
	}
	return total
}

// Each gives items to f until it has enough.
func Each(items []string, f func(string) (bool, error)) error {
	for _, item := range items {
		if more, err := f(item); !more {
			return err
		}
	}
	return nil
}

// Work is a job of some microseconds.
func Work(n int) (int, error) {
	var garbage [][]byte
	for i := 0; i < n; i++ {
		garbage = append(garbage, make([]byte, 64+i))
	}
	if n%7 == 0 {
		return 0, errors.New("seven")
	}
	return len(garbage), nil
}
