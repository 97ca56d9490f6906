package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A pkg is a compiled package, as `go list` describes it.
type pkg struct {
	ImportPath string
	Name       string
	Dir        string
	Export     string // its archive; "" of unsafe
	BuildID    string // hashes of what made the archive, and of what is in it
	Standard   bool
	DepOnly    bool // not asked for, but needed
	Match      []string
	CXXFiles   []string
	Module     *module
}

type module struct {
	Path, Version string
	Replace       *module
}

const hostPath = "goloader.dev/host"

// readEnvironment fixes what else would depend on who calls: the toolchain, the target, that C is there.
func (h *host) readEnvironment() error {
	h.env = append(h.env, "GOROOT="+h.goroot, "GOTOOLCHAIN=local", "CGO_ENABLED=1", "GOOS=", "GOARCH=")
	text, err := h.goCommand("", h.env, "env", "-json", "GOAMD64", "GOEXPERIMENT", "GOFLAGS", "GOARCH", "CC", "CXX")
	if err != nil {
		return err
	}
	settings := map[string]string{}
	if err := json.Unmarshal(text, &settings); err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	for name, value := range settings {
		h.env = append(h.env, name+"="+value)
	}
	return nil
}

// setting is the value that the go command uses for an environment variable.
func (h *host) setting(name string) string {
	for i := len(h.env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(h.env[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// goCommand runs the go command. Its error is what it wrote.
func (h *host) goCommand(dir string, env []string, args ...string) ([]byte, error) {
	cmd := exec.Command(filepath.Join(h.goroot, "bin", "go"), args...)
	var errs bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stderr = dir, env, &errs
	out, err := cmd.Output()
	if err != nil && errs.Len() > 0 {
		return nil, errors.New(errs.String())
	}
	return out, err
}

func (h *host) list(dir string, env, flags, patterns []string) ([]*pkg, error) {
	args := append([]string{"list", "-export", "-deps",
		"-json=ImportPath,Name,Dir,Export,BuildID,Standard,DepOnly,Match,CXXFiles,Module"}, flags...)
	text, err := h.goCommand(dir, env, append(append(args, "--"), patterns...)...)
	if err != nil {
		return nil, err
	}
	var packages []*pkg
	for in := json.NewDecoder(bytes.NewReader(text)); ; {
		p := new(pkg)
		if err := in.Decode(p); err == io.EOF {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		packages = append(packages, p)
	}
}

// listUser lists packages from where the user stands, by the user's modules.
func (h *host) listUser(flags []string, patterns []string) ([]*pkg, error) {
	flags = append(append(flags, h.flags...), h.modules...)
	return h.list("", h.env, flags, patterns)
}

// listOwn lists packages of the standard library and of goloader.dev/host, which need no other module. Flags that are
// for the packages named by the user do not concern these.
func (h *host) listOwn(flags []string, patterns []string) ([]*pkg, error) {
	env := append(h.env[:len(h.env):len(h.env)], "GOWORK=off", "GO111MODULE=on",
		"GOFLAGS="+strings.Join(general(strings.Fields(h.setting("GOFLAGS"))), " "))
	trim, err := h.trimFlags()
	if err != nil {
		return nil, err
	}
	return h.list(h.sources, env, append(append(flags, general(h.flags)...), trim...), patterns)
}

// general leaves out the flags that are for one module or for the packages named on the command line.
func general(flags []string) []string {
	var kept []string
	for _, flag := range flags {
		name, value, _ := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
		switch strings.TrimPrefix(name, "-") {
		case "mod", "modfile", "overlay", "modcacherw":
			continue
		case "gcflags", "asmflags":
			if pattern, _, ok := strings.Cut(value, "="); !ok || strings.HasPrefix(pattern, "-") {
				continue
			}
		}
		kept = append(kept, flag)
	}
	return kept
}

// standardPackages lists the standard library, compiled as modules are.
func (h *host) standardPackages() ([]*pkg, error) {
	return h.listOwn(nil, []string{"std"})
}

// userPackages lists the packages to be linked in and all they need, compiled as modules are.
func (h *host) userPackages() ([]*pkg, error) {
	if len(h.packages) == 0 {
		return nil, nil
	}
	packages, err := h.listUser(nil, h.packages)
	if err != nil {
		return nil, err
	}
	linked, programs := packages[:0], 0
	for _, p := range packages {
		switch {
		case p.DepOnly || p.Name != "main":
			linked = append(linked, p)
		case h.exe && p.matches(h.packages[0]):
			linked = append(linked, p)
			programs++
		case h.exe || !strings.Contains(strings.Join(p.Match, " "), "..."):
			return nil, fmt.Errorf("%s is a program (package main): a host takes packages, and with --exe one program",
				p.ImportPath)
		}
	}
	if h.exe && programs != 1 {
		return nil, fmt.Errorf("%s names %d programs (package main): one is expected", h.packages[0], programs)
	}
	return linked, nil
}

func (p *pkg) matches(pattern string) bool {
	for _, match := range p.Match {
		if match == pattern {
			return true
		}
	}
	return false
}

func (p *pkg) isProgram() bool { return p.Name == "main" && !p.DepOnly }

// keptPackages are the import paths of the packages that the host holds whole. Packages of the list that this release
// of Go does not have are passed over.
func (h *host) keptPackages(std, linked []*pkg) ([]string, error) {
	var kept []string
	known := map[string]bool{"unsafe": true}
	add := func(path string) {
		if !known[path] {
			known[path] = true
			kept = append(kept, path)
		}
	}
	if !h.minimal {
		text, err := os.ReadFile(filepath.Join(h.sources, "default", "packages.txt"))
		if err != nil {
			return nil, err
		}
		released := map[string]bool{}
		for _, p := range std {
			released[p.ImportPath] = true
		}
		for _, line := range strings.Split(string(text), "\n") {
			if released[strings.TrimSpace(line)] {
				add(strings.TrimSpace(line))
			}
		}
	}
	for _, p := range linked {
		if !p.DepOnly && !p.isProgram() {
			add(p.ImportPath)
		}
	}
	return kept, nil
}

// archivesOf maps import paths to archives.
func archivesOf(lists ...[]*pkg) map[string]string {
	archives := map[string]string{}
	for _, list := range lists {
		for _, p := range list {
			if p.Export != "" {
				archives[p.ImportPath] = p.Export
			}
		}
	}
	return archives
}

// writeArchives writes what belongs into an importcfg of modules: nothing of the standard library a second time, and no
// programs. names has the files' names there.
func writeArchives(out io.Writer, packages []*pkg, names map[string]string) {
	standard := len(packages) > 0 && packages[0].Standard && packages[len(packages)-1].Standard
	for _, p := range packages {
		if p.Export != "" && !p.isProgram() && p.Standard == standard {
			fmt.Fprintf(out, "packagefile %s=%s\n", p.ImportPath, names[p.Export])
		}
	}
}
