-- Values of which Lua can't have a copy, for want of memory or of time: the call raises, and the value can stay in Go.
local support = require "spec.support"

local limits

setup(function() limits = assert(support.host():build "spec/testdata/limits/limits.go") end)

teardown(function()
  assert(limits:unload())
  support.clean()
end)

local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err
end

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
