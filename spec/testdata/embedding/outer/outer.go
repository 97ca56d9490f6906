// Package outer goes from Lua to Go to Lua, as deep as it is told to.
package outer

import (
	"fmt"
	"runtime"

	"example.test/embedding/hook"
)

// Down calls Lua's function down, which calls Down again until n is 0.
func Down(n int) (string, error) {
	if n == 0 {
		return hook.Call("bottom", 0)
	}
	return hook.Call("down", n-1)
}

// Panic panics from below a call of Lua's.
func Panic(n int) { panic(fmt.Sprint("from below ", n)) }

// Elsewhere calls Down on another goroutine, that is, on another thread.
func Elsewhere(n int) (text string, err error) {
	done := make(chan bool)
	go func() {
		runtime.LockOSThread()
		text, err = Down(n)
		close(done)
	}()
	<-done
	return text, err
}
