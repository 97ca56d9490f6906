// Package bare uses a package whose assembly has names without its path.
package bare

import "example.com/bare"

func Called() int         { return bare.Called() }
func Words() [2]uint64    { return bare.Words() }
func SetWord(word uint64) { bare.SetWord(word) }
