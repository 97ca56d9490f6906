// Package till sells from the stock: five pieces for the price of four.
package till

import "example.test/kiosk/stock"

var prices = map[string]int{"ice cream": 150, "newspaper": 320}

// Deliver is what the van brings.
func Deliver(article string, pieces int) { stock.Put(article, pieces) }

// Sell answers the price of all pieces, in cents.
func Sell(article string, pieces int) (int, error) {
	cents := prices[article] * (pieces - pieces/5)
	return cents, stock.Sell(article, pieces, cents)
}

// Stock tells what is there.
func Stock() []stock.Shelf { return stock.List() }
