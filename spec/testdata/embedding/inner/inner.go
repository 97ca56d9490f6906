// Package inner has work for a collector that checks: types, maps, goroutines, a stack that grows.
package inner

import (
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
)

type tree struct {
	Name     string
	Children map[string]*tree
}

func grow(depth int) *tree {
	t := &tree{Name: fmt.Sprint("at ", depth), Children: map[string]*tree{}}
	if depth > 0 {
		t.Children["left"], t.Children["right"] = grow(depth-1), grow(depth-1)
	}
	return t
}

func deep(n int) int {
	var frame [256]byte
	if n == 0 {
		runtime.GC()
		return 0
	}
	frame[n%256] = byte(n)
	return deep(n-1) + int(frame[n%256]) - n%256 + 1
}

// Work answers the length of what came out.
func Work(depth int) (int, error) {
	var all sync.WaitGroup
	lengths := make([]int, 4)
	for i := range lengths {
		i := i
		all.Add(1)
		go func() {
			defer all.Done()
			text, _ := json.Marshal(grow(depth))
			var back tree
			if json.Unmarshal(text, &back) == nil && back.Children["left"].Name == fmt.Sprint("at ", depth-1) {
				lengths[i] = len(text) + deep(500) - 500
			}
		}()
	}
	all.Wait()
	for _, n := range lengths {
		if n == 0 || n != lengths[0] {
			return 0, fmt.Errorf("lengths differ: %v", lengths)
		}
	}
	return lengths[0], nil
}
