// Package ends has calls that end in ways that get into each other's: spec/ends_spec.lua.
package ends

import (
	"io"
	"runtime"
)

func Exit()                { runtime.Goexit() }
func ExitThen(then func()) { defer then(); runtime.Goexit() }

func ExitPanicking() {
	defer func() { panic("in defer") }()
	runtime.Goexit()
}

func ExitRecovering() {
	defer func() {
		defer func() { recover() }()
		panic("in defer")
	}()
	runtime.Goexit()
}

func ExitTwice() {
	defer runtime.Goexit()
	runtime.Goexit()
}

func PanicExiting() {
	defer runtime.Goexit()
	panic("first")
}

// ExitDeep has the stack moved while it exits.
func ExitDeep() {
	defer func() {
		grow(10000)
		panic("grown")
	}()
	runtime.Goexit()
}

func grow(n int) int {
	var pad [256]byte
	if n == 0 {
		return 0
	}
	pad[n%256] = 1
	return grow(n-1) + int(pad[n%256])
}

func Small(n int) int {
	if n > 3 {
		defer func() { panic("too large") }()
		runtime.Goexit()
	}
	return n
}

type reader func(n int) (string, error)

func (r reader) Read(p []byte) (int, error) {
	s, err := r(len(p))
	return copy(p, s), err
}

// ReadAll reads what the function gives till it gives an error with it.
func ReadAll(read func(n int) (string, error)) (string, error) {
	b, err := io.ReadAll(reader(read))
	return string(b), err
}

var EOF = io.EOF

// A Key is compared by code that the compiler makes.
type Key struct {
	Number int
	Name   string
}

func Find(m map[Key]int, k *Key) int { return m[*k] }

type Door struct {
	name string
	Open bool
	Room string
}

func (d *Door) Name() string        { return d.name }
func (d *Door) Call(s string) error { d.name = s; return nil }

type Node struct{ Next *Node }

func Length(n *Node) (length int) {
	for ; n != nil; n = n.Next {
		length++
	}
	return length
}

func Fine(n int) int { return n }
func Twice(n int) int {
	go func() {}()
	return 2 * n
}

func Sum(numbers []float64) (sum float64) {
	for _, n := range numbers {
		sum += n
	}
	return sum
}

// Kept is of another module's type.
var Kept any

func Keep(v any) { Kept = v }

type exiting struct{}

func (exiting) Error() string { runtime.Goexit(); return "" }

// Leaving has to be asked what it says, and does not come back from that.
var Leaving error = exiting{}
