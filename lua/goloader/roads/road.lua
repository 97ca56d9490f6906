-- Which road a call takes into Go.
--
-- Every function can be called by the C API (src/call): any types, any Lua. LuaJIT has two faster roads, for which
-- compiled traces need not be left: a Lua function is generated that tests the arguments and puts them where
-- they are expected. Functions of numbers, booleans, strings and byte slices take the FFI road (ffi.lua), as do
-- handles' methods and fields of those (members.lua); functions that are proved to need no Go runtime take the pure
-- path (pure.lua).
--
-- Whatever is out of the ordinary goes by the C API after all, so that results and messages are the same on every road.

local arrays = require "goloader.roads.arrays"
local core = require "goloader.core"
local errors = require "goloader.errors"
local explain = require "goloader.roads.explain"
local same = require "goloader.roads.same"

---@class goloader.Func  a Go function: called as one
local Func = core.func_class()

-- by function: the road that it takes, false while that is not chosen; and what maps it, if anything is quicker than C
local roads, mappers = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })
local chunks_of = setmetatable({}, { __mode = "k" }) -- what was written for the versions of one that is replaced

local road = {}

-- The road of every Lua: what the class of functions itself does when it is called.
local by_capi = Func.__call

-- Roads from the best on. LuaJIT's interpreter calls by FFI slower than by the C API: without the compiler there are
-- none.
local faster = {}
local has_ffi = pcall(require, "ffi")
if has_ffi and jit.status() then
  local ffiroad = require "goloader.roads.ffi"
  faster[1] = { name = "pure", make = require "goloader.roads.pure" }
  faster[2] = { name = "ffi", make = ffiroad.of_function }
  require "goloader.roads.members"
end

local function class(call, finalizer)
  return { __call = call, __index = Func, __tostring = Func.__tostring, __gc = finalizer }
end

-- When the Lua state is closed, the finalizers of others may still call it: not by what it has no more.
local finalized = class(by_capi)

local function finalize(fn)
  Func.__gc(fn) -- raises of anything else, whose metatable is not to be touched
  debug.setmetatable(fn, finalized)
  mappers[fn] = nil
end

--- Has a function take the best road that there is for it, or the best from the one given on.
---@param fn goloader.Func
---@param from nil|"pure"|"ffi"|"capi"
---@param chunks table<string, function>|nil  which its other versions have, too
---@return goloader.Func
function road.equip(fn, from, chunks)
  local name, call, mapper = "capi", by_capi, nil
  chunks = chunks or chunks_of[fn]
  chunks_of[fn] = chunks
  for i = from == "ffi" and 2 or 1, from == "capi" and 0 or #faster do
    local made, maps = faster[i].make(fn, by_capi, chunks, road.equip)
    if made then
      name, call, mapper = faster[i].name, made, maps
      break
    end
  end
  roads[fn], mappers[fn] = name, mapper
  debug.setmetatable(fn, class(call, finalize))
  return fn
end

local never_called = class(function(fn, ...)
  if roads[fn] == false then return road.equip(fn)(...) end
  return by_capi(fn, ...) -- raises of what is no function
end, finalize)

--- Has a function's first call choose its road. To make one takes as long as to load a small module, and many functions
--- are taken from modules that nobody calls.
---@param fn goloader.Func
---@return goloader.Func
function road.defer(fn)
  roads[fn] = false
  debug.setmetatable(fn, never_called)
  return fn
end

--- Has a function that somebody holds do from now on what another one does. Of anything else nothing happens.
---@param fn goloader.Func|any
---@param other fun(): goloader.Func  finds it; raises where there is none
---@return boolean is_function
function road.forward(fn, other)
  if roads[fn] == nil then return false end
  roads[fn], mappers[fn] = nil, nil
  debug.setmetatable(fn, {
    __call = function(_, ...) return other()(...) end,
    __index = function(_, method)
      local found = other()
      local value = found[method]
      if type(value) ~= "function" then return value end
      return function(_, ...) return value(found, ...) end
    end,
    __tostring = function() return tostring(other()) end,
    __gc = finalize,
  })
  return true
end

--- The road that a function's calls take, which is chosen by now; nil of anything else.
---@param fn any
---@return "pure"|"ffi"|"capi"|nil
function road.of(fn)
  if roads[fn] == false then road.equip(fn) end
  return roads[fn]
end

--- Raises that a method of functions was given something else: what is called with a dot may be given anything.
---@param fn any
---@param method string
function road.check(fn, method)
  if roads[fn] == nil then
    error(("fn:%s: a function of a module expected, got %s"):format(method, type(fn)), 3)
  end
end

--- The road that calls of this function take. With an argument it takes that one from now on, or where it can't a
--- slower one, for comparison.
---@param wanted nil|"pure"|"ffi"|"capi"
---@return "pure"|"ffi"|"capi"
function Func:road(wanted)
  road.check(self, "road")
  if wanted == "capi" or wanted == "ffi" or wanted == "pure" then
    road.equip(self, wanted)
  elseif wanted ~= nil then
    error(('fn:road: "pure", "ffi" or "capi" expected, got %s'):format(errors.shown(wanted)), 2)
  end
  return road.of(self)
end

-- ---- methods of handles -------------------------------------------------------------------------------------------

local handle_methods = core.handle_class().methods
local explain_by_capi = handle_methods.explain

--- Which road a method's calls take, and why not a faster one: `h:explain("Match")`.
---@param handle userdata
---@param method string
---@return goloader.Explanation|nil explanation  prints as text
---@return string|nil message
---@return goloader.Error|nil err
function handle_methods.explain(handle, method, ...)
  local found, err = explain_by_capi(handle, method, ...)
  if not found then return errors.fail(err) end
  return explain.new(found, faster[1] and not found.ffi[1] and "ffi" or "capi")
end

-- ---- many calls ---------------------------------------------------------------------------------------------------

local unpack = rawget(table, "unpack") or unpack

-- FFI arrays become tables; tables stay, and what is neither.
local function as_tables(...)
  local n = select("#", ...)
  local all = { ... }
  for i = 1, n do
    local array = all[i]
    if type(array) == "cdata" then
      local length = arrays.length(array)
      if length then all[i] = arrays.copy(array, length) end
    end
  end
  return unpack(all, 1, n)
end

local function equally_long(n, ...)
  for i = 1, select("#", ...) do
    local array = select(i, ...)
    if type(array) ~= "table" or #array ~= n then return false end
  end
  return true
end

--- Calls the function for each element of an array, or of several side by side, one for each parameter, and returns
--- an array for each result. Go is entered once for all of them. What is the same in all calls is given as
--- `goloader.same(value)`. The first error that the function returns ends it: nil and that error, whose index tells the
--- element.
---@param ... any[]
---@return any[]|nil ...
---@return goloader.Error|nil err
function Func:map(...)
  road.check(self, "map")
  if roads[self] == false then road.equip(self) end
  local mapper, first = mappers[self], ...
  local n = mapper and type(first) == "table" and #first or 0
  if n > 0 and select("#", ...) == mapper.count and equally_long(n, ...) then return mapper.map(self, ...) end
  local length = mapper and same.count(...)
  if length and length > 0 then return self:map(same.expand(length, ...)) end
  return self:many(as_tables(...))
end

--- Calls the function for each element of an array, or of several side by side, and returns the number of calls.
---@param ... any[]
---@return integer|nil calls
---@return goloader.Error|nil err
function Func:each(...)
  road.check(self, "each")
  return self:many_discarded(as_tables(...))
end

-- Handles have both for their methods: h:map("Match", array). Without FFI there is nothing to be done that C does not
-- do.
if not has_ffi then
  Func.map, Func.each = Func.many, Func.many_discarded
else
  local methods = core.handle_class().methods
  local many, many_discarded = methods.map, methods.each
  function methods.map(handle, method, ...) return many(handle, method, as_tables(...)) end
  function methods.each(handle, method, ...) return many_discarded(handle, method, as_tables(...)) end
end

return road
