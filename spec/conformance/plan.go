// From a recipe to commands: how each kind of program is made runnable, natively and for the loader.
//
// The rules are again those of cmd/internal/testdir. Both sides compile with the same commands where the recipe compiles
// by itself (the loader is then given the objects), and where it leaves all to `go run`, so does ours to `goloader run`.

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// plan is what leads to one run of a program.
type plan struct {
	dir      string // where its commands run
	env      []string
	steps    []step
	final    []string // the run that is judged
	after    []step
	coverDir string // the folder that takes coverage data, or ""
	made     string // a file that must be the same on both sides, or ""
}

// madeLimit is how long a program may be that a program makes.
const madeLimit = 64 << 20

// step is one command before or after the run that is judged. All must succeed.
type step struct {
	command []string
	output  string // the file that takes what it prints, or ""
	mayFail bool
}

// side makes the two plans of one program. What it compiles lies in temp.
type side struct {
	*config
	p    *program
	temp string
	plan plan
}

func makePlan(ctx context.Context, cfg *config, p *program, temp string, isNative bool) (plan, error) {
	s := &side{config: cfg, p: p, temp: temp}
	s.plan = plan{dir: cfg.testDir, env: append(cfg.env[:len(cfg.env):len(cfg.env)], p.env...)}
	s.plan.env = append(s.plan.env, cfg.set.env...)
	if cfg.hosts != nil && p.experiment != "" && !isNative {
		host, err := cfg.hosts.get(ctx, p.experiment)
		if err != nil {
			return s.plan, err
		}
		s.plan.env = append(s.plan.env, "GOLOADER_HOST="+host)
	}
	var err error
	switch p.action {
	case "rundir", "errorcheckandrundir":
		err = s.folder(isNative)
	case "buildrundir":
		err = s.assembly(isNative)
	case "runindir":
		err = s.module(isNative)
	case "runoutput":
		made := filepath.Join(temp, "made.go")
		generator := s.source(isNative, filepath.Join(temp, "generator"), p.file, p.more...)
		s.add(step{command: append(generator, p.args...), output: made})
		s.plan.made = made
		s.plan.final = s.source(isNative, filepath.Join(temp, "program"), made)
	default:
		s.plan.final = append(s.source(isNative, filepath.Join(temp, "program"), p.file, p.more...), p.args...)
	}
	if cfg.set.cover {
		s.plan.coverDir = filepath.Join(temp, "cover")
		s.plan.made = filepath.Join(temp, "cover.txt")
		s.plan.env = append(s.plan.env, "GOCOVERDIR="+s.plan.coverDir)
		s.plan.after = []step{{command: s.goCommand("tool", "covdata", "textfmt", "-i="+s.plan.coverDir, "-o="+s.plan.made)}}
	}
	s.plan.env = append(s.plan.env, "PWD="+s.plan.dir)
	return s.plan, err
}

// do runs steps up to the first that fails, which it returns with what became of it.
func (pl *plan) do(ctx context.Context, lim limits, steps []step) (*step, outcome) {
	for i := range steps {
		st := &steps[i]
		if st.output != "" {
			lim.output = max(lim.output, madeLimit)
		}
		out := runProcess(ctx, lim, pl.dir, pl.env, st.command, false)
		if !out.ok() && !st.mayFail {
			return st, out
		}
		if st.output != "" {
			if err := os.WriteFile(st.output, out.stdout, 0o644); err != nil {
				return st, outcome{code: -1, failed: err}
			}
		}
	}
	return nil, outcome{}
}

// run is the run that is judged.
func (pl *plan) run(ctx context.Context, lim limits, merged bool) outcome {
	if pl.coverDir != "" {
		os.RemoveAll(pl.coverDir)
		if err := os.Mkdir(pl.coverDir, 0o755); err != nil {
			return outcome{code: -1, failed: err}
		}
	}
	return runProcess(ctx, lim, pl.dir, pl.env, pl.final, merged)
}

// madeHash stands for the file that the plan has made.
func (pl *plan) madeHash() string {
	if pl.made == "" {
		return ""
	}
	text, err := os.ReadFile(pl.made)
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func (s *side) add(st step) { s.plan.steps = append(s.plan.steps, st) }

func (s *side) goCommand(words ...string) []string {
	return append([]string{filepath.Join(s.goroot, "bin", "go")}, words...)
}

// flags are those of the flag set under test and the recipe's own.
func (s *side) flags() []string {
	return append(append([]string(nil), s.set.flags...), s.p.flags...)
}

func (s *side) runLoaded(words ...string) []string {
	return append(append([]string(nil), s.runner...), words...)
}

// source returns the command that runs Go files, or a directory.
func (s *side) source(isNative bool, exe, file string, more ...string) []string {
	words := append(append(s.flags(), file), more...)
	if !isNative {
		return s.runLoaded(words...)
	}
	if s.p.action != "run" || len(words)+len(s.p.args)+len(s.set.env) > 1 || s.p.experiment != "" {
		s.add(step{command: append(s.goCommand("build", "-o", exe), words...)})
		return []string{exe}
	}
	// A plain recipe is compiled and linked directly, which is much faster than the go command; flags and arguments
	// call for that (some recipes have an argument for no other reason, as with import "C").
	object := exe + ".o"
	s.add(step{command: s.goCommand("tool", "compile", "-p=main", "-importcfg="+s.importcfg, "-o", object, file)})
	s.link(exe, s.importcfg, nil, object)
	return []string{exe}
}

func (s *side) link(exe, importcfg string, flags []string, object string) {
	command := s.goCommand("tool", "link", "-s", "-w", "-buildid=test", "-importcfg="+importcfg, "-o", exe)
	s.add(step{command: append(append(command, flags...), object)})
}

// ---- folders ----------------------------------------------------------------------------------------------------

// goPackage is one package of a folder, whose files lie beside those of the others.
type goPackage struct {
	path   string // "main", or "test/a" after its first file
	object string
	files  []string
}

var packageClause = regexp.MustCompile(`(?m)^package ([\p{Lu}\p{Ll}\w]+)`)

// packagesOf returns the packages of a folder in the order of their first files, the order they are compiled in.
func (s *side) packagesOf(folder string) ([]*goPackage, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%s: no Go files (%v)", folder, err)
	}
	var packages []*goPackage
	byName := map[string]*goPackage{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		clause := packageClause.FindSubmatch(text)
		if clause == nil {
			return nil, fmt.Errorf("%s: no package clause", file)
		}
		name := string(clause[1])
		pkg := byName[name]
		if pkg == nil || s.p.single {
			base := strings.TrimSuffix(filepath.Base(file), ".go")
			pkg = &goPackage{path: path.Join("test", base), object: filepath.Join(s.temp, "test", base+".a")}
			if name == "main" {
				pkg.path, pkg.object = "main", filepath.Join(s.temp, base+".o")
			}
			byName[name] = pkg
			packages = append(packages, pkg)
		}
		pkg.files = append(pkg.files, file)
	}
	return packages, nil
}

// folder compiles all packages of a folder; the last is the program.
func (s *side) folder(isNative bool) error {
	folder := filepath.Join(s.testDir, s.p.dir())
	packages, err := s.packagesOf(folder)
	if err != nil {
		return err
	}
	flags, linkFlags := s.flags(), []string(nil)
	for i, flag := range flags {
		if flag == "-ldflags" {
			flags, linkFlags = flags[:i], flags[i+1:]
			break
		}
	}
	if s.p.action == "errorcheckandrundir" {
		flags = append(flags, "-d=panic")
	}
	importcfg, err := os.ReadFile(s.importcfg)
	if err != nil {
		return err
	}
	var objects []string
	for _, pkg := range packages {
		if pkg.path != "main" {
			importcfg = append(importcfg, fmt.Sprintf("\npackagefile %s=%s", pkg.path, pkg.object)...)
		}
	}
	importcfgFile := filepath.Join(s.temp, "importcfg")
	if err := os.WriteFile(importcfgFile, importcfg, 0o644); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(s.temp, "test"), 0o755); err != nil {
		return err
	}
	for i, pkg := range packages {
		// the one before the last shows that it can't be compiled, and nobody imports it
		mayFail := s.p.mustFail && i == len(packages)-2
		command := s.goCommand("tool", "compile", "-e", "-D", "test", "-importcfg="+importcfgFile, "-o", pkg.object, "-p="+pkg.path)
		s.add(step{command: append(append(command, flags...), pkg.files...), mayFail: mayFail})
		if !mayFail {
			objects = append(objects, pkg.object)
		}
	}
	s.plan.dir = s.temp
	if isNative {
		exe := filepath.Join(s.temp, "a.exe")
		s.link(exe, importcfgFile, linkFlags, objects[len(objects)-1])
		s.plan.final = append([]string{exe}, s.p.args...)
	} else {
		s.plan.final = append(s.runLoaded(objects...), s.p.args...)
	}
	return nil
}

// assembly makes one package of a folder's Go and assembly files.
func (s *side) assembly(isNative bool) error {
	folder := filepath.Join(s.testDir, s.p.dir())
	goFiles, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return err
	}
	asmFiles, err := filepath.Glob(filepath.Join(folder, "*.s"))
	if err != nil {
		return err
	}
	s.plan.dir = s.temp
	objects := []string{"go.o"}
	compile := s.goCommand("tool", "compile", "-p=main", "-e", "-D", ".", "-importcfg="+s.importcfg, "-o", "go.o")
	if len(asmFiles) > 0 {
		if err := os.WriteFile(filepath.Join(s.temp, "go_asm.h"), nil, 0o644); err != nil {
			return err
		}
		s.add(step{command: append(s.goCommand("tool", "asm", "-p=main", "-gensymabis", "-o", "symabis"), asmFiles...)})
		compile = append(compile, "-asmhdr", "go_asm.h", "-symabis", "symabis")
		objects = append(objects, "asm.o")
	}
	s.add(step{command: append(compile, goFiles...)})
	if len(asmFiles) > 0 {
		s.add(step{command: append(s.goCommand("tool", "asm", "-p=main", "-e", "-I", ".", "-o", "asm.o"), asmFiles...)})
	}
	s.add(step{command: append(s.goCommand("tool", "pack", "c", "all.a"), objects...)})
	if isNative {
		exe := filepath.Join(s.temp, "a.exe")
		s.link(exe, s.importcfg, nil, "all.a")
		s.plan.final = []string{exe}
	} else {
		s.plan.final = s.runLoaded("all.a")
	}
	return nil
}

// module makes a module of a copy of the folder, in a GOPATH of its own, and runs that.
func (s *side) module(isNative bool) error {
	folder := filepath.Join(s.testDir, s.p.dir())
	name := filepath.Base(folder)
	s.plan.dir = filepath.Join(s.temp, "src", name)
	if err := copyTree(s.plan.dir, folder); err != nil {
		return err
	}
	version := s.p.modVersion
	if version == "" {
		version = "1.14"
	}
	text := fmt.Sprintf("module %s\ngo %s\n", name, version)
	if err := os.WriteFile(filepath.Join(s.plan.dir, "go.mod"), []byte(text), 0o644); err != nil {
		return err
	}
	s.plan.env = append(s.plan.env, "GOPATH="+s.temp)
	s.plan.final = s.source(isNative, filepath.Join(s.temp, "a.exe"), ".")
	return nil
}

func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(file string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, 0o644)
	})
}
