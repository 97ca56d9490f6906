-- Delve: what examples/debugging.md says of it. Where there is no dlv there is nothing to be tested.
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

teardown(support.clean)

local status, path = support.run { "sh", "-c", "command -v dlv" }
local dlv = status == 0 and path:match "^[^\n]+"

-- What dlv prints at its commands, attached to a process that has said that it is ready, which ends then.
local function attached(command, directory, ...)
  local commands = support.write("commands", table.concat({ ... }, "\n") .. "\nexit\n")
  local pipe = assert(io.popen(("cd %s && %s & echo $!; wait $! 2>/dev/null"):format(
    toolchain.quote(directory), command)))
  local pid = pipe:read "*l"
  pipe:read "*l"
  local _, out, errors = support.run { dlv, "attach", pid, "--init", commands,
    "--allow-non-terminal-interactive=true" }
  os.execute("kill -9 " .. pid .. " 2>/dev/null")
  pipe:close()
  return out .. errors
end

describe("dlv attach", function()
  if not dlv then
    it("can't be tried here, as there is no dlv", function()
      assert.not_equal(0, (support.run { "sh", "-c", "command -v dlv" }))
    end)
    return
  end

  it("has the threads of a host that is a library, and neither goroutines nor loaded code", function()
    local object = support.compile("package main\n\nfunc Loaded(n int) int { return n }\n", "main")
    local script = support.write("waits.lua", ([[
      local host = assert(require "goloader".host { debug = true })
      local m = assert(host:load %q)
      io.stdout:write "ready\n"
      io.stdout:flush()
      local ended = os.time() + 60
      while os.time() < ended do m.Loaded(3) end
    ]]):format(object))
    local out = attached(("exec %s spec/env.lua %s"):format(support.interpreter, toolchain.quote(script)), ".",
      "threads", "goroutines", "funcs main.Loaded")
    assert.matches("Thread %d+ at 0x%x+ [^\n]* runtime%.futex", out)
    assert.matches("could not find goroutine array", out)
    assert.not_matches("\nmain%.Loaded\n", out)
  end)

  it("has goroutines of a program that is its own host", function()
    local program = toolchain.absolute(support.tmpdir()) .. "/embed"
    local made, _, errors = support.run { "sh", "-c", ("cd examples/embed && exec %s host --exe --minimal -o %s .")
      :format(toolchain.quote(toolchain.absolute "build/bin/goloader"), toolchain.quote(program)) }
    assert.equal(0, made, errors)
    local root = toolchain.absolute "."
    local paths = ("LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' LUA_CPATH='%s/build/lib/?.so;;'")
      :format(root, root, root)
    local out = attached(paths .. " exec " .. toolchain.quote(program), "examples/embed", "goroutines",
      "break main.serve", "goroutine 1 stack")
    assert.matches("Goroutine 1 [^\n]* main%.serve", out)
    assert.matches("Breakpoint 1 set at 0x%x+ for main%.serve", out)
    assert.matches("in main%.main", (out:gsub("\27%[%d*m", "")))
  end)
end)
