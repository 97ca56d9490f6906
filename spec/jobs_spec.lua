-- Calls in goroutines of their own: what they give, who waits for them and how, what ends them.
local goloader = require "goloader"
local support = require "spec.support"

local host, jobs

setup(function()
  host = support.host()
  jobs = assert(host:build "spec/testdata/jobs/jobs.go")
end)
teardown(support.clean)

local clock = require("goloader.core").clock
local unpack = table.unpack or unpack -- luacheck: ignore 143

local function count(list)
  return select("#", list), list
end

describe("a job", function()
  it("gives the results that a direct call gives", function()
    local lamp = { Name = "lamp", Price = 24.5, Tags = { "desk" } }
    local calls = {
      { "Add", 2, 3 }, { "Greet", "you" }, { "Sum" }, { "Sum", 1, 2.5, 3 }, { "Repeat", lamp, 3 },
      { "Repeat", lamp, 0 }, { "Swap", "a", "b", { 1, 2, 3 } }, { "Check", "a" }, { "Describe", { 1, "two" } },
    }
    for _, call in ipairs(calls) do
      local fn = jobs[call[1]]
      assert.same({ count(fn(unpack(call, 2))) }, { count(fn:async(unpack(call, 2)):wait()) }, call[1])
      assert.same({ fn(unpack(call, 2)) }, { fn:async(unpack(call, 2)):wait() }, call[1])
    end
  end)

  it("gives handles where its results are to stay in Go", function()
    local lamp = { Name = "lamp", Price = 24.5, Tags = { "desk" } }
    local items, err = jobs.Repeat:async_keep(lamp, 3):wait()
    assert.is_nil(err)
    assert.equal("userdata", type(items))
    assert.equal(3, #items)
    assert.equal("lamp", items[1].Name)
    assert.equal("go", select(2, jobs.Repeat:async_keep({}, -1):wait()).code)
    assert.equal(5, (jobs.Add:async_keep(2, 3):wait()))
    local job = jobs.Repeat:async_keep(lamp, 2)
    assert.equal(2, #job:wait())
    assert.equal(2, #job:wait()) -- the same handle
  end)

  it("gives nil and the error that the function returned", function()
    local value, err = jobs.Repeat:async({}, -1):wait()
    assert.is_nil(value)
    assert.equal("go", err.code)
    assert.equal("less than nothing", err.message)
    assert.equal("no name", select(2, jobs.Check:async(""):wait()).message)
  end)

  it("gives its results as often as they are asked for", function()
    local job = jobs.Greet:async "you"
    assert.equal("hello you", job:wait())
    collectgarbage()
    assert.equal("hello you", job:wait())
  end)

  it("runs in a goroutine of its own", function()
    assert.not_equal(jobs.Goroutine:async():wait(), jobs.Goroutine())
  end)

  it("is done when its function is", function()
    local job = jobs.Block:async(7)
    assert.is_false(job:done())
    assert.matches("Block %(under way%)", tostring(job))
    assert.is_true(support.eventually(function() return jobs.Blocked() == 1 end))
    jobs.Release()
    assert.is_true(support.eventually(function() return job:done() end))
    assert.matches("Block %(done%)", tostring(job))
    assert.equal(7, job:wait())
  end)

  it("has wrong arguments refused before it starts, as a direct call has", function()
    for _, call in ipairs { { "Add", 1 }, { "Add", 1, "x" }, { "Add", 1, 0 / 0 }, { "Repeat", { Cost = 1 }, 1 },
      { "Text", "tomorrow" } } do
      local fn = jobs[call[1]]
      local direct, why = pcall(fn, unpack(call, 2))
      local started, err = pcall(fn.async, fn, unpack(call, 2))
      assert.is_false(direct)
      assert.is_false(started)
      assert.equal((why:gsub("^.-(bad argument)", "%1")), (err:gsub("^.-(bad argument)", "%1")))
    end
  end)

  it("raises its panic where it is waited for, with Go's traceback", function()
    local job = jobs.Panic:async "no way"
    for _ = 1, 2 do
      local ok, err = pcall(job.wait, job)
      assert.is_false(ok)
      assert.matches("panic: no way\n\ngoroutine %d+", err)
      assert.matches("jobs%.Panic%(.-jobs%.go:%d+", err)
      assert.not_matches("goloader%.dev/host", err)
    end
  end)

  it("raises an error where its function calls runtime.Goexit", function()
    local job = jobs.Exit:async()
    assert.error_matches(function() job:wait() end, "Exit: the function called runtime%.Goexit")
  end)

  it("ends the process with the status that its function gives to os.Exit", function()
    local status, output = support.lua [[
      local jobs = assert(require("goloader").host():build "spec/testdata/jobs/jobs.go")
      io.write "before"
      io.flush()
      jobs.Quit:async(7):wait()
      print "never"
    ]]
    assert.equal(7, status)
    assert.equal("before", output)
  end)
end)

describe("results of jobs that stay in Go", function()
  it("are the same handles however often they are asked for", function()
    local job = jobs.NewWorker:async "ann"
    local worker = job:wait()
    assert.equal("*jobs.Worker", worker:type())
    assert.is_true(rawequal(worker, (job:wait())))
    assert.equal("ann", worker.Name)
    worker:release()
    assert.error_matches(function() return job:wait().Name end, "it was released")
    local two = jobs.TwoWorkers:async()
    local a, n, b = two:wait()
    assert.equal("a 2 b", table.concat({ a.Name, n, b.Name }, " "))
    assert.is_true(rawequal(b, (select(3, two:wait()))))
  end)

  it("are errors with Go's value", function()
    local job = jobs.Check:async ""
    local _, err = job:wait()
    assert.is_true(err:is(jobs.ErrNoName))
    assert.is_true(rawequal(err, (select(2, job:wait()))))
    assert.is_true(select(2, jobs.Check ""):is(err))
    assert.is_true(jobs.IsNoName(err))
    assert.is_false(jobs.IsNoName { message = "no name" })
  end)

  it("are let go when nobody asks for them, or nobody can", function()
    for _ = 1, 300 do jobs.CountedWorker:async() end
    for _ = 1, 300 do jobs.CountedWorker:async():wait() end
    for _ = 1, 300 do pcall(jobs.HalfWorker, 1) end
    for _ = 1, 300 do pcall(function() jobs.HalfWorker:async(1):wait() end) end
    for _ = 1, 300 do pcall(jobs.HalfWorker.map, jobs.HalfWorker, { 0, 0, 1 }) end
    assert.equal(300 * 7, jobs.MadeWorkers())
    assert.is_true(support.eventually(function()
      goloader.step()
      collectgarbage()
      return jobs.LiveWorkers() < 100 -- those whose numbers wait for others, to be given back together
    end), jobs.LiveWorkers())
  end)

  it("hold their module while they can be asked for", function()
    local other = assert(host:build "spec/testdata/jobs/jobs.go")
    local job = other.NewWorker:async "x"
    assert.is_true(support.eventually(function() return job:done() end))
    local ok, _, err = other:unload()
    assert.is_nil(ok)
    assert.matches("Lua holds a handle of %*jobs%.Worker", err.message)
    job = nil -- luacheck: ignore
    assert.is_true(support.eventually(function() return other:unload() end))
  end)
end)

describe("a job of values that stay in Go", function()
  local handles

  setup(function() handles = assert(host:build "spec/testdata/handles/handles.go") end)
  teardown(function()
    collectgarbage()
    collectgarbage()
    assert(handles:unload())
  end)

  it("takes them and gives them", function()
    local job = handles.New:async "one"
    local counter = job:wait()
    assert.equal(3, counter:Add(3))
    assert.is_true(rawequal(counter, job:wait()))
    assert.equal(6, handles.Total:async(counter, counter):wait())
    assert.equal(9, handles.Apply:async(handles.Adder(5), 4):wait())
  end)

  it("keeps nothing of them when Lua has forgotten it", function()
    local gate = handles.New "one"
    for _ = 1, 100 do handles.New:async "forgotten" end
    for _ = 1, 100 do handles.New:async("waited for"):wait() end
    local job = handles.Fail:async "zero"
    assert.is_true(support.eventually(function() return job:done() end))
    job = nil -- luacheck: ignore
    assert.equal("one", gate.Name)
  end)
end)

describe("a wait with a timeout", function()
  it("gives nil and an error with the code timeout, and the job goes on", function()
    local job = jobs.Block:async(1)
    local start = clock()
    local value, err = job:wait(0.05)
    local waited = clock() - start
    assert.is_nil(value)
    assert.equal("timeout", err.code)
    assert.equal("Block has not finished in time", tostring(err))
    assert.is_true(waited >= 0.05 and waited < 2)
    assert.is_nil((job:wait(0)))
    assert.is_true(support.eventually(function() return jobs.Blocked() == 1 end))
    jobs.Release()
    assert.equal(1, job:wait(10))
  end)

  it("is said as a text, too", function()
    local job = jobs.Block:async(1)
    local start = clock()
    assert.equal("timeout", select(2, job:wait "50ms").code)
    assert.is_true(clock() - start >= 0.05 and clock() - start < 2)
    jobs.Release()
    assert.equal(1, job:wait "10s")
  end)

  it("is refused where it is neither", function()
    local job = jobs.Sleep:async(0.05)
    assert.error_matches(function() job:wait {} end, 'job:wait: seconds, or a text such as "30s", expected, got table')
    assert.error_matches(function() job:wait(0 / 0) end, "expected, got nan")
    assert.error_matches(function() job:wait "1" end, '^job:wait: "1" is not a duration such as "250ms", "30s"')
    job:wait()
  end)
end)

describe("a job with a context", function()
  it("is cancelled by its cancel", function()
    for _, ctx in ipairs { false, 60, { timeout = 60 } } do
      local job = jobs.UntilCancelled:async(ctx or nil, 60)
      assert.is_true(job:cancel())
      assert.equal("context canceled", select(2, job:wait(20)).message)
      assert.is_true(job:cancel()) -- once more is no harm
    end
  end)

  it("ends by its timeout", function()
    for _, timeout in ipairs { 0.02, "20ms" } do
      assert.equal("context deadline exceeded", select(2, jobs.UntilCancelled:async(timeout, 60):wait "20s").message)
    end
  end)

  it("has a context of its own", function()
    local one, other = jobs.UntilCancelled:async(nil, 60), jobs.UntilCancelled:async(nil, 60)
    one:cancel()
    assert.equal("context canceled", select(2, one:wait(20)).message)
    assert.is_false(other:done())
    other:cancel()
    other:wait(20)
  end)

  it("is the only one that can be cancelled", function()
    local job = jobs.Add:async(1, 2)
    local ok, _, err = job:cancel()
    assert.is_nil(ok)
    assert.equal("unsupported", err.code)
    assert.matches("Add can't be cancelled: it has no parameter of type context%.Context", err.message)
  end)
end)

describe("thousands of jobs", function()
  it("are in flight at once", function()
    local all = {}
    for i = 1, 5000 do all[i] = jobs.Block:async(i) end
    assert.is_true(support.eventually(function() return jobs.Blocked() == 5000 end))
    jobs.Release()
    for i = 5000, 1, -1 do assert.equal(i, all[i]:wait()) end
  end)

  it("leave nothing behind", function()
    local grown = support.growth(10, function()
      for _ = 1, 20 do
        local all = {}
        for i = 1, 500 do all[i] = jobs.Repeat:async({ Name = "lamp" }, i % 7) end
        for i = 1, 500 do assert.equal(i % 7, #all[i]:wait()) end
        for i = 1, 500 do all[i] = jobs.Add:async(i, i) end -- nobody waits for these
        goloader.step()
      end
    end)
    assert.is_true(grown < 8e6, "grown by " .. grown)
  end)
end)

describe("a module with jobs", function()
  it("stays while one of them is under way", function()
    local other = assert(host:build "spec/testdata/jobs/jobs.go")
    local job = other.Block:async(1)
    local ok, _, err = other:unload()
    assert.is_nil(ok)
    assert.equal("busy", err.code)
    assert.matches("module jobs can't be unloaded: 1 job of Block under way", err.message)
    assert.is_true(support.eventually(function() return other.Blocked() == 1 end))
    other.Release()
    job:wait()
    assert(other:unload())
  end)

  it("goes while their results are still to be collected, which stay", function()
    local other = assert(host:build "spec/testdata/jobs/jobs.go")
    local items, failed, panicked =
      other.Repeat:async({ Name = "lamp", Tags = { "a", "b" } }, 2), other.Check:async "", other.Panic:async "no way"
    assert.is_true(support.eventually(function() return items:done() and failed:done() and panicked:done() end))
    assert(other:unload())
    local lamp = { Name = "lamp", Price = 0, Tags = { "a", "b" } }
    assert.same({ lamp, lamp }, items:wait())
    assert.equal("no name", select(2, failed:wait()).message)
    assert.error_matches(function() panicked:wait() end, "panic: no way")
    assert.error_matches(function() other.Add:async(1, 2) end, "unloaded")
  end)

  it("goes when the jobs that Lua forgot have finished", function()
    local other = assert(host:build "spec/testdata/jobs/jobs.go")
    for i = 1, 100 do other.Block:async(i) end
    collectgarbage()
    collectgarbage()
    assert.equal("busy", select(3, other:unload()).code)
    assert.is_true(support.eventually(function() return other.Blocked() == 100 end))
    other.Release()
    assert.is_true(support.eventually(function() return other:unload() end))
  end)
end)

describe("a coroutine that goloader.spawn started", function()
  it("yields while it waits, and is resumed by a step", function()
    local seen = {}
    local function work(name, seconds)
      seen[#seen + 1] = name .. " starts"
      assert.equal(seconds, jobs.Sleep:async(seconds):wait())
      seen[#seen + 1] = name .. " ends"
    end
    local slow, quick = goloader.spawn(work, "slow", 0.08), goloader.spawn(work, "quick", 0.02)
    assert.same({ "slow starts", "quick starts" }, seen)
    assert.equal("suspended", coroutine.status(slow))
    local finished = 0
    while coroutine.status(slow) ~= "dead" do finished = finished + goloader.step(5) end
    assert.equal("dead", coroutine.status(quick))
    assert.same({ "slow starts", "quick starts", "quick ends", "slow ends" }, seen)
    assert.is_true(finished >= 2)
  end)

  it("gets errors and timeouts where it waits", function()
    local failed, late
    local co = goloader.spawn(function()
      failed = select(2, jobs.Check:async(""):wait())
      local job = jobs.Sleep:async(0.2)
      late = select(2, job:wait(0.02))
      job:wait()
    end)
    local start = clock()
    while not late do goloader.step(5) end
    assert.is_true(clock() - start < 0.2)
    while coroutine.status(co) ~= "dead" do goloader.step(5) end
    assert.equal("no name", failed.message)
    assert.equal("timeout", late.code)
    assert.is_nil(goloader.next_timeout())
  end)

  it("goes on while others block", function()
    local done
    goloader.spawn(function() done = jobs.Sleep:async(0.02):wait() end)
    jobs.Sleep:async(0.1):wait()
    assert.equal(0.02, done)
  end)

  it("gets panics where it waits", function()
    local _, err = pcall(function()
      local co = goloader.spawn(function() jobs.Panic:async("no way"):wait() end) -- may be done when it waits
      while coroutine.status(co) ~= "dead" do goloader.step(5) end
    end)
    assert.matches("panic: no way", err)
  end)

  it("has its errors raised by whoever lets it run", function()
    local _, err = pcall(goloader.spawn, function() error "at once" end)
    assert.matches("^[^\n]*jobs_spec.lua:%d+: at once\n", err)
    goloader.spawn(function()
      jobs.Add:async(1, 2):wait()
      jobs.Sleep:async(0.01):wait()
      error "later"
    end)
    _, err = pcall(function()
      for _ = 1, 100 do goloader.step(0.1) end
    end)
    assert.matches("^[^\n]*jobs_spec.lua:%d+: later\n", err)
    goloader.step() -- once
  end)

  it("has the lines where it was in what they say, and objects stay objects", function()
    local function deep()
      jobs.Sleep:async(0.01):wait()
      error "deep down"
    end
    goloader.spawn(function()
      deep()
      return 1
    end)
    local _, err = pcall(function()
      for _ = 1, 100 do goloader.step "100ms" end
    end)
    local line = debug.getinfo(deep, "S").linedefined
    assert.matches(("^[^\n]*jobs_spec.lua:%d: deep down\nstack traceback:.*in .*deep.*jobs_spec.lua:%d: in")
      :format(line + 2, line + 5), err)
    local object = { code = "mine" }
    _, err = pcall(goloader.spawn, function() error(object) end)
    assert.equal(object, err)
  end)

  it("waits for one job like others do", function()
    local job, seen = jobs.Sleep:async(0.03), {}
    for i = 1, 5 do goloader.spawn(function() seen[i] = job:wait() end) end
    while #seen < 5 do goloader.step(5) end
    assert.same({ 0.03, 0.03, 0.03, 0.03, 0.03 }, seen)
  end)

  it("waits by thousands, with deadlines", function()
    local late, inTime = 0, 0
    for i = 1, 2000 do
      goloader.spawn(function()
        local job = i % 2 == 0 and jobs.Block:async(i) or jobs.Add:async(i, 0)
        local value = job:wait(0.05 + i % 10 * 0.01)
        if value then inTime = inTime + 1 else late = late + 1 end
      end)
    end
    while late + inTime < 2000 do goloader.step(5) end
    assert.equal(1000, late)
    assert.equal(1000, inTime)
    assert.is_true(support.eventually(function() return jobs.Blocked() == 1000 end))
    jobs.Release()
  end)
end)

describe("job:on_done", function()
  it("has a step call the function", function()
    local seen = {}
    local job = jobs.Add:async(1, 2)
    assert.equal(job, job:on_done(function(done) seen[#seen + 1] = done:wait() end))
    while #seen < 1 do goloader.step(5) end
    job:on_done(function(done) seen[#seen + 1] = done:wait() + 1 end)
    assert.same({ 3 }, seen)
    goloader.step()
    assert.same({ 3, 4 }, seen)
    assert.error_matches(function() job:on_done(1) end, "a function expected, got number")
  end)
end)

describe("goloader.step", function()
  it("does not block without a timeout, and no longer than that with one", function()
    local job = jobs.Sleep:async(0.2)
    local start = clock()
    goloader.step()
    assert.is_true(clock() - start < 0.1)
    local waited
    for _ = 1, 5 do -- a job that another test has left may end meanwhile
      start = clock()
      local finished = goloader.step(0.03)
      waited = clock() - start
      if finished == 0 then break end
    end
    assert.is_true(waited >= 0.03 and waited < 0.15, waited)
    job:wait()
    assert.error_matches(function() goloader.step "x" end, '^goloader.step: "x" is not a duration such as "250ms"')
    assert.equal(0, goloader.step "1ms")
  end)
end)

describe("an event loop", function()
  it("polls one file descriptor for jobs and deadlines: luv", function()
    local uv = require "luv"
    local seen = {}
    local poll = uv.new_poll(goloader.fd())
    local function run(name, job, timeout)
      goloader.spawn(function()
        local value, err = job:wait(timeout)
        seen[#seen + 1] = name .. " " .. (value and ("%g"):format(value) or err.code)
        if #seen == 4 then poll:stop() end
      end)
    end
    poll:start("r", function() goloader.step() end)
    run("slow", jobs.Sleep:async(1))
    run("quick", jobs.Sleep:async(0.02))
    run("late", jobs.Block:async(1), 0.5)
    run("done", jobs.Add:async(1, 2))
    local ticks = 0
    local timer = uv.new_timer()
    timer:start(5, 5, function()
      ticks = ticks + 1
      if #seen == 4 then timer:stop() end
    end)
    uv.run()
    poll:close()
    timer:close()
    uv.run()
    jobs.Release()
    assert.same({ "done 3", "quick 0.02", "late timeout", "slow 1" }, seen)
    assert.is_true(ticks > 5) -- nothing blocked
  end)

  it("is told of jobs that finished before it began to poll", function()
    local uv = require "luv"
    local result
    local job = jobs.Add:async(20, 3)
    os.execute "sleep 0.05"
    goloader.spawn(function() result = job:wait() end)
    job:on_done(function() result = (result or 0) + 100 end)
    local poll = uv.new_poll(goloader.fd())
    poll:start("r", function()
      goloader.step()
      if result == 123 then poll:stop() end
    end)
    uv.run()
    poll:close()
    uv.run()
    assert.equal(123, result)
  end)
end)

describe("a Lua state with jobs", function()
  local function run(rest)
    return support.lua([[
      local goloader = require "goloader"
      local jobs = assert(goloader.host():build "spec/testdata/jobs/jobs.go")
    ]] .. rest)
  end

  it("is closed while they are under way", function()
    local status, _, errors = run [[
      for i = 1, 1000 do jobs.Block:async(i) end
      local kept = {}
      for i = 1, 1000 do kept[i] = jobs.Add:async(i, i) end
      goloader.spawn(function() jobs.Block:async(1):wait() end)
    ]]
    assert.equal(0, status, errors)
  end)

  it("is not needed by them, whoever comes first", function()
    -- Coroutines are Lua states of the same heap; those of other heaps come from a library.
    local status, output, errors = support.run { "luajit", "spec/env.lua", support.write("states.lua", [[
      local luastates = require "spec.luastates"
      local goloader = require "goloader"
      local jobs = assert(goloader.host():build "spec/testdata/jobs/jobs.go")
      for i = 1, 30 do
        local state = luastates.new()
        state:run [=[
          local goloader = require "goloader"
          local jobs = assert(goloader.host():build "spec/testdata/jobs/jobs.go")
          kept = {}
          for i = 1, 500 do kept[i] = jobs.Spin:async(i % 10 * 10000) end
          for i = 1, 100 do kept[i]:wait() end
        ]=]
        state:close()
        assert(jobs.Add:async(i, i):wait() == 2 * i)
      end
      print "well"
    ]]) }
    assert.equal("", errors)
    assert.equal(0, status)
    assert.equal("well\n", output)
  end)
end)

describe("under a collector that always collects and checks", function()
  it("jobs give what they should", function()
    local status, output, errors = support.lua([[
      local goloader = require "goloader"
      local jobs = assert(goloader.host():build "spec/testdata/jobs/jobs.go")
      for _ = 1, 20 do
        local all, texts = {}, {}
        for i = 1, 50 do
          all[i] = jobs.Repeat:async({ Name = "item" .. i, Tags = { "a" .. i, "b" } }, 3)
          texts[i] = jobs.Greet:async("you" .. i)
        end
        jobs.UntilCancelled:async(0.01, 5)
        for i = 1, 50 do
          local items = all[i]:wait()
          assert(#items == 3 and items[3].Name == "item" .. i and items[2].Tags[1] == "a" .. i)
          assert(texts[i]:wait() == "hello you" .. i)
        end
        assert(not pcall(jobs.Panic:async "p".wait, jobs.Panic:async "p"))
        assert(jobs.Parallel:async(20):wait() == 190)
      end
      for _ = 1, 100 do
        if jobs:unload() then break end
        goloader.step(0.05)
      end
      assert(not jobs:is_loaded())
      print "well"
    ]], "GOGC=1 GODEBUG=gccheckmark=1,clobberfree=1,invalidptr=1")
    assert.equal(0, status, errors)
    assert.equal("well\n", output)
  end)
end)
