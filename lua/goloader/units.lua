--- Durations and sizes as people write them: "30s", "1h30m", "512k", "1m".

local units = {}

local SECONDS = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400 }
local BYTES = { b = 1, k = 2 ^ 10, kb = 2 ^ 10, m = 2 ^ 20, mb = 2 ^ 20, g = 2 ^ 30, gb = 2 ^ 30 }

---@param value any
---@return string
local function shown(value)
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

---Turns a duration into seconds.
---@param value any 30, "30s", "250ms", "1h30m"
---@return number? seconds
---@return string? err
function units.duration(value)
  if type(value) == "number" and value > 0 then return value end
  if type(value) == "string" and value ~= "" then
    local seconds, from = 0, 1
    while from <= #value do
      local _, to, number, unit = value:find("^(%d+%.?%d*)(%a+)", from)
      if not (to and tonumber(number) and SECONDS[unit]) then break end
      seconds, from = seconds + tonumber(number) * SECONDS[unit], to + 1
    end
    if from > #value and seconds > 0 then return seconds end
  end
  return nil, shown(value) .. " is not a duration such as \"250ms\", \"30s\", \"5m\" or \"1h30m\""
end

---Turns a time to wait, which may be none, into seconds.
---@param value any 0, 30, "30s"
---@return number? seconds
---@return string? err
function units.seconds(value)
  if value == 0 then return 0 end
  return units.duration(value)
end

---Turns a size into bytes.
---@param value any 1000, "512k", "1m", "1.5g"
---@return integer? bytes
---@return string? err
function units.size(value)
  if type(value) == "number" and value >= 1 and value == math.floor(value) then return value end
  if type(value) == "string" then
    local number, unit = value:match "^(%d+%.?%d*)(%a*)$"
    local factor = unit == "" and 1 or unit and BYTES[unit:lower()]
    local bytes = factor and tonumber(number) and math.floor(tonumber(number) * factor)
    if bytes and bytes >= 1 then return bytes end
  end
  return nil, shown(value) .. " is not a size such as 1000, \"512k\", \"1m\" or \"1g\""
end

return units
