// Package mid uses base, and is used itself. Each exported function without parameters is a test, and returns text that
// the spec knows.
package mid

import (
	"bytes"
	"container/heap"
	"encoding"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"reflect"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"example.com/uses/base"
)

// ---- base's types in mid's

// Path embeds a type of base, and gets its methods.
type Path struct {
	base.Point
	*base.Seal
	Tail []base.Point
}

// Circle implements base's interface.
type Circle struct{ R float64 }

func (c Circle) Area() float64                { return 3 * c.R * c.R }
func (c *Circle) Scale(by float64) base.Shape { return Circle{c.R * by} }

type walker interface {
	Move(dx, dy int)
	String() string
}

// Methods calls base's methods: directly, promoted, as values and expressions, through interfaces of all three sides.
func Methods() string {
	p := &base.Point{X: 1, Y: 2}
	p.Move(1, 1)
	path := Path{Point: *p, Seal: &base.Seal{Name: "way"}, Tail: []base.Point{{X: 9}}}
	path.Move(10, 0)
	var w walker = &path
	w.Move(0, 10)
	plus := base.Point.Plus
	move := p.Move
	move(5, 5)
	var s fmt.Stringer = p
	return fmt.Sprint(*p, w, plus(*p, *p), s.String(), base.Describe(path), base.Open(path), path.Tail, base.Celsius(100).Fahrenheit())
}

// Interfaces has base call what mid implements.
func Interfaces() string {
	base.Registry["circle"] = Circle{1}
	defer delete(base.Registry, "circle")
	var scaler base.Scaler = &Circle{2}
	return fmt.Sprint(base.Total(base.Square{Side: 2}, Circle{1}, scaler.Scale(2)), base.Registered(), base.IsShape(Circle{}),
		base.IsShape(base.Point{}), base.IsShape(struct{ Circle }{}))
}

// Switch asks base what things are.
func Switch() string {
	var out []string
	for i := 0; i < 3; i++ { // again, from the call sites' caches
		out = out[:0]
		for _, v := range []any{nil, base.Point{}, &base.Point{}, base.Celsius(1), []base.Point{}, map[string]base.Point{},
			[2]base.Point{}, func(p base.Point) base.Point { return p }, make(chan base.Point), struct{ P base.Point }{},
			&base.List[int]{}, base.Pair[string, int]{}, base.Square{}, &Circle{}, Circle{}, io.EOF, base.Find("x"),
			Path{Point: base.Point{X: 3}}, map[Circle]int{}, base.Hidden(1)} {
			out = append(out, base.Kind(v))
		}
	}
	return strings.Join(out, ",")
}

// Hidden is what base's unexported types can do.
func Hidden() string {
	return base.Hidden(4).(interface{ Reveal() string }).Reveal()
}

// Variables are base's, not a copy.
func Variables() string {
	before := base.Counter
	base.Count()
	base.Counter += 10
	old := base.Hook
	base.Hook = func(s string) string { return "mid:" + old(s) }
	defer func() { base.Hook = old; base.Counter = before }()
	return fmt.Sprint(base.Count()-before, base.Apply("x"), base.Origin)
}

// Functions pass closures both ways.
func Functions() string {
	n := 5
	return fmt.Sprint(base.Call(func(p base.Point) base.Point { return base.Point{X: p.Y + n, Y: p.X} }), base.Adder(3)(base.Point{X: 1, Y: 1}))
}

// Composites of base's types that base never made.
func Composites() string {
	base.Boxes["map"] = map[base.Point][]base.Celsius{{X: 1}: {2, 3}}
	base.Boxes["array"] = [3]*base.Point{{X: 1}, nil, {X: 3}}
	base.Boxes["func"] = func(s base.Scaler, m map[string]base.Shape) (base.Point, error) { return base.Point{X: len(m)}, nil }
	base.Boxes["chan"] = make(chan<- *base.Square)
	base.Boxes["struct"] = struct {
		base.Point `json:"p"`
		N          []base.Celsius
	}{base.Point{X: 7}, nil}
	base.Boxes["path"] = Path{Point: base.Point{X: 8}}
	base.Boxes["iface"] = []interface{ Area() float64 }{base.Square{Side: 3}}
	return fmt.Sprintf("%T %T %T %T", base.Boxes["map"], base.Boxes["array"], base.Boxes["func"], base.Boxes["chan"])
}

// Channels carry base's values between goroutines of both.
func Channels() string {
	in := make(chan base.Point)
	go func() {
		defer close(in)
		for i := 0; i < 3; i++ {
			in <- base.Point{X: i}
		}
	}()
	return fmt.Sprint(base.Worker(in))
}

// Errors are base's, and found again.
func Errors() string {
	var missing *base.NotFound
	err := base.Find("lamp")
	ok := errors.As(err, &missing)
	return fmt.Sprint(ok, missing.Name, errors.Is(base.Find(""), base.ErrGone), errors.Is(base.Find("ghost"), base.ErrGone),
		errors.Is(err, base.ErrGone))
}

type trouble struct{ at base.Point }

func (t trouble) Error() string { return "trouble at " + t.at.String() }

// Recover has base catch what mid throws, and the other way round.
func Recover() string {
	var t trouble
	err := base.Try(func() { panic(trouble{base.Point{X: 1}}) })
	ok := errors.As(err, &t)
	plain := base.Try(func() { panic(base.Celsius(1.5)) })
	index := base.Try(func() { _ = []base.Point{}[len(plain.Error())] })
	inner := func() (out string) {
		defer func() { out = fmt.Sprint(recover()) }()
		base.Call(func(base.Point) base.Point { panic(&base.NotFound{Name: "sense"}) })
		return "not reached"
	}()
	_, assert := base.Box.(base.Shape)
	return fmt.Sprint(ok, t.at, "|", plain, "|", index, "|", inner, "|", assert)
}

// ---- generics

type Weight int

func (w Weight) String() string { return fmt.Sprintf("%dg", int(w)) }

// Generics of base: instantiated by mid alone, over base's types, over mid's.
func Generics() string {
	ints := new(base.List[int]).Push(1).Push(2)
	points := new(base.List[base.Point]).Push(base.Point{X: 1})
	weights := new(base.List[Weight]).Push(3)
	paths := new(base.List[*Path]).Push(&Path{Point: base.Point{X: 6}})
	floats := new(base.List[map[string][]float32]).Push(nil)
	base.Boxes["ints"], base.Boxes["points"], base.Boxes["floats"] = ints, points, floats
	base.Boxes["mapper"] = base.Map[base.Point, float32]
	base.Boxes["pair"] = base.Pair[base.Celsius, []base.Square]{Key: 1}
	return fmt.Sprint(ints, points, weights, paths.All()[0].X, base.Sum(1.5, 2), base.Sum[Weight](1, 2),
		base.Map([]int{1, 2}, func(n int) base.Point { return base.Point{X: n} }),
		base.Map([]Weight{4}, Weight.String), base.Sorted(map[string]Weight{"b": 2, "a": 1}), base.Set[Weight]{}.Add(1).Has(1))
}

// Box has a generic of mid over types of base.
type Box[T base.Shape] struct{ In T }

func (b Box[T]) Area() float64 { return b.In.Area() }

func Boxed() string {
	base.Boxes["boxed"] = Box[base.Square]{base.Square{Side: 5}}
	return fmt.Sprintf("%v %T", base.Total(Box[base.Square]{base.Square{Side: 2}}, Box[Circle]{}), Box[Circle]{})
}

// ---- interfaces of the standard library, implemented by base's and mid's types

type points []base.Point

func (p points) Len() int           { return len(p) }
func (p points) Less(i, j int) bool { return p[i].X < p[j].X }
func (p points) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *points) Push(v any)        { *p = append(*p, v.(base.Point)) }
func (p *points) Pop() any          { old := *p; v := old[len(old)-1]; *p = old[:len(old)-1]; return v }

// Set is flag.Value's.
func (p *points) Set(s string) error {
	var q base.Point
	_, err := fmt.Sscanf(s, "%d,%d", &q.X, &q.Y)
	*p = append(*p, q)
	return err
}
func (p *points) String() string { return fmt.Sprint([]base.Point(*p)) }

func Sorting() string {
	p := points{{X: 3}, {X: 1}, {X: 2}}
	sort.Sort(sort.Reverse(p))
	h := points{{X: 5}, {X: 4}}
	heap.Init(&h)
	heap.Push(&h, base.Point{X: 1})
	var f points
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	flags.Var(&f, "p", "points")
	err := flags.Parse([]string{"-p", "1,2", "-p", "3,4"})
	return fmt.Sprint([]base.Point(p), heap.Pop(&h), &f, err)
}

type rot13 struct{ r io.Reader }

func (r rot13) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	for i := range p[:n] {
		if 'a' <= p[i] && p[i] <= 'z' {
			p[i] = 'a' + (p[i]-'a'+13)%26
		}
	}
	return n, err
}

func (r rot13) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{r})
}

func Reading() string {
	var out bytes.Buffer
	_, err := io.Copy(&out, rot13{strings.NewReader("uryyb")})
	return fmt.Sprint(out.String(), err)
}

// Coded carries values by hand, in each encoding.
type Coded struct{ base.Celsius }

func (c Coded) MarshalJSON() ([]byte, error) {
	return []byte(fmt.Sprintf(`"%gC"`, float64(c.Celsius))), nil
}
func (c *Coded) UnmarshalJSON(text []byte) error {
	_, err := fmt.Sscanf(string(text), `"%gC"`, (*float64)(&c.Celsius))
	return err
}
func (c Coded) GobEncode() ([]byte, error)   { return c.MarshalJSON() }
func (c *Coded) GobDecode(text []byte) error { return c.UnmarshalJSON(text) }

type Key struct{ base.Point }

func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
func (k *Key) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "(%d;%d)", &k.X, &k.Y)
	return err
}

var _ encoding.TextMarshaler = Key{}

type document struct {
	XMLName xml.Name           `xml:"doc" json:"-"`
	At      base.Point         `xml:"at"`
	Temp    Coded              `xml:"temp>c" json:"temp"`
	Ways    []base.Point       `xml:"way"`
	Keyed   map[Key]base.Point `xml:"-" json:",omitempty"`
	Key     Key                `xml:"key,attr"`
}

func sample() document {
	return document{At: base.Point{X: 1, Y: 2}, Temp: Coded{21.5}, Ways: []base.Point{{X: 3}, {Y: 4}},
		Keyed: map[Key]base.Point{{base.Point{X: 5}}: {Y: 5}}, Key: Key{base.Point{X: 6}}}
}

func JSON() string {
	text, err := json.Marshal(sample())
	var back document
	err2 := json.Unmarshal(text, &back)
	return fmt.Sprint(string(text), err, err2, reflect.DeepEqual(back, sample()))
}

func XML() string {
	text, err := xml.Marshal(sample())
	var back document
	err2 := xml.Unmarshal(text, &back)
	return fmt.Sprint(string(text), err, err2, back.At, back.Ways, back.Key)
}

func Gob() string {
	var buf bytes.Buffer
	in := sample()
	err := gob.NewEncoder(&buf).Encode(in)
	var back document
	err2 := gob.NewDecoder(&buf).Decode(&back)
	return fmt.Sprint(err, err2, back.Temp, back.Keyed[Key{base.Point{X: 5}}], reflect.DeepEqual(back, in))
}

// Formats are fmt's ideas of a type.
func Formats() string {
	path := Path{Point: base.Point{X: 1, Y: 2}}
	return fmt.Sprintf("%v|%+v|%T|%T|%#v|%s|%d", path, struct{ Path Weight }{3}, path, []map[base.Point]*Path{}, base.Square{Side: 2},
		base.Point{X: 3}, base.Point{X: 4})
}

// ---- sync

func Sync() string {
	var m sync.Map
	m.Store(base.Point{X: 1}, Weight(2))
	m.Store(Weight(1), &base.Point{X: 9})
	v, ok := m.Load(base.Point{X: 1})
	w, _ := m.LoadOrStore(Weight(1), nil)
	pool := sync.Pool{New: func() any { return &Path{Point: base.Point{X: 4}} }}
	path := pool.Get().(*Path)
	pool.Put(path)
	var p atomic.Pointer[base.Point]
	var q atomic.Pointer[Path]
	p.Store(&base.Point{X: 1})
	old := p.Swap(&base.Point{X: 2})
	q.CompareAndSwap(nil, path)
	var a atomic.Value
	a.Store(base.Point{X: 3})
	once := sync.OnceValue(func() base.Point { return base.Point{X: 11} })
	return fmt.Sprint(v, ok, w, path.X, old, p.Load(), q.Load().X, a.Load(), once(), min(base.Celsius(3), 2), max("a", "b"))
}

// Block waits in mid's own code until somebody calls Release.
func Block() {
	started := make(chan bool)
	go waitHere(started)
	<-started
}

var release = make(chan base.Point)

func waitHere(started chan<- bool) {
	started <- true
	<-release
}

func Release() { release <- base.Point{} }

// Seen is a variable for another module.
var Seen = map[string]base.Point{"mid": {X: 42}}

func Keep(name string, x int) { Seen[name] = base.Point{X: x} }

// Filled asks for what side left of base's.
func Filled() bool {
	_, ints := base.Boxes["ints"].(*base.List[int])
	_, floats := base.Boxes["floats"].(*base.List[map[string][]float32])
	_, pair := base.Boxes["pair"].(base.Pair[base.Celsius, []base.Square])
	_, m := base.Boxes["map"].(map[base.Point][]base.Celsius)
	_, array := base.Boxes["array"].([3]*base.Point)
	return ints && floats && pair && m && array
}
