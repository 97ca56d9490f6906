// Package keeper holds on to a value that it knows as an interface, in every kind of place that Go has for one.
package keeper

import (
	"fmt"
	"reflect"
	"sort"
	"time"
)

// A kind holds a value until the result is called, which uses and forgets it.
type kind func(v fmt.Stringer) (release func() string)

var kinds = map[string]kind{}

var held = map[string]func() string{}

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
func Hold(name string, v fmt.Stringer) { held[name] = kinds[name](v) }

// Release uses what is held in a place of that kind, and lets it go.
func Release(name string) string {
	release := held[name]
	delete(held, name)
	return release()
}

var jobs = make(chan fmt.Stringer)

// Work has a goroutine do something with a value, which then waits for the next.
func Work(v fmt.Stringer) {
	jobs <- v
	time.Sleep(time.Millisecond)
}

func init() {
	for i := 0; i < 4; i++ {
		go work(i)
	}
}

func work(n int) {
	var last string
	for v := range jobs {
		e, _ := v.(error)
		switch n {
		case 0:
			last = v.String()
		case 1:
			last = fmt.Sprint(v, e)
		case 2:
			last = e.Error() + v.String()
		default:
			last = parameter(1, v, func() {})
		}
		if last == "" {
			return
		}
	}
}

// Churn makes types of its own and garbage, on a goroutine, until it has made n types.
func Churn(n int) {
	go func() {
		var types []reflect.Type
		for i := 0; i < n; i++ {
			field := reflect.StructField{Name: fmt.Sprint("A", i), Type: reflect.TypeOf(i)}
			types = append(types, reflect.PtrTo(reflect.StructOf([]reflect.StructField{field})))
			if types[i/2].String() == "" {
				panic("no name")
			}
		}
	}()
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
