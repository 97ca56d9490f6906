package bridge

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// onward is the handler that a middleware calls as its next: the request goes on in the server, through its further
// phases, to whoever answers it there. A middleware that has given next the ResponseWriter it got itself has no part in
// that answer, and costs nothing more till it is sent. One that has wrapped the writer is shown the answer as the
// server gets it: status and header, then piece by piece the body.
type onward struct{}

type onwardState struct {
	isCalled, isTold bool
	isReplaced       bool          // the body of the request is another
	changed          *http.Request // as next got it
	isWrapped        bool
	hasAnswer        bool // status and header, which follow, are there
	status           int
	answer           string
	wants            bool // a piece of the answer's body
	piece            string
	hasPiece, isLast bool
	isEnded          bool // the server has sent its answer
}

var (
	errTwice = errors.New("next was called a second time for one request")
	errLate  = errors.New("next was called after the answer had begun")
	errAlien = errors.New("next was called with a request that is not made of the one that came")
)

func (onward) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	if x == nil {
		panic(errAlien)
	}
	if r.Body != nil && r.Body != x.asked.body && !x.replace(r.Body) {
		http.Error(w, "Bad request", http.StatusBadRequest)
		return
	}
	x.goOn(w, r)
}

// replace sends the server the body that a middleware has put in place of the request's own, and says whether it could
// be read. A middleware that has looked at the body puts a copy there: nobody can tell that from another one.
func (x *exchange) replace(body io.Reader) bool {
	x.mu.Lock()
	x.onward.isReplaced = true
	x.mu.Unlock()
	_, err := io.Copy(replacement{x}, body)
	return err == nil || err == io.EOF
}

type replacement struct{ x *exchange }

func (r replacement) Write(p []byte) (int, error) {
	x := r.x
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.response.awaitRoom(); err != nil {
		return 0, err
	}
	x.out = append(x.out, p...)
	x.isFlushed = true
	x.cond.Broadcast()
	return len(p), nil
}

func (x *exchange) goOn(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	o := &x.onward
	own, isOwn := w.(*response)
	switch {
	case o.isCalled:
		panic(errTwice)
	case x.response.wrote || x.conn != nil:
		panic(errLate)
	case x.inline && !(isOwn && own == &x.response):
		panic(errors.New("a middleware that is declared never to wait can't see the answer: it wraps the ResponseWriter"))
	}
	o.changed, o.isWrapped = r, !(isOwn && own == &x.response)
	o.isCalled = true
	x.cond.Broadcast()
	if x.inline {
		x.response.isEnded = true
		return
	}
	if o.isWrapped {
		x.showAnswer(w)
		return
	}
	for !o.isEnded && !x.isLeft {
		x.cond.Wait()
	}
	x.response.wrote, x.response.isEnded = true, true
}

// showAnswer gives the server's answer to a writer of the middleware's, who writes what becomes of it; x.mu is held,
// but not while others run.
func (x *exchange) showAnswer(w http.ResponseWriter) {
	o := &x.onward
	for !o.hasAnswer && !o.isEnded && !x.isLeft {
		x.cond.Wait()
	}
	if !o.hasAnswer {
		return
	}
	status, answer := o.status, o.answer
	x.mu.Unlock()
	header := w.Header()
	for len(answer) > 0 {
		var name, value string
		name, answer, _ = strings.Cut(answer, "\x00")
		value, answer, _ = strings.Cut(answer, "\x00")
		header.Add(name, value)
	}
	w.WriteHeader(status)
	x.mu.Lock()
	for {
		o.wants = true
		x.cond.Broadcast()
		for !o.hasPiece && !o.isEnded && !x.isLeft {
			x.cond.Wait()
		}
		if !o.hasPiece {
			return
		}
		piece, isLast := o.piece, o.isLast
		o.piece, o.hasPiece, o.wants = "", false, false
		if piece != "" {
			x.mu.Unlock()
			_, err := io.WriteString(w, piece)
			x.mu.Lock()
			if err != nil {
				return
			}
		}
		if isLast {
			return
		}
	}
}

// tellOnward writes down what the middleware has made of the request and of the answer's header; x.mu is held.
func (x *exchange) tellOnward() (bits int) {
	o := &x.onward
	o.isTold = true
	bits = goesOn
	if o.isReplaced {
		bits |= isReplaced
	}
	l, r := &x.lent, o.changed
	if o.isWrapped {
		bits |= isWrapped
	} else {
		for name, values := range x.response.header {
			for i, value := range values {
				what := uint32(setHeader)
				if i > 0 || name == "Vary" {
					what = addHeader
				}
				l.add(what, name, oneLineValue(value))
			}
		}
	}
	x.tellHeader(l, r.Header)
	if r.Method != x.asked.method {
		l.add(setMethod, "", r.Method)
	}
	if r.URL != nil && r.URL.Path != x.asked.path {
		l.add(setPath, "", r.URL.Path)
	}
	if r.URL != nil && r.URL.RawQuery != x.asked.query {
		l.add(setQuery, "", r.URL.RawQuery)
	}
	if r.Host != x.asked.host {
		l.add(setRequestHeader, "Host", r.Host)
	}
	o.changed = nil
	return bits
}

// tellHeader writes down where the header of the request that goes on is not that of the one that came.
func (x *exchange) tellHeader(l *lender, header http.Header) {
	// Fields of one name may be scattered over what came: each is compared with the value at its turn.
	same := 0
	for i, f := range x.head.fields {
		if isTold(f.key) {
			continue
		}
		turn := 0
		for _, earlier := range x.head.fields[:i] {
			if earlier.key == f.key {
				turn++
			}
		}
		if values := header[f.key]; turn < len(values) && values[turn] == f.value {
			same++
		} else if len(values) == 0 && turn == 0 {
			l.add(clearRequestHeader, f.key, "")
		}
	}
	count := 0
	for _, values := range header {
		count += len(values)
	}
	if same == count {
		return
	}
	for key, values := range header {
		if isTold(key) || x.came(key, values) {
			continue
		}
		for i, value := range values {
			what := uint32(setRequestHeader)
			if i > 0 {
				what = addRequestHeader
			}
			l.add(what, key, oneLineValue(value))
		}
	}
}

// came says whether the client sent these values, and no others, for that key.
func (x *exchange) came(key string, values []string) bool {
	n := 0
	for _, f := range x.head.fields {
		if f.key == key {
			if n >= len(values) || values[n] != f.value {
				return false
			}
			n++
		}
	}
	return n == len(values)
}

// isTold is true of what the header of an http.Request lacks, since fields of the request tell it.
func isTold(key string) bool {
	return key == "Host" || key == "Transfer-Encoding" || key == "Trailer" || key == "Content-Length"
}

// Answer shows a middleware that has wrapped the writer the answer's status and header: names and values with a zero
// byte after each. Waits till it has written what it wants to be sent of them, not longer than so many milliseconds,
// and says whether that was enough.
func Answer(number, status int, header string, patience int) bool {
	x := exchangeOf(number)
	if x == nil {
		return true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	o := &x.onward
	x.lent.words, x.lent.fields = x.lent.words[:0], x.lent.fields[:0]
	o.isReplaced = false
	o.hasAnswer, o.status, o.answer = true, status, strings.Clone(header)
	return x.settle(patience)
}

// Piece shows it a piece of the answer's body.
func Piece(number int, piece string, isLast bool, patience int) bool {
	x := exchangeOf(number)
	if x == nil {
		return true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	o := &x.onward
	o.piece, o.hasPiece, o.isLast = strings.Clone(piece), true, isLast
	return x.settle(patience)
}

// settle waits till the middleware wants more, or is through; x.mu is held.
func (x *exchange) settle(patience int) bool {
	x.cond.Broadcast()
	o := &x.onward
	deadline := time.Now().Add(time.Duration(patience) * time.Millisecond)
	var timer *time.Timer
	for !x.isOver && (o.hasPiece || !o.wants) {
		if timer == nil {
			timer = x.wakeAt(nil, deadline)
			defer timer.Stop()
		} else if !time.Now().Before(deadline) {
			return false
		}
		x.cond.Wait()
	}
	return true
}

// End says that the server has sent its answer to a request that a middleware let go on.
func End(number int) {
	if x := exchangeOf(number); x != nil {
		x.mu.Lock()
		x.onward.isEnded = true
		x.leave()
		x.mu.Unlock()
	}
}
