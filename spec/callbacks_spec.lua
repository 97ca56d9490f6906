-- Lua functions as arguments: Go calls them on the same thread, errors and panics cross both ways.
local support = require "spec.support"

local unpack = rawget(table, "unpack") or unpack

local host, callbacks

setup(function()
  host = support.host()
  callbacks = assert(host:build "spec/testdata/callbacks/callbacks.go")
end)
teardown(support.clean)

local items = { { Name = "chair", Price = 89 }, { Name = "lamp", Price = 24.5, Tags = { "desk" } } }

local message = support.raised

describe("a Lua function that Go calls", function()
  it("gets its arguments and gives its results", function()
    assert.equal(42, callbacks.Apply(21, function(n) return n * 2 end))
    assert.same({ "A", "B" }, callbacks.Map({ "a", "b" }, string.upper))
    assert.equal("lamp", callbacks.Sort(items, function(a, b) return a.Price < b.Price end)[1].Name)
    local called = 0
    callbacks.Run(function(...)
      called = called + 1
      assert.equal(0, select("#", ...))
      return "nobody", "looks"
    end)
    assert.equal(1, called)
  end)

  it("is taken in fields, slices and variadic parameters", function()
    local handlers = {
      Name = "both",
      OnItem = function(item, i) return i .. " " .. item.Name end,
      More = { string.upper, function(text) return text .. "!" end },
    }
    assert.same({ "0 CHAIR!", "1 LAMP!" }, callbacks.Handle(handlers, items))
    assert.equal("<A>", callbacks.Compose("a", string.upper, function(text) return "<" .. text .. ">" end))
    assert.equal("a", callbacks.Compose "a")
  end)

  it("is any value that can be called", function()
    local object = setmetatable({ factor = 3 }, { __call = function(self, n) return self.factor * n end })
    assert.equal(6, callbacks.Apply(2, object))
    local jobs = assert(host:build "spec/testdata/jobs/jobs.go")
    assert.equal("hello you", callbacks.Compose("you", jobs.Greet))
    assert(jobs:unload())
  end)

  it("is nil where nil is given", function()
    assert.is_true(callbacks.IsNil(nil))
    assert.is_false(callbacks.IsNil(print))
    assert.matches("nil pointer dereference", message(callbacks.Run, nil))
  end)

  it("gets what is variadic one by one", function()
    local n, args
    assert.equal("well", callbacks.Variadic(function(...)
      n, args = select("#", ...), { ... }
      return "well"
    end))
    assert.equal(5, n)
    assert.same({ "%s", "a", 1, nil, 2.5 }, args)
  end)

  it("carries all sorts of values", function()
    assert.equal("-128 18446744073709551615 1.5 true (1+2i) bytes", (callbacks.Numbers(function(...)
      return ...
    end):gsub("%)bytes", ") bytes")))
    local array, map = callbacks.Large(function(a, b, c, d)
      assert.same({ 1, 2, 3, 4 }, a)
      assert.same({ Name = "b", Price = 1, Tags = { "t" } }, b)
      assert.same({ x = { 1, 2 } }, c)
      assert.same({ Name = "d", Price = 0, Tags = {} }, d)
      return { 4, 3, 2, 1 }, { one = b }
    end)
    assert.same({ 4, 3, 2, 1 }, array)
    assert.same({ one = { Name = "b", Price = 1, Tags = { "t" } } }, map)
  end)

  it("gets handles, and gives them", function()
    local c
    callbacks.Channel(function(given) c = given end)
    assert.is_nil(c)
    callbacks.Channel(function(given) c = given end, 2)
    assert.equal("chan int", c:type())
    assert.is_true(c:send(7))
    assert.equal(7, c:recv())
    assert.equal(c, callbacks.SameChannel(function() return c end))
    assert.equal("result 1 of the Lua function passed as 'f': chan int expected (a handle), got table",
      message(callbacks.SameChannel, function() return {} end):match "result 1.*")
    assert.equal("result 1 of the Lua function passed as 'f': chan int expected, got a handle of func(int) int",
      message(callbacks.SameChannel, function() return callbacks.Adder(1) end):match "result 1.*")
  end)

  it("may stand beside functions of Go's, which are handles", function()
    local add = callbacks.Adder(10)
    assert.equal("func(int) int", add:type())
    assert.equal(15, add(5))
    assert.equal(15, callbacks.Apply(5, add))
    assert.equal(5, callbacks.Apply(5, function(n) return callbacks.Apply(n - 10, add) end))
    assert.equal(30, callbacks.Apply:async(20, add):wait())
    assert.equal(6, callbacks.Apply(1, callbacks.Through(function() return 6 end)))
    callbacks.Hook = callbacks.Runner(3)
    callbacks.Hook()
    assert.equal(3, callbacks.Ran())
    callbacks.Hook = nil
    assert.matches("parameter 'f': func%(int%) int expected, got a handle of func%(%)",
      message(callbacks.Apply, 1, callbacks.Runner(1)))
    assert.matches("bad value for 'Hook' %(func%(%) expected %(a handle%), got string", message(function()
      callbacks.Hook = "x"
    end))
  end)

  it("may be an argument of a method, and of a function's handle", function()
    local list = callbacks.NewList { 3, 4 }
    assert.same({ 6, 8 }, list:Each(function(n) return 2 * n end))
    assert.equal("bad argument #1 to 'Each' (func(int) int expected (a function), got number)",
      message(function() list:Each(5) end):match "bad.*")
    assert.matches("no more$", message(function() list:Each(function() error("no more", 0) end) end))
    local apply = callbacks.Applier()
    assert.equal(9, apply(function(n) return n + 1 end, 8))
    local kept
    list:Each(function(n)
      kept = kept or callbacks.NewList { n }
      return #kept:Each(function() return 0 end)
    end)
    assert.same({ 3 }, kept:Each(function(n) return n end))
    assert.matches("parameter 1 was called after the call that it was given to had ended",
      message(function() list:Keep(function() return 1 end) list:Kept() end))
  end)

  it("may be called by another call, as long as its own lasts", function()
    local list, got, called = callbacks.NewList {}, nil, 0
    list:KeepFor(function(n) return n + 4 end, function() got = list:Kept() end)
    assert.equal(5, got)
    callbacks.HookFor(function() called = called + 1 end, function() got = callbacks.CallHook(7) end)
    assert.same({ 7, 1 }, { got, called })
    assert.matches("had ended", message(callbacks.CallHook, 7))
  end)

  it("may give nil and an error in the place of results", function()
    local kept, err = callbacks.Walk(items, function(item)
      if item.Name == "lamp" then return nil, "broken" end
      return true
    end)
    assert.is_nil(kept)
    assert.equal("lamp: broken", err.message)
    assert.same({ "chair" }, { callbacks.Walk(items, function(item) return item.Name == "chair" end)[1].Name })
    assert.is_true(callbacks.Check(function() end))
    assert.is_true(callbacks.Check(function() return true end))
    assert.equal("no", select(2, callbacks.Check(function() return nil, { message = "no" } end)).message)
    assert.equal("code", select(2, callbacks.Check(function() return nil, "code", 5 end)).message)
    assert.equal("own", select(2, callbacks.Pair(function() return nil, nil, "own" end)).message)
    assert.is_nil((callbacks.Pair(function() end)))
    assert.equal("lamp", callbacks.Find(function() return { Name = "lamp" } end).Name)
  end)

  it("is refused where an error would get lost", function()
    local function refuses(expected, name, ...)
      local results, n = { ... }, select("#", ...)
      assert.matches("result " .. expected, message(callbacks[name], function() return unpack(results, 1, n) end))
    end
    local nothing = " of the Lua function passed as 'f': no result expected here, got string: "
      .. "an error stands behind one nil"
    local either = " of the Lua function passed as 'f': nothing, true, or nil and an error expected, got "
    refuses("3" .. nothing, "Check", nil, nil, "lost")
    refuses("2" .. nothing, "Check", true, "lost")
    refuses("2" .. nothing, "Check", false, "lost")
    refuses("1" .. either .. "false", "Check", false)
    refuses("1" .. either .. "number", "Check", 1)
    refuses("3" .. nothing, "Find", nil, nil, "lost")
    refuses("3" .. nothing, "Find", { Name = "lamp" }, nil, "lost")
    refuses("4" .. nothing, "Pair", nil, nil, nil, "lost")
  end)

  it("may be called wherever the goroutine's stack has grown to, and while Go collects", function()
    assert.equal(2007, callbacks.Deep(2000, function() return 7 end))
    assert.equal(10, #callbacks.Collect(function() collectgarbage() end))
  end)

  it("may call Go, which calls Lua", function()
    local function down(n)
      if n == 0 then return 0 end
      return callbacks.Apply(n, function(m) return down(m - 1) + 1 end)
    end
    assert.equal(60, down(60))
  end)

  it("may be called within coroutines", function()
    local results = {}
    local function worker(n)
      return coroutine.wrap(function()
        results[n] = callbacks.Apply(n, function(m)
          local inner = coroutine.wrap(function()
            callbacks.Run(function() m = m + 1 end)
            coroutine.yield(m)
          end)
          return inner()
        end)
      end)
    end
    for n = 1, 3 do worker(n)() end
    assert.same({ 2, 3, 4 }, results)
  end)

  it("gets values that stay in Go, and gives them back", function()
    local handles = assert(host:build "spec/testdata/handles/handles.go")
    local apply = handles.Apply
    assert.equal(9, apply(handles.Adder(5), 4)) -- a function that Go has made goes the short way
    local chan
    callbacks.Channel(function(c) chan = c end)
    assert.is_nil(chan)
    assert(support.eventually(function()
      collectgarbage()
      return handles:unload()
    end))
  end)

  it("has a context and its values beside it", function()
    assert.equal("VALUE", callbacks.Context({ values = { key = "value" } }, string.upper))
  end)
end)

describe("an error in a Lua function", function()
  it("comes out of the call as the same value", function()
    local thrown = setmetatable({}, { __tostring = function() return "thrown" end })
    for _, value in ipairs { thrown, "text", 12, false, print } do
      local ok, err = pcall(callbacks.Run, function() error(value, 0) end)
      assert.is_false(ok)
      assert.equal(value, err)
    end
    local ok, err = pcall(callbacks.Run, function() error() end)
    assert.is_false(ok)
    assert.is_nil(err)
  end)

  it("is an error to Go code that recovers it", function()
    assert.equal("true *host.luaError: boo", callbacks.Recovered(function() error("boo", 0) end))
    local thrown = setmetatable({}, { __tostring = function() return "thrown" end })
    assert.equal("true *host.luaError: thrown", callbacks.Recovered(function() error(thrown) end))
    assert.equal("true *host.luaError: an error that is a table", callbacks.Recovered(function() error {} end))
    assert.equal("boo", select(2, callbacks.Returned(function() error("boo", 0) end)).message)
    assert.matches("^panic: wrapped: boo", message(callbacks.Wrapped, function() error("boo", 0) end))
  end)

  it("stays the same value when Go panics with it once more", function()
    local thrown = {}
    assert.equal(thrown, message(callbacks.Again, function() error(thrown) end, function() error "another" end))
  end)

  it("is no more than its text when the call has ended", function()
    callbacks.Save(function() error({}, 0) end)
    assert.equal("an error that is a table", message(callbacks.Saved))
    callbacks.Run(function() assert.equal("an error that is a table", message(callbacks.Saved)) end)
  end)

  it("crosses any number of calls", function()
    local thrown = {}
    local function down(n)
      callbacks.Run(function()
        if n == 0 then error(thrown) end
        down(n - 1)
      end)
    end
    assert.equal(thrown, message(down, 20))
  end)

  it("names a result that does not fit", function()
    local function refuses(expected, name, ...)
      assert.equal(expected, (message(callbacks[name], ...):gsub("^[^ ]-:%d+: ", "")))
    end
    refuses("result 1 of the Lua function passed as 'f': int expected, got string", "Apply", 1,
      function() return "x" end)
    refuses("result 1 of the Lua function passed as 'f': int expected, got nil", "Apply", 1, function() end)
    refuses("result 1 of the Lua function passed as 'f': int expected, got 1.5", "Apply", 1,
      function() return 1.5 end)
    refuses("result 2[\"one\"].Tags[1] of the Lua function passed as 'f': string expected, got boolean", "Large",
      function(a) return a, { one = { Tags = { true } } } end)
    refuses("result 1 of the Lua function passed as 'h'.More[1]: string expected, got table", "Handle",
      { OnItem = tostring, More = { function() return {} end } }, items)
    refuses("result 1 of the Lua function passed as 'f': func() expected, " ..
      "and a Lua function can't give Go another one",
      "Maker", function() return print end)
  end)

  it("comes of Lua and Go that call each other without end", function()
    local depth = 0
    local function down()
      depth = depth + 1
      callbacks.Run(down)
    end
    assert.matches("stack overflow", message(down))
    assert.is_true(depth > 60 and depth < 1000)
    local function coroutines() coroutine.wrap(function() callbacks.Run(coroutines) end)() end
    assert.matches("stack overflow", message(coroutines))
    assert.equal(2, callbacks.Apply(1, function(n) return n + 1 end))
  end)

  it("is an error where a thread's stack is small", function()
    local script = support.write("deep.lua", ([[
      local host = require("spec.support").host()
      local calls = assert(host:build(%q))
      local depth = 0
      local function nest(n)
        depth = n
        return calls.Call(nest, n + 1)
      end
      print(pcall(nest, 1))
      print(depth > 10 and depth < 190, calls.Call(function(n) return n + 1 end, 5))
    ]]):format(support.write("deep.go", "package main\n\nfunc Call(f func(int) int, n int) int { return f(n) }\n")))
    local status, out, errors = support.run({ "sh", "-c", ("ulimit -s 128 && exec %s spec/env.lua %s"):format(
      support.interpreter, script) }, "GOGC=1")
    assert.equal(0, status, errors)
    assert.matches("^false\t.*stack overflow: Lua and Go call each other until %d+ KB of the thread's stack are left\n"
      .. "true\t6\n$", out)
  end)

  it("comes of a yield", function()
    assert.matches("attempt to yield", message(coroutine.wrap(function()
      callbacks.Run(function() coroutine.yield() end)
    end)))
  end)
end)

describe("a panic in Go that a Lua function has called", function()
  it("crosses Lua and Go as an error", function()
    local err = message(callbacks.Run, function() callbacks.Panic "no way" end)
    assert.matches("^panic: no way\n\ngoroutine %d+", err)
    assert.matches("callbacks%.Panic%(", err)
    assert.matches("^true %*host%.luaError: panic: no way",
      callbacks.Recovered(function() callbacks.Panic "no way" end))
    callbacks.Run(function() assert.matches("^panic: no way", message(callbacks.Panic, "no way")) end)
  end)

  it("may be runtime.Goexit", function()
    assert.matches("Goexit: the function called runtime%.Goexit", message(callbacks.Goexit, function() end))
    assert.matches("Goexit: the function called runtime%.Goexit", message(callbacks.Run, function()
      callbacks.Goexit(function() end)
    end))
  end)
end)

describe("a Lua function where it can't be called", function()
  it("panics when its call has ended, by its name", function()
    assert.equal("kept", callbacks.Keep(function() return "kept" end))
    local why = "the Lua function passed as 'f' was called after the call that it was given to had ended"
    assert.equal(why, callbacks.KeptText())
    assert.matches("panic: " .. why, message(callbacks.Kept))
    callbacks.Run(function() assert.equal(why, callbacks.KeptText()) end)
  end)

  it("panics in another goroutine", function()
    assert.equal("panic: the Lua function passed as 'f' was called from another goroutine than it was given to",
      callbacks.Elsewhere(function() return "never" end))
  end)

  it("is not confused with those of a finalizer that calls Go meanwhile", function()
    -- Names of arguments are strings, which make garbage, which makes Lua collect while arguments are written.
    local finalized, wrong = 0, 0
    local function garbage()
      local proxy = newproxy and newproxy(true) or setmetatable({}, {})
      getmetatable(proxy).__gc = function()
        finalized = finalized + 1
        if callbacks.Apply(1, function(n) return n + 1 end) ~= 2 then wrong = wrong + 1 end
        pcall(callbacks.Apply, 1, function() error {} end)
        pcall(callbacks.Handle, { OnItem = print, More = { 1 } }, items)
      end
      return newproxy and proxy or setmetatable({}, getmetatable(proxy))
    end
    collectgarbage("setpause", 10)
    for i = 1, 3000 do
      garbage()
      local text = callbacks.Compose("a" .. i, string.upper, function(s) return s .. "1" end,
        function(s) return s .. "2" end, function(s) return s .. "3" end)
      assert.equal("A" .. i .. "123", text)
    end
    collectgarbage("setpause", 200)
    collectgarbage()
    assert.is_true(finalized > 1000)
    assert.equal(0, wrong)
  end)

  it("is not kept by Go", function()
    local gone = setmetatable({}, { __mode = "v" })
    do
      local upvalue = {}
      gone[1] = upvalue
      callbacks.Keep(function() return upvalue and "kept" end)
      pcall(callbacks.Keep, function() error(upvalue) end)
      pcall(callbacks.Walk, items, function() return upvalue, upvalue end)
      pcall(callbacks.Handle, { OnItem = function() return upvalue end, More = { 1 } }, items)
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(gone[1])
  end)

  it("is refused by jobs, variables, and functions of functions", function()
    assert.matches("parameter 'f': a Lua function can't be called by a job", message(callbacks.Apply.async,
      callbacks.Apply, 1, print))
    assert.matches("bad value for 'Hook' %(a Lua function can be called till the end of the call that it is given to",
      message(function() callbacks.Hook = print end))
    callbacks.Hook = nil
    assert.is_true(callbacks.IsNil:async(nil):wait())
    assert.matches("parameter 'f': func%(int%) int expected %(a function%), got string",
      message(callbacks.Apply, 1, "f"))
    local given = "nothing"
    callbacks.Channel(function(channel) given = channel end)
    assert.is_nil(given)
  end)
end)

describe("a module", function()
  it("can't be unloaded by a Lua function that it calls, but after that", function()
    local other = assert(host:build "spec/testdata/callbacks/callbacks.go")
    local ok, why
    other.Run(function() ok, why = other:unload() end)
    assert.is_nil(ok)
    assert.matches("called from its own code", why)
    other.Sort(items, function(a, b) return a.Name < b.Name end)
    other.Walk(items, function() return true end)
    other.Large(function(a) return a, {} end)
    pcall(other.Walk, items, function() error {} end)
    assert(other:unload())
  end)

  it("goes though another keeps a function that it was given", function()
    local other = assert(host:build "spec/testdata/callbacks/callbacks.go")
    callbacks.Keep(function() return tostring(other.Apply(1, function(n) return n end)) end)
    assert(other:unload())
    callbacks.Forget()
  end)
end)

describe("many calls of Lua functions", function()
  it("leave nothing behind", function()
    local grown = support.growth(8, function()
      for i = 1, 2000 do
        callbacks.Total(10, function(x) return x end)
        pcall(callbacks.Run, function() error {} end)
        pcall(callbacks.Walk, items, function() return nil, "no" end)
        pcall(callbacks.Apply, i, function() return "x" end)
        pcall(callbacks.Handle, { OnItem = print, More = { 1 } }, items)
      end
    end)
    assert.is_true(grown < 6e6, "grown by " .. grown)
  end)
end)

describe("under a collector that always collects and checks", function()
  it("Lua functions are called as they should be", function()
    local status, output, errors = support.lua([[
      local callbacks = assert(require("goloader").host():build "spec/testdata/callbacks/callbacks.go")
      local items = { { Name = "chair", Tags = { "a" } }, { Name = "lamp" } }
      for i = 1, 100 do
        assert(callbacks.Compose("a", string.upper, function(s) return s .. i end) == "A" .. i)
        local kept = callbacks.Walk(items, function(item) return item.Tags[1] == "a" end)
        assert(#kept == 1 and kept[1].Name == "chair")
        assert(callbacks.Deep(300, function() return i end) == 300 + i)
        local thrown = {}
        assert(select(2, pcall(callbacks.Run, function() callbacks.Run(function() error(thrown) end) end)) == thrown)
        callbacks.Large(function(a, b) return a, { x = b } end)
        callbacks.Keep(function() return "kept" end)
        assert(callbacks.KeptText():find "had ended")
      end
      callbacks.Forget()
      assert(callbacks:unload())
      print "well"
    ]], "GOGC=1 GODEBUG=gccheckmark=1,clobberfree=1,invalidptr=1")
    assert.equal(0, status, errors)
    assert.equal("well\n", output)
  end)
end)
