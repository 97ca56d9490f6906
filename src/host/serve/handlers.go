package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// target is a handler that requests name by its number, or a middleware's with our own as its next.
type target struct {
	handler http.Handler
	number  int
	running atomic.Int64
}

func (t *target) enter() { t.running.Add(1) }
func (t *target) leave() { t.running.Add(-1) }

var targets struct {
	sync.Mutex
	all  []*target // by number less one; nil where one was forgotten
	free []int
}

func targetOf(number int) *target {
	targets.Lock()
	defer targets.Unlock()
	if number < 1 || number > len(targets.all) {
		return nil
	}
	return targets.all[number-1]
}

func register(handler http.Handler) int {
	targets.Lock()
	defer targets.Unlock()
	t := &target{handler: handler}
	if n := len(targets.free); n > 0 {
		number := targets.free[n-1]
		targets.free = targets.free[:n-1]
		t.number, targets.all[number-1] = number, t
		return number
	}
	targets.all = append(targets.all, t)
	t.number = len(targets.all)
	return t.number
}

// Kind says what a value is good for: "handler", "middleware", or nothing.
func Kind(value any) string {
	switch value.(type) {
	case http.Handler, func(http.ResponseWriter, *http.Request):
		return "handler"
	case func(http.Handler) http.Handler:
		return "middleware"
	}
	return ""
}

// Limits are what a route says of its handler.
type Limits struct {
	Strip   string  // of the path's beginning, which the handler does not see
	Timeout float64 // seconds of its context
	Body    int     // bytes
}

// Register gives a handler the number by which requests name it.
func Register(value any, limits Limits) (int, error) {
	switch value := value.(type) {
	case nil:
		return 0, errors.New("an http.Handler expected, got nil")
	case http.Handler:
		return register(limits.around(value)), nil
	case func(http.ResponseWriter, *http.Request):
		return register(limits.around(http.HandlerFunc(value))), nil
	}
	return 0, fmt.Errorf("an http.Handler expected, got %T", value)
}

// RegisterFunc does the same for a function whose code lies there: a module's func(http.ResponseWriter, *http.Request).
func RegisterFunc(code uintptr, limits Limits) int {
	value := &code // a function's value points to the address of its code
	return register(limits.around(http.HandlerFunc(*(*func(http.ResponseWriter, *http.Request))(unsafe.Pointer(&value)))))
}

// Onward is the handler that middlewares get as their next: the request goes on in Lua.
func Onward() http.Handler { return onward{} }

// Forget takes a number back, unless a request is still there. Afterwards nothing here refers to the handler.
func Forget(number int) bool {
	targets.Lock()
	defer targets.Unlock()
	if number < 1 || number > len(targets.all) || targets.all[number-1] == nil {
		return true
	}
	if targets.all[number-1].running.Load() > 0 {
		return false
	}
	targets.all[number-1] = nil
	targets.free = append(targets.free, number)
	return true
}

func (l Limits) around(handler http.Handler) http.Handler {
	if l == (Limits{}) {
		return handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.Body > 0 {
			if r.ContentLength > int64(l.Body) {
				http.Error(w, "Content too large", http.StatusRequestEntityTooLarge)
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, int64(l.Body))
		}
		if l.Timeout > 0 {
			ctx, cancel := context.WithTimeout(r.Context(), seconds(l.Timeout))
			defer cancel()
			r = r.WithContext(ctx)
		}
		if l.Strip != "" {
			r = strip(r, l.Strip)
		}
		handler.ServeHTTP(w, r)
	})
}

// strip is what http.StripPrefix does, and has a path begin with a slash.
func strip(r *http.Request, prefix string) *http.Request {
	u := *r.URL
	u.Path = rooted(strings.TrimPrefix(r.URL.Path, prefix))
	if r.URL.RawPath != "" {
		u.RawPath = rooted(strings.TrimPrefix(r.URL.RawPath, prefix))
	}
	return withURL(r, &u)
}

// withURL is a request with another address.
func withURL(r *http.Request, u *url.URL) *http.Request {
	changed := *r
	changed.URL = u
	return &changed
}

func rooted(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return "/" + path
}
