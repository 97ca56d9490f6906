-- Numbers between Lua and C on LuaJIT: FFI arrays, and integers that a Lua number can't hold.

local core = require "goloader.core"

local has_ffi, ffi = pcall(require, "ffi")

local arrays = {}

local has_new, new_table = pcall(require, "table.new")

--- A table with room for n elements, and for so many other keys.
---@type fun(n: integer, keys: integer): table
arrays.new_table = has_new and new_table or function() return {} end

-- Integers that a number can't hold stay cdata.
function arrays.signed(v)
  if v <= 9007199254740992 and v >= -9007199254740992 then return tonumber(v) end
  return v
end

function arrays.unsigned(v)
  if v <= 9007199254740992 then return tonumber(v) end
  return v
end

-- Elements of FFI arrays, by their Go type, and as LuaJIT spells them. It does not tell int8_t from char, of which
-- buffers of bytes are made: such an array is taken for either.
local elements = {
  bool = { "bool" }, float32 = { "float" }, float64 = { "double" },
  int8 = { "char" }, int16 = { "short" }, int32 = { "int" }, int64 = { "int64_t" },
  uint8 = { "unsigned char" }, uint16 = { "unsigned short" }, uint32 = { "unsigned int" }, uint64 = { "uint64_t" },
}
local element_of = {}
for go_type, names in pairs(elements) do
  for _, name in ipairs(names) do element_of[name] = go_type end
end

-- by number of a C type: { Go type of its elements, bytes of one }, or false when it is no array of numbers
local known = {}

local function know_array(id, value)
  local c_type = tostring(ffi.typeof(value))
  local name = c_type:match "^ctype<(.*) %[[%d?]+%]>$" or c_type:match "^ctype<(.*) %(&%)%[%d+%]>$" -- or in another
  local go_type = name and element_of[name:gsub("^const ", "")]
  known[id] = go_type and { go_type, tonumber(ffi.sizeof(go_type == "bool" and "bool" or name)) } or false
  return known[id]
end

--- The Go type of an FFI array's elements; nil for anything that is no FFI array of numbers.
---@param value any
---@return string|nil
function arrays.go_type(value)
  if type(value) ~= "cdata" then return nil end
  local id = tonumber(ffi.typeof(value))
  local array = known[id]
  if array == nil then array = know_array(id, value) end
  return array and array[1] or nil
end

--- How many elements an FFI array has; nil for anything that is no FFI array of numbers, or not of those of a Go type:
--- "float64", "uint8".
---@param value any
---@param go_type string|nil
---@return integer|nil
function arrays.length(value, go_type)
  if type(value) ~= "cdata" then return nil end
  local id = tonumber(ffi.typeof(value))
  local array = known[id]
  if array == nil then array = know_array(id, value) end
  if not array then return nil end
  if go_type and array[1] ~= go_type and not (array[1] == "int8" and go_type == "uint8") then return nil end
  -- a type itself, ffi.typeof "int[3]", has the size of its values, and its number, of 16 bits, for an address
  if ffi.cast("uintptr_t", ffi.cast("const void *", value)) < 65536 then return nil end
  return ffi.sizeof(value) / array[2]
end

if has_ffi then
  -- Tells C what an FFI array is: Go type of its elements, their number, address.
  core.set_array(function(value)
    local n = arrays.length(value)
    if not n then return nil end
    return known[tonumber(ffi.typeof(value))][1], n, tonumber(ffi.cast("uintptr_t", ffi.cast("const void *", value)))
  end)
end

--- The same elements in a table.
---@param array ffi.cdata*  whose length is known
---@param length integer
---@return any[]
function arrays.copy(array, length)
  local copy = arrays.new_table(length, 0)
  for i = 1, length do copy[i] = array[i - 1] end
  return copy
end

return arrays
