package bridge

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"
)

// conn is the client's connection after a handler has hijacked it: the server moves bytes between it and the socket.
type conn struct {
	x             *exchange
	local, remote net.Addr
	wants         bool // the server is to be told of it
	isGranted     bool
	err           error // why it can't be had
	isClosed      bool
	deadline      time.Time // of writes
	timer         *time.Timer
}

var errClosed = net.ErrClosed

func (x *exchange) hijack() (net.Conn, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.inline:
		return nil, errors.New("http: a handler that is declared never to wait can't have the connection")
	case x.conn != nil:
		return nil, http.ErrHijacked
	case x.response.isEnded || x.response.wrote || x.onward.isCalled:
		return nil, errors.New("http: the connection can't be had once the answer has begun")
	}
	c := &conn{x: x, wants: true}
	x.conn = c
	x.cond.Broadcast()
	for !c.isGranted && c.err == nil && !x.isLeft {
		x.cond.Wait()
	}
	if c.err == nil && !c.isGranted {
		c.err = context.Canceled
	}
	if c.err != nil {
		x.conn = nil
		return nil, c.err
	}
	x.body.isEnd, x.body.err, x.body.isClosed = false, nil, false
	return c, nil
}

func (x *exchange) hijacked(reason string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.conn
	if c == nil || c.isGranted {
		return
	}
	if reason != "" {
		c.err = errors.New("http: the connection can't be had: " + reason)
	} else {
		c.isGranted = true
		c.local, c.remote = x.context.localAddr(), tcpAddr(x.request.RemoteAddr)
	}
	x.cond.Broadcast()
}

func (c *conn) Read(p []byte) (int, error) { return c.x.body.Read(p) }

func (c *conn) Write(p []byte) (n int, err error) {
	x := c.x
	x.mu.Lock()
	defer x.mu.Unlock()
	for n < len(p) {
		switch {
		case c.isClosed:
			return n, errClosed
		case x.isLeft:
			return n, context.Canceled
		case !c.deadline.IsZero() && !time.Now().Before(c.deadline):
			return n, os.ErrDeadlineExceeded
		case len(x.out) >= maxPiece:
			x.cond.Wait()
			continue
		}
		part := p[n:]
		if room := maxPiece - len(x.out); len(part) > room {
			part = part[:room]
		}
		x.out = append(x.out, part...)
		n += len(part)
		x.isFlushed = true
		x.cond.Broadcast()
	}
	return n, nil
}

func (c *conn) Close() error {
	x := c.x
	x.mu.Lock()
	defer x.mu.Unlock()
	if c.isClosed {
		return errClosed
	}
	c.isClosed, x.body.isClosed = true, true
	x.over()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(deadline time.Time) error {
	c.SetReadDeadline(deadline)
	return c.SetWriteDeadline(deadline)
}

func (c *conn) SetReadDeadline(deadline time.Time) error {
	c.x.mu.Lock()
	c.x.body.setDeadline(deadline)
	c.x.mu.Unlock()
	return nil
}

func (c *conn) SetWriteDeadline(deadline time.Time) error {
	c.x.mu.Lock()
	c.deadline, c.timer = deadline, c.x.wakeAt(c.timer, deadline)
	c.x.cond.Broadcast()
	c.x.mu.Unlock()
	return nil
}
