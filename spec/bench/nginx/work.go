// Package work is what the figures of nginx call.
package work

import (
	"fmt"
	"sync/atomic"
	"time"
)

var calls atomic.Int64

// Nothing is an empty call that is not proved to need no Go runtime.
func Nothing() { calls.Add(1); _ = fmt.Sprint }

// Triangle adds up the numbers to n.
func Triangle(n int) int {
	sum := 0
	for i := 1; i <= n; i++ {
		sum += i * i % 7
	}
	return sum
}

// Label formats a number.
func Label(n int) string {
	return fmt.Sprintf("product %05d costs %.2f EUR, %x", n, float64(n)*1.19, n)
}

// Item is a row of a table.
type Item struct {
	Name  string
	Price float64
	Tags  []string
}

// Cheapest finds a row.
func Cheapest(items []Item) Item {
	best := items[0]
	for _, item := range items {
		if item.Price < best.Price {
			best = item
		}
	}
	return best
}

// Sleep waits.
func Sleep(ms int) string {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return "slept\n"
}
