// Package ship uses a bit of everything that a shipped module must carry.
package ship

import (
	"bytes"
	"compress/flate"
	"embed"
	"encoding/xml"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"reflect"
	"runtime"
	"sort"
	"strings"
	"text/template"

	"example.com/ship/fast"
	"example.com/ship/inner"
)

//go:embed assets/note.txt
var note string

//go:embed assets
var assets embed.FS

var words = map[string][]string{"de": {"eins", "zwei"}, "en": {"one", "two"}, "fr": {"un", "deux"}, "it": {"uno"}}

func init() { inner.Log = append(inner.Log, "ship") }

type shape interface{ Area() float64 }

type square struct{ Side float64 }

func (s square) Area() float64 { return s.Side * s.Side }

type tagged struct {
	XMLName xml.Name `xml:"item"`
	Name    string   `xml:"name,attr"`
	Price   float64  `xml:"price"`
}

type failure struct{ code int }

func (f *failure) Error() string { return fmt.Sprint("failure ", f.code) }

func counter() func() int {
	n := 0
	return func() int { n++; return n }
}

func transform[K comparable, V, W any](m map[K]V, f func(V) W) map[K]W {
	result := map[K]W{}
	for k, v := range m {
		result[k] = f(v)
	}
	return result
}

func fail() error { return fmt.Errorf("wrapped: %w", &failure{7}) }

// Report tells of everything; it is the same however the package was loaded.
func Report() (string, error) {
	var b strings.Builder
	fmt.Fprintln(&b, inner.Log, inner.Sizes, words["de"], strings.TrimSpace(note))
	data, err := assets.ReadFile("assets/note.txt")
	fmt.Fprintln(&b, len(data), err, *inner.Empty())

	count := counter()
	count()
	fmt.Fprintln(&b, count(), fast.Sum([]int64{1, 2, 3}), crc32.ChecksumIEEE([]byte("castagnoli")))

	stack := &inner.Stack[square]{}
	stack.Push(square{3})
	top, ok := stack.Pop()
	lengths := transform(words, func(list []string) int { return len(list) })
	fmt.Fprintf(&b, "%v %v %T %v\n", top, ok, stack, lengths)
	var s shape = top
	fmt.Fprintln(&b, s.Area(), reflect.TypeOf(s), reflect.ValueOf(s).MethodByName("Area").Call(nil)[0])

	var target *failure
	fmt.Fprintln(&b, errors.As(fail(), &target), target)

	text, err := xml.Marshal(tagged{Name: "lamp", Price: 2.5})
	fmt.Fprintln(&b, string(text), err)
	var packed bytes.Buffer
	w, _ := flate.NewWriter(&packed, flate.BestCompression)
	io.WriteString(w, strings.Repeat("again ", 100))
	w.Close()
	unpacked, err := io.ReadAll(flate.NewReader(&packed))
	fmt.Fprintln(&b, len(unpacked), err)

	fmt.Fprintln(&b, new(big.Int).Exp(big.NewInt(7), big.NewInt(100), nil))
	err = template.Must(template.New("t").Parse("{{range .}}{{.}};{{end}}\n")).Execute(&b, []int{1, 2})
	var keys []string
	for k := range words {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	fmt.Fprintln(&b, keys)
	runtime.GC()
	return b.String(), err
}

// Fail panics in an inlined function of another package.
func Fail() int {
	return inner.Third([]int{1, 2}[:len(inner.Log)-2])
}

// Log is a variable that Lua sees.
var Log = "unset"
