-- module:unload { force = true }: what something refers to is gone all the same, for those who call it.
local support = require "spec.support"

local MESSAGE = "call of a function of module given, which was unloaded by force"

-- What goes.
local GIVEN = [[
package given

import (
	"fmt"
	"time"
)

type T struct{ N int }

func (t *T) String() string { return fmt.Sprint("a T of ", t.N) }

func New(n int) *T { return &T{n} }

// Closure is what others may call.
func Closure(n int) func() string { return func() string { return fmt.Sprint("closure ", n) } }

// Alone needs nothing more of the module once it sleeps.
func Alone(ms int) string {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return "done"
}

//go:noinline
func own() string { return "own" }

// Again calls the module when it has slept.
func Again(ms int) string {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return own()
}

func Add(a, b int) int { return a + b }

func Max[T int | string](a, b T) T {
	if a > b {
		return a
	}
	return b
}
]]

-- What holds it.
local HOLDER = [[
package holder

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync/atomic"
	"time"
)

var (
	f func() string
	v fmt.Stringer
)

func Keep(g func() string)       { f = g }
func KeepValue(w fmt.Stringer)   { v = w }
func Drop()                      { f, v = nil, nil }
func Call() string               { return f() }
func Type() string               { return reflect.TypeOf(v).String() }
func Format() string             { return fmt.Sprint(v) }
func Fields() string             { return fmt.Sprint(reflect.ValueOf(v).Elem().Field(0).Int()) }
func After(ms int)               { time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { f() }) }

// Recovered is what a call has failed with.
func Recovered() (s string) {
	defer func() {
		err := recover().(error)
		var re runtime.Error
		s = fmt.Sprint(err, " ", errors.As(err, &re))
	}()
	return f()
}

var good, gone, wrong atomic.Int64

// Hammer has goroutines call it all the time.
func Hammer() {
	for i := 0; i < 4; i++ {
		go func() {
			for f != nil && gone.Load() < 10000 {
				call()
			}
		}()
	}
}

func call() {
	defer func() {
		if r := recover(); r != nil {
			if fmt.Sprint(r) == "]] .. MESSAGE .. [[" {
				gone.Add(1)
			} else {
				wrong.Add(1)
			}
		}
	}()
	if f() == "closure 1" {
		good.Add(1)
	} else {
		wrong.Add(1)
	}
}

func Hammered() (int64, int64, int64) { return good.Load(), gone.Load(), wrong.Load() }
]]

local HEAD = [[
  local goloader = require "goloader"
  local clock = require "goloader.core".clock
  local host = assert(goloader.host())
  local holder = assert(host:build %q)
  local SOURCE = %q
  local given = assert(host:build(SOURCE))
  local function entry()
    for _, each in ipairs(host:modules()) do
      if each.name == "given" then return each end
    end
  end
  local function fails(pattern, f, ...)
    local ok, message = pcall(f, ...)
    assert(not ok and tostring(message):find(pattern), tostring(message))
  end
  local function eventually(f)
    local stop = clock() + 60
    repeat
      goloader.step(0.01)
      if f() then return end
    until clock() > stop
    error "never"
  end
]]

teardown(support.clean)

local function start(script, environment)
  local head = HEAD:format(support.write("holder/holder.go", HOLDER), support.write("given/given.go", GIVEN))
  return support.lua(head .. script, environment)
end

local function run(script, environment)
  local status, out, errors = start(script .. "\nprint 'end'", environment)
  assert.equal("end\n", out, errors:sub(1, 3000))
  assert.equal(0, status)
end

describe("an unload by force", function()
  it("is one like any other where nothing refers to the module", function()
    run [[
      assert(given:unload { force = true })
      assert(not entry() and not given:is_loaded())
    ]]
  end)

  it("has every call of what is held panic, and Go can recover", function()
    run([[
      holder.Keep(given.Closure:keep(1))
      assert(holder.Call() == "closure 1")
      assert(not given:unload())
      assert(given:unload { force = true })
      assert(holder.Recovered() == "]] .. MESSAGE .. [[ true")
      fails("panic: ]] .. MESSAGE .. [[", holder.Call)
      fails("panic: ]] .. MESSAGE .. [[", holder.Call)
    ]])
  end)

  it("is an unload to Lua: functions on every road, handles' methods, jobs, generic functions", function()
    run [[
      local add, value = given.Add, given.New:keep(1)
      for _ = 1, 200 do assert(add(1, 2) == 3) end
      assert(given["Max[int]"](1, 2) == 2)
      holder.KeepValue(value)
      assert(given:unload { force = true })
      assert(not given:is_loaded())
      fails("was unloaded", add, 1, 2)
      fails("was unloaded", function() return given.Add(1, 2) end)
      fails("was unloaded", function() return add:async(1, 2) end)
      fails("was unloaded", function() return given["Max[int]"](1, 2) end)
      local ok, _, err = given:unload { force = true }
      assert(not ok and err.code == "closed")
      fails("unloaded by force", function() return value:String() end)
      assert(value.N == 1) -- which calls nobody
    ]]
  end)

  it("leaves types and variables as they are", function()
    run [[
      local value = given.New:keep(7)
      holder.KeepValue(value)
      value:release()
      assert(given:unload { force = true })
      assert(holder.Type() == "*given.T")
      assert(holder.Fields() == "7")
      assert(holder.Format():find "PANIC=String method: call of a function of module given")
      collectgarbage()
      for _ = 1, 5 do assert(holder.Type() == "*given.T") end
    ]]
  end)

  it("lets what has begun go on, until it calls the module", function()
    run [[
      local alone, again = given.Alone:async(400), given.Again:async(400)
      local begun = clock() + 0.1
      while clock() < begun do goloader.step(0.01) end
      assert(given:unload { force = true })
      local said = alone:wait()
      assert(said == "done", said)
      fails("unloaded by force", function() return again:wait() end)
      eventually(function() return not entry() end)
    ]]
  end)

  it("gives the memory back when nothing refers to it any more", function()
    run [[
      holder.Keep(given.Closure:keep(1))
      assert(given:unload { force = true })
      local there = entry()
      assert(there.forced and there.leaving and not there.module)
      assert(host:tidy() == 1)
      fails("unloaded by force", holder.Call)
      holder.Drop()
      eventually(function() return not entry() end)
      assert(host:tidy() == 0)
      -- and the next one is as if nothing had been
      given = assert(host:build(SOURCE))
      assert(given.Closure(1) and given.New(2).N == 2)
      assert(given:unload())
    ]]
  end)

  it("that is refused gives nobody the module's name", function()
    -- It has a goroutine in a function that begins with a call, of four bytes: one less than are to be written there.
    local stuck = support.write("stuck/stuck.go", [[
package stuck

import "unsafe"

var c = make(chan int)

func through(f uintptr)

func wait() { <-c }

func Start() {
	f := wait
	go through(**(**uintptr)(unsafe.Pointer(&f)))
}

func Stop() { close(c) }
]]):match "^(.*)/"
    support.write("stuck/go.mod", "module stuck\n\ngo 1.21\n")
    support.write("stuck/through_amd64.s", '#include "textflag.h"\n\n' ..
      "TEXT ·through(SB), NOSPLIT|NOFRAME, $0-8\n\tCALL 8(SP)\n\tRET\n")
    run(([[
      local stuck = assert(host:build %q)
      stuck.Start()
      local begun = clock() + 0.1
      while clock() < begun do goloader.step(0.01) end
      local ok, message, err = stuck:unload { force = true }
      assert(not ok and err.code == "busy" and message:find "stands where a function begins", message)
      holder.Keep(given.Closure:keep(1))
      assert(given:unload { force = true })
      assert(holder.Recovered() == "]] .. MESSAGE .. [[ true", holder.Recovered())
      stuck.Stop()
      eventually(function() return stuck:unload() end)
    ]]):format(stuck))
  end)

  it("takes place while goroutines call it: each call succeeds, or fails so", function()
    for _ = 1, 3 do
      run([[
        holder.Keep(given.Closure:keep(1))
        holder.Hammer()
        eventually(function() return holder.Hammered() > 1000 end)
        assert(given:unload { force = true })
        eventually(function() return select(2, holder.Hammered()) >= 10000 end)
        local good, gone, wrong = holder.Hammered()
        assert(good > 1000 and wrong == 0, wrong)
        holder.Drop()
        eventually(function() return not entry() end)
      ]], "GOGC=1 GODEBUG=gccheckmark=1,clobberfree=1,invalidptr=1")
    end
  end)

  it("has the process end where nobody recovers, with that message", function()
    local status, _, errors = start [[
      holder.Keep(given.Closure:keep(1))
      assert(given:unload { force = true })
      holder.After(1)
      require "ffi".cdef "int usleep(unsigned);"
      require "ffi".C.usleep(5000000)
      print "it lives"
    ]]
    assert.is_true(status ~= 0)
    assert.matches("panic: " .. MESSAGE, errors, 1, true)
    assert.matches("holder.After", errors, 1, true)
  end)
end)
