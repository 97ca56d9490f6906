package main

func Swap(a int) int

func plain() {}

var Held = Swap

func main() { _ = Swap(1) }
