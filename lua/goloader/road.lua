-- Which road a call takes into Go.
--
-- Every function can be called by the C API (src/call): any types, any Lua. On LuaJIT there are two faster roads, for
-- which compiled traces need not be left: a Lua function is generated here that tests the arguments and puts them where
-- they are expected. Functions of numbers, booleans, strings and byte slices take the FFI road: their words go into a
-- struct gl_ffi_call, and Go is entered (src/host/enter.h). Of those, functions that are proved to need no Go runtime
-- take the pure path: they are C functions (src/call/pure.h).
--
-- Whatever is out of the ordinary goes by the C API after all, so that results and messages are the same on every road.

local core = require "goloader.core"

local has_ffi, ffi = pcall(require, "ffi")

---@class goloader.Func  a Go function: called as one
local Func = core.func_class()

-- by function: the road it takes, if not "capi"
local roads = setmetatable({}, { __mode = "k" })

local road = {}

-- The road of every Lua: what the class of functions itself does when it is called.
local by_capi = Func.__call

local call_type, entry_type, cell_type
if has_ffi then
  ffi.cdef [[
  union gl_cell_word {
    bool as_bool; int8_t as_int8; int16_t as_int16; int32_t as_int32; int64_t as_int64;
    uint8_t as_uint8; uint16_t as_uint16; uint32_t as_uint32; uint64_t as_uint64; float as_float32; double as_float64;
  };
  struct gl_cell { uint64_t status; uint32_t busy; union gl_cell_word ints[9], floats[15]; };
  union gl_ffi_word { double d; int64_t i; const char *s; const int64_t *p; };
  struct gl_ffi_call {
    union gl_ffi_word in_[12], out[8];
    uint32_t status, busy;
    int64_t ints[9];
  };
  struct gl_ffi_entry {
    int (*enter)(struct gl_ffi_call *call, const void *func);
    const void *func, *many;
    void (*far)(struct gl_ffi_call *call);
    void (*many_far)(struct gl_ffi_call *call);
  };
  ]]
  call_type, entry_type = ffi.typeof "struct gl_ffi_call *", ffi.typeof "struct gl_ffi_entry *"
  cell_type = ffi.typeof "struct gl_cell *"
end

-- status of a call: enum gl_ffi_status
local ODD_OR_FAILED = 2

local function fill(text, values)
  return (text:gsub("%$(%l+)", values))
end

local has_new, new_table = pcall(require, "table.new")
if not has_new then
  new_table = function() return {} end
end

-- Integers that a number can't hold stay cdata.
local function signed(v)
  if v <= 9007199254740992 and v >= -9007199254740992 then return tonumber(v) end
  return v
end

local function unsigned(v)
  if v <= 9007199254740992 then return tonumber(v) end
  return v
end

-- Between the moment that arguments are put where they are expected and that results are taken from there, Lua may run
-- other code: to make a string or a box of LuaJIT's is a step of its collector, which calls finalizers. What such code
-- calls while a place is busy goes by the C API.

-- "local r1, r2 = VALUES", and "r1, r2"
local function take(values)
  local names = {}
  for i in ipairs(values) do names[i] = "r" .. i end
  local taken = table.concat(names, ", ")
  return #names > 0 and ("local %s = %s"):format(taken, table.concat(values, ", ")) or "", taken
end

-- ---- FFI arrays ---------------------------------------------------------------------------------------------------

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
local arrays = {}

local function know_array(id, value)
  local name = tostring(ffi.typeof(value)):match "^ctype<(.*) %[[%d?]+%]>$"
  local go_type = name and element_of[name:gsub("^const ", "")]
  arrays[id] = go_type and { go_type, tonumber(ffi.sizeof(go_type == "bool" and "bool" or name)) } or false
  return arrays[id]
end

--- How many elements an FFI array has; nil for anything that is no FFI array of numbers, or not of those of a Go type:
--- "float64", "uint8".
---@param value any
---@param go_type string|nil
---@return integer|nil
function road.array_length(value, go_type)
  if type(value) ~= "cdata" then return nil end
  local id = tonumber(ffi.typeof(value))
  local known = arrays[id]
  if known == nil then known = know_array(id, value) end
  if not known then return nil end
  if go_type and known[1] ~= go_type and not (known[1] == "int8" and go_type == "uint8") then return nil end
  return ffi.sizeof(value) / known[2]
end

if has_ffi then
  -- Tells C what an FFI array is: Go type of its elements, their number, address.
  core.set_array(function(value)
    local n = road.array_length(value)
    if not n then return nil end
    return arrays[tonumber(ffi.typeof(value))][1], n, tonumber(ffi.cast("uintptr_t", ffi.cast("const void *", value)))
  end)
end

-- ---- the FFI road -------------------------------------------------------------------------------------------------

-- What is tested of an argument $a
local tests_of = {
  bool = "type($a) == 'boolean'",
  int = "type($a) == 'number' and $a >= $low and $a <= $high and floor($a) == $a",
  float = "type($a) == 'number'",
  string = "type($a) == 'string'",
}

-- How it is put into a word $w of the call; $b is the next word.
local stores_of = {
  bool = "$w.i = $a and 1 or 0",
  int = "$w.i = $a",
  float = "$w.d = $a",
  string = "$w.s = $a $b.i = #$a",
}

local results = {
  bool = "$w.d ~= 0",
  int = "$w.d",
  float = "$w.d",
  string = "ffi_string($w.s, $b.i)",
}

-- The source of the function that calls by FFI: for func(a int8, b string) (string, error)
--
--     local call, enter, func, far, by_capi, finish, type, select, floor, ffi_string = ...
--     return function(self, ...)
--       local a1, a2 = ...
--       if select('#', ...) == 2 and type(a1) == 'number' and a1 >= -128 and a1 <= 127 and floor(a1) == a1
--         and type(a2) == 'string' and call.busy == 0 then
--         call.busy = 1
--         call.in_[0].i = a1
--         call.in_[1].s = a2 call.in_[2].i = #a2
--         if enter(call, func) == 0 then far(call) end
--         if call.status == 0 then
--           local r1 = ffi_string(call.out[0].s, call.out[1].i)
--           call.busy = 0
--           return r1
--         end
--         if call.status <= 2 then return finish(self) end
--         call.busy = 0
--       end
--       return by_capi(self, ...)
--     end
--
-- An argument that is a string stays where it is while Go copies it: this function holds it.
local function ffi_source(params, outs, is_integral)
  local names, tests, stores, values = {}, { "select('#', ...) == " .. #params }, {}, {}
  local word = 0
  for i, param in ipairs(params) do
    local store = stores_of[param.kind]
    local here = {
      a = "a" .. i, w = ("call.in_[%d]"):format(word), b = ("call.in_[%d]"):format(word + 1),
      low = ("%.0f"):format(param.low), high = ("%.0f"):format(param.high),
    }
    names[i] = here.a
    tests[#tests + 1] = fill(tests_of[param.kind], here)
    if is_integral then store = store:gsub("%$w%.i", ("call.ints[%d]"):format(i - 1)) end
    stores[i] = fill(store, here)
    word = word + (param.kind == "string" and 2 or 1)
  end
  for i, result in ipairs(outs) do
    if result.kind ~= "error" then
      values[i] = fill(results[result.kind],
        { w = ("call.out[%d]"):format(2 * i - 2), b = ("call.out[%d]"):format(2 * i - 1) })
    elseif #outs == 1 then
      values[1] = "true"
    end
  end
  tests[#tests + 1] = "call.busy == 0"
  local taking, taken = take(values)
  return fill([[
    local call, enter, func, far, by_capi, finish, type, select, floor, ffi_string = ...
    return function(self, ...)
      $arguments
      if $tests then
        call.busy = 1
        $stores
        if enter(call, func) == 0 then far(call) end
        if call.status == 0 then
          $take
          call.busy = 0
          return $taken
        end
        if call.status <= $bad then return finish(self) end
        call.busy = 0
      end
      return by_capi(self, ...)
    end]], {
    arguments = #names > 0 and ("local %s = ..."):format(table.concat(names, ", ")) or "",
    tests = table.concat(tests, " and "), stores = table.concat(stores, "\n"),
    take = taking, taken = taken, bad = ODD_OR_FAILED,
  })
end

-- One template serves all functions of the same source.
local templates = {}

local function compile(text)
  local template = templates[text]
  if not template then
    template = assert(loadstring(text, "=goloader"))
    templates[text] = template
  end
  return template
end

-- The source of fn:map for an integral function with a result. The arguments of all calls are tested before the first.
-- For func(a, b int8) int
--
--     return function(self, t1, t2)
--       local n = #t1
--       local words, k = new_words(2 * n), 0
--       for i = 1, n do
--         local a1, a2 = t1[i], t2[i]
--         if not (type(a1) == 'number' and …) then return by_many(self, t1, t2) end
--         words[k] = a1 words[k + 1] = a2
--         k = k + 2
--       end
--       call.in_[0].i = n call.in_[1].p = words
--       if enter(call, many) == 0 then many_far(call) end
--       if call.status == 2 then return finish(self) end
--       if call.status ~= 0 then return by_many(self, t1, t2) end
--       local out = new(n, 0)
--       for i = 1, n do out[i] = result(words[(i - 1) * 2]) end
--       return out
--     end
local function ffi_map_source(params)
  local tables, each_, names, tests, stores = {}, {}, {}, {}, {}
  for i, param in ipairs(params) do
    local here = { a = "a" .. i, low = ("%.0f"):format(param.low), high = ("%.0f"):format(param.high) }
    tables[i], each_[i], names[i] = "t" .. i, ("t%d[i]"):format(i), here.a
    tests[i] = fill(tests_of[param.kind], here)
    stores[i] = ("words[k + %d] = %s"):format(i - 1, param.kind == "bool" and here.a .. " and 1 or 0" or here.a)
  end
  return fill([[
    local call, enter, many, many_far, by_many, finish, type, floor, new_words, new, result = ...
    return function(self, $tables)
      local n = #t1
      local words, k = new_words(n * $width), 0
      for i = 1, n do
        local $names = $each
        if not ($tests) then return by_many(self, $tables) end
        $stores
        k = k + $width
      end
      call.in_[0].i = n
      call.in_[1].p = words
      if enter(call, many) == 0 then many_far(call) end
      if call.status == $failed then return finish(self) end
      if call.status ~= 0 then return by_many(self, $tables) end
      local out = new(n, 0)
      for i = 1, n do out[i] = result(words[(i - 1) * $width]) end
      return out
    end]], {
    tables = table.concat(tables, ", "), each = table.concat(each_, ", "), width = tostring(#params),
    names = table.concat(names, ", "), tests = table.concat(tests, " and "), stores = table.concat(stores, "\n"),
    failed = ODD_OR_FAILED,
  })
end

-- Makes a Lua value of a word in which an integer's upper bits may be anything.
local function word_reader(result)
  local kind, bits = result.kind, result.bits
  if kind == "bool" then
    return function(word) return word % 256 ~= 0 end
  elseif bits == 64 then
    return result.low < 0 and signed or function(word) return unsigned(ffi.cast("uint64_t", word)) end
  end
  local narrow = ffi.typeof((result.low < 0 and "int%d_t" or "uint%d_t"):format(bits))
  return function(word) return tonumber(ffi.cast(narrow, word)) end
end

-- by function: what maps it, and how many arrays that takes
local mappers = setmetatable({}, { __mode = "k" })

local function map_by_ffi(fn, call, entry, params, result)
  -- a prototype of its own for each function: its loops are compiled for that
  local chunk = assert(loadstring(ffi_map_source(params), "=goloader"))
  return {
    count = #params,
    map = chunk(call, entry.enter, entry.many, entry.many_far, Func.many, fn.ffi_finish, type, math.floor,
      ffi.typeof "int64_t[?]", new_table, word_reader(result)),
  }
end

local function by_ffi(fn)
  local address, params, outs, is_integral, entry = fn:ffi()
  if not address then return nil end
  local text = ffi_source(params, outs, is_integral)
  local call = ffi.cast(call_type, address)
  entry = ffi.cast(entry_type, entry)
  mappers[fn] = is_integral and #params > 0 and #outs == 1 and map_by_ffi(fn, call, entry, params, outs[1]) or nil
  return compile(text)(call, entry.enter, entry.func, entry.far, by_capi, fn.ffi_finish, type, select, math.floor,
    ffi.string)
end

-- ---- the pure path ------------------------------------------------------------------------------------------------

-- status of a cell: enum gl_pure_status
local DEEP, CLOSED = 5, 6

-- A call that is made again by another road counts there.
local function fail(fn, cell, calls)
  local status = tonumber(cell.status)
  cell.status, cell.busy = 0, 0
  calls[0] = calls[0] - 1
  if status == DEEP then
    error(tostring(fn):match "^%S+" .. ": stack overflow: recursion deeper than 256 MB", 3)
  elseif status == CLOSED then
    -- its module was unloaded, which the C API road will tell; or could not be, and what was freed is made anew
    pcall(road.equip, fn)
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
  local parts = { names = {}, lengths = {}, tests = {}, values = {}, results = {} }
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

local PURE_UPVALUES = [[
  local entry, cell, calls, by_capi, fail, type, select, floor, array_length, signed, unsigned, new = ...
]]

-- The source of the function that calls on the pure path: for func(s string, from int) (int, bool)
--
--     return function(self, ...)
--       local a1, a2 = ...
--       if select('#', ...) == 2 and type(a1) == 'string' and … and cell.busy == 0 then
--         cell.busy = 1
--         local r = entry(a1, #a1, a2)
--         if cell.status == 0 then
--           local r1, r2 = signed(cell.ints[0].as_int64), cell.ints[1].as_bool
--           cell.busy = 0
--           return r1, r2
--         end
--         fail(self, cell, calls)
--       end
--       return by_capi(self, ...)
--     end
local function pure_source(parts)
  return PURE_UPVALUES .. fill([[
    return function(self, ...)
      $arguments
      $lengths
      if select('#', ...) == $count $tests and cell.busy == 0 then
        cell.busy = 1
        $result entry($values)
        if cell.status == 0 then
          $take
          cell.busy = 0
          return $taken
        end
        fail(self, cell, calls)
      end
      return by_capi(self, ...)
    end]], {
    arguments = #parts.names > 0 and ("local %s = ..."):format(table.concat(parts.names, ", ")) or "",
    lengths = table.concat(parts.lengths, "\n"), count = tostring(#parts.names),
    tests = #parts.tests > 0 and "and " .. table.concat(parts.tests, " and ") or "",
    result = parts.returns and "local r =" or "", values = table.concat(parts.values, ", "),
    take = parts.take, taken = parts.taken,
  })
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
--         if cell.status ~= 0 then … return by_capi(self, t1, t2) end
--         local r1 = signed(r)
--         cell.busy = 0
--         o1[i] = r1
--       end
--       return o1
--     end
--
-- Where a call does not work out all are made again by the C API: it can say what was wrong.
local function pure_map_source(parts)
  local tables, elements_, made, news, stores = {}, {}, {}, {}, {}
  for i in ipairs(parts.names) do
    tables[i], elements_[i] = "t" .. i, ("t%d[i]"):format(i)
  end
  for i in ipairs(parts.results) do
    made[i], news[i], stores[i] = "o" .. i, "new(n, 0)", ("o%d[i] = r%d"):format(i, i)
  end
  return PURE_UPVALUES .. fill([[
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
        $result entry($values)
        if cell.status ~= 0 then
          fail(self, cell, calls)
          calls[0] = calls[0] - (i - 1)
          return by_capi(self, $tables)
        end
        $take
        cell.busy = 0
        $stores
      end
      return $made
    end]], {
    tables = table.concat(tables, ", "), elements = table.concat(elements_, ", "),
    names = table.concat(parts.names, ", "), lengths = table.concat(parts.lengths, "\n"),
    tests = table.concat(parts.tests, " and "), result = parts.returns and "local r =" or "",
    values = table.concat(parts.values, ", "), take = parts.take, stores = table.concat(stores, "\n"),
    make = #made > 0 and ("local %s = %s"):format(table.concat(made, ", "), table.concat(news, ", ")) or "",
    made = #made > 0 and table.concat(made, ", ") or "n",
  })
end

local function address(number)
  return ffi.cast("uintptr_t", number)
end

local function load_pure(chunk, c_type, pure, capi)
  return chunk(ffi.cast(c_type, address(pure.entry)), ffi.cast(cell_type, address(pure.cell)),
    ffi.cast("uint64_t *", address(pure.calls)), capi, fail, type, select, math.floor, road.array_length, signed,
    unsigned, new_table)
end

local function by_pure(fn)
  local pure = fn:pure()
  if not pure then return nil end
  local parts = pure_parts(pure)
  if #parts.names > 0 then
    -- a prototype of its own for each function: its loop is compiled for that entry
    local chunk = assert(loadstring(pure_map_source(parts), "=goloader"))
    mappers[fn] = { map = load_pure(chunk, parts.c_type, pure, Func.many), count = #parts.names }
  end
  return load_pure(compile(pure_source(parts)), parts.c_type, pure, by_capi)
end

-- ---- choosing -----------------------------------------------------------------------------------------------------

-- Roads from the best on, and what calls by them.
local faster = { { "pure", by_pure }, { "ffi", by_ffi } }

--- Has a function take the best road that there is for it, or the best from the one given on.
---@param fn goloader.Func
---@param from nil|"pure"|"ffi"|"capi"
---@return goloader.Func
function road.equip(fn, from)
  local name, call = "capi", by_capi
  for i = has_ffi and (from == "ffi" and 2 or 1) or #faster + 1, from == "capi" and 0 or #faster do
    local made = faster[i][2](fn)
    if made then
      name, call = faster[i][1], made
      break
    end
  end
  roads[fn] = name
  if name == "capi" then mappers[fn] = nil end
  debug.setmetatable(fn, {
    __call = call, __index = Func, __tostring = Func.__tostring, __gc = Func.__gc,
  })
  return fn
end

--- Raises that a method of functions was given something else: what is called with a dot may be given anything.
---@param fn any
---@param method string
function road.check(fn, method)
  if not roads[fn] then
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
    error(('fn:road: "pure", "ffi" or "capi" expected, got %s'):format(tostring(wanted)), 2)
  end
  return roads[self]
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
      local length = road.array_length(array)
      if length then
        local copy = new_table(length, 0)
        for k = 1, length do copy[k] = array[k - 1] end
        all[i] = copy
      end
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
--- an array for each result. Go is entered once for all of them. The first error that the function returns ends it: nil
--- and that error, whose index tells the element.
---@param ... any[]
---@return any[]|nil ...
---@return goloader.Error|nil err
function Func:map(...)
  road.check(self, "map")
  local mapper, first = mappers[self], ...
  if mapper and type(first) == "table" and select("#", ...) == mapper.count and equally_long(#first, ...) then
    return mapper.map(self, ...)
  end
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

-- Without FFI there is nothing to be done that C does not do.
if not has_ffi then
  Func.map, Func.each = Func.many, Func.many_discarded
end

return road
