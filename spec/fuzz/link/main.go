// A program with what a linker meets: types, itabs, generics, closures, initialisers, strings.
package main

import "dep"

type S struct {
	dep.T
	F func(int) dep.I
	C chan *dep.T
}

var Var = S{F: func(n int) dep.I { return dep.First }}

var arr [4]any

func Use(i dep.I, n int) string {
	arr[n&3] = i
	return i.Do(n) + "!"
}

func Keep(s S) (any, error) { return dep.Map(s.Name, &s), nil }

func main() {
	dep.Count = len(Use(dep.First, 1))
	go Keep(Var)
}
