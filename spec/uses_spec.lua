-- Modules that use other modules: one type, one variable, whoever brought it.
local goloader = require "goloader"
local build = require "goloader.building.build"
local support = require "spec.support"

local source = "spec/testdata/uses/"

-- What each function of spec/testdata/uses/mid returns, as it does in an ordinary program.
local expected = {
  Methods = "(7;8) (12;13) (14;16)(7;8)(12;13)sealed way[(9;0)] 212",
  Interfaces = "55circle,unittrue false true",
  Switch = "nil,point,*point,celsius,points,map of points,two points,func of points,chan of points,struct of a point,"
    .. "list of int,pair,scaler,scaler,shape,error EOF,error find: no x,stringer (3;0),other,other",
  Hidden = "hidden 4 8",
  Variables = "12mid:base:x(0;0)",
  Functions = "(7;1) (4;4)",
  Composites = "map[base.Point][]base.Celsius [3]*base.Point "
    .. "func(base.Scaler, map[string]base.Shape) (base.Point, error) chan<- *base.Square",
  Channels = "[(0;0) (1;0) (2;0)]",
  Errors = "truelamptrue true false",
  Recover = "true (1;0)|caught base.Celsius: 1.5|caught: runtime error: index out of range [24] with length 0"
    .. "|no sense|false",
  Generics = "2 of int: [2 1] 1 of base.Point: [(1;0)] 1 of mid.Weight: [3g] 6 3.5 3g [(1;0) (2;0)] [4g] "
    .. "[{a 1g} {b 2g}] true",
  Boxed = "4 mid.Box[example.com/uses/mid.Circle]",
  Sorting = "[(3;0) (2;0) (1;0)] (1;0) [(1;2) (3;4)] <nil>",
  Reading = "hello<nil>",
  JSON = '{"At":{"X":1,"Y":2},"temp":"21.5C","Ways":[{"X":3,"Y":0},{"X":0,"Y":4}],"Keyed":{"(5;0)":{"X":0,"Y":5}},'
    .. '"Key":"(6;0)"}<nil> <nil> true',
  XML = '<doc key="(6;0)"><at><X>1</X><Y>2</Y></at><temp><c><Celsius>21.5</Celsius></c></temp>'
    .. "<way><X>3</X><Y>0</Y></way><way><X>0</X><Y>4</Y></way></doc><nil> <nil> (1;2) [(3;0) (0;4)] (6;0)",
  Gob = "<nil> <nil> {21.5} (0;5) true",
  Formats = "(1;2)|{Path:3g}|mid.Path|[]map[base.Point]*mid.Path|base.Square{Side:2}|(3;0)|{4 0}",
  Sync = "2g true (9;0) 4 (1;0) (2;0) 4 (3;0) (11;0) 2b",
  Reflect = "(2;3) (-4;-6) (2;1) (3;3) 21 true falseMirrored+Move+Plus+Stringexample.com/uses/basemid.PathReveal",
  Made = "{(5;0) <nil>} 1 true 0 (8;0) [5]map[string]func(mid.Path) base.Point true true true true true true true",
  Equal = "true true false true",
}
-- those that newer releases have
local since = {
  [23] = { Iterators = "(1;0) true 30 [0 1 2 3]", Unique = "true (1;0) false 3g" },
  [24] = { Weak = "(1;0) 3 truetrue true" },
}

local host = support.host()
local release = tonumber(host:info().go_version:match "^go1%.(%d+)")
for first, more in pairs(since) do
  for name, result in pairs(more) do expected[name] = release >= first and result or nil end
end
local names = {}
for name in pairs(expected) do names[#names + 1] = name end
table.sort(names)

local function load(name, ...)
  return assert(host:build(source .. name, { uses = { ... } }))
end

-- Compiled once, for those who load it again and again.
local function compile(name)
  local objects = assert(assert(build.start(support.tools(), source .. name)):wait())
  return function(...)
    return assert(host:load(objects.files, { ndeps = #objects.files - 1, uses = { ... } }))
  end
end

local function refused(module, ...)
  local ok, _, err = module:unload()
  assert.is_nil(ok)
  assert.equal("busy", err.code)
  for _, part in ipairs { ... } do assert.matches(part, err.message) end
  assert.is_true(module:is_loaded())
end

teardown(support.clean)

describe("a module that uses another", function()
  local base, mid, side, top, twin

  setup(function()
    base = load "base"
    mid = load("mid", base)
  end)

  for _, name in ipairs(names) do
    it("works: " .. name, function() assert.equal(expected[name], mid[name]()) end)
  end

  it("exports nothing that is not listed here", function()
    local found = {}
    for _, export in ipairs(mid:exports()) do
      if export.signature == "func() string" then found[#found + 1] = export.name end
    end
    table.sort(found)
    assert.same(names, found)
  end)

  it("exports what is its own, not what is the other's", function()
    for _, export in ipairs(mid:exports()) do assert.equal("example.com/uses/mid", export.package) end
    assert.error_matches(function() return mid.Count() end, "Count")
  end)

  it("agrees with it on types, whoever makes them", function()
    side = load("side", base)
    assert.equal("", side.Assert())
    assert.equal("true false base.Point 3 *base.List[int]", side.Reflected())
  end)

  it("agrees with others on types that one of them needs first", function()
    side.Fill()
    assert.is_true(mid.Filled())
  end)

  it("shares its variables", function()
    base.Counter = 40
    assert.equal(41, base.Count())
    assert.equal(expected.Variables, mid.Variables())
    assert.equal(41, base.Counter)
  end)

  it("is used in its turn, and brings what it uses", function()
    top = load("top", mid)
    assert.equal("true true true 8 25 1 of base.Point: [(1;0)] 1 of mid.Weight: [7g]shapetrue", top.Assert())
    assert.equal("14 true trueroof(3;0) true" .. expected.Methods, top.Works())
  end)

  it("can be used by several, who agree on its types", function()
    twin = load("twin", mid)
    assert.is_true(twin.Assert())
  end)

  it("keeps those it uses until it has gone, directly or by way of others", function()
    refused(base, "module example.com/uses/base can't be unloaded: module example.com/uses/%l+ uses it")
    refused(mid, "module example.com/uses/mid can't be unloaded: module example.com/uses/%l+ uses it")
    refused(side, "variable example.com/uses/base.Boxes refers to ")
    base.Boxes = {}
    assert(side:unload())
    assert(twin:unload())
    refused(base, "uses it")
    refused(mid, "example.com/uses/top uses it")
    assert.equal("14 true trueroof(3;0) true" .. expected.Methods, top.Works())
    assert(top:unload())
    refused(base, "example.com/uses/mid uses it")
    assert(mid:unload())
    assert.equal(42, base.Count())
    assert(base:unload())
  end)
end)

describe("a module with a goroutine in its code", function()
  it("keeps those it uses", function()
    local base = load "base"
    local mid = load("mid", base)
    mid.Block()
    refused(mid, "goroutine %d+", "mid%.waitHere", "mid%.go:%d+")
    refused(base, "example.com/uses/mid uses it")
    mid.Release()
    assert.is_true(support.eventually(function() return mid:unload() end))
    assert(base:unload())
  end)
end)

describe("two modules used by a third", function()
  it("are found whichever is named first, and may use each other", function()
    local base = load "base"
    local mid = load("mid", base)
    for _, uses in ipairs { { base, mid }, { mid, base }, { mid }, { mid, mid } } do
      local top = assert(host:build(source .. "top", { uses = uses }))
      assert.equal("14 true trueroof(3;0) true" .. expected.Methods, top.Works())
      assert(top:unload())
    end
    assert(mid:unload())
    assert(base:unload())
  end)
end)

describe("a new version of a used module", function()
  it("stands beside the old one with those that use that: its types are others", function()
    local base = load "base"
    local side = load("side", base)

    os.execute(("cp -r %s %s/newer"):format(source, support.tmpdir()))
    local newer = support.tmpdir() .. "/newer/"
    local text = support.read(newer .. "base/base.go")
    support.write("newer/base/base.go", (text:gsub('return "base:" %+ s', 'return "newer:" + s')))
    local base2 = assert(host:build(newer .. "base"))
    local side2 = assert(host:build(newer .. "side", { uses = { base2 } }))
    assert.equal("base:x", base.Apply "x")
    assert.equal("newer:x", base2.Apply "x")

    local found, name
    side.Leave()
    assert.is_true((side.Found()))
    found, name = side2.Found()
    assert.is_false(found)
    assert.equal("*base.Sink", name)
    side2.Leave()
    assert.is_false((side.Found()))
    assert.is_true((side2.Found()))
    side.Clear()

    assert(side:unload())
    assert(base:unload())
    side2.Leave()
    assert.is_true((side2.Found()))
    side2.Clear()
    assert(side2:unload())
    assert(base2:unload())
  end)

  it("does not fit what was compiled against the old one, and both are named", function()
    local base = load "base"
    local dir = support.tmpdir() .. "/changed"
    os.execute(("cp -r %s %s"):format(source, dir))
    local text = support.read(dir .. "/base/base.go")
    support.write("changed/base/base.go", (text:gsub("type Sink struct{ n int }", "type Sink struct{ m, n int }")))
    local side, _, err = host:build(dir .. "/side", { uses = { base } })
    assert.is_nil(side)
    assert.equal("mismatch", err.code)
    assert.matches("is another version of package example.com/uses/base than the module to use has", err.message)
    assert.is_nil(err.message:find("\n", 1, true))
    assert(base:unload())
  end)
end)

describe("an init function that panics in a module that uses another", function()
  it("fails the load, and the other is as it was", function()
    local base = load "base"
    local before = host:stats().modules
    local broken, _, err = host:build(source .. "broken", { uses = { base } })
    assert.is_nil(broken)
    assert.equal("panic", err.code)
    assert.matches("no way to go on", err.message)
    assert.equal(before, host:stats().modules)
    assert.equal(1, base.Count())
    local mid = load("mid", base)
    assert.equal(expected.Switch, mid.Switch())
    assert(mid:unload())
    assert(base:unload())
  end)
end)

describe("a module of which only its users have anything", function()
  -- What it has is what a user adds to it: its own part of the tables is empty. Memory that is given back is filled
  -- here.
  it("is unloaded with what they have added to it", function()
    local base = support.write("empty/base/base.go", [[
package base

type box struct{ n int }

type Box = box
]])
    support.write("empty/go.mod", "module example.test/empty\n\ngo 1.21\n")
    support.write("empty/user/user.go", [[
package user

import (
	"fmt"

	"example.test/empty/base"
)

func Show() string { return fmt.Sprintf("%T", map[string]base.Box{}) }
]])
    local status, out, errors = support.lua(([[
      local host = assert(require "goloader".host())
      for _ = 1, 3 do
        local base = assert(host:build(%q))
        local user = assert(host:build(%q, { uses = { base } }))
        print(user.Show())
        assert(user:unload())
        assert(base:unload())
      end
    ]]):format(base:match "^(.*)/", base:match "^(.*)/base/" .. "/user"), "MALLOC_PERTURB_=165")
    assert.equal(("map[string]base.box\n"):rep(3), out, errors)
    assert.equal(0, status)
  end)
end)

describe("modules to use that can't be", function()
  it("are named when they were unloaded", function()
    local base = load "base"
    assert(base:unload())
    local mid, _, err = host:build(source .. "mid", { uses = { base } })
    assert.is_nil(mid)
    assert.equal("closed", err.code)
    assert.matches("uses/base, which is to be used, was unloaded", err.message)
  end)

  it("are misuse when they are no modules", function()
    assert.error_matches(function() host:build(source .. "mid", { uses = { "base" } }) end, "uses.*#1.*string")
    assert.error_matches(function() host:build(source .. "mid", { uses = { goloader } }) end, "uses.*#1.*table")
  end)

  it("are refused when the package itself is theirs", function()
    local base = load "base"
    local again, _, err = host:build(source .. "base", { uses = { base } })
    assert.is_nil(again)
    assert.equal("duplicate", err.code)
    assert.matches("is package example.com/uses/base, which a module has that it is to use", err.message)
    assert(base:unload())
  end)
end)

describe("swapping modules that use each other", function()
  it("leaves the process as it was, after 400 rounds", function()
    local load_base, load_mid, load_side = compile "base", compile "mid", compile "side"
    local known_to_go = support.runtime_modules() -- first, since it is a module itself
    local loaded = host:stats().modules
    local first, rest = 0, 0
    for round = 1, 400 do
      local base = load_base()
      local mid, side = load_mid(base), load_side(base)
      local name = names[round % #names + 1]
      assert.equal(expected[name], mid[name]())
      if round % 10 == 0 then
        mid.Composites()
        mid.Generics()
        mid.Boxed()
        if expected.Unique then mid.Unique() end
        assert.equal("", side.Assert())
      end
      base.Boxes = {}
      assert(mid:unload())
      assert(side:unload())
      assert(base:unload())
      if round % 10 == 0 then
        if round <= 200 then first = math.max(first, support.rss()) else rest = math.max(rest, support.rss()) end
      end
    end
    assert.equal(loaded, host:stats().modules)
    assert.is_true(support.runtime_modules() <= known_to_go + 4)
    -- each round loads 0.2 MB
    assert.is_true(rest < first + 25e6, ("resident: %.1f MB, later %.1f MB"):format(first / 1e6, rest / 1e6))
  end)
end)

describe("modules that use each other, with the collector looking closely", function()
  it("work as before", function()
    local script = ([[
      local goloader = require "goloader"
      local host = assert(goloader.host())
      local source, names = %q, { %s }
      for round = 1, 3 do
        local base = assert(host:build(source .. "base"))
        local mid = assert(host:build(source .. "mid", { uses = { base } }))
        local top = assert(host:build(source .. "top", { uses = { mid } }))
        for _, name in ipairs(names) do io.write(name, "=", mid[name](), "\n") end
        top.Assert()
        io.write("top=", top.Works(), "\n")
        base.Boxes = {}
        assert(top:unload())
        assert(mid:unload())
        assert(base:unload())
      end
    ]]):format(source, '"' .. table.concat(names, '", "') .. '"')
    local status, out, errors = support.lua(script,
      "GOGC=1 GODEBUG=gccheckmark=1,clobberfree=1,invalidptr=1 GOTRACEBACK=system")
    assert.equal(0, status, errors)
    local lines = {}
    for _, name in ipairs(names) do lines[#lines + 1] = name .. "=" .. expected[name] .. "\n" end
    lines[#lines + 1] = "top=14 true trueroof(3;0) true" .. expected.Methods .. "\n"
    assert.equal(table.concat(lines):rep(3), out)
  end)
end)
