//go:build go1.23

package side

import (
	"unique"

	"example.com/uses/base"
)

func init() {
	more = func(check func(name string, ok bool)) {
		handle, ok := base.Boxes["handle"].(unique.Handle[base.Point])
		check("handle", ok && handle == unique.Make(base.Point{X: 1}))
	}
}
