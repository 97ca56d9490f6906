//go:build !fancy

package tags

const plain = "plain"
