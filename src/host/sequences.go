package host

/*
#include "call.h"
*/
import "C"

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

// A sequence is a function that Lua ranges over, func(yield func(K, V) bool), as Go's for does and package iter has
// them. The function calls yield when it has a value, but Lua wants to ask for one: so the function runs on a goroutine
// of its own, which waits in yield until Lua asks for the next value or leaves the loop. Lua's side and the goroutine
// never run at the same time, and the fields need no lock: they are handed over by the channels.
type sequence struct {
	f       unsafe.Pointer // the function, a closure
	yield   reflect.Type
	values  chan []reflect.Value // what yield was called with; closed when the function has ended
	more    chan struct{}        // Lua asks for the next value; closed when it has left the loop
	started bool
	left    bool // by Lua
	done    bool // the function has returned
	failure any  // what it has ended by instead
}

// How many functions have begun and not returned; of those, how many that Lua has left the loop over.
var ranging, leaving atomic.Int64

// valuesOf is how many values a function to range over yields; -1 is for every other type.
func valuesOf(t reflect.Type) int {
	if t.Kind() != reflect.Func || t.NumIn() != 1 || t.NumOut() != 0 || t.IsVariadic() {
		return -1
	}
	yield := t.In(0)
	if yield.Kind() != reflect.Func || yield.NumIn() > 2 || yield.IsVariadic() || yield.NumOut() != 1 ||
		yield.Out(0).Kind() != reflect.Bool {
		return -1
	}
	return yield.NumIn()
}

func newSequence(t reflect.Type, f unsafe.Pointer) *sequence {
	if f == nil {
		panic(carryError("the function is nil: it can't be iterated over"))
	}
	return &sequence{f: f, yield: t.In(0), values: make(chan []reflect.Value), more: make(chan struct{})}
}

// next has the function go on until it yields again; not ok: it has returned.
func (s *sequence) next() (values []reflect.Value, ok bool) {
	switch {
	case s.done:
		return nil, false
	case !s.started:
		s.started = true
		ranging.Add(1)
		go s.run()
	default:
		s.more <- struct{}{}
	}
	values, ok = <-s.values
	if !ok && s.failure != nil {
		failure := s.failure
		s.failure = nil
		panic(failure)
	}
	return values, ok
}

func (s *sequence) run() {
	defer s.end()
	f := s.f
	// All functions to range over have one parameter, which is a pointer.
	yield := reflect.MakeFunc(s.yield, s.give).Interface()
	(*(*func(unsafe.Pointer))(unsafe.Pointer(&f)))((*[2]unsafe.Pointer)(unsafe.Pointer(&yield))[1])
	s.done = true
}

// give is what the function calls as yield. Once Lua has left, or the function has returned, all that it is told is
// that.
func (s *sequence) give(values []reflect.Value) []reflect.Value {
	goOn := false
	if !s.left && !s.done {
		s.values <- values
		if _, goOn = <-s.more; !goOn {
			s.left = true
		}
	}
	return []reflect.Value{reflect.ValueOf(goOn).Convert(s.yield.Out(0))}
}

// end is deferred around the call of the function.
func (s *sequence) end() {
	ranging.Add(-1)
	if !s.done {
		s.done = true
		if s.failure = recover(); s.failure == nil {
			s.failure = exited{}
		} else {
			s.failure = panicked{value: s.failure, parts: traceback()}
		}
	}
	if !s.left {
		close(s.values)
		return
	}
	// A panic has nobody left to go to.
	if p, ok := s.failure.(panicked); ok {
		fmt.Fprintf(os.Stderr, "goloader: a function that Lua has left the loop over: panic: %s\n\n%s\n",
			panicText(p.value), strings.Join(p.parts, "\n"))
	}
	leaving.Add(-1)
}

// leave has yield return false, as break does. It does not wait for the function.
func (s *sequence) leave() {
	if s.started && !s.done {
		leaving.Add(1)
		close(s.more)
	}
}

// settleSequences gives functions that Lua has left some time to return, since they are in nobody's way as a rule.
func settleSequences() {
	const longest = 20 * time.Millisecond
	for begun := time.Now(); leaving.Load() > 0 && time.Since(begun) < longest; {
		time.Sleep(50 * time.Microsecond)
	}
}
