--- Tables of options: a name that nobody reads is a mistake, and so is a value of another type.

local errors = require "goloader.errors"
local nearest = require "goloader.nearest"
local units = require "goloader.units"

-- What may be said as people say it: "30s", "512k".
local readers = { duration = units.seconds, size = units.size }

---Raises an error where the caller's caller has given an option that is not there, or one of another type.
---@param call string as users write it: "host:build"
---@param options any what was given
---@param known table<string, string|true> types by name, as `type` says them, several separated by spaces; "duration"
---  and "size" are read; true: the caller looks at the value itself
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
      errors.misuse(level, "%s: there is no option %s%s", call, tostring(name),
        near and ("; did you mean %s?"):format(near) or "")
    end
    read[name] = value
    if readers[types] then
      local number, why = readers[types](value)
      if not number then errors.misuse(level, "%s: %s: %s", call, name, why) end
      read[name] = number
    elseif types ~= true and not (" " .. types .. " "):find(" " .. type(value) .. " ", 1, true) then
      errors.misuse(level, "%s: %s: a %s expected, got %s", call, name, (types:gsub(" ", " or ")), type(value))
    end
  end
  return read
end
