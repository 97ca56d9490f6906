// Package outside is tested from outside, with a TestMain and files of its directory.
package outside

// Double doubles.
func Double(n int) int { return 2 * n }
