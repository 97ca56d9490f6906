package bridge

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// requestContext is the context of a request. Most handlers never look at it, so that what costs is made when somebody
// asks for it. context.WithCancel and its likes find AfterFunc, and need no goroutine to follow it.
type requestContext struct {
	x     *exchange
	local string // the server's own address

	mu    sync.Mutex
	done  chan struct{}
	err   error
	after map[int]func()
	last  int
}

var server = &http.Server{}

type exchangeKey struct{}

func (*requestContext) Deadline() (deadline time.Time, ok bool) { return }

func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *requestContext) Value(key any) any {
	switch key {
	case exchangeKey{}:
		return c.x
	case http.ServerContextKey:
		return server
	case http.LocalAddrContextKey:
		return addrOf(c.local)
	}
	return nil
}

// AfterFunc is what context.AfterFunc asks for.
func (c *requestContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f()
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = map[int]func(){}
	}
	c.last++
	number := c.last
	c.after[number] = f
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, ok := c.after[number]
		delete(c.after, number)
		return ok
	}
}

func (c *requestContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = context.Canceled
	if c.done != nil {
		close(c.done)
	}
	for _, f := range c.after {
		go f()
	}
	c.after = nil
}

// addrOf reads "127.0.0.1:80"; "unix:…" and nothing are those of a socket that has no port.
func addrOf(text string) net.Addr {
	if addr, err := net.ResolveTCPAddr("tcp", text); err == nil && text != "" {
		return addr
	}
	return &net.UnixAddr{Net: "unix", Name: text}
}
