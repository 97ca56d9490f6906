// Package top uses mid, and base by way of it.
package top

import (
	"errors"
	"fmt"
	"reflect"

	"example.com/uses/base"
	"example.com/uses/mid"
)

// Assert asks for types that mid made of its own and of base's.
func Assert() string {
	path, ok := base.Boxes["path"].(mid.Path)
	boxed, ok2 := base.Boxes["boxed"].(mid.Box[base.Square])
	points, ok3 := base.Boxes["points"].(*base.List[base.Point])
	weights := new(base.List[mid.Weight]).Push(7)
	base.Boxes["weights"] = weights
	base.Boxes["ways"] = map[mid.Weight][]mid.Path{1: {path}}
	return fmt.Sprint(ok, ok2, ok3, path.X, boxed.Area(), points, weights, base.Kind(mid.Circle{R: 1}), base.IsShape(&mid.Circle{}))
}

type Ring struct {
	mid.Circle
	Hole base.Square
}

func (r Ring) Area() float64 { return r.Circle.Area() - r.Hole.Area() }

type wrong struct{ base.NotFound }

func (w *wrong) Unwrap() error { return &w.NotFound }

// Works uses all three modules at once.
func Works() string {
	var missing *base.NotFound
	err := base.Try(func() { panic(fmt.Errorf("top: %w", &wrong{base.NotFound{Name: "roof"}})) })
	var w *wrong
	mid.Keep("top", 3)
	return fmt.Sprint(base.Total(Ring{mid.Circle{R: 2}, base.Square{Side: 1}}, mid.Circle{R: 1}), errors.As(err, &missing), errors.As(err, &w),
		missing.Name, mid.Seen["top"], reflect.TypeOf(Ring{}).Field(0).Type == reflect.TypeOf(mid.Circle{}), mid.Methods())
}
