// Package tally has methods to be called in every way that functions are.
package tally

import (
	"context"
	"errors"
	"regexp"
	"time"
)

// Tally stays in Go.
type Tally struct {
	N    int
	seen []string
}

func New() *Tally { return &Tally{} }

func (t *Tally) Add(n int) int { t.N += n; return t.N }

func (t *Tally) Note(word string, n int) (string, int) {
	t.seen = append(t.seen, word)
	return word, len(t.seen) * n
}

func (t *Tally) Check(n int) (int, error) {
	if n < 0 {
		return 0, errors.New("negative")
	}
	return n, nil
}

func (t *Tally) Visit(n int, f func(int) int) int { return f(n) + t.N }

func (t *Tally) Reset() { t.N = 0 }

func (t *Tally) Sleep(ms int) string {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return "slept"
}

func (t *Tally) Wait(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func (t *Tally) Fail() { panic("no good") }

// Step is a value.
type Step struct{ by int }

func NewStep(by int) Step { return Step{by} }

func (s Step) From(n int) int { return n + s.by }

func Pattern(expr string) *regexp.Regexp { return regexp.MustCompile(expr) }
