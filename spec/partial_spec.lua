-- What a function returns beside its error: Lua gets nil and the error, and the rest is in err.results; by each road,
-- and the same on all.
local support = require "spec.support"

local unpack = rawget(table, "unpack") or unpack
local partial

setup(function()
  partial = assert(support.host():load(support.compile("spec/testdata/partial/partial.go", "partial")))
end)

teardown(function()
  assert(partial:unload())
  support.clean()
end)

-- Calls: name, arguments, results beside the error (false: err.results is not there). Without an error, the last
-- argument is 0.
local calls = {
  { "Only", { 1 }, false, returns = { true } },
  { "Number", { 7 }, { 7 }, returns = { 0 } },
  { "Float", { 3 }, { 1.5 }, returns = { 0 } },
  { "Bool", { 1 }, false, returns = { false } },
  { "Bool", { 2 }, { true }, returns = { false } },
  { "Text", { "half", 1 }, { "half" }, returns = { "half" } },
  { "Text", { "", 1 }, false, returns = { "" } },
  { "Text", { ("long"):rep(50000), 1 }, { ("long"):rep(50000) }, returns = { ("long"):rep(50000) } },
  { "Bytes", { "\0\255", 1 }, { "\0\255" }, returns = { "\0\255" } },
  { "Three", { "s", 2 }, { 2, "s", 0.5 }, returns = { 0, "s", 0.5 } },
  { "Nothing", { 1 }, false, returns = { 0, "", {}, {}, nil, nil } },
  { "List", { 2 }, { { "a", "b" } }, returns = { {} } },
  { "Struct", { "x", 1 }, { { Name = "x" } }, returns = { { Name = "x" } } },
  { "Apart", { 1 }, { nil, "A" }, returns = { nil, "A" } },
  { "Counted", { 1 }, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }, returns = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 } },
}

local function is_half(err, results)
  assert.equal("half of it", err.message)
  assert.same(results or nil, err.results)
end

describe("what a function returns beside its error", function()
  for _, call in ipairs(calls) do
    local name, args, results = call[1], call[2], call[3]
    local n = #args
    local without = { unpack(args, 1, n - 1) }
    without[n] = 0

    for _, road in ipairs { "capi", "ffi" } do
      it(("is in err.results: %s(%s) by the road %s"):format(name, tostring(args[1]):sub(1, 8), road), function()
        local fn = partial[name]
        fn:road(road)
        for _ = 1, 100 do
          local function check(...)
            assert.equal(2, select("#", ...))
            local none, err = ...
            assert.is_nil(none)
            is_half(err, results)
          end
          check(fn(unpack(args)))
          assert.same(call.returns, { fn(unpack(without)) })
        end
      end)
    end

    it(("is in err.results: %s(%s) of a job, of calls at once, and of what stays in Go"):format(name,
      tostring(args[1]):sub(1, 8)), function()
      local fn = partial[name]
      local none, err = fn:async(unpack(args)):wait()
      assert.is_nil(none)
      is_half(err, results)
      local arrays = {}
      for i = 1, n do arrays[i] = { without[i], args[i], without[i] } end
      none, err = fn:map(unpack(arrays))
      assert.is_nil(none)
      is_half(err, results)
      assert.equal(2, err.index)
      none, err = fn:keep(unpack(args))
      assert.is_nil(none)
      assert.equal("half of it", err.message)
      if results then assert.is_not_nil(err.results) end -- some of them are handles
    end)
  end

  it("may be more than Lua has room for without being asked", function()
    local names, values, sums = {}, {}, {}
    for i = 1, 200 do names[i], values[i], sums[i] = "r" .. i, i, i end
    local module = assert(support.host():load(support.compile(([[
package many

import "errors"

func Many(n int) (%s int, err error) { return %s, errors.New("too many") }
]]):format(table.concat(names, ", "), table.concat(values, ", ")), "many")))
    for _, how in ipairs { "call", "map", "async" } do
      local _, err
      if how == "call" then
        _, err = module.Many(1)
      elseif how == "map" then
        _, err = module.Many:map { 1, 2 }
      else
        _, err = module.Many:async(1):wait()
      end
      assert.equal("too many", err.message)
      assert.same(sums, err.results)
    end
    assert(module:unload())
  end)

  it("is a number that Lua's can't hold, too", function()
    for _, road in ipairs { "capi", "ffi" } do
      partial.Big:road(road)
      local none, err = partial.Big(3)
      assert.is_nil(none)
      assert.equal("3458764513820540928", (tostring(err.results[1]):gsub("[UL]+$", "")))
    end
  end)

  it("is a handle, which holds its module as long as the error is there", function()
    local module = assert(support.host():load(support.compile("spec/testdata/partial/partial.go", "partial")))
    local none, err = module.Handle(5)
    assert.is_nil(none)
    assert.equal(5, err.results[1]:Get())
    local gone, why = module:unload()
    assert.is_nil(gone)
    assert.matches("partial.Counter", why)
    local list
    list, err = module.List:keep(2)
    assert.is_nil(list)
    assert.equal("b", err.results[1][2])
    list, err = nil, nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert(module:unload())
  end)

  it("is a method's, by each road", function()
    local counter = partial.Handle(0)
    for _ = 1, 100 do
      local _, err = counter:Add(1)
      is_half(err, { counter:Get() })
    end
    assert.equal(100, counter:Get())
  end)

  it("is what a command has written before it failed", function()
    assert.equal("out\n", partial.Output "echo out")
    local none, err = partial.Output "echo out; echo err >&2; exit 3"
    assert.is_nil(none)
    assert.equal("exit status 3", err.message)
    assert.same({ "out\nerr\n" }, err.results)
    assert.is_nil(select(2, partial.Output "exit 1").results)
  end)

  it("is what was read before the end", function()
    local reader = partial.Reader "one\ntwo"
    assert.equal("one\n", reader:ReadString(10))
    local none, err = reader:ReadString(10)
    assert.is_nil(none)
    assert.equal("EOF", err.message)
    assert.same({ "two" }, err.results)
    reader:release()
  end)
end)
