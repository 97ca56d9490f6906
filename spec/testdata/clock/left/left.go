// Package left uses a third-party package with C in it.
package left

import "example.com/clock"

func Tick() int { return clock.Tick() }
func Set(n int) { clock.Offset = n }
