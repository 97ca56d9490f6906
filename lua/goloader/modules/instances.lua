-- The instances of a module's generic functions. Each is compiled and loaded when it is asked for, beside the module,
-- and goes with it.

local instance = require "goloader.building.instance"
local known = require "goloader.modules.known"
local road = require "goloader.roads.road"
local sharing = require "goloader.modules.sharing"

local states = known.states

local instances = {}

-- The instance of a generic function that was asked for by this name, loaded at the first time.
local function instance_of(state, name)
  local normal = instance.normalize(name)
  if not normal then
    return nil, { code = "compile", message = ("%s: an exported generic function with its type arguments expected, "
      .. "\"Max[int]\""):format(name) }
  end
  if not state.core:is_loaded() then return nil, { code = "closed", message = state.name .. " was unloaded" } end
  local made = state.instances[normal]
  if made then return made.fn end
  if state.core:is_closed() then return nil, { code = "busy", message = state.name .. " is being unloaded" } end
  if not state.load_instance then
    return nil, { code = "unsupported", message = ("%s: no instances of what was not built from source by host:build")
      :format(state.name) }
  end
  local loaded, err = state.load_instance(normal)
  if not loaded then return nil, err end
  known.cores[loaded] = true
  local fn = loaded:func(normal:match "^[^%[]*")
  if state.share then sharing.add_instance(state, loaded, normal) end
  made = { core = loaded, fn = road.equip(fn) }
  state.instances[normal] = made
  return made.fn
end

--- The instance of a generic function that was asked for by a name with type arguments, compiled and loaded at the
--- first time. Another Lua state may replace the module while the compiler is at work: then the instance is the new
--- one's.
---@param state goloader.ModuleState
---@param name string
---@return goloader.Func|nil
---@return goloader.Error|nil err
function instances.get(state, name)
  while true do
    local fn, err = instance_of(state, name)
    if fn or err.code ~= "closed" or not state.share then return fn, err end
    local is_there, face = pcall(sharing.follow, state)
    if not is_there or states[face] == state then return nil, err end
    state = states[face]
  end
end

--- What finds what a generic function of a module is now, whichever version of that stands.
---@param state goloader.ModuleState
---@param name string
---@return fun(): goloader.GenericState
function instances.finder(state, name)
  return function()
    local now = state
    while now.successor do now = now.successor end
    if now.share and not now.core:is_current() then now = states[sharing.follow(now)] end
    local found = now.generics[name]
    if not found then
      found = { export = now.core:generic(name), instantiate = function(wanted) return instances.get(now, wanted) end }
      now.generics[name] = found
    end
    return found
  end
end

return instances
