package serve

import (
	"os"
	"os/signal"
	"syscall"
)

// AwaitSignal returns the name of the signal that is to end the process. A second one ends it at once, whatever Lua is
// doing, with the status that a shell gives what a signal has ended.
func AwaitSignal() string {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	got := <-signals
	go func() {
		again := <-signals
		os.Exit(128 + int(again.(syscall.Signal)))
	}()
	return got.String()
}
