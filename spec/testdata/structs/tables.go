package structs

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strings"
)

// Tags is a map with methods of both kinds.
type Tags map[string]int

func (t Tags) Has(name string) bool     { _, ok := t[name]; return ok }
func (t Tags) Put(name string, n int)   { t[name] = n }
func (t Tags) Drop(names ...string)     { drop(t, names) }
func (t *Tags) Renew()                  { *t = Tags{"new": 1} }
func (t *Tags) Clear()                  { *t = nil }
func (t Tags) Merge(other Tags) Tags    { return merge(t, other) }
func (t Tags) Fail(name string) error   { delete(t, name); return errors.New("no " + name) }
func (t Tags) Boom()                    { t["boom"] = 1; panic("boom") }
func (t Tags) Each(f func(string, int)) { each(t, f) }
func (t Tags) String() string           { return fmt.Sprintf("%d tags", len(t)) }

func drop(t Tags, names []string) {
	for _, name := range names {
		delete(t, name)
	}
}

func merge(a, b Tags) Tags {
	all := Tags{}
	for _, t := range []Tags{a, b} {
		for name, n := range t {
			all[name] = n
		}
	}
	return all
}

func each(t Tags, f func(string, int)) {
	for name, n := range t {
		f(name, n)
	}
}

// List is a slice, whose elements have methods too.
type List []Point

func (l List) Len() int           { return len(l) }
func (l List) Less(i, j int) bool { return l[i].X < l[j].X }
func (l List) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l List) Sort()              { sort.Sort(l) }
func (l *List) Push(p Point)      { *l = append(*l, p) }
func (l *List) Pop() Point {
	p := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return p
}

// Vector is an array.
type Vector [3]float64

func (v Vector) Dot(w Vector) float64 { return v[0]*w[0] + v[1]*w[1] + v[2]*w[2] }
func (v *Vector) Scale(by float64)    { v[0], v[1], v[2] = v[0]*by, v[1]*by, v[2]*by }
func (v Vector) String() string       { return fmt.Sprint([3]float64(v)) }

// Codes has keys that no method's name can be.
type Codes map[int]string

func (c Codes) Name(n int) string { return c[n] }

// Bytes is a slice of bytes, a string to Lua.
type Bytes []byte

func (b Bytes) Len() int { return len(b) }

// Faults is an error, and a slice.
type Faults []string

func (f Faults) Error() string { return strings.Join(f, ", ") }

// Holder has them as fields.
type Holder struct {
	Tags  Tags
	List  List
	Plain map[string]int
}

// Words and Numbers have no methods.
type (
	Words   []string
	Numbers map[string]int
)

func NewTags() Tags                 { return Tags{"a": 1, "b": 2} }
func NoTags() Tags                  { return nil }
func NewList(xs ...int) List        { return list(xs) }
func NewVector() Vector             { return Vector{1, 2, 3} }
func NewCodes() Codes               { return Codes{1: "one", 2: "two"} }
func NewBytes() Bytes               { return Bytes("bytes") }
func NewFaults() Faults             { return Faults{"this", "that"} }
func NewHolder() Holder             { return Holder{NewTags(), list([]int{2, 1}), map[string]int{"p": 1}} }
func NewWords() Words               { return Words{"x"} }
func NewNumbers() Numbers           { return Numbers{"x": 1} }
func AnyTables() []any              { return []any{NewTags(), list([]int{1}), NewVector(), NewWords(), NewCodes()} }
func TakeTags(t Tags) int           { return len(t) }
func TakeList(l List) int           { return len(l) }
func Header() http.Header           { return http.Header{"Accept": {"text/html"}} }
func Query(s string) url.Values     { v, _ := url.ParseQuery(s); return v }
func TagsEach(f func(Tags) int) int { return f(NewTags()) }

// Labels is a variable.
var Labels = Tags{"label": 7}

func list(xs []int) List {
	l := make(List, len(xs))
	for i, x := range xs {
		l[i] = Point{x, -x}
	}
	return l
}
