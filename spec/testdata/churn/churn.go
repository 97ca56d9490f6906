// Package churn is a busy program: goroutines allocate all the time, and hand on values that they are given, from stacks
// to channels to the heap. What they have made they look at again.
package churn

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// A node knows what it has to be.
type node struct {
	left, right *node
	sum         int
}

func tree(depth, seed int) *node {
	if depth == 0 {
		return &node{sum: seed}
	}
	n := &node{left: tree(depth-1, 2*seed), right: tree(depth-1, 2*seed+1)}
	n.sum = n.left.sum + n.right.sum
	return n
}

func (n *node) check() int {
	if n.left == nil {
		return n.sum
	}
	if sum := n.left.check() + n.right.check(); sum != n.sum {
		panic(fmt.Sprintf("a tree of %d has %d", n.sum, sum))
	}
	return n.sum
}

var (
	live    []*node
	rounds  atomic.Int64
	started sync.Once
)

// Fill has so many megabytes live, more or less.
func Fill(megabytes int) {
	for i := 0; i < megabytes; i++ {
		live = append(live, tree(14, i))
	}
}

// Check looks at all of that.
func Check() int {
	for _, n := range live {
		n.check()
	}
	return int(rounds.Load())
}

// ---- what is handed on ------------------------------------------------------------------------------------------

const members = 4

// A parcel is what goes round: by pointer, in an interface, or in a closure.
type parcel struct {
	value  fmt.Stringer
	unpack func() fmt.Stringer
}

var (
	ring  [members]chan *parcel
	heap  [members]atomic.Pointer[map[int]*parcel]
	taken = make(chan chan *parcel)
)

func pack(p *parcel, how int) *parcel {
	value := p.value
	if p.unpack != nil {
		value = p.unpack()
	}
	if how%2 == 0 {
		return &parcel{unpack: func() fmt.Stringer { return value }}
	}
	return &parcel{value: value}
}

func member(i int) {
	for round := 0; ; round++ {
		select {
		case p := <-ring[i]:
			t := tree(6, round) // meanwhile it is on this stack alone
			if p = pack(p, round); round%3 == 0 {
				m := map[int]*parcel{round: p}
				p = nil
				heap[i].Store(&m)
				runtime.Gosched()
				p = (*heap[i].Swap(nil))[round]
			}
			t.check()
			rounds.Add(1)
			select {
			case ring[(i+1)%members] <- p:
			case c := <-taken:
				c <- p
			}
		}
	}
}

// Start starts the goroutines.
func Start() {
	started.Do(func() {
		for i := range ring {
			ring[i] = make(chan *parcel)
		}
		for i := range ring {
			go member(i)
		}
		for i := 0; i < 2; i++ {
			go func(i int) {
				for round := 0; ; round++ {
					kept := tree(8, round)
					runtime.Gosched()
					kept.check()
				}
			}(i)
		}
	})
}

// Hand has them hand on a value, for ever.
func Hand(value any) { ring[0] <- &parcel{value: value.(fmt.Stringer)} }

// Take takes one of those back, and returns what it says.
func Take() string {
	c := make(chan *parcel)
	taken <- c
	return pack(<-c, 1).value.String()
}
