// Package right uses it too.
package right

import "example.com/clock"

func Tick() int { return clock.Tick() }
func Set(n int) { clock.Offset = n }
