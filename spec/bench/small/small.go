// Package main is a small module with a little of everything.
package main

import "fmt"

type point struct{ x, y int }

func (p *point) String() string { return fmt.Sprint(p.x + p.y) }

var (
	names = []string{"here", "there"}
	last  fmt.Stringer
)

func Add(x, y int) int {
	last = &point{x, y}
	return x + y
}

func Name(i int) string { return names[i] }

func main() {}
