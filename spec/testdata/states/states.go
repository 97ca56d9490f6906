// Package states is loaded by Lua states that are closed.
package states

import (
	"flag"
	"time"
)

type Counter struct{ N int }

func (c *Counter) Add() int { c.N++; return c.N }

func New() *Counter { return &Counter{} }

// Sum is for the pure road.
func Sum(a, b int) int { return a + b }

// Sleep is for jobs.
func Sleep(seconds float64) float64 {
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	return seconds
}

// Linger starts a goroutine that runs the module's code for so long.
func Linger(seconds float64) {
	go func() { Sleep(seconds) }()
}

type value struct{ text string }

func (v *value) Set(s string) error { v.text = s; return nil }
func (v *value) String() string     { return v.text }

// Register leaves something of the module's with a package of the host's.
func Register(name string) { flag.Var(new(value), name, "") }
