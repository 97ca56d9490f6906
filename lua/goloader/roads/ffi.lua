-- The FFI road: functions of numbers, booleans, strings and byte slices, and handles' methods of those, called by
-- LuaJIT's compiled traces. Their words go into a struct gl_ffi_call, and Go is entered the short way
-- (src/host/enter.h, src/call/ffi.h).

local ffi = require "ffi"
local arrays = require "goloader.roads.arrays"
local core = require "goloader.core"
local layouts = require "goloader.roads.layouts"
local source = require "goloader.roads.source"

local fill, take, tests_of = source.fill, source.take, source.tests
local Func = core.func_class()

ffi.cdef [[
union gl_ffi_word { double d; int64_t i; const char *s; const int64_t *p; uint64_t u; };
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
layouts.check "union gl_ffi_word"
layouts.check "struct gl_ffi_call"
layouts.check "struct gl_ffi_entry"
local call_type, entry_type = ffi.typeof "struct gl_ffi_call *", ffi.typeof "struct gl_ffi_entry *"

-- The highest status of a call that C has to finish: enum gl_ffi_status
local ODD_OR_FAILED = core.statuses().ffi_failed

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

local FFI_UPVALUES = "call, enter, func, far, by_capi, finish, type, select, floor, ffi_string, "
  .. "number, version, owner, class, handles, handle, getmetatable, cast, pcall, error"

-- The chunk of the function that calls by FFI: for func(a int8, b string) (string, error)
--
--     local function call_it(self, a1, a2)
--       if type(a1) == 'number' and a1 >= -128 and a1 <= 127 and floor(a1) == a1
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
--       return by_capi(self, a1, a2)
--     end
--
-- An argument that is a string stays where it is while Go copies it: this function holds it. Where several Lua states
-- have the function, what is done while the call is busy is a function of its own, which sees first whether another
-- version stands:
--
--     local function window(self, a1, a2)
--       if number[0] ~= version then return 255 end
--       call.in_[0].i = a1
--       call.in_[1].s = a2 call.in_[2].i = #a2
--       if enter(call, func) == 0 then far(call) end
--       local status = call.status
--       if status ~= 0 then return status end
--       local r1 = ffi_string(call.out[0].s, call.out[1].i)
--       return 0, r1
--     end
--
--         call.busy = 1
--         local is_done, status, r1 = pcall(window, self, a1, a2)
--         if not is_done then
--           call.busy = 0
--           error(status, 0)
--         end
--         if status == 0 then
--           call.busy = 0
--           return r1
--         end
--         …
--
-- Of a method, self is a handle, and the first word of the call is its number:
--
--       if … and getmetatable(self) == handles and cast(handle, self).class == class and call.busy == 0 then
--         call.in_[0].u = cast(handle, self).id
local function ffi_source(params, outs, is_integral, number, chunks)
  local names, tests, stores, values = {}, {}, {}, {}
  local word = 0
  if params[1] and params[1].kind == "handle" then
    params = { select(2, unpack(params)) }
    tests[1] = "getmetatable(self) == handles and cast(handle, self).class == class"
    stores[1] = "call.in_[0].u = cast(handle, self).id"
    word = 1
  end
  for i, param in ipairs(params) do
    local store = stores_of[param.kind]
    local here = {
      a = "a" .. i, w = ("call.in_[%d]"):format(word), b = ("call.in_[%d]"):format(word + 1),
      low = ("%.0f"):format(param.low), high = ("%.0f"):format(param.high),
    }
    names[i] = here.a
    tests[#tests + 1] = fill(tests_of[param.kind], here)
    if is_integral then store = store:gsub("%$w%.i", ("call.ints[%d]"):format(i - 1)) end
    stores[#stores + 1] = fill(store, here)
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
  local enters = table.concat(stores, "\n") .. "\nif enter(call, func) == 0 then far(call) end\n"
    .. "local status = call.status"
  local parameters = table.concat({ "self", unpack(names) }, ", ")
  return source.function_of(FFI_UPVALUES, names, fill([[
      if $tests then
        call.busy = 1
        $enter
        if status == 0 then
          $take
          call.busy = 0
          return $taken
        end
        if status <= $bad then return finish(owner or self) end
        call.busy = 0
      end]], {
    tests = table.concat(tests, " and "), enter = number and source.call_window(parameters, taken, "call") or enters,
    take = number and "" or taking, taken = taken, bad = ODD_OR_FAILED,
  }), chunks, number and source.window(parameters, enters, taking, taken))
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
--       if call.busy ~= 0 then return by_many(self, t1, t2) end
--       call.busy = 1
--       call.in_[0].i = n call.in_[1].p = words
--       if enter(call, many) == 0 then many_far(call) end
--       local status = call.status
--       if status == 2 then return finish(self) end
--       call.busy = 0
--       if status ~= 0 then return by_many(self, t1, t2) end
--       local out = new(n, 0)
--       for i = 1, n do out[i] = result(words[(i - 1) * 2]) end
--       return out
--     end
local function ffi_map_source(params, number)
  local tables, each_, names, tests, stores = {}, {}, {}, {}, {}
  for i, param in ipairs(params) do
    local here = { a = "a" .. i, low = ("%.0f"):format(param.low), high = ("%.0f"):format(param.high) }
    tables[i], each_[i], names[i] = "t" .. i, ("t%d[i]"):format(i), here.a
    tests[i] = fill(tests_of[param.kind], here)
    stores[i] = ("words[k + %d] = %s"):format(i - 1, param.kind == "bool" and here.a .. " and 1 or 0" or here.a)
  end
  return fill([[
    local call, enter, many, many_far, by_many, finish, type, floor, new_words, new, result, number, version = ...
    return function(self, $tables)
      local n = #t1
      local words, k = new_words(n * $width), 0
      for i = 1, n do
        local $names = $each
        if not ($tests) then return by_many(self, $tables) end
        $stores
        k = k + $width
      end
      if call.busy ~= 0 then return by_many(self, $tables) end
      call.busy = 1
      $look
      call.in_[0].i = n
      call.in_[1].p = words
      if enter(call, many) == 0 then many_far(call) end
      local status = call.status
      if status == $failed then return finish(self) end
      call.busy = 0
      if status ~= 0 then return by_many(self, $tables) end
      local out = new(n, 0)
      for i = 1, n do out[i] = result(words[(i - 1) * $width]) end
      return out
    end]], {
    tables = table.concat(tables, ", "), each = table.concat(each_, ", "), width = ("%d"):format(#params),
    names = table.concat(names, ", "), tests = table.concat(tests, " and "), stores = table.concat(stores, "\n"),
    failed = ODD_OR_FAILED,
    look = source.look(number, ("call.busy = 0 return by_many(self, %s)"):format(table.concat(tables, ", "))),
  })
end

-- Makes a Lua value of a word in which an integer's upper bits may be anything.
local function word_reader(result)
  local kind, bits = result.kind, result.bits
  if kind == "bool" then
    return function(word) return word % 256 ~= 0 end
  elseif bits == 64 then
    return result.low < 0 and arrays.signed or function(word) return arrays.unsigned(ffi.cast("uint64_t", word)) end
  end
  local narrow = ffi.typeof((result.low < 0 and "int%d_t" or "uint%d_t"):format(bits))
  return function(word) return tonumber(ffi.cast(narrow, word)) end
end

local function map_by_ffi(fn, call, enter, many, many_far, params, result, number, version, chunks)
  local chunk = source.compile(ffi_map_source(params, number), chunks)
  return {
    count = #params,
    map = chunk(call, enter, many, many_far, Func.many, fn.ffi_finish, type, math.floor,
      ffi.typeof "int64_t[?]", arrays.new_table, word_reader(result), number, version),
  }
end

-- What an entry has: enter, func, many, far, many_far. It is a userdata, and the pointer to it does not keep it alive:
-- reading a field makes an object of LuaJIT's, which may be a step of the collector. It is returned, too, so that
-- it is referred to until all are read.
local function read_entry(entry)
  local at = ffi.cast(entry_type, entry)
  return at.enter, at.func, at.many, at.far, at.many_far, entry
end

local ffiroad = {}

ffi.cdef "struct gl_handle { const char *mark; void *caller; uint64_t id, class; };"
layouts.check "struct gl_handle"
local handles, handle_type = core.handle_class(), ffi.typeof "const struct gl_handle *"

--- What calls a function by this road, and what maps it, if anything quick does: map(self, array…) for so many arrays.
--- nil where the function's types can't take the road.
---@param fn goloader.Func
---@param by_capi function  what calls it where this road can't
---@param chunks table<string, function>|nil  of its versions
---@return function|nil call
---@return { count: integer, map: function }|nil mapper
function ffiroad.of_function(fn, by_capi, chunks)
  local found, address, params, outs, is_integral, entry = pcall(fn.ffi, fn)
  if not found or not address then return nil end -- the C API raises what is wrong, at the user's line
  local call = ffi.cast(call_type, address)
  local enter, func, many, far, many_far = read_entry(entry)
  local number, version = source.version_of(fn)
  local chunk = ffi_source(params, outs, is_integral, number, chunks)
  return chunk(call, enter, func, far, by_capi, fn.ffi_finish, type, select, math.floor, ffi.string, number, version,
      nil, nil, nil, nil, nil, nil, pcall, error),
    is_integral and #params > 0 and #outs == 1
      and map_by_ffi(fn, call, enter, many, many_far, params, outs[1], number, version, chunks) or nil
end

--- What calls a handle's method, or reads or sets a field, by this road: function(handle, …).
---@param by_capi function  what does it where this road can't
---@param owner userdata|nil  as core.method_ffi and core.field_ffi give what follows; nil: it can't take the road
---@return function|nil
function ffiroad.of_member(by_capi, owner, params, outs, is_integral, entry, class)
  if not owner then return nil end
  local enter, func, _, far = read_entry(entry)
  return ffi_source(params, outs, is_integral)(ffi.cast(call_type, owner), enter, func, far, by_capi,
    core.ffi_finish, type, select, math.floor, ffi.string, nil, nil, owner, class, handles, handle_type,
    getmetatable, ffi.cast)
end

return ffiroad
