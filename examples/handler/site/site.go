// Package site is an ordinary application of net/http: pages from templates, files, a clock by server-sent events, an
// upload, and a chat over WebSockets. Nothing in it knows of nginx or Lua.
package site

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"html/template"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

//go:embed pages static
var files embed.FS

var pages = template.Must(template.ParseFS(files, "pages/*.html"))

// Handler is the whole site.
func Handler() http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Recoverer)
	r.Get("/", page("home.html"))
	r.Get("/hello/{name}", page("hello.html"))
	r.Handle("/static/*", http.FileServer(http.FS(files)))
	r.Get("/clock", clock)
	r.Post("/sum", sum)
	r.Get("/chat", newRoom().join)
	return r
}

// page shows a template with what the address says.
func page(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		err := pages.ExecuteTemplate(w, name, map[string]string{
			"Name": chi.URLParam(r, "name"), "Host": r.Host, "Visitor": r.RemoteAddr,
		})
		if err != nil {
			log.Print(err)
		}
	}
}

// clock tells the time till the visitor leaves.
func clock(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		fmt.Fprintf(w, "data: %s\n\n", time.Now().Format("15:04:05.0"))
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// sum reads a body of any size, a piece at a time.
func sum(w http.ResponseWriter, r *http.Request) {
	hash := sha256.New()
	n, err := io.Copy(hash, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%x  %d bytes\n", hash.Sum(nil), n)
}
