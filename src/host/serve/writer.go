package serve

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// counter says what was sent.
type counter struct {
	status  int // 0: nothing yet
	bytes   int64
	isTaken bool // the handler has the connection
}

// result is the status that the client gets.
func (c *counter) result() int {
	if c.status == 0 {
		return http.StatusOK // what net/http sends where nobody has said anything
	}
	return c.status
}

// counting is a ResponseWriter that counts. It offers what net/http's own does in that version of HTTP: handlers ask
// for interfaces, and some don't ask before they use them.
type counting interface {
	http.ResponseWriter
	count() *counter
}

func newWriter(w http.ResponseWriter, r *http.Request) counting {
	if r.ProtoMajor == 1 {
		return &writer1{writer{ResponseWriter: w}}
	}
	return &writer2{writer{ResponseWriter: w}}
}

type writer struct {
	http.ResponseWriter
	counter
}

func (w *writer) count() *counter { return &w.counter }

// Unwrap is what http.ResponseController looks for.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) begin() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}

func (w *writer) Write(p []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

func (w *writer) WriteString(s string) (int, error) {
	w.begin()
	n, err := io.WriteString(w.ResponseWriter, s)
	w.bytes += int64(n)
	return n, err
}

func (w *writer) Flush() {
	w.begin()
	w.ResponseWriter.(http.Flusher).Flush()
}

func (w *writer) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *writer) CloseNotify() <-chan bool {
	return w.ResponseWriter.(http.CloseNotifier).CloseNotify()
}

// writer2 is HTTP/2's: it can send what was not asked for.
type writer2 struct{ writer }

func (w *writer2) Push(target string, options *http.PushOptions) error {
	return w.ResponseWriter.(http.Pusher).Push(target, options)
}

// writer1 is HTTP/1's: it can be hijacked, and the kernel can send files by it.
type writer1 struct{ writer }

func (w *writer1) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := w.ResponseWriter.(http.Hijacker).Hijack()
	if err == nil {
		w.isTaken = true
		if w.status == 0 {
			w.status = http.StatusSwitchingProtocols
		}
	}
	return conn, buffered, err
}

func (w *writer1) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	n, err := w.ResponseWriter.(io.ReaderFrom).ReadFrom(r)
	w.bytes += n
	return n, err
}

// logRequest writes a line: method, address, status, bytes of the body, milliseconds.
func (s *server) logRequest(r *http.Request, c *counter, started time.Time) {
	bytes := strconv.FormatInt(c.bytes, 10)
	if c.isTaken {
		bytes = "-"
	}
	fmt.Fprintf(os.Stderr, "%s %s %d %s %.1fms\n", r.Method, r.URL.RequestURI(), c.result(), bytes,
		float64(time.Since(started).Microseconds())/1000)
}
