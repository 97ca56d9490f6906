// Package partial has functions that return something beside their errors.
package partial

import (
	"bufio"
	"errors"
	"io"
	"os/exec"
	"strings"
)

// Item is a table in Lua, and Counter a handle.
type (
	Item    struct{ Name string }
	Counter struct{ n int }
)

var errHalf = errors.New("half of it")

// fails is an error unless n is 0.
func fails(n int) error {
	if n == 0 {
		return nil
	}
	return errHalf
}

func Only(n int) error                                    { return fails(n) }
func Number(n int) (int, error)                           { return n, fails(n) }
func Big(n int) (int64, error)                            { return int64(n) << 60, fails(n) }
func Float(n int) (float64, error)                        { return float64(n) / 2, fails(n) }
func Bool(n int) (bool, error)                            { return n > 1, fails(n) }
func Text(s string, n int) (string, error)                { return s, fails(n) }
func Bytes(s string, n int) ([]byte, error)               { return []byte(s), fails(n) }
func Three(s string, n int) (int, string, float64, error) { return n, s, 0.5, fails(n) }
func Nothing(n int) (int, string, []string, map[string]int, *Counter, any, error) {
	return 0, "", nil, nil, nil, nil, fails(n)
}
func List(n int) ([]string, error)         { return []string{"a", "b"}[:n], fails(n) }
func Struct(s string, n int) (Item, error) { return Item{s}, fails(n) }
func Handle(n int) (*Counter, error)       { return &Counter{n}, fails(n) }
func Apart(n int) (any, []byte, error)     { return nil, []byte{65}, fails(n) }

// Counted returns more results than there are registers for.
func Counted(n int) (a, b, c, d, e, f, g, h, i, j, k int, err error) {
	return 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, fails(n)
}

func (c *Counter) Get() int               { return c.n }
func (c *Counter) Add(n int) (int, error) { c.n += n; return c.n, fails(n) }

// Output is what a command has written that failed.
func Output(script string) ([]byte, error) {
	return exec.Command("/bin/sh", "-c", script).CombinedOutput()
}

// Reader reads lines, the last of which ends without a line feed.
func Reader(s string) *bufio.Reader { return bufio.NewReader(io.MultiReader(strings.NewReader(s))) }
