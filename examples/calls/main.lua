-- What a call can carry, and by which road: luajit spec/env.lua examples/calls/main.lua
local goloader = require "goloader"

local here = arg[0]:match "^(.*)/" or "."
local host = assert(goloader.host())
local stock = assert(host:build(here .. "/stock.go"))

-- Roads: the loader finds out what a function needs.
for _, name in ipairs { "Checksum", "Gross", "Tag", "Total", "Deliver" } do
  print(name, stock[name]:road())
end

-- Plain data is copied; what has state stays in Go.
local shelf = stock.NewShelf "lamps"
shelf:Put({ Name = "desk", Price = 24.5, Count = 3 }, { Name = "floor", Price = 89, Count = 0 })
print(shelf.Label, shelf:Find("desk").Price)
local _, err = shelf:Find "ceiling"
print(err, err:is(stock.ErrUnknown))

-- Go calls Lua.
print(table.concat(shelf:Select(function(item) return item.Count > 0 end), " "))

-- Many calls, one crossing.
print(table.concat(stock.Checksum:map { "4006381333931", "5901234123457" }, " "))

-- Calls that take their time, side by side; one of them for too long.
local jobs = {
  stock.Deliver:async(nil, "desk", 20e6), -- a time.Duration is nanoseconds
  stock.Deliver:async(nil, "floor", 10e6),
  stock.Deliver:async({ timeout = 0.03 }, "ceiling", 60e9),
}
for _, job in ipairs(jobs) do print(job:wait()) end

-- Generic functions are compiled when they are asked for.
print(stock["Max[string]"]("desk", "floor"), stock["Max[float64]"](24.5, 89))

shelf:release()
assert(stock:unload())
