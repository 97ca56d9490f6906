package main

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// unit writes a unit of .debug_info: its header, and a body without meaning.
func unit(version uint16, abbreviations uint32, body int) []byte {
	order := binary.LittleEndian
	var rest []byte
	rest = order.AppendUint16(rest, version)
	if version >= 5 {
		rest = append(rest, 1, 8) // DW_UT_compile, size of an address
		rest = order.AppendUint32(rest, abbreviations)
	} else {
		rest = order.AppendUint32(rest, abbreviations)
		rest = append(rest, 8)
	}
	rest = append(rest, make([]byte, body)...)
	return append(order.AppendUint32(nil, uint32(len(rest))), rest...)
}

func TestAbbreviationsOfTheUnitThatHoldsAnEntry(t *testing.T) {
	first, second := unit(4, 0x100, 20), unit(5, 0x200, 30)
	info := append(append([]byte{}, first...), second...)
	for _, test := range []struct {
		offset, want uint64
	}{
		{uint64(len(first)) - 1, 0x100},
		{uint64(len(first)) + 15, 0x200},
		{uint64(len(info)) - 1, 0x200},
	} {
		got, err := abbreviationsOf(info, binary.LittleEndian, test.offset)
		if err != nil || got != test.want {
			t.Errorf("entry at %d: abbreviations at %#x, %v, want %#x", test.offset, got, err, test.want)
		}
	}
	if got, err := abbreviationsOf(info, binary.LittleEndian, uint64(len(info))); err == nil {
		t.Errorf("an entry behind the end has abbreviations at %#x", got)
	}
}

func TestACursorStopsAtTheEnd(t *testing.T) {
	in := cursor{data: []byte{0xe5, 0x8e, 0x26, 0x80}}
	if got := in.uleb(); got != 624485 || in.failed {
		t.Errorf("uleb = %d, failed %v", got, in.failed)
	}
	if in.uleb(); !in.failed {
		t.Error("a number that is cut off was read")
	}
}

func TestConstantsOfThisGo(t *testing.T) {
	var d description
	src := filepath.Join(runtime.GOROOT(), "src")
	if err := addConstants(&d, src, runtime.GOARCH); err != nil {
		t.Fatal(err)
	}
	facts := "\n" + strings.Join(d.facts, "\n") + "\n"
	for _, want := range []string{
		"const\tR_ADDR\t1", "const\tR_WEAK\t32768", "const\tR_WEAKADDR\t32769", "const\tSTEXT\t1",
		"const\tFUNCDATA_InlTree\t3", "const\tTFlagNamed\t4",
	} {
		if !strings.Contains(facts, "\n"+want+"\n") {
			t.Errorf("no line %q", want)
		}
	}
}

func TestAConstantThatRefersToWhatIsAbsentIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	source := "package p\nimport \"no/such\"\nconst A = such.B\nconst C = 1 << iota\nconst S = \"s\"\n"
	if err := os.WriteFile(filepath.Join(dir, "p.go"), []byte(source), 0o666); err != nil {
		t.Fatal(err)
	}
	constants, err := packageConstants(dir, []string{"p.go"})
	if err != nil {
		t.Fatal(err)
	}
	if len(constants) != 1 || constants[0].Name() != "C" {
		t.Errorf("constants = %v, want C alone", constants)
	}
}

func TestTheHeaderFollowsTheExperiments(t *testing.T) {
	plain, err := objectHeader(runtime.GOROOT(), map[string]string{"GOOS": "linux", "GOARCH": "amd64", "GOAMD64": "v1"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "go object linux amd64 " + runtime.Version(); !strings.HasPrefix(plain, want) {
		t.Errorf("header is %q, want %q", plain, want)
	}
	other, err := objectHeader(runtime.GOROOT(), map[string]string{
		"GOOS": "linux", "GOARCH": "amd64", "GOAMD64": "v3", "GOEXPERIMENT": "fieldtrack",
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(other, "GOAMD64=v3") || !strings.Contains(other, "fieldtrack") {
		t.Errorf("header for GOAMD64=v3, GOEXPERIMENT=fieldtrack is %q", other)
	}
}

// A whole run, on the smallest thing that has Go's DWARF: a program of this Go, stripped and not.
func TestARunOnAProgram(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module m\n\ngo 1.21\n")
	write("main.go", "package main\n\nfunc main() {}\n")
	build := func(name string, flags ...string) string {
		program := filepath.Join(dir, name)
		cmd := exec.Command(filepath.Join(runtime.GOROOT(), "bin", "go"), "build", "-o", program)
		cmd.Args = append(append(cmd.Args, flags...), ".")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return program
	}
	var d description
	if err := addDebugInfo(&d, build("program")); err != nil {
		t.Fatal(err)
	}
	facts := "\n" + strings.Join(d.facts, "\n") + "\n"
	for _, want := range []string{
		"\nstruct\truntime.moduledata\t", "\nfield\truntime.moduledata\tpcHeader\t0\t8\n", "\nfield\truntime.g\tgoid\t",
	} {
		if !strings.Contains(facts, want) {
			t.Errorf("no %q", want)
		}
	}
	abbreviations := strings.Join(d.header, "\n")
	for _, want := range []string{"abbrev\t1\t0x11\t1\t0x3:0x8 ", "\t0x2e\t1\t0x3:0x8 "} {
		if !strings.Contains(abbreviations, want) {
			t.Errorf("no abbreviation %q", want)
		}
	}

	err := addDebugInfo(&description{}, build("stripped", "-ldflags=-w"))
	if err == nil {
		t.Error("a program without DWARF was described")
	}
}

func TestAVersionWithoutItsExperiments(t *testing.T) {
	for version, want := range map[string]string{
		"go1.21.13":            "go1.21.13",
		"go1.25.1 X:nodwarf5":  "go1.25.1",
		"go1.26.8-X:nodwarf5":  "go1.26.8",
		"go1.27rc1":            "go1.27rc1",
		"devel go1.28-0a1b2c3": "devel go1.28-0a1b2c3",
	} {
		if got := plainVersion(version); got != want {
			t.Errorf("%q without experiments is %q, want %q", version, got, want)
		}
	}
}
