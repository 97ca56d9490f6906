-- C holds on to a module's C parts: threads, signal handlers, destructors, timers. Nobody dies of an unload.
local ffi = require "ffi"
local support = require "spec.support"

ffi.cdef [[
int open(const char *path, int flags, int mode);
int close(int fd);
int raise(int sig);
int getpid(void);
int kill(int pid, int sig);
]]

local SIGUSR1, SIGUSR2 = 10, 12
local host, shipped

-- Shipped, so that it is compiled and linked once.
setup(function()
  host = support.host()
  shipped = support.tmpdir() .. "/cusers.gom"
  assert(host:ship("spec/testdata/cusers", shipped))
end)
teardown(support.clean)

local function load() return assert(host:load(shipped)) end

-- How many libraries with C parts are mapped.
local function libraries()
  local _, n = support.read "/proc/self/maps":gsub("[^\n]*r%-xp[^\n]*memfd:goloader", "")
  return n
end

local function refused(module, pattern, options)
  local ok, _, err = module:unload(options)
  assert.is_nil(ok)
  assert.matches(pattern, tostring(err))
  assert.is_true(module:is_loaded())
end

-- Another module with C parts comes and goes, and takes along what nobody uses any more.
local function sweep() assert(load():unload()) end

-- No more libraries are mapped than before: at once, or when another has come and gone, since a thread that is just
-- ending can't be looked at, and a word that malloc has handed out before may look like a function that C was given.
local function all_are_gone(before)
  assert.is_true(support.eventually(function()
    if libraries() ~= before then sweep() end
    return libraries() == before
  end))
end

-- A file that C writes to, and what it has written when it has written that much.
local function output()
  local path = support.write("output", "")
  local fd = ffi.C.open(path, 1025, 0) -- O_WRONLY | O_APPEND
  return fd, function(expected)
    return support.eventually(function() return support.read(path) == expected end)
  end
end

describe("a module whose C parts", function()
  for how, function_name in pairs { Sleep = "sleeper", Call = "caller", Sort = "compare" } do
    it("a thread is in stays, and the thread is named: " .. how, function()
      local before, module = libraries(), load()
      module[how]()
      refused(module, how == "Call" and "calle[rd]" or "thread %d+ %b() is in " .. function_name .. " of its C parts")
      module.End()
      assert.is_true(support.eventually(function() return module:unload() end))
      all_are_gone(before)
    end)
  end

  -- The module goes though a thread is in the library, which stays until that has ended.
  local function leaves_its_library(start, options)
    local before, module = libraries(), load()
    module[start]()
    local stop = ffi.cast("volatile int *", module.StopAt())
    assert(module:unload(options))
    assert.equal(before + 1, libraries())
    stop[0] = 1
    all_are_gone(before)
  end

  it("a thread is in that can't be looked at goes, and leaves them there till it has ended", function()
    leaves_its_library "Compute"
  end)

  it("a thread is in goes for those who know better, and leaves them there", function()
    leaves_its_library("Sleep", { prove = "nothing" })
  end)

  it("handle a signal stays, and the signal is named", function()
    local before, module = libraries(), load()
    module.Handle(SIGUSR1)
    refused(module, "signal 10 .* is handled by handler of its C parts")
    ffi.C.raise(SIGUSR1)
    module.Unhandle(SIGUSR1)
    assert(module:unload())
    all_are_gone(before)
  end)

  it("handle a signal behind Go's handler stays", function()
    local notifier = assert(host:load(support.compile([[
package notifier

import (
	"os"
	"os/signal"
	"syscall"
)

var c chan os.Signal

func Notify() {
	c = make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR2)
}
func Wait() string { return (<-c).String() }
func Stop()        { signal.Stop(c) }
]], "notifier")))
    local module = load()
    module.Handle(SIGUSR2)
    notifier.Notify()
    refused(module, "signal 12 .* is handled by handler of its C parts")
    ffi.C.kill(ffi.C.getpid(), SIGUSR2)
    assert.equal("user defined signal 2", notifier.Wait())
    notifier.Stop()
    refused(module, "signal 12")
    ffi.C.raise(SIGUSR2)
    module.Unhandle(SIGUSR2)
    assert(module:unload())
    assert(notifier:unload())
  end)

  it("have a thread's values to destroy leaves them there", function()
    local script = ([[
      local host = assert(require "goloader".host())
      local module = assert(host:load(%q))
      module.Key(1)
      print(module:unload())
      io.stdout:flush()
      local ffi = require "ffi"
      ffi.cdef "void pthread_exit(void *);"
      os.execute "(sleep 0.5; kill -9 $PPID) >/dev/null 2>&1 &"
      ffi.C.pthread_exit(nil)
    ]]):format(shipped)
    local _, out = support.lua(script, "timeout 20")
    assert.equal("true\ndestroyed ", out)
  end)

  it("a timer will call leaves them there", function()
    local before, module = libraries(), load()
    local fd, has_written = output()
    module.Fire(fd, 200)
    assert(module:unload())
    assert.equal(before + 1, libraries())
    assert.is_true(has_written "fired ")
    ffi.C.close(fd)
  end)

  it("Go refers to leaves them there", function()
    local keeper = assert(host:load(support.compile([[
package keeper

import "unsafe"

var kept *int32

func Keep(p uintptr) { kept = *(**int32)(unsafe.Pointer(&p)) }
func Set(n int32)    { *kept = n }
]], "keeper")))
    local before, module = libraries(), load()
    keeper.Keep(module.StopAt())
    assert(module:unload())
    for _ = 1, 3 do
      sweep()
      keeper.Set(5)
      assert.equal(before + 1, libraries())
    end
    keeper.Keep(0)
    sweep()
    all_are_gone(before)
    assert(keeper:unload())
  end)

  it("garbage of Go's refers to go", function()
    local keeper = assert(host:load(support.compile([[
package keeper

var kept [][]uintptr

func KeepBefore(p uintptr) {
	for range [1000]int{} {
		kept = append(kept, []uintptr{p - 1, p - 1})
	}
}
func Drop() { kept = nil }
]], "keeper")))
    local before, module = libraries(), load()
    keeper.KeepBefore(module.AfterHandler())
    keeper.Drop()
    assert(module:unload())
    assert.equal(before, libraries())
    assert(keeper:unload())
  end)

  it("are to be called at exit are called when they go", function()
    local before, module = libraries(), load()
    local fd, has_written = output()
    module.TellAtExit(fd)
    assert(module:unload())
    assert.is_true(has_written "exited ")
    all_are_gone(before)
    ffi.C.close(fd)
  end)
end)

describe("a process", function()
  for how, close in pairs { Compute = "true", Call = "true", Sleep = "false" } do
    it(("ends while a thread of C's runs: %s, os.exit(3, %s)"):format(how, close), function()
      local status, _, errors = support.lua(([[
        local host = assert(require "goloader".host())
        local module = assert(host:load(%q))
        module.%s()
        os.exit(3, %s)
      ]]):format(shipped, how, close), "timeout 20")
      assert.equal("", errors)
      assert.equal(3, status)
    end)
  end
end)
