-- A Go package of random types, as text, and what Lua is to do with it.
local random_types = require "spec.bench.types.random"

local any_type, byte_slice, named, pick, scalar = random_types.any_type, random_types.byte_slice, random_types.named,
  random_types.pick, random_types.scalar
local random = math.random

local NAMED, MIXED, CALLED, FLAT = 16, 16, 12, 16 -- types, and functions of each kind
local VALUES = 3 -- of each type, and sets of arguments

local PRELUDE = [[
package seed

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"
)

var _ = math.Pi
var _ = errors.New
var _ time.Duration

type Box[T any] struct {
	V T
	L []T
}

type Keeper struct{ calls int }

func NewKeeper() *Keeper { return &Keeper{} }

func (k *Keeper) Calls() int { return k.calls }

func ptr[T any](x T) *T { return &x }

// dump is all that is in a variable, as a text.
func dump[T any](x T) string {
	var b strings.Builder
	write(&b, reflect.ValueOf(&x).Elem())
	return b.String()
}

func differs(got, want string) string {
	if got == want {
		return ""
	}
	return "Go has " + got + " instead of " + want
}

func float(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func write(b *strings.Builder, v reflect.Value) {
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case time.Time:
			b.WriteString(x.UTC().Format(time.RFC3339Nano))
			return
		case error:
			fmt.Fprintf(b, "error %q", x.Error())
			return
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		fmt.Fprint(b, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		fmt.Fprint(b, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		fmt.Fprint(b, v.Uint())
	case reflect.Float32, reflect.Float64:
		b.WriteString(float(v.Float()))
	case reflect.Complex64, reflect.Complex128:
		c := v.Complex()
		b.WriteString("(" + float(real(c)) + " " + float(imag(c)) + "i)")
	case reflect.String:
		fmt.Fprintf(b, "%q", v.String())
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.IsNil() {
			b.WriteString("nil")
			return
		}
		b.WriteString("[")
		for i := 0; i < v.Len(); i++ {
			b.WriteString(" ")
			write(b, v.Index(i))
		}
		b.WriteString("]")
	case reflect.Map:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		var lines []string
		for _, k := range v.MapKeys() {
			var line strings.Builder
			write(&line, k)
			line.WriteString(": ")
			write(&line, v.MapIndex(k))
			lines = append(lines, line.String())
		}
		sort.Strings(lines)
		b.WriteString("{" + strings.Join(lines, ", ") + "}")
	case reflect.Struct:
		b.WriteString("{")
		for i := 0; i < v.NumField(); i++ {
			b.WriteString(" " + v.Type().Field(i).Name + ":")
			write(b, v.Field(i))
		}
		b.WriteString("}")
	case reflect.Ptr, reflect.Interface:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		if v.Kind() == reflect.Interface {
			b.WriteString(v.Elem().Type().String() + " ")
		} else {
			b.WriteString("&")
		}
		write(b, v.Elem())
	default:
		panic("a kind that no random type has")
	}
}
]]

-- A value that Lua can give.
local function given(t)
  for _ = 1, 50 do
    local value, go, taken = t.new()
    if not taken then return value, go end
  end
end

-- Sets of values of several types, and a Go variable with an array of each.
local function sets(lines, name, list, new)
  local values = {}
  for n = 1, VALUES do values[n] = {} end
  for i, t in ipairs(list) do
    local parts = {}
    for n = 1, VALUES do
      local value, go = new(t)
      if not go then return nil end
      values[n][i], parts[n] = value, go
    end
    lines[#lines + 1] = ("var %s_%d = [...]%s{%s}"):format(name, i, t.go, table.concat(parts, ", "))
  end
  return values
end

local function taken(t) return t.new() end

-- Types of parameters or results.
local function places(from, to, of)
  local list = {}
  for i = 1, random(from, to) do list[i] = of() end
  return list
end

local function some_type() return any_type(random(0, 2)) end

local function flat_type() return random(8) == 1 and byte_slice "byte" or scalar() end

-- "a1 int, a2 string", and the statements that compare them with values of `name`.
local function parameters(list, name, rest)
  local declared, compared = {}, {}
  for i, t in ipairs(list) do
    declared[i] = ("a%d %s"):format(i, t.go)
    compared[i] = ("out += differs(dump(a%d), dump(%s_%d[n]))"):format(i, name, i)
  end
  if rest then
    declared[#declared + 1] = ("rest ...%s"):format(rest.go)
    compared[#compared + 1] = ("for i, x := range rest { out += differs(dump(x), dump(%s_rest_1[i])) }"):format(name)
  end
  return table.concat(declared, ", "), table.concat(compared, "\n\t")
end

local function types_of(list)
  local texts = {}
  for i, t in ipairs(list) do texts[i] = t.go end
  return table.concat(texts, ", ")
end

-- An error that comes last is none of the results (TYPES.md): such functions are not made here.
local function results()
  local list
  repeat list = places(0, 4, some_type) until #list == 0 or list[#list].go ~= "error"
  return list
end

local LONGEST = 250000 -- bytes: the compiler needs minutes for more

local function make()
  local types, lines = random_types.start()
  local package = { types = types, mixed = {}, called = {}, flat = {}, given = {}, taken = {} }
  for _ = 1, NAMED do (random(8) == 1 and random_types.recursive or named)(random(3)) end

  for i, t in ipairs(types) do
    package.given[i] = sets(lines, ("given%d"):format(i), { t }, given) or {}
    package.taken[i] = assert(sets(lines, ("taken%d"):format(i), { t }, taken))
    if #package.given[i] > 0 then
      lines[#lines + 1] = ("func Give%d(n int, x %s) string { return differs(dump(x), dump(given%d_1[n])) }"):format(
        i, t.go, i)
      lines[#lines + 1] = ("var Var%d %s"):format(i, t.go)
      lines[#lines + 1] = ("func Look%d(n int) string { return differs(dump(Var%d), dump(given%d_1[n])) }"):format(
        i, i, i)
      lines[#lines + 1] = ("func Echo%d(x %s) %s { return x }"):format(i, t.go, t.go)
    end
    lines[#lines + 1] = ("func Take%d(n int) %s { return taken%d_1[n] }"):format(i, t.go, i)
    lines[#lines + 1] = ("func Dump%d(n int) string { return dump(taken%d_1[n]) }"):format(i, i)
  end

  for j = 1, MIXED do
    local fn = { params = places(0, 9, some_type), results = results() }
    fn.rest = random(4) == 1 and some_type() or nil
    local name = ("mixed%d"):format(j)
    fn.arguments = sets(lines, name, fn.params, given)
    fn.values = sets(lines, name .. "r", fn.results, taken)
    fn.more = fn.rest and sets(lines, name .. "_rest", { fn.rest }, given)
    if fn.arguments and (fn.more or not fn.rest) then
      local declared, compared = parameters(fn.params, name, fn.rest)
      local returned = { "out" }
      for i in ipairs(fn.results) do returned[i + 1] = ("%sr_%d[n]"):format(name, i) end
      lines[#lines + 1] = ("func Mixed%d(n int%s%s) (string%s%s) {\n\tout := \"\"\n\t%s\n\treturn %s\n}"):format(j,
        declared == "" and "" or ", ", declared, #fn.results > 0 and ", " or "", types_of(fn.results), compared,
        table.concat(returned, ", "))
      local forwarded = { "n" }
      for i in ipairs(fn.params) do forwarded[i + 1] = "a" .. i end
      if fn.rest then forwarded[#forwarded + 1] = "rest..." end
      lines[#lines + 1] = ("func (k *Keeper) Mixed%d(n int%s%s) (string%s%s) { k.calls++; return Mixed%d(%s) }")
        :format(j, declared == "" and "" or ", ", declared, #fn.results > 0 and ", " or "", types_of(fn.results), j,
          table.concat(forwarded, ", "))
      package.mixed[j] = fn
    else
      package.mixed[j] = false
    end
  end

  for j = 1, CALLED do
    local fn = { params = places(0, 5, some_type), results = results() }
    local name = ("called%d"):format(j)
    fn.arguments = sets(lines, name, fn.params, taken)
    fn.values = sets(lines, name .. "r", fn.results, given)
    if fn.values then
      local passed, assigned, compared = {}, {}, {}
      for i in ipairs(fn.params) do passed[i] = ("%s_%d[n]"):format(name, i) end
      for i in ipairs(fn.results) do
        assigned[i] = "r" .. i
        compared[i] = ("out += differs(dump(r%d), dump(%sr_%d[n]))"):format(i, name, i)
      end
      lines[#lines + 1] = ("func Called%d(n int, f func(%s) (%s)) string {"):format(j, types_of(fn.params),
        types_of(fn.results))
      lines[#lines + 1] = ("\tout := \"\"\n\t%sf(%s)\n\t%s\n\treturn out\n}"):format(
        #assigned > 0 and table.concat(assigned, ", ") .. " := " or "", table.concat(passed, ", "),
        table.concat(compared, "\n\t"))
      package.called[j] = fn
    else
      package.called[j] = false
    end
  end

  for j = 1, FLAT do
    local fn = { params = places(1, 12, flat_type), returned = {}, results = {} }
    for i = 1, random(3) do
      fn.returned[i] = random(#fn.params)
      fn.results[i] = fn.params[fn.returned[i]]
    end
    fn.arguments = sets({}, "", fn.params, given)
    local declared, back = {}, {}
    for i, t in ipairs(fn.params) do declared[i] = ("a%d %s"):format(i, t.go) end
    for i, place in ipairs(fn.returned) do back[i] = "a" .. place end
    lines[#lines + 1] = ("%sfunc Flat%d(%s) (%s) { return %s }"):format(pick { "", "//go:noinline\n" }, j,
      table.concat(declared, ", "), types_of(fn.results), table.concat(back, ", "))
    package.flat[j] = fn
  end

  package.text = PRELUDE .. table.concat(lines, "\n") .. "\n"
  return package
end

return function()
  local package
  repeat package = make() until #package.text < LONGEST
  return package
end
