// Package contexts has functions that take a context, for spec/context_spec.lua.
package contexts

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

type Request struct {
	Name string
	Ctx  context.Context
}

func IsBackground(ctx context.Context) bool { return ctx == context.Background() }

// Left is the number of seconds to the deadline, -1 when there is none.
func Left(ctx context.Context) float64 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return -1
	}
	return time.Until(deadline).Seconds()
}

// Heap is how many bytes are in use after a collection.
func Heap() int {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

func Value(ctx context.Context, key string) any { return ctx.Value(key) }

func Type(ctx context.Context, key string) string { return fmt.Sprintf("%T", ctx.Value(key)) }

func Wait(ctx context.Context, seconds float64) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(seconds * float64(time.Second))):
		return nil
	}
}

func Nested(r Request) (string, float64) { return r.Name, Left(r.Ctx) }

func All(all ...context.Context) (n int) {
	for _, ctx := range all {
		if ctx != nil {
			n++
		}
	}
	return n
}

func Both(a context.Context, name string, b context.Context) string {
	return fmt.Sprint(a.Value("n"), name, b.Value("n"))
}

// Watch counts the contexts that it was given and that are done.
var watched atomic.Int64

func Watch(ctx context.Context) {
	go func() {
		<-ctx.Done()
		watched.Add(1)
	}()
}

func Watched() int { return int(watched.Load()) }

func With(ctx context.Context, key string, value any) context.Context {
	return context.WithValue(ctx, key, value)
}

func Same(ctx context.Context) context.Context { return ctx }

func Cancellable() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}

func NoContext() chan int { return make(chan int) }

func Goroutines() int { return runtime.NumGoroutine() }

var Global context.Context

// Named is a context that Lua has a handle of.
func Named(name string) context.Context { return context.WithValue(context.Background(), "name", name) }

func Equal(a, b context.Context) bool { return a == b }

// Each gives a context to a function.
func Each(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	for i := 0; i < n; i++ {
		if err := f(ctx, i); err != nil {
			return err
		}
	}
	return nil
}
