package serve

import (
	"sync"
	"time"
)

// Gate is where requests wait for something that another one does.
type Gate struct {
	once sync.Once
	open chan struct{}
}

// NewGate makes one that is closed.
func NewGate() *Gate { return &Gate{open: make(chan struct{})} }

// Open lets all pass, from now on.
func Open(g *Gate) { g.once.Do(func() { close(g.open) }) }

// Pass waits till the gate is open; for so many seconds, then it returns false.
func Pass(g *Gate, n float64) bool {
	timer := time.NewTimer(seconds(n))
	defer timer.Stop()
	select {
	case <-g.open:
		return true
	case <-timer.C:
		return false
	}
}
