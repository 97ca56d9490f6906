-- A module that other Lua states of the process have, too (src/binding/share.c). Its versions are theirs as well: calls
-- and uses of its variables see to that in C and in compiled traces, all else asks here first, by `current`.

local core = require "goloader.core"
local errors = require "goloader.errors"
local known = require "goloader.modules.known"
local note = require "goloader.note"
local road = require "goloader.roads.road"

local states, faces = known.states, known.faces
local returned = errors.returned

local sharing = {}

-- By the core of a module that several Lua states have: the face of the version that stands now, and which instance of
-- a generic function it is, if it is one.
---@type table<userdata, { face: goloader.Module, instance: string|nil }>
local shared = setmetatable({}, { __mode = "k" })
---@type table<string, goloader.Module>  by their names
local shared_faces = {}

---@class goloader.Recipe  how instances of a module's generic functions are made
---@field interface goloader.Interface
---@field twice string
---@field imports goloader.Policy|nil

local load_instances ---@type fun(loaded: userdata, recipe: goloader.Recipe): fun(name: string): userdata|nil

--- Who makes what loads instances by a recipe.
---@param make fun(loaded: userdata, recipe: goloader.Recipe): fun(name: string): userdata|nil, goloader.Error|nil
function sharing.set_instance_loader(make) load_instances = make end

-- What other Lua states are told of it. Instances of its generic functions are made by the rules that hold for it:
-- where those are a function, nobody else can make any.
local function describe_for_all(state)
  return note.write {
    name = state.name, bytes = state.object_bytes, recipe = note.can_write(state.recipe) and state.recipe or nil,
    covered = state.covered and { files = state.covered.files, mode = state.covered.mode },
  }
end

--- Has an instance of a generic function belong to a module that is shared: another Lua state may take it, with a
--- version that was replaced.
---@param state goloader.ModuleState
---@param loaded userdata
---@param normal string  its name
function sharing.add_instance(state, loaded, normal)
  loaded:join(state.core)
  shared[loaded] = { face = shared[state.core].face, instance = normal }
end

-- Has what Lua knows of a module look which version stands, from now on.
local function take_part(state, name, face)
  state.share = name
  shared[state.core], shared_faces[name] = { face = face }, face
  for field, value in pairs(state.functions) do
    if road.of(value) then road.equip(value) else state.functions[field] = nil end
  end
  for normal, made in pairs(state.instances) do
    sharing.add_instance(state, made.core, normal)
    road.equip(made.fn)
  end
end

--- Ends that: other Lua states have it no more, or it is no more.
---@param state goloader.ModuleState
function sharing.unshare(state)
  if shared_faces[state.share] and states[shared_faces[state.share]] == state then shared_faces[state.share] = nil end
  shared[state.core], state.share = nil, nil
end

--- Lets other Lua states of the process have it, by a name.
---@param self goloader.Module
---@param name string
---@return true|nil
---@return goloader.Error|nil err
function sharing.share(self, name)
  local state = sharing.current(self)
  if state.share == name then return true end
  local ok, err = state.core:share(name, describe_for_all(state))
  if not ok then return nil, err end
  take_part(state, name, faces[state])
  state.core:settle()
  return true
end

-- What Lua sees of a module that another Lua state has shared.
---@param loaded userdata
---@return goloader.Module
local function take(loaded)
  local of = note.read(loaded:note())
  local load_instance = of.recipe and load_instances(loaded, of.recipe)
  return require("goloader.module").new(loaded, of.name, of.bytes, load_instance, nil, of.covered, of.recipe)
end

--- What Lua sees of a module that was found by its name.
---@param loaded userdata
---@return goloader.Module
function sharing.take(loaded)
  local face = take(loaded)
  take_part(states[face], (loaded:cell()), face)
  loaded:settle()
  return face
end

--- The one that this Lua state has by that name already.
---@param name string
---@return goloader.Module|nil
function sharing.find_shared(name)
  local face = shared_faces[name]
  local state = face and sharing.current(face)
  -- one that waits for its end is called no more
  return state and state.core:is_loaded() and not state.core:is_closed() and face or nil
end

-- Lets go of a version that is not the one that stands: the last Lua state that has it unloads it.
local function let_go(state)
  local function leave() return returned(state.core:leave(known.instances_of(state))) end
  local ok, _, err = leave()
  if ok or err.code == "closed" then return end
  require("goloader.reload.dismissed").add { unload = leave }
end

--- Has what Lua calls the module, and its functions, stand for the version of the moment.
---@param state goloader.ModuleState
---@return goloader.Module
function sharing.follow(state)
  local face = shared[state.core].face
  state = states[face]
  if not state.core:is_current() then
    local loaded = state.core:follow()
    if loaded then
      local new = take(loaded)
      take_part(states[new], state.share, face)
      loaded:settle()
      if state.is_given_up then
        states[new].is_given_up = true
        loaded:close(math.huge)
      end
      state.is_old = true
      known.swap_faces(face, new)
      let_go(state)
    end
  end
  return face
end

--- What is known of a module, which is the version of the moment now where several Lua states have it.
---@param self goloader.Module|any
---@return goloader.ModuleState|nil  nil: it is no module
function sharing.current(self)
  local state = states[self]
  if not state or not state.share or state.is_old or state.core:is_current() then return state end
  return states[sharing.follow(state)]
end

core.set_follower(function(loaded, name)
  local of = shared[loaded]
  local state = of and states[of.face]
  if not state or not state.share then return nil end
  local face = sharing.follow(state)
  if not name then return states[face].core end
  return known.finder(face, of.instance or name)()
end)

--- The name by which other Lua states have it; nil: they don't.
---@param self goloader.Module
---@return string|nil
function sharing.share_of(self) return states[self].share end

--- What a program calls a module that is shared, whichever version it is.
---@param loaded userdata
---@return goloader.Module
function sharing.face_of(loaded) return shared[loaded].face end

--- Takes notice of what other Lua states have replaced.
function sharing.catch_up()
  for _, face in pairs(shared_faces) do sharing.current(face) end
end

--- Begins to replace a module; nobody else replaces it till `sharing.replace`, or `sharing.give_up`. Of one that no
--- other Lua state has, nothing happens.
---@param self goloader.Module
---@return userdata|true|nil claim  to be kept till then: when it is collected, that ends, too
---@return goloader.Error|nil err
function sharing.begin_replacing(self)
  while true do
    local state = sharing.current(self)
    if not state.share then return true end
    local ok, err = state.core:begin_replacing()
    if ok or sharing.current(self) == state then return ok, err end -- or another Lua state has replaced it just now
  end
end

--- Calls that begin from now on wait for the end of that.
---@param self goloader.Module
function sharing.hold_calls(self)
  if states[self].share then states[self].core:hold_calls() end
end

---@param self goloader.Module  which goes on as it is
function sharing.give_up(self)
  if states[self].share then states[self].core:end_replacing() end
end

--- Has a module, and the functions that were taken from it before, stand for what another one is from now on. Functions
--- that the other lacks raise that when they are called. Where other Lua states have the module, it is so for all.
---@param self goloader.Module
---@param other goloader.Module  both are the same module then
---@return goloader.Module|nil before  what the first has stood for
---@return goloader.Error|nil err
function sharing.replace(self, other)
  local state = states[self]
  if state.share and not state.is_old then
    local new = states[other]
    local ok, err = state.core:end_replacing(new.core, describe_for_all(new))
    if not ok then return nil, err end
    take_part(new, state.share, self)
    new.core:settle()
  end
  state.is_old = state.share and true
  return known.swap_faces(self, other)
end

return sharing
