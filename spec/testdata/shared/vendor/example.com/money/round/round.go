// Package round rounds numbers.
package round

import "math"

// Half rounds to the nearest integer, half up.
func Half(x float64) int64 { return int64(math.Floor(x + 0.5)) }
