// Command empty is a Go runtime in a shared library and nothing else: what any program pays that brings Go into a C
// process by -buildmode=c-shared. Nothing is its first call.
package main

import "C"

//export Nothing
func Nothing() {}

func main() {}
