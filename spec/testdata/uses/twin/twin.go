// Package twin is as top, and looks at what top left.
package twin

import (
	"example.com/uses/base"
	"example.com/uses/mid"
)

// Assert asks for what another module that uses both has left.
func Assert() bool {
	list, ok := base.Boxes["weights"].(*base.List[mid.Weight])
	ways, ok2 := base.Boxes["ways"].(map[mid.Weight][]mid.Path)
	return ok && ok2 && list.All()[0] == 7 && ways[1][0].X == 8
}
