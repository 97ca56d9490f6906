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

describe("a traceback across borders", function()
  local go, lua, borders

  setup(function()
    go = support.write("borders.go", [[
package borders

import "errors"

func Each(f func(int) (int, error), n int) (int, error) {
	return each(f, n) // 6
}

//go:noinline
func each(f func(int) (int, error), n int) (sum int, err error) {
	for i := 0; i < n && err == nil; i++ {
		var v int
		v, err = f(i) // 13
		sum += v
	}
	return
}

func Fail(n int) int {
	if n == 1 {
		panic(errors.New("one is too many")) // 21
	}
	return n
}

func Recovers(f func()) {
	defer func() {
		r := recover()
		Quiet(func() {})
		panic(r)
	}()
	f() // 32
}

func Quiet(f func()) { f() }
]])
    lua = support.write("borders.lua", [[
local borders = ...
local function fails(i)
  if i == 1 then error "oops" end -- 3
  return i
end
local function panics(i)
  local v = borders.Fail(i) -- 7
  return v
end
local function visit(f)
  return function(i)
    local v = f(i) -- 12
    return v
  end
end
local function each(f)
  local sum = borders.Each(visit(f), 3) -- 17
  return sum
end
return { each = each, fails = fails, panics = panics,
  deep = function(i) return each(fails) + i end, -- 21
  resumed = function(i) return coroutine.wrap(function() return each(panics) + i end)() + i end, -- 22
}
]])
    borders = assert(support.host():build(go))
  end)
  teardown(function() assert(borders:unload()) end)

  local function functions() return assert(loadfile(lua))(borders) end

  -- Are those lines in the text, in that order, and no others of these files between them?
  local function in_order(text, ...)
    local found = {}
    for file, line in text:gmatch "(borders%.%a+):(%d+)[ :\n]" do found[#found + 1] = file .. ":" .. line end
    for _, wanted in ipairs { ... } do assert.equal(wanted, table.remove(found, 1), text) end
    return found
  end

  it("has Lua's and Go's functions between a Lua error and who handles it", function()
    local f = functions()
    local ok, trace = xpcall(function() return f.each(f.fails) end, debug.traceback)
    assert.is_false(ok)
    assert.matches("^[^\n]*borders%.lua:3: oops\nstack traceback:\n", trace)
    in_order(trace:match "traceback:(.*)", "borders.lua:3", "borders.lua:12", "borders.go:13", "borders.go:6",
      "borders.lua:17")
    assert.matches("%[C%]: in [^\n]*'error'\n[^\n]*borders%.lua:3: in [^\n]*'f'\n"
      .. "[^\n]*borders%.lua:12: in function <[^\n]*borders%.lua:11>\n[^\n]*borders%.go:13: in [^\n]*'borders%.each'\n"
      .. "[^\n]*borders%.go:6: in function <[^\n]*borders%.go:6>\n", trace)
  end)

  it("has them across more borders, and where Go has recovered", function()
    local f = functions()
    -- Lua's own traceback leaves out the middle of so many
    local _, trace = xpcall(function() return f.each(f.deep) end, function()
      local frames, level = {}, 1
      while debug.getinfo(level) do
        local frame = debug.getinfo(level, "Sl")
        frames[level], level = frame.short_src .. ":" .. frame.currentline, level + 1
      end
      return table.concat(frames, "\n")
    end)
    in_order(trace, "borders.lua:3", "borders.lua:12", "borders.go:13", "borders.go:6",
      "borders.lua:17", "borders.lua:21", "borders.lua:12", "borders.go:13", "borders.go:6", "borders.lua:17")
    _, trace = xpcall(function() borders.Recovers(function() f.fails(1) end) end, debug.traceback)
    in_order(trace:match "traceback:(.*)", "borders.lua:3", "borders.go:32")
  end)

  it("leaves the error's value as it was", function()
    local f = functions()
    local thrown = setmetatable({}, { __tostring = function() return "thrown" end })
    local trace
    local ok, err = xpcall(function() borders.Quiet(function() error(thrown) end) end, function(e)
      trace = debug.traceback()
      return e
    end)
    assert.is_false(ok)
    assert.is_true(rawequal(thrown, err))
    assert.matches("borders%.go:35: in ", trace)
    assert.matches("borders%.lua:3: oops$", select(2, pcall(f.each, f.fails)))
  end)

  it("is in a panic's text, with Lua's functions between those of Go", function()
    local f = functions()
    local _, err = pcall(f.each, f.panics)
    assert.matches("^panic: one is too many\n\ngoroutine %d+ [^\n]*\nborders%.Fail%(", err)
    assert.same({}, in_order(err, "borders.go:21", "borders.lua:7", "borders.lua:12", "borders.go:13", "borders.go:6"))
    assert.matches("\nLua function f\n\t[^\n]*borders%.lua:7\n"
      .. "Lua function <[^\n]*borders%.lua:11>\n\t[^\n]*borders%.lua:12\nborders%.each%(", err)
    local ok, trace = xpcall(function() return f.each(f.panics) end, debug.traceback)
    assert.is_false(ok)
    in_order(trace:match "stack traceback:(.*)", "borders.lua:17")
  end)

  it("goes on where coroutines were resumed between borders", function()
    local f = functions()
    local _, err = pcall(f.each, f.resumed)
    assert.same({}, in_order(err:match "goroutine .*", "borders.go:21", "borders.lua:7", "borders.lua:12",
      "borders.go:13", "borders.go:6", "borders.lua:17", "borders.lua:22", "borders.lua:22", "borders.lua:12",
      "borders.go:13", "borders.go:6"))
  end)

  it("is what a program ends with that nobody has caught the error in", function()
    local status, _, errors = support.lua(([[
      local borders = assert(require "goloader".host():build %q)
      local f = assert(loadfile %q)(borders)
      f.each(f.fails)
    ]]):format(go, lua))
    assert.is_true(status ~= 0)
    in_order(errors:match "traceback:(.*)", "borders.lua:3", "borders.lua:12", "borders.go:13", "borders.go:6",
      "borders.lua:17")
  end)

  it("takes no memory that stays", function()
    local f = functions()
    local grown = support.growth(8, function()
      for _ = 1, 2000 do
        pcall(f.each, f.deep)
        pcall(f.each, f.panics)
      end
    end)
    assert.is_true(grown < 6e6, "grown by " .. grown)
  end)

  it("is an error's field where Lua code of the user's raised it, and of an init function's panic", function()
    local fails = support.write("fails.go",
      'package fails\n\nfunc init() { fail() }\n\nfunc fail() { panic("no") }\n')
    local module, message, err = support.host():build(fails)
    assert.is_nil(module)
    assert.equal("panic", err.code)
    assert.matches("^goroutine %d.*\nfails%.fail%(", err.traceback)
    assert.is_truthy(message:find(err.traceback, 1, true))
    local f = functions()
    module, message, err = support.host():replace(borders, go, { ready = function() return f.each(f.fails) end })
    assert.is_nil(module)
    assert.matches("borders%.lua:3: oops", message)
    in_order(err.traceback, "borders.lua:3", "borders.lua:12", "borders.go:13", "borders.go:6", "borders.lua:17")
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
