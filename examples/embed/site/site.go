// Package site is what visitors see. It is no part of the program: policy.lua loads it, and swaps it when it is told to.
package site

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"example.test/embed/pages"
)

const greeting = "Good morning"

// Open takes over from the version before.
func Open() {
	pages.Replace(map[string]http.HandlerFunc{"/": home, "/status": status, "/slow": slow})
}

// Close leaves nothing behind.
func Close() { pages.Replace(nil) }

func home(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s! You are visitor %d.\n", greeting, pages.Visit())
}

func status(w http.ResponseWriter, r *http.Request) {
	json.NewEncoder(w).Encode(map[string]any{"greeting": greeting, "path": r.URL.Path})
}

func slow(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, greeting, "...")
	w.(http.Flusher).Flush()
	time.Sleep(time.Second / 2)
	fmt.Fprintln(w, "... and", greeting)
}
