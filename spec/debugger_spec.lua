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

setup(function() module_file = support.compile(source, "main", { "-dwarf=false" }) end)

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
    -- the host, too, publishes something when it starts: that is not of interest
    local out = gdb(program "load().Label('x', 1)", "tbreak gl_module_load", "run",
      "break goloader.dev/host.goloader_publish", "break main.stop", "continue", "bt", "continue", "bt")
    local publish, stop = out:match "(hit Breakpoint 2.-)(hit Breakpoint 3.*)"
    assert.is_string(stop, out)
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

-- What an object was compiled with DWARF for.
describe("gdb, of variables,", function()
  local variables = [[
package main

import "errors"

type Item struct {
	Name  string
	Price int
	Next  *Item
}

type Named interface{ Label() string }

func (i *Item) Label() string { return i.Name }

var stopped int

//go:noinline
func stop(n int) { stopped += n }

//go:noinline
func look(item *Item, list []string, prices map[string]int, err error, n float64, named Named) int {
	total := item.Price + len(list) + int(n)
	for i, name := range list {
		price := prices[name]
		stop(price + i) // 25
		total += price
	}
	if err != nil && named != nil {
		total++
	}
	return total
}

func Look(name string) int {
	item := &Item{"tea", 5, &Item{Name: "mug"}}
	return look(item, []string{name, "pot"}, map[string]int{name: 7}, errors.New("no"), 2.5, item)
}

func Sum(numbers ...int) (total int) {
	for _, number := range numbers {
		total = plus(total, number) // 41
	}
	return total
}

func plus(a, b int) int {
	sum := a + b
	stop(sum) // 48
	return sum
}

func pick[T any](first, second T, n int) T {
	if n > 0 { // 53
		stop(n)
		return first
	}
	return second
}

func Pick(n int) string { return pick("red", "blue", n) }
]]
  local plain, exact, without

  local function of(object, text) return text:gsub("load%(%)", ("assert(host:load %q)"):format(object)) end

  local function run(object, text, ...)
    return gdb(program((of(object, text))), ...)
  end

  setup(function()
    local source_file = support.write("variables.go", variables)
    plain = support.compile(source_file, "main")
    exact = support.compile(source_file, "main", { "-N", "-l" })
    without = support.compile(source_file, "main", { "-dwarf=false" })
  end)

  it("has the values of arguments and locals, where the compiler has kept them", function()
    local out = run(plain, "load().Look 'cup'", "break main.look", "run", "print *item", "print *item.Next",
      "print list", "print n", "info args", "break variables.go:25", "continue", "info locals", "print item.Name")
    assert.matches("main%.look %(item=0x%x+, list=%.%.%., prices=0x%x+, err=%.%.%., n=2%.5, named=%.%.%., "
      .. "~r0=<optimized out>%) at [^\n]*variables%.go:21\n", out)
    assert.matches('= {Name = 0x%x+ "tea%w*", Price = 5, Next = 0x%x+}\n', out)
    assert.matches('= {Name = 0x%x+ "mug%w*", Price = 0, Next = 0x0}\n', out)
    assert.matches("= {array = 0x%x+, len = 2, cap = 2}\n", out)
    assert.matches("= 2%.5\n", out)
    assert.matches("\nlist = {array = 0x%x+, len = 2, cap = 2}\n", out)
    assert.matches("hit Breakpoint 2.-\nprice = 7\n", out)
  end)

  it("has all of them of code that isn't optimized, as Go's script shows them", function()
    local script_of_go = support.tools().goroot .. "/src/runtime/runtime-gdb.py"
    local out = run(exact, "load().Look 'cup'", "source " .. script_of_go, "break variables.go:25", "run", "bt 1",
      "info args", "info locals", "print *item", "ptype item", "up", "info locals")
    assert.matches('\nlist = %[%]string = {"cup", "pot"}\n', out)
    assert.matches('\nprices = map%[string%]int = {%["cup"%] = 7}\n', out)
    assert.matches("\nn = 2%.5\n", out)
    assert.matches('\nprice = 7\n', out)
    assert.matches('\nname = "cup"\n', out)
    assert.matches("\ni = 0\n", out)
    assert.matches("\ntotal = 9\n", out)
    assert.matches('= {Name = "tea", Price = 5, Next = 0x%x+}\n', out)
    assert.matches("struct main%.Item {\n *string Name;\n *int Price;\n *main%.Item %*Next;\n", out)
    assert.matches('in main%.Look %(name="cup", ~r0=0%) at [^\n]*variables%.go:36\n', out)
  end)

  it("has those of what was inlined, and of what is generic", function()
    local out = run(plain, "local m = load() m.Sum(3, 4) m.Pick(6)", "break variables.go:48", "run", "bt 2",
      "info locals", "up", "info args", "delete", "break variables.go:53", "continue", "bt 2")
    assert.matches("#0  main%.plus %(a=[^\n]*, b=3%) at [^\n]*variables%.go:48\n"
      .. "#1  main%.Sum %(numbers=[^\n]*, total=[^\n]*%) at [^\n]*variables%.go:41\n", out)
    assert.matches("\nsum = 3\n", out)
    assert.matches("main%.pick%[[^\n]*n=6[^\n]* at [^\n]*variables%.go:53\n", out)
  end)

  it("has those of the copies that the pure road calls", function()
    local adds = support.compile("package main\n\nfunc Add(a, b int) int {\n\tsum := a + b\n\treturn sum\n}\n",
      "main")
    local text = "local m, s = load(), 0 for i = 1, 1000 do s = s + m.Add(i, 3) end " .. pause .. "s = s + m.Add(41, 3)"
    local out = run(adds, text, "tbreak system", "run", "break main.Add", "info breakpoints", "continue")
    assert.matches("%d%.2 [^\n]* in main%.Add at ", out)
    assert.matches("hit Breakpoint [^\n]*main%.Add %(a=41, b=3, ~r0=[^\n]*%) at [^\n]*main%.go:", out)
  end)

  it("has those of modules that were shipped with them", function()
    local function shipped(options)
      local gom = support.tmpdir() .. "/variables.gom"
      assert(support.host():ship(support.write("variables.go", variables), gom, options))
      return gom, #support.read(gom)
    end
    local out = run(shipped { debug = true }, "local m = load() m.Look 'cup' m.Sum(3, 4)", "break main.look",
      "break variables.go:48", "run", "info args", "print *item", "continue", "bt 2", "info locals")
    assert.matches("\nprices = 0x%x+\n", out)
    assert.matches("\nn = 2%.5\n", out)
    assert.matches('= {Name = 0x%x+ "tea%w*", Price = 5, Next = 0x%x+}\n', out)
    assert.matches("#0  main%.plus %(a=[^\n]*, b=3%) at [^\n]*variables%.go:48\n"
      .. "#1  main%.Sum %(numbers=[^\n]*, total=[^\n]*%) at [^\n]*variables%.go:41\n", out)
    assert.matches("\nsum = 3\n", out)
    local _, with = shipped { debug = true }
    local gom, size = shipped()
    assert.is_true(size < with)
    assert.matches("main%.look %(%) at ", (run(gom, "load().Look 'cup'", "break main.look", "run", "info args")))
  end)

  it("has them in a core file", function()
    local core = support.tmpdir() .. "/variables.core"
    local script_of_go = support.tools().goroot .. "/src/runtime/runtime-gdb.py"
    local text = of(exact, "load().Look 'cup'")
    gdb({ "--args", support.interpreter, "spec/env.lua", script(text, "{ debug = true }") }, "break variables.go:25",
      "run", "generate-core-file " .. core)
    local out = gdb({ "-c", core, path_of(support.interpreter) }, "source " .. script_of_go, "bt", "frame 0",
      "info args", "info locals", "info goroutines")
    os.remove(core)
    assert.matches("#0  main%.look %([^\n]* at [^\n]*variables%.go:25\n"
      .. '#1 +0x%x+ in main%.Look %(name="cup"[^\n]*\n', out)
    assert.matches("%.fromC %(%)[^#]*#.- in main %(%)", out)
    assert.matches('\nprices = map%[string%]int = {%["cup"%] = 7}\n', out)
    assert.matches("\nprice = 7\n", out)
    assert.matches("\n%*? *%d+ running ", out)
  end)

  it("has none where the object has no DWARF, or nobody was told when it was loaded", function()
    local out = run(without, "load().Look 'cup'", "break main.look", "run", "info args")
    assert.matches("main%.look %(%) at ", out)
    local of_plain = of(plain, "local m = load() m.Look 'cup'")
    out = attached(of_plain, nil, "GOLOADER_DEBUG=", "call (void)goloader_debug()", "info scope main.look")
    assert.matches("contains no locals or arguments", out)
    out = attached(of_plain, "{ debug = true }", "GOLOADER_DEBUG=", "info scope main.look")
    assert.matches("Symbol prices is ", out)
  end)

  it("has them of what is built while it is there", function()
    local dir = support.write("built.go", "package main\n\nfunc Twice(n int) int {\n\treturn 2 * n\n}\n")
    local out = gdb({ "--args", support.interpreter, "spec/env.lua", support.write("builds.lua", ([[
      local host = assert(require "goloader".host { debug = true })
      local m = assert(host:build %q)
      assert(m.Twice(4) == 8)
    ]]):format(dir)) }, "break main.Twice", "run")
    assert.matches("main%.Twice %(n=4, ~r0=[^\n]*%) at [^\n]*built%.go:[34]\n", out)
  end)
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

  it("shows names, and callers", function()
    local lacking = support.no_perf()
    if lacking then pending(lacking) end
    local data = support.tmpdir() .. "/perf.data"
    local text = "local m, t, s = load(), os.clock(), 0 while os.clock() - t < 0.5 do s = s + #m.Label('x', 20) end "
    local status, _, errors = support.run { "perf", "record", "-q", "-e", "cpu-clock:u", "-g", "-o", data,
      support.interpreter, "spec/env.lua", script(text, "{ perf = true }") }
    assert.equal(0, status, errors)
    local _, out = support.run { "perf", "script", "-i", data, "-F", "ip,sym,pid" }
    os.remove(("/tmp/perf-%s.map"):format(out:match "%d+"))
    assert.matches("main%.label\n[^\n]*main%.Label\n[^\n]*goloader%.dev/host/internal/enter%.Call", out)
  end)
end)
