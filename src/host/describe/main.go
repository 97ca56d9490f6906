// Describe writes the description of a host: the facts about its Go version that the C library needs and that no
// table of ours could follow from release to release.
//
//	describe [-goroot DIR] libgoloader_host.so > libgoloader_host.so.desc
//
// It takes each fact from whoever decides it. Sizes and offsets of the runtime's structs, and the abbreviations that
// the compiler's debugging information is written with, come from the host's own DWARF. Numbers that are in no binary
// (relocation types, symbol kinds, the order of the builtin symbols) come from the sources of the toolchain that built
// it. The first line of a Go object comes from an object, compiled for the purpose.
//
// The result is a text of lines, their parts separated by tabs; src/abi/abi.h says what the reader expects:
//
//	goloader-description  1
//	go            go1.27.4
//	goarch        amd64
//	goamd64       v1
//	goexperiment  (empty, or what the host was built with beyond the defaults)
//	buildmode     c-shared
//	header        go object linux amd64 go1.27.4 GOAMD64=v1 X:…
//	builtin       index  name  abi
//	abbrev        code  tag  children  attribute:form attribute:form …
//	const         name  value
//	field         struct  field  offset  size
//	struct        name  size
package main

import (
	"bufio"
	"debug/buildinfo"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
)

// A description is what main gathers before it writes a single line, so that a failure leaves no half of one.
type description struct {
	header []string // in the order they are written
	facts  []string // sorted: the C library looks them up by halving
}

func (d *description) add(parts ...any) {
	d.facts = append(d.facts, join(parts))
}

func (d *description) addHeader(parts ...any) {
	d.header = append(d.header, join(parts))
}

func join(parts []any) string {
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = fmt.Sprint(part)
		if strings.ContainsAny(texts[i], "\t\n\r\x00") {
			fail(fmt.Errorf("%q can't be written on a line of a description", texts[i]))
		}
	}
	return strings.Join(texts, "\t")
}

func main() {
	goroot := flag.String("goroot", runtime.GOROOT(), "the Go `directory` that built the host")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: describe [-goroot DIR] HOST.so > HOST.so.desc")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	host := flag.Arg(0)

	var d description
	build, err := buildinfo.ReadFile(host)
	if err != nil {
		fail(fmt.Errorf("%s: %w", host, err))
	}
	settings := map[string]string{}
	for _, setting := range build.Settings {
		settings[setting.Key] = setting.Value
	}
	header, err := objectHeader(*goroot, settings)
	if err != nil {
		fail(err)
	}
	version := plainVersion(build.GoVersion)
	if !strings.Contains(header+" ", " "+version+" ") {
		fail(fmt.Errorf("%s was built by %s, but %s compiles objects that say %q", host, version, *goroot, header))
	}

	d.addHeader("goloader-description", 1)
	d.addHeader("go", version)
	d.addHeader("goarch", settings["GOARCH"])
	d.addHeader("goamd64", settings["GOAMD64"])
	d.addHeader("goexperiment", settings["GOEXPERIMENT"])
	d.addHeader("buildmode", settings["-buildmode"])
	d.addHeader("header", header)

	for _, step := range []error{
		addBuiltins(&d, filepath.Join(*goroot, "src")),
		addConstants(&d, filepath.Join(*goroot, "src"), settings["GOARCH"]),
		addMain(&d, filepath.Join(*goroot, "src")),
		addDebugInfo(&d, host),
	} {
		if step != nil {
			fail(step)
		}
	}

	sort.Strings(d.facts)
	out := bufio.NewWriter(os.Stdout)
	for _, line := range append(d.header, d.facts...) {
		fmt.Fprintln(out, line)
	}
	if err := out.Flush(); err != nil {
		fail(err)
	}
}

// plainVersion cuts the experiments off a version as programs carry it: "go1.26.8-X:nodwarf5", before Go 1.26
// "go1.25.1 X:nodwarf5". Objects name them elsewhere.
func plainVersion(version string) string {
	for _, mark := range []string{" X:", "-X:"} {
		version, _, _ = strings.Cut(version, mark)
	}
	return version
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "describe:", err)
	os.Exit(1)
}
