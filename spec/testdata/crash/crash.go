// Package crash has functions that end the process, for spec/crash_spec.lua.
package crash

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

type failure struct{ text string }

func (f failure) Error() string { return "failure: " + f.text }

func forever() { time.Sleep(time.Hour) }

func panicHere(message string) { panic(message) }

func Panic(message string) {
	go panicHere(message)
	forever()
}

func PanicError(text string) {
	go func() { panic(failure{text}) }()
	forever()
}

// PanicDeep panics in a function of the host that it calls.
func PanicDeep(n int) {
	go func() { fmt.Println(strings.Repeat("x", n)) }()
	forever()
}

func Fault() {
	go func() {
		var p *failure
		fmt.Println(p.text)
	}()
	forever()
}

func Writes() {
	m := map[int]int{}
	for i := 0; i < 4; i++ {
		go func() {
			for {
				m[1]++
			}
		}()
	}
	forever()
}

var mu sync.Mutex

// Unlock ends the process while Lua waits for it.
func Unlock() { mu.Unlock() }

func Calls(f func() int) int { return f() }

func Overflow() {
	go overflow(0)
	forever()
}

func overflow(n int) int { return overflow(n+1) + 1 }

func panicGeneric[T any](value T) { panic(value) }

// PanicGeneric panics in a function whose name is put together when it is printed.
func PanicGeneric(n int) {
	go panicGeneric(n)
	forever()
}

func CallBack(f func()) {
	go f()
	forever()
}

func Goexit() { runtime.Goexit() }

func Exit(status int) {
	defer fmt.Println("deferred functions don't run")
	os.Exit(status)
}

// Println writes by the runtime, as a process that dies does.
func Println(text string) {
	println(text)
}
