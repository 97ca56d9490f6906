-- Lua functions that the loader writes: what the two roads that LuaJIT compiles (ffi.lua, pure.lua) have in
-- common.
--
-- Between the moment that arguments are put where they are expected and that results are taken from there, Lua may run
-- other code: to make a string or a box of LuaJIT's is a step of its collector, which calls finalizers. What such code
-- calls while a place is busy goes by the C API.

local source = {}

--- Puts values into a text, for $name.
---@param text string
---@param values table<string, string>
---@return string
function source.fill(text, values)
  return (text:gsub("%$(%l+)", values))
end

-- What is tested of an argument $a
source.tests = {
  bool = "type($a) == 'boolean'",
  int = "type($a) == 'number' and $a >= $low and $a <= $high and floor($a) == $a",
  float = "type($a) == 'number'",
  string = "type($a) == 'string'",
}

--- "local r1, r2 = VALUES", and "r1, r2"
---@param values string[]
---@return string statement
---@return string names
function source.take(values)
  local names = {}
  for i in ipairs(values) do names[i] = "r" .. i end
  local taken = table.concat(names, ", ")
  return #names > 0 and ("local %s = %s"):format(taken, table.concat(values, ", ")) or "", taken
end

-- One template serves all functions of the same source.
local templates = {}

--- The chunk of a text.
---@param text string
---@return fun(...): function
function source.compile(text)
  local template = templates[text]
  if not template then
    template = assert(loadstring(text, "=goloader"))
    templates[text] = template
  end
  return template
end

--- The chunk of a text with a prototype of its own: LuaJIT compiles its loops for one function.
---@param text string
---@return fun(...): function
function source.compile_alone(text)
  return assert(loadstring(text, "=goloader"))
end

return source
