// Command upstream serves package site on Unix sockets in a folder: the handler itself at handler.sock; and at front.port
// in front of another server, behind the check of tokens.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"

	"bench/site"
)

func main() {
	folder, behind := os.Args[1], os.Args[2]
	listener, err := net.Listen("unix", folder+"/handler.sock")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.Chmod(folder+"/handler.sock", 0o777); err != nil {
		log.Fatal(err)
	}
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	target, err := url.Parse(behind)
	if err != nil {
		log.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	go func() { log.Fatal(http.Serve(front, site.Auth(proxy))) }()
	fmt.Println(front.Addr().(*net.TCPAddr).Port)
	fmt.Println(site.Token())
	log.Fatal(http.Serve(listener, site.Handler))
}
