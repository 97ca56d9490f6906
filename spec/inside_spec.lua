-- What is seen of a process from inside stays right, and costs no memory that stays, while modules come and go.
local support = require "spec.support"

teardown(support.clean)

-- A version of a module whose functions and file have its name; all of it lies behind so many lines.
local function version(i)
  local name = "swap" .. i
  local lines = ("\n"):rep(7 * i)
  return support.compile(support.write(name .. ".go", ("package %s\n%s"):format(name, lines) .. [[
import "runtime"

type stopper struct{ stop, stopped chan int }

var running stopper

//go:noinline
func (s *stopper) wait(n int) {
	if n > 0 {
		s.wait(n - 1)
		return
	}
	<-s.stop
}

func Start() {
	running = stopper{make(chan int), make(chan int)}
	s := &running
	go func() {
		s.wait(3)
		close(s.stopped)
	}()
}

func Stop() {
	close(running.stop)
	<-running.stopped
	runtime.Gosched()
}

//go:noinline
func fail(n int) int { return 7 / n }

func Fail() int { return fail(0) }
]]), name)
end

-- Takes tracebacks of all goroutines, from another one than Lua's, and finds those that can't be.
local watcher = [=[
package watcher

import (
	"regexp"
	"runtime"
	"strconv"
	"sync"
)

var frame = regexp.MustCompile(`(?m)^(?:created by )?swap(\d+)\.[^\n]*\n\t\S*/([^/\s]*)\.go:(\d+)`)

var (
	lock    sync.Mutex
	seen    = map[string]int{}
	stop    = make(chan int)
	stopped = make(chan int)
	wrong   string
)

// Wrong looks for functions of a version in the file or at a line of another one.
func Wrong(text string) (found int, wrong string) {
	for _, match := range frame.FindAllStringSubmatch(text, -1) {
		version, _ := strconv.Atoi(match[1])
		line, _ := strconv.Atoi(match[3])
		first := 1 + 7*version
		if match[2] != "swap"+match[1] || line <= first || line > first+36 {
			return 0, match[0]
		}
		found++
		lock.Lock()
		seen[match[1]]++
		lock.Unlock()
	}
	return found, ""
}

func Watch() {
	go func() {
		defer close(stopped)
		text := make([]byte, 1<<20)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, is := Wrong(string(text[:runtime.Stack(text, true)])); is != "" {
				wrong = is
				return
			}
		}
	}()
}

func Done() (versions, frames int, first string) {
	close(stop)
	<-stopped
	for _, n := range seen {
		frames += n
	}
	return len(seen), frames, wrong
}
]=]

describe("tracebacks, while versions of a module are swapped as fast as can be,", function()
  it("have no wrong name, file or line", function()
    local host = support.host()
    local versions = {}
    for i = 1, 12 do versions[i] = version(i) end
    local watch = assert(host:build(support.write("watcher.go", watcher)))
    watch.Watch()
    local old
    for i = 1, 400 do
      local new = assert(host:load(versions[i % 12 + 1]))
      new.Start()
      if old then
        old.Stop()
        assert.is_true(support.eventually(function() return old:unload() end))
      end
      local ok, message = pcall(new.Fail)
      assert.is_false(ok)
      local found, wrong = watch.Wrong(tostring(message))
      assert.equal("", wrong)
      assert.is_true(tonumber(found) >= 2, message)
      assert.matches("swap" .. (i % 12 + 1) .. "%.fail", tostring(message))
      old = new
    end
    old.Stop()
    local seen, frames, wrong = watch.Done()
    assert.equal("", wrong)
    assert.equal(12, tonumber(seen))
    assert.is_true(tonumber(frames) > 2000, frames)
    assert.is_true(support.eventually(function() return old:unload() end))
    assert.is_true(support.eventually(function() return watch:unload() end))
  end)
end)

describe("ten thousand loads and unloads, with gdb, perf and profiles told of all of them,", function()
  it("leave resident memory, and gdb's list, as they were", function()
    -- so many names that what is kept of them is full before it is measured
    local function many(name)
      local functions = { "package main\n" }
      local body = "(n int) int {\n\tif n > 9 {\n\t\treturn n / 3\n\t}\n\treturn n % 5\n}\n"
      for i = 1, 60 do functions[#functions + 1] = "func " .. name .. i .. body end
      return support.compile(table.concat(functions, "\n"), "main")
    end
    local script = support.write("cycles.lua", ([[
      local support = require "spec.support"
      local goloader = require "goloader"
      local host = assert(goloader.host { debug = true, perf = true })
      local files = { %q, %q }
      local profile = assert(goloader.profile "block") -- names of what was unloaded are kept from here on
      local function cycle(n)
        for i = 1, n do assert(assert(host:load(files[i %% 2 + 1])):unload()) end
        collectgarbage()
        return support.rss()
      end
      local ffi = package.loaded.ffi or pcall(require, "ffi") and require "ffi"
      if ffi then
        ffi.cdef "struct jit_entry { struct jit_entry *next, *prev; const char *file; uint64_t size; };"
        ffi.cdef "struct jit_list { uint32_t version, action; struct jit_entry *relevant, *first; };"
        ffi.cdef "extern struct jit_list __jit_debug_descriptor;"
      end
      local library = ffi and ffi.load(package.searchpath("goloader.core", package.cpath))
      local function listed() -- how many files gdb is told of; without FFI nobody knows
        local n, entry = 0, library and library.__jit_debug_descriptor.first
        while entry and entry ~= nil do n, entry = n + 1, entry.next end
        return n
      end
      -- until the names are as many as are kept
      local before = cycle(4000)
      local files_before = listed()
      local after = cycle(6000)
      local files_after = listed()
      local left = assert(host:load(files[1]))
      print((after - before) / 1e6, files_after - files_before, listed() - files_after, ffi and 1 or 0)
      profile:stop()
      local f = io.open "/proc/self/stat"
      os.remove("/tmp/perf-" .. f:read "*l":match "^%%d+" .. ".map")
      f:close()
    ]]):format(many "One", many "Another"))
    local status, out, errors = support.run { support.interpreter, "spec/env.lua", script }
    assert.equal(0, status, out .. errors)
    local grown, more, of_one, has_ffi = out:match "^(%S+)\t(%d+)\t(%d+)\t(%d+)\n"
    assert.is_true(tonumber(grown) < 6, "grown by " .. grown .. " MB")
    assert.same({ "0", has_ffi }, { more, of_one })
  end)
end)
