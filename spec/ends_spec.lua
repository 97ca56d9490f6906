-- Calls that end in odd ways, and what is called on the wrong thing.
local goloader = require "goloader"
local support = require "spec.support"

local ends

setup(function() ends = assert(support.host():build "spec/testdata/ends/ends.go") end)

teardown(function()
  assert(ends:unload())
  support.clean()
end)

local raised, refuses = support.raised, support.raises

describe("runtime.Goexit", function()
  it("gives way to a panic in what it runs", function()
    for _ = 1, 3 do
      refuses("^panic: in defer", ends.ExitPanicking)
      refuses("^panic: grown", ends.ExitDeep)
      refuses("^panic: too large", ends.Small, 5)
      assert.equal(2, ends.Small(2))
      assert.equal("lua", raised(ends.ExitThen, function() error("lua", 0) end))
    end
    refuses("^panic: in defer", function() ends.ExitPanicking:async():wait() end)
    refuses("^panic: too large", function() ends.Small:map { 1, 5 } end)
  end)

  it("is an error where a variable's own method calls it", function()
    refuses("Leaving: the function called runtime.Goexit", function() return ends.Leaving end)
  end)

  it("goes on after one that is recovered", function()
    refuses("ExitRecovering: the function called runtime.Goexit", ends.ExitRecovering)
  end)

  it("may be called while it or a panic is under way", function()
    refuses("ExitTwice: the function called runtime.Goexit", ends.ExitTwice)
    refuses("PanicExiting: the function called runtime.Goexit", ends.PanicExiting)
  end)

  it("is of one call: those made while it runs end by themselves", function()
    for _, inner in ipairs { "Exit", "ExitPanicking", "ExitRecovering", "ExitTwice", "ExitDeep" } do
      local called = false
      refuses("ExitThen: the function called runtime.Goexit", ends.ExitThen, function()
        called = true
        raised(ends[inner])
        refuses("^panic: too large", ends.Small, 4)
      end)
      assert.is_true(called)
    end
  end)
end)

describe("a Lua function that Go calls", function()
  it("may give an error with its results", function()
    local parts = { "ab", "cd" }
    assert.equal("abcd", ends.ReadAll(function()
      local part = table.remove(parts, 1)
      return part, #parts == 0 and ends.EOF or nil
    end))
    assert.equal("why", select(2, ends.ReadAll(function() return "some", "why" end)).message)
    refuses("result 2 of the Lua function passed as 'read': error expected", ends.ReadAll,
      function() return "some", 5 end)
  end)
end)

describe("a type that is compared by code of its own", function()
  it("is made by its name", function()
    local key = ends:new("Key", { Number = 1, Name = "a" })
    assert.equal("*ends.Key", key:type())
    assert.equal(7, ends.Find({ [{ Number = 1, Name = "a" }] = 7 }, key))
  end)
end)

describe("a handle of a type that another module has too", function()
  it("is told from its own", function()
    local again = assert(support.host():build "spec/testdata/ends/ends.go")
    refuses("%*ends.Node expected, got a handle of %*ends.Node of another module", again.Length, ends:new "Node")
    assert(again:unload())
  end)
end)

describe("a variable that keeps a value of another module", function()
  it("is named with its module where that can't be unloaded", function()
    local other = assert(support.host():load(support.compile("package other\ntype T struct{ N int }\n" ..
      "func New() *T { return &T{} }\nfunc (t *T) Get() int { return t.N }\n", "other")))
    ends.Keep(other.New())
    collectgarbage()
    collectgarbage()
    local ok, _, err = other:unload()
    assert.is_nil(ok)
    assert.matches("variable ends.Kept of module ends refers to type:%*other.T", err.message)
    ends.Keep(nil)
    assert(other:unload())
  end)
end)

describe("a sequence", function()
  it("has no elements that would be lost", function()
    assert.equal(6, ends.Sum { 1, 2, 3 })
    assert.equal(6, ends.Sum { [3] = 3, [1] = 1, [2] = 2 })
    assert.equal(0, ends.Sum {})
    for _, odd in ipairs { { [0] = 1, 2 }, { [1] = 1, [3] = 3 }, { [3] = 3, [1] = 1 }, { [0] = 1 }, { 1, x = 2 },
      { [-1] = 1, 2 }, { [1.5] = 1, 2 }, { 1, nil, 3 } } do
      refuses("parameter 'numbers'", ends.Sum, odd)
    end
  end)
end)

describe("what is called with a dot", function()
  it("says that it is no method of what it was given", function()
    local host, job = support.host(), ends.Fine:async(1)
    for _, method in ipairs { "road", "map", "each", "explain" } do
      for _, wrong in ipairs { 1, "x", host, {} } do
        refuses("a function of a module expected", ends.Fine[method], wrong)
      end
      refuses("a function of a module expected", ends.Fine[method])
    end
    refuses("fn:road: a function of a module expected, got number", ends.Fine.road, 1, "capi")
    assert.is_nil(debug.getmetatable(1))
    for _, method in ipairs { "keep", "async", "stats" } do
      refuses("a function of a module expected", ends.Fine[method], 1)
    end
    for _, method in ipairs { "wait", "on_done" } do
      refuses("job:" .. method .. ": a job expected, got nil", job[method])
      refuses("job:" .. method .. ": a job expected, got table", job[method], {})
    end
    for _, method in ipairs { "done", "cancel" } do
      refuses("a job expected", job[method])
    end
    for _, method in ipairs { "info", "stats", "toolchain", "add_archive", "policy", "load", "build", "ship" } do
      refuses(method .. ": no host to call it on", host[method])
      refuses(method .. ": no host to call it on", host[method], {})
    end
    refuses("module:ref: a variable's name expected, got nil", function() ends:ref() end)
    assert.equal(1, job:wait())
  end)
end)

describe("a timeout", function()
  it("is a number, or a text with its unit", function()
    local job = ends.Fine:async(1)
    local wanted = ': seconds, or a text such as "30s", expected, got '
    refuses("goloader.step" .. wanted .. "nan", goloader.step, 0 / 0)
    refuses("goloader.step" .. wanted .. "table", goloader.step, {})
    refuses('goloader.step: "1" is not a duration such as "250ms"', goloader.step, "1")
    refuses("job:wait" .. wanted .. "nan", job.wait, job, 0 / 0)
    assert.equal(1, job:wait(1 / 0))
    refuses("job:wait" .. wanted .. "table", job.wait, job, {})
    assert.equal(1, job:wait "1s")
  end)

  it("without an end ends where nothing is under way", function()
    ends.Fine:async(1):wait()
    goloader.step()
    assert.equal(0, goloader.step(-1))
  end)
end)

describe("closing the Lua state", function()
  -- A finalizer that runs before all others, and one that runs after them.
  local program = [[
    local last = newproxy and newproxy(true) or setmetatable({}, {})
    if not newproxy then setmetatable(last, { __gc = function() AtEnd() end }) end
    local goloader = require "goloader"
    local host = assert(goloader.host())
    local ends = assert(host:build "spec/testdata/ends/ends.go")
    local small, job, key = ends.Small, ends.Fine:async(1), ends:new "Key"
    local door = ends:new "Door"
    local name = door.Name
    for _ = 1, 100 do name(door) door:Call "n" door.Open = not door.Open door.Room = "room" .. #door.Room end
    for _ = 1, 2 do ends.Fine(1) ends.Twice(2) end
    job:wait()
    function AtEnd()
      for _, f in ipairs {
        function() return ends.Fine(1) end, function() return ends.Twice(2) end, function() return small(1) end,
        function() return ends.Fine:map { 1, 2 } end, function() return ends.Twice:map { 1, 2 } end,
        function() return small:road "ffi" end, function() return ends:new "Key" end, function() return key.Name end,
        function() return door:Name() end, function() return name(door) end, function() return door:Call "m" end,
        function() return door.Open end, function() door.Open = true end, function() door.Room = "r" end,
        function() return door:copy() end, function() return door:keep "Name" end,
        function() return job:wait() end, function() return ends.Fine:async(1) end,
        function() return goloader.step() end, function() return host:stats() end, function() return host:info() end,
        function() return ends.ExitThen(function() end) end, function() return ends:unload() end,
        function() return tostring(small) end, function() return ends:exports() end,
      } do
        local ok, err = pcall(f)
        if not ok and not (tostring(err):match "the Lua state is being closed" or tostring(err):match "was unloaded"
          or tostring(err):match "was released" or tostring(err):match "runtime.Goexit") then print(err) end
      end
      print "done"
    end
    if newproxy then getmetatable(last).__gc = AtEnd end
    local first = newproxy and newproxy(true) or setmetatable({}, { __gc = function() AtEnd() end })
    if newproxy then getmetatable(first).__gc = AtEnd end
    Both = { last, first }
  ]]

  it("leaves finalizers nothing that crashes", function()
    for _ = 1, 3 do
      local status, output, errors = support.lua(program)
      assert.equal("done\ndone\n", output)
      assert.equal("", errors)
      assert.equal(0, status)
    end
  end)
end)
