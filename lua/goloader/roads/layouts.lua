-- Sees to it that what is declared to LuaJIT lies where C has it: compiled code that wrote elsewhere would destroy
-- memory.

local ffi = require "ffi"
local core = require "goloader.core"

local layouts = {}

--- Raises where a declared type differs from C's.
---@param name string  "struct gl_cell"
---@param declared { size: integer, offsets: table<string, integer> }|nil  what C has; core.layouts()'s by default
function layouts.check(name, declared)
  declared = declared or core.layouts()[name]
  local function compare(what, here, there)
    if here ~= there then
      error(("goloader's Lua files are not of the same build as its core: %s of %s is %s here and %d in C")
        :format(what, name, tostring(here), there), 0)
    end
  end
  compare("the size", ffi.sizeof(name), declared.size)
  for field, offset in pairs(declared.offsets) do
    compare("the offset of " .. field, ffi.offsetof(name, field), offset)
  end
end

return layouts
