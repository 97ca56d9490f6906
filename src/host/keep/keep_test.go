package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const source = `package p

type Plain struct{}
type Alias = Plain
type Number interface{ ~int | ~float64 }
type Pair[K comparable, V any] struct{}
type Texts[T ~string] struct{}
type hidden struct{}

const Constant = 1

var Variable int

func Function(a int) {}
func (Plain) Method() {}
func unexported() {}
func Sort[S ~[]E, E Number](s S) {}
func Keys[M ~map[K]V, K comparable, V any](m M) {}
func Upper[T ~string](t T) {}
`

func TestReferencesToAllThatIsExported(t *testing.T) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := new(types.Config).Check("p", fset, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := packageReferences(pkg, "p0")
	for _, want := range []string{
		"f := p0.Function\n", "address(unsafe.Pointer(&p0.Variable))\n", "value((*p0.Plain)(nil))\n",
		"f := p0.Sort[[]int, int]\n", "f := p0.Keys[map[int]int, int, int]\n", "value((*p0.Pair[int, int])(nil))\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	// No value, no type of its own, or no instance with int.
	for _, not := range []string{"Constant", "Alias", "Number", "hidden", "unexported", "Method", "Upper", "Texts"} {
		if strings.Contains(got, not) {
			t.Errorf("%q is referred to in\n%s", not, got)
		}
	}
}

func TestListsAreReadWithoutTheirComments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte("# why\nfmt\n\n  io \n"), 0o666); err != nil {
		t.Fatal(err)
	}
	got, err := readList(path)
	if err != nil || strings.Join(got, ",") != "fmt,io" {
		t.Errorf("readList = %q, %v", got, err)
	}
}

func TestAPackageWithoutAnArchiveIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	list, importcfg := filepath.Join(dir, "list"), filepath.Join(dir, "importcfg")
	if err := os.WriteFile(list, []byte("no/such/package\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(importcfg, []byte("# import config\npackagefile fmt=/nowhere/fmt.a\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := generate(importcfg, list)
	if err != nil || !strings.Contains(string(out), "func keepAll() {\n}") {
		t.Errorf("generate = %s, %v", out, err)
	}
	if err := os.WriteFile(list, []byte("fmt\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := generate(importcfg, list); err == nil || !strings.Contains(err.Error(), "fmt") {
		t.Errorf("an archive that is not there gives %v", err)
	}
}
