-- A program that is its own host, with the race detector: races in loaded code are told of, and nothing else is.
local support = require "spec.support"
local toolchain = require "goloader.building.toolchain"

teardown(support.clean)

local source = [[
package main

import (
	"runtime"
	"sync"
)

var counter int

type box struct{ n int }

//go:noinline
func bump(b *box) {
	counter++ // 14
	b.n++     // 15
}

func both(f, g func()) {
	var done sync.WaitGroup
	done.Add(2)
	go func() { defer done.Done(); f() }()
	go func() { defer done.Done(); g() }()
	done.Wait()
}

func Race() int {
	b := &box{}
	both(func() { bump(b) }, func() { bump(b) })
	return counter
}

var lock sync.Mutex

func NoRace() int {
	b := &box{}
	locked := func() { lock.Lock(); bump(b); lock.Unlock() }
	both(locked, locked)
	return counter
}

var last []byte

// Each call has a goroutine of its own, which nothing but Lua's calls bring into an order.
func Write(n int) int {
	counter, last = counter+n, make([]byte, n)
	runtime.GC()
	return len(last)
}

var large [400]int

// Leave ends a goroutine whose writes nobody waits for.
func Leave() {
	go func() {
		counter++
		large[7]++
	}()
}

func Touch() int {
	counter++
	large[7]++
	return counter
}

func Call(f func(int) int) int {
	counter++
	defer func() { counter++ }()
	return f(counter)
}

func Sum[T int | float64](list ...T) (sum T) {
	for _, n := range list {
		sum += n
	}
	return sum
}

func Add(a, b int) int { return a + b }
]]

describe("a program with the race detector", function()
  local program, file

  setup(function()
    program = toolchain.absolute(support.tmpdir()) .. "/embed"
    file = toolchain.absolute(support.write("racy.go", source))
    local goloader = toolchain.quote(toolchain.absolute "build/bin/goloader")
    local command = ("cd examples/embed && exec %s host --exe --minimal -race -o %s ."):format(goloader,
      toolchain.quote(program))
    local status, _, errors = support.run { "sh", "-c", command }
    assert.equal(0, status, errors)
  end)

  local function run(text)
    local policy = toolchain.absolute(support.write("policy.lua", ([[
      local host = assert(require "goloader".host())
      local file = %q
      function reload()
        %s
        os.exit(0)
      end
    ]]):format(file, text)))
    local root = toolchain.absolute "."
    local status, out, errors = support.run({ "sh", "-c", ("cd examples/embed && exec %s -policy %s"):format(
      toolchain.quote(program), toolchain.quote(policy)) },
      ("LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' LUA_CPATH='%s/build/lib/?.so;;'"):format(root, root, root))
    assert.equal(0, status, errors)
    return out, errors
  end

  it("tells of a race in a module's variables, and of one on the heap, with file and line", function()
    local out, errors = run "print(assert(host:build(file)).Race())"
    assert.matches("^%d\n", out)
    assert.equal(2, select(2, errors:gsub("WARNING: DATA RACE\n", "")))
    assert.matches("DATA RACE\n%a+ at 0x%x+ by goroutine %d+:\n  main%.bump%(%)\n      [^\n]*/racy%.go:14 ", errors)
    assert.matches("DATA RACE\n%a+ at 0x%x+ by goroutine %d+:\n  main%.bump%(%)\n      [^\n]*/racy%.go:15 ", errors)
    assert.matches("Goroutine %d+ %(%a+%) created at:\n  main%.both%(%)\n      [^\n]*/racy%.go:21 ", errors)
  end)

  it("tells of none where there is none", function()
    local out, errors = run [[
      local m = assert(host:build(file))
      for i = 1, 20 do m.NoRace() m.Write(i) end
      print(m.NoRace(), m.Call(function(n) return m.Write(n) end), m.Sum(1, 2.5), m.Add(3, 4))
      for i = 1, 1000 do assert(m.Add(i, 1) == i + 1) end
      local job = m.Write:async(7)
      print(job:wait())
      m.Write(8)
    ]]
    assert.equal("", errors)
    assert.matches("^%d+\t%d+\t3%.5\t7\n7\n", out)
  end)

  it("keeps nothing of a module that has gone for the one that comes after it", function()
    local out, errors = run [[
      local runtime = assert(host:std "runtime")
      local object = assert(host:ship(file, file .. ".gom")) and file .. ".gom"
      for _ = 1, 100 do
        local m = assert(host:load(object))
        m.Touch()
        m.NoRace()
        m.Leave()
        while not m:unload() do end
        runtime.GC()
      end
      print "done"
    ]]
    assert.equal("", errors)
    assert.equal("done\n", out)
  end)
end)

describe("the race detector", function()
  it("is not for a host that is a library", function()
    local status, _, errors = support.run { "build/bin/goloader", "host", "-race", "-o", support.tmpdir() .. "/host.so",
      "fmt" }
    assert.equal(1, status)
    assert.equal("goloader: flag -race: the race detector has a runtime of its own: goloader host --exe -race makes "
      .. "programs that have it\n", errors)
  end)
end)
