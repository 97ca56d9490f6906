// Programs that can't pass, by the nature of a host in a shared library.

package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// exception is a line of the file `exceptions`: the program, the Go versions it concerns, the line of Go's source that
// makes it impossible, and why.
type exception struct {
	name     string
	versions string // "all", or versions and ranges separated by commas: "1.21-1.23,1.25"
	source   string // "runtime/proc.go:6200 (go1.26.8)"
	why      string
}

// readExceptions returns the exceptions that concern a Go version, by program.
func readExceptions(root, goVersion string) (map[string]exception, error) {
	path := filepath.Join(root, "spec", "conformance", "exceptions")
	file, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer file.Close()
	minor, err := minorVersion(goVersion)
	if err != nil {
		return nil, err
	}
	found := map[string]exception{}
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 4 || f[0] == "" || f[2] == "" || f[3] == "" {
			return nil, fmt.Errorf("%s:%d: not four fields with tabs between", path, n)
		}
		holds, err := versionHolds(f[1], minor)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %v", path, n, err)
		}
		if holds {
			found[f[0]] = exception{f[0], f[1], f[2], f[3]}
		}
	}
	return found, lines.Err()
}

// minorVersion returns 26 for "go1.26.8", "go1.26rc1" and "1.26".
func minorVersion(version string) (int, error) {
	digits, ok := strings.CutPrefix(strings.TrimPrefix(version, "go"), "1.")
	if end := strings.IndexFunc(digits, func(c rune) bool { return c < '0' || c > '9' }); end >= 0 {
		digits = digits[:end]
	}
	minor, err := strconv.Atoi(digits)
	if !ok || err != nil {
		return 0, fmt.Errorf("%q is no Go version", version)
	}
	return minor, nil
}

func versionHolds(list string, minor int) (bool, error) {
	if list == "all" {
		return true, nil
	}
	for _, part := range strings.Split(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := minorVersion(first)
		if err != nil {
			return false, err
		}
		to, err := minorVersion(last)
		if err != nil {
			return false, err
		}
		if from <= minor && minor <= to {
			return true, nil
		}
	}
	return false, nil
}
