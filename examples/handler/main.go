// A small site on its own: `go run .`, then http://127.0.0.1:8080/. In nginx the same package answers; see routes.lua.
package main

import (
	"log"
	"net/http"

	"example.com/handler/site"
)

func main() {
	log.Println("http://127.0.0.1:8080/")
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", site.Handler()))
}
