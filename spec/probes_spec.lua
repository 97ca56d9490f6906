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

  -- where there is no perf, or the kernel does not let it (it needs tracefs, and the right to it)
  local cache = support.tmpdir() .. "/buildids"
  local function perf(...) return support.run { "perf", "--buildid-dir", cache, ... } end
  local probed = perf("buildid-cache", "--add", library) == 0 and perf("probe", "-q", "sdt_goloader:publish") == 0
  if not probed then
    it("can't be tried by perf here, as it is not there or may not set them", function()
      assert.not_equal(0, (perf("probe", "-q", "sdt_goloader:publish")))
    end)
    return
  end
  it("is what perf knows as events", function()
    local data = support.tmpdir() .. "/probes.data"
    finally(function() perf("probe", "-q", "-d", "sdt_goloader:publish") end)
    local object = support.compile(source, "main")
    local status, _, errors = perf("record", "-q", "-e", "sdt_goloader:publish", "-o", data, support.interpreter,
      "spec/env.lua", support.write("probes.lua", script:format(object)))
    assert.equal(0, status, errors)
    local _, out = perf("script", "-i", data)
    assert.matches("sdt_goloader:publish: %(%x+%) arg1=%d+ arg2=%d+ arg3=%d+\n", out)
  end)
end or function()
  it("has no probes, as sys/sdt.h was not there", function()
    local _, notes = support.run { "readelf", "-n", library }
    assert.not_matches("stapsdt", notes)
  end)
end)
