-- What a module takes it gives back; while something needs it, it stays.
local goloader = require "goloader"
local support = require "spec.support"

local source = "spec/testdata/shop/shop.go"
local host, object

setup(function()
  host = support.host()
  object = support.compile(source, "shop")
end)
teardown(support.clean)

describe("a module with a goroutine blocked in it", function()
  it("stays, and the goroutine's traceback is the reason", function()
    local shop = assert(host:load(object))
    shop.Block()
    local ok, _, err = shop:unload()
    assert.is_nil(ok)
    assert.equal("busy", err.code)
    assert.matches("goroutine %d+", err.message)
    assert.matches("shop%.waitHere", err.message)
    assert.matches("shop%.go:%d+", err.message)
    assert.is_true(shop:is_loaded())
    assert.equal(5, shop.Add(2, 3))
    shop.Release()
    assert.is_true(support.eventually(function() return shop:unload() end))
    assert.is_false(shop:is_loaded())
  end)
end)

describe("a module with a goroutine running in it", function()
  it("stays until the goroutine is done", function()
    local shop = assert(host:load(object))
    shop.Spin(300)
    local ok, _, err = shop:unload()
    assert.is_nil(ok)
    assert.equal("busy", err.code)
    assert.matches("shop%.spinHere", err.message)
    assert.is_true(support.eventually(function() return shop:unload() end))
  end)
end)

-- A dot behind the last slash of an import path is escaped in names of symbols.
describe("a module with a dot in its path", function()
  it("is called by its path", function()
    support.write("dotted/go.mod", "module example.com/shop.go\n\ngo 1.21\n")
    local file = support.write("dotted/shop.go",
      "package shop\n\ntype T struct{ n int }\n\nfunc New() *T { return &T{} }\n")
    local module = assert(support.host():build(file:match "^(.*)/"))
    local new = module.New
    local handle = new()
    assert.matches("^module example%.com/shop%.go can't be unloaded: ", select(2, module:unload()))
    handle:release()
    assert(module:unload())
    assert.error_matches(function() new() end, "module example%.com/shop%.go was unloaded$")
  end)
end)

describe("an unload that may wait", function()
  local shop

  before_each(function() shop = assert(host:load(object)) end)

  it("takes place when what is under way has ended", function()
    shop.Spin(300)
    assert(shop:unload { wait = 60 })
    assert.is_false(shop:is_loaded())
  end)

  it("is refused when its time is over", function()
    shop.Block()
    local began = os.time()
    local ok, _, err = shop:unload { wait = 0.05 }
    assert.is_nil(ok)
    assert.equal("busy", err.code)
    assert.is_true(os.time() - began < 30)
    shop.Release()
    assert(shop:unload { wait = 60 })
  end)

  it("lets other coroutines go on", function()
    shop.Spin(300)
    local unloaded
    goloader.spawn(function()
      assert(shop:unload { wait = 60 })
      unloaded = true
    end)
    assert.is_nil(unloaded)
    assert.is_true(support.eventually(function()
      goloader.step(0.01)
      return unloaded
    end))
  end)

  -- Calls by each road, in loops that LuaJIT has compiled, and whatever else would begin something.
  local function uses()
    local add, greet, render = shop.Add, shop.Greet, shop.Render
    local function all()
      for _ = 1, 200 do
        if add(2, 3) ~= 5 or greet "Lua" ~= "hello, Lua" then error "wrong" end
      end
      return render()
    end
    local list = {
      function() return add(2, 3) end, function() return greet "Lua" end, function() return render() end,
      function() return add:map({ 1 }, { 2 }) end, function() return greet:async("Lua") end,
      function() return shop.Add(1, 2) end, function() return shop.Opened end, function() shop.Greeting = "hello" end,
      function() return shop:ref "Greeting" end, function() return shop:new("Product") end,
      function() return shop.Product { Name = "lamp" } end,
    }
    return list, all, { add, greet, render }
  end

  local function roads(functions)
    local names = {}
    for i, fn in ipairs(functions) do names[i] = fn:road() end
    return names
  end

  it("lets nothing begin meanwhile, and lets all in again when it is refused", function()
    local list, all, functions = uses()
    for _ = 1, 3 do all() end
    local taken = roads(functions)
    shop.Block()
    local ended
    goloader.spawn(function()
      local ok, _, err = shop:unload { wait = 0.3 }
      ended = { ok, err.code }
    end)
    assert.is_nil(ended)
    for i, use in ipairs(list) do
      local ok, err = pcall(use)
      assert.is_false(ok, i)
      assert.matches("module shop is being unloaded", tostring(err), 1, true)
    end
    assert.has_error(all)
    assert.is_true(shop:is_loaded())
    assert.is_true(support.eventually(function()
      goloader.step(0.01)
      return ended
    end))
    assert.same({ nil, "busy" }, ended)
    for _ = 1, 3 do all() end
    for _, use in ipairs(list) do use() end
    collectgarbage()
    assert.same(taken, roads(functions))
    shop.Release()
    assert(shop:unload { wait = 60 })
  end)

  it("lets what has begun go on: a job, and methods of what it has given", function()
    local job = shop.Greet:async "job"
    local product = shop:new("Product", { Name = "lamp" })
    local unloaded
    goloader.spawn(function()
      assert(shop:unload { wait = 60 })
      unloaded = true
    end)
    assert.equal("lamp", product.Name)
    assert.equal("hello, job", job:wait(10))
    assert.has_error(function() shop.Greet "Lua" end)
    product:release()
    assert.is_true(support.eventually(function()
      goloader.step(0.01)
      return unloaded
    end))
  end)

  it("lets calls in again when its time is over, though nobody goes on with it", function()
    shop.Block()
    local co = coroutine.create(function()
      return shop:unload { wait = 0.2 }
    end)
    require "goloader.jobs".set_event_loop { can_wait = function() return coroutine.running() == co end,
      wait = error, sleep = coroutine.yield }
    assert(coroutine.resume(co))
    require "goloader.jobs".set_event_loop(nil)
    assert.has_error(function() shop.Add(1, 2) end)
    assert.is_true(support.eventually(function() return (pcall(shop.Add, 1, 2)) end))
    shop.Release()
    assert(shop:unload { wait = 60 })
  end)

  it("waits for a number of seconds", function()
    for _, wait in ipairs { -1, 0 / 0, "1" } do
      assert.has_error(function() shop:unload { wait = wait } end)
    end
    assert(shop:unload { wait = "1s" })
  end)
end)

describe("a module that something refers to", function()
  local held

  before_each(function() held = assert(host:build "spec/testdata/held/held.go") end)

  local function refused(pattern)
    local ok, _, err = held:unload()
    assert.is_nil(ok)
    assert.equal("busy", err.code)
    assert.matches(pattern, err.message)
    assert.is_true(held:is_loaded())
  end

  for _, name in ipairs { "Own", "Caches", "Pools", "Finalized", "Sorted" } do
    it("goes where nothing but itself does: " .. name, function()
      held[name]()
      assert(held:unload())
    end)
  end

  it("goes though a method returned bytes of its last, which Lua has long copied", function()
    local site = held.NewSite()
    assert.equal("a page of the module's own", site:Page())
    site:release()
    assert(held:unload())
  end)

  it("stays while a variable of the host does", function()
    held.Format()
    refused "held can't be unloaded: variable image%.[%w]+ refers to .*, by way of 2 objects"
  end)

  it("stays while what a variable of the host points to does, which has no name but the compiler's", function()
    held.Redirects(true)
    refused "variable net/http%.DefaultClient refers to held%.Redirects%.func1.*, by way of 1 object: %d+ bytes$"
    held.Redirects(false)
    assert(held:unload())
  end)

  it("stays while a closure in a registry does", function()
    held.Published()
    refused "variable expvar%.%w+ refers to"
  end)

  it("leaves constant strings to those who keep them", function()
    held.Text()
    assert(held:unload())
    held = assert(host:build "spec/testdata/held/held.go")
    assert.equal("left by held", held.LastText())
    assert(held:unload())
  end)

  describe("whose value another module had", function()
    local keeper, mine

    before_each(function()
      keeper = assert(host:load(support.compile([[
package keeper

import "reflect"

var number = &struct {
	at uintptr
	to *int
}{to: new(int)}

var made = new(struct{ value any })

// Number keeps where a value is, in front of a pointer, where the collector sees none.
func Number(v any) {
	number.at = reflect.ValueOf(v).Pointer()
}

var numbers = new([2]uintptr)

// Code keeps where a function's code is, where no closure has it.
func Code(f any) {
	numbers[1] = reflect.ValueOf(f).Pointer()
}

// Made keeps a slice of a type that nobody has but reflect, and this slice.
func Made(v any) {
	made.value = reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(v)), 1, 1).Interface()
}

func Forget() { made.value = nil }

var small []*int8

// Small keeps a number that Go may put beside others which nobody has any more.
func Small() {
	small = append(small, new(int8))
}
]], "keeper")))
      mine = assert(host:load(support.compile([[
package mine

type T struct{ Own any }

func New() *T { return &T{&T{}} }

func Func() func() *T { return New }
]], "mine")))
    end)

    it("goes though a number says where the value is", function()
      local value = mine.New:keep()
      keeper.Number(value)
      assert(mine:unload { handles = "drop" })
      assert.error_matches(function() return value.Own end, "handle of %*mine%.T: its module was unloaded$")
      assert(keeper:unload())
    end)

    it("goes though a number says where its code is", function()
      keeper.Code(mine.Func())
      collectgarbage()
      collectgarbage()
      assert(mine:unload())
      assert(keeper:unload())
    end)

    it("goes though what it has was shown", function()
      for _ = 1, 100 do
        assert.matches("^func%(%) %*mine%.T: 0x%x+$", tostring(mine.Func()))
        keeper.Small()
      end
      collectgarbage()
      collectgarbage()
      assert(mine:unload())
      assert(keeper:unload())
    end)

    it("stays while there is a type that is made of its own", function()
      local value = mine.New:keep()
      keeper.Made(value)
      value:release()
      local ok, _, err = mine:unload()
      assert.is_nil(ok)
      assert.matches("variable keeper%..* of module keeper refers to type:%*mine%.T, by way of", err.message)
      keeper.Forget()
      assert(mine:unload())
      assert(keeper:unload())
    end)
  end)

  it("stays while a timer does", function()
    held.Later(1000)
    refused "held%.Later%.func1"
    held.Waiting(1000)
    refused "held%."
    assert.is_true(support.eventually(function() return held:unload() end))
  end)

  it("stays while a finalizer does", function()
    held.Guarded()
    refused "the finalizer of a %*held%.thing refers to held%.Guarded%.func1"
    held.Unguarded()
    assert(held:unload())
  end)

  it("waits for a finalizer that is under way", function()
    held.Slowly(200)
    assert(held:unload())
  end)

  it("goes all the same for those who know better", function()
    held.Format()
    refused "variable image"
    assert(held:unload { prove = "nothing" })
  end)
end)

describe("a module that leaves large objects behind", function()
  it("goes, before they are swept and memory of theirs is used again", function()
    -- in a process of its own: the collector of one that forgets the type at the wrong time ends it
    local status, output, errors = support.lua(([[
      local goloader = require "goloader"
      local host = assert(goloader.host())
      for i = 1, 20 do
        local large = assert(host:load(%q))
        large.Pointers(10)
        assert(large:unload())
        collectgarbage()
        local plain = assert(host:load(%q))
        plain.Numbers(40)
        assert(plain:unload())
      end
      print "went on"
    ]]):format(support.compile([[
package large

type t struct{ next [8192]*t }

var Sink *t

func Pointers(n int) {
	for ; n > 0; n-- {
		Sink = new(t)
		Sink.next[8191] = new(t)
	}
	Sink = nil
}
]], "large"), support.compile([[
package plain

import "runtime"

var Sink []byte

func Numbers(n int) {
	for ; n > 0; n-- {
		Sink = make([]byte, 65536)
		if n%10 == 0 {
			Sink = nil
			runtime.GC()
		}
	}
}
]], "plain")))
    assert.equal("went on\n", output, errors)
    assert.equal(0, status)
  end)
end)

describe("a module that panicked", function()
  it("can be unloaded, and the next one works", function()
    for _ = 1, 20 do
      local shop = assert(host:load(object))
      assert.error_matches(function() shop.Fail "oh no" end, "oh no")
      assert(shop:unload())
      collectgarbage()
    end
    local shop = assert(host:load(object))
    assert.equal(3, shop.Add(1, 2))
    assert(shop:unload())
  end)
end)

describe("a module that lost its last reference in Lua", function()
  it("stays loaded: unloading is explicit", function()
    local before = host:stats().modules
    local shop = assert(host:load(object))
    assert.equal(before + 1, host:stats().modules)
    local add = shop.Add
    shop = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.equal(7, add(3, 4))
    assert.equal(before + 1, host:stats().modules)
  end)
end)

describe("ten thousand loads and unloads", function()
  it("leave the process as it was", function()
    local known_to_go = support.runtime_modules() -- first, since it is a module itself
    local loaded = assert(host:stats().modules)
    local shop = assert(host:load(object))
    assert.equal(loaded + 1, host:stats().modules)
    assert.is_true(support.runtime_modules() > known_to_go)
    assert(shop:unload())
    assert.equal(loaded, host:stats().modules)

    -- What is resident and mapped breathes with the collectors, so that peaks are compared: those of the first quarter
    -- with those of the rest. A page lost each round would be 30 MB, a mapping each round 7,500.
    local first, rest = { rss = 0, mappings = 0 }, { rss = 0, mappings = 0 }
    for n = 1, 10000 do
      shop = assert(host:load(object))
      assert(shop.Render() == "cable 4.99\ncase 12.50\nphone 199.00\n")
      assert(shop:unload())
      if n % 50 == 0 then
        local peak = n <= 2500 and first or rest
        peak.rss = math.max(peak.rss, support.rss() / 1e6)
        peak.mappings = math.max(peak.mappings, support.mappings())
      end
    end
    assert.equal(loaded, host:stats().modules)
    -- the last ones stay in Go's list until a collection can't meet them
    assert.is_true(support.runtime_modules() <= known_to_go + 2)
    assert.is_true(rest.rss < first.rss + 6, ("resident: %.1f MB, later %.1f MB"):format(first.rss, rest.rss))
    assert.is_true(rest.mappings < 2 * first.mappings + 50,
      ("mappings: %d, later %d"):format(first.mappings, rest.mappings))
  end)
end)

describe("a module that has reflect make a type of the host's types", function()
  it("goes, and the type keeps its name", function()
    local object_with_func = support.compile([[
package made

import "reflect"

func Made() string {
	i, s := reflect.TypeOf(1), reflect.TypeOf("")
	return reflect.FuncOf([]reflect.Type{i, s, i}, []reflect.Type{s}, false).String()
}
]], "made")
    for _ = 1, 3 do
      local made = assert(host:load(object_with_func))
      assert.equal("func(int, string, int) string", made.Made())
      assert(made:unload())
    end
  end)
end)

describe("two versions of a module, of whose types reflect makes others", function()
  it("keep the names of those, whichever goes", function()
    local twin = support.compile([[
package twins

import "reflect"

type item struct{ name *string }

var made []reflect.Type

func Make() {
	t := reflect.TypeOf(item{})
	made = append(made, reflect.FuncOf([]reflect.Type{t}, []reflect.Type{t}, false),
		reflect.StructOf([]reflect.StructField{{Name: "Item", Type: t}}))
}

func Names() (names []string) {
	for _, t := range made {
		names = append(names, t.String())
	}
	return names
}
]], "twins")
    local names = { "func(twins.item) twins.item", "struct { Item twins.item }" }
    for going = 1, 2 do
      local twins = { assert(host:load(twin)), assert(host:load(twin)) }
      twins[1].Make()
      twins[2].Make()
      assert(twins[going]:unload())
      local stays = twins[3 - going]
      assert.same(names, stays.Names())
      stays.Make() -- types that are known already
      assert.equal(4, #stays.Names())
      assert(stays:unload())
    end
  end)
end)

describe("a module that calls its own functions by reflection", function()
  it("leaves no name of theirs", function()
    local names = assert(host:load(support.compile([[
package names

import "unsafe"

//go:linkname reflectOffs runtime.reflectOffs
var reflectOffs struct {
	lock uintptr
	next int32
	m    map[int32]unsafe.Pointer
}

// Count is how many names there are of types that reflect has made.
func Count() int { return len(reflectOffs.m) }
]], "names")))
    local caller = support.compile([[
package caller

import "reflect"

type item struct{ name *string }

func twice(i item, by int) (item, error) { return i, nil }

func Call() int {
	return len(reflect.ValueOf(twice).Call([]reflect.Value{reflect.ValueOf(item{}), reflect.ValueOf(2)}))
}
]], "caller")
    local function call(times)
      for _ = 1, times do
        local module = assert(host:load(caller))
        assert.equal(2, module.Call())
        assert(module:unload())
      end
      return names.Count()
    end
    assert.equal(call(2), call(10))
    assert(names:unload())
  end)
end)

describe("a module that makes unique values of its types", function()
  -- the package is there since Go 1.23
  if tonumber(support.host():info().go_version:match "^go1%.(%d+)") >= 23 then
    it("goes with them", function()
      local object_with_unique = support.compile([[
package handles

import (
	"fmt"
	"net/netip"
	"runtime"
	"unique"
)

type key struct{ a, b string }

var zero = unique.Make(key{})

func Make(a string) string {
	k, n := unique.Make(key{a, "b"}), unique.Make("handles " + a)
	runtime.GC()
	return fmt.Sprintln(k == unique.Make(key{a, "b"}), k == zero, n.Value(), netip.MustParseAddr("fe80::1%" + a))
}

func Collect() { runtime.GC() }
]], "handles")
      local other = assert(host:load(support.compile(
        "package other\n\nimport \"runtime\"\n\nfunc Collect() { runtime.GC() }\n", "other")))
      for round = 1, 20 do
        local handles = assert(host:load(object_with_unique))
        assert.equal(("true false handles eth%d fe80::1%%eth%d\n"):format(round, round), handles.Make("eth" .. round))
        assert(handles:unload())
        other.Collect()
        other.Collect()
      end
      assert(other:unload())
    end)
  end
end)
