// Flags that people build with: each set is a way to measure the programs once more.

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// flagSet is added to what a recipe asks for.
type flagSet struct {
	name  string // part of the names of files; empty for the set of no flags
	flags []string
	env   []string
	cover bool // coverage data is made, and compared
	since int  // the first Go, 1.N, that has it
}

var flagSets = []flagSet{
	{},
	{name: "noopt", flags: []string{"-gcflags=-N -l"}},
	{name: "nobounds", flags: []string{"-gcflags=-B"}},
	{name: "trimpath", flags: []string{"-trimpath"}},
	{name: "v3", env: []string{"GOAMD64=v3"}},
	{name: "cover", flags: []string{"-cover"}, cover: true},
	// From here on the standard library is another than the host's.
	{name: "cover-std", flags: []string{"-cover", "-coverpkg=std"}, cover: true},
	{name: "noinline", flags: []string{"-gcflags=all=-l"}},
	{name: "noopt-all", flags: []string{"-gcflags=all=-N -l"}},
	{name: "netgo", flags: []string{"-tags=netgo"}},
	{name: "nocgo", env: []string{"CGO_ENABLED=0"}},
	{name: "fips", env: []string{"GOFIPS140=latest"}, since: 24},
	{name: "fips-v1.0.0", env: []string{"GOFIPS140=v1.0.0"}, since: 24},
}

func findFlagSet(name, goVersion string) (flagSet, error) {
	minor, err := minorVersion(goVersion)
	if err != nil {
		return flagSet{}, err
	}
	var names []string
	for _, set := range flagSets {
		if set.name == name && minor < set.since {
			return set, fmt.Errorf("flag set %s needs Go 1.%d, this is %s", name, set.since, goVersion)
		}
		if set.name == name {
			return set, nil
		}
		names = append(names, set.name)
	}
	return flagSet{}, fmt.Errorf("there is no flag set %q, but:%s", name, strings.Join(names, " "))
}

// takes reports whether a program is for this set: a recipe with flags of its own would change what the set means.
func (set *flagSet) takes(p *program) bool {
	return set.name == "" || p.action == "run" && len(p.flags) == 0 && p.experiment == ""
}

// hosts are those that programs with a GOEXPERIMENT need, each built at the first call: the experiment changes the
// runtime, or the header of every object.
type hosts struct {
	root, goroot, goVersion string
	mu                      sync.Mutex
	built                   map[string]error
}

func (h *hosts) get(ctx context.Context, experiment string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	dir := filepath.Join("build", "host", h.goVersion+"-"+experiment)
	err, done := h.built[experiment]
	if !done {
		build := exec.CommandContext(ctx, "make", "--no-print-directory", "-s", "-C", h.root, "GO="+h.goroot, "HOST_DIR="+dir, "host")
		build.Env = append(os.Environ(), "GOEXPERIMENT="+experiment, "MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=")
		if text, failure := build.CombinedOutput(); failure != nil {
			err = fmt.Errorf("host for GOEXPERIMENT=%s: %v: %s", experiment, failure, firstLine(text, "no output"))
		}
		h.built[experiment] = err
	}
	return filepath.Join(h.root, dir, "libgoloader_host.so"), err
}
