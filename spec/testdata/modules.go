// Package modules tells how many modules the Go runtime knows, this one among them.
package modules

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"
)

//go:linkname modulesSlice runtime.modulesSlice
var modulesSlice *[]unsafe.Pointer

// Count is the length of the runtime's list, and how many mappings it finds functions in: those of small modules are not
// in the list.
func Count() int {
	n := len(*modulesSlice)
	maps, _ := os.ReadFile("/proc/self/maps")
	for _, line := range strings.Split(string(maps), "\n") {
		var low, high uintptr
		var prot string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &low, &high, &prot); err != nil || prot != "r-xp" || strings.Contains(line, "/") {
			continue
		}
		if f := runtime.FuncForPC(low); f != nil && f.Name() != "goloader.unloaded" {
			n++
		}
	}
	return n
}
