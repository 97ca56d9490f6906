// Package side uses base, and knows nothing of mid.
package side

import (
	"fmt"
	"log"
	"os"
	"reflect"
	"sort"
	"strings"

	"example.com/uses/base"
)

// Assert asks for the types that mid made of base's, of what it left there.
func Assert() string {
	var bad []string
	check := func(name string, ok bool) {
		if !ok {
			bad = append(bad, fmt.Sprintf("%s is %T", name, base.Boxes[name]))
		}
	}
	m, ok := base.Boxes["map"].(map[base.Point][]base.Celsius)
	check("map", ok && m[base.Point{X: 1}][1] == 3)
	array, ok := base.Boxes["array"].([3]*base.Point)
	check("array", ok && array[2].X == 3)
	f, ok := base.Boxes["func"].(func(s base.Scaler, m map[string]base.Shape) (base.Point, error))
	check("func", ok)
	p, err := f(nil, base.Registry)
	check("func", p.X == len(base.Registry) && err == nil)
	_, ok = base.Boxes["chan"].(chan<- *base.Square)
	check("chan", ok)
	s, ok := base.Boxes["struct"].(struct {
		base.Point `json:"p"`
		N          []base.Celsius
	})
	check("struct", ok && s.String() == "(7;0)")
	_, ok = base.Boxes["path"].(fmt.Stringer)
	check("path", ok)
	iface, ok := base.Boxes["iface"].([]interface{ Area() float64 })
	check("iface", ok && iface[0].Area() == 9)
	ints, ok := base.Boxes["ints"].(*base.List[int])
	check("ints", ok && ints.String() == "2 of int: [2 1]")
	points, ok := base.Boxes["points"].(*base.List[base.Point])
	check("points", ok && points.All()[0].X == 1)
	floats, ok := base.Boxes["floats"].(*base.List[map[string][]float32])
	check("floats", ok && len(floats.All()) == 1)
	mapper, ok := base.Boxes["mapper"].(func([]base.Point, func(base.Point) float32) []float32)
	check("mapper", ok)
	check("mapper", mapper([]base.Point{{}}, func(base.Point) float32 { return 2.5 })[0] == 2.5)
	pair, ok := base.Boxes["pair"].(base.Pair[base.Celsius, []base.Square])
	check("pair", ok && pair.Key == 1)
	boxed, ok := base.Boxes["boxed"].(base.Shape)
	check("boxed", ok && boxed.Area() == 25 && boxed != base.Shape(base.Square{Side: 5}))
	more(check)
	sort.Strings(bad)
	return strings.Join(bad, ", ")
}

var more = func(check func(name string, ok bool)) {}

// Fill leaves some of these things for those who look later.
func Fill() {
	base.Boxes["ints"] = new(base.List[int]).Push(1).Push(2)
	base.Boxes["floats"] = new(base.List[map[string][]float32]).Push(nil)
	base.Boxes["pair"] = base.Pair[base.Celsius, []base.Square]{Key: 1}
	base.Boxes["map"] = map[base.Point][]base.Celsius{{X: 1}: {2, 3}}
	base.Boxes["array"] = [3]*base.Point{2: {X: 3}}
	base.Boxes["own"] = own{base.Point{X: 1}}
}

// own is a type that base does not know.
type own struct{ base.Point }

// Reflected says how reflection sees base's types from here: the same as base does.
func Reflected() string {
	t := reflect.TypeOf(base.Point{})
	return fmt.Sprint(t == reflect.TypeOf(base.Origin), t == reflect.TypeOf(base.Box), t, t.NumMethod(), reflect.TypeOf(base.Boxes["ints"]))
}

// Leave puts a value of base's where all modules find it; Found tells whether what lies there is of this base, and what it
// calls itself.
func Leave() { log.SetOutput(&base.Sink{}) }

func Found() (bool, string) {
	_, ok := log.Writer().(*base.Sink)
	return ok, fmt.Sprintf("%T", log.Writer())
}

func Clear() { log.SetOutput(os.Stderr) }
