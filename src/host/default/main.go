// The default host: a Go runtime with the part of the standard library that programs most often use, as a shared
// library for C. It holds no code of its own; what it keeps of which packages is decided by packages.txt.
package main

import (
	_ "plugin" // makes the linker write every Go symbol to .dynsym, and keep all methods of reachable types

	_ "goloader.dev/host"
)

// The linker drops what nobody calls, and in this program nobody calls anything. The build adds a file that refers to
// every exported function, variable and type of the packages in packages.txt (see src/host/keep) and sets retained to
// the function that holds the references. It is never called: to be in reach is enough.
var retained func()

func main() {}
