-- What a module takes it gives back; while something needs it, it stays.
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
    local ok, err = shop:unload()
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
    local ok, err = shop:unload()
    assert.is_nil(ok)
    assert.equal("busy", err.code)
    assert.matches("shop%.spinHere", err.message)
    assert.is_true(support.eventually(function() return shop:unload() end))
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
    local function round()
      local shop = assert(host:load(object))
      assert(shop.Render() == "cable 4.99\ncase 12.50\nphone 199.00\n")
      assert(shop:unload())
    end
    local function mappings()
      local n = 0
      for _ in support.read "/proc/self/maps":gmatch "\n" do n = n + 1 end
      return n
    end
    for _ = 1, 1000 do round() end
    collectgarbage()
    local stats, rss, maps = host:stats(), support.rss(), mappings()
    for _ = 1, 9000 do round() end
    collectgarbage()
    local now = host:stats()
    assert.equal(stats.modules, now.modules)
    assert.equal(stats.bytes, now.bytes)
    assert.equal(stats.moduledatas, now.moduledatas)
    -- the garbage collectors breathe; a leak of one page a round would be 36 MB
    local grown = (support.rss() - rss) / 1e6
    assert.is_true(grown < 8, ("resident memory grew by %.1f MB"):format(grown))
    assert.is_true(mappings() <= maps + 8, ("%d mappings, %d before"):format(mappings(), maps))
  end)
end)
