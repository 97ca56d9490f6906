package shapes

import (
	"fmt"
	"runtime"
	"strings"

	"example.com/tree"
)

// The type of a variable may belong to a package that nobody here imports.
var (
	first = tree.New("first", nil)
	last  = tree.New("last one", &first)
)

type thing interface {
	Described(with thing, by func(thing) string, under map[string]thing) (string, error)
	Compared(with thing, by func(thing) string, under map[string]thing) (int, error)
	Replaced(with thing, by func(thing) string, under map[string]thing) (thing, error)
}

type product struct {
	Name, Maker, Description, Category, Country, Currency string
	Price, Weight, Width, Height, Depth                   float64
	Parts                                                 []*product
	Owner                                                 thing
	Others                                                map[string]func(*product, thing) (*product, error)
}

func (p *product) Described(thing, func(thing) string, map[string]thing) (string, error) {
	return p.Name, nil
}
func (p *product) Compared(thing, func(thing) string, map[string]thing) (int, error) {
	return len(p.Name), nil
}
func (p *product) Replaced(with thing, _ func(thing) string, _ map[string]thing) (thing, error) {
	return with, nil
}

// Sorted puts products and interfaces into trees, while the collector looks at all of it.
func Sorted(names []string) string {
	var products *tree.Node[product]
	var things *tree.Node[thing]
	for i, name := range names {
		p := product{Name: name, Price: float64(i), Parts: []*product{{Name: strings.Repeat(name, 2)}}}
		p.Owner = p.Parts[0]
		products = products.Insert(p, func(a, b product) bool { return a.Name < b.Name })
		things = things.Insert(&p, func(a, b thing) bool {
			x, _ := a.Described(nil, nil, nil)
			y, _ := b.Described(nil, nil, nil)
			return x > y
		})
		runtime.GC()
	}
	var out []string
	products.Walk(func(p product) {
		owner, _ := p.Owner.Described(nil, nil, nil)
		out = append(out, fmt.Sprintf("%s/%s", p.Name, owner))
	})
	things.Walk(func(t thing) { out = append(out, fmt.Sprintf("%T", t)) })
	return strings.Join(out, " ")
}

func Chain() string { return fmt.Sprint(last.Name, last.Value, last.Next.Name, last.Next.Value) }
