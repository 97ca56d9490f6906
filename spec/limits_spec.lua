-- Values of which Lua can't have a copy, for want of memory or of time: the call raises, and the value can stay in Go.
local support = require "spec.support"

local limits

setup(function() limits = assert(support.host():build "spec/testdata/limits/limits.go") end)

teardown(function()
  assert(limits:unload())
  support.clean()
end)

local message = support.raised

describe("a list of elements without a size", function()
  it("is copied while it is short", function()
    assert.equal(1000, #limits.Empty(1000))
    assert.equal(1000, limits.Take(limits.Empty(1000)))
  end)

  it("is an error when nobody could wait for its end", function()
    assert.matches("Empty: a result has a list of 1099511627776 elements of 0 bytes", message(limits.Empty, 2 ^ 40))
    for _, name in ipairs { "Array", "Nested", "Any", "InMap" } do
      assert.matches(name .. ": a result has a list of %d+ elements of 0 bytes", message(limits[name]))
    end
    assert.matches("Square: a result becomes more than %d+ tables", message(limits.Square))
  end)

  it("can stay in Go", function()
    local list = limits.Empty:keep(2 ^ 40)
    assert.equal(2 ^ 40, #list)
    assert.equal(2 ^ 40, limits.Take(list))
  end)
end)

describe("a variable without a size", function()
  it("is an export like others, as plugins have it for its methods", function()
    assert.same({}, limits.Plugin)
    local handle = limits:ref "Plugin"
    assert.equal("plugin", handle:Name())
    limits.Plugin = {}
  end)

  it("is an error when nobody could wait for the end of its copy", function()
    assert.matches("Wide: a result has a list of %d+ elements of 0 bytes", message(function() return limits.Wide end))
    assert.matches("Deep: a result becomes more than %d+ tables", message(function() return limits.Deep end))
  end)

  it("has a handle that holds its module", function()
    local module = assert(support.host():build "spec/testdata/limits/limits.go")
    local handle = module:ref "Plugin"
    local unloaded, reason = module:unload()
    assert.is_nil(unloaded)
    assert.matches("handle", reason)
    assert.equal("plugin", handle:Name())
    handle:release()
    assert(module:unload())
  end)
end)

describe("a value that shares its parts", function()
  it("is copied while the copy is small", function()
    local depth, node = 0, limits.Shared(10)
    while node do depth, node = depth + 1, node.Right end
    assert.equal(11, depth)
  end)

  it("is an error when it would become more tables than there is memory", function()
    assert.matches("Shared: a result becomes more than %d+ tables: are parts of it shared%?",
      message(limits.Shared, 40))
  end)
end)

if rawget(_G, "jit") then -- elsewhere nothing of Lua's runs while an argument is read
  describe("an error of Lua's while arguments are read", function()
    local function resident() return tonumber(support.read("/proc/self/status"):match "VmRSS:%s*(%d+)") / 1024 end

    -- Calls with a megabyte of arguments that were read before the error.
    local function fail(call)
      local list = {}
      for i = 1, 1000 do list[i] = ("x"):rep(1000) .. i end
      local number = require("ffi").new("int64_t", 7)
      for i = 1, 200 do
        debug.sethook(function()
          if not debug.getinfo(2, "S").source:find "int64" then return end
          debug.sethook()
          error "enough"
        end, "c")
        local ok, err = pcall(call, list, number)
        debug.sethook()
        assert(not ok and tostring(err):find "enough", tostring(err))
        if i % 10 == 0 then collectgarbage() end
      end
    end

    for name, call in pairs {
      ["a call"] = function(list, number) return limits.Both(list, number) end,
      ["a job"] = function(list, number) return limits.Both:async(list, number) end,
      ["many calls"] = function(list, number) return limits.Both:map({ list, list }, { 1, number }) end,
      ["a variable"] = function(list, number) limits.Stored = { List = list, Number = number } end,
      ["a field"] = function(list, number) limits.Held().Stored = { List = list, Number = number } end,
    } do
      it("leaves nothing of " .. name .. " behind", function()
        fail(call)
        local before = resident()
        fail(call)
        assert.is_true(resident() - before < 40, ("%.0f MB, then %.0f"):format(before, resident()))
      end)
    end
  end)
end
