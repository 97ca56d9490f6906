// Package native holds programs that keep a processor busy, each some tens of milliseconds long: what code.native
// compares inside a module and linked natively. Half of them are code of their own (own.go), half put the standard
// library to work (std.go), and each answers with a sum of what it did, so that both sides can be seen to do the same.
package native

import (
	"fmt"
	"runtime"
	"time"
)

type program struct {
	name string
	run  func() uint64
}

var programs = []program{
	{"binary-trees", binaryTrees},
	{"fannkuch", fannkuch},
	{"n-body", nBody},
	{"spectral-norm", spectralNorm},
	{"mandelbrot", mandelbrot},
	{"fasta", fasta},
	{"reverse-complement", reverseComplement},
	{"matrix", matrix},
	{"words", words},
	{"dispatch", dispatch},
	{"interpreter", interpreter},
	{"sort", sorted},
	{"channels", channels},
	{"json", jsonRoundTrip},
	{"gob", gobRoundTrip},
	{"gzip", gzipRoundTrip},
	{"sha256", sha},
	{"regexp", matches},
	{"template", page},
	{"pi", pi},
	{"fmt", formatted},
}

// Names lists the programs.
func Names() []string {
	var names []string
	for _, p := range programs {
		names = append(names, p.name)
	}
	return names
}

// Run runs a program so often and returns the nanoseconds of its fastest run, and its sum.
func Run(name string, times int) (best float64, sum string, err error) {
	for _, p := range programs {
		if p.name != name {
			continue
		}
		for i := 0; i < times; i++ {
			runtime.GC()
			begin := time.Now()
			n := p.run()
			if took := float64(time.Since(begin)); i == 0 || took < best {
				best = took
			}
			sum = fmt.Sprintf("%x", n)
		}
		return best, sum, nil
	}
	return 0, "", fmt.Errorf("no program %s", name)
}
