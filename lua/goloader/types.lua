--- Go's types, as Lua has them: fields of the module that exports them.
--
--     local lamp = shop.Item { Name = "lamp" }   -- what module:new "Item" gives: a handle of a new one
--     print(shop.Item)                           --> shop.Item struct { Name string; Price float64 }
--     for _, field in ipairs(shop.Item.fields) do print(field.name, field.type) end

local errors = require "goloader.errors"
local nearest = require "goloader.nearest"

local misuse = errors.misuse

---@class goloader.Field
---@field name string
---@field type string  Go type
---@field tag string  "" where it has none
---@field embedded boolean

---@class goloader.Method
---@field name string
---@field signature string  "func() string"
---@field by_pointer boolean  only a pointer has it, as every handle is one
---@field promoted boolean  an embedded field's

---@class goloader.Type  called with a value, or nothing, it makes a handle of a new variable
---@field name string
---@field package string  import path
---@field kind string  as package reflect calls it: "struct", "interface", "map", "int", …
---@field signature string  what it is: "struct { Name string }", "= other.Item" of an alias
---@field fields goloader.Field[]  exported ones of a struct
---@field methods goloader.Method[]  exported ones that it declares, or that an interface asks for; then promoted ones
---@field type_params goloader.TypeParameter[]|nil  of a generic type
---@overload fun(value: any): userdata
local Type = {}

-- by type: its module's core, and what is known of it
---@type table<goloader.Type, { core: userdata, info: table }>
local known = setmetatable({}, { __mode = "k" })

local KINDS = {
  { "^struct {", "struct" }, { "^interface {", "interface" }, { "^map%[", "map" }, { "^%[%]", "slice" },
  { "^%[", "array" }, { "^func%(", "func" }, { "^chan ", "chan" }, { "^<%-chan ", "chan" }, { "^chan<%- ", "chan" },
  { "^%*", "ptr" },
}

local function kind_of(underlying)
  for _, kind in ipairs(KINDS) do
    if underlying:find(kind[1]) then return kind[2] end
  end
  return underlying
end

local function info_of(self)
  return known[self].info
end

function Type.__index(self, key)
  local info = info_of(self)
  local value = info[key]
  if value == nil and key ~= "type_params" then
    local near = nearest(key, info)
    misuse(2, "a type has no field '%s'%s", tostring(key), near and ("; did you mean %s?"):format(near) or "")
  end
  return value
end

function Type.__newindex(_, key)
  misuse(2, "a type's field %s can't be set: call the type to make a value", tostring(key))
end

function Type.__call(self, ...)
  local info = info_of(self)
  if select("#", ...) > 1 then
    misuse(2, "%s: one value expected, a table of its fields say, got %d", info.name, select("#", ...))
  end
  if info.type_params then
    misuse(2, "%s is generic (%s): values of it are made by functions of Go's that say its type arguments", info.name,
      info.signature:match "^%b[]")
  end
  return known[self].core:new(info.name, (...))
end

function Type.__tostring(self)
  local info = info_of(self)
  -- as it is written in Go: by the last element of the package's path
  return ("%s.%s %s"):format(info.package:match "[^/]*$", info.name, info.signature)
end

-- Methods of embedded fields: the package's declarations don't have them, the type's descriptor has.
local function add_promoted(core, info)
  local declared = {}
  for _, method in ipairs(info.methods) do
    method.promoted, declared[method.name] = false, true
  end
  for _, method in ipairs(core:methods(info.name) or {}) do
    if not declared[method.name] then
      method.promoted = true
      info.methods[#info.methods + 1] = method
    end
  end
end

local types = {}

--- The type of that name; raises where the module was unloaded.
---@param core userdata  the module's
---@param name string
---@return goloader.Type
function types.new(core, name)
  local self, info = setmetatable({}, Type), core:type(name)
  info.kind = kind_of(info.underlying)
  info.underlying = nil
  add_promoted(core, info)
  known[self] = { core = core, info = info }
  return self
end

return types
