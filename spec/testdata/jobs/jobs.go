// Package jobs has functions that take their time, for spec/jobs_spec.lua.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

type Item struct {
	Name  string
	Price float64
	Tags  []string
}

func Add(a, b int) int { return a + b }

func Sum(numbers ...float64) (sum float64) {
	for _, n := range numbers {
		sum += n
	}
	return sum
}

func Greet(name string) string { return "hello " + name }

func Repeat(item Item, n int) (items []Item, err error) {
	if n < 0 {
		return nil, errors.New("less than nothing")
	}
	for i := 0; i < n; i++ {
		items = append(items, item)
	}
	return items, nil
}

func Swap(a, b string, n [3]int) (string, string, [3]int) { return b, a, [3]int{n[2], n[1], n[0]} }

var ErrNoName = errors.New("no name")

func IsNoName(err error) bool { return errors.Is(err, ErrNoName) }

func Check(name string) error {
	if name == "" {
		return ErrNoName
	}
	return nil
}

// A Worker has hidden fields.
type Worker struct {
	Name string
	done bool
}

func NewWorker(name string) *Worker             { return &Worker{Name: name} }
func TwoWorkers() (a *Worker, n int, b *Worker) { return NewWorker("a"), 2, NewWorker("b") }

var madeWorkers, liveWorkers atomic.Int64

func CountedWorker() *Worker {
	w := &Worker{}
	madeWorkers.Add(1)
	liveWorkers.Add(1)
	runtime.SetFinalizer(w, func(*Worker) { liveWorkers.Add(-1) })
	return w
}

// HalfWorker gives a worker, and an error that can't say what it is: the result can't be told of.
func HalfWorker(fails int) (*Worker, error) {
	if fails == 0 {
		return CountedWorker(), nil
	}
	return CountedWorker(), silent{}
}

type silent struct{}

func (silent) Error() string { panic("an error without a word") }

func MadeWorkers() int { return int(madeWorkers.Load()) }

func LiveWorkers() int {
	runtime.GC()
	return int(liveWorkers.Load())
}

func Sleep(seconds float64) float64 {
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	return seconds
}

func Panic(message string) int { panic(message) }

func Exit() int {
	runtime.Goexit()
	return 1
}

func Quit(status int) { os.Exit(status) }

// Spin works for as long as that takes, without a call of the runtime.
func Spin(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		sum += i ^ sum<<1
	}
	return sum
}

// Blocked holds jobs until Release.
var gate = make(chan struct{})

var blocked atomic.Int64

func Block(n int) int {
	blocked.Add(1)
	<-gate
	blocked.Add(-1)
	return n
}

func Blocked() int { return int(blocked.Load()) }

func Release() {
	close(gate)
	gate = make(chan struct{})
}

func Goroutine() string {
	buf := make([]byte, 64)
	return string(buf[:runtime.Stack(buf, false)])
}

func UntilCancelled(ctx context.Context, limit float64) (string, error) {
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(time.Duration(limit * float64(time.Second))):
		return "time is over", nil
	}
}

func Text(at time.Time) string { return at.Format(time.RFC3339) }

// Parallel runs n goroutines of its own.
func Parallel(n int) int {
	var group sync.WaitGroup
	var sum atomic.Int64
	for i := 0; i < n; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			sum.Add(int64(i))
		}(i)
	}
	group.Wait()
	return int(sum.Load())
}

// Native is what 100,000 jobs are compared with: goroutines, and a channel for their results.
func Native(jobs, n int) float64 {
	start := time.Now()
	results := make(chan int)
	for i := 0; i < jobs; i++ {
		go func() { results <- Spin(n) }()
	}
	for i := 0; i < jobs; i++ {
		<-results
	}
	return time.Since(start).Seconds()
}

func SpinSeconds(n, times int) float64 {
	start := time.Now()
	for i := 0; i < times; i++ {
		kept += Spin(n)
	}
	return time.Since(start).Seconds()
}

var kept int

func Describe(v any) string { return fmt.Sprintf("%T", v) }
