//go:build fancy && !(ignore || windows)

package tags

const plain = "fancy"
