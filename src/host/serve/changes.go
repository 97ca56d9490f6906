package serve

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// changesPath is where pages that show a fault hear that it is time to be loaded again.
const changesPath = "/.goloader/changes"

// changes tells browsers, by server-sent events.
type changes struct {
	mu      sync.Mutex
	version string
	changed chan struct{} // is closed at the next change
	ended   chan struct{}
	once    sync.Once
}

func newChanges() *changes {
	c := &changes{ended: make(chan struct{}), changed: make(chan struct{})}
	c.version = name()
	return c
}

// name is another one each time, in the next process too.
func name() string { return fmt.Sprintf("%x", time.Now().UnixNano()) }

func (c *changes) end() { c.once.Do(func() { close(c.ended) }) }

func (c *changes) now() (string, chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version, c.changed
}

// ServeHTTP answers with an event as soon as the version is not that of the address any more.
func (c *changes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprint(w, "retry: 300\n\n")
	http.NewResponseController(w).Flush()
	version, changed := c.now()
	if r.URL.RawQuery == version {
		select {
		case <-changed:
		case <-c.ended:
			return
		case <-r.Context().Done():
			return
		}
	}
	fmt.Fprint(w, "data: load\n\n")
}

// Version names what pages that are made now show.
func Version(number int) string {
	if c := serverOf(number).changes; c != nil {
		version, _ := c.now()
		return version
	}
	return ""
}

// Changed has pages that were made before loaded again.
func Changed(number int) {
	c := serverOf(number).changes
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version = name()
	close(c.changed)
	c.changed = make(chan struct{})
}
