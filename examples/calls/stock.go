// Package stock is what main.lua calls: something of each sort that a call can carry.
package stock

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"
)

// An Item is plain data: Lua sees a table.
type Item struct {
	Name  string
	Price float64
	Count int
}

// A Shelf has state of its own: Lua sees a handle.
type Shelf struct {
	Label string
	items map[string]Item
}

var ErrUnknown = errors.New("unknown item")

func NewShelf(label string) *Shelf { return &Shelf{Label: label, items: map[string]Item{}} }

func (s *Shelf) Put(items ...Item) int {
	for _, item := range items {
		s.items[item.Name] = item
	}
	return len(s.items)
}

func (s *Shelf) Find(name string) (Item, error) {
	item, ok := s.items[name]
	if !ok {
		return Item{}, fmt.Errorf("shelf %s: %q: %w", s.Label, name, ErrUnknown)
	}
	return item, nil
}

// Select returns the names of the items that keep tells to keep.
func (s *Shelf) Select(keep func(Item) bool) []string {
	var names []string
	for name, item := range s.items {
		if keep(item) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// Checksum needs no Go runtime.
func Checksum(code string) int {
	sum := 0
	for i := 0; i < len(code); i++ {
		sum += (i%3 + 1) * int(code[i]-'0')
	}
	return sum % 11
}

// Gross needs none either.
func Gross(net float64, percent int) float64 { return net * float64(100+percent) / 100 }

// Tag makes a string.
func Tag(name string) string { return "[" + name + "]" }

// Total is given many numbers.
func Total(prices []float64) float64 {
	sum := 0.0
	for _, price := range prices {
		sum += price
	}
	return sum
}

// Deliver takes its time.
func Deliver(ctx context.Context, name string, wait time.Duration) (string, error) {
	select {
	case <-time.After(wait):
		return name + " is here", nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Max of any ordered type; Lua says which.
func Max[T int | float64 | string](a, b T) T {
	if a > b {
		return a
	}
	return b
}
