-- Handles and the life of modules; what a handle does is in values_spec.lua.
local support = require "spec.support"

local host, object

setup(function()
  host = support.host()
  object = support.compile("spec/testdata/handles/handles.go", "handles")
end)
teardown(support.clean)

local function load() return assert(host:load(object)) end

describe("a module of which Lua holds a handle", function()
  local function stays(module, type_name)
    local ok, _, err = module:unload()
    assert.is_nil(ok)
    assert.equal("busy", err.code)
    assert.equal("module handles can't be unloaded: Lua holds a handle of " .. type_name, err.message)
    assert.is_true(module:is_loaded())
  end

  it("stays, and the handle's type is the reason", function()
    local module = load()
    local list = module.Any:keep { module.New "in a list" }
    for type_name, held in pairs {
      ["*handles.Counter"] = module.New "c", ["handles.Box"] = module.New "c".Box, ["*[]string"] = module:ref "Names",
      ["map[handles.Point]string"] = module.Points(), ["func(int) int"] = module.Adder(1), ["[]interface {}"] = list,
      ["struct { A interface {} }"] = module.Item:keep "x",
    } do
      local other = load() -- where it is the only one
      assert(other:unload())
      assert.equal(type_name, held:type())
      if held ~= list then held:release() end
    end
    stays(module, "[]interface {}")
    assert.equal("in a list", list[1].Name)
    list:release()
    local limit = module:ref "Limit"
    stays(module, "*int8")
    limit:release()
    local counter = module.New "c"
    counter:Add(3)
    stays(module, "*handles.Counter")
    assert.equal(3, counter:Get())
    counter:release()
    assert(module:unload())
  end)

  it("goes when Lua has no use for it, whether Lua has found that out or not", function()
    local module = load()
    for i = 1, 200 do
      local counter = module.New("c" .. i)
      counter:Add(i)
      counter.Next = module.New "next"
    end
    local add = module.New("c").Add
    local function first(h)
      local next_point, iterator = h:pairs() -- which it leaves behind
      return next_point(iterator).X
    end
    assert.is_number(first(module.Points()))
    assert(module:unload())
    assert.equal("function", type(add))
  end)

  it("goes when the handles are released", function()
    local module = load()
    local a, b = module.New "a", module.Points()
    a:release()
    b:release()
    assert(module:unload())
    assert.equal("a handle that was released", tostring(a))
  end)

  it("goes all the same where they may be dropped", function()
    local module = load()
    local counter, points = module.New "c", module.Points()
    counter:Add(1)
    assert(module:unload { handles = "drop" })
    for _ = 1, 3 do -- other handles do not take their places
      local other = load()
      local new = other.New "new"
      assert.error_matches(function() return counter.Name end,
        "handle of %*handles%.Counter: its module was unloaded$")
      assert.error_matches(function() return #points end,
        "handle of map%[handles%.Point%]string: its module was unloaded$")
      assert.equal("new", new.Name)
      new:release()
      assert(other:unload())
    end
    assert.has_error(function() load():unload { handles = "burn" } end)
  end)

  it("says so before it is asked twice", function()
    local module = load()
    local counter = module.New "c"
    stays(module, "*handles.Counter")
    stays(module, "*handles.Counter")
    assert.equal(1, counter:Add(1))
    assert.equal("c1", module.Copy(counter))
    counter:release()
    assert(module:unload())
  end)
end)

describe("a handle", function()
  it("of a type that modules share is used in all of them, and outlives them", function()
    local one, other = load(), load()
    local buffer = one.Buffer "shared"
    assert(one:unload())
    assert.equal("shared", buffer:String())
    assert.equal("shared", other.ReadAll(buffer))
    assert.equal("", buffer:String())
    assert(other:unload())
    assert.equal(3, buffer:WriteString "new")
    assert.equal("new", buffer:String())
  end)

  it("of one module's type is no value of another's of the same name", function()
    local one, other = load(), load()
    local counter = one.New "c"
    assert.error_matches(function() other.Describe(counter) end,
      "%*handles%.Counter expected, got a handle of %*handles%.Counter")
    counter:release()
    assert(one:unload())
    assert(other:unload())
  end)

  it("keeps what it stands for alive", function()
    local module = load()
    local tags = module.New "kept".Tags
    local numbers = module.Numbers:keep(1000)
    for _ = 1, 20 do
      module.Numbers(10000)
      collectgarbage()
    end
    assert.equal("b", tags[2])
    assert.equal(998001, numbers[1000])
    tags:release()
    numbers:release()
    assert(module:unload())
  end)

  it("is given back when Lua has collected it, or before", function()
    local module = load()
    collectgarbage()
    collectgarbage()
    local before = host:stats().handles
    local counters = {}
    for i = 1, 100 do counters[i] = module.New "c" end
    assert.equal(before + 100, host:stats().handles)
    for i = 1, 50 do counters[i]:release() end
    assert.equal(before + 50, host:stats().handles)
    counters = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.equal(before, host:stats().handles)
    for _ = 1, 100 do module.Fail "zero" end
    collectgarbage()
    collectgarbage()
    assert.equal(before, host:stats().handles)
    assert(module:unload())
  end)

  it("lets Go's collector have its value as soon as it is released", function()
    local jobs = assert(host:load(support.compile("spec/testdata/jobs/jobs.go", "jobs")))
    local worker = jobs.CountedWorker()
    assert.equal(1, jobs.LiveWorkers())
    worker:release()
    local deadline = os.time() + 10
    while jobs.LiveWorkers() > 0 and os.time() < deadline do jobs.Sleep(0.001) end
    assert.equal(0, jobs.LiveWorkers())
    assert(jobs:unload())
  end)

  it("is found in a finalizer", function()
    local module = load()
    local said = {}
    for i = 1, 10 do
      local counter = module.New("c" .. i)
      support.finalized(function() said[#said + 1] = counter:Add(i) end)
    end
    collectgarbage()
    collectgarbage()
    assert.equal(10, #said)
    assert(module:unload())
  end)
end)

describe("an error table", function()
  it("does not hold the module that its error is of, and loses it", function()
    local module, other = load(), load()
    local _, own = module.Fail "problem"
    local _, wrapped = module.Fail "wrapped"
    local _, path = other.Fail "path"
    local _, same = other.Fail "path"
    assert.is_true(own:is(own))
    assert(module:unload())
    -- those of others are as they were
    assert.is_true(path:unwrap():is(same:unwrap()))
    assert.equal("open", path:as "*fs.PathError".Op)
    assert(other:unload())
    assert.same({ "problem 4", "*handles.Problem" }, { own.message, own.type })
    assert.is_nil(own:as "*handles.Problem")
    assert.is_nil(wrapped:unwrap())
    assert.is_false(own:is(path))
    module = load()
    local _, back = module.Back(own)
    assert.equal("problem 4", back.message)
    assert.is_false(module.IsZero(wrapped))
    assert(module:unload())
  end)
end)

describe("what the standard library returns", function()
  local std

  before_each(function()
    std = assert(host:load(support.compile("spec/testdata/stdvalues/stdvalues.go", "stdvalues")))
  end)
  after_each(function() assert(std:unload()) end)

  it("is used by its methods", function()
    local re = std.Re "a(b*)"
    assert.is_true(re:MatchString "xabb")
    assert.same({ "abb", "bb" }, re:FindStringSubmatch "xabb")
    assert.equal("AB ABB", re:ReplaceAllStringFunc("ab abb", string.upper))
    assert.equal("1267650600228229401496703205376", std.Big(0):Exp(std.Big(2), std.Big(100), nil):String())
    local words, scanner = {}, std.Scanner "a\nb"
    while scanner:Scan() do words[#words + 1] = scanner:Text() end
    assert.same({ "a", "b" }, words)
    local out = std.Buffer()
    assert.is_true(std.Template "{{.Name}} is {{.N}}":Execute(out, { Name = "x", N = 3 }))
    assert.equal("x is 3", out:String())
    local list, values = std.List(), {}
    list:PushBack(1)
    list:PushBack "x"
    local element = list:Front()
    while element do
      values[#values + 1] = element.Value
      element = element:Next()
    end
    assert.same({ 1, "x" }, values)
    local map, n = std.Map(), 0
    map:Store("a", 1)
    map:Range(function() n = n + 1 return true end)
    assert.equal(1, n)
    assert.same({ 1, true }, { map:Load "a" })
  end)

  it("is used by its fields", function()
    local url = std.URL "http://host:80/p?q=1&q=2"
    assert.same({ "host:80", "80", { "1", "2" } }, { url.Host, url:Port(), url:Query().q })
    assert.equal("http://host:80/p?q=1&q=2", tostring(url))
    assert.equal("string", type(std.Timer(1e6).C:recv(5)))
    local none, err = std.Open "/nonexistent"
    assert.is_nil(none)
    assert.equal("open", err:as "*fs.PathError".Op)
    local header = std.Header:keep()
    header:Add("B", "2")
    assert.same({ "2", "1", 2 }, { header:Get "B", header.A[1], #header })
    assert.is_nil(std.Context():Value "v")
  end)

  it("serves and asks for pages", function()
    local server, body = std.Server(), std.Buffer()
    local response = std.Client():Get(server.URL .. "/page")
    body:ReadFrom(response.Body)
    response.Body:Close()
    server:Close()
    assert.same({ 200, "/page", "hello" }, { response.StatusCode, response.Header:Get "X-Path", body:String() })
    assert.equal("GET 1", std.Handle(function(w, r) w:Write(r.Method .. " " .. r:FormValue "q") end))
    std.Client():CloseIdleConnections()
  end)
end)

-- What traces handles allocates itself, and must not lose sight of what is in use by that.
describe("1000 unloads that drop handles", function()
  it("drop them all", function()
    local modules, held = {}, {}
    for i = 1, 3 do modules[i] = load() end
    for round = 1, 1000 do
      local gone = round % 3 + 1
      for _ = 1, 20 do
        local i = math.random(40)
        held[i] = { of = math.random(3) }
        held[i].counter = modules[held[i].of].New(("c"):rep(i * 10))
      end
      assert(modules[gone]:unload { handles = "drop" })
      for i, h in pairs(held) do
        if h.of == gone then
          assert.error_matches(function() h.counter:Add(1) end, "its module was unloaded$")
          held[i] = nil
        else
          assert(h.counter:Add(1) > 0)
        end
      end
      modules[gone] = load()
    end
    for i = 1, 3 do assert(modules[i]:unload { handles = "drop" }) end
  end)
end)

describe("500 loads with handles, methods and errors", function()
  it("leave the process as it was", function()
    local known = support.runtime_modules()
    local first, rest = 0, 0
    for round = 1, 500 do
      local module = load()
      local counter = module.New "c"
      assert(counter:Add(3) == 3 and counter:Sum(1, 2, 3) == 6 and counter:Self() == counter)
      counter.Box.Width = 3
      assert(counter:copy().Box.Width == 3 and tostring(counter) == "counter c at 3")
      assert(module.Points()[{ X = 1, Y = 2 }] == "a")
      for _, v in module.Words:keep():pairs() do assert(v > 0) end
      assert(module.Adder(3)(4) == 7)
      local _, err = module.Fail "problem"
      assert(err:as "*handles.Problem":Error() == "problem 4")
      module:ref "Limit":set(3)
      module:new("Counter", { Name = "n" }):Add(1)
      assert(module.Show(module.Value "v") == "<counter v at 0>")
      assert(module.MakePair("k", 3):Swap("z", 1) == "k")
      assert(module:unload { handles = round % 2 == 0 and "drop" or nil } or counter:release() or module:unload())
      if round % 25 == 0 then
        collectgarbage()
        local rss = support.rss() / 1e6
        if round <= 200 then first = math.max(first, rss) else rest = math.max(rest, rss) end
      end
    end
    assert.is_true(support.runtime_modules() <= known + 2)
    assert.is_true(rest < first + 4, ("resident: %.1f MB, later %.1f MB"):format(first, rest))
  end)
end)

describe("an iterator", function()
  it("keeps nothing that it has given, though a trace keeps the iterator", function()
    local module = load()
    local function walk()
      for _ = 1, 300 do
        local n = 0
        for key, value in module.Points():pairs() do n = n + #value + (key and 1 or 0) end
        assert.equal(4, n)
      end
    end
    walk()
    collectgarbage()
    collectgarbage()
    assert.equal(0, host:stats().handles)
    assert(module:unload())
  end)
end)
