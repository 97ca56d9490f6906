-- Visits: a run of one request, or of whatever else must not see half of one version of a module and half of the next.
--
-- A visit stays with the version of each slot (slot.lua) that it has used first, and belongs to a coroutine. The table
-- of them is weak: a coroutine that was dropped in the middle must not hold a version for ever.

local visits = {}

local running = coroutine.running
local MAIN = {} -- Lua 5.1 has no coroutine to name when the main one runs

---@class goloader.Visit
---@field package slot? goloader.Slot the first that it has used
---@field package version? goloader.Version that it has settled on there
---@field package others? table<goloader.Slot, goloader.Version> most visits use one slot, and need no table
---@field package outer? goloader.Visit the one it runs within

---@type table<thread|table, goloader.Visit>
local under_way = setmetatable({}, { __mode = "k" })

---The visit that this coroutine is on.
---@return goloader.Visit?
function visits.current() return under_way[running() or MAIN] end

---Begins a visit on this coroutine: from now on each slot it touches stays at one version.
---@param thread? thread the coroutine that the visit will run on, if not this one
---@return goloader.Visit visit
---@return thread|table key for `leave`; the visit itself must not know its coroutine, or neither would be collected
function visits.enter(thread)
  local key = thread or running() or MAIN
  local visit = { slot = nil, version = nil, others = nil, outer = under_way[key] }
  under_way[key] = visit
  return visit, key
end

---The version of a slot that a visit has settled on.
---@param visit goloader.Visit
---@param slot goloader.Slot
---@return goloader.Version?
function visits.version(visit, slot)
  if visit.slot == slot then return visit.version end
  return visit.others and visit.others[slot]
end

---All versions that a visit has settled on.
---@param visit goloader.Visit
---@return table<goloader.Slot, goloader.Version>
function visits.versions(visit)
  local versions = {}
  for slot, version in pairs(visit.others or {}) do versions[slot] = version end
  if visit.slot then versions[visit.slot] = visit.version end
  return versions
end

---Has a visit stay with a version.
---@param visit goloader.Visit
---@param slot goloader.Slot
---@param version goloader.Version
function visits.settle(visit, slot, version)
  if not visit.slot then
    visit.slot, visit.version = slot, version
  else
    visit.others = visit.others or {}
    visit.others[slot] = version
  end
  version.users[visit] = true
end

local function let_go(visit, slot, version)
  version.users[visit] = nil
  if slot.version ~= version then slot:visited() end
end

---Ends a visit; versions that only it had held are unloaded.
---@param visit goloader.Visit
---@param key thread|table
function visits.leave(visit, key)
  under_way[key] = visit.outer
  if visit.slot then let_go(visit, visit.slot, visit.version) end
  if visit.others then
    for slot, version in pairs(visit.others) do let_go(visit, slot, version) end
  end
end

---Has another coroutine go on with the visit of this one.
---@param thread thread
function visits.follow(thread)
  under_way[thread] = under_way[running() or MAIN]
end

---True while all that a visit has used is what a new visit would get too.
---@param visit goloader.Visit
function visits.is_current(visit)
  if visit.slot and visit.slot.version ~= visit.version then return false end
  for slot, version in pairs(visit.others or {}) do
    if slot.version ~= version then return false end
  end
  return true
end

return visits
