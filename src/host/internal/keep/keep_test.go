package keep

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
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
		"f := p0.Function\n", "goloaderAddress(unsafe.Pointer(&p0.Variable))\n", "goloaderValue((*p0.Plain)(nil))\n",
		"f := p0.Sort[[]int, int]\n", "f := p0.Keys[map[int]int, int, int]\n", "goloaderValue((*p0.Pair[int, int])(nil))\n",
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

func TestAnArchiveThatIsNotThereIsNamed(t *testing.T) {
	for _, archives := range []map[string]string{nil, {"fmt": filepath.Join(t.TempDir(), "fmt.a")}} {
		if _, err := Source(archives, []string{"fmt"}); err == nil || !strings.Contains(err.Error(), "fmt") {
			t.Errorf("with the archives %v the error is %v", archives, err)
		}
	}
}
