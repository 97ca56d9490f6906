// Package inside has tests of its own package.
package inside

func add(a, b int) int { return a + b }
