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
	Name     string
	Price    float64
	Quantity int
}

// Discount makes a row of another.
func Discount(item Item, percent float64) Item {
	item.Price *= 1 - percent/100
	return item
}

// Sleep waits.
func Sleep(ms int) string {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return "slept\n"
}
