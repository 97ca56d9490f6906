-- A module in three versions, and what scripts need that share it between Lua states.
local support = require "spec.support"

local SHOP = [[
package shop

import (
	"errors"
	"fmt"
)

const Number = %d

var (
	Count int
	Mark  = "%s"
	gate  = make(chan int)
	sink  []byte
)

type Item struct{ N int }

func (i *Item) Say() string { return fmt.Sprint("%s ", i.N) }

func (i *Item) Open() { close(gate) }

func (i *Item) With(f func() string) string { return "%s " + f() }

// Add takes the pure road, Title the FFI road, List that of the C API.
func Add(a, b int) int { return a + b + %d }

func Title(n int) string { sink = make([]byte, n); return "%s" }

func List() []string { return []string{"%s"} }

func Up() int { Count++; return Count }

func With(f func() string) string { return "%s " + f() }

func Wait() string { <-gate; return "%s" }

func Late() *Item { <-gate; Count++; return &Item{} }

func Keep() func() string { return func() string { return "%s" } }

func Max[T int | string](a, b T) T {
	if a > b {
		return a
	}
	return b
}

func Of[T any](T) string { return Mark }

func Release() int { return Count }

func Adopt(count int) error {
	if count > 90 {
		return errors.New("that is too many")
	}
	Count = count
	return nil
}
]]

-- A script: `state()` is a Lua state in this thread, whose `run(chunk)` raises what the chunk does and else returns
-- what it does as text; `threads(chunk, n)` starts some in threads of their own, `join()` says how many have failed.
-- `flags` is memory that they all see. In each, `host` is the host, `go(n)` waits till flags[0] is n; `before` and
-- `after` have something be done once, at the next call of a method of what is below modules, or at the next one of
-- which `is_it` says so: as another thread may do it just then.
local HEAD = [[
  local ffi = require "ffi"
  local support = require "spec.support"
  local luastates = require "spec.luastates"
  local beside = luastates.threads(%q)
  memory = ffi.new "int32_t[100]"
  local COMMON = [=[
    local ffi = require "ffi"
    flags = ffi.cast("volatile int32_t *", ffi.cast("uintptr_t", %%.0f))
    goloader = require "goloader"
    clock = require "goloader.core".clock
    host = assert(goloader.host())
    ONE, TWO, THREE = %q, %q, %q
    function fail(what)
      flags[0] = -1
      io.stderr:write(what, "\n")
      error(what, 2)
    end
    function wait_for(test)
      local stop = clock() + 30
      while not test() do
        if clock() > stop or flags[0] < 0 then fail "it takes too long" end
        os.execute "sleep 0.002"
      end
    end
    function go(n) wait_for(function() return flags[0] == n end) end
    local class = debug.getregistry()["goloader.module"]
    local function wrap(method, is_it, act, acts_first)
      local original = class[method]
      class[method] = function(...)
        if is_it and not is_it(...) then return original(...) end
        class[method] = original
        if acts_first then act() return original(...) end
        local function done(...) act() return ... end
        return done(original(...))
      end
    end
    function before(method, act, is_it) wrap(method, is_it, act, true) end
    function after(method, act, is_it) wrap(method, is_it, act, false) end
    function shown(...)
      local all = {}
      for i = 1, select("#", ...) do all[i] = tostring((select(i, ...))) end
      return table.concat(all, " ")
    end
  ]=]
  COMMON = COMMON:format(tonumber(ffi.cast("uintptr_t", ffi.cast("void *", memory))))
  loadstring(COMMON)()
  function state()
    local self = luastates.new()
    self:run(COMMON)
    return self
  end
  function threads(chunk, n) beside.start(COMMON .. chunk, n or 1) end
  join = beside.join
  -- how many modules there are, once what can go has gone
  function loaded()
    collectgarbage()
    collectgarbage()
    host:tidy()
    return #host:modules()
  end
]]

local sharing = {}

local library, files

function sharing.setup()
  library = support.threads_library()
  files = {}
  for i, title in ipairs { "one", "two", "three" } do
    local t = title
    files[i] = support.write(("%s/shop.go"):format(t), SHOP:format(i, t, t, t, i, t, t, t, t, t))
  end
end

--- Runs a script in a process of its own, and returns what it prints.
function sharing.run(script)
  return support.clean_output_of(support.lua(HEAD:format(library, files[1], files[2], files[3]) .. script, nil,
    "luajit"))
end

return sharing
