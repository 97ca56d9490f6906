-- Generic functions: Lua names an instance, which is compiled then.
local support = require "spec.support"

local source = "spec/testdata/generics/generics.go"
local host = support.host()

local function refused(pattern, module, name)
  local fn, _, err = module:instantiate(name)
  assert.is_nil(fn)
  assert.matches(pattern, err.message)
  assert.is_nil(err.message:find "\n")
  return err
end

local function compile_error(pattern, module, name)
  assert.equal("compile", refused(pattern, module, name).code)
end

teardown(support.clean)

describe("an instance of a generic function", function()
  local shop

  setup(function() shop = assert(host:build(source)) end)
  teardown(function() assert(shop:unload()) end)

  it("is a function of the module", function()
    local max = assert(shop:instantiate "Max[int]")
    assert.equal(7, max(3, 7))
    assert.error_matches(function() max("x", 1) end, "bad argument #1 to 'Max' %(.*int expected, got string")
    assert.error_matches(function() max(2 ^ 70, 1) end, "out of range for int")
    assert.equal(2.5, shop:instantiate "Max[float64]"(2.5, 1))
    assert.error_matches(function() shop:instantiate "Max[int32]"(2 ^ 31, 1) end, "out of range for int32")
  end)

  it("is made once, however it is spelled", function()
    local modules = host:stats().modules
    local max = assert(shop:instantiate "Max[int64]")
    assert.equal(modules + 1, host:stats().modules)
    assert.equal(max, shop:instantiate " Max[ int64 ] ")
    assert.equal(max, shop["Max[int64]"])
    assert.equal(modules + 1, host:stats().modules)
  end)

  it("can be indexed", function()
    assert.equal(2, shop["Max[int]"](1, 2))
    local ok, message = pcall(function() return shop["Max[string]"] end)
    assert.is_false(ok)
    assert.matches("^[^\n]*generics_spec.lua:%d+: Max%[string%]: string does not satisfy [^\n]*$", message)
    assert.error_matches(function() return shop["Nope[int]"] end, "main exports no Nope")
    assert.error_matches(function() shop["Max[int]"] = 1 end, "no exported variable Max%[int%]")
  end)

  it("takes the road that its types allow", function()
    local has_ffi = pcall(require, "ffi")
    assert.equal(has_ffi and "pure" or "capi", shop["Max[int]"]:road())
    assert.equal(has_ffi and "ffi" or "capi", shop["Name[int]"]:road())
    assert.equal("capi", shop["First[int]"]:road())
    assert.same({ 3, 4 }, shop["Max[int]"]:map({ 1, 4 }, { 3, 2 }))
    assert.matches("^main/instance%.Max", tostring(shop["Max[int]"]:explain()))
  end)

  it("has two type parameters", function()
    assert.same({ a = 1, b = 1 }, shop["Map[string, int]"]({ "a", "b" }, 1))
    assert.same({ [3] = "x" }, shop["Map[int,string]"]({ 3 }, "x"))
  end)

  it("has type arguments of the module", function()
    local lamp = { Name = "lamp", Price = 2 }
    local calls = shop.Calls
    assert.equal("lamp at 2, chair at 3", shop["Join[Item]"](", ", lamp, { Name = "chair", Price = 3 }))
    assert.equal("", shop["Join[main.Item]"] ",")
    assert.equal(calls + 2, shop.Calls)
    assert.same({ [1] = lamp, [2] = lamp }, shop["Map[int, Item]"]({ 1, 2 }, lamp))
    assert.same(lamp, (shop["First[Item]"] { lamp }))
    local none, err = shop["First[Item]"] {}
    assert.is_nil(none)
    assert.equal("nothing in it", err.message)
  end)

  it("has generic types in its signature", function()
    local sorted = shop["Sorted[string]"]({ Items = { "b", "c", "a" } }, function(a, b) return a < b end)
    assert.same({ Items = { "a", "b", "c" } }, sorted)
    local stack = shop["NewStack[Item]"]({ Name = "a", Price = 1 })
    assert.equal("*main.Stack[main.Item]", stack:type())
    stack:Push { Name = "b", Price = 2 }
    assert.equal("b", stack:Pop().Name)
    assert.equal("main.List[main.Stack[main.Item]]", shop["Name[List[Stack[Item]]]"]())
    stack:release()
  end)

  it("has type arguments of other packages", function()
    assert.equal("time.Duration", shop["Name[time.Duration]"]())
    assert.equal("json.Number", shop["Name[json.Number]"]())
    assert.equal("rand.Zipf", shop["Name[math/rand.Zipf]"]())
    assert.equal("map[string][]*time.Location", shop["Name[map[string][]*time.Location]"]())
    assert.equal(5, shop["Max[time.Duration]"](4, 5))
  end)

  it("has type arguments without a name", function()
    assert.equal("struct { A int; B []string }", shop["Name[struct{ A int; B []string }]"]())
    assert.equal("func(int, ...string) error", shop["Name[func(int, ...string) error]"]())
    assert.equal("chan<- main.Item", shop["Name[chan<- Item]"]())
    assert.equal("[2]int", shop["Name[[2]int]"]())
    local pair = { A = 1, B = "x" }
    assert.same(pair, (shop["First[struct{ A int; B string }]"] { pair }))
    local tagged = shop:instantiate 'First[struct{ A int; B string "json:\\"time.B, ,x\\"" }]'
    assert.same(pair, (tagged { pair }))
    assert.equal('struct { A int "a:\\"x, y\\"" }', shop["Name[struct{ A int `a:\"x, y\"` }]"]())
  end)

  it("has functions and variables of the module that nobody else uses", function()
    assert.equal("3, number 1", shop["Describe[int]"](3))
    assert.equal("x, number 2", shop["Describe[string]"] "x")
    assert.equal("4, number 3", shop["Describe[int]"](4))
  end)

  it("panics with Go's traceback", function()
    assert.error_matches(function() shop["Fails[int]"](3) end,
      "^panic: no use for 3\n\n.*main%.Fails.*generics%.go:%d+")
  end)

  it("is refused by the compiler in one line", function()
    compile_error("^Max%[string%]: string does not satisfy main.Number %(", shop, "Max[string]")
    compile_error("^Join%[int%]: int does not satisfy fmt.Stringer %(missing method String%)$", shop, "Join[int]")
    compile_error("^Map%[%[%]int,int%]: %[%]int does not satisfy comparable$", shop, "Map[[]int, int]")
    compile_error("^Nope%[int%]: main exports no Nope$", shop, "Nope[int]")
    compile_error("^Nope%[time.Time%]: main exports no Nope$", shop, "Nope[time.Time]")
    compile_error("^Max%[Nope%]: undefined: Nope$", shop, "Max[Nope]")
    compile_error("^Max%[int,int%]: .*type arguments", shop, "Max[int, int]")
    compile_error("^Map%[int%]: cannot ", shop, "Map[int]")
    compile_error("^Plain%[int%]: Plain is not generic$", shop, "Plain[int]")
    compile_error("^Numbers%[1%]: Numbers is not generic$", shop, "Numbers[1]")
    compile_error("^List%[int%]: List is a type, and no function$", shop, "List[int]")
    compile_error("^Max%[int;int%]: ", shop, "Max[int;int]")
  end)

  it("returns values of unexported types, but does not take them", function()
    assert.same({ N = 7 }, shop["Hide[int]"](1))
    local counter, list, n = shop["Hides[Item]"] { Name = "a", Price = 1 }
    assert.same({ { { N = 1 }, { N = 2 } }, 3 }, { list, n })
    assert.equal("*main.counter[main.Item]", counter:type())
    assert.equal(2, counter:Add { Name = "b", Price = 2 })
    counter:release()
    compile_error("^Unhide%[int%]: it takes a main.hidden, which is not exported, in func%(main.hidden, int%) int$",
      shop, "Unhide[int]")
  end)

  it("is told what packages there are", function()
    compile_error("^Name%[nope.T%]: no package nope that the module imports, or of the standard library$", shop,
      "Name[nope.T]")
    compile_error("template may be html/template or text/template: name it in full$", shop, "Name[template.Template]")
  end)

  it("has a name that is one", function()
    for _, name in ipairs { "Max", "max[int]", "Max[int](1)", "Max[int", "[int]", "Max[int]\nvar X = Max[int]" } do
      compile_error("an exported generic function with its type arguments expected, \"Max%[int%]\"$", shop,
        (name:gsub("\n", " ; ")))
    end
    assert.error_matches(function() shop:instantiate(1) end, "a function's name expected, got number")
    assert.error_matches(function() shop.instantiate "Max[int]" end, "no module to call it on")
  end)

  it("counts", function()
    shop["Max[int]"](1, 2)
    local max = shop["NewStack[int]"]
    max():release()
    assert.equal(1, max:stats().calls)
  end)
end)

-- The compiler makes a variable for each such question, under the name of the package that it compiles: all instances
-- that Lua asks for have the same.
describe("an instance that asks for interfaces", function()
  local dir, lib

  setup(function()
    support.write("asks/go.mod", "module example.com/asks\n\ngo 1.21\n")
    dir = support.write("asks/lib/lib.go", [[
package lib

import "fmt"

type Named interface{ Name() string }

type Red int

func (Red) Name() string { return "red" }

type Warm string

func (Warm) String() string { return "warm" }

func Name[T any](x T) string {
	if n, ok := any(x).(Named); ok {
		return n.Name()
	}
	return "no name"
}

func Text[T any](x T) string {
	if s, ok := any(x).(fmt.Stringer); ok {
		return s.String()
	}
	switch x := any(x).(type) {
	case error:
		return "error " + x.Error()
	case Named:
		return "name " + x.Name()
	}
	return fmt.Sprint(x)
}
]]):match "^(.*)/lib/"
    support.write("asks/app/app.go", [[
package app

import (
	"errors"

	"example.com/asks/lib"
)

type Blue struct{ Depth int8 }

func (Blue) Name() string { return "blue" }

func Names() string { return lib.Name(lib.Red(1)) + " " + lib.Name(Blue{}) + " " + lib.Name(uint16(1)) }

func Texts() string { return lib.Text(lib.Warm("")) + " " + lib.Text(errors.New("x")) + " " + lib.Text(Blue{}) }
]])
    lib = assert(host:build(dir .. "/lib"))
  end)
  teardown(function() assert(lib:unload()) end)

  it("has its own questions", function()
    for _ = 1, 2 do
      assert.equal("no name", lib["Name[int]"](1))
      assert.equal("1", lib["Text[int]"](1))
      assert.equal("red", lib["Name[Red]"](1))
      assert.equal("name red", lib["Text[Red]"](1))
      assert.equal("warm", lib["Text[Warm]"] "x")
      assert.equal("no name", lib["Name[Warm]"] "x")
      assert.equal("x", lib["Text[string]"] "x")
      assert.equal("[1 2]", lib["Text[[]int]"] { 1, 2 })
    end
  end)

  it("has them in a module that uses another one's, too", function()
    local app = assert(host:build(dir .. "/app", { uses = { lib } }))
    assert.equal("red blue no name", app.Names())
    assert.equal("warm error x name blue", app.Texts())
    assert(app:unload())
    assert.equal("no name", lib["Name[uint16]"](1))
  end)
end)

describe("a module with instances", function()
  local shop, max

  before_each(function()
    shop = assert(host:build(source))
    max = shop["Max[int]"]
  end)

  after_each(function()
    if shop:is_loaded() then assert(shop:unload()) end
  end)

  local function stays(pattern)
    local ok, _, err = shop:unload()
    assert.is_nil(ok)
    assert.equal("busy", err.code)
    assert.matches(pattern, err.message)
    assert.is_true(shop:is_loaded())
    assert.equal(2, max(1, 2))
  end

  it("is unloaded with them", function()
    local known, modules = support.runtime_modules(), host:stats().modules
    assert(shop:unload())
    assert.equal(modules - 2, host:stats().modules)
    assert.equal(known - 2, support.runtime_modules())
    assert.error_matches(function() max(1, 2) end, "module main/instance was unloaded")
    assert.error_matches(function() return shop["Max[int]"] end, "was unloaded")
    local fn, _, err = shop:instantiate "Max[int]"
    assert.is_nil(fn)
    assert.equal("closed", err.code)
  end)

  it("stays while Lua holds a value of theirs", function()
    local stack = shop["NewStack[Item]"]()
    stays "^module main can't be unloaded: Lua holds a handle of %*main.Stack%[main.Item%]"
    stack:release()
    assert(shop:unload())
  end)

  it("stays while a job of theirs is under way", function()
    local job = shop["Sleep[int]"]:async(1)
    stays "^module main can't be unloaded: 1 job of Sleep under way"
    assert.equal(1, job:wait())
    assert(shop:unload())
  end)

  it("stays while a goroutine is in their code", function()
    shop["Wait[int]"](1)
    stays "^module main can't be unloaded: goroutine %d+.*main.Wait"
    shop.Stop()
    assert.is_true(support.eventually(function() return shop:unload() end))
  end)

  it("stays while one calls Lua", function()
    local less
    shop["Sorted[int]"]({ Items = { 2, 1 } }, function(a, b)
      less = less or { shop:unload() }
      return a < b
    end)
    assert.is_nil(less[1])
    assert.matches("^module main can't be unloaded: called from its own code", less[2])
    assert.equal(2, max(1, 2))
  end)

  it("has values of theirs in its variables", function()
    shop["Keep[Item]"] { Name = "a", Price = 1 }
    assert(shop:unload())
  end)

  it("can be loaded and unloaded again and again", function()
    local known, modules = support.runtime_modules(), host:stats().modules
    for i = 1, 12 do
      local module = assert(host:build(source))
      assert.equal(i, module["Max[int]"](i, 0))
      assert.same({ [i] = "x" }, module["Map[int, string]"]({ i }, "x"))
      assert(module:unload())
      assert.equal(known, support.runtime_modules())
    end
    assert.equal(modules, host:stats().modules)
  end)
end)

describe("packages of modules", function()
  local function write(answer)
    support.write("go.mod", "module example.com/far.v1\n\ngo 1.21\n")
    support.write("near/near.go", [[
package near

type Thing struct{ N int }

type Box[T any] struct{ In T }

func (b Box[T]) Open() T { return b.In }

var calls int

func Deep(any) int { calls++; return calls }
]])
    return (support.write("far.go", [[
package far

import "example.com/far.v1/near"

func Pack[T any](v T) *near.Box[T] { return &near.Box[T]{In: v} }

func Sum(things ...near.Thing) (n int) {
	for _, t := range things {
		n += t.N
	}
	return n
}

func deep(v any) int { return near.Deep(v) }

func Deep[T any](v T) int { return deep(v) }

func Answer[T any](T) int { return ]] .. answer .. " }\n"):gsub("/far.go", ""))
  end

  it("are known by their names and import paths", function()
    -- the second build has what the first has learnt, and compiles but the one package
    for _, answer in ipairs { 42, 43 } do
      local far = assert(host:build(write(answer)))
      assert.equal(answer, far["Answer[int]"](0))
      local box = far["Pack[near.Thing]"] { N = 3 }
      assert.equal("*near.Box[example.com/far.v1/near.Thing]", box:type())
      assert.equal(3, far.Sum(box:Open()))
      assert.equal(4, far["Pack[example.com/far.v1/near.Thing]"]({ N = 4 }):Open().N)
      assert.same({ 1, 2 }, { far["Deep[int]"](1), far["Deep[near.Thing]"] { N = 1 } })
      compile_error("^Pack%[near.Box%[far.Thing%]%]: undefined: far.Thing$", far, "Pack[near.Box[far.Thing]]")
      box:release()
      assert(far:unload())
    end
  end)

  it("are those of the modules that are used", function()
    local dir = write(44)
    local near = assert(host:build(dir .. "/near"))
    local far = assert(host:build(dir, { uses = { near } }))
    local box = far["Pack[near.Thing]"] { N = 3 }
    assert.equal(3, far.Sum(box:Open()))
    local thing = near:new("Thing", { N = 5 })
    assert.equal(5, far.Sum(far["Pack[*near.Thing]"](thing):Open()))
    assert.same({ 1, 2 }, { far["Deep[int]"](1), far["Deep[near.Thing]"] { N = 1 } })
    local ok, _, err = near:unload()
    assert.is_nil(ok)
    assert.matches("far%.v1/near can't be unloaded: module example.com/far%.v1%S* uses it", err.message)
    box:release()
    thing:release()
    assert(far:unload())
    assert(near:unload())
  end)

  it("are judged by the module's policy", function()
    local module = assert(host:build(source, { imports = { deny = { "os/exec" } } }))
    local err = refused("os/exec", module, "Name[exec.Cmd]")
    assert.equal("policy", err.code)
    assert.equal("os.File", module["Name[os.File]"]())
    assert(module:unload())
  end)
end)

describe("a module that was not built from source", function()
  it("has no instances", function()
    local module = assert(host:load(support.compile(source)))
    assert.equal("unsupported", refused("not built from source", module, "Max[int]").code)
    assert(module:unload())
  end)
end)
