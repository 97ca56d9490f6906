-- Static probes: places in the library that bpftrace, perf, gdb and others can be told of by name.
local support = require "spec.support"

teardown(support.clean)

local library = package.searchpath and package.searchpath("goloader.core", package.cpath)
  or "build/lib/goloader/core.so"

local has_header = support.run { "sh", "-c", "echo '#include <sys/sdt.h>' | cc -E - >/dev/null 2>&1" } == 0

local script = [[
  local host = assert(require "goloader".host())
  local m = assert(host:load %q)
  assert(m.Twice({ 4 })[1] == 8)
  local stop = m.Wait()
  assert(not m:unload())
  stop:Stop()
  assert(not host:load "/nowhere.o")
]]

local source = [[
package main

func Twice(all []int) []int {
	for i := range all {
		all[i] *= 2
	}
	return all
}

func Count(n int) int {
	counted = append(counted, n)
	return len(counted)
}

var counted []int

type waiting struct{ stop chan int }

func (w *waiting) Stop() { close(w.stop) }

func Wait() *waiting {
	w := &waiting{make(chan int)}
	go func() { <-w.stop }()
	return w
}
]]

-- The machine that has the header has the probes, another has none: both are right.
describe("the library", has_header and function()
  it("notes its probes, where each is a nop", function()
    local status, notes = support.run { "readelf", "-n", library }
    assert.equal(0, status)
    local places = {}
    for name, place, arguments in notes:gmatch
      "Provider: goloader\n%s*Name: (%w+)\n%s*Location: 0x(%x+)[^\n]*\n%s*Arguments: ([^\n]*)" do
      places[name] = places[name] or {}
      table.insert(places[name], { place = place, arguments = arguments })
    end
    for name, arguments in pairs { load = 2, publish = 3, unload = 2, refusal = 2, call = 2 } do
      assert.is_table(places[name], name)
      for _, probe in ipairs(places[name]) do
        assert.equal(arguments, select(2, probe.arguments:gsub("%S+@%S+", "")), name)
        local start = tonumber(probe.place, 16)
        local _, code = support.run { "objdump", "-d", "--start-address=" .. start, "--stop-address=" .. start + 1,
          library }
        assert.matches("\n%s*" .. probe.place:gsub("^0+", "") .. ":%s+90%s+nop\n", code)
      end
    end
  end)

  it("has at them what is told of them", function()
    local object = support.compile(source, "main")
    local lines = { "set pagination off", "set confirm off", "set breakpoint pending on", "set width 0",
      "set print thread-events off", "handle SIGURG nostop noprint pass", "tbreak luaopen_goloader_core", "run" }
    for _, probe in ipairs {
      { "load", '"load %s %d\\n", (char *)$_probe_arg0, $_probe_arg1' },
      { "publish", '"publish %s %d\\n", (char *)$_probe_arg0, $_probe_arg2 > 0' },
      { "refusal", '"refusal %s: %s\\n", (char *)$_probe_arg0, (char *)$_probe_arg1' },
      { "call", '"call %s %d\\n", (char *)$_probe_arg0, $_probe_arg1 > 0' },
    } do
      lines[#lines + 1] = ("break -probe-stap goloader:%s\ncommands\nsilent\nprintf %s\ncontinue\nend"):format(
        probe[1], probe[2])
    end
    lines[#lines + 1] = "continue\n"
    local status, out, errors = support.run { "gdb", "-nx", "-q", "-batch", "-x",
      support.write("probes.gdb", table.concat(lines, "\n")), "--args", support.interpreter, "spec/env.lua",
      support.write("probes.lua", script:format(object)) }
    assert.equal(0, status, errors)
    assert.matches("load [^\n]*%.o 1\n", out)
    assert.matches("publish main 1\n", out)
    assert.matches("call Twice 1\n", out)
    assert.matches("refusal main: module main can't be unloaded", out)
    assert.matches("refusal /nowhere%.o: [^\n]*/nowhere%.o", out)
  end)

  it("is what perf knows as events", function()
    local cache = support.tmpdir() .. "/buildids"
    local function perf(...) return support.run { "perf", "--buildid-dir", cache, ... } end
    local lacking = support.no_perf_probes()
    if lacking then pending(lacking) end
    perf("buildid-cache", "--add", library)
    local set, _, why = perf("probe", "-q", "sdt_goloader:publish")
    assert.equal(0, set, why)
    local data = support.tmpdir() .. "/probes.data"
    finally(function() perf("probe", "-q", "-d", "sdt_goloader:publish") end)
    local object = support.compile(source, "main")
    local status, _, errors = perf("record", "-q", "-e", "sdt_goloader:publish", "-o", data, support.interpreter,
      "spec/env.lua", support.write("probes.lua", script:format(object)))
    assert.equal(0, status, errors)
    local _, out = perf("script", "-i", data)
    assert.matches("sdt_goloader:publish: %(%x+%) arg1=%d+ arg2=%d+ arg3=%d+\n", out)
  end)

  it("tells bpftrace of each, and has one instruction that all calls from LuaJIT's code pass", function()
    local lacking = support.no_bpftrace()
    if lacking then pending(lacking) end
    local pipe = assert(io.popen(("exec %s spec/env.lua %s"):format(support.interpreter, support.write("often.lua", ([[
      local goloader = require "goloader"
      local host = assert(goloader.host())
      local kept = assert(host:load %q)
      local f = io.open "/proc/self/stat"
      print(f:read "*l":match "^%%d+")
      f:close()
      io.stdout:flush()
      local ended = os.time() + 60
      while os.time() < ended do
        local m = assert(host:load %q)
        m.Twice({ 4 })
        kept.Count(1)
        assert(m:unload())
        assert(not host:load "/nowhere.o")
      end
    ]]):format(support.compile(source, "main"), support.compile(source, "main"))))))
    local pid = pipe:read "*l"
    local program = {}
    for name, what in pairs { load = "str(arg0), arg1", publish = "str(arg0), arg2 > 0", unload = "str(arg0)",
      refusal = "str(arg0), str(arg1)", call = "str(arg0), arg1 > 0" } do
      program[#program + 1] = ("usdt:%s:goloader:%s { @%s[%s] = count(); }"):format(library, name, name, what)
    end
    program[#program + 1] = ('uprobe:%s:"goloader.dev/host/internal/enter.fromC.abi0" { @calls = count(); }'):format(
      support.tools().host)
    program[#program + 1] = "interval:s:1 { exit(); }"
    local status, out, errors = support.run { "bpftrace", "-p", pid, "-e", table.concat(program, "\n") }
    os.execute("kill -9 " .. pid)
    pipe:close()
    assert.equal(0, status, errors)
    for _, told in ipairs { "load%[[^\n]*%.o, 1%]", "load%[/nowhere%.o, 1%]", "publish%[main, 1%]", "unload%[main%]",
      "refusal%[/nowhere%.o, [^\n]*/nowhere%.o[^\n]*%]", "call%[Twice, 1%]", "calls" } do
      assert.matches("@" .. told .. ": [1-9]%d*\n", out)
    end
  end)
end or function()
  it("has no probes, as sys/sdt.h was not there", function()
    local _, notes = support.run { "readelf", "-n", library }
    assert.not_matches("stapsdt", notes)
  end)
end)
