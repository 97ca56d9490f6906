--- Generic functions, as fields of the module that exports them.
--
-- They have no code: an instance of one has, which is compiled and loaded when somebody asks for it (instance.lua).
-- Where the arguments tell its type arguments (infer.lua), a call does.
--
--     e.Max(1, 2.5)               -- what e["Max[float64]"](1, 2.5) is

local errors = require "goloader.errors"
local infer = require "goloader.building.infer"
local nearest = require "goloader.nearest"
local same = require "goloader.roads.same"

local misuse = errors.misuse

---@class goloader.Generic  called as a function
local Generic = {}

---@class goloader.GenericState
---@field export goloader.Export
---@field instantiate fun(name: string): goloader.Func|nil, goloader.Error|nil
---@field prepared table|nil  what there is to infer, once somebody has called it

-- What each is now: its module may be replaced.
---@type table<goloader.Generic, fun(): goloader.GenericState>
local finders = setmetatable({}, { __mode = "k" })
-- What tostring says of each when its module was unloaded.
---@type table<goloader.Generic, string>
local descriptions = setmetatable({}, { __mode = "k" })

-- The instance that the arguments of a call mean; an error at the caller's caller where they don't tell it.
local function instance_for(self, many, ...)
  local state = finders[self]()
  local export = state.export
  state.prepared = state.prepared or infer.prepare(export)
  local arguments, why, known = infer.arguments(state.prepared, many, select("#", ...), ...)
  if not arguments then
    misuse(3, "%s is generic, %s, and %s: name it, module[\"%s[%s]\"]", export.name, export.signature, why, export.name,
      table.concat(known, ", "))
  end
  local fn, err = state.instantiate(("%s[%s]"):format(export.name, table.concat(arguments, ",")))
  if not fn then misuse(3, "%s", err.message) end
  return fn
end

function Generic.__call(self, ...)
  return instance_for(self, false, ...)(...)
end

-- What functions can do, for arguments that tell which function is meant.
local methods = {}
for name, many in pairs { async = false, async_keep = false, keep = false, map = true, each = true } do
  methods[name] = function(self, ...)
    if not finders[self] then misuse(2, "fn:%s: a function of a module expected, got %s", name, type(self)) end
    local length = many and same.count(...)
    if length then return self[name](self, same.expand(length, ...)) end
    local fn = instance_for(self, many, ...)
    return fn[name](fn, ...)
  end
end

-- What only an instance has.
local OF_INSTANCES = { explain = true, road = true, stats = true }

function Generic.__index(self, key)
  if methods[key] then return methods[key] end
  local export = finders[self]().export
  if OF_INSTANCES[key] then
    local names = {}
    for i, each in ipairs(export.type_params) do names[i] = each.name end
    misuse(2, "%s is generic, %s, and has no code: ask an instance, module[\"%s[%s]\"]:%s()", export.name,
      export.signature, export.name, table.concat(names, ", "), key)
  end
  local near = nearest(key, methods)
  misuse(2, "a function has no method %s%s", errors.shown(key), near and ("; did you mean %s?"):format(near) or "")
end

local function describe(export)
  return ("%s.%s %s"):format(export.package:match "[^/]*$", export.name, export.signature)
end

function Generic.__tostring(self)
  local is_there, state = pcall(finders[self])
  return is_there and describe(state.export) or descriptions[self]
end

local generic = {}

--- A generic function.
---@param find fun(): goloader.GenericState  says what it is now
---@return goloader.Generic
function generic.new(find)
  local self = setmetatable({}, Generic)
  finders[self], descriptions[self] = find, describe(find().export)
  return self
end

return generic
