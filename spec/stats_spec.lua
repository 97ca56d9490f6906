-- What was called, how often Go was entered for it, and what was copied.
local goloader = require "goloader"
local support = require "spec.support"

local host, jobs

before_each(function()
  host = support.host()
  jobs = assert(host:build "spec/testdata/jobs/jobs.go")
  goloader.stats { reset = true }
end)
after_each(function() assert.is_true(support.eventually(function() return jobs:unload() end)) end)
teardown(support.clean)

-- Those of one export; nil where it was not used.
local function of(name)
  for _, export in ipairs(goloader.stats().exports) do
    if export.name == name then return export end
  end
end

describe("goloader.stats", function()
  it("counts calls, crossings and panics of each export", function()
    for i = 1, 10 do jobs.Repeat({ Name = "lamp" }, i) end
    for _ = 1, 3 do pcall(jobs.Panic, "no") end -- which the pure path tries, in vain
    local repeated, panicked = of "Repeat", of "Panic"
    assert.equal("jobs", repeated.module)
    assert.equal(10, repeated.calls)
    assert.equal(10, repeated.crossings)
    assert.equal(0, repeated.panics)
    assert.equal(3, panicked.calls)
    assert.equal(3, panicked.panics)
    assert.is_nil(of "Sleep")
  end)

  it("counts on every road", function()
    for _ = 1, 1000 do assert.equal(5, jobs.Add(2, 3)) end
    for _ = 1, 100 do assert.equal("hello you", jobs.Greet "you") end
    assert.equal(1000, of "Add".calls)
    assert.equal(100, of "Greet".calls)
    assert.is_true(of "Add".crossings <= 1000)
    assert.equal(100, of "Greet".crossings)
    assert.equal(1100, goloader.stats().calls)
  end)

  it("counts the bytes that are copied", function()
    local text = ("x"):rep(1000)
    for _ = 1, 10 do jobs.Greet(text) end
    local greet = of "Greet"
    assert.is_true(greet.bytes_in >= 10000 and greet.bytes_in < 11000, greet.bytes_in)
    assert.is_true(greet.bytes_out >= 10060 and greet.bytes_out < 11000, greet.bytes_out)
    jobs.Repeat({ Name = text }, 3)
    local repeated = of "Repeat"
    assert.is_true(repeated.bytes_in >= 1000 and repeated.bytes_in < 1200, repeated.bytes_in)
    assert.is_true(repeated.bytes_out >= 3000 and repeated.bytes_out < 3400, repeated.bytes_out)
  end)

  it("counts jobs", function()
    local job = jobs.Greet:async "you"
    job:wait()
    job:wait() -- is no other call
    pcall(function() jobs.Panic:async("no"):wait() end)
    local greet = of "Greet"
    assert.equal(1, greet.calls)
    assert.equal(1, greet.crossings)
    assert.is_true(greet.bytes_in >= 3 and greet.bytes_out >= 9)
    assert.equal(1, of "Panic".panics)
  end)

  it("sums up", function()
    jobs.Repeat({ Name = "lamp" }, 2)
    jobs.Describe "text"
    pcall(jobs.Panic, "no")
    local stats = goloader.stats()
    assert.equal(3, stats.calls)
    assert.equal(3, stats.crossings)
    assert.equal(1, stats.panics)
    local bytes_in = 0
    for _, export in ipairs(stats.exports) do bytes_in = bytes_in + export.bytes_in end
    assert.equal(bytes_in, stats.bytes_in)
  end)

  it("starts anew when it is reset", function()
    jobs.Describe "text"
    assert.equal(1, goloader.stats({ reset = true }).calls)
    assert.equal(0, goloader.stats().calls)
    assert.same({}, goloader.stats().exports)
    jobs.Describe "text"
    assert.equal(1, of "Describe".calls)
  end)

  it("does not count what was refused before Go was entered", function()
    pcall(jobs.Repeat, { Cost = 1 }, 1)
    pcall(jobs.Repeat)
    assert.is_nil(of "Repeat")
  end)

  it("knows no modules that were unloaded, and forgets nothing when unloading is refused", function()
    local other = assert(host:build "spec/testdata/jobs/jobs.go")
    local job = other.Block:async(1)
    other.Describe "text"
    assert.is_nil((other:unload()))
    assert.is_true(support.eventually(function() return other.Blocked() == 1 end))
    assert.equal(1, of "Describe".calls)
    other.Release()
    job:wait()
    assert(other:unload())
    assert.is_nil(of "Describe")
  end)

  it("counts for each Lua function of a module alone", function()
    jobs.Describe "text"
    jobs.Describe "text"
    local stats = jobs.Describe:stats()
    assert.equal(2, stats.calls)
    assert.is_nil(stats.name)
    assert.equal(2, jobs.Describe:stats(true).calls)
    assert.equal(0, jobs.Describe:stats().calls)
    assert.equal(0, jobs.Sleep:stats().calls)
  end)
end)
