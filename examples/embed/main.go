// Embed is an HTTP server in Go with its policy in Lua, and its pages in Go again, loaded by that policy.
//
//	embed [-listen ADDRESS] [-policy FILE] [-site DIR]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	_ "goloader.dev/host" // makes the program its own host

	"example.test/embed/lua"
	"example.test/embed/pages"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "`address` to listen on")
	policy := flag.String("policy", "policy.lua", "Lua `file` that decides")
	site := flag.String("site", "site", "`directory` of the package with the pages")
	flag.Parse()
	if err := serve(*listen, *policy, *site); err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

func serve(address, policy, site string) error {
	state, err := lua.Run(policy)
	if err != nil {
		return err
	}
	if _, err := state.Call("reload", site); err != nil {
		return err
	}
	http.HandleFunc("/", pages.ServeHTTP)
	http.HandleFunc("/-/reload", func(w http.ResponseWriter, r *http.Request) {
		answer, err := state.Call("reload", site)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, answer)
	})

	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	server := &http.Server{}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-stop.Done():
	}
	if err := server.Shutdown(context.Background()); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	answer, err := state.Call("close", "")
	if err == nil {
		fmt.Println(answer)
	}
	return err
}
