// Package types keeps much in few variables, and has types that reflect must find.
package types

import (
	"reflect"
	"runtime"
)

type item struct {
	number int
	next   *item
}

var (
	first *item
	list  [2]struct {
		count int
		items []*item
	}
	byName = map[string]*item{}
	other  any
)

// Fill has all variables refer to the heap.
func Fill(n int) {
	for i := 0; i < n; i++ {
		first = &item{i, first}
		list[i%2].items = append(list[i%2].items, &item{number: i})
		list[i%2].count++
	}
	byName["last"] = first
	other = []*item{{number: n}}
}

// Sum is of all that they refer to, after a collection and as much garbage.
func Sum() (sum int) {
	runtime.GC()
	for i := 0; i < 100; i++ {
		Waste = &item{number: -1}
	}
	for p := first; p != nil; p = p.next {
		sum += p.number
	}
	for _, l := range list {
		sum += l.count
		for _, p := range l.items {
			sum += p.number
		}
	}
	return sum + byName["last"].number + other.([]*item)[0].number
}

// Waste is where garbage was.
var Waste *item

// Same tells whether the types that reflect makes are those that the compiler has made.
func Same() bool {
	t := reflect.TypeOf(item{})
	return reflect.SliceOf(t) == reflect.TypeOf([]item(nil)) && reflect.PointerTo(t) == reflect.TypeOf(&item{}) &&
		reflect.ChanOf(reflect.BothDir, t) == reflect.TypeOf(chan item(nil)) &&
		reflect.MapOf(t, t) == reflect.TypeOf(map[item]item(nil)) && reflect.ArrayOf(3, t) == reflect.TypeOf([3]item{}) &&
		reflect.FuncOf([]reflect.Type{t}, nil, false) == reflect.TypeOf(func(item) {})
}
