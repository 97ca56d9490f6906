--- Integers beyond 2^53 keep their value: as int64_t and uint64_t, where there is an FFI.

local has_ffi, ffi = pcall(require, "ffi")
if not has_ffi then return end

local core = require "goloader.core"

local signed, unsigned = ffi.typeof "int64_t", ffi.typeof "uint64_t"
local two32 = ffi.cast(unsigned, 2 ^ 32) -- a literal with ULL would be an error to other Luas

local function make(lo, hi, is_unsigned)
  local value = ffi.cast(unsigned, hi) * two32 + ffi.cast(unsigned, lo)
  return is_unsigned and value or ffi.cast(signed, value)
end

local function split(value)
  local is_unsigned = ffi.istype(unsigned, value)
  if not is_unsigned and not ffi.istype(signed, value) then return nil end
  if tostring(value):find "^ctype<" then return nil end -- the type itself
  local bits = ffi.cast(unsigned, value)
  return tonumber(bits % two32), tonumber(bits / two32), is_unsigned
end

core.set_int64(make, split)
