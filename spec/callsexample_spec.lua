-- The example of calls prints what there is to see.
local support = require "spec.support"

describe("examples/calls", function()
  it("calls by every road, and carries what it says", function()
    local status, out, errors = support.run({ "luajit", "spec/env.lua", "examples/calls/main.lua" })
    assert.equal("", errors)
    assert.equal(0, status)
    assert.equal(table.concat({
      "Checksum\tpure", "Gross\tpure", "Tag\tffi", "Total\tpure", "Deliver\tcapi",
      "lamps\t24.5", 'shelf lamps: "ceiling": unknown item\ttrue', "desk", "10 5",
      "desk is here", "floor is here", "nil\tcontext deadline exceeded", "floor\t89", "",
    }, "\n"), out)
  end)
end)
