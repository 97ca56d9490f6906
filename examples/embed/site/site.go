// Package site is what visitors see. It is no part of the program: policy.lua loads it, and swaps it when it is told to.
package site

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"example.test/embed/pages"
)

const greeting = "Good morning"

var writing atomic.Int32 // guests of this version

// Open takes over from the version before.
func Open() {
	pages.Replace(map[string]http.HandlerFunc{"/": home, "/status": status, "/guestbook": guestbook})
}

// Close leaves nothing behind.
func Close() { pages.Replace(nil) }

func home(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s! You are visitor %d.\n", greeting, pages.Visit())
}

func status(w http.ResponseWriter, r *http.Request) {
	json.NewEncoder(w).Encode(map[string]any{"greeting": greeting, "writing": writing.Load()})
}

// guestbook takes as long as the guest does.
func guestbook(w http.ResponseWriter, r *http.Request) {
	writing.Add(1)
	defer writing.Add(-1)
	entry, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%s! You wrote: %s\n", greeting, entry)
}
