-- Visits: a run of one request, or of whatever else must not see half of one version of a module and half of the next.
--
-- A visit stays with the version of each slot (slot.lua) that it has used first, and belongs to a coroutine. The table
-- of them is weak: a coroutine that was dropped in the middle must not hold a version for ever.

local visits = {}

local running = coroutine.running
local MAIN = {} -- Lua 5.1 has no coroutine to name when the main one runs

---@class goloader.Visit
---@field versions table<goloader.Slot, goloader.Version> that it has settled on
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
  local visit = { versions = {}, outer = under_way[key] }
  under_way[key] = visit
  return visit, key
end

---Ends a visit; versions that only it had held are unloaded.
---@param visit goloader.Visit
---@param key thread|table
function visits.leave(visit, key)
  under_way[key] = visit.outer
  for slot, version in pairs(visit.versions) do
    version.users[visit] = nil
    if slot.version ~= version then slot:tidy() end
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
  for slot, version in pairs(visit.versions) do
    if slot.version ~= version then return false end
  end
  return true
end

return visits
