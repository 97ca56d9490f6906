// Package second needs first.
package second

import "example.test/order/first"

// V is initialised with the help of first.
var V = first.Note("second.var")

func init() { first.Note("second.init") }

// Make returns a type of first in an interface.
func Make() any { return first.Event{Name: "made"} }
