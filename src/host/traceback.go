package host

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// Tracebacks of panics and of errors in Lua, across every border: Go that Lua has called may have been called by Lua
// that Go has called, all on one goroutine's stack. Its frames between two borders are a part; what Lua has done
// between two parts only C knows (src/call/frames.c), which puts both together.

// partition is told the functions of a stack, the innermost first, and says which of them belong to a part: those of
// the runtime and of this package, which are the borders, do not.
type partition struct {
	n       int  // of the part, from 0
	outside bool // it is behind the end of one
}

func (p *partition) next(name string) (belongs bool) {
	switch {
	case strings.HasPrefix(name, "goloader.dev/host.(*luaFunc)."): // Go calls Lua
		if p.outside {
			p.outside = false
			p.n++
		}
		return false
	case p.outside, strings.HasPrefix(name, "runtime."), strings.HasPrefix(name, "reflect.callReflect"),
		strings.HasPrefix(name, "reflect.makeFuncStub"):
		return false
	case strings.HasPrefix(name, "goloader.dev/host."), strings.HasPrefix(name, "goloader.dev/host/internal/enter."):
		p.outside = true
		return false
	}
	return true
}

// innermost tells whether all functions so far have been of the first part, in which one that panicked is looked for.
func (p *partition) innermost() bool {
	return p.n == 0 && !p.outside
}

// traceback describes the stack of the panic that the caller's deferred function handles, from where it happened on: a
// text for each part.
func traceback() []string {
	lines := strings.Split(strings.TrimSuffix(string(debug.Stack()), "\n"), "\n")
	var p partition
	parts := [][]string{lines[:1:1]}
	panicking := false
	for i := 1; i+1 < len(lines); i += 2 {
		if name := lines[i]; strings.HasPrefix(name, "...") {
			// What follows are the outermost frames: nobody knows of which part.
			parts[len(parts)-1] = append(parts[len(parts)-1], name)
			break
		} else if p.innermost() && strings.HasPrefix(name, "panic(") {
			parts[0], panicking = parts[0][:1], true
		} else if panicking && p.next(name) {
			parts[p.n] = append(parts[p.n], name, lines[i+1])
		} else if p.n == len(parts) {
			parts = append(parts, nil)
		}
	}
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = strings.Join(part, "\n")
	}
	return texts
}

// callersOfLua returns the frames of Go from a Lua function that failed to where Lua called Go. The caller's deferred
// function handles the panic.
func callersOfLua() (part []runtime.Frame) {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	var p partition
	panicking := false
	for more := true; more && !p.outside; {
		var f runtime.Frame
		if f, more = frames.Next(); f.Function == "runtime.gopanic" {
			part, panicking = nil, true
		} else if panicking && p.next(f.Function) {
			part = append(part, f)
		}
	}
	return part
}

func (w *writer) frames(frames []runtime.Frame) {
	w.word(uint64(len(frames)))
	for _, f := range frames {
		w.string(f.Function)
		w.string(f.File)
		w.word(uint64(f.Line))
	}
}
