package left

import (
	"flag"

	"example.com/money"
	"example.com/shared/price"
)

// Put leaves an amount where every module of the process can find it.
func Put(name string, units float64) {
	price.Asked++
	flag.Var(money.Of(units), name, "") // no text of the module's own: that would keep it
}

// Get finds it, and tells whether it has the type that this module knows.
func Get(name string) string {
	price.Asked++
	if amount, ok := flag.Lookup(name).Value.(*money.Amount); ok {
		return amount.String()
	}
	return "a stranger"
}

type own struct{ n int }

// KeepOwn has the third-party package remember a type of this one, or forget it.
func KeepOwn(keep bool) {
	if keep {
		money.Keep(&own{})
	} else {
		money.Keep(nil)
	}
}

func Made() int { return money.Made }

func Asked() int { return price.Asked }
