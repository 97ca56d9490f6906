package roads

import "fmt"

var calls int

// Calls tells how often Counted and its like were called since it was asked last.
func Calls() int {
	n := calls
	calls = 0
	return n
}

// Counted is no pure function.
func Counted(a int, b uint8) int { calls++; return a + int(b) }

// Even is none either.
func Even(a int32) bool { calls++; return a%2 == 0 }

// Halved returns an error for odd numbers.
func Halved(a int) (int, error) {
	calls++
	if a%2 != 0 {
		return 0, fmt.Errorf("%d: %w", a, ErrOdd)
	}
	return a / 2, nil
}

// Note returns nothing but an error.
func Note(a int) error {
	_, err := Halved(a)
	return err
}

// Divide panics for zero.
func Divide(a, b int) int { calls++; return a / b }

// Quotient does too, and is pure.
func Quotient(a, b int) (int, int) { return a / b, a % b }

// Repeat is called by the C API.
func Repeat(words []string, n int) []string {
	var all []string
	for i := 0; i < n; i++ {
		all = append(all, words...)
	}
	return all
}

// Apply calls Lua.
func Apply(f func(int) int, n int) int { return f(n) }

// Mean is given arrays.
func Mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// Norm is not pure: it is counted.
func Norm(values []float32) float64 {
	calls++
	sum := 0.0
	for _, v := range values {
		sum += float64(v) * float64(v)
	}
	return sum
}

// Total takes whatever is counted in bytes.
func Total(b []byte, signed [3]int16) int {
	calls++
	sum := 0
	for _, v := range b {
		sum += int(v)
	}
	for _, v := range signed {
		sum += int(v)
	}
	return sum
}

// Any counts the true ones.
func Any(flags []bool, ids []uint64) (n int, last uint64) {
	for i, f := range flags {
		if f {
			n++
			last = ids[i]
		}
	}
	return n, last
}

func Ignore(_ int) {}
