// A shop's category list page: what a visitor sees at /list/phones?brand=Halden&max=400&sort=price-up.
//
// Ordinary Go. Nothing in this file knows that it may be loaded into a running process: `go run list.go products.json
// phones` prints the same page. Open reads the catalogue once; Render, Find, Count, Facets and Categories answer from it.
//
// The one idea worth knowing is how the numbers behind the filters are counted. A visitor who has chosen one brand still
// wants to see how many products the other brands have, so a product counts for a filter when it passes all the *other*
// filters. One pass is enough: a product that fails no filter counts everywhere, one that fails a single filter counts
// for that one, and one that fails two or more counts nowhere.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
)

// Product is one line of the catalogue.
type Product struct {
	ID         int               `json:"id"`
	Category   string            `json:"category"`
	Brand      string            `json:"brand"`
	Name       string            `json:"name"`
	Price      int               `json:"price"` // cents
	Rating     float64           `json:"rating"`
	Reviews    int               `json:"reviews"`
	Added      string            `json:"added"` // 2026-03-05
	Attributes map[string]string `json:"attributes"`
}

// Query says which products of a category to show. Its zero value, but for the category, is the first page of all.
type Query struct {
	Category   string
	Brands     []string
	Min, Max   int                 // cents, 0: no bound
	Attributes map[string][]string // any of the values of each
	Sort       string              // a key of Sorts
	Page       int                 // from 1
	PerPage    int
}

// NotFoundError says that the catalogue has no such category.
type NotFoundError struct{ Category string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("no category %q", e.Category) }

// BadQueryError says which part of a query string makes no sense.
type BadQueryError struct {
	Field, Value string
	Err          error
}

func (e *BadQueryError) Error() string {
	return fmt.Sprintf("bad %s %q: %v", e.Field, e.Value, e.Err)
}

func (e *BadQueryError) Unwrap() error { return e.Err }

// ErrNotOpen is what every question gets before Open.
var ErrNotOpen = errors.New("the catalogue is not open")

// PerPage is how many products a page shows unless the query says otherwise.
var PerPage = 24

const maxPerPage = 500

// ---- the catalogue ------------------------------------------------------------------------------------------------

type catalogue struct {
	categories []string
	products   map[string][]*Product // by category
	attributes map[string][]string   // by category: the names its products have, sorted
}

// Readers take the pointer once and keep what they took, so Open may replace it under them.
var current atomic.Pointer[catalogue]

// Open reads the catalogue at path and returns the number of its products.
func Open(path string) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	shop, n, err := read(file)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	current.Store(shop)
	return n, nil
}

func read(r io.Reader) (*catalogue, int, error) {
	var products []*Product
	if err := json.NewDecoder(r).Decode(&products); err != nil {
		return nil, 0, err
	}
	shop := &catalogue{products: map[string][]*Product{}, attributes: map[string][]string{}}
	for i, p := range products {
		if p == nil || p.Category == "" {
			return nil, 0, fmt.Errorf("product %d has no category", i+1)
		}
		if shop.products[p.Category] == nil {
			shop.categories = append(shop.categories, p.Category)
		}
		shop.products[p.Category] = append(shop.products[p.Category], p)
		for name := range p.Attributes {
			if names := shop.attributes[p.Category]; !slices.Contains(names, name) {
				shop.attributes[p.Category] = append(names, name)
			}
		}
	}
	sort.Strings(shop.categories)
	for _, names := range shop.attributes {
		sort.Strings(names)
	}
	return shop, len(products), nil
}

func (c *catalogue) category(name string) ([]*Product, error) {
	if c == nil {
		return nil, ErrNotOpen
	}
	products, ok := c.products[name]
	if !ok {
		return nil, &NotFoundError{name}
	}
	return products, nil
}

// ---- sorting ------------------------------------------------------------------------------------------------------

type order struct {
	Key, Title string
	compare    func(a, b *Product) int
}

// The first order is the one of a visitor who chose none.
var orders = []order{
	{"rating", "Best rated", byRating},
	{"newest", "Newest", byAge},
	{"price-up", "Price, low to high", byPrice},
	{"price-down", "Price, high to low", descending(byPrice)},
	{"name", "Name", byName},
}

func byRating(a, b *Product) int {
	return cmp.Compare(b.Rating, a.Rating)
}

func byAge(a, b *Product) int   { return strings.Compare(b.Added, a.Added) }
func byPrice(a, b *Product) int { return cmp.Compare(a.Price, b.Price) }
func byName(a, b *Product) int  { return strings.Compare(a.Name, b.Name) }

func descending[T any](compare func(a, b T) int) func(a, b T) int {
	return func(a, b T) int { return compare(b, a) }
}

// Sorts returns the keys that a query's Sort understands.
func Sorts() []string {
	keys := make([]string, len(orders))
	for i, o := range orders {
		keys[i] = o.Key
	}
	return keys
}

func findOrder(key string) (order, error) {
	if key == "" {
		return orders[0], nil
	}
	for _, o := range orders {
		if o.Key == key {
			return o, nil
		}
	}
	return order{}, &BadQueryError{"sort", key, fmt.Errorf("want one of %s", strings.Join(Sorts(), ", "))}
}

// ---- filtering and counting ---------------------------------------------------------------------------------------

// counts holds, for the brand and each attribute, how many products every value would show.
type counts map[string]map[string]int

func (c counts) add(facet, value string) {
	if c[facet] == nil {
		c[facet] = map[string]int{}
	}
	c[facet][value]++
}

// match returns the products that q asks for and the counts beside its filters.
func (q *Query) match(products []*Product) ([]*Product, counts) {
	found := make([]*Product, 0, len(products))
	facets := counts{}
	for _, p := range products {
		if p.Price < q.Min || q.Max > 0 && p.Price > q.Max {
			continue
		}
		fails, failed := 0, ""
		if len(q.Brands) > 0 && !slices.Contains(q.Brands, p.Brand) {
			fails, failed = 1, "brand"
		}
		for name, wanted := range q.Attributes {
			if len(wanted) > 0 && !slices.Contains(wanted, p.Attributes[name]) {
				fails, failed = fails+1, name
			}
		}
		switch fails {
		case 0:
			found = append(found, p)
			facets.add("brand", p.Brand)
			for name, value := range p.Attributes {
				facets.add(name, value)
			}
		case 1:
			if failed == "brand" {
				facets.add("brand", p.Brand)
			} else if value, ok := p.Attributes[failed]; ok {
				facets.add(failed, value)
			}
		}
	}
	return found, facets
}

// result is what a query found: one page of it, and what the page says about the rest.
type result struct {
	Products []*Product
	Total    int
	Pages    int
	Order    order
	facets   counts
}

func (c *catalogue) find(q *Query) (*result, error) {
	products, err := c.category(q.Category)
	if err != nil {
		return nil, err
	}
	by, err := findOrder(q.Sort)
	if err != nil {
		return nil, err
	}
	if q.Page < 1 {
		q.Page = 1
	}
	if q.PerPage < 1 {
		q.PerPage = PerPage
	}
	q.PerPage = max(1, min(q.PerPage, maxPerPage))
	found, facets := q.match(products)
	slices.SortStableFunc(found, by.compare)
	r := &result{Total: len(found), Order: by, facets: facets}
	r.Pages = (r.Total + q.PerPage - 1) / q.PerPage
	if q.Page <= r.Pages {
		first := (q.Page - 1) * q.PerPage
		r.Products = found[first:min(first+q.PerPage, r.Total)]
	}
	return r, nil
}

// Find returns the products on the page that q asks for; none past the last page.
func Find(q Query) ([]Product, error) {
	r, err := current.Load().find(&q)
	if err != nil {
		return nil, err
	}
	products := make([]Product, len(r.Products))
	for i, p := range r.Products {
		products[i] = *p
	}
	return products, nil
}

// Count returns how many products q matches on all its pages.
func Count(q Query) (int, error) {
	products, err := current.Load().category(q.Category)
	if err != nil {
		return 0, err
	}
	found, _ := q.match(products)
	return len(found), nil
}

// Categories returns the names of all categories, sorted.
func Categories() []string {
	if shop := current.Load(); shop != nil {
		return slices.Clone(shop.categories)
	}
	return nil
}

// Facets returns, for the brand and each attribute of a category, how many products have each value.
func Facets(category string) (map[string]map[string]int, error) {
	products, err := current.Load().category(category)
	if err != nil {
		return nil, err
	}
	q := Query{Category: category}
	_, facets := q.match(products)
	return facets, nil
}

// Price formats cents as the pages do.
func Price(cents int) string {
	whole := strconv.Itoa(cents / 100)
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return fmt.Sprintf("€%s.%02d", whole, cents%100)
}

// ---- query strings ------------------------------------------------------------------------------------------------

// ownFields are the names in a query string that are not attributes of products.
var ownFields = []string{"brand", "sort", "min", "max", "page", "per"}

// ParseQuery reads what stands behind the ? of a category's address. A name it does not know is an attribute.
func ParseQuery(category, query string) (Query, error) {
	q := Query{Category: category, Attributes: map[string][]string{}}
	values, err := url.ParseQuery(query)
	if err != nil {
		return q, &BadQueryError{"query", query, err}
	}
	q.Brands, q.Sort = values["brand"], values.Get("sort")
	for _, number := range []struct {
		name string
		unit float64
		to   *int
	}{{"min", 100, &q.Min}, {"max", 100, &q.Max}, {"page", 1, &q.Page}, {"per", 1, &q.PerPage}} {
		text := values.Get(number.name)
		if text == "" {
			continue // an empty field of the form
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !(n >= 0 && n <= 1e9) { // this way round NaN is refused too
			return q, &BadQueryError{number.name, text, errors.New("want a number")}
		}
		*number.to = int(n*number.unit + 0.5)
	}
	for name, wanted := range values {
		if !slices.Contains(ownFields, name) {
			q.Attributes[name] = wanted
		}
	}
	return q, nil
}

// values is the opposite of ParseQuery; fields that have their zero value are left out.
func (q Query) values() url.Values {
	values := url.Values{}
	for name, wanted := range q.Attributes {
		if len(wanted) > 0 {
			values[name] = wanted
		}
	}
	if len(q.Brands) > 0 {
		values["brand"] = q.Brands
	}
	if q.Min > 0 {
		values.Set("min", euros(q.Min))
	}
	if q.Max > 0 {
		values.Set("max", euros(q.Max))
	}
	if q.Sort != "" && q.Sort != orders[0].Key {
		values.Set("sort", q.Sort)
	}
	if q.Page > 1 {
		values.Set("page", strconv.Itoa(q.Page))
	}
	if q.PerPage > 0 && q.PerPage != PerPage {
		values.Set("per", strconv.Itoa(q.PerPage))
	}
	return values
}

// link is the address of q's page.
func (q Query) link() string {
	address := "/list/" + url.PathEscape(q.Category)
	if values := q.values(); len(values) > 0 {
		address += "?" + values.Encode()
	}
	return address
}

func euros(cents int) string { return strconv.FormatFloat(float64(cents)/100, 'f', -1, 64) }

// toggled returns wanted with value put in, or taken out if it was there; wanted itself is left alone.
func toggled(wanted []string, value string) []string {
	if i := slices.Index(wanted, value); i >= 0 {
		return slices.Delete(slices.Clone(wanted), i, i+1)
	}
	return append(slices.Clone(wanted), value)
}

// ---- the page -----------------------------------------------------------------------------------------------------

// choice is a link on the page: a filter's value, an order, a page number.
type choice struct {
	Title  string
	Link   string
	Count  int
	Chosen bool
}

type facet struct {
	Title   string
	Choices []choice
}

type field struct{ Name, Value string }

type page struct {
	*result
	Query      Query
	Title      string
	Categories []choice
	Facets     []facet
	Orders     []choice
	Numbers    []choice // of pages; a gap has no link
	Kept       []field  // what the price form must pass on
	Min, Max   string
	First      int // number of the first product shown
	Last       int
}

// PriceText is what the template shows as the price.
func (p *Product) PriceText() string { return Price(p.Price) }

// Stars is the rating as a row of five stars.
func (p *Product) Stars() string {
	full := int(p.Rating + 0.5)
	return strings.Repeat("★", full) + strings.Repeat("☆", 5-full)
}

// Render returns the page of a category as HTML; query is the visitor's query string.
func Render(category, query string) (string, error) {
	shop := current.Load()
	if shop == nil {
		return "", ErrNotOpen
	}
	q, err := ParseQuery(category, query)
	if err != nil {
		return "", err
	}
	r, err := shop.find(&q)
	if err != nil {
		return "", err
	}
	p := page{result: r, Query: q, Title: title(category)}
	if len(r.Products) > 0 {
		p.First = (q.Page-1)*q.PerPage + 1
		p.Last = p.First + len(r.Products) - 1
	}
	for _, name := range shop.categories {
		p.Categories = append(p.Categories, choice{title(name), Query{Category: name}.link(), len(shop.products[name]), name == category})
	}
	for _, o := range orders {
		to := q
		to.Sort, to.Page = o.Key, 1
		p.Orders = append(p.Orders, choice{o.Title, to.link(), 0, o.Key == r.Order.Key})
	}
	p.Facets = q.facets(shop.attributes[category], r.facets)
	p.Numbers = q.numbers(r.Pages)
	if q.Min > 0 {
		p.Min = euros(q.Min)
	}
	if q.Max > 0 {
		p.Max = euros(q.Max)
	}
	rest := q
	rest.Min, rest.Max, rest.Page = 0, 0, 1
	for name, wanted := range rest.values() {
		for _, value := range wanted {
			p.Kept = append(p.Kept, field{name, value})
		}
	}
	slices.SortStableFunc(p.Kept, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	var out strings.Builder
	if err := layout.Execute(&out, &p); err != nil {
		return "", err
	}
	return out.String(), nil
}

func title(name string) string {
	if name == "" {
		return name
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// facets lists the filters with their counts: the brands, then the attributes by name.
func (q Query) facets(attributes []string, have counts) []facet {
	list := []facet{{"Brand", choices(have["brand"], q.Brands, func(wanted []string) string {
		to := q
		to.Brands, to.Page = wanted, 1
		return to.link()
	})}}
	for _, name := range attributes {
		list = append(list, facet{title(name), choices(have[name], q.Attributes[name], func(wanted []string) string {
			to := q
			to.Page, to.Attributes = 1, map[string][]string{name: wanted}
			for other, values := range q.Attributes {
				if other != name {
					to.Attributes[other] = values
				}
			}
			return to.link()
		})})
	}
	return list
}

// choices turns one filter's counts into links, the most frequent value first.
func choices(have map[string]int, wanted []string, link func(wanted []string) string) []choice {
	list := make([]choice, 0, len(have))
	for value, n := range have {
		list = append(list, choice{value, link(toggled(wanted, value)), n, slices.Contains(wanted, value)})
	}
	slices.SortFunc(list, func(a, b choice) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Title, b.Title)
	})
	return list
}

// numbers links the first, the last and the pages around the one shown: 1 … 4 [5] 6 … 70.
func (q Query) numbers(pages int) []choice {
	var list []choice
	for n := 1; n <= pages; n++ {
		if n > 1 && n < pages && (n < q.Page-2 || n > q.Page+2) {
			if list[len(list)-1].Link != "" {
				list = append(list, choice{Title: "…"})
			}
			continue
		}
		to := q
		to.Page = n
		list = append(list, choice{strconv.Itoa(n), to.link(), 0, n == q.Page})
	}
	return list
}

var layout = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{.Title}}{{if gt .Query.Page 1}}, page {{.Query.Page}}{{end}}</title>
</head>
<body>
<nav>
{{- range .Categories}}
<a href="{{.Link}}"{{if .Chosen}} class="chosen"{{end}}>{{.Title}}</a>
{{- end}}
</nav>
<h1>{{.Title}}</h1>
<aside>
{{- range .Facets}}{{if .Choices}}
<h2>{{.Title}}</h2>
<ul>
{{- range .Choices}}
<li{{if .Chosen}} class="chosen"{{end}}><a href="{{.Link}}" rel="nofollow">{{.Title}}</a> <small>{{.Count}}</small></li>
{{- end}}
</ul>
{{- end}}{{end}}
<form>
{{- range .Kept}}
<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{- end}}
<label>from <input name="min" value="{{.Min}}"></label>
<label>to <input name="max" value="{{.Max}}"></label>
<button>Filter</button>
</form>
</aside>
<main>
<p>{{if .Products}}{{.First}} to {{.Last}} of {{.Total}} products{{else if .Total}}No products on this page{{else}}No products match{{end}}</p>
<p>Sort by
{{- range .Orders}}
<a href="{{.Link}}"{{if .Chosen}} class="chosen"{{end}}>{{.Title}}</a>
{{- end}}
</p>
<ol start="{{.First}}">
{{- range .Products}}
<li id="p{{.ID}}">
<h3><a href="/product/{{.ID}}">{{.Brand}} {{.Name}}</a></h3>
<p class="price">{{.PriceText}}</p>
<p class="rating" title="{{printf "%.1f" .Rating}}">{{.Stars}} <small>{{.Reviews}}</small></p>
<dl>{{range $name, $value := .Attributes}}<dt>{{$name}}</dt><dd>{{$value}}</dd>{{end}}</dl>
</li>
{{- end}}
</ol>
<footer>
{{- range .Numbers}}
{{if not .Link}}<span>{{.Title}}</span>{{else if .Chosen}}<b>{{.Title}}</b>{{else}}<a href="{{.Link}}">{{.Title}}</a>{{end}}
{{- end}}
</footer>
</main>
</body>
</html>
`))

// ---- on its own ---------------------------------------------------------------------------------------------------

func main() {
	if len(os.Args) < 3 || len(os.Args) > 4 {
		fmt.Fprintln(os.Stderr, "usage: list CATALOGUE CATEGORY [QUERY]")
		os.Exit(2)
	}
	query := ""
	if len(os.Args) == 4 {
		query = os.Args[3]
	}
	_, err := Open(os.Args[1])
	if err == nil {
		var html string
		if html, err = Render(os.Args[2], query); err == nil {
			fmt.Print(html)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "list:", err)
		os.Exit(1)
	}
}
