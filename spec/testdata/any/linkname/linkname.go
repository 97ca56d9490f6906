// Package linkname reaches for what others have not exported, gives a function to a package that only declares it, and
// calls assembly of its own.
package linkname

import (
	"unsafe"

	"example.com/linkname/inner"
)

//go:linkname nanotime runtime.nanotime
func nanotime() int64

//go:linkname overflowError runtime.overflowError
var overflowError error

//go:linkname explode strings.explode
func explode(s string, n int) []string

//go:linkname pushed example.com/linkname/inner.Given
func pushed(word string) string { return "given " + word }

//go:linkname counter example.com/linkname/inner.counter
var counter int

//go:linkname table example.com/linkname/inner.table
var table [3]int

//go:linkname first example.com/linkname/inner.zeros
var first int

// What assembly defines by these names has content: code, whose address is wanted, and data.
//
//go:linkname seven linkname_seven
var seven byte

//go:linkname words linkname_words
var words [2]uint64

var eight byte

var sevenAddr, eightAddr = uintptr(unsafe.Pointer(&seven)), uintptr(unsafe.Pointer(&eight))

// callAddr calls code at an address, which leaves its result in AX.
func callAddr(code uintptr) int

// sum is in sum_amd64.s, and calls back into add.
func sum(numbers []int64) int64

func add(a, b int64) int64 { counter++; return a + b }

func Later() bool               { t := nanotime(); return nanotime() >= t && t > 0 }
func Overflow() string          { return overflowError.Error() }
func Explode(s string) []string { return explode(s, -1) }
func Given(word string) string  { return inner.Given(word) }
func Sum(numbers []int64) int64 { return sum(numbers) }
func Count() (mine, inners int) { return counter, inner.Count() }
func Table() [3]int             { return table }
func Zeros() [4]int             { first = 5; return inner.Zeros() }
func Called() (a, b int)        { return callAddr(sevenAddr), callAddr(eightAddr) }
func Words() [2]uint64          { return words }
