package serve

import (
	"os"
	"os/signal"
	"syscall"
)

// AwaitSignal returns the name of the signal that is to end the process. Whoever sends a second one finds it as it was
// before: it ends the process at once, whatever that does.
func AwaitSignal() string {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	got := <-signals
	signal.Reset(syscall.SIGINT, syscall.SIGTERM)
	return got.String()
}
