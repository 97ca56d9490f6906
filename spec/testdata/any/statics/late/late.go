// Package late is the first to want the tables.
package late

import "example.com/registry"

func Put(name string, n int)    { registry.Defaults.Put(name, n) }
func Get(name string) int       { return registry.Defaults.Get(name) }
func Lengths(word string) []int { return registry.Lengths(word) }
