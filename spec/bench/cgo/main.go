// Command cgo is the package calls as one brings it to Lua without goloader: //export functions in a shared library,
// strings copied on both ways, everything structured as JSON. Who gets a *C.char frees it.
package main

// #include <stddef.h>
import "C"

import (
	"encoding/json"
	"unsafe"

	"goloader.dev/spec/bench/calls"
)

//export Add
func Add(a, b int) int { return calls.Add(a, b) }

//export Turn
func Turn(s *C.char, n C.int) *C.char { return C.CString(calls.Turn(C.GoStringN(s, n))) }

//export Touch
func Touch(s *C.char, n C.int) *C.char {
	var record calls.Record
	read(s, n, &record)
	return written(calls.Touch(record))
}

//export TouchAll
func TouchAll(s *C.char, n C.int) *C.char {
	var records []calls.Record
	read(s, n, &records)
	return written(calls.TouchAll(records))
}

// Spins leaves the thread that C calls on: a goroutine that is bound to one is slower.
//
//export Spins
func Spins(n int) float64 {
	took := make(chan float64)
	go func() { took <- calls.Spins(n) }()
	return <-took
}

func read(s *C.char, n C.int, v any) {
	if err := json.Unmarshal(unsafe.Slice((*byte)(unsafe.Pointer(s)), n), v); err != nil {
		panic(err)
	}
}

func written(v any) *C.char {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return C.CString(string(text))
}

func main() {}
