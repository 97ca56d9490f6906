// Package profile is the Go half of goloader.profile: it takes profiles by runtime/pprof, and names in them what that
// can't: code that was unloaded meanwhile, and copies of functions that Lua calls without Go's runtime. What those are
// knows the C library (src/debug/names.c), which Lua asks in between.
package profile

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/pprof"
)

var cpu *bytes.Buffer

// StartCPU begins a profile of the process's time.
func StartCPU() error {
	buffer := new(bytes.Buffer)
	if err := pprof.StartCPUProfile(buffer); err != nil {
		return err
	}
	cpu = buffer
	return nil
}

// StopCPU ends it. Names are still to be told.
func StopCPU() (*Profile, error) {
	if cpu == nil {
		return nil, fmt.Errorf("no profile was started")
	}
	pprof.StopCPUProfile()
	buffer := cpu
	cpu = nil
	return read(buffer.Bytes())
}

// Take takes one of the other profiles: of what there is at this moment, or has been since SetRate.
func Take(name string) (*Profile, error) {
	var buffer bytes.Buffer
	if name == "heap" {
		runtime.GC() // figures of the heap are as of the last collection
	}
	if err := pprof.Lookup(name).WriteTo(&buffer, 0); err != nil {
		return nil, err
	}
	return read(buffer.Bytes())
}

// SetRate has blocking, or contention of mutexes, be counted from now on: all of it, or nothing.
func SetRate(name string, on bool) {
	rate := 0
	if on {
		rate = 1
	}
	if name == "block" {
		runtime.SetBlockProfileRate(rate)
	} else {
		runtime.SetMutexProfileFraction(rate)
	}
}
