// Command alone runs a program of the package native, linked natively: `alone NAME TIMES` prints the nanoseconds of the
// fastest run, and what it computed.
package main

import (
	"fmt"
	"os"
	"strconv"

	"goloader.dev/spec/bench/native"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: alone NAME TIMES")
		os.Exit(2)
	}
	times, err := strconv.Atoi(os.Args[2])
	if err == nil {
		var best float64
		var sum string
		if best, sum, err = native.Run(os.Args[1], times); err == nil {
			fmt.Println(best, sum)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "alone:", err)
		os.Exit(1)
	}
}
