-- Which road a call takes into Go.
--
-- Every function can be called by the C API (src/call): any types, any Lua. On LuaJIT a function of numbers, booleans,
-- strings and byte slices takes the FFI road, which compiled traces don't have to leave. For each such function a Lua
-- function is generated here that puts the arguments where Go looks for them (struct gl_ffi_call of src/host/enter.h).
-- Whatever is out of the ordinary it gives to the C API, so that results and messages are the same on every road.

local core = require "goloader.core"

local has_ffi, ffi = pcall(require, "ffi")

---@class goloader.Func  a Go function: called as one
local Func = core.func_class()

-- by function: the road it takes, if not "capi"
local roads = setmetatable({}, { __mode = "k" })

local road = {}

-- The road of every Lua: what the class of functions itself does when it is called.
local by_capi = Func.__call

local enter, call_type
if has_ffi then
  ffi.cdef [[
  union gl_ffi_word { double d; uint64_t u; const char *s; };
  struct gl_ffi_call {
    union gl_ffi_word in_[12], out[8];
    uint32_t status, busy;
  };
  ]]
  call_type = ffi.typeof "struct gl_ffi_call *"
  enter = ffi.cast("void (*)(struct gl_ffi_call *)", core.ffi_enter())
end

-- status of a call: enum gl_ffi_status
local ODD_OR_FAILED = 2

-- What is tested of an argument, and how it is stored
local parameters = {
  bool = { "type(%s) == 'boolean'", "call.in_[%d].d = %s and 1 or 0" },
  int = { "type(%s) == 'number'", "call.in_[%d].d = %s" },
  string = { "type(%s) == 'string'", "call.in_[%d].s = %s" },
}
parameters.uint, parameters.float, parameters.bytes = parameters.int, parameters.int, parameters.string

local results = {
  bool = "call.out[%d].d ~= 0",
  int = "call.out[%d].d",
  string = "ffi_string(call.out[%d].s, call.out[%d].d)",
}
results.uint, results.float, results.bytes = results.int, results.int, results.string

-- The source of the function that calls by FFI: for func(a int, b string) (string, error)
--
--     local call, enter, by_capi, finish, type, select, ffi_string = ...
--     return function(self, ...)
--       local a1, a2 = ...
--       if select('#', ...) == 2 and type(a1) == 'number' and type(a2) == 'string' then
--         call.in_[0].d = a1
--         call.in_[1].s = a2
--         call.in_[2].d = #a2
--         enter(call)
--         if call.status == 0 then return ffi_string(call.out[0].s, call.out[1].d) end
--         if call.status <= 2 then return finish(self) end
--       end
--       return by_capi(self, ...)
--     end
local function source(params, outs)
  local names, tests, stores, values, strings = {}, { "select('#', ...) == " .. #params }, {}, {}, 0
  local word = 0
  for i, kind in ipairs(params) do
    local name = "a" .. i
    local test, store = unpack(parameters[kind])
    names[#names + 1] = name
    tests[#tests + 1] = test:format(name)
    stores[#stores + 1] = store:format(word, name)
    word = word + 1
    if kind == "string" or kind == "bytes" then
      stores[#stores + 1] = ("call.in_[%d].d = #%s"):format(word, name)
      word = word + 1
    end
  end
  for i, kind in ipairs(outs) do
    if kind ~= "error" then
      values[#values + 1] = results[kind]:format(2 * i - 2, 2 * i - 1)
      if kind == "string" or kind == "bytes" then strings = strings + 1 end
    elseif #outs == 1 then
      values[1] = "true"
    end
  end
  local done = "return " .. table.concat(values, ", ")
  if strings > 1 then
    -- To make the first string may run a finalizer that makes this very call, while the second lies in Go's memory.
    tests[#tests + 1] = "call.busy == 0"
    local locals = {}
    for i in ipairs(values) do locals[i] = "r" .. i end
    local list = table.concat(locals, ", ")
    done = ("call.busy = 1 local %s = %s call.busy = 0 return %s"):format(list, table.concat(values, ", "), list)
  end
  local arguments = #names > 0 and ("local %s = ..."):format(table.concat(names, ", ")) or ""
  return ([[
    local call, enter, by_capi, finish, type, select, ffi_string = ...
    return function(self, ...)
      %s
      if %s then
        %s
        enter(call)
        if call.status == 0 then %s end
        if call.status <= %d then return finish(self) end
      end
      return by_capi(self, ...)
    end]]):format(arguments, table.concat(tests, " and "), table.concat(stores, "\n"), done, ODD_OR_FAILED)
end

-- One source serves all functions of the same kinds.
local templates = {}

local function by_ffi(fn)
  local address, params, outs = fn:ffi()
  if not address then return nil end
  local key = table.concat(params, ",") .. ":" .. table.concat(outs, ",")
  local template = templates[key]
  if not template then
    template = assert(loadstring(source(params, outs), "=goloader(" .. key .. ")"))
    templates[key] = template
  end
  return template(ffi.cast(call_type, address), enter, by_capi, fn.ffi_finish, type, select, ffi.string)
end

local function set_call(fn, call)
  debug.setmetatable(fn, {
    __call = call, __index = Func, __tostring = Func.__tostring, __gc = Func.__gc,
  })
end

--- Has a function take the best road that there is for it.
---@param fn goloader.Func
---@return goloader.Func
function road.equip(fn)
  local call = has_ffi and by_ffi(fn)
  if call then
    roads[fn] = "ffi"
    set_call(fn, call)
  end
  return fn
end

--- The road that calls of this function take: "pure", "ffi" or "capi". With an argument it takes that one from now on,
--- where it can, for comparison.
---@param wanted nil|"pure"|"ffi"|"capi"
---@return "pure"|"ffi"|"capi"
function Func:road(wanted)
  if wanted == "capi" then
    roads[self] = nil
    set_call(self, by_capi)
  elseif wanted == "ffi" or wanted == "pure" then
    road.equip(self)
  elseif wanted ~= nil then
    error(('fn:road: "pure", "ffi" or "capi" expected, got %s'):format(tostring(wanted)), 2)
  end
  return roads[self] or "capi"
end

return road
