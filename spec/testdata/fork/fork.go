// Package fork is a program that is in the middle of things when its process forks.
package fork

import (
	"context"
	"strings"
)

type T struct{ N int }

func (t *T) Get() int { return t.N }

var Name = "fork"

// Busy keeps the scheduler and the collector at work.
func Busy(n int) {
	for i := 0; i < n; i++ {
		go func() {
			s := ""
			for {
				s = strings.Repeat("x", len(s)%1000+1)
			}
		}()
	}
}

func Add(a, b int) int { return a + b }

func Half(n int) int { return n / 2 }

func New(n int) *T { return &T{n} }

func Render() string { return strings.ToUpper(Name) }

func Later(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}
