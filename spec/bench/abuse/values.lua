-- Random Lua values for spec/bench/abuse.lua: right ones by what is asked for, and whatever else Lua has.

local has_ffi, ffi = pcall(require, "ffi")
local unpack = rawget(table, "unpack") or unpack

local values = {}

local random = math.random

local function pick(list) return list[random(#list)] end
values.pick = pick

-- What the fuzzer's own callbacks raise: nobody else's errors have it.
values.MARK = "raised by the fuzzer"

local RAISED = { values.MARK, { message = values.MARK }, 7, false,
  setmetatable({}, { __tostring = function() return values.MARK end }) }
values.is_raised = {}
for _, value in ipairs(RAISED) do values.is_raised[value] = true end

local function fail() error(pick(RAISED), 0) end

local function collect() collectgarbage() end

local NUMBERS = { 0, 1, -1, 2, 3, 7, 0.5, -0.5, 127, 128, 255, 256, 65535, 65536, 2 ^ 31 - 1, 2 ^ 31, -2 ^ 31, 2 ^ 32,
  2 ^ 53 - 1, 2 ^ 53, 2 ^ 53 + 2, -2 ^ 53, 2 ^ 63, -2 ^ 63, 2 ^ 64, 1e100, -1e300, 1 / 0, -1 / 0, 0 / 0, -0.0 }

local STRINGS = { "", "a", "one", "X", "Name", "\0", "a\0b", "title", "é€😀", "\255\254", "1", "-5", "0x10", "1e3",
  "nan", "9223372036854775807", "18446744073709551615", "30s", "-1s", "%s%d%n", "a\nb", "../..", "/", "int", "Point",
  "Sum", ("x"):rep(300), ("y"):rep(70000) }

local CTYPES = { "int8_t[4]", "uint8_t[0]", "int32_t[3]", "int64_t[2]", "uint64_t[2]", "float[2]", "double[3]",
  "bool[2]", "void *", "char *", "const char *", "int *", "struct { int a; }", "struct { double a, b; }[2]", "int64_t",
  "uint64_t", "double", "complex", "union { int a; double b; }", "int8_t[3][3]" }

local function cyclic()
  local t = { 1, 2 }
  t[3], t.X, t.Left, t.Near = t, t, t, { a = t }
  return t
end

local function deep()
  local t = {}
  for _ = 1, pick { 3, 150, 250, 20000 } do t = { pick { 1, "Left", "Near" } } t = { [t[1]] = t } end
  return t
end

local function chain() -- of a type that refers to itself
  local t = {}
  for _ = 1, pick { 10, 190, 300, 100000 } do t = { Left = t } end
  return t
end

local function with_metamethods()
  local act = pick { fail, coroutine.yield, collect, function() return values.any() end, values.call_in }
  local meta = {}
  for _, event in ipairs { "__index", "__newindex", "__len", "__tostring", "__eq", "__lt", "__le", "__call", "__pairs",
    "__ipairs", "__concat", "__unm", "__add" } do
    if random() < 0.8 then meta[event] = function(...) return act(...) end end
  end
  if random() < 0.2 then meta.__metatable = "locked" end
  if random() < 0.2 then meta.__name = pick(STRINGS) end
  return setmetatable(random() < 0.5 and {} or { X = 1, 2, 3 }, meta)
end

local function cdata()
  if not has_ffi then return values.number() end
  local ok, value = pcall(ffi.new, pick(CTYPES))
  if random() < 0.2 then return ffi.typeof(pick(CTYPES)) end
  return ok and value or ffi.new "int64_t"
end

local function table_of_any()
  local t = {}
  for _ = 1, random(0, 4) do
    local key = random() < 0.5 and #t + 1 or values.any(true)
    if key ~= nil and key == key then rawset(t, key, values.any(true)) end
  end
  return t
end

function values.number() return pick(NUMBERS) end
function values.string() return pick(STRINGS) end

--- A function: one that Go may call, and that does what it should not.
function values.callback()
  local returned = { values.any(true), values.any(true) }
  local n = random(0, 2)
  local act = pick { function() end, fail, coroutine.yield, collect, values.call_in, values.call_in,
    function() collectgarbage "step" end, function() error() end,
    function() error(setmetatable({}, { __index = fail })) end,
    function() debug.sethook(function() end, "", 1000) end, function() debug.sethook() end }
  return function(...)
    act(...)
    return unpack(returned, 1, n)
  end
end

local MAKERS = {
  function() return nil end, function() return random() < 0.5 end, values.number, values.number, values.string,
  values.string, values.callback, table_of_any, function() return {} end, cyclic, deep, chain, with_metamethods, cdata,
  cdata, function() return values.object() end, function() return values.object() end,
  function() return coroutine.create(values.callback()) end, function() return io.stdout end,
  function() return rawget(_G, "newproxy") and rawget(_G, "newproxy")(true) or io.stderr end,
  function() return print end, function() return ("z"):rep(2 ^ pick { 10, 16, 20 }) end,
}

--- Anything; small: nothing that refers to itself or is huge.
function values.any(small)
  if small and random() < 0.7 then return pick { MAKERS[2], MAKERS[3], MAKERS[5], MAKERS[1] }() end
  return pick(MAKERS)()
end

local depth = 0

--- Calls something of the API from within a callback.
function values.call_in()
  if depth >= 3 then return end
  depth = depth + 1
  pcall(values.step)
  depth = depth - 1
end

return values
