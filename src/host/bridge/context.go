package bridge

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// requestContext is the context of a request. Most handlers never look at it, so that what costs is made when somebody
// asks for it. context.WithCancel and its likes find AfterFunc, and need no goroutine to follow it.
type requestContext struct {
	x                *exchange
	local, localPort string // the server's own address

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
		return c.localAddr()
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

func (c *requestContext) localAddr() net.Addr {
	if path, isUnix := strings.CutPrefix(c.local, "unix:"); isUnix || c.local == "" {
		return &net.UnixAddr{Net: "unix", Name: path}
	}
	return tcpAddr(net.JoinHostPort(c.local, c.localPort))
}

// tcpAddr reads "127.0.0.1:80"; what has no port is the address of a client at a Unix socket.
func tcpAddr(text string) net.Addr {
	if addr, err := netip.ParseAddrPort(text); err == nil {
		return net.TCPAddrFromAddrPort(addr)
	}
	return &net.UnixAddr{Net: "unix", Name: text}
}
