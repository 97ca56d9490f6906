package bridge

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// What there is for the server to do, as bits.
const (
	isHead       = 1 << iota // status and header are there
	hasData                  // a piece of the body is
	wantsBody                // the handler reads, and has nothing left of the request's body
	wantsConn                // the handler wants the connection for itself
	isDone                   // nothing more will come
	isAborted                // the answer is of no use: the connection is to be closed
	hasNote                  // there are lines for the log
	goesOn                   // a middleware called next
	isWrapped                // and wants to see the answer
	isTrailed                // header fields follow the body
	isReplaced               // the middleware has made another body for the request
	isRedirected             // X-Accel-Redirect names a location of the server's that is to answer
)

// exchange is one request and its answer. The fields above the lock are used by its goroutine alone, those below it
// by the server's thread, too, and under the lock.
type exchange struct {
	number   int
	inline   bool // it runs on the server's thread, which takes all of the answer at the end
	head     head
	request  *http.Request
	response response
	context  requestContext

	isConditional bool // the client wants the answer on some conditions

	asked struct { // as it came
		method, path, query, host string
		body                      io.ReadCloser
	}

	mu   sync.Mutex
	cond sync.Cond // something below has changed
	body body
	conn *conn
	lent lender
	out  []byte // of the body, what the server has not taken
	note []byte // lines for the log, likewise

	isFlushed bool // the server shall have what is there
	headSent  bool
	isOver    bool // the handler has returned, and a connection that it took is closed
	isLeft    bool // the client, or the server, waits for nothing more
	isAborted bool
	isShort   bool // the body is not as long as the handler has declared
	onward    onwardState
}

// lender holds what the server was given the addresses of.
type lender struct {
	words  []byte
	fields []wireField
	data   []byte
}

// wireField is struct goloader_field: offsets in words, and what is to be done with it.
type wireField struct{ key, keyLen, value, valueLen, what uint32 }

const (
	setHeader = iota // of the answer
	addHeader
	setRequestHeader
	addRequestHeader
	clearRequestHeader
	setMethod
	setPath
	setQuery
	setTrailer
)

func (l *lender) add(what uint32, key, value string) {
	at := uint32(len(l.words))
	l.words = append(l.words, key...)
	l.words = append(l.words, value...)
	l.fields = append(l.fields, wireField{at, uint32(len(key)), at + uint32(len(key)), uint32(len(value)), what})
}

// lent is the memory of the last answer that Serve has given the server's thread to read. It is used again for the
// next request, which comes when that answer has been read.
var lent lender

// taken keeps from the collector what the last Take has given the server to read: where the exchange is over, nothing
// else refers to it any more.
var taken lender

const (
	maxPiece = 64 << 10 // that much may be written before the server takes it
	maxLent  = 1 << 20  // more is not kept for the next request
)

var blank http.Request

func newExchange(wire *wire, inline bool) *exchange {
	x := &exchange{inline: inline}
	x.cond.L = &x.mu
	x.response.x, x.body.x, x.context.x = x, x, x
	x.request = blank.WithContext(&x.context)
	x.response.length = -1
	if inline {
		x.lent, x.out = lender{words: lent.words[:0], fields: lent.fields[:0]}, lent.data[:0]
		lent = lender{}
	}
	if status := x.read(wire); status != 0 {
		x.fail(status, "")
	}
	r := x.request
	x.asked.method, x.asked.path, x.asked.query, x.asked.host = r.Method, r.URL.Path, r.URL.RawQuery, r.Host
	r.Body = http.NoBody
	if r.ContentLength != 0 {
		r.Body = &x.body
		if inline {
			x.body.in, x.body.isEnd = wire.body.borrow(), true
		}
	}
	x.asked.body = r.Body
	return x
}

// run has the handler answer.
func (x *exchange) run(handler http.Handler) {
	if x.isAborted || x.response.wrote { // a request that can't be read
		x.end()
		return
	}
	returned := false
	defer func() {
		if !returned {
			x.panicked(recover())
		}
		x.end()
	}()
	handler.ServeHTTP(&x.response, x.request)
	returned = true
}

// panicked answers 500 where nothing has been sent, and breaks off what has been.
func (x *exchange) panicked(reason any) {
	if reason == http.ErrAbortHandler {
		x.mu.Lock()
		x.isAborted = true
		x.mu.Unlock()
		return
	}
	line := "runtime.Goexit was called"
	if reason != nil {
		line = "panic: " + oneLine(reason)
	}
	x.mu.Lock()
	x.noteLine(line + whereFrom())
	x.mu.Unlock()
	x.fail(http.StatusInternalServerError, "")
}

func oneLine(reason any) (line string) {
	defer func() {
		if recover() != nil {
			line = fmt.Sprintf("%T", reason)
		}
	}()
	return strings.ReplaceAll(fmt.Sprint(reason), "\n", " ")
}

// whereFrom names the function that panicked: the first that is neither the runtime's nor this package's.
func whereFrom() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for seen := false; ; {
		frame, more := frames.Next()
		isRuntime := strings.HasPrefix(frame.Function, "runtime.")
		if !isRuntime && seen {
			file := frame.File[strings.LastIndexByte(frame.File, '/')+1:]
			return fmt.Sprintf(" in %s (%s:%d)", frame.Function, file, frame.Line)
		}
		seen = seen || frame.Function == "runtime.gopanic" || frame.Function == "runtime.Goexit"
		if !more {
			return ""
		}
	}
}

// fail puts a plain answer in place of the handler's, unless that has begun to be sent.
func (x *exchange) fail(status int, text string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w := &x.response
	if x.headSent || x.conn != nil || x.isFlushed && !x.inline {
		x.isAborted = true
		return
	}
	if text == "" {
		text = http.StatusText(status)
	}
	x.lent.words, x.lent.fields, x.out = x.lent.words[:0], x.lent.fields[:0], x.out[:0]
	*w = response{x: x, header: http.Header{}, length: -1}
	w.header["Content-Type"] = []string{"text/plain; charset=utf-8"}
	w.writeHeader(status)
	w.write(text+"\n", nil)
}

// noteLine keeps a line for the server's log; x.mu is held.
func (x *exchange) noteLine(line string) {
	if len(x.note) > 0 {
		x.note = append(x.note, '\n')
	}
	x.note = append(x.note, line...)
}

// end is the end of the handler: what it left is tidied up, and what it has begun may be sent to the end.
func (x *exchange) end() {
	x.context.cancel()
	x.mu.Lock()
	w := &x.response
	w.isEnded = true
	x.body.close()
	if x.conn == nil {
		if !w.wrote {
			w.writeHeader(http.StatusOK)
		}
		if w.length >= 0 && w.written != w.length && !w.isBodiless() {
			x.isAborted, x.isShort = true, true // what follows on the connection would be taken for the rest
			if x.onward.isCalled && !x.isLeft {
				x.noteLine(fmt.Sprintf("a middleware has let Content-Length: %d through, and written %d bytes: one that changes "+
					"bodies deletes that field in its WriteHeader", w.length, w.written))
			}
		}
		if w.isTooLate() && (len(x.out) > 0 || !x.headSent) {
			x.isAborted = true
		}
		w.findTrailers()
		x.over()
	}
	x.mu.Unlock()
	if form := x.request.MultipartForm; form != nil {
		form.RemoveAll()
	}
}

// over says that nothing more comes from Go; x.mu is held.
func (x *exchange) over() {
	x.isOver = true
	if x.isLeft && x.number != 0 {
		x.delist()
	}
	x.cond.Broadcast()
}

// leave says that the server waits for nothing more; x.mu is held.
func (x *exchange) leave() {
	if x.isLeft {
		return
	}
	x.isLeft = true
	if x.isOver && x.number != 0 {
		x.delist()
	}
	x.cond.Broadcast()
}

// abandon ends what the client has left.
func (x *exchange) abandon() {
	x.context.cancel()
	x.mu.Lock()
	x.leave()
	x.mu.Unlock()
}

// hasNews says whether the server has something to do; x.mu is held.
func (x *exchange) hasNews() bool {
	hasPiece := len(x.out) >= maxPiece || x.isFlushed && (len(x.out) > 0 || !x.headSent && x.response.wrote)
	asksForBody := x.body.wants && !x.body.isAsked
	asksOfConn := x.conn != nil && x.conn.wants
	callsNext := x.onward.isCalled && !x.onward.isTold
	return x.isOver || x.isLeft || hasPiece || asksForBody || asksOfConn || callsNext
}

func (x *exchange) await() {
	x.mu.Lock()
	for !x.hasNews() {
		x.cond.Wait()
	}
	x.mu.Unlock()
}

// deliver writes what there is to do where the server reads it.
func (x *exchange) deliver(wire *wire, l *lender) (bits int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w := &x.response
	if x.onward.isCalled && !x.onward.isTold {
		bits |= x.tellOnward()
	} else if w.wrote && !x.headSent && x.conn == nil && (!x.isAborted || x.isShort || x.isFlushed) &&
		(x.hasNews() || x.onward.hasAnswer) {
		w.completeHeader()
		x.headSent = true
		bits |= isHead
		if w.isTrailed {
			bits |= isTrailed
		}
		if w.isRedirected {
			bits |= isRedirected
		}
	}
	if x.body.wants && !x.body.isAsked {
		x.body.isAsked = true
		bits |= wantsBody
	}
	if x.conn != nil && x.conn.wants {
		x.conn.wants = false
		bits |= wantsConn
	}
	if n := len(x.note); n > 0 {
		wire.note, wire.noteLen = int64(len(x.lent.words)), int64(n)
		x.lent.words = append(x.lent.words, x.note...)
		x.note = nil
		bits |= hasNote
	}
	if len(x.out) > 0 && (x.headSent || x.conn != nil || x.onward.isReplaced) {
		x.out, x.lent.data = x.lent.data[:0], x.out
		wire.data, wire.dataLen = uintptr(unsafe.Pointer(unsafe.SliceData(x.lent.data))), int64(len(x.lent.data))
		bits |= hasData
		x.isFlushed = false
		x.cond.Broadcast()
	} else if bits&isHead != 0 {
		x.isFlushed = false
	}
	if x.isAborted {
		bits |= isAborted
	}
	if x.isOver {
		bits |= isDone
		if w.isTrailed && !x.isAborted {
			w.sendTrailers(bits&isHead == 0)
			bits |= isTrailed
		}
		x.leave()
	}
	if bits&(isHead|goesOn|hasNote|isTrailed) != 0 {
		wire.words = uintptr(unsafe.Pointer(unsafe.SliceData(x.lent.words)))
		wire.fields, wire.nfields = uintptr(unsafe.Pointer(unsafe.SliceData(x.lent.fields))), int64(len(x.lent.fields))
		wire.status, wire.length = int64(w.status), w.length
	}
	*l = x.lent
	if x.inline {
		if cap(l.data) > maxLent {
			l.data = nil
		} else if l.data == nil {
			l.data = x.out
		}
		x.lent, x.out = lender{}, nil
	}
	return bits
}

// wakeAt has waits for something looked at again at a deadline; nil is none.
func (x *exchange) wakeAt(old *time.Timer, deadline time.Time) *time.Timer {
	if old != nil {
		old.Stop()
	}
	if deadline.IsZero() {
		return nil
	}
	return time.AfterFunc(time.Until(deadline), func() {
		x.mu.Lock()
		x.cond.Broadcast()
		x.mu.Unlock()
	})
}
