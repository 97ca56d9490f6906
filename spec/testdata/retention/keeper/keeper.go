// Package keeper holds on to a value that it knows as an interface, in every kind of place that Go has for one.
package keeper

import (
	"fmt"
	"sort"
	"time"
)

// A kind holds a value until the result is called, which uses and forgets it.
type kind func(v fmt.Stringer) (release func() string)

var kinds = map[string]kind{}

var held func() string

// Kinds are the names of all.
func Kinds() []string {
	var names []string
	for name := range kinds {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Hold has the value be in a place of that kind, and nowhere else.
func Hold(name string, v fmt.Stringer) { held = kinds[name](v) }

// Release uses what is held, and lets it go.
func Release() string {
	defer func() { held = nil }()
	return held()
}

// Ask calls f, with the value in a frame of that kind beneath it.
func Ask(name string, v fmt.Stringer, f func()) string {
	return frames[name](func() fmt.Stringer { return v }, f)
}

// Scrub writes over what calls have left on this goroutine's stack.
func Scrub() int { return deep(64) }

func deep(n int) int {
	var room [64]int
	for i := range room {
		room[i] = n
	}
	if n > 0 {
		room[n%64] = deep(n - 1)
	}
	return room[n%64]
}

// A frame gets a value and has it in some way while wait is called; then it uses it.
type frame func(get func() fmt.Stringer, wait func()) string

// inGoroutine makes a kind of a frame: of a goroutine that gets the value by a channel.
func inGoroutine(f frame) kind {
	return func(v fmt.Stringer) func() string {
		values, waits, goesOn, answers := make(chan fmt.Stringer, 1), make(chan bool), make(chan bool), make(chan string)
		values <- v
		go func() {
			answers <- f(func() fmt.Stringer { return <-values }, func() {
				waits <- true
				<-goesOn
			})
		}()
		<-waits
		time.Sleep(time.Millisecond)
		return func() string {
			goesOn <- true
			return <-answers
		}
	}
}

func init() {
	for name, f := range frames {
		kinds["frame: "+name] = inGoroutine(f)
	}
}
