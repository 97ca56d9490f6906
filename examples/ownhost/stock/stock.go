// Package stock is what a kiosk has and has sold. It is linked into the host: all modules share it, and it stays when
// they are swapped.
package stock

import (
	"fmt"
	"sort"
	"sync"
)

// A Shelf holds pieces of one article.
type Shelf struct {
	Article string
	Pieces  int
	Sold    int
	Taken   int // cents
}

var (
	mu      sync.Mutex
	shelves = map[string]*Shelf{}
)

// Put puts pieces of an article on its shelf.
func Put(article string, pieces int) {
	mu.Lock()
	defer mu.Unlock()
	shelf(article).Pieces += pieces
}

func shelf(article string) *Shelf {
	s := shelves[article]
	if s == nil {
		s = &Shelf{Article: article}
		shelves[article] = s
	}
	return s
}

// Sell takes pieces from the shelf for so many cents in all.
func Sell(article string, pieces, cents int) error {
	mu.Lock()
	defer mu.Unlock()
	s := shelf(article)
	if s.Pieces < pieces {
		return fmt.Errorf("%d %s wanted, %d left", pieces, article, s.Pieces)
	}
	s.Pieces -= pieces
	s.Sold += pieces
	s.Taken += cents
	return nil
}

// List is a copy of all shelves, by article.
func List() []Shelf {
	mu.Lock()
	defer mu.Unlock()
	var all []Shelf
	for _, s := range shelves {
		all = append(all, *s)
	}
	sort.Slice(all, func(i, k int) bool { return all[i].Article < all[k].Article })
	return all
}
