package serve

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// exchange is one request and its answer. What Lua wants done comes by a channel to the request's goroutine; while a
// middleware is at work, to where it has called next.
type exchange struct {
	s    *server
	id   int
	todo chan command
	open int // rounds that wait for Lua, and the goroutine itself

	handler int // the number of the one that answers; 0: it is Lua

	mu      sync.Mutex
	request *http.Request       // as the innermost middleware has left it
	writer  http.ResponseWriter // as it has given it
}

// command is what Lua wants done.
type command struct {
	what    int
	status  int
	headers string // lines
	body    string
	handler http.Handler
	url     *url.URL
	done    chan error // of one that is waited for
	target  *target
}

const (
	answer = iota
	begin
	write
	end
	fail
	handle
	wrap
	readdress
)

var exchanges = struct {
	sync.Mutex
	last int
	m    map[int]*exchange
}{m: map[int]*exchange{}}

func exchangeOf(id int) *exchange {
	exchanges.Lock()
	defer exchanges.Unlock()
	return exchanges.m[id]
}

func (x *exchange) enlist() {
	exchanges.Lock()
	defer exchanges.Unlock()
	if x.id == 0 {
		exchanges.last++
		x.id = exchanges.last
		exchanges.m[x.id] = x
	}
	x.open++
}

func (x *exchange) delist() {
	exchanges.Lock()
	defer exchanges.Unlock()
	x.open--
	if x.open == 0 {
		delete(exchanges.m, x.id)
	}
}

// current is the request and its writer as they are now.
func (x *exchange) current() (http.ResponseWriter, *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.writer, x.request
}

func (x *exchange) event(kind int, r *http.Request) Event {
	remote := r.RemoteAddr
	if host, _, err := net.SplitHostPort(remote); err == nil {
		remote = host
	}
	path := r.URL.EscapedPath()
	if path == "" { // of a request to a proxy: all of a server, or CONNECT
		path = "/"
	}
	return Event{ID: x.id, Kind: kind, Method: r.Method, Path: path, Query: r.URL.RawQuery, Host: r.Host, Remote: remote,
		Length: int(r.ContentLength)}
}

func (s *server) ServeHTTP(raw http.ResponseWriter, r *http.Request) {
	if s.changes != nil && r.URL.Path == changesPath {
		s.changes.ServeHTTP(raw, r)
		return
	}
	started := time.Now()
	w := newWriter(raw, r)
	handler := 0
	defer func() {
		p := recover()
		if p != nil && p != http.ErrAbortHandler && p != any(errFailed) {
			s.http.ErrorLog.Printf("%s %s: panic: %v\n%s", r.Method, r.URL.Path, p, debug.Stack())
		}
		isBroken := p != nil && w.count().status != 0
		if p != nil && !isBroken && p != http.ErrAbortHandler {
			http.Error(w, "Internal server error", http.StatusInternalServerError)
		}
		if handler != 0 {
			s.tallies.add(handler, w.count().result(), time.Since(started))
		}
		if s.log {
			s.logRequest(r, w.count(), started)
		}
		if isBroken || p == http.ErrAbortHandler {
			panic(http.ErrAbortHandler) // nobody is to take what was sent for the whole
		}
	}()
	if t := s.known.find(r); t != nil {
		defer t.leave()
		handler = t.number
		t.handler.ServeHTTP(w, r)
		return
	}
	x := &exchange{s: s, todo: make(chan command, 1)}
	x.enlist()
	defer x.delist()
	defer func() { handler = x.handler }()
	x.round(w, r, isRequest)
}

// round does what Lua wants done, with this writer, till the answer is whole.
func (x *exchange) round(w http.ResponseWriter, r *http.Request, kind int) {
	x.mu.Lock()
	x.request, x.writer = r, w
	x.mu.Unlock()
	x.s.tell(x.event(kind, r))
	for {
		c := <-x.todo
		switch c.what {
		case answer:
			send(w, c)
			return
		case begin:
			setHeaders(w.Header(), c.headers)
			w.WriteHeader(c.status)
			c.done <- flush(w)
		case write:
			_, err := io.WriteString(w, c.body)
			if err == nil {
				err = flush(w)
			}
			if err == nil {
				err = r.Context().Err()
			}
			c.done <- err
		case end:
			return
		case fail:
			panic(errFailed)
		case handle:
			setHeaders(w.Header(), c.headers)
			x.handler = c.target.number
			defer c.target.leave()
			c.handler.ServeHTTP(w, r)
			return
		case wrap:
			x.wrap(w, r, c)
			return
		case readdress:
			r = withURL(r, c.url)
			x.mu.Lock()
			x.request = r
			x.mu.Unlock()
			c.done <- nil
		}
	}
}

func send(w http.ResponseWriter, c command) {
	setHeaders(w.Header(), c.headers)
	w.WriteHeader(c.status)
	if c.body != "" {
		io.WriteString(w, c.body)
	}
}

func flush(w http.ResponseWriter) error {
	err := http.NewResponseController(w).Flush()
	if errors.Is(err, http.ErrNotSupported) {
		return nil // a middleware's writer keeps all of it till the end
	}
	return err
}

func setHeaders(header http.Header, lines string) {
	for lines != "" {
		var line string
		line, lines, _ = strings.Cut(lines, "\n")
		if name, value, ok := strings.Cut(line, ": "); ok {
			header.Add(name, value)
		}
	}
}

// ---- middlewares ------------------------------------------------------------------------------------------------

// frame is one run of a middleware: whether it has called next.
type frame struct {
	x        *exchange
	mu       sync.Mutex
	isCalled bool
	isOver   bool
}

type frameKey struct{}

// wrap has a middleware look at the request. When it calls next, the round goes on there.
func (x *exchange) wrap(w http.ResponseWriter, r *http.Request, c command) {
	f := &frame{x: x}
	defer func() {
		c.target.leave()
		f.mu.Lock()
		f.isOver = true
		isCalled := f.isCalled
		f.mu.Unlock()
		if !isCalled {
			x.s.tell(Event{ID: x.id, Kind: isOver})
		}
	}()
	c.handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), frameKey{}, f)))
}

// onward is what middlewares get as their next: the request goes on in Lua.
type onward struct{}

func (onward) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, _ := r.Context().Value(frameKey{}).(*frame)
	if f == nil {
		panic("a middleware calls next with a request that has not the context of the one it was given")
	}
	f.mu.Lock()
	if f.isCalled || f.isOver {
		f.mu.Unlock()
		panic("a middleware calls next twice, or when it has returned")
	}
	f.isCalled = true
	f.mu.Unlock()
	f.x.enlist() // it may be a goroutine of the middleware's own that comes here
	defer f.x.delist()
	f.x.round(w, r, isOnward)
}

// ---- what Lua calls ---------------------------------------------------------------------------------------------

// errFailed is what a request's goroutine panics with when Lua has told what went wrong.
var errFailed = errors.New("no answer")

var errGone = errors.New("the request has ended")

func do(id int, c command) error {
	x := exchangeOf(id)
	if x == nil {
		return errGone
	}
	x.todo <- c
	if c.done == nil {
		return nil
	}
	return <-c.done
}

// Answer sends an answer that is there. Headers are lines, "Name: value".
func Answer(id, status int, headers, body string) {
	do(id, command{what: answer, status: status, headers: headers, body: body})
}

// Begin sends the header of an answer that comes in pieces.
func Begin(id, status int, headers string) error {
	return do(id, command{what: begin, status: status, headers: headers, done: make(chan error, 1)})
}

// Write sends a piece, and returns when the client has room for more.
func Write(id int, piece string) error {
	return do(id, command{what: write, body: piece, done: make(chan error, 1)})
}

// End ends an answer that came in pieces.
func End(id int) { do(id, command{what: end}) }

// Fail ends a request that Lua could not answer: by a status, or where the answer has begun, so that the client learns
// that it is not whole.
func Fail(id int) {
	do(id, command{what: fail})
}

// Handle has a handler answer; headers are set before. If only the address has decided that, it is known from now on.
func Handle(id, number int, headers string, decided bool) error {
	if x, t := exchangeOf(id), targetOf(number); decided && x != nil && t != nil {
		_, r := x.current()
		x.s.known.add(r, t)
	}
	return enter(id, number, handle, headers)
}

// Readdress gives a request another address, as routes have rewritten it, before a handler or a middleware is to see
// it.
func Readdress(id int, path, query string) error {
	address := path
	if query != "" {
		address += "?" + query
	}
	u, err := url.ParseRequestURI(address)
	if err != nil {
		return err
	}
	return do(id, command{what: readdress, url: u, done: make(chan error, 1)})
}

// Wrap has a middleware look at the request. Then Lua hears that the request goes on, or that it is answered.
func Wrap(id, number int) error {
	return enter(id, number, wrap, "")
}

func enter(id, number, what int, headers string) error {
	t := targetOf(number)
	if t == nil {
		return errors.New("the handler was forgotten")
	}
	t.enter()
	err := do(id, command{what: what, headers: headers, handler: t.handler, target: t})
	if err != nil {
		t.leave()
	}
	return err
}

// Headers are the request's, a name in lower case and a value after the other, each with a zero byte behind it.
func Headers(id int) string {
	x := exchangeOf(id)
	if x == nil {
		return ""
	}
	_, r := x.current()
	var b strings.Builder
	add := func(name, value string) {
		b.WriteString(name)
		b.WriteByte(0)
		b.WriteString(value)
		b.WriteByte(0)
	}
	add("host", r.Host)
	for name, values := range r.Header {
		name = strings.ToLower(name)
		for _, value := range values {
			add(name, value)
		}
	}
	return b.String()
}

// Scheme is "http" or "https".
func Scheme(id int) string {
	if x := exchangeOf(id); x != nil {
		if _, r := x.current(); r.TLS != nil {
			return "https"
		}
	}
	return "http"
}

// Body reads the request's body; nothing and false where that has more bytes than the limit.
func Body(id, limit int) (body string, whole bool, err error) {
	x := exchangeOf(id)
	if x == nil {
		return "", false, errGone
	}
	w, r := x.current()
	bytes, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return "", false, nil
	}
	return string(bytes), true, err
}

// Context is the request's: it ends when the client leaves. With seconds it ends after those, too.
func Context(id int, timeout float64) context.Context {
	x := exchangeOf(id)
	if x == nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx
	}
	_, r := x.current()
	if timeout <= 0 {
		return r.Context()
	}
	ctx, cancel := context.WithTimeout(r.Context(), seconds(timeout))
	context.AfterFunc(ctx, cancel)
	return ctx
}
