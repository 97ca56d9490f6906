-- Loaded code is seen by Go's runtime as its own: in panics, callers and profiles.
local support = require "spec.support"

local function line_of(file, text)
  local n = 0
  for line in io.lines(file) do
    n = n + 1
    if line:find(text, 1, true) then return n end
  end
end

local source = "spec/testdata/shop/shop.go"

describe("a panic in loaded code", function()
  it("is a Lua error with Go's message and traceback: functions, file and lines", function()
    local shop = assert(support.host():build(source))
    local ok, err = pcall(shop.Fail, "out of phones")
    assert.is_false(ok)
    local text = tostring(err)
    assert.matches("^[^\n]*panic: out of phones", text)
    for _, frame in ipairs { { "shop.deeper", "panic(*message)" }, { "shop.failing", "return deeper(&message)" },
      { "shop.Fail", "return failing(message)" } } do
      assert.matches(frame[1]:gsub("%p", "%%%0"), text)
      assert.matches(("shop%%.go:%d"):format(line_of(source, frame[2])), text)
    end
    assert.equal(3, shop.Add(1, 2))
    assert(shop:unload())
  end)

  it("may be the runtime's own", function()
    local module = assert(support.host():load(support.compile([[
package faults

type T struct{ next *T; n int }

func Nil(depth int) int { var t *T; return t.next.n + depth }
func Index(i int) int { return []int{1, 2, 3}[i] }
func Divide(a, b int) int { return a / b }
func Overflow(n int) int { if n < 0 { return 0 }; return Overflow(n+1) + 1 }
]], "faults")))
    assert.error_matches(function() module.Nil(1) end, "invalid memory address or nil pointer dereference.*faults%.Nil")
    assert.error_matches(function() module.Index(7) end, "index out of range %[7%] with length 3.*faults%.Index")
    assert.error_matches(function() module.Divide(1, 0) end, "integer divide by zero.*faults%.Divide")
    assert.equal(2, module.Index(1) )
    assert(module:unload())
    support.clean()
  end)
end)

describe("runtime.Callers", function()
  it("names loaded functions, files and lines, inlined ones too", function()
    local shop = assert(support.host():build(source))
    local frames = shop.Callers()
    assert.matches("^shop%.callers shop%.go:" .. line_of(source, "runtime.CallersFrames(pcs"), frames)
    assert.matches("\nshop%.Callers shop%.go:" .. line_of(source, "return callers()"), frames)
    assert(shop:unload())
  end)
end)

describe("a CPU profile", function()
  it("names loaded functions, files and lines", function()
    local program = support.write("prof.go", [[
package prof

import (
	"bytes"
	"runtime/pprof"
	"time"
)

//go:noinline
func burn(until time.Time) (n int) {
	for time.Now().Before(until) {
		for i := 0; i < 10000; i++ {
			n += work(i)
		}
	}
	return
}

//go:noinline
func work(i int) int { return i * i % 7 }

func Profile(ms int) (string, error) {
	var b bytes.Buffer
	if err := pprof.StartCPUProfile(&b); err != nil {
		return "", err
	}
	burn(time.Now().Add(time.Duration(ms) * time.Millisecond))
	pprof.StopCPUProfile()
	return b.String(), nil
}

func Goroutines() (string, error) {
	stop, started := make(chan bool), make(chan bool)
	go waiting(started, stop)
	<-started
	var b bytes.Buffer
	err := pprof.Lookup("goroutine").WriteTo(&b, 1)
	close(stop)
	return b.String(), err
}

//go:noinline
func waiting(started, stop chan bool) { started <- true; <-stop }
]])
    local module = assert(support.host():build(program))
    local file = support.write("cpu.prof", assert(module.Profile(600)))
    local job = assert(support.tools():go { "tool", "pprof", "-top", "-lines", file })
    local ok, output, errors = job:wait()
    assert(ok, errors)
    assert.matches("prof%.burn [^\n]*prof%.go:1[1-5]", output)
    local line = line_of(program, "func waiting")
    assert.matches("prof%.waiting[^\n]*prof%.go:" .. line, (assert(module.Goroutines())))
    assert.is_true(support.eventually(function() return module:unload() end))
    support.clean()
  end)
end)
