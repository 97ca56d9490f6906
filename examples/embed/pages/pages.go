// Package pages is where the program and the modules meet: the program serves what a module has put here. What must
// outlive a module is here too.
package pages

import (
	"net/http"
	"sync"
	"sync/atomic"
)

// A table holds the handlers of one module.
type table struct {
	handlers map[string]http.HandlerFunc
	requests sync.WaitGroup // under way
}

var (
	mu      sync.Mutex
	current = &table{}
	visits  atomic.Int64
)

// Replace puts handlers in the place of those that are there. It returns when the last request that these are answering
// has ended: then nothing refers to them, and their module can be unloaded.
func Replace(handlers map[string]http.HandlerFunc) {
	mu.Lock()
	old := current
	current = &table{handlers: handlers}
	mu.Unlock()
	old.requests.Wait()
}

// ServeHTTP answers a request by the handler for its path.
func ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mu.Lock()
	t := current
	t.requests.Add(1)
	mu.Unlock()
	defer t.requests.Done()
	handler := t.handlers[r.URL.Path]
	if handler == nil {
		handler = http.NotFound
	}
	handler(w, r)
}

// Visit counts a visit, and answers how many there have been.
func Visit() int64 { return visits.Add(1) }
