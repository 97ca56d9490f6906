package bridge

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// body is what the client sends after the header: a request's body, or all that comes by a hijacked connection. It is
// read by the server only when the handler reads. Its fields are below the exchange's lock.
type body struct {
	x        *exchange
	in       string // what has come and was not read
	isEnd    bool   // and nothing comes after it
	err      error  // or this
	wants    bool   // somebody waits for more
	isAsked  bool   // and the server knows
	isClosed bool
	deadline time.Time
	timer    *time.Timer
}

func (b *body) Read(p []byte) (n int, err error) {
	x := b.x
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	for {
		switch {
		case b.isClosed && x.conn == nil:
			return 0, http.ErrBodyReadAfterClose
		case b.isClosed:
			return 0, errClosed
		case !b.deadline.IsZero() && !time.Now().Before(b.deadline):
			return 0, os.ErrDeadlineExceeded
		case b.in != "":
			n = copy(p, b.in)
			b.in = b.in[n:]
			return n, nil
		case b.isEnd:
			return 0, io.EOF
		case b.err != nil:
			return 0, b.err
		case x.isLeft:
			return 0, context.Canceled
		}
		if !b.wants {
			b.wants = true
			x.cond.Broadcast()
		}
		x.cond.Wait()
	}
}

func (b *body) Close() error {
	b.x.mu.Lock()
	b.close()
	b.x.mu.Unlock()
	return nil
}

// close lets nobody read any more; x.mu is held. The body of a request that became a connection is that connection's.
func (b *body) close() {
	if b.x.conn == nil {
		b.isClosed, b.in = true, ""
		b.x.cond.Broadcast()
	}
}

func (b *body) setDeadline(deadline time.Time) {
	b.deadline, b.timer = deadline, b.x.wakeAt(b.timer, deadline)
	b.x.cond.Broadcast()
}

// feed brings what the server has read.
func (b *body) feed(piece, reason string) {
	b.x.mu.Lock()
	defer b.x.mu.Unlock()
	switch isGone := reason == "closed" || reason == "client aborted"; {
	case isGone && b.x.conn == nil:
		b.err = io.ErrUnexpectedEOF
		b.x.context.cancel()
	case reason == "timeout": // nginx's own
		b.err = os.ErrDeadlineExceeded
	case reason != "" && !isGone:
		b.err = errors.New(reason)
		if b.x.conn == nil {
			b.x.context.cancel()
		}
	case piece == "":
		b.isEnd = true
	default:
		b.in += strings.Clone(piece)
	}
	b.wants, b.isAsked = false, false
	b.x.cond.Broadcast()
}
