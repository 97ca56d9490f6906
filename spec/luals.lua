-- A strict reader of definitions for the Lua language server: every line that begins with three dashes and an @ must be
-- an annotation by its grammar (https://luals.github.io/wiki/annotations), and every name that it mentions defined.

local luals = {}

local BUILT_IN = {}
for name in ("any boolean function integer nil number string table thread userdata true false"):gmatch "%S+" do
  BUILT_IN[name] = true
end

-- A line, and where it is read.
---@class spec.Cursor
---@field line string
---@field at integer
---@field names string[]  mentioned in it
local Cursor = {}
Cursor.__index = Cursor

function Cursor:take(pattern)
  local found, finish = self.line:match("^%s*(" .. pattern .. ")()", self.at)
  if found then self.at = finish end
  return found
end

function Cursor:need(pattern, what)
  return self:take(pattern) or error(("%s expected at %q"):format(what, self.line:sub(self.at)), 0)
end

local NAME = "[%a_][%w_.]*"
local read_type

local function read_list(cursor, close, read)
  if cursor:take(close) then return end
  repeat read(cursor) until not cursor:take ","
  cursor:need(close, "the end of a list")
end

local function read_parameter(cursor)
  if not cursor:take "%.%.%." then
    cursor:need("[%a_][%w_]*", "a parameter")
    cursor:take "%?"
  end
  if cursor:take ":" then read_type(cursor) end
end

local function read_field(cursor)
  if cursor:take "%[" then
    read_type(cursor)
    cursor:need("%]", "]")
  else
    cursor:need("[%a_][%w_]*", "a field's name")
  end
  cursor:need(":", ":")
  read_type(cursor)
end

local function read_function(cursor)
  cursor:need("%(", "(")
  read_list(cursor, "%)", read_parameter)
  if cursor:take ":" then
    repeat
      if not cursor:take "%.%.%." then read_type(cursor) end
    until not cursor:take ","
  end
end

local function read_primary(cursor)
  if cursor:take '"[^"]*"' or cursor:take "%-?%d+" then return end
  if cursor:take "{" then return read_list(cursor, "}", read_field) end
  if cursor:take "%(" then
    read_type(cursor)
    cursor:need("%)", ")")
    return
  end
  local name = cursor:need(NAME, "a type")
  if name == "fun" then return read_function(cursor) end
  cursor.names[#cursor.names + 1] = name
  if cursor:take "<" then read_list(cursor, ">", read_type) end
end

function read_type(cursor)
  repeat
    read_primary(cursor)
    while cursor:take "%[%]" do end
    cursor:take "%?"
  until not cursor:take "|"
end

-- What follows is a comment, set apart by two spaces.
local function read_end(cursor)
  local rest = cursor.line:sub(cursor.at)
  if rest ~= "" and not rest:find "^  %S" and not rest:find "^ # " then error(("%q is too much"):format(rest), 0) end
end

local readers = {}

function readers.meta(cursor) cursor:take(NAME) end

function readers.class(cursor, file)
  file.class = cursor:need(NAME, "a class")
  file.fields[file.class] = file.fields[file.class] or {}
  if cursor:take ":" then
    repeat
      cursor.names[#cursor.names + 1] = cursor:need(NAME, "a class")
    until not cursor:take ","
  end
end

function readers.field(cursor, file)
  local fields = file.fields[file.class] or error("a field without a class", 0)
  local name = cursor:take '%["[^"]*"%]'
  if not name and cursor:take "%[" then
    read_type(cursor)
    cursor:need("%]", "]")
  else
    name = name or cursor:need("[%a_][%w_]*", "a field's name")
    if name == "private" or name == "package" or name == "protected" or name == "public" then
      error(name .. " is no field, but for whom one is", 0)
    end
    cursor:take "%?"
    if fields[name] and not file.overloaded[name] then error(name .. " is there twice", 0) end
    fields[name] = true
  end
  read_type(cursor)
  read_end(cursor)
end

function readers.alias(cursor, file)
  file.fields[cursor:need(NAME, "an alias")] = {}
  if cursor.at <= #cursor.line then read_type(cursor) end
end

function readers.overload(cursor)
  cursor:need("fun", "fun")
  read_function(cursor)
end

function readers.param(cursor)
  if not cursor:take "%.%.%." then
    cursor:need("[%a_][%w_]*", "a parameter")
    cursor:take "%?"
  end
  read_type(cursor)
  read_end(cursor)
end

readers["return"] = function(cursor)
  read_type(cursor)
  cursor:take "%.%.%."
  cursor:take "[%a_][%w_]*"
  read_end(cursor)
end

function readers.generic(cursor, file)
  repeat
    file.generic[cursor:need("[%a_][%w_]*", "a type parameter")] = true
    if cursor:take ":" then read_type(cursor) end
  until not cursor:take ","
  read_end(cursor)
end

function readers.operator(cursor)
  cursor:need("[%a]+", "an operator")
  cursor:need(":", ":")
  read_type(cursor)
end

--- Reads files of definitions; raises where one is wrong.
---@param texts table<string, string>  by their names
---@return table<string, table<string, true>> classes  their fields
function luals.read(texts)
  local file = { fields = {}, overloaded = { build = true, watch = true, std = true }, generic = {} }
  local mentioned = {}
  for name, text in pairs(texts) do
    local number = 0
    for line in (text .. "\n"):gmatch "([^\n]*)\n" do
      number = number + 1
      local place = ("%s:%d: "):format(name, number)
      local tag, at = line:match "^%s*%-%-%-%s*@(%a+)()"
      local is_choice = line:find "^%s*%-%-%-%s*|"
      if line:find "^%s*%-%-%-%s*@" or is_choice then
        local cursor = setmetatable({ line = line, at = is_choice and line:find "|" + 1 or at, names = {} }, Cursor)
        local read = is_choice and function()
          read_type(cursor)
          read_end(cursor)
        end or readers[tag] or error(place .. "no annotation is called @" .. tostring(tag), 0)
        local ok, why = pcall(read, cursor, file)
        if not ok then error(place .. why, 0) end
        for _, each in ipairs(cursor.names) do
          if not file.generic[each] then mentioned[each] = mentioned[each] or place end
        end
      elseif not line:find "^%s*%-%-" and not line:find "^%s*$" then
        file.class, file.generic = not line:find "^local " and file.class or nil, {}
      end
    end
    assert((loadstring or load)(text, "@" .. name))
  end
  for name, place in pairs(mentioned) do
    if not BUILT_IN[name] and not file.fields[name] then error(place .. name .. " is not defined", 0) end
  end
  return file.fields
end

return luals
