-- Calls of every kind leave no memory behind: `make soak` for twenty seconds.
local support = require "spec.support"

teardown(support.clean)

describe("twenty seconds of mixed calls", function()
  for how, environment in pairs {
    ["as programs run"] = "",
    ["with Go's collector at its busiest, checking itself"] = "GOGC=1 GODEBUG=gccheckmark=1,clobberfree=1,invalidptr=1",
  } do
    it("leave resident memory as it was, " .. how, function()
      local status, out, errors = support.run(
        { "luajit", "spec/env.lua", "spec/bench/soak.lua", "1e12", "20" }, environment)
      assert.equal(0, status, out .. errors)
      assert.matches("at the end: flat\n$", out)
    end)
  end
end)

describe("two thousand cycles of load, call and unload", function()
  it("leave resident memory as it was", function()
    local status, out, errors = support.run { "luajit", "spec/env.lua", "spec/bench/cycles.lua", "2000" }
    assert.equal(0, status, out .. errors)
    assert.matches(": flat\n$", out)
  end)
end)
