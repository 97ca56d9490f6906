local cache = require "goloader.routes.cache"

describe("a duration", function()
  it("is a number of seconds or a text with units", function()
    assert.equal(30, cache.duration(30))
    assert.equal(30, cache.duration("30s"))
    assert.equal(0.25, cache.duration("250ms"))
    assert.equal(90, cache.duration("1.5m"))
    assert.equal(5400, cache.duration("1h30m"))
    assert.equal(172800, cache.duration("2d"))
  end)

  for _, wrong in ipairs { "", "30", "s", "30 s", "30x", "1h30", "-5s", "0s", "1.2.3s", 0, -1, true } do
    it(("is not %s"):format(type(wrong) == "string" and ("%q"):format(wrong) or tostring(wrong)), function()
      assert.error_matches(function() cache.duration(wrong) end, "is not a duration")
    end)
  end
end)

describe("a cache", function()
  local now
  local function clock() return now end
  local function new(options)
    options.clock = clock
    return cache.new(options)
  end

  before_each(function() now = 100 end)

  it("gives back what it was given", function()
    local c = new {}
    assert.is_nil(c:get("a"))
    assert.is_true(c:set("a", 1))
    assert.equal(1, c:get("a"))
    c:set("a", false)
    assert.is_false(c:get("a"))
  end)

  it("forgets an entry when its time is over, not before", function()
    local c = new { ttl = "30s" }
    c:set("a", 1)
    now = 129.9
    assert.equal(1, c:get("a"))
    now = 130
    assert.is_nil(c:get("a"))
    assert.equal(0, c:stats().entries)
    assert.equal(1, c:stats().expired)
  end)

  it("lets an entry have its own time", function()
    local c = new { ttl = "30s" }
    c:set("short", 1, { ttl = "1s" })
    c:set("long", 2, { ttl = "1h" })
    now = 102
    assert.is_nil(c:get("short"))
    now = 1000
    assert.equal(2, c:get("long"))
  end)

  it("starts an entry's time again when it is set again", function()
    local c = new { ttl = 10 }
    c:set("a", 1)
    now = 108
    c:set("a", 2)
    now = 115
    assert.equal(2, c:get("a"))
    assert.equal(1, c:stats().entries)
  end)

  it("drops the entry not asked for the longest when it is full", function()
    local c = new { size = 3 }
    c:set("a", 1)
    c:set("b", 2)
    c:set("c", 3)
    c:get("a")
    c:set("d", 4)
    assert.is_nil(c:get("b"))
    assert.same({ 1, 3, 4 }, { c:get("a"), c:get("c"), c:get("d") })
    assert.equal(1, c:stats().evicted)
    assert.equal(3, c:stats().entries)
  end)

  it("works with room for a single entry", function()
    local c = new { size = 1 }
    for i = 1, 5 do
      c:set(i, i)
      assert.equal(i, c:get(i))
    end
    assert.equal(1, c:stats().entries)
    assert.equal(4, c:stats().evicted)
  end)

  it("keeps within its bytes", function()
    local c = new { bytes = 10 }
    c:set("a", "12345")
    c:set("b", "1234")
    assert.equal(9, c:stats().bytes)
    c:set("c", "12")
    assert.is_nil(c:get("a"))
    assert.equal(6, c:stats().bytes)
    c:set("d", {}, { cost = 10 })
    assert.equal(1, c:stats().entries)
    assert.equal(10, c:stats().bytes)
  end)

  it("does not keep what can never fit, nor what stood there before", function()
    local c = new { bytes = 10 }
    c:set("a", "old")
    assert.is_false(c:set("a", ("x"):rep(11)))
    assert.is_nil(c:get("a"))
    assert.equal(0, c:stats().bytes)
  end)

  it("drops the entries of a tag, and only those", function()
    local c = new {}
    local one, two = {}, {}
    c:set("a", 1, { tags = { one } })
    c:set("b", 2, { tags = { one, two } })
    c:set("c", 3, { tags = { two } })
    c:set("d", 4)
    assert.equal(2, c:invalidate(one))
    assert.is_nil(c:get("a"))
    assert.is_nil(c:get("b"))
    assert.equal(3, c:get("c"))
    assert.equal(4, c:get("d"))
    assert.equal(0, c:invalidate(one))
    assert.equal(2, c:stats().invalidated)
  end)

  it("deletes one entry, or all", function()
    local c = new {}
    c:set("a", 1)
    c:set("b", 2)
    assert.is_true(c:delete("a"))
    assert.is_false(c:delete("a"))
    assert.equal(2, c:get("b"))
    c:clear()
    assert.is_nil(c:get("b"))
    c:set("c", 3)
    assert.equal(3, c:get("c"))
    assert.equal(1, c:stats().entries)
  end)

  it("counts hits and misses", function()
    local c = new {}
    c:get("a")
    c:set("a", 1)
    c:get("a")
    c:get("a")
    assert.equal(2, c:stats().hits)
    assert.equal(1, c:stats().misses)
  end)

  it("agrees with a plain model over many random steps", function()
    local c, model, order = new { size = 8, ttl = 50 }, {}, {}
    local function touch(key)
      for i, k in ipairs(order) do
        if k == key then
          table.remove(order, i)
          break
        end
      end
      table.insert(order, 1, key)
    end
    local function forget(key)
      model[key] = nil
      for i, k in ipairs(order) do
        if k == key then
          table.remove(order, i)
          break
        end
      end
    end
    local seed = 1
    local function random(n)
      seed = (seed * 48271) % 2147483647
      return seed % n + 1
    end
    for step = 1, 20000 do
      local key, what = random(20), random(10)
      now = now + random(3)
      if what <= 5 then
        local kept = model[key]
        if kept and kept.expires <= now then
          forget(key)
          kept = nil
        end
        if kept then touch(key) end
        assert.equal(kept and kept.value, c:get(key), "step " .. step)
      elseif what <= 9 then
        forget(key)
        model[key] = { value = step, expires = now + 50 }
        touch(key)
        c:set(key, step)
        if #order > 8 then forget(order[#order]) end
      else
        assert.equal(model[key] ~= nil, c:delete(key))
        forget(key)
      end
      assert.equal(#order, c:stats().entries)
    end
  end)

  it("refuses options that make no sense", function()
    assert.error_matches(function() cache.new { size = 0 } end, "size must be a whole number")
    assert.error_matches(function() cache.new { size = 1.5 } end, "size must be a whole number")
    assert.error_matches(function() cache.new { bytes = "1k" } end, "bytes must be a whole number")
    assert.error_matches(function() cache.new { ttl = "soon" } end, "is not a duration")
    assert.error_matches(function() cache.new():set("a", nil) end, "needs a key and a value")
  end)
end)
