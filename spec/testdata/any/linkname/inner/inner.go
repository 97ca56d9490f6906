// Package inner declares a function that somebody else gives it.
package inner

var counter int

func Given(word string) string

func Count() int { return counter }

var table = [...]int{1, 2, 3}

var zeros [4]int

func Zeros() [4]int { zeros[3] = 6; return zeros }
