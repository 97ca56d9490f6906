package keeper

import (
	"container/list"
	"container/ring"
	"context"
	"fmt"
	"reflect"
	"runtime"
	"runtime/cgo"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

type holder struct {
	before int
	v      fmt.Stringer
}

var place struct {
	any      any
	stringer fmt.Stringer
	fn       func() string
	object   *holder
	inner    unsafe.Pointer
	m        map[string]any
	keys     map[any]int
	slice    []any
	array    [8]any
	ch       chan any
	sm       sync.Map
	av       atomic.Value
	ap       atomic.Pointer[holder]
	list     *list.List
	ring     *ring.Ring
	ctx      context.Context
	value    reflect.Value
	typ      reflect.Type
	handle   cgo.Handle
	timer    *time.Timer
	err      error
	large    *[200]any
	nested   map[string]map[int][]any
	number   uintptr
	pinner   runtime.Pinner
	variadic []fmt.Stringer
}

func text(v any) string { return v.(fmt.Stringer).String() }

// simple is a kind that sets a variable, and reads it later.
func simple(set func(v fmt.Stringer), get func() any, unset func()) kind {
	return func(v fmt.Stringer) func() string {
		set(v)
		return func() string {
			defer unset()
			return text(get())
		}
	}
}

func init() {
	p := &place
	for name, k := range map[string]kind{
		"variable: any":       simple(func(v fmt.Stringer) { p.any = v }, func() any { return p.any }, func() { p.any = nil }),
		"variable: interface": simple(func(v fmt.Stringer) { p.stringer = v }, func() any { return p.stringer }, func() { p.stringer = nil }),
		"variable: method value": func(v fmt.Stringer) func() string {
			p.fn = v.String
			return func() string { defer func() { p.fn = nil }(); return p.fn() }
		},
		"variable: closure": func(v fmt.Stringer) func() string {
			p.fn = func() string { return v.String() }
			return func() string { defer func() { p.fn = nil }(); return p.fn() }
		},
		"variable: pointer to a struct": simple(func(v fmt.Stringer) { p.object = &holder{v: v} }, func() any { return p.object.v }, func() { p.object = nil }),
		"map: value":                    simple(func(v fmt.Stringer) { p.m = map[string]any{"v": v} }, func() any { return p.m["v"] }, func() { p.m = nil }),
		"map: key": simple(func(v fmt.Stringer) { p.keys = map[any]int{v: 1} }, func() (key any) {
			for key = range p.keys {
			}
			return key
		}, func() { p.keys = nil }),
		"map: nested":            simple(func(v fmt.Stringer) { p.nested = map[string]map[int][]any{"a": {1: {nil, v}}} }, func() any { return p.nested["a"][1][1] }, func() { p.nested = nil }),
		"slice":                  simple(func(v fmt.Stringer) { p.slice = []any{1, v} }, func() any { return p.slice[1] }, func() { p.slice = nil }),
		"slice: past its length": simple(func(v fmt.Stringer) { p.slice = []any{1, v}[:1] }, func() any { return p.slice[:2][1] }, func() { p.slice = nil }),
		"slice: variadic":        simple(func(v fmt.Stringer) { keepAll(v, v) }, func() any { return p.variadic[1] }, func() { p.variadic = nil }),
		"array":                  simple(func(v fmt.Stringer) { p.array[5] = v }, func() any { return p.array[5] }, func() { p.array[5] = nil }),
		"large object":           simple(func(v fmt.Stringer) { p.large = new([200]any); p.large[177] = v }, func() any { return p.large[177] }, func() { p.large = nil }),
		"channel: buffer":        simple(func(v fmt.Stringer) { p.ch = make(chan any, 2); p.ch <- v }, func() any { return <-p.ch }, func() { p.ch = nil }),
		"channel: a sender that waits": func(v fmt.Stringer) func() string {
			ch := make(chan any)
			go func() { ch <- v }()
			time.Sleep(time.Millisecond)
			return func() string { return text(<-ch) }
		},
		"channel: a select that waits": func(v fmt.Stringer) func() string {
			ch, never := make(chan any), make(chan int)
			go func() {
				select {
				case ch <- v:
				case <-never:
				}
			}()
			time.Sleep(time.Millisecond)
			return func() string { return text(<-ch) }
		},
		"sync.Map: value": simple(func(v fmt.Stringer) { p.sm.Store(1, v) }, func() any { v, _ := p.sm.Load(1); return v }, func() { p.sm.Delete(1) }),
		"sync.Map: key": simple(func(v fmt.Stringer) { p.sm.Store(v, 1) }, func() (v any) {
			p.sm.Range(func(key, _ any) bool { v = key; return false })
			return v
		}, func() {
			p.sm.Range(func(key, _ any) bool { p.sm.Delete(key); return true })
			p.sm.Store(2, 2) // up to Go 1.23 a deleted key stays till there is a new one
			p.sm.Delete(2)
		}),
		"atomic.Value":   simple(func(v fmt.Stringer) { p.av.Store(holder{v: v}) }, func() any { return p.av.Load().(holder).v }, func() { p.av.Store(holder{}) }),
		"atomic.Pointer": simple(func(v fmt.Stringer) { p.ap.Store(&holder{v: v}) }, func() any { return p.ap.Load().v }, func() { p.ap.Store(nil) }),
		"container/list": simple(func(v fmt.Stringer) { p.list = list.New(); p.list.PushBack(v) }, func() any { return p.list.Front().Value }, func() { p.list = nil }),
		"container/ring": simple(func(v fmt.Stringer) { p.ring = ring.New(3); p.ring.Next().Value = v }, func() any { return p.ring.Next().Value }, func() { p.ring = nil }),
		"context: value": simple(func(v fmt.Stringer) { p.ctx = context.WithValue(context.Background(), "k", v) }, func() any { return p.ctx.Value("k") }, func() { p.ctx = nil }),
		"context: key": func(v fmt.Stringer) func() string {
			p.ctx = context.WithValue(context.Background(), v, 1)
			want := v.String()
			return func() string {
				defer func() { p.ctx = nil }()
				if s := fmt.Sprint(p.ctx); !strings.Contains(s, "WithValue") {
					return s
				}
				return want
			}
		},
		"error: wrapped": simple(func(v fmt.Stringer) { p.err = fmt.Errorf("failed: %w", v.(error)) }, func() any { return p.err.(interface{ Unwrap() error }).Unwrap() }, func() { p.err = nil }),
		"cgo.Handle": func(v fmt.Stringer) func() string {
			p.handle = cgo.NewHandle(v)
			return func() string { defer p.handle.Delete(); return text(p.handle.Value()) }
		},
		"runtime.Pinner": func(v fmt.Stringer) func() string {
			p.object = &holder{v: v}
			p.pinner.Pin(p.object)
			p.number = uintptr(unsafe.Pointer(p.object))
			p.inner, p.object = unsafe.Pointer(p.object), nil
			return func() string {
				defer func() { p.pinner.Unpin(); p.inner = nil }()
				return text((*holder)(p.inner).v)
			}
		},
		"reflect.Value": simple(func(v fmt.Stringer) { p.value = reflect.ValueOf(v) }, func() any { return p.value.Interface() }, func() { p.value = reflect.Value{} }),
		"reflect.Type": func(v fmt.Stringer) func() string {
			p.typ = reflect.TypeOf(v)
			want := v.String()
			return func() string {
				defer func() { p.typ = nil }()
				if p.typ.String() != "*thing.T" || p.typ.Method(1).Name != "String" {
					return p.typ.String()
				}
				return want
			}
		},
		"reflect: method value": func(v fmt.Stringer) func() string {
			p.value = reflect.ValueOf(v).MethodByName("String")
			return func() string {
				defer func() { p.value = reflect.Value{} }()
				return p.value.Call(nil)[0].String()
			}
		},
		"reflect: method value as a function": func(v fmt.Stringer) func() string {
			p.fn = reflect.ValueOf(v).MethodByName("String").Interface().(func() string)
			return func() string { defer func() { p.fn = nil }(); return p.fn() }
		},
		"reflect.MakeFunc": func(v fmt.Stringer) func() string {
			p.fn = reflect.MakeFunc(reflect.TypeOf(p.fn), func([]reflect.Value) []reflect.Value {
				return []reflect.Value{reflect.ValueOf(v.String())}
			}).Interface().(func() string)
			return func() string { defer func() { p.fn = nil }(); return p.fn() }
		},
		"reflect: a slice of a made type": func(v fmt.Stringer) func() string {
			s := reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(v)), 1, 1)
			s.Index(0).Set(reflect.ValueOf(v))
			p.any = s.Interface()
			return func() string {
				defer func() { p.any = nil }()
				return text(reflect.ValueOf(p.any).Index(0).Interface())
			}
		},
		"reflect: an empty slice of a made type": func(v fmt.Stringer) func() string {
			want := v.String()
			p.any = reflect.Zero(reflect.SliceOf(reflect.TypeOf(v))).Interface()
			return func() string {
				defer func() { p.any = nil }()
				if s := fmt.Sprintf("%T", p.any); s != "[]*thing.T" {
					return s
				}
				return want
			}
		},
		"reflect: a map of a made type": func(v fmt.Stringer) func() string {
			m := reflect.MakeMap(reflect.MapOf(reflect.TypeOf(""), reflect.TypeOf(v)))
			m.SetMapIndex(reflect.ValueOf("v"), reflect.ValueOf(v))
			p.any = m.Interface()
			return func() string {
				defer func() { p.any = nil }()
				return text(reflect.ValueOf(p.any).MapIndex(reflect.ValueOf("v")).Interface())
			}
		},
		"reflect: a struct of a made type": func(v fmt.Stringer) func() string {
			s := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "V", Type: reflect.TypeOf(v)}}))
			s.Elem().Field(0).Set(reflect.ValueOf(v))
			p.any = s.Interface()
			return func() string {
				defer func() { p.any = nil }()
				return text(reflect.ValueOf(p.any).Elem().Field(0).Interface())
			}
		},
		"reflect: a channel of a made type": func(v fmt.Stringer) func() string {
			ch := reflect.MakeChan(reflect.ChanOf(reflect.BothDir, reflect.TypeOf(v)), 1)
			ch.Send(reflect.ValueOf(v))
			p.any = ch.Interface()
			return func() string {
				defer func() { p.any = nil }()
				got, _ := reflect.ValueOf(p.any).Recv()
				return text(got.Interface())
			}
		},
		"timer": func(v fmt.Stringer) func() string {
			got := make(chan string, 1)
			p.timer = time.AfterFunc(time.Hour, func() { got <- v.String() })
			return func() string { p.timer.Reset(0); defer func() { p.timer = nil }(); return <-got }
		},
		"timer that nobody has": func(v fmt.Stringer) func() string {
			got := make(chan string, 1)
			time.AfterFunc(700*time.Millisecond, func() { got <- v.String() })
			return func() string { return <-got }
		},
		"finalizer: what it has captured": func(v fmt.Stringer) func() string {
			got := make(chan string, 1)
			p.object = &holder{}
			runtime.SetFinalizer(p.object, func(*holder) { got <- v.String() })
			return func() string { p.object = nil; return collected(got) }
		},
		"finalizer: what its object refers to": func(v fmt.Stringer) func() string {
			got := make(chan string, 1)
			p.object = &holder{v: v}
			runtime.SetFinalizer(p.object, func(h *holder) { got <- h.v.String() })
			return func() string { p.object = nil; return collected(got) }
		},
		"finalizer: its object's type": func(v fmt.Stringer) func() string {
			got := make(chan string, 1)
			p.inner = reflect.ValueOf(v).UnsafePointer()
			runtime.SetFinalizer(v, func(x any) { got <- text(x) })
			return func() string { p.inner = nil; return collected(got) }
		},
		"goroutine: what it is started with": func(v fmt.Stringer) func() string {
			got, goesOn := make(chan string), make(chan bool)
			go func(v fmt.Stringer) {
				<-goesOn
				got <- v.String()
			}(v)
			return func() string { goesOn <- true; return <-got }
		},
		"goroutine: a method that it is started with": func(v fmt.Stringer) func() string {
			// the one thread that runs Go code now is this one
			got := make(chan string)
			w := waiter{v, make(chan bool), got}
			go w.run()
			return func() string { w.goesOn <- true; return <-got }
		},
		"goroutine: labels": func(v fmt.Stringer) func() string {
			got, goesOn := make(chan string), make(chan bool)
			go func() {
				ctx := context.WithValue(context.Background(), "k", v)
				pprof.Do(ctx, pprof.Labels("a", "b"), func(ctx context.Context) {
					<-goesOn
					got <- text(ctx.Value("k"))
				})
			}()
			time.Sleep(time.Millisecond)
			return func() string { goesOn <- true; return <-got }
		},
	} {
		kinds[name] = k
	}
}

type waiter struct {
	v      fmt.Stringer
	goesOn chan bool
	got    chan string
}

func (w waiter) run() {
	<-w.goesOn
	w.got <- w.v.String()
}

func keepAll(v ...fmt.Stringer) { place.variadic = v }

func collected(got chan string) string {
	for i := 0; i < 100; i++ {
		runtime.GC()
		select {
		case s := <-got:
			return s
		case <-time.After(5 * time.Millisecond):
		}
	}
	return "never finalized"
}
