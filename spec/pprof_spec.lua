-- Profiles that go tool pprof reads, taken from Lua: every name in them is right.
local goloader = require "goloader"
local support = require "spec.support"

teardown(support.clean)

local host

setup(function() host = support.host() end)

-- What go tool pprof prints of a profile.
local function pprof(file, ...)
  local argv = { "tool", "pprof", ... }
  argv[#argv + 1] = file
  local job = assert(support.tools():go(argv))
  local ok, output, errors = job:wait()
  assert(ok, errors)
  return output
end

-- A module whose functions have its name.
local function source(name, lines)
  return support.write(name .. ".go", ("package %s\n%s"):format(name, ("\n"):rep(lines)) .. [[
//go:noinline
func work(i int) int { return i * i % 7 }

func Pure(n int) (sum int) {
	for i := 0; i < n; i++ {
		sum += work(i)
	}
	return
}

func Go(n int, f func()) (all []int) {
	f()
	for i := 0; i < n; i++ {
		all = append(all, work(i))
	}
	return
}
]])
end

local function spin(seconds, f, ...)
  local from = os.clock()
  while os.clock() - from < seconds do f(...) end
end

local function nothing() end

describe('goloader.profile "cpu"', function()
  it("names functions that Lua calls without Go's runtime, and those that were unloaded before it ended", function()
    local module = assert(host:build(source("stock", 0)))
    local profile = assert(goloader.profile "cpu")
    spin(0.4, module.Pure, 20000)
    spin(0.4, module.Go, 20000, nothing)
    assert(module:unload())
    local file = support.tmpdir() .. "/cpu.prof"
    assert.is_true(profile:stop(file))
    local top = pprof(file, "-top", "-lines", "-nodecount=500")
    assert.matches("stock%.work [^\n]*/stock%.go:3\n", top)
    if rawget(_G, "jit") then assert.matches("stock%.Pure [^\n]*/stock%.go:[67]\n", top) end
    assert.matches("stock%.Go [^\n]*/stock%.go:1[345]\n", top)
    assert.matches("module: [^\n]*\n[^\n]*: stock@%d+\n", pprof(file, "-tags"))
  end)

  it("tells versions of a module apart, and knows no wrong name while they are swapped", function()
    local profile = assert(goloader.profile "cpu")
    for i = 1, 40 do
      local module = assert(host:build(source("swap" .. i, i)))
      spin(0.03, module.Go, 5000, nothing)
      spin(0.03, module.Pure, 5000)
      assert(module:unload())
    end
    local file = support.tmpdir() .. "/swaps.prof"
    assert(profile:stop(file))
    local raw = pprof(file, "-raw")
    -- Which module an address is of, by its mapping
    local names, seen = {}, {}
    for id, name in raw:match("\nMappings\n(.*)"):gmatch "(%d+): %S+ (swap%d+)@%d+ " do names[id] = name end
    for mapping, functions in raw:match("\nLocations\n(.*)\nMappings\n"):gmatch "\n%s*%d+: 0x%x+ M=(%d+) ([^\n]*)" do
      local name = names[mapping]
      if name and not functions:find "^goloader%.pure_call " then -- what Lua calls is with the copies
        assert.matches("^" .. name .. "%.%a+ [^\n]*/" .. name .. "%.go:", functions)
        local line = tonumber(functions:match ":(%d+)")
        assert.is_true(line > tonumber(name:match "%d+") and line <= tonumber(name:match "%d+") + 18, functions)
        seen[name] = true
      elseif not name then
        assert.not_matches("^swap%d", functions)
      end
    end
    local nseen = 0
    for _ in pairs(seen) do nseen = nseen + 1 end
    assert.is_true(nseen > 30, nseen)
  end)

  it("returns its bytes where no file is named, and can be taken again", function()
    for _ = 1, 2 do
      local profile = assert(goloader.profile "cpu")
      local second, message = goloader.profile "cpu"
      assert.is_nil(second)
      assert.matches("cpu profiling already in use", message)
      assert.equal("\31\139", assert(profile:stop()):sub(1, 2))
      local again, err
      again, message, err = profile:stop()
      assert.is_nil(again)
      assert.equal("closed", err.code)
      assert.matches("the profile has ended", message)
    end
  end)
end)

describe("goloader.profile", function()
  it("takes the heap, goroutines, blocking and mutexes", function()
    local module = assert(host:build(support.write("waits.go", [[
package waits

import (
	"sync"
	"time"
)

var Kept [][]byte

func Keep() { Kept = append(Kept, make([]byte, 8<<20)) }

func Start(stop chan int) { go waiting(stop) }

func waiting(stop chan int) { <-stop }

func Stop() chan int { return make(chan int) }

func Block() {
	c := make(chan int)
	go func() { time.Sleep(20 * time.Millisecond); close(c) }()
	<-c
}

func Contend() {
	var mu sync.Mutex
	var both sync.WaitGroup
	for i := 0; i < 2; i++ {
		both.Add(1)
		go func() { mu.Lock(); time.Sleep(20 * time.Millisecond); mu.Unlock(); both.Done() }()
	}
	both.Wait()
}
]])))
    local dir = support.tmpdir()
    -- Go samples memory from the time when the first profile of it is asked for
    assert(goloader.profile("heap", dir .. "/heap.prof"))
    local block, mutex = assert(goloader.profile "block"), assert(goloader.profile "mutex")
    local stop = module.Stop()
    module.Start(stop)
    module.Keep()
    module.Block()
    module.Contend()
    assert(goloader.profile("heap", dir .. "/heap.prof"))
    assert(goloader.profile("goroutine", dir .. "/goroutine.prof"))
    assert(block:stop(dir .. "/block.prof"))
    assert(mutex:stop(dir .. "/mutex.prof"))
    for kind, name in pairs { heap = "Keep", goroutine = "waiting", block = "Block", mutex = "Contend%.func1" } do
      assert.matches("waits%." .. name .. "\n", pprof(dir .. "/" .. kind .. ".prof", "-top", "-nodecount=500"))
    end
    module.Kept = nil
    stop:close()
    collectgarbage()
    assert.is_true(support.eventually(function() return module:unload { handles = "drop" } end))
  end)

  it("keeps names of what was unloaded within bounds", function()
    local object = support.compile(support.read(source("kept", 0)), "kept")
    local grown = support.growth(6, function()
      for _ = 1, 100 do assert(assert(host:load(object)):unload()) end
    end)
    assert.is_true(grown < 8e6, "grown by " .. grown)
  end)

  it("says what is wrong with its arguments", function()
    assert.error_matches(function() goloader.profile "time" end, 'goloader.profile: "cpu", .* expected, got "time"$')
    assert.error_matches(function() goloader.profile() end, "expected, got nil$")
    assert.error_matches(function() goloader.profile("cpu", "x") end, "the file is an argument of profile:stop$")
    assert.error_matches(function() goloader.profile("heap", 1) end, "a file's name expected, got number$")
    local ok, message, err = goloader.profile("goroutine", "/nowhere/x")
    assert.is_nil(ok)
    assert.equal("io", err.code)
    assert.matches("/nowhere/x", message)
  end)
end)
