-- Swaps amidst calls, for some seconds (spec/bench/swaps.lua): `make soak-swaps SECONDS=3600` for an hour.
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
