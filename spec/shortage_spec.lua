-- Memory that is short: each of a load's allocations comes to nothing once. The load fails and says so, nothing of it
-- is left, and the next one finds everything as it was.
local support = require "spec.support"

teardown(support.clean)

-- Loads `source` with allocation 1, 2, 3, … failing, until none is left to fail, and says how that went; `archives` is
-- Lua that tells the host of the packages it imports.
local function run(archives, source)
  local library = support.tmpdir() .. "/refused.so"
  local status, _, errors = support.run { "cc", "-shared", "-fPIC", "-O1", "-o", library, "spec/testdata/refused.c" }
  assert.equal(0, status, errors)
  local out
  status, out, errors = support.lua(([[
    io.stdout:setvbuf "line"
    local ffi = require "ffi"
    ffi.cdef "void refuse(long n, int kinds); const char *refused(void);"
    local MEMORY = 1
    local support = require "spec.support"
    local host = support.host()
    local config = support.read(support.importcfg())
    local function compile(name, text)
      local file = support.compile(text, name, { "-importcfg", support.write("importcfg.shared", config) })
      config = ("%%s\npackagefile %%s=%%s\n"):format(config, name, file)
      return file
    end
    %s
    local object = compile("main", %q)
    local refused, taken = 0, 0
    repeat
      local before = host:stats().modules
      ffi.C.refuse(refused + taken + 1, MEMORY)
      local module, message, err = host:load(object)
      ffi.C.refuse(0, 0)
      local what = ffi.string(ffi.C.refused())
      if module then
        assert(module.Run() == "ran", "it does not run")
        assert(module:unload())
        taken = taken + 1
      else
        if type(message) == "table" then message, err = message.message, message end
        if err.code ~= "memory" then print(refused + taken + 1, err.code, message) end
        refused = refused + 1
      end
      collectgarbage()
      local after = host:stats().modules
      if after ~= before then print(refused + taken, "modules", before, after) end
    until what == ""
    print(refused > 50 and "refused" or refused, taken < refused and "taken" or taken)
    support.clean()
  ]]):format(archives, source), "LD_PRELOAD=" .. library, "luajit")
  assert.equal("refused\ttaken\n", out, errors)
  assert.equal(0, status, errors)
end

describe("a load that runs out of memory", function()
  it("fails as such, and leaves nothing behind", function()
    run("", [[
package main

import "fmt"

type T struct {
	A int
	B map[string][]T
}

func (t T) String() string { return fmt.Sprint(t.A) }

var Table = map[string]int{"a": 1}

func Make(n int) (T, error) {
	if n < 0 {
		return T{}, fmt.Errorf("%d", n)
	}
	return T{A: n}, nil
}

func Run() string { return "ran" }

func init() { Table["b"] = 2 }
]])
  end)

  it("does so when it adds to what modules share", function()
    run([[
      assert(host:add_archive("example.test/counts", compile("example.test/counts", "package counts\n\n" ..
        "var counts = map[string]int{}\n\nfunc init() { counts[\"init\"]++ }\n\n" ..
        "func Of(name string) int { return counts[name] }\n")))
      assert(host:add_archive("example.test/lists", compile("example.test/lists", "package lists\n\n" ..
        "import \"example.test/counts\"\n\ntype List[T any] struct{ Items []T }\n\n" ..
        "func (l *List[T]) Add(t T) { l.Items = append(l.Items, t) }\n\nvar Inits = counts.Of(\"init\")\n")))
    ]], [[
package main

import (
	"fmt"

	"example.test/lists"
)

func Run() string {
	var l lists.List[string]
	l.Add("x")
	if got := fmt.Sprintf("%d %T", lists.Inits, l); got != "1 lists.List[string]" {
		return got
	}
	return "ran"
}
]])
  end)
end)
