// Package heap fills Go's heap and starts goroutines, for the figures of unloading, and tells how long the world was
// stopped: a goroutine that does nothing but look at the clock sees it.
package heap

import (
	"runtime"
	"sync/atomic"
	"time"
)

// A node is one of many small objects.
type node struct {
	left, right *node
	key         int
	next        *node
	value       [4]int
}

var (
	roots   []*node
	blocked = make(chan int)
	watches atomic.Bool
	largest atomic.Int64
)

// Fill adds so many megabytes of small objects, all of them reached.
func Fill(megabytes int) {
	const perMegabyte = 1 << 20 / 64
	for m := 0; m < megabytes; m++ {
		var list *node
		for i := 0; i < perMegabyte; i++ {
			n := &node{key: i, next: list}
			if list != nil {
				n.left, n.right = list.next, list.left
			}
			list = n
		}
		roots = append(roots, list)
	}
}

// Start starts goroutines that wait, a few calls deep.
func Start(goroutines int) {
	for i := 0; i < goroutines; i++ {
		go wait(5)
	}
	time.Sleep(100 * time.Millisecond)
}

//go:noinline
func wait(depth int) int {
	if depth == 0 {
		return <-blocked
	}
	return wait(depth-1) + 1
}

// Watch begins to look for gaps: times when it is not looked at the clock.
func Watch() {
	largest.Store(0)
	watches.Store(true)
	go func() {
		runtime.LockOSThread()
		last := time.Now()
		for watches.Load() {
			now := time.Now()
			if gap := int64(now.Sub(last)); gap > largest.Load() {
				largest.Store(gap)
			}
			last = now
		}
	}()
	time.Sleep(20 * time.Millisecond)
	largest.Store(0)
}

// Gap ends that, and returns the largest, in milliseconds.
func Gap() float64 {
	watches.Store(false)
	return float64(largest.Load()) / 1e6
}

// Collect runs the collector, and returns how long that took, in milliseconds.
func Collect() float64 {
	began := time.Now()
	runtime.GC()
	return float64(time.Since(began)) / 1e6
}
