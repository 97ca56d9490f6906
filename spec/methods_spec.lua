-- Methods of handles can do what functions can: many calls in one crossing, jobs, results that stay in Go.
local support = require "spec.support"

local host = support.host()
local has_ffi, ffi = pcall(require, "ffi")

local raises = support.raises

teardown(support.clean)

describe("a method", function()
  local module, tally

  setup(function() module = assert(host:build "spec/testdata/methods") end)
  before_each(function() tally = module.New() end)
  teardown(function()
    tally = nil
    collectgarbage()
    collectgarbage()
    assert(module:unload())
  end)

  it("is mapped over an array, in one crossing", function()
    assert.same({ 1, 3, 6 }, tally:map("Add", { 1, 2, 3 }))
    assert.equal(6, tally.N)
    local words, numbers = tally:map("Note", { "a", "b" }, { 10, 20 })
    assert.same({ { "a", "b" }, { 10, 40 } }, { words, numbers })
    assert.same({ true, false, true }, module.Pattern("a+"):map("MatchString", { "a", "b", "ca" }))
    assert.same({ 4, 5 }, module.NewStep(3):map("From", { 1, 2 }))
    assert.same({}, tally:map("Add", {}))
  end)

  it("is called for each element of an array", function()
    assert.equal(3, tally:each("Add", { 1, 2, 3 }))
    assert.equal(6, tally.N)
  end)

  it("takes arrays of FFI", function()
    if not has_ffi then return end
    assert.same({ 1, 3, 6 }, tally:map("Add", ffi.new("int64_t[3]", 1, 2, 3)))
    assert.equal(3, tally:each("Add", ffi.new("int64_t[3]", 1, 2, 3)))
    assert.equal(12, tally.N)
  end)

  it("ends with the first error", function()
    local none, err = tally:map("Check", { 1, 2, -3, 4 })
    assert.is_nil(none)
    assert.same({ "negative", 3 }, { err.message, err.index })
  end)

  it("runs as a job", function()
    local job = tally:async("Sleep", 20)
    collectgarbage()
    assert.is_false(job:done())
    assert.equal("slept", job:wait())
    local none, err = tally:async("Check", -1):wait()
    assert.is_nil(none)
    assert.equal("negative", err.message)
    assert.equal(7, tally:async("Add", 7):wait())
    assert.equal(8, module.NewStep(3):async("From", 5):wait())
    local _, late = tally:async("Wait", 0.01):wait()
    assert.matches("deadline exceeded", late.message)
    raises("no good", function() tally:async("Fail"):wait() end)
  end)

  it("keeps its receiver, and its module, while its job runs", function()
    local job = module.New():async("Sleep", 200)
    collectgarbage()
    collectgarbage()
    local ok, _, err = module:unload()
    assert.is_nil(ok)
    assert.equal("busy", err.code)
    assert.equal("slept", job:wait())
  end)

  it("runs in many jobs at once", function()
    local jobs = {}
    for i = 1, 100 do jobs[i] = tally:async("Check", i) end
    for i = 1, 100 do assert.equal(i, (jobs[i]:wait())) end
  end)

  it("is refused what does not fit, by the parameter's number", function()
    raises("bad argument #1 to 'Add' %(%[2%]: int expected, got string", function() tally:map("Add", { 1, "x" }) end)
    raises("bad argument #2 to 'Note' %(.*1 elements, but 2", function() tally:map("Note", { "a", "b" }, { 1 }) end)
    raises("bad argument #2 to 'Note' %(.*an array of int expected, got nothing",
      function() tally:map("Note", { "a" }) end)
    raises("bad argument #2 to 'Add' %(too many", function() tally:each("Add", { 1 }, { 2 }) end)
    raises("Reset takes no arguments: there is nothing to map", function() tally:map "Reset" end)
    raises("bad argument #1 to 'Add' %(.*int expected, got string", function() tally:async("Add", "x") end)
    raises("bad argument #1 to 'Add' %(missing", function() tally:async "Add" end)
  end)

  it("is named, of a handle", function()
    for _, how in ipairs { "map", "each", "async", "keep" } do
      raises("%*tally%.Tally has no method 'Nope'", function() tally[how](tally, "Nope", { 1 }) end)
      raises("%*tally%.Tally has no method 'N'", function() tally[how](tally, "N", { 1 }) end)
      raises("a method's name expected, got table", function() tally[how](tally, { 1 }) end)
      raises("a handle expected", function() tally[how](1, "Add") end)
      raises("it was released", function()
        local gone = module.New()
        gone:release()
        gone[how](gone, "Add", { 1 })
      end)
    end
  end)
end)
