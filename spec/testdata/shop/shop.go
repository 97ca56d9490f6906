// Package shop is a small package with a bit of everything that loading, calling and unloading touches.
package shop

import (
	"errors"
	"fmt"
	"runtime"
	"sort"
	"strings"
	"time"
)

// Price is in cents.
type Price int

func (p Price) String() string { return fmt.Sprintf("%d.%02d", p/100, p%100) }

// Product is a thing on sale.
type Product struct {
	Name  string
	Price Price
}

// Products is what there is.
var Products = []Product{{"phone", 19900}, {"cable", 499}, {"case", 1250}}

// Opened counts the calls of init.
var Opened = count("Opened")

// Greeting can be set from outside.
var Greeting = "hello"

var counted []string

func count(name string) int {
	counted = append(counted, name)
	return len(counted)
}

func init() { count("init") }

// Counted tells what ran before main would have.
func Counted() string { return strings.Join(counted, " ") }

// Add adds.
func Add(a, b int) int { return a + b }

// Greet uses a package variable.
func Greet(name string) string { return Greeting + ", " + name }

// Render lists the products by price, with a method called through an interface.
func Render() string {
	sorted := append([]Product(nil), Products...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Price < sorted[j].Price })
	var b strings.Builder
	for _, p := range sorted {
		fmt.Fprintf(&b, "%s %v\n", p.Name, p.Price)
	}
	return b.String()
}

// ErrUnknown is what Find says of a product that there is none of.
var ErrUnknown = errors.New("shop: unknown product")

// Find looks a product up.
func Find(name string) (int, error) {
	for _, p := range Products {
		if p.Name == name {
			return int(p.Price), nil
		}
	}
	return 0, fmt.Errorf("find %q: %w", name, ErrUnknown)
}

// Fail panics three calls deep.
func Fail(message string) int { return failing(message) }

//go:noinline
func failing(message string) int { return deeper(&message) }

//go:noinline
func deeper(message *string) int { panic(*message) }

var release chan bool

// Block leaves a goroutine waiting in this package.
func Block() {
	release = make(chan bool)
	started := make(chan bool)
	go waitHere(started)
	<-started
}

//go:noinline
func waitHere(started chan bool) {
	started <- true
	<-release
}

// Release lets it go.
func Release() { close(release) }

// Spin leaves a goroutine running in this package for so many milliseconds.
func Spin(ms int) {
	started := make(chan bool)
	go spinHere(started, time.Now().Add(time.Duration(ms)*time.Millisecond))
	<-started
}

//go:noinline
func spinHere(started chan bool, until time.Time) {
	close(started)
	for n := 0; time.Now().Before(until); n++ {
		Products[n%len(Products)].Price++
	}
}

// Callers names the functions that are running, innermost first.
func Callers() string { return callers() }

//go:noinline
func callers() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	var names []string
	for {
		frame, more := frames.Next()
		file := frame.File[strings.LastIndexByte(frame.File, '/')+1:]
		names = append(names, fmt.Sprintf("%s %s:%d", frame.Function, file, frame.Line))
		if !more {
			return strings.Join(names, "\n")
		}
	}
}

// Grow recurses until the stack has been moved some times, and collects garbage at the bottom.
func Grow(depth int) int {
	var pad [64]*Product
	pad[depth%64] = &Product{Name: fmt.Sprint(depth), Price: Price(depth)}
	if depth == 0 {
		runtime.GC()
		return 0
	}
	sum := Grow(depth-1) + int(pad[depth%64].Price)
	if pad[depth%64].Name != fmt.Sprint(depth) {
		panic("a pointer on the stack was lost")
	}
	return sum
}
