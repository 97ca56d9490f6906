// A program that runs the Lua files it is given, each in a state and a goroutine of its own, and exits with 7.
package main

import (
	"fmt"
	"os"
	"sync"

	"example.test/embedding/hook"
	_ "goloader.dev/host"
)

func main() {
	var running sync.WaitGroup
	failed := make(chan error, len(os.Args))
	for _, file := range os.Args[1:] {
		file := file
		running.Add(1)
		go func() {
			defer running.Done()
			if err := hook.Run(file); err != nil {
				failed <- fmt.Errorf("%s: %w", file, err)
			}
		}()
	}
	running.Wait()
	close(failed)
	for err := range failed {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("all files have run")
	os.Exit(7)
}
