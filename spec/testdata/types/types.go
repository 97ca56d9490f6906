// Package types has one of each kind of thing that definitions for editors tell of.
//
// @this is no annotation.
// | nor is this
package types

import (
	"context"
	"io"
	"net/url"
	"time"
)

// Colour is one of three.
type Colour int

const (
	Red   Colour = iota // Red is the first.
	Green               // and this the second
	Blue
)

// Limit is how many there may be.
const Limit = 100

const Greeting = "hello"

const Ratio = 0.5

// Item is plain data.
type Item struct {
	Name  string // what it is called
	Price float64
	// Tags are words.
	Tags []string
	Made time.Time
	Next *Item
}

// Label is what the tag says.
func (i Item) Label() string { return i.Name }

// Counter counts, and nobody sees how.
type Counter struct {
	Step int
	n    int
}

// Add adds a step.
func (c *Counter) Add() int { c.n += c.Step; return c.n }

// Names are sorted.
type Names []string

// Len is how many there are.
func (n Names) Len() int { return len(n) }

// Shape has an area.
type Shape interface {
	// Area is in square metres.
	Area() float64
}

// Pair is generic.
type Pair[K comparable, V any] struct {
	Key   K
	Value V
}

// Where is another package's type under a name of its own.
type Where = url.URL

// Default is a variable.
var Default = Item{Name: "lamp"}

// Find looks for an item; end and function are words of Lua.
func Find(items []Item, end string, function int, _ bool) (Item, error) { return Item{}, nil }

// Open may fail.
func Open(ctx context.Context, r io.Reader, timeout time.Duration) error { return nil }

// Each calls back.
func Each(names map[string][]byte, f func(name string, data []byte) bool, rest ...*Item) {}

// NewCounter makes one.
func NewCounter() *Counter { return &Counter{Step: 1} }

// Max is generic.
func Max[T int | string](a, b T) T {
	if a > b {
		return a
	}
	return b
}

// Events has channels.
func Events() (<-chan string, struct{ X, Y int }) { return nil, struct{ X, Y int }{} }

func Ärger(ü int) {}

// Tags is a map with a method.
type Tags map[string]int

func (t Tags) Has(name string) bool { _, ok := t[name]; return ok }

func Merge(tags Tags) Tags { return tags }

// Map calls f with each.
func Map[T, U any](xs []T, f func(T) U) []U {
	all := []U{}
	for _, x := range xs {
		all = append(all, f(x))
	}
	return all
}

// Zero can't be inferred.
func Zero[T any]() (zero T) { return zero }
