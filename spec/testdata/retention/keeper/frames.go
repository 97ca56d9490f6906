package keeper

import (
	"fmt"
	"reflect"
	"runtime"
	"sort"
	"strings"
	"sync"
)

// What is in the frames has no other place: get's result is used in one function.
var frames = map[string]frame{
	"local interface": func(get func() fmt.Stringer, wait func()) string {
		v := get()
		wait()
		return v.String()
	},
	"local any": func(get func() fmt.Stringer, wait func()) string {
		var v any = get()
		wait()
		return v.(fmt.Stringer).String()
	},
	"used for its type alone": func(get func() fmt.Stringer, wait func()) string {
		var v any = get()
		want := v.(fmt.Stringer).String()
		wait()
		if _, is := v.(interface{ Error() string }); !is {
			return "no error"
		}
		return want
	},
	"two interfaces": func(get func() fmt.Stringer, wait func()) string {
		v := get()
		e := v.(error)
		wait()
		if e.Error() != v.String() {
			return "different"
		}
		return v.String()
	},
	"one of many variables": func(get func() fmt.Stringer, wait func()) string {
		v := get()
		a, b, c, d, e, f := len(v.String()), 2, "c", 4.5, []int{1}, map[int]int{1: 1}
		g, h, i, j := fmt.Sprint(a, b), fmt.Sprint(c, d), fmt.Sprint(e), fmt.Sprint(f)
		wait()
		if len(g)+len(h)+len(i)+len(j)+a+b+len(c)+int(d)+len(e)+len(f) == 0 {
			return ""
		}
		return v.String()
	},
	"array with a variable index": func(get func() fmt.Stringer, wait func()) string {
		var all [4]fmt.Stringer
		k := runtime.NumGoroutine() % 4
		all[k] = get()
		wait()
		return all[k].String()
	},
	"struct in memory": func(get func() fmt.Stringer, wait func()) string {
		s := struct {
			a, b, c, d, e int
			v             fmt.Stringer
			f             [3]int
		}{v: get()}
		wait()
		s.f[s.a%3]++
		return s.v.String()
	},
	"variable whose address is taken": func(get func() fmt.Stringer, wait func()) string {
		v := get()
		p := pointerTo(&v)
		wait()
		return (*p).String()
	},
	"closure on the stack": func(get func() fmt.Stringer, wait func()) string {
		v := get()
		f := func() string { return v.String() }
		wait()
		return call(f)
	},
	"method value": func(get func() fmt.Stringer, wait func()) string {
		f := get().String
		wait()
		return f()
	},
	"parameter": func(get func() fmt.Stringer, wait func()) string { return parameter(1, get(), wait) },
	"parameters on the stack": func(get func() fmt.Stringer, wait func()) string {
		return manyParameters(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, get(), wait)
	},
	"variadic parameter": func(get func() fmt.Stringer, wait func()) string { return variadic(wait, nil, get()) },
	"result of a function that defers": func(get func() fmt.Stringer, wait func()) string {
		return namedResult(get, wait).String()
	},
	"result of a function that recovers": func(get func() fmt.Stringer, wait func()) string {
		return recovers(get, wait).String()
	},
	"result that a panic would have returned": func(get func() fmt.Stringer, wait func()) string {
		return replaced(get, wait, func() { panic(1) }).String()
	},
	"deferred call": func(get func() fmt.Stringer, wait func()) (s string) {
		func() {
			defer func(v fmt.Stringer) { s = v.String() }(get())
			wait()
		}()
		return s
	},
	"deferred method": func(get func() fmt.Stringer, wait func()) (s string) {
		func() {
			h := holder{v: get()}
			defer h.put(&s)
			wait()
		}()
		return s
	},
	"deferred calls in a loop": func(get func() fmt.Stringer, wait func()) (s string) {
		func() {
			for i := 0; i < 3; i++ {
				if i == 1 {
					v := get()
					defer func() { s = v.String() }()
				} else {
					defer func() {}()
				}
			}
			wait()
		}()
		return s
	},
	"panic in flight": func(get func() fmt.Stringer, wait func()) (s string) {
		func() {
			defer func() { s = text(recover()) }()
			defer wait()
			panic(get())
		}()
		return s
	},
	"panic that another one replaced": func(get func() fmt.Stringer, wait func()) (s string) {
		func() {
			defer func() { s = text(recover()) }()
			func() {
				defer wait()
				defer func() { panic(recover()) }()
				panic(get())
			}()
		}()
		return s
	},
	"recovered value": func(get func() fmt.Stringer, wait func()) (s string) {
		func() {
			defer func() {
				v := recover()
				wait()
				s = text(v)
			}()
			panic(get())
		}()
		return s
	},
	"loop over a slice": func(get func() fmt.Stringer, wait func()) string {
		var s strings.Builder
		for i, v := range []fmt.Stringer{get()} {
			wait()
			fmt.Fprint(&s, v.String()[i:])
		}
		return s.String()
	},
	"loop over a map": func(get func() fmt.Stringer, wait func()) (s string) {
		m := map[string]fmt.Stringer{"v": get()}
		for key, v := range m {
			delete(m, key)
			wait()
			s = v.String()
		}
		return s
	},
	"type switch": func(get func() fmt.Stringer, wait func()) string {
		switch v := any(get()).(type) {
		case error:
			wait()
			return v.Error()
		case int:
			return "int"
		}
		return "none"
	},
	"callback of another package": func(get func() fmt.Stringer, wait func()) string {
		v, waited := get(), false
		sort.Slice([]int{2, 1}, func(i, k int) bool {
			if !waited {
				waited = true
				wait()
			}
			return i < k
		})
		return v.String()
	},
	"under a mutex": func(get func() fmt.Stringer, wait func()) string {
		var mu sync.Mutex
		mu.Lock()
		defer mu.Unlock()
		v := get()
		wait()
		return v.String()
	},
	"once": func(get func() fmt.Stringer, wait func()) (s string) {
		var once sync.Once
		v := get()
		once.Do(func() {
			wait()
			s = v.String()
		})
		return s
	},
	"function that reflect calls": func(get func() fmt.Stringer, wait func()) string {
		return reflect.ValueOf(parameter).Call([]reflect.Value{
			reflect.ValueOf(1), reflect.ValueOf(get()), reflect.ValueOf(wait)})[0].String()
	},
	"function that reflect makes": func(get func() fmt.Stringer, wait func()) string {
		f := reflect.MakeFunc(reflect.TypeOf(parameter), func(in []reflect.Value) []reflect.Value {
			wait()
			return []reflect.Value{reflect.ValueOf(in[1].Interface().(fmt.Stringer).String())}
		}).Interface().(func(int, fmt.Stringer, func()) string)
		return f(1, get(), wait)
	},
	"generic function": func(get func() fmt.Stringer, wait func()) string { return generic(get(), wait) },
	"deep recursion":   func(get func() fmt.Stringer, wait func()) string { return recurse(500, get(), wait) },
	"conversion to another interface": func(get func() fmt.Stringer, wait func()) string {
		e := get().(interface {
			fmt.Stringer
			error
		})
		wait()
		return e.Error()
	},
	"comparison": func(get func() fmt.Stringer, wait func()) string {
		v := get()
		w := v
		s := v.String()
		wait()
		if any(w) != any(v) {
			return "different"
		}
		return s
	},
	"large frame": func(get func() fmt.Stringer, wait func()) string {
		var room [4000]int
		v := get()
		room[len(v.String())] = 1
		wait()
		return v.String()[room[0]:]
	},
	"thread of its own": func(get func() fmt.Stringer, wait func()) string {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		v := get()
		wait()
		return v.String()
	},
}

//go:noinline
func pointerTo(p *fmt.Stringer) *fmt.Stringer { return p }

//go:noinline
func call(f func() string) string { return f() }

//go:noinline
func parameter(n int, v fmt.Stringer, wait func()) string {
	wait()
	return v.String()[n-1:]
}

//go:noinline
func manyParameters(a, b, c, d, e, f, g, h, i, j int, v fmt.Stringer, wait func()) string {
	wait()
	return v.String()[a+b+c+d+e+f+g+h+i+j-55:]
}

//go:noinline
func variadic(wait func(), all ...fmt.Stringer) string {
	wait()
	return all[len(all)-1].String()
}

//go:noinline
func namedResult(get func() fmt.Stringer, wait func()) (v fmt.Stringer) {
	defer wait()
	v = get()
	return v
}

//go:noinline
func recovers(get func() fmt.Stringer, wait func()) (v fmt.Stringer) {
	defer func() {
		recover()
		wait()
	}()
	v = get()
	panic(1)
}

//go:noinline
func replaced(get func() fmt.Stringer, wait, fail func()) (v fmt.Stringer) {
	defer func() { recover() }()
	v = get()
	wait()
	fail()
	v = nil
	return v
}

func (h holder) put(s *string) { *s = h.v.String() }

//go:noinline
func generic[T fmt.Stringer](v T, wait func()) string {
	wait()
	return v.String()
}

//go:noinline
func recurse(n int, v fmt.Stringer, wait func()) string {
	if n == 0 {
		wait()
		return v.String()
	}
	return recurse(n-1, v, wait)
}
