-- What the system, or the C library, refuses: each call of ours for memory, mappings, files and threads, over a load, a
-- shipped module's load, a shipping, an unload, a replacement, and a call of each road. It fails and says so, nothing
-- is lost (memory, mappings, address space, descriptors, modules, handles), and the next one works.
local support = require "spec.support"

teardown(support.clean)

describe("what is refused to the library", function()
  it("is told, and nothing is lost by it", function()
    local library = support.tmpdir() .. "/refused.so"
    local status, _, errors = support.run { "cc", "-shared", "-fPIC", "-O1", "-o", library, "spec/testdata/refused.c" }
    assert.equal(0, status, errors)
    local out
    status, out, errors = support.run({ "luajit", "spec/env.lua", "spec/testdata/refused/refused.lua" },
      "LD_PRELOAD=" .. library)
    local refused = {}
    for line in out:gmatch "[^\n]+" do
      local name, n = line:match "^done\t(.+)\t(%d+)$"
      if name then
        refused[name] = tonumber(n)
      elseif line ~= "end" then
        assert.equal("", line)
      end
    end
    assert.matches("\nend\n$", out, errors)
    assert.equal(0, status, errors)
    for name, least in pairs { load = 150, ["load of a shipped module"] = 150, ["load beside Lua"] = 150, ship = 150,
      unload = 3, replace = 150, ["a pure call"] = 20, ["an ffi call"] = 5, ["a job"] = 5, ["a Lua function"] = 5 } do
      assert.is_true(refused[name] >= least, ("%s: %d calls were refused"):format(name, refused[name]))
    end
  end)
end)
