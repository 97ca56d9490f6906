-- Values of types that nobody has thought of: spec/bench/types.lua.
local support = require "spec.support"

describe("values of random types", function()
  it("are the same in Go and in Lua, by every way there and back", function()
    local status, out, errors = support.run { support.interpreter, "spec/env.lua", "spec/bench/types.lua", "4", "1" }
    assert.equal(0, status, out .. errors)
    assert.matches("^[1-9]%d* packages, [1-9]%d* calls: 0 with differences\n$", out)
  end)
end)
