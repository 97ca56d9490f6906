// Package bare has assembly with names that lack the package's path, as purego has, and refers to it by variables.
package bare

import "unsafe"

//go:linkname seven bare_seven
var seven byte

var code = uintptr(unsafe.Pointer(&seven))

//go:linkname words bare_words
var words [2]uint64

func callAddr(code uintptr) int

func Called() int         { return callAddr(code) }
func Words() [2]uint64    { return words }
func SetWord(word uint64) { words[0] = word }
