//go:build race

package host

import "runtime"

// What the race detector is told of calls from C by their own way into Go, as the runtime tells it of cgo's
// (runtime.cgocall, cgocallbackg): what was before them in C is before them, whichever thread it was on.

//go:nosplit
func raceBegin() { runtime.RaceAcquire(rt.race_cgo_sync) }

//go:nosplit
func raceEnd() { runtime.RaceReleaseMerge(rt.race_cgo_sync) }
