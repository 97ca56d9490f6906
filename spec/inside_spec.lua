-- What is seen of a process from inside stays right, and costs no memory that stays, while modules come and go.
local goloader = require "goloader"
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

teardown(support.clean)

-- A version of a module whose functions and file have its name; all of it lies behind so many lines.
local function version(i)
  local name = "swap" .. i
  local lines = ("\n"):rep(7 * i)
  return support.compile(support.write(name .. ".go", ("package %s\n%s"):format(name, lines) .. [[
import (
	"context"
	"runtime"
	"runtime/pprof"
)

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

//go:noinline
func work(n int) (sum int) {
	for i := 0; i < n; i++ {
		sum += i * i % 7
	}
	return
}

// Work has what samples of it are to say of themselves.
func Work(n int) (sum int) {
	pprof.Do(context.Background(), pprof.Labels("version", "]] .. name .. [["), func(context.Context) { sum = work(n) })
	return
}
]]), name)
end

-- Those are the same for all specs here.
local versions = {}

setup(function()
  for i = 1, 12 do versions[i] = version(i) end
end)

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
		if match[2] != "swap"+match[1] || line <= first || line > first+60 {
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

-- The samples of a profile, as go tool pprof -raw lists them: what they say of themselves, and their stacks.
local function samples_of(raw)
  local functions, samples, last = {}, {}, nil
  for line in raw:match("\nLocations\n(.*)\nMappings\n"):gmatch "[^\n]+" do
    local id, text = line:match "^%s*(%d+): 0x%x+ M=%d+ (.*)"
    last = id or last
    functions[last] = (functions[last] and functions[last] .. "\n" or "") .. (text or line) -- what was inlined goes on
  end
  for line in raw:match("\nSamples:\n(.*)\nLocations\n"):gmatch "[^\n]+" do
    local stack = line:match "^%s*%d+%s+%d+: ([%d ]+)$"
    if stack then
      last = { stack = {} }
      samples[#samples + 1] = last
      for id in stack:gmatch "%d+" do table.insert(last.stack, functions[id]) end
    else
      for key, value in line:gmatch "(%a+):%[([^%]]*)%]" do last[key] = value end
    end
  end
  return samples
end

describe("a CPU profile, while versions of a module are swapped as fast as can be,", function()
  it("has each sample under the version that says of itself that it was running", function()
    local host = support.host()
    local profile = assert(goloader.profile "cpu")
    local old
    for i = 1, 600 do
      local new = assert(host:load(versions[i % 12 + 1]))
      new.Work(3000000)
      if old then assert(support.eventually(function() return old:unload() end)) end
      old = new
    end
    local file = support.tmpdir() .. "/swaps.prof"
    assert(profile:stop(file))
    assert(support.eventually(function() return old:unload() end))
    local job = assert(support.tools():go { "tool", "pprof", "-raw", file })
    local _, raw, errors = job:wait()
    assert.equal("", errors)
    local seen, nseen, n = {}, 0, 0
    for _, sample in ipairs(samples_of(raw)) do
      local stack = table.concat(sample.stack, "\n")
      for name, path, line in stack:gmatch "%f[%w](swap%d+)%.[^\n]* (%S-%.go):(%d+)" do
        local first = 1 + 7 * name:match "%d+"
        assert.equal(sample.version or name, name) -- before pprof.Do has begun it says nothing
        assert.equal(name, sample.module:match "^[^@]*")
        assert.equal(name .. ".go", path:match "[^/]*$")
        assert.is_true(tonumber(line) > first and tonumber(line) <= first + 60, line)
      end
      if sample.version and stack:find "%.work " then
        n = n + 1
        nseen = nseen + (seen[sample.version] and 0 or 1)
        seen[sample.version] = true
      end
    end
    assert.equal(12, nseen)
    assert.is_true(n > 50, n)
  end)
end)

-- With perf files stay until another process removes them: there they are told of in the map alone.
for what, options in pairs {
  ["gdb, perf and profiles told of all of them"] = "debug = true, perf = true",
  ["gdb and profiles told of all of them, and files for each"] = [[debug = "files"]],
} do
  describe("ten thousand loads and unloads, with " .. what .. ",", function()
    it("leave resident memory, mappings, files and gdb's list as they were", function()
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
        local host = assert(goloader.host { %s })
        local files = { %q, %q }
        local profile = assert(goloader.profile "block") -- names of what was unloaded are kept from here on
        local function cycle(n)
          for i = 1, n do assert(assert(host:load(files[i %% 2 + 1])):unload()) end
          collectgarbage()
          return support.rss()
        end
        local folder = os.getenv "XDG_RUNTIME_DIR"
        local function kept() -- mappings and files
          local pipe = io.popen(("find %%s -name '*.so' | wc -l"):format(folder))
          local n = pipe:read "*n"
          pipe:close()
          return support.mappings() + 1000 * n
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
        local files_before, kept_before = listed(), kept()
        local after = cycle(6000)
        local files_after, kept_after = listed(), kept()
        local left = assert(host:load(files[1]))
        print((after - before) / 1e6, files_after - files_before, listed() - files_after, ffi and 1 or 0,
          kept_after - kept_before)
        profile:stop()
        local f = io.open "/proc/self/stat"
        os.remove("/tmp/perf-" .. f:read "*l":match "^%%d+" .. ".map")
        f:close()
      ]]):format(options, many "One", many "Another"))
      local runtime = toolchain.absolute(support.tmpdir()) .. "/runtime"
      os.execute("mkdir -p -m 700 " .. runtime)
      local status, out, errors = support.run({ support.interpreter, "spec/env.lua", script },
        "XDG_RUNTIME_DIR=" .. runtime)
      assert.equal(0, status, out .. errors)
      local grown, more, of_one, has_ffi, kept = out:match "^(%S+)\t(%d+)\t(%d+)\t(%d+)\t(%S+)"
      assert.is_true(tonumber(grown) < 6, "grown by " .. grown .. " MB")
      assert.same({ "0", has_ffi }, { more, of_one })
      assert.is_true(tonumber(kept) < 50, kept) -- mappings, and a thousand for each file
    end)
  end)
end
