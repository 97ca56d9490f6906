-- Signal handlers that are installed while Go runs: on a goroutine's stack there is no room for them.
local support = require "spec.support"

local SA_ONSTACK = 0x08000000

local HEAD = ([[
  local ffi = require "ffi"
  ffi.cdef [=[
    struct handler { void *handler; unsigned long mask[16]; int flags; void *restorer; };
    int sigaction(int, const struct handler *, struct handler *);
    void *signal(int, void *);
    int abs(int);
  ]=]
  local function has_stack(sig)
    local now = ffi.new "struct handler"
    assert(ffi.C.sigaction(sig, nil, now) == 0)
    return require "bit".band(now.flags, %d) ~= 0
  end
  local SIGUSR2, SIGPROF = 12, 27
  local host = assert(require "goloader".host())
]]):format(SA_ONSTACK)

local function run(script)
  return support.output_of(support.lua(HEAD .. script, nil, "luajit")) -- whose profiler it is
end

describe("LuaJIT's profiler", function()
  it("can be started when Go runs", function()
    assert.equal("true\ttrue\n", run [[
      local limits = assert(host:build "spec/testdata/limits/limits.go")
      local profile = require "jit.profile"
      local samples = 0
      profile.start("fi1", function(_, n) samples = samples + n end)
      local on_stack, stop = has_stack(SIGPROF), os.clock() + 1
      while os.clock() < stop do limits.Shared(8) end
      profile.stop()
      print(on_stack, samples > 10)
    ]])
  end)

  it("has its samples when it is started again while it runs", function()
    for starts = 1, 3 do
      assert.equal("true\n", run(([[
        local profile = require "jit.profile"
        local samples = 0
        for _ = 1, %d do profile.start("fi1", function(_, n) samples = samples + n end) end
        local from = os.clock()
        while os.clock() - from < 0.5 do end
        profile.stop()
        print(samples > 0)
      ]]):format(starts)))
    end
  end)

  it("can be asked for by its command line's module", function()
    assert.equal("true\n", run [[
      require "jit.p".start("fi1", "/dev/null")
      print(has_stack(SIGPROF))
    ]])
  end)
end)

describe("LuaJIT's profiler and a CPU profile of Go's", function()
  -- Both profile half a second of the same work; whatever is done before, between and after: samples of both
  local function both(first, second, third, fourth, options)
    local script = support.write("both.lua", HEAD .. ([[
      local goloader = require "goloader"
      local limits = assert(host:build "spec/testdata/limits/limits.go")
      local profile = require "jit.profile"
      local samples, go = 0
      local function work() local from = os.clock() while os.clock() - from < 0.5 do limits.Shared(8) end end
      local function lua_starts() profile.start("fi10", function(_, n) samples = samples + n end) end
      local function lua_stops() profile.stop() end
      local function go_starts() go = assert(goloader.profile "cpu") end
      local function go_stops() assert(go:stop(%q)) end
      local function nothing() end
      %s() %s() work() %s() %s()
      print(samples)
    ]]):format(support.tmpdir() .. "/both.prof", first, second, third, fourth))
    local argv = { "luajit", "spec/env.lua", script }
    if options then table.insert(argv, 2, options) end
    local status, out, errors = support.run(argv)
    assert.equal(0, status, errors)
    local job = assert(support.tools():go { "tool", "pprof", "-top", support.tmpdir() .. "/both.prof" })
    local _, top = job:wait()
    local total, unit = top:match "Total samples = ([%d.]+)(m?s)"
    return tonumber(out:match "(%d+)\n$"), tonumber(total) * (unit == "s" and 1000 or 1) / 10
  end

  local function have_samples(lua, go)
    assert.is_true(lua > 10, lua) -- of fifty on a machine that does nothing else
    assert.is_true(go > 10, go)
    assert.is_true(lua < 200 and go < 200, lua .. " " .. go)
  end

  it("have samples, whichever starts first and whichever stops", function()
    have_samples(both("lua_starts", "go_starts", "lua_stops", "go_stops"))
    have_samples(both("lua_starts", "go_starts", "go_stops", "lua_stops"))
    have_samples(both("go_starts", "lua_starts", "lua_stops", "go_stops"))
    have_samples(both("go_starts", "lua_starts", "go_stops", "lua_stops"))
  end)

  it("have samples when luajit was started with its own", function()
    local report = support.tmpdir() .. "/jp.txt"
    local _, go = both("go_starts", "nothing", "go_stops", "nothing", "-jp=fi10," .. report)
    assert.is_true(go > 10, go)
    assert.matches("%d+%%%s+work", support.read(report))
  end)

  it("leave a process alone that ends while they run", function()
    local status, _, errors = support.run { "luajit", "spec/env.lua", support.write("ends.lua", HEAD .. [[
      local limits = assert(host:build "spec/testdata/limits/limits.go")
      require "jit.profile".start("fi1", function() end)
      assert(require "goloader".profile "cpu")
      local from = os.clock()
      while os.clock() - from < 0.2 do limits.Shared(8) end
      getmetatable(newproxy(true)).__gc = function()
        from = os.clock()
        while os.clock() - from < 0.2 do end
      end
    ]]) }
    assert.equal(0, status, errors)
  end)
end)

describe("a handler that something else has installed since Go runs", function()
  it("is given a stack when a module's function is first called", function()
    assert.equal("false\ttrue\n", run [[
      local limits = assert(host:build "spec/testdata/limits/limits.go")
      ffi.C.signal(SIGUSR2, ffi.cast("void *", ffi.C.abs))
      local before = has_stack(SIGUSR2)
      limits.Empty(1)
      print(before, has_stack(SIGUSR2))
    ]])
  end)
end)

describe("the thread that starts the host", function()
  it("blocks the signals that it blocked", function()
    local status, out, errors = support.lua([[
      local ffi = require "ffi"
      ffi.cdef [=[
        typedef struct { unsigned long bits[16]; } set;
        int sigprocmask(int, const set *, set *);
      ]=]
      local USR1, CHLD, WINCH, SETMASK = 10, 17, 28, 2
      local before, after = ffi.new "set", ffi.new "set"
      before.bits[0] = 2 ^ (USR1 - 1) + 2 ^ (CHLD - 1) + 2 ^ (WINCH - 1)
      assert(ffi.C.sigprocmask(SETMASK, before, nil) == 0)
      local host = assert(require "goloader".host())
      local limits = assert(host:build "spec/testdata/limits/limits.go")
      limits.Empty(1)
      ffi.C.sigprocmask(SETMASK, nil, after)
      print(before.bits[0] == after.bits[0])
    ]], nil, "luajit")
    assert.equal(0, status, errors)
    assert.equal("true\n", out)
  end)
end)

describe("a program that Go starts", function()
  local SOURCE = [[
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

func mask() string {
	out, err := exec.Command("grep", "SigBlk", "/proc/self/status").Output()
	return fmt.Sprintf("%s %v", strings.TrimSpace(strings.TrimPrefix(string(out), "SigBlk:")), err)
}

// Blocked returns the signals that children have blocked which the calling thread starts, and another one.
func Blocked() (string, string) {
	other := make(chan string)
	go func() { other <- mask() }()
	return mask(), <-other
}

// Ended says which signals end a child.
func Ended() string {
	var ends []string
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt, syscall.SIGHUP, syscall.SIGUSR2} {
		child := exec.Command("sleep", "60")
		if err := child.Start(); err != nil {
			return err.Error()
		}
		child.Process.Signal(sig)
		ends = append(ends, fmt.Sprint(child.Wait()))
	}
	return strings.Join(ends, ", ")
}

func main() { fmt.Println(Blocked()); fmt.Println(Ended()) }
]]
  local ENDED = "signal: terminated, signal: interrupt, signal: hangup, signal: user defined signal 2"

  local function children(before)
    local status, out, errors = support.lua(([[
      local ffi = require "ffi"
      ffi.cdef [=[
        typedef struct { unsigned long bits[16]; } set;
        int sigprocmask(int, const set *, set *);
      ]=]
      local SETMASK, set = 2, ffi.new "set"
      set.bits[0] = %d
      assert(ffi.C.sigprocmask(SETMASK, set, nil) == 0)
      local children = assert(assert(require "goloader".host()):build(%q))
      print(children.Blocked())
      print(children.Blocked:async():wait())
      print(children.Ended())
      print(children.Ended:async():wait())
    ]]):format(before, support.write("children.go", SOURCE)), nil, "luajit")
    assert.equal(0, status, errors)
    return out
  end

  it("has no signal blocked, whichever thread starts it, and is ended by them", function()
    local none = "0000000000000000 <nil>"
    assert.equal(("%s\t%s\n%s\t%s\n%s\n%s\n"):format(none, none, none, none, ENDED, ENDED), children(0))
  end)

  it("has those blocked that the process has", function()
    local USR1 = 2 ^ (10 - 1)
    local blocked = ("%016x"):format(USR1)
    local out = children(USR1)
    local masks = {}
    for mask in out:gmatch(("%x"):rep(16)) do masks[#masks + 1] = mask end
    assert.same({ blocked, blocked, blocked, blocked }, masks)
  end)

  it("has none blocked where a program is run by the command line", function()
    local status, out, errors = support.run { "build/bin/goloader", "run", support.write("children.go", SOURCE) }
    assert.equal(0, status, errors)
    assert.equal(("0000000000000000 <nil> 0000000000000000 <nil>\n%s\n"):format(ENDED), out)
  end)
end)
