-- Lua functions that the loader writes: what the two roads that LuaJIT compiles (ffi.lua, pure.lua) have in
-- common.
--
-- Between the moment that arguments are put where they are expected and that results are taken from there, Lua may run
-- other code: to make a string or a box of LuaJIT's is a step of its collector, which calls finalizers. What such code
-- calls while a place is busy goes by the C API.
--
-- Or memory is short, which raises. A place that stays busy costs the road; of a function that several Lua states have
-- it would be a call that never ends, and their module could never go. So those do it in a function of its own, called
-- in protected mode.

local unpack = rawget(table, "unpack") or unpack

local ffi = require "ffi"

-- Roads are made when functions are called, where memory may be short. LuaJIT crashes if it is short in tostring of a
-- number, among the frames of such a call (spec/scarce_spec.lua), and does not in string.format.

local source = {}

--- Of a function that several Lua states have (src/binding/share.c): the number that its calls look at, and which it
--- must be. Of any other nothing.
---@param fn goloader.Func
---@return ffi.cdata*|nil number
---@return integer|nil version
function source.version_of(fn)
  local _, address, version = fn:cell()
  if not address then return nil end
  return ffi.cast("const volatile uint32_t *", ffi.cast("uintptr_t", address)), version
end

--- What a call says between the moment that its place is busy and that Go is called: nothing, or where another version
--- stands now, the statements given.
---@param number ffi.cdata*|nil
---@param otherwise string
---@return string
function source.look(number, otherwise)
  return number and ("if number[0] ~= version then %s end"):format(otherwise) or ""
end

-- What that function gives where another version stands now, instead of a status of Go's
local REPLACED = 255

--- A function of what is done while a place is busy, for functions that several Lua states have: it returns a status,
--- and if that is 0 the results.
---@param parameters string
---@param body string  sets `status`
---@param take string  has the results be the values `taken`
---@param taken string
---@return string text
function source.window(parameters, body, take, taken)
  return source.fill([[
    local function window($parameters)
      if number[0] ~= version then return $replaced end
      $body
      if status ~= 0 then return status end
      $take
      return 0$taken
    end]], {
    parameters = parameters, body = body, take = take, taken = taken == "" and "" or ", " .. taken,
    replaced = ("%d"):format(REPLACED),
  })
end

--- The call of it, whose results are `status` and the values `taken`.
---@param parameters string
---@param taken string
---@param place string  what is busy
---@return string text
function source.call_window(parameters, taken, place)
  return source.fill([[
    local is_done, status$taken = pcall(window, $parameters)
    if not is_done then
      $place.busy = 0
      error(status, 0)
    end]], { parameters = parameters, taken = taken == "" and "" or ", " .. taken, place = place })
end

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

--- The chunk of a function by that a call goes as the body says, where it has been given as many arguments as it has
--- parameters, and by the C API otherwise. It takes its upvalues.
--
-- The body is a function of its own: LuaJIT compiles a function for itself, whoever calls it, unless it takes "...".
-- And each has a prototype of its own, since what is compiled of it is compiled for its upvalues, but for versions of
-- one function (source.compile).
---@param upvalues string  their names; by_capi and select among them
---@param names string[]  the parameters'
---@param body string  what it has not returned from goes by the C API
---@param chunks table<string, function>|nil  as source.compile takes them
---@param window string|nil  a function that the body calls
---@return fun(...): function
function source.function_of(upvalues, names, body, chunks, window)
  return source.compile(source.fill([[
    local $upvalues = ...
    $window
    local function call_it($parameters)
      $body
      return by_capi($parameters)
    end
    return function(self, ...)
      if select('#', ...) == $count then return call_it(self, ...) end
      return by_capi(self, ...)
    end]], {
    upvalues = upvalues, parameters = table.concat({ "self", unpack(names) }, ", "), body = body,
    window = window or "",
    count = ("%d"):format(#names),
  }), chunks)
end

--- The chunk of a text.
--
-- A function that takes the place of an earlier version of it has that one's chunk, if it is the same. What LuaJIT
-- compiles is for one function: whatever calls it would get one more trace with each version, behind those of all
-- versions before. Where a chunk has made three functions, a trace looks at their prototype alone (lj_func.c,
-- PROTO_CLC_POLY), and loads the upvalues.
---@param text string
---@param chunks table<string, function>|nil  by their texts, of earlier versions
---@return fun(...): function
function source.compile(text, chunks)
  local chunk = chunks and chunks[text] or assert(loadstring(text, "=goloader"))
  if chunks then chunks[text] = chunk end
  return chunk
end

return source
