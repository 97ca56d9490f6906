//go:build tagged

package flags

func init() { tagged = true }
