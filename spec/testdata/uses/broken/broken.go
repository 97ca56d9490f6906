// Package broken uses base, and fails to initialise.
package broken

import "example.com/uses/base"

type part struct{ base.Point }

func init() {
	base.Boxes["broken"] = part{base.Origin}
	delete(base.Boxes, "broken")
	panic(&base.NotFound{Name: "way to go on"})
}

func Unreachable() {}
