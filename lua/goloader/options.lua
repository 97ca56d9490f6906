--- Tables of options: a name that nobody reads is a mistake, and so is a value of another type.

local errors = require "goloader.errors"
local nearest = require "goloader.nearest"
local units = require "goloader.units"

-- What may be said as people say it: "30s", "512k".
local readers = { duration = units.seconds, size = units.size }

-- What is wrong with a table whose values, and with `of_names` its keys too, are to be strings; nil: nothing.
local function find_odd(value, of_names)
  local expected = of_names and "a table of strings by names" or "a list of strings"
  if type(value) ~= "table" then return ("%s expected, got %s"):format(expected, type(value)) end
  for key, each in pairs(value) do
    if type(key) ~= (of_names and "string" or "number") then
      return ("%s expected, got one with a key of type %s"):format(expected, type(key))
    end
    if type(each) ~= "string" then
      return ("%s expected, got one with a %s at %s"):format(expected, type(each), key)
    end
  end
end

---Raises an error where the caller's caller has given an option that is not there, or one of another type.
---@param call string as users write it: "host:build"
---@param options any what was given
---@param known table<string, string|true> types by name, as `type` says them, several separated by spaces; "duration"
---  and "size" are read; "strings" is a list of them, "named strings" a table of them by names; true: the
---  caller looks at the value itself
---@param level? integer levels above the caller that the error is at; nil: 1
---@return table options empty where none were given; durations in seconds, sizes in bytes
return function(call, options, known, level)
  level = (level or 1) + 2
  if options == nil then return {} end
  if type(options) ~= "table" then
    errors.misuse(level, "%s: a table of options expected, got %s", call, type(options))
  end
  local read = {}
  for name, value in pairs(options) do
    local types = known[name]
    if not types then
      local near = nearest(name, known)
      errors.misuse(level, "%s: there is no option %s%s", call, errors.shown(name),
        near and ("; did you mean %s?"):format(near) or "")
    end
    read[name] = value
    if readers[types] then
      local number, why = readers[types](value)
      if not number then errors.misuse(level, "%s: %s: %s", call, name, why) end
      read[name] = number
    elseif types == "strings" or types == "named strings" then
      local why = find_odd(value, types == "named strings")
      if why then errors.misuse(level, "%s: %s: %s", call, name, why) end
    elseif types ~= true and not (" " .. types .. " "):find(" " .. type(value) .. " ", 1, true) then
      errors.misuse(level, "%s: %s: a %s expected, got %s", call, name, (types:gsub(" ", " or ")), type(value))
    end
  end
  return read
end
