-- Generates Go programs of any size, for load.scale: packages that import each other, full of what makes a linker work.
--
-- Nothing in it is like another thing by more than its name, so that a package of a hundred parts has a hundred times
-- the types, methods, itabs, strings, closures, generic instances and initialised variables that one part has.

local write = require "spec.bench.tools".write

local sprawl = {}

local part = [[

// Order$N is what this part is about.
type Order$N struct {
	ID     int
	Name   string
	Lines  []Line$N
	Extra  map[string]*Line$N
	Notify func(Order$N) error
	Next   *Order$N
}

// Line$N is a line of it.
type Line$N struct {
	Key   string
	Price [3]float64
	Tags  [$N]byte
}

// Total$N is implemented by both.
type Total$N interface {
	Total(factor float64) float64
	fmt.Stringer
}

// Fault$N is an error of this part.
type Fault$N struct{ Order *Order$N }

func (f *Fault$N) Error() string { return "order $N: no line in " + f.Order.Name }

func (l Line$N) Total(factor float64) float64 {
	return (l.Price[0] + l.Price[1]*l.Price[2]) * factor
}

func (l Line$N) String() string { return fmt.Sprintf("line $N %s %.2f", l.Key, l.Total(1)) }

func (o *Order$N) Total(factor float64) (sum float64) {
	for _, line := range o.Lines {
		sum += line.Total(factor)
	}
	return sum
}

func (o *Order$N) String() string {
	var b strings.Builder
	for _, total := range o.parts() {
		b.WriteString(total.String())
	}
	return b.String()
}

func (o *Order$N) parts() (totals []Total$N) {
	for _, line := range o.Lines {
		totals = append(totals, line)
	}
	return totals
}

// Kinds$N is filled by an init function.
var Kinds$N = map[string]*Order$N{
	"first $N":  {ID: $N, Name: "first"},
	"second $N": {ID: $N + 1, Name: "second", Lines: []Line$N{{Key: "k$N"}}},
}

var default$N = Order$N{Name: "default $N", Lines: make([]Line$N, 2)}

// Find$N walks, sorts, and answers.
func Find$N(orders []*Order$N, word string) (found *Order$N, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("find $N: %v", r)
		}
	}()
	orders = Keep(orders, func(o *Order$N) bool { return strings.Contains(o.Name, word) })
	sort.Slice(orders, func(i, k int) bool { return orders[i].Total(1) < orders[k].Total(1) })
	for _, order := range orders {
		if len(order.Lines) > 0 {
			return order, nil
		}
		err = errors.Join(err, &Fault$N{order})
	}
	var fault *Fault$N
	if errors.As(err, &fault) {
		return &default$N, nil
	}
	return nil, err
}

// Count$N switches on what it is given.
func Count$N(values ...any) (n int) {
	for _, value := range values {
		switch v := value.(type) {
		case *Order$N:
			n += v.ID
		case Total$N:
			n += int(v.Total(2))
		case string:
			switch v {
			case "one $N":
				n++
			case "two $N":
				n += 2
			case "many $N":
				n += len(Kinds$N)
			}
		case error:
			n--
		default:
			n += Size(map[string]any{"value $N": v})
		}
	}
	return n
}
]]

local head = [[
// Package %s was generated.
package %s

import (
	"errors"
	"fmt"
	"sort"
	"strings"
%s)

// Keep keeps what a function says.
func Keep[T any](list []T, keep func(T) bool) (kept []T) {
	for _, element := range list {
		if keep(element) {
			kept = append(kept, element)
		}
	}
	return kept
}

// Size is how many entries a map has.
func Size[K comparable, V any](m map[K]V) int { return len(m) }
]]

local use = [[

// Use%s refers to another package.
func Use%s(order *%s.Order1) (any, error) { return %s.Find1([]*%s.Order1{order, %s.Kinds1["first 1"]}, order.String()) }
]]

--- The source of package number `k`, which imports some of those before it.
local function package_source(k, parts)
  local name, imports, uses = "p" .. k, {}, {}
  local seen = {}
  for _, other in ipairs { k - 1, math.floor(k / 2), math.floor(k / 3) } do
    if other >= 1 and other < k and not seen[other] then
      seen[other] = true
      local p = "p" .. other
      imports[#imports + 1] = ('\t"sprawl/%s"\n'):format(p)
      uses[#uses + 1] = use:format(p:upper(), p:upper(), p, p, p, p)
    end
  end
  local source = { head:format(name, name, table.concat(imports)), table.concat(uses) }
  for n = 1, parts do source[#source + 1] = (part:gsub("%$N", n)) end
  return table.concat(source)
end

--- Writes a Go module named sprawl with so many packages of so many parts each to a directory.
---@param dir string  where there is nothing yet
---@param packages integer
---@param parts integer
function sprawl.generate(dir, packages, parts)
  assert(os.execute(("mkdir -p '%s'"):format(dir)))
  write(dir .. "/go.mod", "module sprawl\n\ngo 1.21\n")
  for k = 1, packages do
    assert(os.execute(("mkdir -p '%s/p%d'"):format(dir, k)))
    write(("%s/p%d/p%d.go"):format(dir, k, k), package_source(k, parts))
  end
end

return sprawl
