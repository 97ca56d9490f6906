package mid

import (
	"fmt"
	"reflect"
	"strings"

	"example.com/uses/base"
)

// Reflect walks over base's types from mid.
func Reflect() string {
	p := base.Point{X: 1, Y: 2}
	v := reflect.ValueOf(&p)
	v.MethodByName("Move").Call([]reflect.Value{reflect.ValueOf(1), reflect.ValueOf(1)})
	mirrored := v.Elem().MethodByName("Mirrored").Call([]reflect.Value{reflect.ValueOf(2)})[0]
	swap := reflect.MakeFunc(reflect.TypeOf(func(base.Point) base.Point { panic("not called") }), func(in []reflect.Value) []reflect.Value {
		q := in[0].Interface().(base.Point)
		return []reflect.Value{reflect.ValueOf(base.Point{X: q.Y, Y: q.X})}
	}).Interface().(func(base.Point) base.Point)
	fresh := reflect.New(reflect.TypeOf(Path{})).Interface().(*Path)
	fresh.Move(3, 3)
	converted := reflect.ValueOf(21).Convert(reflect.TypeOf(base.Celsius(0))).Interface().(base.Celsius)
	shape := reflect.TypeOf((*base.Shape)(nil)).Elem()
	var methods []string
	for t, i := reflect.TypeOf(&Path{}), 0; i < t.NumMethod(); i++ {
		methods = append(methods, t.Method(i).Name)
	}
	return fmt.Sprint(p, mirrored, base.Call(swap), fresh.Point, converted, reflect.TypeOf(Circle{}).Implements(shape),
		reflect.TypeOf(p).Implements(shape), strings.Join(methods, "+"), reflect.TypeOf(p).PkgPath(), reflect.TypeOf(Path{}),
		reflect.TypeOf(base.Hidden(0)).Method(0).Name)
}

// Made has reflect make types of base's and mid's, and find those that exist.
func Made() string {
	point, path := reflect.TypeOf(base.Point{}), reflect.TypeOf(Path{})
	same := func(t reflect.Type, v any) bool { return t == reflect.TypeOf(v) }
	made := reflect.StructOf([]reflect.StructField{{Name: "P", Type: point}, {Name: "Q", Type: reflect.PtrTo(path), Tag: `json:"q"`}})
	v := reflect.New(made).Elem()
	v.Field(0).Set(reflect.ValueOf(base.Point{X: 5}))
	m := reflect.MakeMap(reflect.MapOf(point, reflect.SliceOf(path)))
	m.SetMapIndex(reflect.ValueOf(base.Point{X: 1}), reflect.ValueOf([]Path{{}}))
	ch := reflect.MakeChan(reflect.ChanOf(reflect.BothDir, point), 1)
	ch.Send(reflect.ValueOf(base.Point{X: 8}))
	got, ok := ch.Interface().(chan base.Point)
	deep := reflect.ArrayOf(5, reflect.MapOf(reflect.TypeOf(""), reflect.FuncOf([]reflect.Type{path}, []reflect.Type{point}, false)))
	chosen, received, _ := reflect.Select([]reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(got)}})
	return fmt.Sprint(v, m.Len(), ok, chosen, received, deep,
		same(reflect.SliceOf(point), []base.Point{}), same(reflect.MapOf(point, path), map[base.Point]Path{}),
		same(reflect.FuncOf([]reflect.Type{point, path}, nil, false), func(base.Point, Path) {}), same(reflect.PtrTo(path), &Path{}),
		same(reflect.ArrayOf(7, point), [7]base.Point{}), same(reflect.ChanOf(reflect.RecvDir, path), make(<-chan Path)),
		same(deep, [5]map[string]func(Path) base.Point{}))
}

// Equal compares deeply across.
func Equal() string {
	a := map[base.Point][]any{{X: 1}: {Path{Tail: []base.Point{{}}}, base.Celsius(1), &Circle{1}}}
	b := map[base.Point][]any{{X: 1}: {Path{Tail: []base.Point{{}}}, base.Celsius(1), &Circle{1}}}
	var x, y any = struct {
		base.Point
		Weight
	}{base.Point{X: 1}, 2}, struct {
		base.Point
		Weight
	}{base.Point{X: 1}, 2}
	return fmt.Sprint(reflect.DeepEqual(a, b), x == y, any(Weight(1)) == any(1), any(Path{}.Point) == any(base.Origin))
}
