-- Functions to range over, iter.Seq and its like, in a for of Lua's.
local support = require "spec.support"

local host, module

setup(function()
  host = support.host()
  module = assert(host:build(support.write("sequences.go", [[
package sequences

import (
	"errors"
	"runtime"
	"sync/atomic"
)

type Seq[V any] func(yield func(V) bool)

type Item struct{ Name string }

type Flag bool

var Running, Yields atomic.Int64

func Count(n int) Seq[int] {
	return func(yield func(int) bool) {
		Running.Add(1)
		defer Running.Add(-1)
		for i := 0; i < n; i++ {
			Yields.Add(1)
			if !yield(i * i) {
				return
			}
		}
	}
}

func RunningNow() int64 { return Running.Load() }
func Yielded() int64    { return Yields.Load() }

func Pairs() func(func(string, *Item) bool) {
	return func(yield func(string, *Item) bool) {
		_ = yield("a", &Item{"lamp"}) && yield("b", nil) && yield("", &Item{"chair"})
	}
}

func Errors() func(func(error, []string) bool) {
	return func(yield func(error, []string) bool) { _ = yield(nil, []string{"x"}) && yield(errors.New("bad"), nil) }
}

func Times(n int) func(func() bool) {
	return func(yield func() bool) {
		for ; n > 0 && yield(); n-- {
		}
	}
}

func Named() func(func(int) Flag) { return func(yield func(int) Flag) { _ = yield(1) && yield(2) } }
func None() Seq[int]             { return nil }

func Fails() Seq[int] {
	return func(yield func(int) bool) {
		yield(1)
		panic("no more")
	}
}

func Exits() Seq[int] {
	return func(yield func(int) bool) {
		yield(1)
		runtime.Goexit()
	}
}

// goes on whatever it is told
func Deaf(n int) Seq[int] {
	return func(yield func(int) bool) {
		Running.Add(1)
		for i := 0; i < n; i++ {
			yield(i)
		}
		Running.Add(-1)
	}
}

func Sum(numbers Seq[int]) (sum int) {
	numbers(func(n int) bool { sum += n; return n < 10 })
	return sum
}

func Late() (Seq[int], func() bool) {
	var late func(int) bool
	return func(yield func(int) bool) { late = yield; yield(1) }, func() bool { return late(2) }
}

func NotOne() func(int) bool { return func(int) bool { return true } }
]])))
end)

teardown(support.clean)

local function list(handle)
  local values = {}
  for i, value in handle:pairs() do values[i] = value end
  return values
end

-- Has Lua find out which loops were left, and waits until their functions have returned.
local function settle()
  for _ = 1, 200 do
    collectgarbage()
    assert.is_true(host:stats().handles >= 0) -- Go is told of handles that are no more
    if module.RunningNow() == 0 then return end
    module.Yielded:async():wait()
  end
  assert.equal(0, module.RunningNow())
end

describe("a function to range over", function()
  it("gives number and value", function()
    assert.same({ 0, 1, 4, 9 }, list(module.Count(4)))
    assert.same({}, list(module.Count(0)))
    assert.same({ 1, 2 }, list(module.Named()))
  end)

  it("gives key and value where it yields two", function()
    local pairs_of, keys = module.Pairs(), {}
    for key, item in pairs_of:pairs() do keys[#keys + 1] = key .. "=" .. (item and item.Name or "nil") end
    assert.same({ "a=lamp", "b=nil", "=chair" }, keys)
    local messages = {}
    for err, words in module.Errors():pairs() do
      messages[#messages + 1] = type(err) == "table" and err.message or err .. #words
    end
    assert.same({ "nil1", "bad" }, messages)
  end)

  it("gives numbers alone where it yields nothing", function()
    local n = 0
    for i, value in module.Times(3):pairs() do
      n = n + 1
      assert.equal(n, i)
      assert.is_nil(value)
    end
    assert.equal(3, n)
  end)

  it("goes on only when the next value is asked for, and may be gone through again", function()
    local before, count = module.Yielded(), module.Count(1e9)
    for i in count:pairs() do
      assert.equal(before + i, module.Yielded())
      if i == 3 then break end
    end
    for i, value in count:pairs() do
      assert.equal((i - 1) ^ 2, value)
      if i == 2 then break end
    end
    assert.equal(before + 5, module.Yielded())
  end)

  it("is told when the loop has been left, and cleans up", function()
    for _ = 1, 10 do
      for i in module.Count(1e9):pairs() do if i == 2 then break end end
      local next_value, iterator = module.Deaf(5):pairs()
      next_value(iterator)
    end
    assert.is_true(module.RunningNow() > 0)
    settle()
  end)

  it("is many at a time, each at its own place", function()
    local a, b = module.Count(5):pairs()
    local c, d = module.Count(5):pairs()
    local sum = 0
    for _ = 1, 5 do
      sum = sum + select(2, a(b)) - select(2, c(d))
    end
    assert.equal(0, sum)
    assert.is_nil((a(b)))
    assert.is_nil((a(b)))
  end)

  it("raises what it panics with, behind the values before", function()
    local seen = 0
    local ok, err = pcall(function() for _, value in module.Fails():pairs() do seen = seen + value end end)
    assert.is_false(ok)
    assert.matches("^panic: no more\n.*sequences%.Fails%.func1", tostring(err))
    assert.equal(1, seen)
    ok, err = pcall(list, module.Exits())
    assert.is_false(ok)
    assert.matches("Goexit", tostring(err))
  end)

  it("may call yield when it has returned: nobody hears it", function()
    local seq, late = module.Late()
    assert.same({ 1 }, list(seq))
    assert.is_false(late())
  end)

  it("is refused where it is nil, or of another type", function()
    assert.is_nil(module.None())
    assert.error_matches(function() module.NotOne():pairs() end, "can't be iterated over")
  end)

  it("may be Lua's, where Go ranges over it", function()
    local asked = 0
    assert.equal(15, module.Sum(function(yield)
      for n = 1, 100 do
        asked = n
        if not yield(n * 5) then return end
      end
    end))
    assert.equal(2, asked)
  end)

  it("that panics when the loop was left tells standard error of it, and the process goes on", function()
    local source = support.write("late.go", [[
package late

func Count() func(func(int) bool) {
	return func(yield func(int) bool) {
		if !yield(1) {
			panic("too late")
		}
	}
}
]])
    local status, out, errors = support.lua(([[
      local host = assert(require "goloader".host())
      local late = assert(host:build %q)
      local next_value, iterator = late.Count():pairs()
      next_value(iterator)
      next_value, iterator = nil, nil
      assert(late:unload())
      print "goes on"
    ]]):format(source))
    assert.equal(0, status, errors)
    assert.equal("goes on\n", out)
    assert.matches("^goloader: a function that Lua has left the loop over: panic: too late\n.*late%.Count%.func1",
      errors)
  end)

  it("does not keep its module, once left", function()
    local source = support.write("leaves.go", [[
package leaves

func Count() func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := 0; yield(i); i++ {
		}
	}
}
]])
    local leaves = assert(host:build(source))
    local next_value, iterator = leaves.Count():pairs()
    next_value(iterator)
    local ok, message = leaves:unload()
    assert.is_nil(ok)
    assert.matches("leaves%.Count%.func1", message)
    next_value, iterator = nil, nil -- luacheck: ignore
    assert(leaves:unload())
  end)
end)
