--- `host:modules()`: what is loaded, what of it is to go, and why it can't.

local known = require "goloader.modules.known"
local leaving = require "goloader.reload.leaving"
local road = require "goloader.roads.road"

local inventory = {}

---@class goloader.LoadedModule
---@field name string  as messages call it
---@field number integer  which load of the process it was: no other has that number
---@field since integer  when it was loaded, as os.time says it
---@field bytes integer  memory that it takes, other than the Go heap's
---@field users integer  modules that use it, and can't be without it
---@field shared string|nil  the name by which Lua states share it
---@field states integer|nil  how many of them have it; of an old version, have not noticed yet that it is one
---@field forced boolean  it was unloaded by force, and is to go when nothing refers to it any more
---@field path string|nil  what it was built or loaded from, where this Lua state has loaded it
---@field module goloader.Module|nil  likewise; nil of other Lua states' modules, and of what Lua has forgotten
---@field roads table<string, "pure"|"ffi"|"capi">|nil  by functions that were taken from it
---@field left boolean  the Lua states that had it are closed
---@field leaving boolean|nil  it is to go: it was replaced, unloaded in the background, or left, and is asked again
---@field refusal goloader.Error|nil  why it could not go when that was tried last
---@field refused integer|nil  how often that was so
---@field refused_at integer|nil  and when, as os.time says it

local function roads_of(state)
  local roads = {}
  for name, value in pairs(state.functions) do roads[name] = road.of(value) end
  return roads
end

--- All modules of the process, those that were loaded first at the beginning. Instances of generic functions are their
--- module's.
---@param core userdata  the host
---@return goloader.LoadedModule[]
function inventory.list(core)
  local ours_by_number, instances = {}, {}
  known.each(function(module_core, face, state)
    -- another Lua state may have unloaded any of them just now
    ours_by_number[module_core:number() or 0] = { face = face, state = state }
    for _, made in pairs(state.instances) do instances[made.core:number() or 0] = true end
  end)
  local list = {}
  for _, entry in ipairs(core:modules()) do
    local ours = ours_by_number[entry.number]
    if not instances[entry.number] then table.insert(list, 1, entry) end
    entry.leaving = entry.forced or entry.left
    if ours then
      entry.path, entry.module, entry.roads = ours.state.name, ours.face, roads_of(ours.state)
      entry.leaving = entry.forced or leaving.find(ours.face) ~= nil
      local refusal = ours.state.refusal
      if refusal then entry.refusal, entry.refused, entry.refused_at = refusal.err, refusal.times, refusal.at end
    end
  end
  return list
end

return inventory
