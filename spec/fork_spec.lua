-- A Go runtime does not survive fork: what a child process asks of it is refused with that reason, at once, and the
-- child can end as any other process does.
local support = require "spec.support"

local REASON = "does not survive fork"

-- Runs a step in a forked child, in the middle of a program with goroutines, jobs and handles, and returns what the
-- child printed and how it ended: its exit status, or "hangs".
local function in_child(step)
  local status, out, errors = support.lua(([[
    local ffi = require "ffi"
    ffi.cdef "int fork(void); int waitpid(int, int *, int); void _exit(int); int kill(int, int); int usleep(unsigned);"
    local goloader = require "goloader"
    local host = assert(goloader.host())
    local m = assert(host:build "spec/testdata/fork/fork.go")
    local thing = m.New(4)
    m.Busy(3)
    local job = m.Later:async({})
    m.Add:road "ffi"
    assert(m.Add(1, 2) == 3 and m.Half(8) == 4 and thing.N == 4 and m.Name == "fork")
    io.stdout:setvbuf "no"
    local child = ffi.C.fork()
    if child == 0 then
      print(pcall(function() %s end))
      ffi.C._exit(7)
    end
    local status, ended = ffi.new "int[1]", 0
    for _ = 1, 100 do
      ended = ffi.C.waitpid(child, status, 1)
      if ended ~= 0 then break end
      ffi.C.usleep(50000)
    end
    if ended == 0 then ffi.C.kill(child, 9) ffi.C.waitpid(child, status, 0) end
    print(ended == 0 and "hangs" or math.floor(status[0] / 256))
    print(m.Add(1, 2))
    os.exit(0, true)
  ]]):format(step), nil, "luajit") -- whose FFI can fork
  assert.equal(0, status, errors)
  local said, ending = out:match "^(.-)([%w]+)\n3\n$"
  assert.is_truthy(said, out)
  return said, ending
end

describe("in a process that forked after the host started", function()
  for name, step in pairs {
    ["a function that was called before"] = "return m.Add(1, 2)",
    ["a function's first use"] = "return m.Render()",
    ["a function by many calls"] = "return m.Add:map({ 1 }, { 2 })",
    ["a job"] = "return m.Later:async({})",
    ["waiting for a job"] = "return job:wait()",
    ["a variable"] = "return m.Name",
    ["setting a variable"] = "m.Name = 'child'",
    ["a method of a handle"] = "return thing:Get()",
    ["a new value"] = "return m:new('T', { N = 1 })",
    ["a variable's handle"] = "return m:ref('Name')",
    ["loading"] = "return host:load('x.o')",
    ["unloading"] = "return m:unload()",
    ["unloading without a proof"] = "return m:unload { prove = 'nothing' }",
  } do
    it(name .. " is refused", function()
      local said, ending = in_child(step)
      assert.matches(REASON, said)
      assert.not_matches("lua/goloader/", said) -- no line of ours is to blame
      assert.equal("7", ending)
    end)
  end

  for name, step in pairs {
    ["a pure function still works"] = "assert(m.Half(8) == 4)",
    ["a field of a handle may be refused, but does not wait"] = "pcall(function() return thing.N end)",
    ["handles can be collected"] = "thing, job = nil, nil; collectgarbage() collectgarbage()",
    ["a job can be cancelled"] = "job:cancel()",
    ["counters can be read"] = "goloader.stats()",
  } do
    it(name, function()
      local said, ending = in_child(step)
      assert.matches("^true", said)
      assert.equal("7", ending)
    end)
  end

  it("the Lua state can be closed, and the process can end", function()
    assert.equal("5", (select(2, in_child "os.exit(5, true)")))
    assert.equal("6", (select(2, in_child "os.exit(6)")))
  end)
end)
