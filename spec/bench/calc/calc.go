// Package main is as little as a module can have.
package main

func Add(a, b int) int { return a + b }

func main() {}
