// Package inner declares a function that somebody else gives it.
package inner

var counter int

func Given(word string) string

func Count() int { return counter }
