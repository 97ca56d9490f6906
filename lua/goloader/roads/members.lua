-- Handles on LuaJIT: finds their members, calls methods, and reads and sets fields, without leaving compiled traces
-- where the FFI road (ffi.lua) goes. What does not take it is done by the C API, as on every other Lua.

local ffi = require "ffi"
local core = require "goloader.core"
local ffiroad = require "goloader.roads.ffi"

local cast, type, getmetatable, tonumber = ffi.cast, type, getmetatable, tonumber
local handles, handle_type = core.handle_class(), ffi.typeof "const struct gl_handle *"
local index_by_capi, newindex_by_capi = handles.__index, handles.__newindex

-- by number of a class: its members that are known
local classes = core.handle_classes()

-- Where members have what reads fields, and what sets them, by their names
local READ, SET = 2, 3

-- The members of a handle's class; nil of anything else, of an error, and before C has used a handle of the class.
local function members_of(handle)
  if getmetatable(handle) ~= handles then return nil end
  local class = tonumber(cast(handle_type, handle).class)
  local members = classes[class]
  if not members and class ~= 0 then
    members = core.handle_members(handle)
    classes[class] = members -- it may have been forgotten, when some module went
  end
  return members
end

local function keep(members, place, name, access)
  members[place] = members[place] or {}
  members[place][name] = access
  return access
end

local function reader_of(handle, members, name)
  local function by_capi(self) return index_by_capi(self, name) end
  return keep(members, READ, name,
    ffiroad.of_member(by_capi, core.field_ffi(handle, members[name], false)) or by_capi)
end

local function setter_of(handle, members, name)
  local function by_capi(self, ...) return newindex_by_capi(self, name, ...) end
  return keep(members, SET, name,
    ffiroad.of_member(by_capi, core.field_ffi(handle, members[name], true)) or by_capi)
end

function handles.__index(handle, key)
  local members = members_of(handle)
  local member = members and members[key]
  if type(member) == "function" then return member end
  if type(member) == "number" then
    local readers = members[READ]
    return (readers and readers[key] or reader_of(handle, members, key))(handle)
  end
  return index_by_capi(handle, key)
end

function handles.__newindex(handle, key, value)
  local members = members_of(handle)
  if members and type(members[key]) == "number" then
    local setters = members[SET]
    return (setters and setters[key] or setter_of(handle, members, key))(handle, value)
  end
  return newindex_by_capi(handle, key, value)
end

core.set_method_maker(function(method)
  return ffiroad.of_member(method, core.method_ffi(method)) or method
end)
