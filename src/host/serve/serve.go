// Package serve is the server behind `goloader serve`: Go's own net/http, with Lua deciding what answers. It is a
// module of goloader's like any other: lua/goloader/serve.lua loads it.
//
// Each request has a goroutine, net/http's own, and most of the time that waits for what Lua wants done (exchange.go).
// Lua hears of requests by Next, many at a time, and tells each what to do: to send an answer that is there (Answer), a
// piece of one (Begin, Write, End), to have an http.Handler answer (Handle), or a middleware look at it first (Wrap).
// Where nothing but the address decides that a handler answers, Lua is asked once (known.go).
// Handlers and middlewares run in the request's goroutine on net/http's own ResponseWriter: whatever they can do
// natively, streams, WebSockets and trailers too, they can do here.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

type server struct {
	http     *http.Server
	listener net.Listener
	log      bool // a line for each request
	changes  *changes
	known    known
	tallies  tallies

	mu       sync.Mutex
	events   []Event
	more     chan struct{} // has one when there are events
	isClosed bool
}

// Event is what Lua hears of a request. All that is longer or rarer it asks for.
type Event struct {
	ID     int
	Kind   int // one of those below
	Method string
	Path   string // as it was sent, not decoded
	Query  string
	Host   string
	Remote string // the client's address, without its port
	Length int    // of the body; -1: it is not told beforehand
}

// What has happened.
const (
	isRequest = 1 + iota // a request is there
	isOnward             // a middleware has called next
	isOver               // it has answered without that
)

var servers struct {
	sync.Mutex
	all []*server // by number less one
}

func serverOf(number int) *server {
	servers.Lock()
	defer servers.Unlock()
	return servers.all[number-1]
}

// Options of a server. Times are in seconds.
type Options struct {
	Address   string // "host:port", or "unix:/path"
	Cert, Key string // files; "": no TLS
	Log       bool
	Pages     bool // browsers are told when it is time to load a page again
	Header    float64
	Idle      float64
	Bounds    []float64 // of times, for Tallies
}

// Listen starts a server, and returns its number and the address that it has in the end.
func Listen(o Options) (number int, address string, err error) {
	s := &server{log: o.Log, tallies: tallies{bounds: o.Bounds}, more: make(chan struct{}, 1)}
	var config *tls.Config
	if o.Cert != "" {
		pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return 0, "", fmt.Errorf("certificate %s, key %s: %w", o.Cert, o.Key, err)
		}
		config = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	network, where := "tcp", o.Address
	if path, isUnix := strings.CutPrefix(o.Address, "unix:"); isUnix {
		network, where = "unix", path
	}
	s.listener, err = net.Listen(network, where)
	if err != nil {
		var reason *net.OpError
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			err = fmt.Errorf("%s is in use: another process listens there", o.Address)
		case errors.As(err, &reason):
			err = fmt.Errorf("%s: %w", o.Address, reason.Err)
		}
		return 0, "", err
	}
	s.http = &http.Server{
		Handler: s, TLSConfig: config, ReadHeaderTimeout: seconds(o.Header), IdleTimeout: seconds(o.Idle),
		ErrorLog: log.New(os.Stderr, "goloader serve: ", 0),
	}
	if o.Pages {
		s.changes = newChanges()
		s.http.RegisterOnShutdown(s.changes.end)
	}
	servers.Lock()
	servers.all = append(servers.all, s)
	number = len(servers.all)
	servers.Unlock()
	go s.serve(config != nil)
	return number, s.listener.Addr().String(), nil
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

func (s *server) serve(isSecret bool) {
	var err error
	if isSecret {
		err = s.http.ServeTLS(s.listener, "", "")
	} else {
		err = s.http.Serve(s.listener)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		s.http.ErrorLog.Print(err)
	}
}

func (s *server) tell(event Event) {
	s.mu.Lock()
	s.events = append(s.events, event)
	isFirst := len(s.events) == 1
	s.mu.Unlock()
	if isFirst {
		select {
		case s.more <- struct{}{}:
		default:
		}
	}
}

// Take returns what has happened since the last time.
func Take(number int) []Event {
	s := serverOf(number)
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.events
	s.events = nil
	return events
}

// Next waits till something has happened, and returns that; nothing more once the server is closed.
func Next(number int) []Event {
	s := serverOf(number)
	for {
		s.mu.Lock()
		events, isClosed := s.events, s.isClosed
		s.events = nil
		s.mu.Unlock()
		if len(events) > 0 || isClosed {
			return events
		}
		<-s.more
	}
}

// Shutdown takes no more requests and waits for those that are under way; for some seconds, then their connections are
// closed.
func Shutdown(number int, grace float64) {
	s := serverOf(number)
	ctx, cancel := context.WithTimeout(context.Background(), seconds(grace))
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	s.mu.Lock()
	s.isClosed = true
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// Sleep returns after so many seconds.
func Sleep(n float64) { time.Sleep(seconds(n)) }
