-- The proof of unloads against the truth, some hundred times (spec/bench/truth.lua): `make soak-unload` for 100,000.
-- Another number, or others: TRUTH_UNLOADS=3000 TRUTH_SEED=7
local support = require "spec.support"

describe("random graphs of what holds modules, with unloads in the middle of them from three threads", function()
  local unloads, seed = os.getenv "TRUTH_UNLOADS" or "100", os.getenv "TRUTH_SEED" or tostring(os.time())

  for how, environment in pairs {
    ["with Go stopped"] = "GOLOADER_UNLOAD=stopped",
    ["in copies of the process"] = "GOLOADER_UNLOAD=snapshot",
    ["with the collector looking closely"] = "GOGC=1 GODEBUG=gccheckmark=1,clobberfree=1,invalidptr=1",
  } do
    it("take no module that something has, and every reason is there, " .. how, function()
      local status, out, errors = support.run(
        { "luajit", "spec/env.lua", "spec/bench/truth.lua", unloads, seed }, environment)
      assert.equal(0, status, errors:sub(1, 6000))
      local n, threads = 0, 0
      for done in out:gmatch "thread %d: (%d+) unloads" do n, threads = n + tonumber(done), threads + 1 end
      assert.equal(3, threads)
      assert.is_true(n >= tonumber(unloads))
    end)
  end
end)
