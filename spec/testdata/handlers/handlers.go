// Package handlers is an application on a third-party router, with a WebSocket; and a client of that.
package handlers

import (
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/websocket"
)

var up = websocket.Upgrader{}

func App() http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Recoverer, middleware.Compress(5))
	r.Get("/items/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "item %s", chi.URLParam(r, "id"))
	})
	r.Get("/ws", func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, text, err := c.ReadMessage()
			if err != nil {
				return
			}
			if c.WriteMessage(kind, append([]byte("echo "), text...)) != nil {
				return
			}
		}
	})
	return r
}

// Talk sends texts to the WebSocket of an address, and returns what came back last.
func Talk(url string, texts []string) (answer string, err error) {
	c, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		return "", err
	}
	defer c.Close()
	for _, text := range texts {
		if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			return "", err
		}
		_, got, err := c.ReadMessage()
		if err != nil {
			return "", err
		}
		answer = string(got)
	}
	return answer, c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}
