-- Calls of every kind, mixed, for a long time, while resident memory is watched: `make soak CALLS=1e9`.
--
--     luajit spec/env.lua spec/bench/soak.lua CALLS [SECONDS]
--
-- Ends after so many calls, or so many seconds when that is sooner. What the process needs has settled after a fifth of
-- the run; the status is 0 when from then on resident memory did not grow.

local goloader = require "goloader"
local tools = require "spec.bench.tools"

local calls_wanted = tonumber(arg[1]) or error "usage: luajit spec/env.lua spec/bench/soak.lua CALLS [SECONDS]"
local seconds = tonumber(arg[2]) or math.huge

local GROWTH = 4 -- megabytes that a process may wander

-- Megabytes.
local function resident() return tools.resident() / 2 ^ 20 end

local function uptime()
  local file = assert(io.open "/proc/uptime")
  local now = tonumber(file:read "*a":match "^%S+")
  file:close()
  return now
end

local host = assert(goloader.host())

local function load()
  return assert(host:build "spec/bench/soak/soak.go")
end

-- A module for each road, since a road belongs to a function; the last leaves the choice to the loader.
local pure, ffi, capi, soak = load(), load(), load(), load()
pure.Add:road "pure"
ffi.Add:road "ffi"
capi.Add:road "capi"

-- ---- what is called -------------------------------------------------------------------------------------------------

-- Calls `fn`, which has to raise, and returns what.
local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "no error")
  return tostring(err)
end

local strings = {}
for i = 1, 64 do strings[i] = ("%02d"):format(i):rep(i) end

local items = {}
for i = 1, 20 do
  items[i] = { Name = "item " .. i, Price = i, Tags = { "a", "b" }, Size = { Width = i, Height = -i } }
end

local numbers = {}
for i = 1, 1000 do numbers[i] = i end

-- Each step makes as many calls as it says.
local steps = {}
local function step(calls, run)
  steps[#steps + 1] = { calls = calls, run = run }
end

for _, module in ipairs { pure, ffi, capi, soak } do
  local add = module.Add
  step(1000, function()
    local sum = 0
    for i = 1, 1000 do sum = sum + add(i, 1) end
    assert(sum == 501500)
  end)
end

for _, module in ipairs { soak, capi } do
  local index, at, half, turn, reverse = module.Index, module.At, module.Half, module.Turn, module.Reverse
  if module == capi then
    for _, fn in ipairs { index, at, half, turn, reverse } do fn:road "capi" end
  end
  step(200, function()
    for i = 1, 200 do assert(index(strings[i % 64 + 1], 255) == -1) end
  end)
  step(200, function()
    for i = 1, 100 do
      local s = strings[i % 64 + 1]
      assert(turn(turn(s)) == s)
    end
  end)
  step(200, function()
    for i = 1, 100 do
      local s = strings[i % 64 + 1]
      assert(reverse(reverse(s)) == s)
    end
  end)
  step(100, function()
    for i = 1, 100 do
      local n, err = half(i)
      assert(i % 2 == 0 and n == i / 2 or n == nil and tostring(err) == i .. " is odd")
    end
  end)
  step(2, function()
    assert(raised(at, "abc", 3):find "index out of range %[3%] with length 3")
    assert(raised(at, "abc", 0.5):find "int expected, got 0.5")
  end)
end

step(21, function()
  local item = items[1]
  for i = 1, 20 do item = soak.Raise(item, i) end
  assert(item.Price == items[1].Price + 210 and item.Size.Height == -1 and item.Tags[2] == "b")
  assert(soak.Names(items)["item 20"] == 20)
end)

step(6, function()
  local v = soak.Echo { a = { 1, "two", true }, b = {} }
  assert(v.a[2] == "two" and soak.Echo(1.5) == 1.5 and soak.Echo(nil) == nil)
  assert(soak.Join(",", "a", "b") == "a,b" and soak.Join "," == "")
  local _, err = soak.Wrapped "why"
  assert(err.message == "wrapped: why")
end)

step(4, function()
  assert(raised(soak.Panic, "boom"):find "panic: boom\n")
  assert(raised(soak.Leave):find "runtime.Goexit")
  assert(raised(soak.Raise, { Price = "x" }, 1):find "float64 expected")
  assert(raised(soak.Add, 1):find "missing")
end)

step(1000, function()
  local sums = soak.Add:map(numbers, numbers)
  assert(#sums == 1000 and sums[1000] == 2000)
end)

step(100, function()
  local jobs = {}
  for i = 1, 100 do jobs[i] = soak.Work:async(i) end
  for i = 1, 100, 2 do -- of the others nobody takes the results
    local n, err = jobs[i]:wait()
    assert(n == i or i % 7 == 0 and n == nil and err.message == "seven")
  end
end)

step(4, function()
  local seen = 0
  assert(soak.Each(strings, function(s)
    seen = seen + #s
    return true
  end))
  assert(seen > 0)
  local ok, err = soak.Each(strings, function(s) if #s < 20 then return true end return nil, "enough" end)
  assert(ok == nil and err.message == "enough")
  assert(raised(soak.Each, strings, function() error("from Lua", 0) end) == "from Lua")
  assert(raised(soak.Each, strings, function() soak.Panic "inner" end):find "panic: inner")
end)

step(41, function()
  local counters = {}
  for i = 1, 10 do
    counters[i] = soak.NewCounter("counter " .. i)
    assert(counters[i].Name == "counter " .. i)
    counters[i]:Count(i)
    assert(counters[i]:Count(1) == i + 1)
  end
  assert(soak.Total(counters) == 65)
end)

step(300, function()
  local counter, last = soak.NewCounter "first", "first"
  for i = 1, 100 do
    local name = strings[i % 64 + 1] .. i
    assert(counter:Rename(name) == last)
    counter.Name = name .. "!"
    last = counter.Name
    assert(#last == #name + 1)
  end
end)

-- ---- the run --------------------------------------------------------------------------------------------------------

local per_round = 0
for _, s in ipairs(steps) do per_round = per_round + s.calls end

local samples, made = {}, 0
local begin = uptime()

local function progress()
  return math.max(made / calls_wanted, (uptime() - begin) / seconds)
end

local done = 0
while done < 1 do
  for _ = 1, 20 do
    for _, s in ipairs(steps) do s.run() end
    made = made + per_round
  end
  done = progress()
  if done >= (#samples + 1) / 40 then
    samples[#samples + 1] = resident()
    print(("%3.0f %% %14.0f calls %7.1f s   %6.1f MB resident   %5.2f MB Lua"):format(math.min(done, 1) * 100, made,
      uptime() - begin, samples[#samples], collectgarbage "count" / 1024))
    io.stdout:flush()
  end
end

local function mean(first, last)
  local sum = 0
  for i = first, last do sum = sum + samples[i] end
  return sum / (last - first + 1)
end

assert(#samples >= 20, "too short a run to tell")
local fifth = math.floor(#samples / 5)
local settled, ended = mean(fifth + 1, 2 * fifth), mean(#samples - fifth + 1, #samples)
local flat = ended - settled <= GROWTH
print(("%.0f calls: %.1f MB when settled, %.1f MB at the end: %s"):format(made, settled, ended,
  flat and "flat" or "it grows"))
os.exit(flat and 0 or 1)
