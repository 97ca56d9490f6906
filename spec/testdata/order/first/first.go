// Package first is initialised before all others.
package first

// Log is what ran, in order.
var Log = []string{"first.var"}

func init() { Log = append(Log, "first.init") }

// Note appends to the log.
func Note(s string) string { Log = append(Log, s); return s }

// Event is a type that all packages of the module share.
type Event struct{ Name string }
