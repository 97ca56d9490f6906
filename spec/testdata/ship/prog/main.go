//go:debug panicnil=1

// Command prog is a program to be shipped.
package main

import (
	"bufio"
	"fmt"
	"os"

	"example.com/ship/inner"
)

func main() {
	defer func() {
		fmt.Println("recovered", recover())
		os.Exit(len(os.Args))
	}()
	line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	fmt.Print(os.Args[1:], " ", line)
	fmt.Fprintln(os.Stderr, inner.Log[0])
	panic(nil)
}
