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

local call_type, entry_type
if has_ffi then
  ffi.cdef [[
  union gl_ffi_word { double d; int64_t i; const char *s; };
  struct gl_ffi_call {
    union gl_ffi_word in_[12], out[8];
    uint32_t status, busy;
    int64_t ints[9];
  };
  struct gl_ffi_entry {
    int (*enter)(struct gl_ffi_call *call, const void *func);
    const void *func;
    void (*far)(struct gl_ffi_call *call);
  };
  ]]
  call_type, entry_type = ffi.typeof "struct gl_ffi_call *", ffi.typeof "struct gl_ffi_entry *"
end

-- status of a call: enum gl_ffi_status
local ODD_OR_FAILED = 2

-- What is tested of an argument $a, and how it is put into a word $w of the call; $b is another word.
local parameters = {
  bool = { "type($a) == 'boolean'", "$w.i = $a and 1 or 0" },
  int = { "type($a) == 'number' and $a >= $low and $a <= $high and floor($a) == $a", "$w.i = $a" },
  float = { "type($a) == 'number'", "$w.d = $a" },
  string = { "type($a) == 'string'", "$w.s = $a $b.d = #$a" },
}

local results = {
  bool = "$w.d ~= 0",
  int = "$w.d",
  float = "$w.d",
  string = "ffi_string($w.s, $b.d)",
}

local function fill(text, values)
  return (text:gsub("%$(%l+)", values))
end

-- The source of the function that calls by FFI: for func(a int8, b string) (string, error)
--
--     local call, enter, func, far, by_capi, finish, type, select, floor, ffi_string = ...
--     return function(self, ...)
--       local a1, a2 = ...
--       if select('#', ...) == 2 and type(a1) == 'number' and a1 >= -128 and a1 <= 127 and floor(a1) == a1
--         and type(a2) == 'string' then
--         call.in_[0].i = a1
--         call.in_[1].s = a2 call.in_[2].d = #a2
--         if enter(call, func) == 0 then far(call) end
--         if call.status == 0 then return ffi_string(call.out[0].s, call.out[1].d) end
--         if call.status <= 2 then return finish(self) end
--       end
--       return by_capi(self, ...)
--     end
--
-- An argument that is a string stays where it is while Go copies it: nothing here allocates memory before the call is
-- over.
local function source(params, outs, is_integral)
  local names, tests, stores, values, strings = {}, { "select('#', ...) == " .. #params }, {}, {}, 0
  local word = 0
  for i, param in ipairs(params) do
    local test, store = unpack(parameters[param.kind])
    local here = {
      a = "a" .. i, w = ("call.in_[%d]"):format(word), b = ("call.in_[%d]"):format(word + 1),
      low = ("%.0f"):format(param.low), high = ("%.0f"):format(param.high),
    }
    names[i] = here.a
    tests[#tests + 1] = fill(test, here)
    if is_integral then store = store:gsub("%$w%.i", ("call.ints[%d]"):format(i - 1)) end
    stores[i] = fill(store, here)
    word = word + (param.kind == "string" and 2 or 1)
  end
  for i, result in ipairs(outs) do
    if result.kind ~= "error" then
      values[i] = fill(results[result.kind],
        { w = ("call.out[%d]"):format(2 * i - 2), b = ("call.out[%d]"):format(2 * i - 1) })
      if result.kind == "string" then strings = strings + 1 end
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
  return fill([[
    local call, enter, func, far, by_capi, finish, type, select, floor, ffi_string = ...
    return function(self, ...)
      $arguments
      if $tests then
        $stores
        if enter(call, func) == 0 then far(call) end
        if call.status == 0 then $done end
        if call.status <= $bad then return finish(self) end
      end
      return by_capi(self, ...)
    end]], {
    arguments = #names > 0 and ("local %s = ..."):format(table.concat(names, ", ")) or "",
    tests = table.concat(tests, " and "), stores = table.concat(stores, "\n"), done = done, bad = ODD_OR_FAILED,
  })
end

-- One template serves all functions of the same source.
local templates = {}

local function by_ffi(fn)
  local address, params, outs, is_integral, entry = fn:ffi()
  if not address then return nil end
  local text = source(params, outs, is_integral)
  local template = templates[text]
  if not template then
    template = assert(loadstring(text, "=goloader"))
    templates[text] = template
  end
  entry = ffi.cast(entry_type, entry)
  return template(ffi.cast(call_type, address), entry.enter, entry.func, entry.far, by_capi, fn.ffi_finish, type, select,
    math.floor, ffi.string)
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
