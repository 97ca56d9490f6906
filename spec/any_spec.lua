-- Every kind of package: each fixture in spec/testdata/any is one kind, and does what only that kind can.
local support = require "spec.support"

local any = "spec/testdata/any"

teardown(support.clean)

local function build(name, options)
  return assert(support.host():build(any .. "/" .. name, options))
end

describe("a shared package, brought bit by bit,", function()
  it("keeps variables that only its init functions and other variables know", function()
    local early = build "statics/early"
    assert.equal("v1.0.0 of registry", early.Version())
    local late = build "statics/late"
    assert.equal(8, late.Get "built in")
    late.Put("lamp", 3)
    assert.equal(3, late.Get "lamp")
    assert.same({ 1, 4 }, late.Lengths "four")
    assert(late:unload())
    assert(early:unload())
    late = build "statics/late"
    assert.equal(3, late.Get "lamp")
    assert(late:unload())
  end)
end)
