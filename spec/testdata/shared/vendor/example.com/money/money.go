// Package money stands for a third-party package: fetched once, and the same for all modules that use it.
package money

import (
	"fmt"
	"strconv"

	"example.com/money/round"
)

// Amount of money, in hundredths. It is a flag.Value.
type Amount int64

// Made counts the amounts made by Of.
var Made int

func init() { Made = 100 }

// kept is what Keep was given last.
var kept any

// Keep stands for a package that remembers something of each type it meets.
func Keep(v any) { kept = v }

// Of makes an amount of units.
func Of(units float64) *Amount {
	Made++
	a := Amount(round.Half(units * 100))
	return &a
}

func (a *Amount) String() string { return fmt.Sprintf("%d.%02d", *a/100, *a%100) }

// Set is the reverse of String.
func (a *Amount) Set(text string) error {
	units, err := strconv.ParseFloat(text, 64)
	*a = *Of(units)
	return err
}
