-- One sample of routes.scale: what it takes to find a route among many, and among few, in one process and in turn.
--
-- Half of the routes are literal addresses, a quarter has a capture, a quarter ends with one. Asked for are those ten
-- that stand in both trees. Prints nanoseconds among many, nanoseconds among few, bytes of garbage that a match among
-- many leaves, and those that an empty table is.

local now = require "spec.bench.clock"
local tree = require "goloader.routes.tree"

local MANY, FEW, ROUNDS, TRIES = 10000, 10, 20000, 15

local function pattern_of(i)
  local kind = i % 4
  if kind == 0 then return ("/shop%d/list/:category"):format(i), ("/shop%d/list/phones"):format(i) end
  if kind == 1 then return ("/files/%d/*path"):format(i), ("/files/%d/css/page.css"):format(i) end
  local path = ("/shop%d/about/page%d"):format(i % 100, i)
  return path, path
end

local function no_clash() return "stands there already" end

-- A tree with the routes that are asked for, and as many others.
local function plant(n)
  local root, paths = tree.new(), {}
  for i = 1, n do
    local pattern, path = pattern_of(i)
    local route = { method = "GET", pattern = pattern, names = tree.names_of(pattern) }
    assert(not tree.insert(root, route, no_clash))
    if i <= FEW then paths[i] = path end
  end
  return root, paths
end

local find = tree.find
local request = {}

local function run(root, paths, rounds)
  local n = #paths
  for _ = 1, rounds do
    for i = 1, n do
      if not find(root, "GET", paths[i], request) then error(paths[i] .. " is not found") end
    end
  end
end

local function time(root, paths)
  local begin = now()
  run(root, paths, ROUNDS)
  return (now() - begin) * 1e6 / (ROUNDS * #paths)
end

local function garbage(root, paths)
  collectgarbage()
  collectgarbage "stop"
  local before = collectgarbage "count"
  run(root, paths, ROUNDS)
  local bytes = (collectgarbage "count" - before) * 1024 / (ROUNDS * #paths)
  collectgarbage "restart"
  return bytes
end

local kept
local function table_bytes()
  collectgarbage()
  collectgarbage "stop"
  local before = collectgarbage "count"
  for _ = 1, ROUNDS do kept = {} end
  local bytes = (collectgarbage "count" - before) * 1024 / ROUNDS
  collectgarbage "restart"
  return bytes, kept
end

local large, paths = plant(MANY)
local small = plant(FEW)
run(large, paths, 100)
run(small, paths, 100)

local many, few = math.huge, math.huge
for _ = 1, TRIES do
  few = math.min(few, time(small, paths))
  many = math.min(many, time(large, paths))
end
garbage(large, paths) -- what a trace needs that is compiled only now is no garbage of a match
print(many, few, garbage(large, paths), (table_bytes()))
