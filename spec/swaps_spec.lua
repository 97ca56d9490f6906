-- Swaps amidst calls, for some seconds (spec/bench/swaps.lua, shared_swaps.lua): `make soak-swaps SECONDS=3600` for an
-- hour.
local support = require "spec.support"

describe("three Lua states of which each swaps its module again and again", function()
  it("get answers of the version that stands, or that stood when the call began, and of no two", function()
    local seconds = os.getenv "SWAPS_SECONDS" or "6"
    local status, out, errors = support.run { "luajit", "spec/env.lua", "spec/bench/swaps.lua", seconds }
    assert.equal(0, status, errors:sub(1, 6000))
    local threads = 0
    for calls, swaps in out:gmatch "thread %d: (%d+) calls, (%d+) swaps" do
      threads = threads + 1
      assert.is_true(tonumber(calls) > 0 and tonumber(swaps) > 0)
    end
    assert.equal(3, threads)
  end)
end)

describe("three Lua states of which each swaps the module of all", function()
  it("get answers of a version that may have stood while the call was made, and of no two", function()
    local seconds = os.getenv "SWAPS_SECONDS" or "6"
    local status, out, errors = support.run { "luajit", "spec/env.lua", "spec/bench/shared_swaps.lua", seconds }
    assert.equal(0, status, errors:sub(1, 6000))
    assert.equal("", errors)
    local threads, all = 0, 0
    for calls, swaps in out:gmatch "thread %d: (%d+) calls, (%d+) swaps" do
      threads, all = threads + 1, all + tonumber(swaps)
      assert.is_true(tonumber(calls) > 0)
    end
    assert.equal(3, threads)
    assert.is_true(all > 0)
  end)
end)
