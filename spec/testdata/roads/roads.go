// Package roads has functions for each road that a call can take, and counts what Go's heap does meanwhile.
package roads

import (
	"errors"
	"runtime"
	"strings"
)

func Add(a, b int) int { return a + b }

func Scale(x float64, n int32) float64 { return x * float64(n) }

func Is(a, b uint8) bool { return a == b }

// Index does not keep its argument.
func Index(s string, c uint8) int {
	for i := 0; i < len(s); i++ {
		if s[i] == c {
			return i
		}
	}
	return -1
}

// Sum does not keep its argument either.
func Sum(b []byte) int {
	n := 0
	for _, c := range b {
		n += int(c)
	}
	return n
}

// Minmax has more than one result.
func Minmax(a, b int) (int, int) {
	if a > b {
		return b, a
	}
	return a, b
}

// Twice has, too.
func Twice(s string) (string, string) { return s + "1", s + "2" }

// At panics beyond the end.
func At(s string, i int) uint8 { return s[i] }

// Turn allocates its result.
func Turn(s string) string { return s[len(s)/2:] + s[:len(s)/2] }

var last string

// Keep gives what it was given before.
func Keep(s string) string {
	before := last
	last = s
	return before
}

var held []string

// Hold keeps what it makes of strings that it does not keep themselves.
func Hold(a, b string) { held = append(held, a+b) }

// Held is all of it.
func Held() string {
	runtime.GC()
	all := strings.Join(held, ",")
	held = nil
	return all
}

// Deep does not keep its arguments, and moves the stack that they lie on.
func Deep(depth int, s string, b []byte) int {
	var frame [512]byte
	frame[depth%512] = 1
	if depth > 0 {
		return Deep(depth-1, s, b) + int(frame[depth%512])
	}
	n := 0
	for i := range s {
		n += int(s[i])
	}
	for i := range b {
		n += int(b[i])
	}
	return n
}

var ErrOdd = errors.New("odd")

func Half(n int) (int, error) {
	if n%2 != 0 {
		return 0, ErrOdd
	}
	return n / 2, nil
}

// Silent's error can't say what it is.
func Silent(n int) error {
	if n == 0 {
		return nil
	}
	return silent{n}
}

type silent struct{ n int }

func (e silent) Error() string {
	if e.n == 1 {
		panic("an error without a word")
	}
	runtime.Goexit()
	return ""
}

func IsOdd(err error) bool { return errors.Is(err, ErrOdd) }

type Point struct{ X, Y int }

func Mirror(p Point) Point { return Point{p.Y, p.X} }

// A Meter has methods and fields of all that the FFI road carries.
type Meter struct {
	sum  int
	last string

	Total  int
	Rate   float64
	Label  string
	Is     bool
	Small  int8
	Byte   uint8
	Big    uint64
	Single float32
	Data   []byte
	Inner
	*Outer
	Twin struct{ X int }
}

type Inner struct{ Depth int16 }
type Outer struct{ Height int }

func NewMeter() *Meter { return new(Meter) }

func (m *Meter) Count(n int) int {
	m.sum += n
	return m.sum
}

func (m *Meter) Scale(x float64, n int32) float64 { return x * float64(n) }

// Keep gives what it was given before.
func (m *Meter) Keep(s string) string {
	before := m.last
	m.last = s
	return before
}

// Extreme gives the n-th number that is the last of some kind, as an int64 and as a uint64.
func Extreme(n int) int64   { return int64(extremes[n-1]) }
func Unsigned(n int) uint64 { return extremes[n-1] }

func (m *Meter) Unsigned(n int) uint64 { return extremes[n-1] }

var extremes = []uint64{0, 1, 1<<53 - 1, 1<<53 + 1, 1<<63 - 1, 1 << 63, 1<<64 - 1<<53 - 1, 1<<64 - 1<<53 + 1, 1<<64 - 1}

// Mallocs is how many objects were ever allocated.
func Mallocs() int {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.Mallocs)
}
