-- Handles on LuaJIT: finds their members, calls methods, and reads and sets fields, without leaving compiled traces
-- where the FFI road (ffiroad.lua) goes. What does not take it is done by the C API, as on every other Lua.

local ffi = require "ffi"
local core = require "goloader.core"
local ffiroad = require "goloader.ffiroad"

local cast, type, getmetatable, tonumber = ffi.cast, type, getmetatable, tonumber
local handles, handle_type = core.handle_class(), ffi.typeof "const struct gl_handle *"
local index_by_capi, newindex_by_capi = handles.__index, handles.__newindex

-- by number of a class: its members that are known
local classes = core.handle_classes()

-- Where members have what reads fields, and what sets them, by their names; false: nothing here does
local READ, SET = 2, 3

-- A class may be new, or only forgotten when some module went.
local function open(handle)
  local members = core.handle_members(handle)
  members[READ] = members[READ] or {}
  members[SET] = members[SET] or {}
  classes[tonumber(cast(handle_type, handle).class)] = members
  return members
end

-- The members of a handle's class; nil of anything else, and of an error.
local function members_of(handle)
  if getmetatable(handle) ~= handles then return nil end
  local class = tonumber(cast(handle_type, handle).class)
  return classes[class] or class ~= 0 and open(handle) or nil
end

local function reader_of(handle, members, name)
  local function by_capi(self) return index_by_capi(self, name) end
  local read = ffiroad.of_member(by_capi, core.field_ffi(handle, members[name], false)) or by_capi
  members[READ][name] = read
  return read
end

local function setter_of(handle, members, name)
  local function by_capi(self, ...) return newindex_by_capi(self, name, ...) end
  local set = ffiroad.of_member(by_capi, core.field_ffi(handle, members[name], true)) or by_capi
  members[SET][name] = set
  return set
end

function handles.__index(handle, key)
  local members = members_of(handle)
  local member = members and members[key]
  if type(member) == "function" then return member end
  if type(member) == "number" then
    return (members[READ][key] or reader_of(handle, members, key))(handle)
  end
  return index_by_capi(handle, key)
end

function handles.__newindex(handle, key, value)
  local members = members_of(handle)
  if members and type(members[key]) == "number" then
    return (members[SET][key] or setter_of(handle, members, key))(handle, value)
  end
  return newindex_by_capi(handle, key, value)
end

core.set_method_maker(function(method)
  return ffiroad.of_member(method, core.method_ffi(method)) or method
end)
