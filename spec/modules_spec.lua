-- host:modules(): what is loaded, what of it is to go, and why it can't; unloads that nobody waits for.
local goloader = require "goloader"
local support = require "spec.support"

describe("the modules of a process", function()
  local host, shop

  setup(function() host = support.host() end)
  before_each(function() shop = assert(host:build "spec/testdata/shop/shop.go") end)

  after_each(function()
    if shop:is_loaded() then
      pcall(shop.Release)
      assert.is_true(support.eventually(function() return not shop:is_loaded() or shop:unload() end))
    end
  end)

  teardown(support.clean)

  local function entry_of(module)
    local found
    for _, entry in ipairs(host:modules()) do
      if entry.module == module then
        assert.is_nil(found, "listed twice")
        found = entry
      end
    end
    return found
  end

  it("are listed with name, origin, time, memory and the roads that calls take", function()
    assert(shop.Add(1, 2) and shop.Greet "x" and shop.Render())
    local entry = entry_of(shop)
    assert.equal("shop", entry.name)
    assert.equal("spec/testdata/shop/shop.go", entry.path)
    assert.is_true(math.abs(os.time() - entry.since) < 60)
    assert.equal(shop:stats().bytes, entry.bytes)
    assert.same({ Add = shop.Add:road(), Greet = shop.Greet:road(), Render = shop.Render:road() }, entry.roads)
    assert.is_false(entry.leaving)
    assert.is_nil(entry.refusal)
  end)

  it("come in the order of their loads, and are gone when they are unloaded", function()
    local other = assert(host:build "spec/testdata/held/held.go")
    local list = host:modules()
    assert.equal(other, list[#list].module)
    assert.is_true(list[#list].number > entry_of(shop).number)
    assert(other:unload())
    assert.is_nil(entry_of(other))
  end)

  it("are not packages of the process, which can't be unloaded", function()
    local before = #host:modules()
    assert.is_truthy(host:std "container/ring".New)
    assert.equal(before, #host:modules())
    assert.is_nil(entry_of(host:std "container/ring"))
  end)

  it("are each other's users", function()
    local base = assert(host:build "spec/testdata/uses/base")
    local mid = assert(host:build("spec/testdata/uses/mid", { uses = { base } }))
    assert.equal(1, entry_of(base).users)
    assert(mid:unload())
    assert.equal(0, entry_of(base).users)
    assert(base:unload())
  end)

  it("are listed when Lua has forgotten them", function()
    local forgotten = assert(host:build "spec/testdata/held/held.go")
    local number = entry_of(forgotten).number
    forgotten = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    local found
    for _, entry in ipairs(host:modules()) do found = found or entry.number == number and entry end
    assert.equal("held", found.name)
    assert.is_nil(found.module)
    assert.is_nil(found.path)
  end)

  it("tell why an unload was refused last, and how often", function()
    shop.Block()
    local _, message = shop:unload()
    shop:unload()
    local entry = entry_of(shop)
    assert.equal(message:match "^[^\n]*", entry.refusal.message:match "^[^\n]*")
    assert.equal("goroutine", entry.refusal.path[1].kind)
    assert.equal(2, entry.refused)
    assert.is_true(math.abs(os.time() - entry.refused_at) < 60)
    assert.is_false(entry.leaving)
  end)

  it("have instances of generic functions with them", function()
    local generics = assert(host:build "spec/testdata/generics/generics.go")
    local before = #host:modules()
    assert(generics["Max[int]"](1, 2))
    assert.equal(before, #host:modules())
    assert(generics:unload())
  end)

  describe("that are to go in the background", function()
    it("go at once when nothing keeps them", function()
      assert.is_true((shop:unload { background = true }))
      assert.is_false(shop:is_loaded())
    end)

    it("go when they can, within goloader.step; till then no call is let in", function()
      shop.Spin(300)
      local ok, message, err = shop:unload { background = true }
      assert.is_nil(ok)
      assert.equal("busy", err.code)
      assert.equal(message, err.message)
      assert.has_error(function() shop.Add(1, 2) end)
      local entry = entry_of(shop)
      assert.is_true(entry.leaving)
      assert.equal("busy", entry.refusal.code)
      assert.is_true(support.eventually(function()
        goloader.step(0.05)
        return not shop:is_loaded()
      end))
      assert.is_nil(entry_of(shop))
    end)

    it("go when host:tidy is called, and stay given up though others ask for them", function()
      shop.Spin(300)
      assert.is_nil((shop:unload { background = true }))
      assert.is_nil((shop:unload { background = true }))
      assert.is_nil((shop:unload()))
      assert.has_error(function() shop.Add(1, 2) end)
      assert.equal(1, host:tidy())
      assert.is_true(support.eventually(function() return host:tidy() == 0 end))
      assert.is_false(shop:is_loaded())
    end)

    it("may be waited for first", function()
      shop.Spin(100)
      assert.is_true((shop:unload { background = true, wait = 30 }))
    end)
  end)

  it("that were replaced are to go as well", function()
    local held = shop:new("Product", { Name = "lamp" })
    local old = entry_of(shop).number
    assert(host:replace(shop, "spec/testdata/shop/shop.go"))
    local found
    for _, entry in ipairs(host:modules()) do found = found or entry.number == old and entry end
    assert.is_true(found.leaving)
    assert.equal("handle", found.refusal.path[1].kind)
    assert.is_false(entry_of(shop).leaving)
    held:release()
    assert.is_true(support.eventually(function() return host:tidy() == 0 end))
  end)
end)
