-- Random Go types, and values of them as Go and as Lua have them.
--
-- A type is a table: `go` is how Go writes it. new() makes a value: what Lua has for it, and Go's expression; where Lua
-- has no way to give such a value, a third result is true. same(got, value) is nil, or says how what Lua got differs.

local has_ffi, ffi = pcall(require, "ffi")
local unpack = rawget(table, "unpack") or unpack
local random = math.random
local tointeger = rawget(math, "tointeger") -- from Lua 5.3 on

local types -- the named ones of the package at hand, as far as they are made
local text -- the lines that declare them
local any_type, plain_type

local function pick(list) return list[random(#list)] end

local function quoted(value)
  return '"' .. value:gsub("[^%w ]", function(c) return ("\\x%02x"):format(c:byte()) end) .. '"'
end

local function shown(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for k, v in pairs(value) do parts[#parts + 1] = ("[%s]=%s"):format(shown(k), shown(v)) end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function unless(equal, got, value)
  return not equal and ("%s (%s) instead of %s"):format(shown(got), type(got), shown(value)) or nil
end

-- Marks a type that any is a part of.
local function with(t, ...)
  for i = 1, select("#", ...) do t.holds_any = t.holds_any or (select(i, ...)).holds_any end
  return t
end

-- What stays in Go is looked at by a copy of all that is in it.
local function copied(got)
  if type(got) == "userdata" or (type(got) == "cdata" and tostring(got):find "^%*?%[?%a") then
    local ok, copy = pcall(function() return got:copy() end)
    if ok then return copy end
  end
  return got
end

local function exact(go, new)
  return { go = go, new = new, key = true, same = function(got, value) return unless(got == value, got, value) end }
end

local function bool()
  return exact("bool", function()
    local value = random(2) == 1
    return value, tostring(value)
  end)
end

-- The digits of an integer in any of its forms.
local function digits(value)
  if type(value) == "number" then
    return ((tointeger and tointeger(value) and "%d" or "%.0f"):format(value))
  end
  return (tostring(value):gsub("U?LL$", ""))
end

-- Decimal text of a power of two less or more a little, by Lua numbers that would not hold it.
local POWERS = { [7] = "128", [8] = "256", [15] = "32768", [16] = "65536", [31] = "2147483648", [32] = "4294967296" }
local LIMITS = {
  int64 = { "9223372036854775807", "-9223372036854775808", "9007199254740993", "-9007199254740995" },
  uint64 = { "18446744073709551615", "9223372036854775808", "9007199254740993", "12345678901234567891" },
}

-- An integer that no Lua number holds, as this Lua has it.
local function large(go, value)
  if not has_ffi then return tointeger and go == "int64" and tointeger(value) or value end
  local negative, sum = value:sub(1, 1) == "-", ffi.new("uint64_t", 0)
  for digit in value:gmatch "%d" do sum = sum * 10 + tonumber(digit) end
  if go == "uint64" then return sum end
  local signed = ffi.cast("int64_t", sum)
  return negative and -signed or signed
end

local function integer(go, bits, signed)
  local sized = go
  if bits == 64 then sized = signed and "int64" or "uint64" end
  local t = { go = go, key = true, byte = go == "uint8" }
  function t.new(key)
    if bits == 64 and random(4) == 1 then
      local value = pick(LIMITS[sized])
      if key then return value, value end
      return large(sized, value), value
    end
    local value = random(0, 100)
    if signed and value > 0 and random(2) == 1 then value = -value end
    if bits < 64 and random(3) == 1 then
      value = tonumber(POWERS[signed and bits - 1 or bits]) - 1
      if signed and random(2) == 1 then value = -value - 1 end
    end
    return value, ("%d"):format(value)
  end
  function t.same(got, value) return unless(digits(got) == digits(value), got, value) end
  return t
end

local function float(go)
  local t = { go = go, key = true }
  local values = { 0, 1, -1, 0.5, -2.25, 1048576, 27917287424, 3 }
  if go == "float64" then values[#values + 1] = 1e300 end
  local infinity = 1 / 0
  local odd = {
    { infinity, "math.Inf(1)" }, { -infinity, "math.Inf(-1)" }, { 0 / 0, "math.NaN()" },
    { -1 / infinity, "math.Copysign(0, -1)" }, -- Lua 5.1 has one constant for 0 and for -0
  }
  values[8] = go == "float64" and 0.1 or 0.125
  function t.new(key)
    if not key and random(4) == 1 then
      local one = pick(odd)
      return one[1], ("%s(%s)"):format(go, one[2])
    end
    local value = pick(values)
    return value, ("%s(%.17g)"):format(go, value)
  end
  function t.same(got, value)
    if value ~= value then return unless(got ~= got, got, value) end
    return unless(type(got) == "number" and got == value and (value ~= 0 or 1 / got == 1 / value), got, value)
  end
  return t
end

local function complex(go)
  local part = float(go == "complex64" and "float32" or "float64")
  local t = { go = go, bare = true }
  function t.new()
    local re, a = part.new()
    local im, b = part.new()
    return { re, im }, ("%s(complex(%s, %s))"):format(go, a, b)
  end
  function t.same(got, value)
    if type(got) ~= "table" then return unless(false, got, value) end
    return part.same(got[1], value[1]) or part.same(got[2], value[2])
  end
  return t
end

local PIECES = { "a", "bc", " ", "é", "\240\159\152\128", "\255", "\0", "\n", '"', "\\", "`", "100" }
local function bytes()
  local parts = {}
  for i = 1, random(0, pick { 1, 3, 8, 40 }) do parts[i] = pick(PIECES) end
  return table.concat(parts)
end

local function string_()
  return exact("string", function()
    local value = bytes()
    return value, quoted(value)
  end)
end

-- Of uint8, or of a type that is one.
local function byte_slice(elem)
  local t = { go = "[]" .. elem }
  function t.new()
    local value = bytes()
    return value, ("%s(%s)"):format(t.go, quoted(value))
  end
  function t.same(got, value)
    got = copied(got)
    return unless(got == value, got, value)
  end
  return t
end

local function each(elem, got, value)
  got = copied(got)
  if type(got) ~= "table" or #got ~= #(value or {}) then return unless(false, got, value) end
  for i, v in ipairs(value or {}) do
    local differs = elem.same(got[i], v)
    if differs then return ("[%d]: %s"):format(i, differs) end
  end
end

-- n elements, none of them nil: a table of Lua's has no such elements.
local function elements(elem, n)
  local values, parts, taken = {}, {}, false
  for i = 1, n do
    local value, go, only_taken
    for _ = 1, 20 do
      value, go, only_taken = elem.new()
      if value ~= nil then break end
    end
    if value == nil then return nil end
    values[i], parts[i], taken = value, go, taken or only_taken
  end
  return values, table.concat(parts, ", "), taken
end

local function slice(elem)
  if elem.byte then return byte_slice(elem.go) end
  local t = with({ go = "[]" .. elem.go }, elem)
  function t.new()
    if random(8) == 1 then return nil, ("%s(nil)"):format(t.go) end
    local values, go, taken = elements(elem, random(0, 4))
    if not values then return {}, t.go .. "{}" end
    return values, ("%s{%s}"):format(t.go, go), taken
  end
  function t.same(got, value) return each(elem, got, value) end
  return t
end

local function array(elem)
  local n = pick { 0, 1, 1, 2, 3, 5, 17 }
  if elem.nilable then n = 0 end
  local t = with({ go = ("[%d]%s"):format(n, elem.go) }, elem)
  function t.new()
    local values, go, taken = elements(elem, n)
    return values, ("%s{%s}"):format(t.go, go), taken
  end
  function t.same(got, value) return each(elem, got, value) end
  return t
end

local function map(key, elem)
  local t = with({ go = ("map[%s]%s"):format(key.go, elem.go) }, elem)
  function t.new()
    if random(8) == 1 then return nil, ("%s(nil)"):format(t.go) end
    local values, parts, seen, taken = {}, {}, {}, false
    for _ = 1, random(0, 3) do
      local k, k_go = key.new(true)
      local value, go, only_taken = elem.new()
      if value ~= nil and not seen[k_go] then
        seen[k_go] = true
        values[k], parts[#parts + 1], taken = value, k_go .. ": " .. go, taken or only_taken
      end
    end
    return values, ("%s{%s}"):format(t.go, table.concat(parts, ", ")), taken
  end
  function t.same(got, value)
    got = copied(got)
    if type(got) ~= "table" then return unless(false, got, value) end
    local left = 0
    for _ in pairs(got) do left = left + 1 end
    for k, v in pairs(value or {}) do
      local found = got[k]
      if found == nil and tointeger and type(k) == "string" then found = got[tointeger(k)] end
      local differs = elem.same(found, v)
      if differs then return ("[%s]: %s"):format(shown(k), differs) end
      left = left - 1
    end
    return unless(left == 0, got, value)
  end
  return t
end

local function pointer(elem)
  local t = with({ go = "*" .. elem.go, nilable = true }, elem)
  function t.new()
    if random(5) == 1 then return nil, ("(%s)(nil)"):format(t.go) end
    local value, go, taken = elem.new()
    -- nil is no pointer, and not what points to nil
    if value == nil then return nil, ("(%s)(nil)"):format(t.go) end
    return value, ("ptr[%s](%s)"):format(elem.go, go), taken
  end
  function t.same(got, value)
    if value == nil then return unless(got == nil, got, value) end
    if elem.methods and not elem.fields then
      local ok, inner = pcall(function() return got:get() end)
      if ok then got = inner end
    end
    return elem.same(copied(got), value)
  end
  return t
end

local function duration()
  local t = integer("int64", 32, true)
  local new = t.new
  function t.new(key)
    local value, go = new(key)
    return value, ("time.Duration(%s)"):format(go)
  end
  t.go, t.key = "time.Duration", false
  return t
end

local function instant()
  return exact("time.Time", function()
    local seconds, nanoseconds = random(0, 2000000000), random(0, 999999999)
    local value = os.date("!%Y-%m-%dT%H:%M:%S", seconds) .. (nanoseconds == 0 and ""
      or ("." .. ("%09d"):format(nanoseconds)):gsub("0+$", "")) .. "Z"
    return value, ("time.Unix(%d, %d).UTC()"):format(seconds, nanoseconds)
  end)
end

local function failure()
  return {
    go = "error",
    nilable = true,
    new = function()
      if random(3) == 1 then return nil, "error(nil)" end
      local value = "e" .. random(100)
      return value, ("errors.New(%s)"):format(quoted(value))
    end,
    same = function(got, value)
      if value == nil then return unless(got == nil, got, value) end
      return unless(type(got) == "table" and got.message == value, got, value)
    end,
  }
end

-- What any holds by what Lua gives; and what only Go can put there.
local function anything()
  local t = { go = "any", nilable = true, holds_any = true }
  local function of(depth)
    local choice = random(depth > 2 and 5 or 7)
    if choice == 1 then return nil, "nil" end
    if choice == 2 then return true, "true" end
    if choice == 3 then
      local value = random(-1000, 1000)
      return value, ("int64(%d)"):format(value)
    end
    if choice == 4 then return 0.5, "float64(0.5)" end
    if choice == 5 then
      local value = bytes()
      return value, quoted(value)
    end
    local values, parts = {}, {}
    for i = 1, random(3) do
      local value, go
      repeat value, go = of(depth + 1) until value ~= nil
      if choice == 6 then
        values[i], parts[i] = value, go
      else
        values["k" .. i], parts[i] = value, ('"k%d": %s'):format(i, go)
      end
    end
    return values, ("%s{%s}"):format(choice == 6 and "[]any" or "map[string]any", table.concat(parts, ", "))
  end
  local function same(got, value)
    got = copied(got)
    if type(value) ~= "table" then return unless(got == value, got, value) end
    if type(got) ~= "table" then return unless(false, got, value) end
    for k, v in pairs(value) do
      local differs = same(got[k], v)
      if differs then return differs end
    end
    for k in pairs(got) do if value[k] == nil then return unless(false, got, value) end end
  end
  local others = {}
  function t.new()
    if #types > 0 and random(4) == 1 then
      local other = pick(types)
      local value, go
      if not other.nilable then value, go = other.new() end
      if type(value) == "table" then
        others[value] = other
        return value, ("any(%s(%s))"):format(other.go, go), true
      end
    end
    return of(0)
  end
  function t.same(got, value)
    local other = type(value) == "table" and others[value]
    if other then return other.same(copied(got), value) end
    return same(got, value)
  end
  return t
end

local function fields_of(depth, hidden)
  local fields, n = {}, random(0, 6)
  for i = 1, n do
    local field = { name = "F" .. i, type = any_type(depth - 1) }
    local elem = field.type
    if elem.name and elem.fields and random(3) == 1 then field.name, field.embedded = elem.name, true end
    for _, other in ipairs(fields) do
      if other.name == field.name then field.name, field.embedded = "F" .. i, false end
    end
    fields[i] = field
  end
  if hidden then table.insert(fields, random(#fields + 1), { name = "hidden", hidden = true }) end
  return fields
end

-- Values of those fields of a struct that has(field) says yes to, and Go's expressions for them.
local function new_fields(fields, has)
  local values, parts, taken = {}, {}, false
  for _, field in ipairs(fields) do
    if not field.hidden and has(field) then
      local value, go, only_taken = field.type.new()
      values[field.name], parts[#parts + 1], taken = value, field.name .. ": " .. go, taken or only_taken
    end
  end
  return values, parts, taken
end

local function same_fields(fields, got, value)
  got = copied(got)
  if type(got) ~= "table" then return unless(false, got, value) end
  local known = {}
  for _, field in ipairs(fields) do
    known[field.name] = not field.hidden
    local given, differs = value[field.name], nil
    -- a field that Lua has not given is Go's zero, which is nil or what only its type could tell
    if given ~= nil or (field.type and field.type.nilable) then differs = field.type.same(got[field.name], given) end
    if differs then return "." .. field.name .. differs:gsub("^([^.%[])", ": %1") end
  end
  for k in pairs(got) do
    if not known[k] then return "." .. tostring(k) .. ": no such field" end
  end
end

local function struct(depth, hidden)
  local t = { fields = fields_of(depth, hidden) }
  local lines = {}
  for i, field in ipairs(t.fields) do
    if field.type then with(t, field.type) end
    lines[i] = field.hidden and "hidden int32" or field.embedded and field.type.go or field.name .. " " .. field.type.go
  end
  t.go = "struct { " .. table.concat(lines, "; ") .. " }"
  function t.new()
    local values, parts, taken = new_fields(t.fields, function() return random(6) > 1 end)
    if hidden and random(2) == 1 then parts[#parts + 1], taken = "hidden: 7", true end
    return values, ("%s{%s}"):format(t.go, table.concat(parts, ", ")), taken
  end
  function t.same(got, value) return same_fields(t.fields, got, value) end
  return t
end

-- A type of a name, with or without methods.
local function named(depth)
  local of = random(3) == 1 and struct(depth, random(5) == 1) or plain_type(depth)
  local t = {}
  for k, v in pairs(of) do t[k] = v end
  t.name = ("T%d"):format(#types + 1)
  t.go = t.name
  text[#text + 1] = ("type %s %s"):format(t.name, of.go)
  local new, prefix = of.new, of.go
  function t.new(key)
    local value, go, taken = new(key)
    -- a composite literal is written with the name, anything else is converted
    if go:sub(1, #prefix + 1) == prefix .. "{" then return value, t.name .. go:sub(#prefix + 1), taken end
    return value, ("%s(%s)"):format(t.name, go), taken
  end
  if not of.nilable and not of.go:find "^any" and random(2) == 1 then
    t.methods = true
    text[#text + 1] = ("func (x %s) Text() string { return dump(x) }"):format(t.name)
    text[#text + 1] = ("func (x *%s) Set(y %s) { *x = y }"):format(t.name, t.name)
  end
  types[#types + 1] = t
  return t
end

local function generic(depth)
  local of = any_type(depth - 1)
  local box = slice(of)
  local t = { go = ("Box[%s]"):format(of.go), fields = { { name = "V", type = of }, { name = "L", type = box } } }
  with(t, of)
  function t.new()
    local v, v_go, v_taken = of.new()
    local l, l_go, l_taken = box.new()
    return { V = v, L = l }, ("%s{%s, %s}"):format(t.go, v_go, l_go), v_taken or l_taken
  end
  function t.same(got, value) return same_fields(t.fields, got, value) end
  return t
end

-- A named struct that has others of its type in it.
local function recursive(depth)
  local of = any_type(depth - 1)
  local t = with({ name = ("T%d"):format(#types + 1) }, of)
  types[#types + 1] = t
  t.go = t.name
  t.fields = {
    { name = "V", type = of },
    { name = "Next", type = pointer(t) },
    { name = "Kids", type = slice(t) },
    { name = "By", type = map(string_(), pointer(t)) },
  }
  text[#text + 1] = ("type NAME struct { V %s; Next *NAME; Kids []NAME; By map[string]*NAME }"):format(of.go)
    :gsub("NAME", t.name)
  if random(2) == 1 then
    t.methods = true
    text[#text + 1] = ("func (x *%s) Text() string { return dump(*x) }"):format(t.name)
  end
  local level = 0
  function t.new()
    level = level + 1
    local values, parts, taken = new_fields(t.fields, function(field)
      return field.name == "V" or (level < 4 and random(level + 1) == 1)
    end)
    level = level - 1
    return values, ("%s{%s}"):format(t.name, table.concat(parts, ", ")), taken
  end
  function t.same(got, value) return same_fields(t.fields, got, value) end
  return t
end

local INTEGERS = {
  { "int", 64, true }, { "int8", 8, true }, { "int16", 16, true }, { "int32", 32, true }, { "int64", 64, true },
  { "uint", 64, false }, { "uint8", 8, false }, { "uint16", 16, false }, { "uint32", 32, false },
  { "uint64", 64, false }, { "uintptr", 64, false }, { "rune", 32, true },
}

local function scalar()
  local choice = random(8)
  if choice <= 3 then return integer(unpack(pick(INTEGERS))) end
  if choice <= 5 then return float(pick { "float32", "float64" }) end
  if choice == 6 then return bool() end
  return string_()
end

local function key_type()
  local t
  repeat t = scalar() until t.key
  return t
end

-- A type that has no name.
function plain_type(depth)
  local choice = random(depth <= 0 and 3 or 14)
  if choice <= 3 then return scalar() end
  if choice == 4 then return byte_slice "byte" end
  if choice == 5 then return complex(pick { "complex64", "complex128" }) end
  if choice <= 7 then return slice(any_type(depth - 1)) end
  if choice == 8 then return array(any_type(depth - 1)) end
  if choice <= 10 then return map(key_type(), any_type(depth - 1)) end
  if choice <= 12 then return struct(depth - 1, false) end
  if choice == 13 then return anything() end
  return scalar()
end

function any_type(depth)
  local choice = random(12)
  if choice <= 4 and #types > 0 then return pick(types) end
  if choice == 5 and depth > 0 then
    local elem = any_type(depth - 1)
    if not elem.nilable and not elem.go:find "^[%[m]" and elem.go ~= "any" then
      return pointer(elem)
    end
  end
  if choice == 6 then return pick { duration, instant, failure }() end
  if choice == 7 and depth > 0 then return generic(depth) end
  return plain_type(depth)
end

return {
  -- Begins a package: returns the list of named types, and that of the lines which declare them, as they come to be.
  start = function()
    types, text = {}, {}
    return types, text
  end,
  named = named,
  recursive = recursive,
  scalar = scalar,
  any_type = any_type,
  byte_slice = byte_slice,
  pick = pick,
  shown = shown,
}
