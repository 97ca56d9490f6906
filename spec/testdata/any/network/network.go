// Package network talks to itself, over sockets of this machine.
package network

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"expvar"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/pprof"
	"os/user"
	"strings"
	"time"
)

// Echo sends lines over TCP to a server of its own, which answers them in upper case.
func Echo(lines []string) ([]string, error) {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			defer conn.Close()
			for scanner := bufio.NewScanner(conn); scanner.Scan(); {
				fmt.Fprintln(conn, strings.ToUpper(scanner.Text()))
			}
		}
		served <- err
	}()
	conn, err := net.DialTimeout("tcp", listener.Addr().String(), 5*time.Second)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	var answers []string
	reader := bufio.NewReader(conn)
	for _, line := range lines {
		fmt.Fprintln(conn, line)
		answer, err := reader.ReadString('\n')
		if err != nil {
			return nil, err
		}
		answers = append(answers, strings.TrimSpace(answer))
	}
	conn.Close()
	return answers, <-served
}

// Lookup asks the resolver, the one in Go.
func Lookup(name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return (&net.Resolver{PreferGo: true}).LookupHost(ctx, name)
}

// User is who runs this.
func User() (string, error) {
	me, err := user.Current()
	if err != nil {
		return "", err
	}
	again, err := user.LookupId(me.Uid)
	if err != nil {
		return "", err
	}
	return again.Username, nil
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello over %s, tls %t", r.Proto, r.TLS != nil)
	})
	mux.Handle("/vars", expvar.Handler())
	mux.HandleFunc("/pprof/", pprof.Index)
	mux.Handle("/goroutines", pprof.Handler("goroutine"))
	return mux
}

// Serve answers one request for each path: over HTTP, over TLS, over TLS with HTTP/2.
func Serve(path string) ([]string, error) {
	plain, secure, second := httptest.NewServer(handler()), httptest.NewTLSServer(handler()), httptest.NewUnstartedServer(handler())
	second.EnableHTTP2 = true
	second.StartTLS()
	var bodies []string
	for _, server := range []*httptest.Server{plain, secure, second} {
		defer server.Close()
		response, err := server.Client().Get(server.URL + path)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, string(body))
	}
	return bodies, nil
}

// Refused is what a client says that does not know the server's certificate.
func Refused() string {
	server := httptest.NewUnstartedServer(handler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.StartTLS()
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	_, err := (&http.Client{Transport: transport}).Get(server.URL)
	return err.Error()
}

// MemStats is in what expvar publishes.
func MemStats() (bool, error) {
	recorder := httptest.NewRecorder()
	expvar.Handler().ServeHTTP(recorder, httptest.NewRequest("GET", "/", nil))
	var vars map[string]json.RawMessage
	err := json.Unmarshal(recorder.Body.Bytes(), &vars)
	return len(vars["memstats"]) > 0, err
}
