// Package held leaves itself behind in all kinds of places.
package held

import (
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"image"
	"io"
	"net/http"
	"os"
	"reflect"
	"runtime"
	"sort"
	"sync"
	"time"
)

type thing struct {
	Name string
	Next map[string]*thing
}

func (t *thing) String() string { return "thing " + t.Name }

type failure struct{ big [100]*int }

func (*failure) Error() string { return "failure" }

// ---- what goes with the module

var (
	own  = map[string]any{}
	pool = sync.Pool{New: func() any { return new(thing) }}
)

// Own keeps types, closures and cycles in the module's own variables.
func Own() {
	t := &thing{Next: map[string]*thing{}}
	t.Next["self"] = t
	own["thing"] = t
	own["closure"] = func() any { return t }
	own["error"] = error(&failure{})
}

// Caches are filled by packages of the host that remember types for ever.
func Caches() (string, error) {
	data, err := json.Marshal(map[string]*thing{"a": {Name: "b"}})
	made := reflect.MakeFunc(reflect.TypeOf(func(*thing) thing { return thing{} }), func(in []reflect.Value) []reflect.Value {
		return []reflect.Value{in[0].Elem()}
	}).Interface().(func(*thing) thing)
	list := reflect.New(reflect.SliceOf(reflect.PointerTo(reflect.TypeOf(made(&thing{}))))).Elem()
	var stringer any = &thing{}
	_, is := stringer.(fmt.Stringer)
	return fmt.Sprintf("%s %v %+v %v", data, list, thing{}, is), err
}

// Pools hold on to things for two collections.
func Pools() {
	for i := 0; i < 100; i++ {
		pool.Put(&thing{})
	}
}

// Finalized things are gone, too, once their finalizers have run.
func Finalized() {
	for i := 0; i < 10; i++ {
		runtime.SetFinalizer(&thing{}, func(t *thing) { own["last"] = t })
	}
}

// Slowly has a finalizer under way that takes its time.
func Slowly(milliseconds int) {
	begun := make(chan bool)
	runtime.SetFinalizer(&thing{Name: "slow"}, func(*thing) {
		close(begun)
		time.Sleep(time.Duration(milliseconds) * time.Millisecond)
	})
	for {
		runtime.GC()
		select {
		case <-begun:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// Sorted leaves closures and errors to the collector.
func Sorted() string {
	list := []*thing{{Name: "b"}, {Name: "a"}}
	sort.Slice(list, func(i, k int) bool { return list[i].Name < list[k].Name })
	return fmt.Sprintf("%v %v", list[0], fmt.Errorf("wrapped: %w", &failure{}))
}

// ---- what stays

// Format is a function in a variable of the package image.
func Format() {
	image.RegisterFormat("held", "held", func(io.Reader) (image.Image, error) { return nil, errors.New("held") }, nil)
}

// Redirects has the client of net/http, which no variable is but that points to, know this module.
func Redirects(yes bool) {
	http.DefaultClient.CheckRedirect = nil
	if yes {
		http.DefaultClient.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("held") }
	}
}

// Published is a closure.
func Published() {
	expvar.Publish("held", expvar.Func(func() any { return len(own) }))
}

// Text is a string of the module's.
func Text() { os.Args = append(os.Args, "left by held") }

// LastText reads it.
func LastText() string { return os.Args[len(os.Args)-1] }

// Later is a timer.
func Later(ms int) {
	time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { own["later"] = true })
}

// Guarded is a finalizer of something that lives.
func Guarded() {
	t := &thing{}
	own["guarded"] = t
	runtime.SetFinalizer(t, func(*thing) {})
}

// Unguarded takes it away.
func Unguarded() { runtime.SetFinalizer(own["guarded"], nil) }

// Waiting is a value on the stack of a goroutine that runs none of the module's code.
func Waiting(ms int) { go time.AfterFunc(time.Duration(ms)*time.Millisecond, stop(&thing{}).later) }

type stopper struct{ what fmt.Stringer }

func stop(s fmt.Stringer) *stopper { return &stopper{s} }

func (s *stopper) later() {}

var page = []byte("a page of the module's own")

// A Site's method returns what lies in the module.
type Site struct{ visits int }

func NewSite() *Site { return &Site{} }

func (s *Site) Page() []byte {
	s.visits++
	return page
}
