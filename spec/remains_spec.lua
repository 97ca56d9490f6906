-- What stays of a module that was unloaded, and for how long.
local support = require "spec.support"

local host, keeper

setup(function()
  host = support.host()
  keeper = assert(host:load(support.compile([[
package keeper

import (
	"log"
	"runtime"
)

func Prefix() string { return log.Prefix() }
func Forget()        { log.SetPrefix("") }
func Collect()       { runtime.GC() }
]], "keeper")))
end)
teardown(support.clean)

-- A module that gives log a constant string of its own.
local function object(text)
  local source = "package giver\n\nimport \"log\"\n\nfunc Give() { log.SetPrefix(%q) }\n"
  return support.compile(source:format(text), "giver")
end

local function give(file)
  local giver = assert(host:load(file))
  giver.Give()
  assert(giver:unload())
end

describe("a constant string of a module that was unloaded", function()
  it("stays as long as somebody refers to it", function()
    local first, other = object "first", object "other"
    give(first)
    for _ = 1, 20 do
      local idle = assert(host:load(other))
      assert(idle:unload())
      keeper.Collect()
      assert.equal("first", keeper.Prefix())
    end
    give(other)
    keeper.Collect()
    assert.equal("other", keeper.Prefix())
  end)

  it("is given back when nobody does any more: mappings and time of an unload don't grow", function()
    local file = object "again and again"
    local function cycles()
      for _ = 1, 100 do give(file) end
      keeper.Collect()
      keeper.Collect()
      give(file)
      return support.mappings()
    end
    cycles()
    local before = cycles()
    local after
    for _ = 1, 4 do after = cycles() end
    assert.is_true(after <= before + 20, ("%d mappings, then %d"):format(before, after))
    keeper.Forget()
  end)
end)
