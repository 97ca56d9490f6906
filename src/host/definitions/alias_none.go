//go:build !go1.22

package definitions

import "go/types"

// unalias: what go/types tells of a type is never an alias here.
func unalias(t types.Type) types.Type { return t }
