// Package pure has functions that need no runtime, and at the end such as do.
package pure

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"unicode/utf8"
	"unsafe"
)

// ---- integers

func Add(a, b int) int                      { return a + b }
func Narrow(a int8, b uint8, c int16) int16 { return int16(a)*int16(b) + c }
func NarrowResult(a int) int8               { return int8(a) }
func Wide(a uint64, b int64) uint64         { return a ^ uint64(b)>>7 | a<<9 }
func Nine(a, b, c, d, e, f, g, h, i int) int {
	return a - 2*b + 3*c - 4*d + 5*e - 6*f + 7*g - 8*h + 9*i
}
func Divide(a, b int) int             { return a / b }
func Modulo(a, b int32) int32         { return a % b }
func Shift(a int, by int) int         { return a << by }
func Not(a bool) bool                 { return !a }
func Both(a, b bool) bool             { return a && b }
func Three(a, b int) (int, int, bool) { return a + b, a - b, a < b }
func Nothing(a int)                   {}
func NothingButPanics(a []int, i int) { _ = a[i] }

func Collatz(n uint32) (steps int) {
	for n > 1 && steps < 10000 {
		if n%2 == 0 {
			n /= 2
		} else {
			n = 3*n + 1
		}
		steps++
	}
	return
}

func Switch(i int) int {
	switch i {
	case 0:
		return 5
	case 1:
		return 19
	case 2:
		return 7
	case 3:
		return 4 * i
	case 4:
		return 12
	case 5:
		return -99
	case 6:
		return 1
	case 7:
		return 8
	case 8:
		return 3
	case 9:
		return 65
	case 11:
		return 6
	}
	return -1
}

func SwitchWord(s string) int {
	switch s {
	case "one":
		return 1
	case "two":
		return 2
	case "three":
		return 3
	case "four":
		return 4
	case "five":
		return 5
	case "six":
		return 6
	case "seven":
		return 7
	case "eight":
		return 8
	case "nine":
		return 9
	case "ten":
		return 10
	}
	return 0
}

// ---- floats

func Lerp(a, b, t float64) float64 { return a + (b-a)*t }
func Single(a, b float32) float32  { return a*b + 1 }
func Mixed(a int, x float64, b int, y float32) (float64, int) {
	return x*float64(a) + float64(y), b + a
}
func Round(x float64) int                     { return int(math.Floor(x + 0.5)) }
func Trig(x float64) float64                  { return math.Sin(x)*math.Cos(x) + math.Exp(-x*x) + math.Sqrt(x*x+1) }
func Clamp(x float64) float64                 { return min(max(x, -1), 1) }
func Distance(x1, y1, x2, y2 float64) float64 { return math.Hypot(x2-x1, y2-y1) }

func Polynomial(c []float64, x float64) (y float64) {
	for i := len(c) - 1; i >= 0; i-- {
		y = y*x + c[i]
	}
	return
}

// ---- strings and slices

func Hash(s string) uint32 {
	h := uint32(2166136261)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

func Murmur(b []byte, seed uint32) uint32 {
	h := seed
	n := len(b)
	for len(b) >= 4 {
		k := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		k *= 0xcc9e2d51
		k = k<<15 | k>>17
		k *= 0x1b873593
		h ^= k
		h = h<<13 | h>>19
		h = h*5 + 0xe6546b64
		b = b[4:]
	}
	var k uint32
	for i := len(b) - 1; i >= 0; i-- {
		k = k<<8 | uint32(b[i])
	}
	h ^= k * 0x1b873593
	h ^= uint32(n)
	h ^= h >> 16
	return h * 0x85ebca6b
}

func Wider(s string) (n int) {
	for _, r := range s {
		if r > 127 {
			n++
		}
	}
	return
}

func LastRune(s string) rune { r, _ := utf8.DecodeLastRuneInString(s); return r }
func Words(s string) (n int) {
	in := false
	for i := 0; i < len(s); i++ {
		space := s[i] == ' ' || s[i] == '\n' || s[i] == '\t'
		if !space && !in {
			n++
		}
		in = !space
	}
	return
}

func Common(s string) (most byte) {
	var counts [256]int
	for i := 0; i < len(s); i++ {
		counts[s[i]]++
	}
	for c := range counts {
		if counts[c] > counts[most] {
			most = byte(c)
		}
	}
	return
}

func Levenshtein(a, b string) int {
	var row [65]int
	if len(b) > 64 {
		b = b[:64]
	}
	for j := range row {
		row[j] = j
	}
	for i := 0; i < len(a); i++ {
		last := i
		row[0] = i + 1
		for j := 0; j < len(b); j++ {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, last+1)
		}
	}
	return row[len(b)]
}

func At(b []byte, i int) byte       { return b[i] }
func Slice(s string, i, j int) int  { return len(s[i:j]) + int(s[i:j][0]) }
func Equal(a, b string) bool        { return a == b }
func Less(a, b string) bool         { return a < b }
func Has(s, prefix string) bool     { return strings.HasPrefix(s, prefix) || strings.HasSuffix(s, prefix) }
func Find(s, t string) int          { return strings.Index(s, t) }
func FindByte(s string, b byte) int { return strings.IndexByte(s, b) }
func Holds(s, t string) bool        { return strings.Contains(s, t) }
func Sum(xs []int) (sum int) {
	for _, x := range xs {
		sum += x
	}
	return
}

func Largest(xs []float32) (at int) {
	for i := range xs {
		if xs[i] > xs[at] {
			at = i
		}
	}
	return
}

var primes = [...]uint16{2, 3, 5, 7, 11, 13, 17, 19, 23, 29}

func Prime(i int) uint16 { return primes[i] }

// ---- recursion

func Fib(n int) int {
	if n < 2 {
		return n
	}
	return Fib(n-1) + Fib(n-2)
}

func Ackermann(m, n int) int {
	if m == 0 {
		return n + 1
	}
	if n == 0 {
		return Ackermann(m-1, 1)
	}
	return Ackermann(m-1, Ackermann(m, n-1))
}

func Even(n int) bool {
	if n == 0 {
		return true
	}
	return odd(n - 1)
}

//go:noinline
func odd(n int) bool {
	if n == 0 {
		return false
	}
	return Even(n - 1)
}

func Deep(n int, x float64) (float64, int) {
	if n == 0 {
		return x, 1
	}
	y, m := Deep(n-1, x+1)
	return y, m + 1
}

// Search solves the queens' problem: recursion with an array that callees write to.
func Search(n int) int {
	var columns [16]int
	if n > 16 {
		n = 16
	}
	return place(columns[:n], 0)
}

func place(columns []int, row int) (found int) {
	if row == len(columns) {
		return 1
	}
next:
	for c := range columns {
		for r := 0; r < row; r++ {
			d := columns[r] - c
			if d == 0 || d == row-r || d == r-row {
				continue next
			}
		}
		columns[row] = c
		found += place(columns, row+1)
	}
	return
}

type point struct{ x, y, z, w int }

//go:noinline
func (p *point) scale(by int) { p.x *= by; p.y *= by; p.z *= by; p.w *= by }

//go:noinline
func (p point) sum() int { return p.x + p.y + p.z + p.w }

func Points(a, b int) int {
	p := point{a, b, a + b, a - b}
	p.scale(3)
	q := p
	q.scale(b)
	return p.sum() - q.sum()
}

// ---- failures

type node struct {
	value int
	next  *node
}

var nowhere *node

func Nil(a int) int {
	if a > 0 {
		return a
	}
	var n *node
	return through(n)
}

//go:noinline
func through(n *node) int { return n.value }

func Panic(a int) int {
	if a < 0 {
		panic("negative")
	}
	return a
}

func Clean(a int) (b int) {
	if a < 0 {
		panic(errNegative)
	}
	return a
}

var errNegative = errors.New("negative")

func Endless(n int) int { return Endless(n+1) + 1 }

// ---- what needs the runtime

var (
	Counter  int
	counts   = map[string]int{}
	values   = make(chan int, 1)
	list     = &node{1, &node{2, nil}}
	function = func(i int) int { return i + 1 }
	stringer fmt.Stringer
	kept     []byte
	atomics  int64
)

func Stores(a int) int        { Counter = a; return a }
func Allocates(a int) int     { p := new(int); *p = a; escape(p); return *p }
func Appends(a []int) int     { return len(append(a, 1)) }
func Looks(s string) int      { return counts[s] }
func Sends(a int) int         { values <- a; return <-values }
func Starts(a int) int        { go func() { Counter = a }(); return a }
func Follows(a int) int       { return list.next.value + a }
func CallsFunction(a int) int { return function(a) }
func CallsMethod(a int) int   { return len(stringer.String()) }
func Asserts(a int) int {
	_, ok := stringer.(error)
	if ok {
		return 1
	}
	return a
}
func Recovers(a int) (b int) { defer func() { recover() }(); return 10 / a }
func Writes(b []byte) int    { b[0] = 1; return len(b) }
func Keeps(b []byte) int     { kept = b; return len(b) }
func Adds(a int) int         { return int(atomic.AddInt64(&atomics, int64(a))) }
func Unsafe(a uintptr) int   { return *(*int)(unsafe.Pointer(a)) }
func Formats(a int) int      { return len(fmt.Sprint(a)) }
func Joins(a, b string) int  { s := a + b; keepString = s; return len(s) }
func Text(a int) string      { return "text"[:a] }
func Any(a any) int          { return 1 }
func Variadic(a ...int) int  { return len(a) }
func ReadsName(i int) int    { return int(names[i%3][0]) }

var names = [...]string{"a", "b", "c"}
var keepString string
var sink *int

//go:noinline
func escape(p *int) { sink = p }

func FollowsLent(rows []int, i int) int {
	p := &rows[i]
	q := &p
	return **q
}

func Indirect(i int) int {
	local := [4]int{1, 2, 3, 4}
	pointers := [2]*int{&local[0], &local[1]}
	if i > 5 {
		pointers[i&1] = &Counter
	}
	return *pointers[0]
}

var held chan struct{}

// Hold has a goroutine run in the module until Release.
func Hold() {
	held = make(chan struct{})
	go func(c chan struct{}) { <-c }(held)
}

func Release() { close(held) }
