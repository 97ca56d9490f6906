package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// objectHeader returns the line that every object carries that can be linked into the host. It names operating system,
// processor, version, GOAMD64 and the experiments (cmd/internal/objabi/util.go, HeaderString); which experiments are
// on by default differs from release to release, so we compile an empty package and look.
func objectHeader(goroot string, settings map[string]string) (string, error) {
	dir, err := os.MkdirTemp("", "describe")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "empty.go")
	object := filepath.Join(dir, "empty.o")
	if err := os.WriteFile(source, []byte("package empty\n"), 0o666); err != nil {
		return "", err
	}

	cmd := exec.Command(filepath.Join(goroot, "bin", "go"), "tool", "compile", "-p", "empty", "-o", object, source)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOROOT="+goroot, "GOTOOLCHAIN=local", "GOFLAGS=",
		"GOEXPERIMENT="+settings["GOEXPERIMENT"])
	for _, name := range []string{"GOOS", "GOARCH", "GOAMD64"} {
		if settings[name] != "" {
			cmd.Env = append(cmd.Env, name+"="+settings[name])
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, out)
	}

	file, err := os.Open(object)
	if err != nil {
		return "", err
	}
	defer file.Close()
	// "!<arch>", the header of the archive's first member, and then the line we came for.
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "go object ") {
			return lines.Text(), nil
		}
	}
	return "", fmt.Errorf("%s wrote no line that starts with \"go object\"", strings.Join(cmd.Args, " "))
}
