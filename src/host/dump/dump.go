// Package dump is the Go half of goloader.dump: what all goroutines are at.
package dump

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// Goroutines describes the stacks of all goroutines.
func Goroutines() string {
	for size := 1 << 16; ; size *= 2 {
		text := make([]byte, size)
		if n := runtime.Stack(text, true); n < size {
			return string(text[:n])
		}
	}
}

// On has them written to standard error whenever the process gets the signal.
func On(number int) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.Signal(number))
	go func() {
		for range signals {
			os.Stderr.WriteString("goloader: goroutines:\n\n" + Goroutines() + "\n")
		}
	}()
}
