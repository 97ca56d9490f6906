-- Loaded code in gdb and perf: names, lines, frames, as of code that was always there.
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

teardown(support.clean)

local unpack = rawget(table, "unpack") or unpack

local source = [[
package main

import "strings"

func twice(s string) string { return strings.Repeat(s, 2) }

//go:noinline
func label(s string, n int) string {
	if n == 0 {
		return stop(twice(s)) // 10
	}
	return label(s, n-1) + "." // 12
}

var stopped int

//go:noinline
func stop(s string) string {
	stopped++ // 19
	return s + "!"
}

func Label(s string, n int) string {
	return label(s, n) + "?" // 24
}

func Add(a, b int) int {
	return a + b // 28
}

func wait(end chan int) {
	<-end // 32
}

func Start() { go wait(make(chan int)) }

func Each(f func(int) int, n int) int {
	sum := 0
	for i := range make([]struct{}, n) {
		sum += f(i) // 40
	}
	return sum
}
]]

-- Where a program waits for gdb to do something: gdb stops in os.execute, whose C function has a name.
local pause = "os.execute 'true'\n"

local module_file

setup(function() module_file = support.compile(source, "main") end)

local function script(text, options)
  return support.write("script.lua", ([[
    local goloader = require "goloader"
    local host = assert(goloader.host(%s))
    local function load() return assert(host:load %q) end
    %s
  ]]):format(options or "", module_file, text))
end

local prelude = { "set pagination off", "set confirm off", "set breakpoint pending on", "set width 0",
  "set print thread-events off", "handle SIGURG nostop noprint pass" }

-- What gdb prints at its commands, given the arguments that say what it looks at. A command that fails does not end it.
local function gdb(arguments, ...)
  local argv = { "gdb", "-nx", "-q", "-batch" }
  local function command(text)
    argv[#argv + 1] = "-ex"
    argv[#argv + 1] = text
  end
  for _, text in ipairs(prelude) do command(text) end
  for _, text in ipairs { ... } do command(text) end
  for _, argument in ipairs(arguments) do argv[#argv + 1] = argument end
  local status, out, errors = support.run(argv)
  assert.not_equal(127, status, errors)
  return out .. errors
end

local function program(text, options)
  return { "--args", support.interpreter, "spec/env.lua", script(text, options) }
end

-- Starts a program that waits, has gdb look at it, and lets it end.
local function attached(text, options, environment, ...)
  local waits = script(text .. ' io.stdout:write "ready\\n" io.stdout:flush() os.execute "exec sleep 60"', options)
  local pipe = assert(io.popen(("%s exec %s spec/env.lua %s & echo $!; wait $! 2>/dev/null"):format(
    environment or "", support.interpreter, toolchain.quote(waits))))
  local pid = pipe:read "*l"
  repeat local line = pipe:read "*l" until line == nil or line == "ready"
  local out = gdb({ "-p", pid }, ...)
  os.execute("pkill -P " .. pid .. "; kill -9 " .. pid .. " 2>/dev/null")
  pipe:close()
  return out
end

local function path_of(command)
  local pipe = assert(io.popen("command -v " .. command))
  local path = pipe:read "*l"
  pipe:close()
  return path
end

local function count(text, pattern)
  return select(2, text:gsub(pattern, ""))
end

describe("gdb", function()
  it("stops by name in code that is loaded later, and walks the stack through it", function()
    local out = gdb(program "load().Label('x', 3)", "break main.stop", "run", "bt")
    assert.matches("hit Breakpoint 1, main%.stop %(%) at [^\n]*main%.go:1[89]\n", out)
    assert.matches("#0  main%.stop %(%) at [^\n]*main%.go:1[89]\n"
      .. "#1  0x%x+ in main%.label %(%) at [^\n]*main%.go:10\n"
      .. "#2  0x%x+ in main%.label %(%) at [^\n]*main%.go:12\n"
      .. "#3  0x%x+ in main%.label %(%) at [^\n]*main%.go:12\n"
      .. "#4  0x%x+ in main%.label %(%) at [^\n]*main%.go:12\n"
      .. "#5  0x%x+ in main%.Label %(%) at [^\n]*main%.go:24\n"
      .. "#6  0x%x+ in goloader%.dev/host", out)
  end)

  it("stops by file and line, where a function was inlined too", function()
    local out = gdb(program "load().Label('x', 1)", "break main.go:5", "run", "bt 3")
    assert.matches("#0  main%.twice %(%) at [^\n]*main%.go:5\n"
      .. "#1  main%.label %(%) at [^\n]*main%.go:10\n"
      .. "#2  0x%x+ in main%.label %(%) at [^\n]*main%.go:12\n", out)
  end)

  it("knows the frame at each instruction", function()
    local steps = {}
    for i = 1, 60 do steps[2 * i - 1], steps[2 * i] = "stepi", "bt" end
    local out = gdb(program "load().Label('x', 2)", "break main.label", "run", "disable",
      unpack(steps))
    assert.equal(60, count(out, "\n#%d+  0x%x+ in main%.Label %(%) at [^\n]*main%.go:24\n#%d+  0x%x+ in goloader%.dev"))
  end)

  -- Most calls take a way of their own into Go, those of the loader itself cgo's.
  it("goes on to the frames of C behind those of Go", function()
    -- what is published first are the moduledatas of all modules, when the host starts
    local out = gdb(program "load().Label('x', 1)", "break goloader.dev/host.goloader_publish", "ignore 1 2",
      "break main.stop", "run", "bt", "continue", "bt")
    local publish, stop = out:match "(hit Breakpoint 1.-)(hit Breakpoint 2.*)"
    assert.matches("in runtime%.cgocallback %(%).- in crosscall2 %(%).-gl_module_load %(", publish)
    assert.matches("in main%.Label %(%).- in goloader%.dev/host/internal/enter%.fromC %(%)", stop)
    for _, text in ipairs { publish, stop } do
      assert.matches("in lua_pcall %(%).-#%d+ +0x%x+ in main %(%)\n", text)
      assert.not_matches("corrupt stack", text)
    end
  end)

  it("walks through functions of Lua that Go has called", function()
    local out = gdb(program "load().Each(function() os.execute 'true' return 1 end, 3)", "tbreak system", "run", "bt")
    assert.matches("#0 .- in gl_callback_call %(.-<signal handler called>.- in runtime%.cgocall "
      .. ".-#%d+ +0x%x+ in main%.Each %(%) at [^\n]*main%.go:40\n.-%.fromC %(%).- in main %(%)\n", out)
  end)

  it("lists goroutines, and shows where they are, by the script that comes with Go", function()
    local script_of_go = support.tools().goroot .. "/src/runtime/runtime-gdb.py"
    local text = "local m = load() for i = 1, 3 do m.Start() end os.execute 'sleep 0.2' m.Label('x', 1)"
    local out = gdb(program(text), "break main.stop", "run", "source " .. script_of_go, "info goroutines",
      "goroutine all bt")
    assert.matches("\n%*? *%d+ running ", out)
    assert.equal(3, count(out, "#%d+ +0x%x+ in main%.wait %(%) at [^\n]*main%.go:32\n"))
  end)

  it("stops in the copies that the pure road calls", function()
    local text = "local m, s = load(), 0 for i = 1, 1000 do s = s + m.Add(i, 3) end " .. pause
      .. "for i = 1, 1000 do s = s + m.Add(i, 3) end"
    local out = gdb(program(text), "tbreak system", "run", "break main.Add", "info breakpoints", "continue", "bt 1",
      "info breakpoints")
    assert.matches("2%.1 [^\n]* in main%.Add at [^\n]*main%.go:28\n", out)
    assert.matches("2%.2 [^\n]* in main%.Add at [^\n]*main%.go:28\n", out)
    assert.matches("#0  main%.Add %(%) at [^\n]*main%.go:28\n", out)
  end)

  it("has forgotten a module when that was unloaded", function()
    local text = "local m = load() m.Label('x', 3) assert(m:unload()) m = nil " .. pause
    local out = gdb(program(text), "break main.stop", "tbreak system", "run", "maintenance info jit", "continue",
      "maintenance info jit", "info line main.stop", "info address main.label")
    local before, after = out:match "(hit Breakpoint 1.-)(hit Temporary breakpoint.*)"
    assert.matches("\n0x%x+ +0x%x+ +%d+ *\n", before)
    assert.not_matches("\n0x%x+ +0x%x+ +%d+ *\n", after)
    assert.matches('No symbol "main%.label" in current context', after)
    assert.matches('Function "main%.stop" not defined', after)
  end)

  it("is told when it has attached, and asks", function()
    local out = attached("local m = load() m.Label('x', 1)", nil, "GOLOADER_DEBUG=", "maintenance info jit",
      "call (void)goloader_debug()", "info line main.stop", "maintenance info jit")
    local before, after = out:match "^(.-)(Line %d+.*)"
    assert.not_matches("\n0x%x+ +0x%x+ +%d+ *\n", before)
    assert.matches('Line 18 of "[^"]*main%.go" starts at address 0x%x+ <main%.stop>', after)
    assert.matches("\n0x%x+ +0x%x+ +%d+ *\n", after)
  end)

  for title, how in pairs {
    ["where the host is started so"] = { "{ debug = true }", "GOLOADER_DEBUG=" },
    ["where the environment says so"] = { "", "GOLOADER_DEBUG=1" },
  } do
    it("reads a core file alone, " .. title, function()
      local core = support.tmpdir() .. "/core"
      attached("m = load() m.Label('x', 1)", how[1], how[2], "generate-core-file " .. core)
      local out = gdb({ "-c", core, path_of(support.interpreter) }, "info line main.stop",
        "info symbol main.label", "maintenance info jit")
      assert.matches('Line 18 of "[^"]*main%.go" starts at address 0x%x+ <main%.stop>', out)
      assert.matches("\n0x%x+ +0x%x+ +%d+ *\n", out)
      os.remove(core)
    end)
  end
end)

describe("perf", function()
  -- Runs a program that prints its number first; returns its map, and what else it has printed.
  local function map_of(text, options, environment)
    local print_pid = 'local f = io.open "/proc/self/stat" print((f:read "*l":match "^%d+")) f:close() '
    local status, out, errors = support.run({ support.interpreter, "spec/env.lua", script(print_pid .. text, options) },
      environment)
    assert.equal(0, status, errors)
    local name = ("/tmp/perf-%s.map"):format(out:match "^(%d+)\n")
    local map = toolchain.read_file(name)
    os.remove(name)
    return map, out
  end

  it("has a map of loaded functions, copies of the pure road and the resident store", function()
    local text = "local m, s = load(), 0 for i = 1, 1000 do s = s + m.Add(i, 3) end assert(m:unload())"
      .. "local other = load()"
    local map = map_of(text, "{ perf = true }")
    assert.equal(2, count(map, "%f[^%z\n]%x+ %x+ main%.label\n"))
    assert.equal(support.interpreter == "luajit" and 3 or 2, count(map, "%f[^%z\n]%x+ %x+ main%.Add\n"))
    assert.equal(support.interpreter == "luajit" and 1 or 0, count(map, "%f[^%z\n]%x+ %x+ goloader%.pure_call\n"))
    for line in map:gmatch "([^\n]*)\n" do assert.matches("^%x+ %x+ %S", line) end
  end)

  it("has it where the environment says so, and only there", function()
    assert.matches("main%.label\n", (map_of("load()", "", "GOLOADER_PERF=1")))
    assert.is_nil((map_of("load()", "", "GOLOADER_PERF=0")))
    assert.is_nil((map_of("load()", "{ perf = false }", "GOLOADER_PERF=1")))
  end)

  it("keeps what others have written to it, and writes to no file of others", function()
    local text = [[
      local f = io.open "/proc/self/stat"
      local name = "/tmp/perf-" .. f:read "*l":match "^%d+" .. ".map"
      f:close()
      f = io.open(name, "w")
      f:write "1000 10 somebody's\n"
      f:close()
      load()
      f = io.open(name)
      print(f:read "*l")
      print(f:read "*l":match "main%.%w+")
      f:close()
      os.remove(name)
      local other = os.tmpname()
      os.execute("ln -s " .. other .. " " .. name)
      load()
      f = io.open(other)
      print(f:read "*a" == "")
      f:close()
      os.remove(other)
    ]]
    local _, out = map_of(text, "{ perf = true }")
    assert.matches("^%d+\n1000 10 somebody's\nmain%.%w+\ntrue\n$", out)
  end)

  -- where there is none, or it may not look
  local data = support.tmpdir() .. "/perf.data"
  local record = { "perf", "record", "-q", "-e", "cpu-clock:u", "-g", "-o", data }
  if support.run { "perf", "record", "-q", "-e", "cpu-clock:u", "-o", data, "true" } == 0 then
    it("shows names, and callers", function()
      local text = "local m, t, s = load(), os.clock(), 0 while os.clock() - t < 0.5 do s = s + #m.Label('x', 20) end "
      local argv = { unpack(record) }
      for _, word in ipairs { support.interpreter, "spec/env.lua", script(text, "{ perf = true }") } do
        argv[#argv + 1] = word
      end
      local status, _, errors = support.run(argv)
      assert.equal(0, status, errors)
      local _, out = support.run { "perf", "script", "-i", data, "-F", "ip,sym,pid" }
      os.remove(("/tmp/perf-%s.map"):format(out:match "%d+"))
      assert.matches("main%.label\n[^\n]*main%.Label\n[^\n]*goloader%.dev/host/internal/enter%.Call", out)
    end)
  end
end)
