// Package symbolize looks up what belongs to addresses.
package symbolize

import (
	"fmt"
	"runtime"
)

// Name is what a traceback would call the code at an address.
func Name(pc uintptr) string {
	frame, more := runtime.CallersFrames([]uintptr{pc}).Next()
	name := "no function"
	if f := runtime.FuncForPC(pc); f != nil {
		name = f.Name()
	}
	return fmt.Sprintf("%s %s:%d %s %v", frame.Function, frame.File, frame.Line, name, more)
}
