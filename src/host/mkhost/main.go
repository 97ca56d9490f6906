// Mkhost makes hosts: a Go runtime with whole packages linked in, which modules find there and share.
//
//	mkhost -sources DIR -o OUT.so [-minimal] [build flags] PACKAGE…     a shared library for C
//	mkhost -sources DIR -o OUT -exe [-minimal] [build flags] PROGRAM [PACKAGE…]     a program that is its own host
//
// Without -minimal, the packages of default/packages.txt are kept whole too. Beside the host it writes what loading a
// module takes: OUT.desc (see describe), OUT.archives (those of the standard library, and of the packages linked in),
// OUT.importcfg (which package's is which file; names begin where it lies) and OUT.goroot (the Go that built it and its
// flags, which modules must be compiled with).
//
// A library is not built by `go build`. That would need a main package in the user's module and goloader.dev/host among
// its requirements, which a vendored, locked or shared go.mod has no place for. So the go command compiles the user's
// packages where they are, and the host's where they are; what it would do with the two (compile a main package, link)
// is done here, by the same tools.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const usage = `usage: goloader host [FLAGS] -o HOST.so PACKAGE…
       goloader host [FLAGS] -o PROGRAM --exe PACKAGE [PACKAGE…]
       goloader host --sources

  -o FILE        the host; beside it FILE.desc, FILE.archives, FILE.importcfg, FILE.goroot
  --exe          the first package is a program that imports goloader.dev/host
  --minimal      keep whole only the packages named, not those of the default host
  --goroot DIR   the Go to build with; by default the one that built the default host
  -race          the program has the race detector, and modules that it builds are watched; with --exe
  --sources      print where the Go module goloader.dev/host lies, for a replace line in go.mod
  -tags, -gcflags, -asmflags, -ldflags, -trimpath, -mod, -modfile, -overlay, and of a program -buildmode
                 as go build takes them
`

// What a program with the race detector is built with, and its modules. Nothing of the host's own code is reported: it
// runs where the detector knows of no goroutine, with the world stopped say, and looks at others' memory.
var raceFlags = []string{"-race=true", "-gcflags=goloader.dev/host/...=-race=false"}

// A host to be made.
type host struct {
	goroot   string
	sources  string // directory of the module goloader.dev/host
	output   string
	exe      bool
	minimal  bool
	packages []string

	flags   []string // for every run of the go command
	modules []string // flags that say where the user's packages come from
	ldflags string
	mode    string // -buildmode of an exe

	temp string // a directory beside the output
	env  []string
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == toolWord {
		fmt.Fprintln(os.Stderr, oneLine(runTool(os.Args[2:])))
		os.Exit(1)
	}
	h := host{env: os.Environ()}
	flag.StringVar(&h.goroot, "goroot", runtime.GOROOT(), "")
	flag.StringVar(&h.sources, "sources", "", "")
	flag.StringVar(&h.output, "o", "", "")
	flag.BoolVar(&h.exe, "exe", false, "")
	flag.BoolVar(&h.minimal, "minimal", false, "")
	flag.StringVar(&h.ldflags, "ldflags", "", "")
	flag.StringVar(&h.mode, "buildmode", "", "")
	race := flag.Bool("race", false, "")
	for _, name := range []string{"tags", "gcflags", "asmflags", "trimpath"} {
		flag.Var(passed{&h.flags, name}, name, "")
	}
	for _, name := range []string{"mod", "modfile", "overlay"} {
		flag.Var(passed{&h.modules, name}, name, "")
	}
	flag.Usage = func() { fmt.Fprint(flag.CommandLine.Output(), usage) }
	flag.Parse()
	h.packages = flag.Args()
	if h.output == "" || h.sources == "" || h.exe && len(h.packages) == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if h.mode != "" && (!h.exe || h.mode != "exe" && h.mode != "pie") {
		fmt.Fprintln(os.Stderr, "goloader: -buildmode is exe or pie, and for --exe")
		os.Exit(2)
	}
	if *race && !h.exe {
		fmt.Fprintln(os.Stderr, "goloader: -race is for --exe: a library can't have the race detector")
		os.Exit(2)
	}
	if *race {
		h.flags = append(h.flags, raceFlags...)
	}
	if err := h.make(); err != nil {
		fmt.Fprintln(os.Stderr, oneLine(err))
		os.Exit(1)
	}
}

// passed is a flag of go build, handed on as it was given.
type passed struct {
	flags *[]string
	name  string
}

func (p passed) String() string   { return "" }
func (p passed) IsBoolFlag() bool { return p.name == "trimpath" }
func (p passed) Set(value string) error {
	*p.flags = append(*p.flags, "-"+p.name+"="+value)
	return nil
}

// make leaves the host and what belongs beside it, or nothing.
func (h *host) make() (err error) {
	for _, path := range []*string{&h.sources, &h.output, &h.goroot} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if h.temp, err = os.MkdirTemp(filepath.Dir(h.output), ".goloader-host-*"); err != nil {
		return err
	}
	defer os.RemoveAll(h.temp)
	if err := h.readEnvironment(); err != nil {
		return err
	}

	std, err := h.standardPackages()
	if err != nil {
		return err
	}
	linked, err := h.userPackages()
	if err != nil {
		return err
	}
	kept, err := h.keptPackages(std, linked)
	if err != nil {
		return err
	}
	built := filepath.Join(h.temp, "host")
	if h.exe {
		err = h.buildProgram(built, std, linked, kept)
	} else {
		err = h.linkLibrary(built, kept)
	}
	if err != nil {
		return err
	}
	return h.install(built, std, linked)
}

// install describes the host and moves it to its place with what belongs beside it, the host itself last.
func (h *host) install(built string, std, linked []*pkg) error {
	description, err := h.describe(built)
	if err != nil {
		return err
	}
	if h.exe {
		if err := leadToModules(built); err != nil {
			return err
		}
	}
	note := []string{h.goroot, h.version()}
	archives := filepath.Join(h.temp, "archives")
	names, err := keepArchives(archives, append(std[:len(std):len(std)], linked...))
	if err != nil {
		return err
	}
	for from, name := range names {
		names[from] = filepath.Join(archivesDir(h.output), name)
	}
	var importcfg bytes.Buffer
	fmt.Fprintln(&importcfg, "# standard library")
	writeArchives(&importcfg, std, names)
	fmt.Fprintln(&importcfg, "# linked in")
	writeArchives(&importcfg, linked, names)
	kept := filepath.Join(filepath.Dir(h.output), archivesDir(h.output))
	if err := os.RemoveAll(kept); err != nil {
		return err
	}
	if err := os.Rename(archives, kept); err != nil {
		return err
	}
	for _, file := range []struct {
		suffix string
		text   []byte
	}{
		{".desc", description},
		{".importcfg", importcfg.Bytes()},
		{".goroot", []byte(strings.Join(append(note, h.flags...), "\n") + "\n")},
	} {
		if err := os.WriteFile(built+file.suffix, file.text, 0o666); err != nil {
			return err
		}
		if err := os.Rename(built+file.suffix, h.output+file.suffix); err != nil {
			return err
		}
	}
	return os.Rename(built, h.output)
}

// describe runs the tool of that name, which lies beside this one.
func (h *host) describe(built string) ([]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(self), "describe"), "-goroot", h.goroot, built)
	text, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		why := strings.ReplaceAll(string(exit.Stderr), built, h.output)
		return nil, errors.New(strings.TrimPrefix(why, "describe: "))
	}
	return text, err
}

// version is that of the Go in goroot.
func (h *host) version() string {
	text, _ := os.ReadFile(filepath.Join(h.goroot, "VERSION"))
	version, _, _ := strings.Cut(string(text), "\n")
	return version
}

// oneLine prints an error as the command line's errors look. What a compiler or linker said is left as it is.
func oneLine(err error) string {
	text := strings.TrimSpace(err.Error())
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "# ") {
			return text
		}
	}
	return "goloader: " + strings.Join(strings.Fields(text), " ")
}
