-- The roads that calls take: which one a function gets, that each gives the same results, that none leaves anything in
-- either heap, and that LuaJIT compiles the fast ones. Plain Lua has one road.
local support = require "spec.support"

local has_jit = support.interpreter == "luajit"
local unpack = rawget(table, "unpack") or unpack

-- The best road of each function, and calls of it.
local functions = {
  Add = { road = "pure", { 1, 2 }, { -5, 2 ^ 52 }, { 1.5, 2 }, { "1", 2 }, { 2 ^ 53, 1 } },
  Scale = { road = "pure", { 0.1, 3 }, { 1 / 0, -1 }, { 2, 2 ^ 31 } },
  Is = { road = "pure", { 7, 7 }, { 7, 8 }, { 256, 1 } },
  Index = { road = "pure", { "needle", 101 }, { "", 101 }, { "\0\255", 255 }, { 5, 5 } },
  Sum = { road = "pure", { "abc" }, { "" }, { nil, n = 1 } },
  At = { road = "pure", { "abc", 1 }, { "abc", 3 }, { "", 0 }, { "abc", -1 } },
  Turn = { road = "ffi", { "abcd" }, { "" }, { ("x"):rep(70000) }, { 1 } },
  Keep = { road = "ffi", { "first" }, { "second" }, { "third" } },
  Half = { road = "ffi", { 8 }, { 7 } },
  Silent = { road = "ffi", { 0 }, { 1 }, { 2 } },
  Mirror = { road = "capi", { { X = 1, Y = 2 } }, { {} }, { { Z = 1 } } },
}

local names = {}
for name in pairs(functions) do names[#names + 1] = name end
table.sort(names)

local object

local function load()
  return assert(support.host():load(object))
end

-- What a call gives or raises; a panic without its traceback, which tells of the road.
local function outcome(fn, call)
  local results = { pcall(fn, unpack(call, 1, call.n or #call)) }
  if not results[1] then results[2] = results[2]:match "panic: [^\n]*" or results[2] end
  if type(results[3]) == "table" then results[3] = results[3].message end
  return results
end

describe("the road of a function", function()
  local roads

  setup(function()
    object = support.compile("spec/testdata/roads/roads.go", "roads")
    roads = load()
  end)

  teardown(function()
    roads = nil
    collectgarbage()
    support.clean()
  end)

  it("is chosen by the first call", function()
    local module = load()
    local taken, called = module.Add, module.Is
    local class = debug.getmetatable(taken)
    assert.equal(class, debug.getmetatable(called))
    assert.is_true(called(7, 7))
    assert.not_equal(class, debug.getmetatable(called))
    assert.equal(class, debug.getmetatable(taken))
    assert(module:unload())
    assert.matches("unloaded", support.raised(taken, 1, 2))
  end)

  it("is a matter of functions alone, whoever calls their metamethods with what", function()
    local class = debug.getmetatable(load().Add)
    for _, value in ipairs { "text", 1, true } do
      local before = debug.getmetatable(value)
      assert.is_false(pcall(class.__call, value, 1, 2))
      assert.is_false(pcall(class.__gc, value))
      assert.equal(before, debug.getmetatable(value))
    end
  end)

  it("is found whatever the collector frees meanwhile", function()
    -- the functions' sources are put together by table.concat: what is free by then is overwritten there
    local concat, right = table.concat, true
    rawset(table, "concat", function(...)
      collectgarbage()
      local strings = {}
      for size = 1, 200 do strings[size] = ("\255"):rep(size) .. size end
      right = right and #strings == 200
      return concat(...)
    end)
    for _, name in ipairs { "Turn", "Keep", "Half" } do
      local fn = roads[name]
      fn:road "ffi"
      right = right and pcall(fn, functions[name][1][1])
    end
    rawset(table, "concat", concat)
    assert.is_true(right)
  end)

  for _, name in ipairs(names) do
    local best = has_jit and functions[name].road or "capi"

    it(("%s is %s"):format(name, best), function()
      assert.equal(best, roads[name]:road())
    end)

    it(("%s can be any slower one, with the same results"):format(name), function()
      for _, road in ipairs { "ffi", "pure" } do
        local one, other = load(), load()
        local slow, fn = one[name], other[name]
        assert.equal("capi", slow:road "capi")
        assert.equal("capi", slow:road())
        local taken = best == "pure" and road or best -- where it can't take the one asked for, the best
        assert.equal(taken, fn:road(road))
        assert.equal(taken, fn:road())
        for _, call in ipairs(functions[name]) do
          assert.same(outcome(slow, call), outcome(fn, call))
        end
        assert(one:unload())
        assert(other:unload())
      end
    end)
  end

  it("makes no difference to errors", function()
    for _, road in ipairs { "ffi", "capi" } do
      roads.Half:road(road)
      local _, err = roads.Half(3)
      local _, again = roads.Half(5)
      assert.equal("odd", err.message)
      assert.equal("*errors.errorString", err.type)
      assert.is_true(err:is(roads.ErrOdd))
      assert.is_true(err:is(again))
      assert.is_true(roads.IsOdd(err))
      assert.is_nil(err:unwrap())
      assert.equal("*errors.errorString", err:as("*errors.errorString"):type())
    end
  end)

  it("makes no difference to the last integers of all kinds", function()
    local unsigned = { "0", "1", "9007199254740991", "9007199254740993", "9223372036854775807", "9223372036854775808",
      "18437736874454810623", "18437736874454810625", "18446744073709551615" }
    local signed = { [6] = "-9223372036854775808", [7] = "-9007199254740993", [8] = "-9007199254740991", [9] = "-1" }
    local meter = roads.NewMeter()
    for _, road in ipairs { "pure", "ffi", "capi" } do
      roads.Extreme:road(road)
      roads.Unsigned:road(road)
      for n, digits in ipairs(unsigned) do
        assert.is_true(support.is_integer(roads.Unsigned(n), digits, true), road .. digits)
        assert.is_true(support.is_integer(meter:Unsigned(n), digits, true), road .. digits)
        digits = signed[n] or digits
        assert.is_true(support.is_integer(roads.Extreme(n), digits), road .. digits)
      end
    end
    meter:release()
  end)

  it("is none other than there are", function()
    assert.error_matches(function() roads.Add:road "sea" end, "sea")
  end)
end)

-- ---- methods --------------------------------------------------------------------------------------------------------

describe("a method of numbers and strings", function()
  local handles, counter

  setup(function()
    object = support.compile("spec/testdata/handles/handles.go", "handles")
  end)
  teardown(support.clean)

  before_each(function()
    handles = load()
    counter = handles.New "c"
  end)
  after_each(function()
    counter:release()
    assert(handles:unload { handles = "drop" })
  end)

  it("gives the same from call to call", function()
    for i = 1, 300 do
      assert.equal(i, counter:Add(1))
      assert.equal("counter c at " .. i, counter:String())
      local result, err = counter:Div(i % 3)
      if i % 3 == 0 then
        assert.is_nil(result)
        assert.equal("by zero", err.message)
      else
        assert.equal(math.floor(i / (i % 3)), result)
      end
    end
  end)

  it("is of handles of its class alone", function()
    local add, node = counter.Add, handles.NewNode(4)
    assert.equal(8, node:Double())
    assert.is_nil(node:Set(5))
    assert.equal(10, handles.PlainNode:keep(5):Double())
    for _, other in ipairs { node, 1, "c", {}, io.stdout, handles, handles.New } do
      assert.error_matches(function() add(other, 1) end,
        "Add is a method: it is called with a colon, on a handle of %*handles%.Counter$")
    end
    assert.error_matches(function() add() end, "Add is a method")
    assert.equal(3, add(counter, 3))
    assert.error_matches(function() return getmetatable(counter).__index(io.stdout, "Add") end, "a handle expected")
  end)

  it("says what is wrong with its arguments", function()
    for _ = 1, 100 do
      assert.error_matches(function() counter:Add() end, "bad argument #1 to 'Add' %(missing: int%)$")
      assert.error_matches(function() counter:Add "x" end, "bad argument #1 to 'Add' %(int expected, got string%)$")
      assert.error_matches(function() counter:Add(1, 2) end, "bad argument #2 to 'Add' %(too many: func%(int%) int%)$")
      assert.error_matches(function() counter:Add(0.5) end, "bad argument #1 to 'Add'")
      assert.error_matches(function() counter:Panic "why" end, "panic: why\n\n.*Counter%)%.Panic")
    end
    assert.equal(1, counter:Add(1))
  end)

  it("outlasts handles, and its module with them", function()
    local add, gone = counter.Add, handles.New "gone"
    gone:release()
    assert.error_matches(function() add(gone, 1) end, "handle of %*handles%.Counter: it was released$")
    local kept = handles.New "kept"
    assert(handles:unload { handles = "drop" })
    for _ = 1, 3 do
      assert.error_matches(function() add(kept, 1) end, "handle of %*handles%.Counter: its module was unloaded$")
      collectgarbage()
    end
    handles = load()
    counter = handles.New "other"
    assert.error_matches(function() add(counter, 1) end, "on a handle of %*handles%.Counter$")
    assert.equal(1, counter:Add(1))
    kept, gone = nil, nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.error_matches(function() add(counter, 1) end, "on a handle of %*handles%.Counter$")
  end)

end)

describe("a field of a number or a string", function()
  local module, meter

  setup(function() object = support.compile("spec/testdata/roads/roads.go", "roads") end)
  teardown(support.clean)

  before_each(function()
    module = load()
    meter = module.NewMeter()
  end)
  after_each(function() assert(module:unload { handles = "drop" }) end)

  it("is what it was set to", function()
    for i = 1, 100 do
      for name, values in pairs {
        Total = { i, -i, 2 ^ 53, support.integer "-9223372036854775808" }, Rate = { i / 3, -1 / 0, 1e300 },
        Label = { "label " .. i, "", "\0" .. i, ("x"):rep(5000) }, Is = { true, false }, Small = { -128, 127 },
        Byte = { 0, 255 }, Big = { i, support.integer "9223372036854775807" }, Single = { 0.5, -i },
        Data = { "", "bytes\0" }, Depth = { -32768, i },
      } do
        for _, value in ipairs(values) do
          meter[name] = value
          assert.equal(value, meter[name])
        end
      end
      meter.Rate = 0 / 0
      assert.is_true(meter.Rate ~= meter.Rate)
      meter.Twin = { X = i }
      assert.equal(i, meter.Twin.X)
      meter.Twin.X = -i
      assert.equal(-i, meter.Twin.X)
    end
    assert.equal(1 / 3, module.NewMeter:keep():Scale(1 / 3, 1))
  end)

  it("is set to nothing else", function()
    for _ = 1, 100 do
      for name, values in pairs {
        Total = { 0.5, "1", false, {}, 2 ^ 63 }, Rate = { "1", true }, Label = { 5, true }, Is = { 0, "true" },
        Small = { 128, -129 }, Byte = { -1, 256 }, Big = { -1 }, Single = { 1e300 }, Depth = { 32768 },
      } do
        local before = meter[name]
        for _, value in ipairs(values) do
          assert.error_matches(function() meter[name] = value end, "^bad value for '" .. name .. "' %(")
        end
        assert.error_matches(function() meter[name] = nil end, "got nil%)$")
        assert.equal(before, meter[name])
      end
      local no_height = "no Height: the struct that has it is embedded by a pointer, which is nil$"
      assert.error_matches(function() return meter.Height end, no_height)
      assert.error_matches(function() meter.Height = 1 end, no_height)
      for _, name in ipairs { "sum", "Nothing", "Count" } do
        assert.error_matches(function() meter[name] = 1 end, "%*roads%.Meter has no field or method '" .. name .. "'$")
      end
    end
  end)

  it("goes with its handle", function()
    local gone, dropped = module.NewMeter(), module.NewMeter()
    gone.Total, dropped.Total = 1, 2
    gone:release()
    assert.error_matches(function() return gone.Total end, "handle of %*roads%.Meter: it was released$")
    assert.error_matches(function() gone.Total = 1 end, "handle of %*roads%.Meter: it was released$")
    assert(module:unload { handles = "drop" })
    module = load()
    meter = module.NewMeter()
    meter.Total = 5
    for _ = 1, 3 do
      assert.error_matches(function() return dropped.Total end, "handle of %*roads%.Meter: its module was unloaded$")
      assert.error_matches(function() dropped.Label = "a" end, "handle of %*roads%.Meter: its module was unloaded$")
      assert.equal(5, meter.Total)
      collectgarbage()
    end
  end)
end)

-- ---- heaps ----------------------------------------------------------------------------------------------------------

-- A function of numbers and strings, calls of it whose results there are already, and how many objects it makes itself.
local CALLS = 20000
local quiet = {
  { "Add", "return function(f, n) local x for i = 1, n do x = f(i, 1) end return x end" },
  { "Scale", "return function(f, n) local x for i = 1, n do x = f(0.5, i) end return x end" },
  { "Is", "return function(f, n) local x for i = 1, n do x = f(i % 256, 1) end return x end" },
  { "Index", "return function(f, n) local x for _ = 1, n do x = f('a needle of some length', 108) end return x end" },
  { "Sum", "return function(f, n) local x for _ = 1, n do x = f('a needle of some length') end return x end" },
  { "Half", "return function(f, n) local x for i = 1, n do x = f(2 * i) end return x end" },
  { "Turn", "return function(f, n) local x for _ = 1, n do x = f('abcdefghijkl') end return x end", own = 1 },
  { "Keep", "return function(f, n) local x for _ = 1, n do x = f('abcdefghijkl') end return x end", own = 1 },
  { "Count", "return function(m, n) local x for i = 1, n do x = m:Count(i) end return x end", of = "NewMeter" },
  { "Scale", "return function(m, n) local x for i = 1, n do x = m:Scale(0.5, i) end return x end", of = "NewMeter" },
  { "Keep", "return function(m, n) local x for _ = 1, n do x = m:Keep('abcdefghijkl') end return x end",
    of = "NewMeter", own = 1 },
  { "Total", "return function(m, n) local x for i = 1, n do m.Total = i x = m.Total end return x end",
    of = "NewMeter" },
  { "Rate", "return function(m, n) local x for i = 1, n do m.Rate = i / 2 x = m.Rate end return x end",
    of = "NewMeter" },
  { "Label", "return function(m, n) local x for _ = 1, n do x = m.Label end return x end", of = "NewMeter" },
}

-- The best road of what is called; that of a method is the only one.
local function best_road(case)
  return not has_jit and "capi" or case.of and "ffi" or functions[case[1]].road
end

local function is_on(case, road)
  return road == best_road(case) or not case.of and (road == "capi" or best_road(case) == "pure")
end

-- What is called on that road, or has the method that is.
local function called(module, case, road)
  if case.of then return module[case.of]() end
  local fn = module[case[1]]
  assert.equal(road, fn:road(road))
  return fn
end

local function title(case, road)
  return ("%s%s, %s"):format(case.of and "of a handle, " or "", case[1], road)
end

local compile = rawget(_G, "loadstring") or rawget(_G, "load")

describe("a call of numbers and strings", function()
  local module

  before_each(function()
    object = support.compile("spec/testdata/roads/roads.go", "roads")
    module = load()
  end)

  after_each(function()
    assert(module:unload())
    support.clean()
  end)

  -- Calls without and with LuaJIT's compiler. Both have to be quiet from the start of a loop that ran before.
  local function each_way(test)
    if has_jit then
      jit.off()
      test "interpreted"
      jit.on()
      jit.flush()
    end
    test(has_jit and "compiled" or "interpreted")
  end

  for _, road in ipairs(has_jit and { "pure", "ffi", "capi" } or { "capi" }) do
    for _, case in ipairs(quiet) do
      if is_on(case, road) then
        it("leaves nothing behind in Lua: " .. title(case, road), function()
          local fn = called(module, case, road)
          each_way(function(how)
            local loop = compile(case[2])()
            local result = loop(fn, CALLS) -- luacheck: ignore (it holds the string that the calls return)
            collectgarbage()
            collectgarbage "stop"
            local before = collectgarbage "count"
            loop(fn, CALLS)
            -- LuaJIT's interpreter makes a box for all that it touches by FFI
            if how == "interpreted" and road ~= "capi" then collectgarbage() end
            local grown = (collectgarbage "count" - before) * 1024
            collectgarbage "restart"
            -- a stack that grows again after the collection is no call's; the least that one could leave is 16 bytes
            assert.is_true(grown < CALLS / 4, ("%s: %d bytes in %d calls"):format(how, grown, CALLS))
          end)
        end)

        it("leaves nothing behind in Go: " .. title(case, road), function()
          local fn = called(module, case, road)
          each_way(function(how)
            local loop = compile(case[2])()
            loop(fn, CALLS)
            local before = module.Mallocs()
            loop(fn, CALLS)
            local made = module.Mallocs() - before
            -- what a function allocates itself, or keeps, is its own
            local expected = (case.own or 0) * CALLS
            assert.is_true(math.abs(made - expected) < CALLS / 100,
              ("%s: %d objects in %d calls"):format(how, made, CALLS))
          end)
        end)
      end
    end
  end
end)

describe("a string that a function does not keep", function()
  local module

  setup(function()
    object = support.compile("spec/testdata/roads/roads.go", "roads")
    module = load()
  end)

  teardown(function()
    assert(module:unload())
    support.clean()
  end)

  for _, road in ipairs(has_jit and { "ffi", "capi" } or { "capi" }) do
    it("is nothing that the function can make another of without a copy: " .. road, function()
      module.Hold:road(road)
      local expected = {}
      for i = 1, 2000 do
        local a, b = ("a"):rep(i % 300) .. i, i % 2 == 0 and "" or "b"
        if i % 3 == 0 then a, b = b, a end
        module.Hold(a, b)
        expected[i] = a .. b
      end
      assert.equal(table.concat(expected, ","), module.Held())
    end)

    it("stays where the function finds it when the stack moves: " .. road, function()
      local deep = module.Deep
      deep:road(road)
      for i = 1, 200 do
        local depth, bytes = i * 37 % 2000, ("z"):rep(i % 150)
        assert.equal(depth + (i % 100) * 97 + #bytes * 122, deep(depth, ("a"):rep(i % 100), bytes))
        assert.equal(("z"):rep(i % 150), bytes)
        if i % 10 == 0 then module.Held() end
      end
    end)
  end
end)

-- To make a string, or a box of LuaJIT's, is a step of Lua's collector.
describe("a finalizer that makes the call that it interrupts", function()
  local one, other

  setup(function()
    object = support.compile("spec/testdata/roads/roads.go", "roads")
    one, other = load(), load()
  end)

  teardown(function()
    assert(one:unload())
    assert(other:unload())
    support.clean()
  end)

  local calls = {
    Add = function(fn, i) return fn(i, 3 * i) end,
    Scale = function(fn, i) return fn(i / 4, i) end,
    At = function(fn, i) return fn("abc", i % 4) end,
    Minmax = function(fn, i) return fn(i, 500 - i) end,
    Half = function(fn, i) return fn(i) end,
    Turn = function(fn, i) return fn("abc" .. i) end,
    Twice = function(fn, i) return fn("abc" .. i) end,
  }

  for _, road in ipairs(has_jit and { "pure", "ffi", "capi" } or { "capi" }) do
    for name, call in pairs(calls) do
      it(("gets its own results, and leaves the other's: %s, %s"):format(name, road), function()
        one[name]:road(road)
        other[name]:road "capi"
        -- little but the calls themselves allocates, so that it is there that the collector steps
        local oks, firsts, seconds, wrong, finalized = {}, {}, {}, {}, 0
        for i = 1, 500 do oks[i], firsts[i], seconds[i] = pcall(call, other[name], i) end
        local fn = one[name]
        local function check(i)
          local ok, first, second = pcall(call, fn, i)
          local same = first == firsts[i] and (second == seconds[i] or tostring(second) == tostring(seconds[i]))
          if ok ~= oks[i] or ok and not same then
            wrong[#wrong + 1] = ("%d: %s %s"):format(i, tostring(first), tostring(second))
          end
        end
        for round = 1, 6 do
          if has_jit then jit[round % 2 == 0 and "off" or "on"]() end
          for i = 1, 500 do
            support.finalized(function()
              finalized = finalized + 1
              check(finalized * 7 % 500 + 1)
            end)
            check(i)
          end
        end
        if has_jit then jit.on() end
        collectgarbage()
        assert.same({}, wrong)
        assert.is_true(finalized > 1000)
      end)
    end
  end
end)

-- ---- traces ---------------------------------------------------------------------------------------------------------

if has_jit then
  describe("LuaJIT", function()
    setup(function() object = support.compile("spec/testdata/roads/roads.go", "roads") end)
    teardown(support.clean)

    -- What the compiler says while a child calls the function in a loop: "stop loop", "abort" and why, "stop stitch".
    local function events(case, road)
      local status, out, errors = support.lua(([[
        local vmdef, util = require "jit.vmdef", require "jit.util"
        local module = assert(assert(require "goloader".host()):load(%q))
        local fn = module[%q]
        if %s then fn = fn() else assert(fn:road(%q)) end
        local loop = loadstring(%q)()
        loop(fn, 2) -- what reads a field is made when that is first read
        jit.attach(function(what, trace, _, _, otr, oex)
          if what == "stop" then
            io.write("stop ", util.traceinfo(trace).linktype, "\n")
          elseif what == "abort" then
            local why = type(otr) == "number" and vmdef.traceerr[otr]:format(oex) or tostring(otr)
            -- the call of loop itself can be found hot, by a counter that others count at, too: that is none of ours
            if why ~= "inner loop in root trace" then io.write("abort ", why, "\n") end
          end
        end, "trace")
        loop(fn, 10000) -- once: a loop around it might be found hot, and is none of ours
      ]]):format(object, case.of or case[1], tostring(case.of ~= nil), road, case[2]))
      assert.equal(0, status, errors)
      return out
    end

    it("takes the C API road where it compiles nothing", function()
      local status, out, errors = support.run({ "luajit", "-joff", "spec/env.lua", support.write("script.lua", ([[
        local roads = assert(assert(require "goloader".host()):load(%q))
        local meter = roads.NewMeter()
        meter.Total = 5
        print(roads.Add:road(), roads.Add:road "pure", roads.Turn:road "ffi", roads.Add(1, 2), roads.Turn "ab",
          meter:Count(4), meter.Total, unpack(roads.Add:map({ 1, 2 }, { 3, 4 })))
      ]]):format(object)) })
      assert.equal("capi\tcapi\tcapi\t3\tba\t4\t5\t4\t6\n", out, errors)
      assert.equal(0, status)
    end)

    for _, case in ipairs(quiet) do
      for _, road in ipairs { "pure", "ffi" } do
        if is_on(case, road) then
          it("compiles calls into one loop, and aborts nothing: " .. title(case, road), function()
            local said = events(case, road)
            -- A root is where a side trace goes on, a branch's. A function that is called more than once each time, or
            -- whose counter is another's too (they are found by a hash of addresses), may be found hot before the loop.
            for _, line in ipairs { "stop root", "stop return", "abort leaving loop in root trace",
              "abort NYI: return to lower frame" } do
              said = said:gsub(line .. "\n", "")
            end
            assert.equal("stop loop\n", said)
          end)
        end
      end
    end
  end)
end

-- A trace is for one function: calls of what takes a function's place again and again must not have one more each time.
describe("a function of a module that is replaced", function()
  if not rawget(_G, "jit") then return end
  local slots = require "goloader.reload.slot"

  local SOURCE = [[
package page

import "fmt"

var calls int

func Pure(n int) int { return n + %d }

func Page(name string) string {
	calls++
	if calls < 0 { fmt.Println() }
	return name + "%d"
}
]]

  local made = {}
  setup(function()
    for i = 1, 30 do
      local file = support.write("page.go", SOURCE:format(i, i))
      made[i] = support.compile(file, "page")
    end
  end)

  local function count_traces(module, calls)
    local traces = 0
    local function count(what) if what == "stop" then traces = traces + 1 end end
    jit.attach(count, "trace")
    local sum, page = 0, nil
    for i = 1, calls do
      sum = sum + module.Pure(i)
      page = module.Page "a page "
    end
    jit.attach(count)
    return traces, page, sum
  end

  -- Calls each version's functions; reload has the next one take the place.
  local function check(module, reload)
    local later = 0
    for i = 1, 30 do
      local traces, page, sum = count_traces(module, 2000)
      assert.equal("a page " .. i, page)
      assert.equal(2001000 + 2000 * i, sum)
      if i > 10 then later = later + traces end
      if i < 30 then assert(reload(i + 1)) end
    end
    assert.is_true(later < 20, later .. " traces for 20 versions of two functions")
  end

  it("is compiled once for all versions of a slot that come later", function()
    local number = 0
    local slot = assert(slots.new { name = "page", load = function()
      number = number + 1
      return support.host():load(made[number])
    end })
    assert.equal("pure", slot:settle():func("Pure"):road())
    assert.equal("ffi", slot:settle():func("Page"):road())
    check(slot, function() return slot:reload() end)
    assert.is_true(slot:close())
  end)

  it("is compiled once for all versions that host:replace brings later", function()
    local host = support.host()
    local module = assert(host:load(made[1]))
    assert.equal("pure", module.Pure:road())
    assert.equal("ffi", module.Page:road())
    check(module, function(i) return host:replace(module, made[i]) end)
    assert(module:unload())
  end)
end)
