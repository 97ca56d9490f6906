// Package calls has what the bench calls: functions that do little, so that the way to them is what takes time. The
// package cgo has the same ones as an ordinary Go library gives them to C.
package calls

import "time"

func Add(a, b int) int { return a + b }

type Adder struct{ calls int }

func NewAdder() *Adder { return new(Adder) }

func (s *Adder) Add(a, b int) int {
	s.calls++
	return a + b
}

// Turn gives a new string.
func Turn(s string) string { return s[len(s)/2:] + s[:len(s)/2] }

// Record has 20 fields.
type Record struct {
	ID, Parent, Stock, Sold, Width, Height int
	Price, Discount, Weight, Rating, Tax   float64
	Name, Brand, Category, Colour, Text    string
	Active, Visible, Digital, Returnable   bool
}

// Touch gives another record of the same size.
func Touch(r Record) Record {
	r.ID++
	r.Price, r.Discount = r.Discount, r.Price
	r.Name, r.Brand = r.Brand, r.Name
	r.Active = !r.Active
	return r
}

func TouchAll(records []Record) []Record {
	for i, r := range records {
		records[i] = Touch(r)
	}
	return records
}

//go:noinline
func Double(n int) int { return 2 * n }

// Doubled is the nanoseconds that a call of Double takes in Go.
func Doubled(times int) float64 {
	sum := 0
	begin := time.Now()
	for i := 0; i < times; i++ {
		sum += Double(i)
	}
	took := time.Since(begin)
	if sum != times*(times-1) {
		panic("Double is wrong")
	}
	return float64(took.Nanoseconds()) / float64(times)
}

// Spin works for a microsecond.
func Spin(n int) int {
	for begin := time.Now(); time.Since(begin) < time.Microsecond; {
	}
	return n
}

// Spins is the milliseconds that n calls of Spin take, each in a goroutine that sends its result through one channel.
func Spins(n int) float64 {
	begin := time.Now()
	results := make(chan int, n)
	for i := 1; i <= n; i++ {
		go func(i int) { results <- Spin(i) }(i)
	}
	sum := 0
	for i := 0; i < n; i++ {
		sum += <-results
	}
	if sum != n*(n+1)/2 {
		panic("a result is missing")
	}
	return float64(time.Since(begin).Nanoseconds()) / 1e6
}
