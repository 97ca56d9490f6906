// Package paths keeps values of others at the end of ways that it knows itself.
package paths

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"
)

type Entry struct {
	name  string
	value any
	next  *Entry
}

type Registry struct {
	title string
	list  []*Entry
	byKey map[string]*Entry
	last  any
	call  func() string
	rows  [100]struct{ a, b *Entry }
}

var (
	// Exported, so that its type is known.
	Shop *Registry
	// By holds a registry in an interface.
	By any
	// Chain is a long list.
	Chain *Entry

	hidden = struct {
		n       int
		pointer *Entry
	}{}
	done = make(chan int)
)

func Reset() {
	Shop, By, Chain, hidden.pointer = nil, nil, nil, nil
	goesOn.Store(false)
	select {
	case done <- 1:
	default:
	}
	runtime.Gosched()
}

func at(p unsafe.Pointer) string { return fmt.Sprintf("%x", uintptr(p)) }

// List has the value in a field of an element of a slice.
func List(v any) []string {
	Shop = &Registry{title: "list", list: make([]*Entry, 5)}
	e := &Entry{name: "three", value: v}
	Shop.list[3] = e
	return []string{at(unsafe.Pointer(Shop)), at(unsafe.Pointer(&Shop.list[0])), at(unsafe.Pointer(e))}
}

// Rows has it in an array within a large object.
func Rows(v any) []string {
	Shop = &Registry{title: "rows"}
	e := &Entry{value: v}
	Shop.rows[42].b = e
	return []string{at(unsafe.Pointer(Shop)), at(unsafe.Pointer(e))}
}

// Closure has captured it.
func Closure(v fmt.Stringer) []string {
	Shop = &Registry{call: func() string { return v.String() }}
	return []string{at(unsafe.Pointer(Shop)), at(*(*unsafe.Pointer)(unsafe.Pointer(&Shop.call)))}
}

// Boxed has it in an object that an interface holds, in one that an interface holds.
func Boxed(v any) []string {
	e := &Entry{value: v}
	r := &Registry{last: e}
	By = r
	return []string{at(unsafe.Pointer(r)), at(unsafe.Pointer(e))}
}

// Mapped has it in a map.
func Mapped(v any) []string {
	Shop = &Registry{byKey: map[string]*Entry{"x": {value: v}}}
	return []string{at(unsafe.Pointer(Shop)), at(*(*unsafe.Pointer)(unsafe.Pointer(&Shop.byKey))), "",
		at(unsafe.Pointer(Shop.byKey["x"]))}
}

// Hidden has it behind a variable that is not exported.
func Hidden(v any) []string {
	hidden.pointer = &Entry{value: v}
	return []string{at(unsafe.Pointer(hidden.pointer))}
}

// Long has it at the end of a list of so many.
func Long(v any, n int) {
	Chain = &Entry{value: v}
	for i := 1; i < n; i++ {
		Chain = &Entry{next: Chain}
	}
}

// Waits has it in an object that a frame alone leads to.
func Waits(v any) []string {
	started := make(chan *Entry)
	go wait(v, started)
	return []string{at(unsafe.Pointer(<-started))}
}

func wait(v any, started chan *Entry) {
	e := &Entry{value: v}
	started <- e
	<-done
	runtime.KeepAlive(e)
}

// Parents has it in a child that leads back to what leads to it, and to much that leads nowhere else.
func Parents(v any) []string {
	root := &Entry{}
	child := &Entry{value: v}
	root.next = child
	child.name = "child"
	loop := &Entry{next: child}
	loop.value = loop
	child.next = loop
	Chain = root
	return []string{at(unsafe.Pointer(root)), at(unsafe.Pointer(child))}
}

// Finalized has it in an object that nobody leads to, but its finalizer is called with it, again and again.
func Finalized(v any) {
	goesOn.Store(true)
	runtime.SetFinalizer(&Entry{value: v}, again)
}

var goesOn atomic.Bool

func again(e *Entry) {
	if goesOn.Load() {
		runtime.SetFinalizer(e, again)
	}
}
