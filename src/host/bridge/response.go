package bridge

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"time"
)

// response is the http.ResponseWriter of an exchange. It behaves as net/http's own does: what is said of the body's
// length and type by nobody it finds out, if it can.
type response struct {
	x         *exchange
	header    http.Header
	status    int
	length    int64 // as the handler has declared it; -1: it has not
	written   int64
	wrote     bool // the status and the header are settled
	isEnded   bool // the handler has returned
	hasType   bool // its type is not to be guessed
	sendsType bool
	isTrailed bool
	// nginx takes the header X-Accel-Redirect from a server that it proxies to, and sends what that names instead
	isRedirected bool
	announced    []string // names of trailers
	deadline     time.Time
	timer        *time.Timer
}

var errWrittenLate = errors.New("http: Write after the handler has returned")

func (w *response) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

func (w *response) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	}
	w.x.mu.Lock()
	defer w.x.mu.Unlock()
	switch {
	case w.x.conn != nil:
		w.x.noteLine("http: response.WriteHeader on hijacked connection" + caller())
	case w.wrote || w.isEnded:
		w.x.noteLine("http: superfluous response.WriteHeader call" + caller())
	case status >= 100 && status <= 199 && status != http.StatusSwitchingProtocols:
		// The server itself says 100 when the body is read, and has no way to send others.
	default:
		w.writeHeader(status)
	}
}

// caller names who called a method of the response.
func caller() string {
	if _, file, line, ok := runtime.Caller(2); ok {
		return fmt.Sprintf(" from %s:%d", file[strings.LastIndexByte(file, '/')+1:], line)
	}
	return ""
}

// writeHeader settles the header: what is set in it from now on is not sent. x.mu is held.
func (w *response) writeHeader(status int) {
	w.wrote, w.status = true, status
	l := &w.x.lent
	names := make([]string, 0, 16)
	for name := range w.header {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		values := w.header[name]
		if isServers(name) || !isFieldName(name) {
			continue
		}
		switch name {
		case "Content-Type":
			w.hasType = true
			if status == http.StatusNotModified {
				continue // net/http leaves it out, too
			}
			w.sendsType = len(values) > 0
		case "Content-Encoding":
			w.hasType = w.hasType || len(values) > 0 && values[0] != ""
		case "Content-Length":
			if len(values) == 0 {
				continue
			}
			n, err := strconv.ParseInt(strings.TrimSpace(values[0]), 10, 64)
			if err != nil || n < 0 {
				w.x.noteLine("http: invalid Content-Length of " + strconv.Quote(values[0]))
				continue
			}
			if !bodyAllowed(status) {
				continue
			}
			w.length = n
			values = values[:1]
		case "X-Accel-Redirect":
			w.isRedirected = len(values) > 0 && values[0] != ""
		case "Transfer-Encoding": // it is between the server and its client
			w.hasType = true // net/http does not guess it then
			continue
		case "Trailer":
			for _, value := range values {
				for _, trailer := range strings.Split(value, ",") {
					w.announced = append(w.announced, http.CanonicalHeaderKey(strings.TrimSpace(trailer)))
				}
			}
			w.isTrailed = w.isTrailed || len(w.announced) > 0
		}
		if strings.HasPrefix(name, http.TrailerPrefix) {
			w.isTrailed = true
			continue
		}
		if w.isAnnounced(name) {
			continue
		}
		if len(values) > 1 && isList[name] {
			l.add(setHeader, name, oneLineValue(strings.Join(values, ", ")))
			continue
		}
		for i, value := range values {
			what := uint32(setHeader)
			if i > 0 {
				what = addHeader
			}
			l.add(what, name, oneLineValue(value))
		}
	}
	if w.isBodiless() {
		w.isTrailed = false
	}
}

// findTrailers looks for those that nobody has named before the body. There are none where net/http's server would not
// send the body in chunks, since it is short and there as a whole. x.mu is held.
func (w *response) findTrailers() {
	const chunking = 2048 // bytes, net/http's bufferBeforeChunkingSize
	isShort := w.written <= chunking && !w.x.headSent && !w.x.isFlushed
	if w.isTrailed || w.length >= 0 || isShort || w.isBodiless() || w.x.onward.isCalled {
		return
	}
	for name := range w.header {
		w.isTrailed = w.isTrailed || strings.HasPrefix(name, http.TrailerPrefix)
	}
}

func (w *response) isAnnounced(name string) bool {
	for _, trailer := range w.announced {
		if trailer == name {
			return true
		}
	}
	return false
}

// oneLineValue makes of a value what net/http's server sends of it.
func oneLineValue(value string) string {
	if strings.ContainsAny(value, "\r\n") {
		value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	return textproto.TrimString(value)
}

// isList has names of header fields that nginx's Lua sends once only; their values are lists, which may be joined.
var isList = map[string]bool{"Www-Authenticate": true, "Content-Encoding": true, "Accept-Ranges": true}

// isCondition has names of fields of a request's header by which nginx judges any answer with status 200: it would send
// status 412 or 304 in its place. What a handler answers has been judged by that, if at all, as behind a proxy.
var isCondition = map[string]bool{
	"If-Match": true, "If-None-Match": true, "If-Modified-Since": true, "If-Unmodified-Since": true,
}

// isServers is true of what the server itself says of its connection.
func isServers(name string) bool { return name == "Connection" || name == "Keep-Alive" }

// isFieldName says whether net/http's server would send a header field of that name, and not leave it out: RFC 9110's
// token.
func isFieldName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' {
			continue
		}
		if c >= 0x80 || strings.IndexByte("!#$%&'*+.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}

// isBodiless says that there is no body: by the status, or since nobody asked for it.
func (w *response) isBodiless() bool { return w.x.request.Method == "HEAD" || !bodyAllowed(w.status) }

func bodyAllowed(status int) bool { return status >= 200 && status != 204 && status != 304 }

// completeHeader adds what can be said now that the answer's beginning is there, or all of it. x.mu is held.
func (w *response) completeHeader() {
	l := &w.x.lent
	if !w.hasType && bodyAllowed(w.status) && len(w.x.out) > 0 {
		start := w.x.out
		if len(start) > 512 {
			start = start[:512]
		}
		l.add(setHeader, "Content-Type", http.DetectContentType(start))
	} else if !w.sendsType {
		l.add(setHeader, "Content-Type", "") // else nginx sends its default_type
	}
	if w.x.isConditional && w.status == http.StatusOK && !w.x.onward.isCalled {
		for _, f := range w.x.head.fields {
			if isCondition[f.key] {
				l.add(clearRequestHeader, f.key, "")
			}
		}
	}
	if w.x.isOver && w.length < 0 && bodyAllowed(w.status) && !w.isTrailed && !w.x.isAborted &&
		(w.x.request.Method != "HEAD" || w.written > 0) {
		var digits [20]byte
		w.length = w.written
		l.add(setHeader, "Content-Length", string(strconv.AppendInt(digits[:0], w.written, 10)))
	}
}

// sendTrailers puts them after the header, or where that has been sent, alone. x.mu is held.
func (w *response) sendTrailers(alone bool) {
	l := &w.x.lent
	if alone {
		l.words, l.fields = l.words[:0], l.fields[:0]
	}
	for name, values := range w.header {
		trailer, isPrefixed := strings.CutPrefix(name, http.TrailerPrefix)
		if !isPrefixed && !w.isAnnounced(name) {
			continue
		}
		for _, value := range values {
			l.add(setTrailer, http.CanonicalHeaderKey(trailer), oneLineValue(value))
		}
	}
}

func (w *response) Write(p []byte) (int, error) {
	w.x.mu.Lock()
	defer w.x.mu.Unlock()
	return w.write("", p)
}

func (w *response) WriteString(s string) (int, error) {
	w.x.mu.Lock()
	defer w.x.mu.Unlock()
	return w.write(s, nil)
}

// write takes a string or bytes: the other is nothing. x.mu is held.
func (w *response) write(s string, p []byte) (n int, err error) {
	x, size := w.x, len(s)+len(p)
	if x.conn != nil {
		return 0, http.ErrHijacked
	}
	if w.isEnded {
		return 0, errWrittenLate
	}
	if !w.wrote {
		w.writeHeader(http.StatusOK)
	}
	if size == 0 {
		return 0, nil
	}
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	w.written += int64(size) // be it sent or not: what is left out is missed at the end
	if w.length >= 0 && w.written > w.length {
		return 0, http.ErrContentLength
	}
	if x.request.Method == "HEAD" {
		if len(x.out) < 512 && !x.headSent { // for the type
			x.out = append(append(x.out, s...), p...)
		}
		return size, nil
	}
	for n < size {
		if err := w.awaitRoom(); err != nil {
			return n, err
		}
		part := size - n
		if room := maxPiece - len(x.out); part > room && !x.inline && !x.onward.isCalled {
			part = room
		}
		if s != "" {
			x.out = append(x.out, s[n:n+part]...)
		} else {
			x.out = append(x.out, p[n:n+part]...)
		}
		n += part
		if len(x.out) >= maxPiece {
			x.cond.Broadcast()
		}
	}
	return n, nil
}

// awaitRoom waits till the server has taken enough. x.mu is held.
func (w *response) awaitRoom() error {
	x := w.x
	for {
		switch {
		case x.isLeft && !x.inline:
			return context.Canceled
		case w.isTooLate():
			x.isAborted = true
			return os.ErrDeadlineExceeded
		case len(x.out) < maxPiece || x.inline || x.onward.isCalled:
			return nil
		}
		x.cond.Broadcast()
		x.cond.Wait()
	}
}

// isTooLate says that the time to write is over.
func (w *response) isTooLate() bool { return !w.deadline.IsZero() && !time.Now().Before(w.deadline) }

// ReadFrom is what io.Copy looks for, and wrappers of a ResponseWriter that offer all that net/http's own does.
func (w *response) ReadFrom(r io.Reader) (int64, error) { return io.Copy(struct{ io.Writer }{w}, r) }

// CloseNotify is what was there before contexts were: middlewares and frameworks still call it unasked.
func (w *response) CloseNotify() <-chan bool {
	gone := make(chan bool, 1)
	w.x.context.AfterFunc(func() { gone <- true })
	return gone
}

func (w *response) Flush() { w.FlushError() }

// FlushError is what http.ResponseController looks for.
func (w *response) FlushError() error {
	x := w.x
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.conn != nil {
		return http.ErrHijacked
	}
	if w.isEnded {
		return nil
	}
	if !w.wrote {
		w.writeHeader(http.StatusOK)
	}
	if x.isLeft && !x.inline {
		return context.Canceled
	}
	w.hasType = w.hasType || w.written == 0 // net/http has sent the header by now, and can't guess any more
	x.isFlushed = true
	x.cond.Broadcast()
	return nil
}

func (w *response) SetReadDeadline(deadline time.Time) error {
	w.x.mu.Lock()
	defer w.x.mu.Unlock()
	w.x.body.setDeadline(deadline)
	return nil
}

func (w *response) SetWriteDeadline(deadline time.Time) error {
	w.x.mu.Lock()
	defer w.x.mu.Unlock()
	w.deadline, w.timer = deadline, w.x.wakeAt(w.timer, deadline)
	w.x.cond.Broadcast()
	return nil
}

// EnableFullDuplex is granted: reading and writing are always independent of each other here.
func (w *response) EnableFullDuplex() error { return nil }

// Hijack gives the handler the client's connection. One that has said before that protocols are switched (WriteHeader
// with status 101, as some write WebSockets) finds that said there.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	head := w.takeSwitching()
	c, err := w.x.hijack()
	if err != nil {
		return nil, nil, err
	}
	if head != nil {
		if _, err := c.Write(head); err != nil {
			return nil, nil, err
		}
	}
	return c, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c)), nil
}

// takeSwitching takes back an answer with status 101 that has not been sent, and returns how it reads; nil: there is
// none.
func (w *response) takeSwitching() []byte {
	x := w.x
	x.mu.Lock()
	defer x.mu.Unlock()
	if !w.wrote || w.status != http.StatusSwitchingProtocols || x.headSent || x.conn != nil || w.isEnded {
		return nil
	}
	w.wrote, w.status = false, 0
	x.lent.words, x.lent.fields = x.lent.words[:0], x.lent.fields[:0]
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	w.header.Write(&head)
	head.WriteString("\r\n")
	return head.Bytes()
}
