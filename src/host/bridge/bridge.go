// Package bridge serves requests that a server in C has read, nginx with its Lua module, by Go's own http.Handler and
// func(http.Handler) http.Handler. It is a module of goloader's like any other: Lua loads it, and gives it the handlers
// of modules that it knows nothing of. Their types are the same here and there, since the host has net/http.
//
// A request is an exchange (exchange.go). Lua begins one with a single crossing and what the client sent lies where the
// server has it (request.go): Go copies what it keeps. There are two ways from there:
//
//   - Serve: the handler runs on the thread that crossed, and the whole answer is there when it returns. This is for
//     handlers that never wait.
//   - Start: the handler runs in a goroutine of its own. It writes into a buffer and reads from one, Lua empties and
//     fills them (Take, Feed), and waits for something to do in Wait, as a job, so that the server's thread goes on.
//
// Parameters and results are numbers and strings: such calls take goloader's short road.
package bridge

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"unsafe"
)

var registered struct {
	sync.Mutex
	handlers []http.Handler // by number less one; nil where one was forgotten
	free     []int
}

// Kind says what a module's export is good for: "handler", "middleware", or nothing.
func Kind(value any) string {
	switch value.(type) {
	case http.Handler, func(http.ResponseWriter, *http.Request):
		return "handler"
	case func(http.Handler) http.Handler:
		return "middleware"
	}
	return ""
}

// Register gives a handler the number by which requests name it.
func Register(value any) (int, error) {
	var handler http.Handler
	switch value := value.(type) {
	case nil:
		return 0, errors.New("an http.Handler expected, got nil")
	case http.Handler:
		handler = value
	case func(http.ResponseWriter, *http.Request):
		handler = http.HandlerFunc(value)
	default:
		return 0, fmt.Errorf("an http.Handler expected, got %T", value)
	}
	return register(handler), nil
}

// RegisterFunc does the same for a function whose code lies there: a module's func(http.ResponseWriter, *http.Request).
func RegisterFunc(code uintptr) int {
	value := &code // a function's value points to the address of its code
	return register(http.HandlerFunc(*(*func(http.ResponseWriter, *http.Request))(unsafe.Pointer(&value))))
}

// Wrap registers what a middleware makes of the request's going on in the server.
func Wrap(middleware func(http.Handler) http.Handler) (int, error) {
	handler := middleware(onward{})
	if handler == nil {
		return 0, errors.New("the middleware returned no handler")
	}
	return register(handler), nil
}

// Onward is the handler that middlewares get as their next: the request goes on in the server.
func Onward() http.Handler { return onward{} }

func register(handler http.Handler) int {
	registered.Lock()
	defer registered.Unlock()
	if n := len(registered.free); n > 0 {
		number := registered.free[n-1]
		registered.free = registered.free[:n-1]
		registered.handlers[number-1] = handler
		return number
	}
	registered.handlers = append(registered.handlers, handler)
	return len(registered.handlers)
}

// Forget takes a number back. Requests that are under way keep their handler.
func Forget(number int) {
	registered.Lock()
	defer registered.Unlock()
	if number < 1 || number > len(registered.handlers) || registered.handlers[number-1] == nil {
		return
	}
	registered.handlers[number-1] = nil
	registered.free = append(registered.free, number)
}

func handlerOf(number int) http.Handler {
	registered.Lock()
	defer registered.Unlock()
	if number < 1 || number > len(registered.handlers) || registered.handlers[number-1] == nil {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the handler was forgotten") })
	}
	return registered.handlers[number-1]
}

var running struct {
	sync.Mutex
	exchanges []*exchange // by number less one
	free      []int
}

func (x *exchange) enlist() int {
	running.Lock()
	defer running.Unlock()
	if n := len(running.free); n > 0 {
		x.number = running.free[n-1]
		running.free = running.free[:n-1]
		running.exchanges[x.number-1] = x
	} else {
		running.exchanges = append(running.exchanges, x)
		x.number = len(running.exchanges)
	}
	return x.number
}

func (x *exchange) delist() {
	running.Lock()
	running.exchanges[x.number-1] = nil
	running.free = append(running.free, x.number)
	running.Unlock()
}

func exchangeOf(number int) *exchange {
	running.Lock()
	defer running.Unlock()
	if number < 1 || number > len(running.exchanges) {
		return nil
	}
	return running.exchanges[number-1]
}

// Running says how many exchanges there are that have not ended.
func Running() int {
	running.Lock()
	defer running.Unlock()
	return len(running.exchanges) - len(running.free)
}

// Serve answers a request on this thread: see struct goloader_exchange in lua/goloader/nginx/exchange.lua for what lies
// at the address. Returns what there is for the server to do. If that is only to read the request's body, which must be
// there as a whole, the handler has not been called.
func Serve(handler int, address uintptr) int {
	io := (*wire)(*(*unsafe.Pointer)(unsafe.Pointer(&address)))
	x := newExchange(io, true)
	if x.request.ContentLength != 0 && io.hasBody == 0 {
		return wantsBody
	}
	x.run(handlerOf(handler))
	return x.deliver(io, &lent)
}

// Start has a goroutine answer a request, and returns the number of the exchange.
func Start(handler int, address uintptr) int {
	io := (*wire)(*(*unsafe.Pointer)(unsafe.Pointer(&address)))
	x := newExchange(io, false)
	number := x.enlist()
	go x.run(handlerOf(handler))
	return number
}

// Take writes to the address what there is for the server to do, and returns it as bits; 0 where there is nothing yet.
// What the addresses in it point to stays till the next Take.
func Take(number int, address uintptr) int {
	x := exchangeOf(number)
	if x == nil {
		return isDone
	}
	return x.deliver((*wire)(*(*unsafe.Pointer)(unsafe.Pointer(&address))), &taken)
}

// Wait returns when there is something for the server to do.
func Wait(number int) {
	if x := exchangeOf(number); x != nil {
		x.await()
	}
}

// Feed brings a piece of the request's body, or of what a hijacked connection received. An empty one is its end, and
// with a reason its failure.
func Feed(number int, piece, reason string) {
	if x := exchangeOf(number); x != nil {
		x.body.feed(piece, reason)
	}
}

// Cancel says that the client has left, or that nobody waits for the answer any more.
func Cancel(number int) {
	if x := exchangeOf(number); x != nil {
		x.abandon()
	}
}

// Hijacked answers a handler's wish to have the connection: with a reason it can't be had.
func Hijacked(number int, reason string) {
	if x := exchangeOf(number); x != nil {
		x.hijacked(reason)
	}
}
