package keeper

import "fmt"

// Interfaces in a row, more than the words that are looked at in one go; in the second row each begins a word later.
var (
	row      [40]any
	laterRow struct {
		n   int
		all [40]any
	}
)

// Places is how many interfaces there are.
func Places() int { return len(row) + len(laterRow.all) }

func at(i int) *any {
	if i < len(row) {
		return &row[i]
	}
	return &laterRow.all[i-len(row)]
}

// Put has one of them hold a value.
func Put(i int, v fmt.Stringer) { *at(i) = v }

// Take uses what one holds, and lets it go.
func Take(i int) string {
	v := *at(i)
	*at(i) = nil
	return text(v)
}
