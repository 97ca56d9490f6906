--- What is the same in all of many calls, `strings.Contains:map(lines, goloader.same "go(")`, as arrays: for roads that
--- take nothing else. C knows it as it is (src/call/many.c).

local arrays = require "goloader.roads.arrays"
local core = require "goloader.core"

local is_same = core.same_value
local type = type

local unpack = rawget(table, "unpack") or unpack

local same = {}

-- How many calls the others say; nil where none does, or nothing is the same.
local function count(...)
  local length, found = nil, false
  for i = 1, select("#", ...) do
    local array = select(i, ...)
    if type(array) == "userdata" and is_same(array) then
      found = true
    else
      length = length or type(array) == "table" and #array or arrays.length(array)
    end
  end
  return found and length or nil
end

--- Is there something to be expanded among these?
---@return integer|nil length
same.count = count

--- Arrays of that length in the place of each.
---@param length integer
---@return any ...
function same.expand(length, ...)
  local all, n = { ... }, select("#", ...)
  for i = 1, n do
    local found, value = is_same(all[i])
    if found then
      local array = arrays.new_table(length, 0)
      for k = 1, length do array[k] = value end
      all[i] = array
    end
  end
  return unpack(all, 1, n)
end

return same
