-- Modules go with the Lua state that loaded them.
local support = require "spec.support"

teardown(support.clean)

-- Runs a script that may open Lua states and close them: `state(chunk)` runs a chunk in one of its own; `loaded()` is
-- how many modules the runtime knows, once what can go has gone.
local HEAD = [[
  local START = 'local host = assert(require "goloader".host())\nlocal states = assert(host:load(%q))\n'
  local function state(chunk)
    local other = require "spec.luastates".new()
    other:run(START .. chunk)
    other:close()
  end
  local host = assert(require "goloader".host())
  local function wait(seconds) local stop = os.clock() + seconds while os.clock() < stop do end end
  local counter = assert(host:load(%q))
  -- a module of its own is loaded and unloaded, by the way of which the others go
  local function loaded()
    assert(assert(host:load(%q)):unload())
    return tonumber(counter.Count())
  end
  state "" -- what such modules share, and stays in the process
  local before = loaded()
]]

local object, other, modules

local function run(script)
  return support.output_of(support.lua(HEAD:format(object, modules, other) .. script, nil, "luajit"))
end

describe("a Lua state that is closed", function()
  setup(function()
    object = support.compile(support.read "spec/testdata/states/states.go", "states")
    other = support.compile("package other\n\nfunc Word() string { return \"word\" }\n", "other")
    modules = support.compile("spec/testdata/modules.go", "modules")
  end)

  it("takes its modules along, with handles, functions of every road and finished jobs", function()
    assert.equal("0\n", run [[
      for _ = 1, 20 do
        state [=[
          counter = states.New()
          assert(counter:Add() == 1)
          sum, sleep = states.Sum, states.Sleep
          assert(sum(1, 2) == 3 and sum:road() == "pure")
          job = states.Sleep:async(0)
          assert(job:wait() == 0)
          another = states.Sleep:async(0)
        ]=]
      end
      print(loaded() - before)
    ]])
  end)

  it("leaves one whose goroutine runs; it goes later", function()
    assert.equal("true\t0\n", run [[
      state "states.Linger(0.3)"
      local stays = loaded() > before
      wait(0.4)
      for _ = 1, 70 do loaded() end
      print(stays, loaded() - before)
    ]])
  end)

  it("leaves what host:tidy unloads where nobody loads anything; host:modules says that it is to go", function()
    assert.equal("2\t1\ttrue\ttrue\n1\t1\ttrue\ttrue\n0\t0\n", run [[
      local function left()
        local n, all = 0, true
        for _, entry in ipairs(host:modules()) do
          n, all = n + (entry.left and 1 or 0), all and entry.left == (entry.leaving or false)
        end
        return n, all
      end
      state "states.Linger(2)"
      state "assert(states.Sum(1, 2) == 3)"
      local n, all = left()
      print(n, host:tidy(), left() == 1, all)
      n, all = left()
      for _ = 1, 5 do host:tidy() end -- it is not asked more and more seldom
      print(n, host:tidy(), left() == 1, all)
      local stop = os.time() + 20
      while host:tidy() > 0 and os.time() < stop do os.execute "sleep 0.05" end
      print(host:tidy(), (left()))
    ]])
  end)

  it("leaves one of which a job is under way; it goes later", function()
    assert.equal("true\t0\n", run [[
      state "job = states.Sleep:async(0.3)"
      local stays = loaded() > before
      wait(0.4)
      for _ = 1, 70 do loaded() end
      print(stays, loaded() - before)
    ]])
  end)

  it("leaves one that others refer to", function()
    assert.equal("true\n", run [[
      state "states.Register 'states'"
      for _ = 1, 10 do loaded() end
      print(loaded() > before)
    ]])
  end)

  it("takes nothing of another state's", function()
    assert.equal("1\t2\t3\n", run(([[
      local states = assert(host:load(%q))
      local counter = states.New()
      local a = counter:Add()
      state "counter = states.New()"
      loaded()
      print(a, counter:Add(), counter:Add())
    ]]):format(object)))
  end)

  it("takes a module that others of its modules use", function()
    assert.equal("0\n", run(([[
      for _ = 1, 5 do
        state [=[
          local again = assert(host:load(%q, { uses = { states } }))
          assert(again.Word() == "word")
        ]=]
      end
      loaded()
      print(loaded() - before)
    ]]):format(other)))
  end)
end)
