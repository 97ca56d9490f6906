-- The pure path: functions that are proved to need no Go runtime are C functions (src/call/pure/pure.h), which LuaJIT
-- calls by FFI.

local ffi = require "ffi"
local arrays = require "goloader.roads.arrays"
local core = require "goloader.core"
local layouts = require "goloader.roads.layouts"
local source = require "goloader.roads.source"

local fill, take, tests_of = source.fill, source.take, source.tests
local Func = core.func_class()

ffi.cdef [[
union gl_cell_word {
  bool as_bool; int8_t as_int8; int16_t as_int16; int32_t as_int32; int64_t as_int64;
  uint8_t as_uint8; uint16_t as_uint16; uint32_t as_uint32; uint64_t as_uint64; float as_float32; double as_float64;
};
struct gl_cell { uint64_t status; uint32_t busy; union gl_cell_word ints[9], floats[15]; };
]]
layouts.check "struct gl_cell"
local cell_type = ffi.typeof "struct gl_cell *"

-- status of a cell: enum gl_pure_status
local statuses = core.statuses()
local DEEP, CLOSED = statuses.pure_deep, statuses.pure_closed

-- What to do with a call that did not work out, before it is made again by another road, where it counts. renew(fn)
-- finds the function's road anew.
local function failer(renew)
  return function(fn, cell, calls)
    local status = tonumber(cell.status)
    cell.status, cell.busy = 0, 0
    calls[0] = calls[0] - 1
    if status == DEEP then
      error(tostring(fn):match "^%S+" .. ": stack overflow: recursion deeper than 256 MB", 3)
    elseif status == CLOSED then
      -- 1. Its module was unloaded, or is about to be: the C API road will tell. `stats` raises of such a function.
      -- 2. The module could not be unloaded after all: what was freed of its pure functions is made anew.
      if pcall(fn.stats, fn) then pcall(renew, fn) end
    end
  end
end

local c_types = {
  bool = "bool", int8 = "int8_t", int16 = "int16_t", int32 = "int32_t", int64 = "int64_t",
  uint8 = "uint8_t", uint16 = "uint16_t", uint32 = "uint32_t", uint64 = "uint64_t",
  float32 = "float", float64 = "double",
}

-- "int8" of { kind = "int", bits = 8 }
local function number_type(kind, bits)
  return kind == "bool" and "bool" or kind .. bits
end

-- What is passed for an argument: its C types and values; $n is the length of an array
local passes_of = {
  bool = { "int64_t", "$a and 1 or 0" },
  int = { "int64_t", "$a" },
  string = { "const char *, int64_t", "$a, #$a" },
  array = { "const void *, int64_t, int64_t", "$a, $n, $n" },
}

-- Limits of an integer that a Lua number can be
local function limits(kind, bits)
  if bits == 64 then return kind == "int" and -2 ^ 53 or 0, 2 ^ 53 end
  if kind == "int" then return -2 ^ (bits - 1), 2 ^ (bits - 1) - 1 end
  return 0, 2 ^ bits - 1
end

-- The parts of the functions that call on the pure path.
local function pure_parts(pure)
  local parts = { names = {}, lengths = {}, counts = {}, tests = {}, values = {}, results = {} }
  local tests, types = parts.tests, {}
  for i, param in ipairs(pure.params) do
    local low, high = limits(param.kind, param.bits)
    local here = { a = "a" .. i, n = "n" .. i, low = ("%.0f"):format(low), high = ("%.0f"):format(high) }
    local kind = param.kind == "uint" and "int" or param.kind
    parts.names[i] = here.a
    if kind == "slice" or kind == "bytes" then
      here.t = kind == "bytes" and "uint8" or number_type(param.elem, param.bits)
      here.s = kind == "bytes" and fill("type($a) == 'string' and #$a or ", here) or ""
      kind = "array"
      parts.lengths[#parts.lengths + 1] = fill("local $n = $s array_length($a, '$t')", here)
      parts.counts[#parts.counts + 1] = here.n
      tests[#tests + 1] = here.n
    else
      tests[#tests + 1] = fill(tests_of[kind], here)
    end
    if kind == "float" then
      -- float32: a number that is too large for one is not to become infinite
      if param.bits == 32 then
        tests[#tests + 1] = fill("($a <= 0x1.fffffep127 and $a >= -0x1.fffffep127 or $a - $a ~= 0)", here)
      end
      types[i], parts.values[i] = param.bits == 32 and "float" or "double", here.a
    else
      types[i], parts.values[i] = passes_of[kind][1], fill(passes_of[kind][2], here)
    end
  end
  for i, result in ipairs(pure.results) do
    local go_type = number_type(result.kind, result.bits)
    local where = #pure.results == 1 and "r"
      or ("cell.%s[%d].as_%s"):format(result.kind == "float" and "floats" or "ints", result.reg, go_type)
    if go_type == "int64" then
      where = ("signed(%s)"):format(where)
    elseif go_type == "uint64" then
      where = ("unsigned(%s)"):format(where)
    end
    parts.results[i] = where
  end
  parts.take, parts.taken = take(parts.results)
  local returned = pure.results[1]
  parts.returns = returned ~= nil
  parts.c_type = ("%s (*)(%s)"):format(returned and c_types[number_type(returned.kind, returned.bits)] or "void",
    #types > 0 and table.concat(types, ", ") or "void")
  return parts
end

local PURE_UPVALUES = "entry, cell, calls, by_capi, fail, type, select, floor, array_length, signed, unsigned, new, "
  .. "number, version, pcall, error"

-- The call itself, between "the cell is busy" and "it is not", and what follows it: `enter` makes it, `worked` tells
-- whether it worked out, `take` takes its results and `fail` does what is left to do where it did not.
--
-- Where several Lua states have the function (number is not nil), what is done while the cell is busy is a function of
-- its own, `window`, as on the FFI road: it takes the results too.
local function call_of(parts, number)
  local entering = fill("$result entry($values)",
    { result = parts.returns and "local r =" or "", values = table.concat(parts.values, ", ") })
  local failing = "fail(self, cell, calls)"
  if not number then
    return { window = "", enter = entering, worked = "cell.status == 0", take = parts.take, fail = failing }
  end
  local parameters = table.concat({ "self", unpack(parts.names) }, ", ")
  if parts.counts[1] then parameters = parameters .. ", " .. table.concat(parts.counts, ", ") end
  local body = entering .. "\nlocal status = cell.status == 0 and 0 or 1"
  return {
    window = source.window(parameters, body, parts.take, parts.taken),
    enter = source.call_window(parameters, parts.taken, "cell"),
    worked = "status == 0",
    take = "",
    fail = fill("if status == 1 then $failing else cell.busy = 0 end", { failing = failing }),
  }
end

-- The source of the function that calls on the pure path: for func(s string, from int) (int, bool)
--
--     local function call_it(self, a1, a2)
--       if type(a1) == 'string' and … and cell.busy == 0 then
--         cell.busy = 1
--         local r = entry(a1, #a1, a2)
--         if cell.status == 0 then
--           local r1, r2 = signed(cell.ints[0].as_int64), cell.ints[1].as_bool
--           cell.busy = 0
--           return r1, r2
--         end
--         fail(self, cell, calls)
--       end
--       return by_capi(self, a1, a2)
--     end
--     return function(self, ...)
--       if select('#', ...) == 2 then return call_it(self, ...) end
--       return by_capi(self, ...)
--     end
local function pure_source(parts, number, chunks)
  local call = call_of(parts, number)
  return source.function_of(PURE_UPVALUES, parts.names, fill([[
      $lengths
      if $tests cell.busy == 0 then
        cell.busy = 1
        $enter
        if $worked then
          $take
          cell.busy = 0
          return $taken
        end
        $fail
      end]], {
    lengths = table.concat(parts.lengths, "\n"),
    tests = #parts.tests > 0 and table.concat(parts.tests, " and ") .. " and" or "",
    enter = call.enter, worked = call.worked, take = call.take, taken = parts.taken, fail = call.fail,
  }), chunks, call.window)
end

-- The source of fn:map for such a function, a loop that compiles to one trace: for func(a, b int) int
--
--     return function(self, t1, t2)
--       local n = #t1
--       local o1 = new(n, 0)
--       for i = 1, n do
--         local a1, a2 = t1[i], t2[i]
--         if not (type(a1) == 'number' and … and cell.busy == 0) then … return by_capi(self, t1, t2) end
--         cell.busy = 1
--         local r = entry(a1, a2)
--         if not (cell.status == 0) then … return by_capi(self, t1, t2) end
--         local r1 = signed(r)
--         cell.busy = 0
--         o1[i] = r1
--       end
--       return o1
--     end
--
-- Where a call does not work out all are made again by the C API: it can say what was wrong.
local function pure_map_source(parts, number, chunks)
  local tables, elements_, made, news, stores = {}, {}, {}, {}, {}
  for i in ipairs(parts.names) do
    tables[i], elements_[i] = "t" .. i, ("t%d[i]"):format(i)
  end
  for i in ipairs(parts.results) do
    made[i], news[i], stores[i] = "o" .. i, "new(n, 0)", ("o%d[i] = r%d"):format(i, i)
  end
  local call = call_of(parts, number)
  return source.compile(fill([[
    local $upvalues = ...
    $window
    return function(self, $tables)
      local n = #t1
      $make
      for i = 1, n do
        local $names = $elements
        $lengths
        if not ($tests and cell.busy == 0) then
          calls[0] = calls[0] - (i - 1)
          return by_capi(self, $tables)
        end
        cell.busy = 1
        $enter
        if not ($worked) then
          $fail
          calls[0] = calls[0] - (i - 1)
          return by_capi(self, $tables)
        end
        $take
        cell.busy = 0
        $stores
      end
      return $made
    end]], {
    upvalues = PURE_UPVALUES, tables = table.concat(tables, ", "), elements = table.concat(elements_, ", "),
    names = table.concat(parts.names, ", "), lengths = table.concat(parts.lengths, "\n"),
    tests = table.concat(parts.tests, " and "), window = call.window, enter = call.enter, worked = call.worked,
    take = call.take, fail = call.fail, stores = table.concat(stores, "\n"),
    make = #made > 0 and ("local %s = %s"):format(table.concat(made, ", "), table.concat(news, ", ")) or "",
    made = #made > 0 and table.concat(made, ", ") or "n",
  }), chunks)
end

local function address(number)
  return ffi.cast("uintptr_t", number)
end

-- C types of functions by their names. LuaJIT has room for 65,536 C types in all, and makes a new one of each mention
-- of a function's: without this, some ten thousand loads would be the last.
local function_types = setmetatable({}, {
  __index = function(types, name)
    types[name] = ffi.typeof(name)
    return types[name]
  end,
})

--- What calls a function by this road, and what maps it: map(self, array…) for so many arrays. nil where the function
--- needs the runtime.
---@param fn goloader.Func
---@param by_capi function  what calls it where this road can't
---@param chunks table<string, function>|nil  of its versions
---@param renew fun(fn: goloader.Func)  finds its road anew
---@return function|nil call
---@return { count: integer, map: function }|nil mapper
return function(fn, by_capi, chunks, renew)
  -- what can't be found out, after a fork say, the C API raises at the call, and names the user's line
  local found, pure = pcall(fn.pure, fn)
  if not found or not pure then return nil end
  local parts, fail = pure_parts(pure), failer(renew)
  local number, version = source.version_of(fn)
  local function instantiate(chunk, otherwise)
    return chunk(ffi.cast(function_types[parts.c_type], address(pure.entry)), ffi.cast(cell_type, address(pure.cell)),
      ffi.cast("uint64_t *", address(pure.calls)), otherwise, fail, type, select, math.floor, arrays.length,
      arrays.signed, arrays.unsigned, arrays.new_table, number, version, pcall, error)
  end
  return instantiate(pure_source(parts, number, chunks), by_capi), #parts.names > 0 and {
    map = instantiate(pure_map_source(parts, number, chunks), Func.many), count = #parts.names,
  } or nil
end
