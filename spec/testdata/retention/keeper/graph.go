package keeper

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// A node has two values in some place of its own, as part of a graph: each may be another node.
type node struct {
	say func() string // looks both up where they are
	in  any           // where that is
}

func (n *node) String() string { return n.say() }
func (n *node) Error() string  { return n.say() }

type pair struct{ a, b fmt.Stringer }

func (p pair) String() string { return "(" + p.a.String() + "," + p.b.String() + ")" }

// A buffer has two values on their way, and may be asked for them by several goroutines.
type buffer struct {
	sync.Mutex
	ch chan fmt.Stringer
}

func (b *buffer) pair() pair {
	b.Lock()
	defer b.Unlock()
	p := pair{<-b.ch, <-b.ch}
	b.ch <- p.a
	b.ch <- p.b
	return p
}

type contextKey struct{ n int }

// shapes are the places. None of the functions has captured what it says.
var shapes = []func(p pair) *node{
	func(p pair) *node { // a pointer to a struct
		n := &node{in: &p}
		n.say = func() string { return n.in.(*pair).String() }
		return n
	},
	func(p pair) *node { // a struct in an interface
		n := &node{in: p}
		n.say = func() string { return n.in.(pair).String() }
		return n
	},
	func(p pair) *node { // captured after all
		return &node{say: func() string { return p.String() }}
	},
	func(p pair) *node { // values of a map
		n := &node{in: map[string]fmt.Stringer{"a": p.a, "b": p.b}}
		n.say = func() string { m := n.in.(map[string]fmt.Stringer); return pair{m["a"], m["b"]}.String() }
		return n
	},
	func(p pair) *node { // keys of a large one
		m := map[any]int{p.a: -1}
		for i := 0; i < 100; i++ {
			m[i] = i
		}
		n := &node{in: [2]any{m, p.b}}
		n.say = func() string {
			for key, i := range n.in.([2]any)[0].(map[any]int) {
				if i < 0 {
					return pair{key.(fmt.Stringer), n.in.([2]any)[1].(fmt.Stringer)}.String()
				}
			}
			return "no key"
		}
		return n
	},
	func(p pair) *node { // a slice, past its length
		n := &node{in: make([]any, 7, 20)}
		all := n.in.([]any)[:20]
		all[3], all[19] = p.a, p.b
		n.say = func() string {
			all := n.in.([]any)[:20]
			return pair{all[3].(fmt.Stringer), all[19].(fmt.Stringer)}.String()
		}
		return n
	},
	func(p pair) *node { // a large object
		large := new([400]any)
		large[11], large[399] = p.a, p.b
		n := &node{in: large}
		n.say = func() string {
			large := n.in.(*[400]any)
			return pair{large[11].(fmt.Stringer), large[399].(fmt.Stringer)}.String()
		}
		return n
	},
	func(p pair) *node { // the buffer of a channel
		n := &node{in: &buffer{ch: make(chan fmt.Stringer, 2)}}
		b := n.in.(*buffer)
		b.ch <- p.a
		b.ch <- p.b
		n.say = func() string { return n.in.(*buffer).pair().String() }
		return n
	},
	func(p pair) *node { // a list
		l := list.New()
		l.PushBack(p.a)
		l.PushBack(p.b)
		n := &node{in: l}
		n.say = func() string {
			l := n.in.(*list.List)
			return pair{l.Front().Value.(fmt.Stringer), l.Back().Value.(fmt.Stringer)}.String()
		}
		return n
	},
	func(p pair) *node { // contexts
		ctx := context.WithValue(context.WithValue(context.Background(), contextKey{1}, p.a), contextKey{2}, p.b)
		ctx, _ = context.WithCancel(ctx)
		n := &node{in: ctx}
		n.say = func() string {
			ctx := n.in.(context.Context)
			return pair{ctx.Value(contextKey{1}).(fmt.Stringer), ctx.Value(contextKey{2}).(fmt.Stringer)}.String()
		}
		return n
	},
	func(p pair) *node { // a sync.Map and an atomic.Value
		type both struct {
			m sync.Map
			v atomic.Value
		}
		b := new(both)
		b.m.Store("a", p.a)
		b.v.Store(holder{v: p.b})
		n := &node{in: b}
		n.say = func() string {
			b := n.in.(*both)
			a, _ := b.m.Load("a")
			return pair{a.(fmt.Stringer), b.v.Load().(holder).v}.String()
		}
		return n
	},
	func(p pair) *node { // reflect.Values
		n := &node{in: [2]reflect.Value{reflect.ValueOf(p.a), reflect.ValueOf(&p.b)}}
		n.say = func() string {
			v := n.in.([2]reflect.Value)
			return pair{v[0].Interface().(fmt.Stringer), v[1].Elem().Interface().(fmt.Stringer)}.String()
		}
		return n
	},
	func(p pair) *node { // method values
		n := &node{in: [2]func() string{p.a.String, p.b.String}}
		n.say = func() string {
			f := n.in.([2]func() string)
			return "(" + f[0]() + "," + f[1]() + ")"
		}
		return n
	},
	func(p pair) *node { // errors in errors
		n := &node{in: errors.Join(fmt.Errorf("%w", p.a.(error)), p.b.(error))}
		n.say = func() string {
			all := n.in.(interface{ Unwrap() []error }).Unwrap()
			return pair{errors.Unwrap(all[0]).(fmt.Stringer), all[1].(fmt.Stringer)}.String()
		}
		return n
	},
	func(p pair) *node { // behind an unsafe.Pointer, in the middle of an array
		all := make([]pair, 5)
		all[2] = p
		n := &node{in: unsafe.Pointer(&all[2])}
		n.say = func() string { return (*pair)(n.in.(unsafe.Pointer)).String() }
		return n
	},
	func(p pair) *node { // a type that reflect has made
		typ := reflect.StructOf([]reflect.StructField{
			{Name: "A", Type: reflect.TypeOf(&p.a).Elem()}, {Name: "N", Type: reflect.TypeOf(0)},
			{Name: "B", Type: reflect.TypeOf(p.b)}})
		v := reflect.New(typ).Elem()
		v.Field(0).Set(reflect.ValueOf(p.a))
		v.Field(2).Set(reflect.ValueOf(p.b))
		n := &node{in: v.Addr().Interface()}
		n.say = func() string {
			v := reflect.ValueOf(n.in).Elem()
			return pair{v.Field(0).Interface().(fmt.Stringer), v.Field(2).Interface().(fmt.Stringer)}.String()
		}
		return n
	},
}

// Shapes is how many there are.
func Shapes() int { return len(shapes) }

// Join makes a node of that shape, counted from 1.
func Join(shape int, a, b fmt.Stringer) fmt.Stringer { return shapes[shape-1](pair{a, b}) }

// What may be gone at any time ---------------------------------------------------------------------------------------

var pool sync.Pool

// Pool puts a value into a pool.
func Pool(v fmt.Stringer) { pool.Put(v) }

// Pooled is what one says that is in it; "": none is.
func Pooled() string {
	if v, is := pool.Get().(fmt.Stringer); is {
		return v.String()
	}
	return ""
}

// Later is what a value says after so many milliseconds.
func Later(v fmt.Stringer, ms int) string {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return strings.Clone(v.String())
}

// Trouble is garbage that refers to a value, for a moment: on stacks that come and go, and on the heap.
func Trouble(v fmt.Stringer) {
	for i := 0; i < 3; i++ {
		go func(n int) {
			p := pair{v, v}
			all := make([]*node, 20)
			for k := range all {
				all[k] = shapes[(n+k)%len(shapes)](p)
			}
			if len(all[n].String()) == 0 {
				panic("nothing said")
			}
		}(i)
	}
}
