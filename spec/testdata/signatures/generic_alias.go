//go:build go1.24

package sigs

import "iter"

// declared List [T any] = []PKG.Pair[string,T]
type List[T any] = []Pair[string, T]

// want GenericAlias func(l []PKG.Pair[string,int]) map[string][]PKG.Pair[string,[]uint8]
func GenericAlias(l List[int]) map[string]List[[]byte] { return nil }

// declared Named [T any] = interface { Error() string; Name(T) []PKG.Pair[string,T] }
type Named[T any] = interface {
	Name(T) List[T]
	error
}

// want AliasedInterface func(n interface { Error() string; Name(bool) []PKG.Pair[string,bool] })
func AliasedInterface(n Named[bool]) {}

// hidden Ranges func(seq iter.Seq[int]) (int, error)
func Ranges(seq iter.Seq[int]) (int, error) {
	for n := range seq {
		if n > 1 {
			return n, nil
		}
	}
	return 0, nil
}
