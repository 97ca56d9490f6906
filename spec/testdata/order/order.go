// Package order is initialised last: its variables by dependency, then its init functions as they stand.
package order

import (
	"strings"

	"example.test/order/first"
	"example.test/order/second"
)

var a = first.Note("order.a after " + b)
var b = first.Note("order.b")

func init() { first.Note("order.init1") }
func init() { first.Note("order.init2") }

// Log tells what ran, in order.
func Log() string { return strings.Join(first.Log, ",") }

// Same tells whether a type is the same in all three packages.
func Same() bool {
	e, ok := second.Make().(first.Event)
	return ok && e == first.Event{Name: "made"} && a != second.V
}
