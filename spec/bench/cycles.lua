-- Cycles of load, call and unload leave nothing behind: `make soak` for 20,000 of them.
--
--     luajit spec/env.lua spec/bench/cycles.lua [CYCLES]
--
-- Each loads the list page, opens its catalogue, renders pages and unloads it. What a process needs has settled after a
-- thousand of them; the status is 0 when resident memory has grown by no more than a megabyte from there to the end.
-- Go's own account of its memory stands beside it. Memory wanders a little, so each figure is the least of several.

local goloader = require "goloader"
local catalogue = require "examples.listpage.catalogue"
local tools = require "spec.bench.tools"

local cycles = tonumber(arg[1] or 20000) or error "usage: luajit spec/env.lua spec/bench/cycles.lua [CYCLES]"
local GROWTH = 1024 -- kilobytes
local name = os.tmpname()
local products, shipped, source = name .. ".json", name .. ".gom", name .. ".go"

local accounts = [[
package accounts

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

func Collect() { debug.FreeOSMemory() }

// Tell says what the runtime's memory is used for, in kilobytes.
func Tell() string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return fmt.Sprintf("Go: %5d of objects, %4d stacks, %4d spans, %5d collector, %4d profile, %4d other",
		m.HeapInuse>>10, m.StackInuse>>10, m.MSpanSys>>10, m.GCSys>>10, m.BuckHashSys>>10, m.OtherSys>>10)
}
]]

local function remove()
  for _, path in ipairs { name, products, shipped, source } do os.remove(path) end
end

local function try(ok, ...)
  if ok then return ok, ... end
  remove()
  error(tostring((...)), 2)
end

local host = try(goloader.host())
try(catalogue.make(products, 200))
try(host:ship("examples/listpage/list.go", shipped))
local file = try(io.open(source, "w"))
file:write(accounts)
file:close()
local go = try(host:build(source))

local pages = { "sort=price-up", "max=400&sort=price-down", "" }

local function cycle()
  local list = try(host:load(shipped))
  try(list.Open(products))
  local categories = list.Categories()
  for _, query in ipairs(pages) do assert(#try(list.Render(categories[1], query)) > 500) end
  assert(try(list.Count { Category = categories[1] }) > 0)
  try(list:unload())
end

local function settle()
  collectgarbage()
  collectgarbage()
  go.Collect()
end

local share = math.max(1, math.floor(cycles / 20))
local settled = math.min(1000, cycles / 2)
local first, after, last
for part = 1, 20 do
  local least = math.huge
  for i = 1, share do
    cycle()
    if i > share * 0.8 and i % math.max(1, math.floor(share / 50)) == 0 then
      settle()
      least = math.min(least, tools.resident() / 1024)
    end
  end
  settle()
  last = math.min(least, tools.resident() / 1024)
  if not first and part * share >= settled then first, after = last, part * share end
  print(("%7d cycles %8d KB resident %6d KB Lua   %s"):format(part * share, last, collectgarbage "count", go.Tell()))
  io.stdout:flush()
end
remove()
local grown = last - first
print(("%d KB after %d cycles, %d KB after %d: %s"):format(first, after, last, 20 * share,
  grown <= GROWTH and "flat" or "it grows"))
os.exit(grown <= GROWTH and 0 or 1)
