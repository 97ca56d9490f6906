-- The modules that this Lua state knows, and what is known of each. The core of a module is the C library's userdata
-- (src/binding/module.c); what a program calls the module is its face, a table (module.lua). A face may come to stand
-- for another module, by which it was replaced.

local chunks = require "goloader.roads.chunks"
local misuse = require "goloader.errors".misuse
local road = require "goloader.roads.road"

local known = {}

---@class goloader.ModuleState  what is known of a module, kept off the module itself
---@field core userdata
---@field name string  for messages
---@field instances table<string, { core: userdata, fn: goloader.Func }>  of its generic functions, by their names
---@field load_instance nil|fun(name: string): userdata|nil, goloader.Error|nil  compiles and loads one of those
---@field is_shared boolean|nil  the process's own package, of `host:std`
---@field kinds table<string, "func"|"var"|"const"|"type"|"generic">  of what it exports
---@field object_bytes integer
---@field forget fun()  lets go of its functions
---@field functions table<string, any>  those that were taken from it
---@field refusal { err: goloader.Error, times: integer, at: number }|nil  how unloads of it have ended
---@field unloading { job: goloader.Job, pending: userdata, along: userdata[] }|nil  a thread unloads it
---@field is_given_up true|nil  it is to go as soon as it can, and no call is let in any more
---@field share string|nil  the name by which other Lua states find it
---@field is_old true|nil  of those: this Lua state has a later version
---@field successor goloader.ModuleState|nil  of the version that has replaced it. It names no goloader.Module: those
---  are the weak keys of the table below, which a value that refers to one keeps for a collection more
---@field generics table<string, goloader.GenericState>  generic functions that were taken from it
---@field recipe goloader.Recipe|nil  what another Lua state needs to make instances of its generic functions

---@type table<goloader.Module, goloader.ModuleState>
local states = setmetatable({}, { __mode = "k" })
known.states = states

-- What a program calls a module that is known by more than one table since it was replaced.
---@type table<goloader.ModuleState, goloader.Module>
local faces = setmetatable({}, { __mode = "kv" })
known.faces = faces

-- The cores of all modules. A function keeps its module's core alive when the face is forgotten, and its calls are
-- still counted.
---@type table<userdata, true>
known.cores = setmetatable({}, { __mode = "k" })

--- Calls a function with each module that this Lua state has loaded and still knows: its core, what Lua sees of
--- it, and what is known of it.
---@param visit fun(core: userdata, module: goloader.Module, state: goloader.ModuleState)
function known.each(visit)
  for _, state in pairs(states) do
    if faces[state] and state.core:is_loaded() then visit(state.core, faces[state], state) end
  end
end

--- The instances of a module's generic functions, which go with it.
---@param state goloader.ModuleState
---@return userdata[] cores
function known.instances_of(state)
  local along = {}
  for _, made in pairs(state.instances) do along[#along + 1] = made.core end
  return along
end

--- What finds the function that a name means now.
---@param self goloader.Module
---@param name string
---@return fun(): goloader.Func
function known.finder(self, name)
  return function()
    local fn = self[name]
    if type(fn) ~= "userdata" then misuse(3, "%s exports no function %s any more", states[self].name, name) end
    return fn
  end
end

--- The Lua half of a replacement: has a face, and the functions that were taken from it, stand for another module.
---@param self goloader.Module
---@param other goloader.Module
---@return goloader.Module before  a face of what the first has stood for
function known.swap_faces(self, other)
  local meta, state = getmetatable(self), states[self]
  chunks.hand_on(self, other)
  for face, its in pairs(states) do -- one that was replaced itself has several
    if its == state then
      states[face] = states[other]
      setmetatable(face, getmetatable(other))
    end
  end
  local functions = meta.__index
  for name, fn in pairs(functions) do
    if road.forward(fn, known.finder(self, name)) then functions[name] = nil end
  end
  for name, made in pairs(state.instances) do road.forward(made.fn, known.finder(self, name)) end
  local before = setmetatable({}, meta)
  states[before], faces[state], faces[states[self]] = state, before, self
  chunks.follow(before, self)
  chunks.follow(self, other)
  state.successor = states[self]
  return before
end

return known
