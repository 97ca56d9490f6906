package site

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// A room passes on what each of its guests says to all of them.
type room struct {
	mu     sync.Mutex
	guests map[*websocket.Conn]string
}

func newRoom() *room { return &room{guests: map[*websocket.Conn]string{}} }

func (room *room) join(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer c.CloseNow()
	name := r.URL.Query().Get("name")
	if name == "" {
		name = "somebody"
	}
	room.mu.Lock()
	room.guests[c] = name
	room.mu.Unlock()
	defer func() {
		room.mu.Lock()
		delete(room.guests, c)
		room.mu.Unlock()
		room.tell(name + " has left")
	}()
	room.tell(name + " is here")
	for {
		_, text, err := c.Read(r.Context())
		if err != nil {
			return
		}
		room.tell(name + ": " + string(text))
	}
}

func (room *room) tell(text string) {
	room.mu.Lock()
	guests := make([]*websocket.Conn, 0, len(room.guests))
	for c := range room.guests {
		guests = append(guests, c)
	}
	room.mu.Unlock()
	for _, c := range guests {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		c.Write(ctx, websocket.MessageText, []byte(text))
		cancel()
	}
}
