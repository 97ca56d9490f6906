package cache

import "example.com/names"

type T struct {
	A int
}

func Fields() string { return names.Of(T{}) }
func All() int       { return names.All() }
func Asked() int     { return names.Asked }
