--- The nearest of some names to one that was mistyped: "cahce" is near "cache".

local min = math.min

local FAR = 2 -- letters: what differs by more is another name

-- How many letters must be added, dropped, exchanged or swapped with their neighbour.
local function distance(a, b)
  local before, above = nil, {}
  for k = 0, #b do above[k] = k end
  for i = 1, #a do
    local row = { [0] = i }
    for k = 1, #b do
      local same = a:byte(i) == b:byte(k)
      row[k] = min(above[k] + 1, row[k - 1] + 1, above[k - 1] + (same and 0 or 1))
      if before and k > 1 and a:byte(i) == b:byte(k - 1) and a:byte(i - 1) == b:byte(k) then
        row[k] = min(row[k], before[k - 2] + 1)
      end
    end
    before, above = above, row
  end
  return above[#b]
end

---@param name any what was written
---@param names table<string, any> what would have been right, as keys
---@return string? nearest nil when nothing is near
local function nearest(name, names)
  local best, least = nil, nil
  for candidate in pairs(names) do
    -- names are short, what was written may be anything: lengths are compared before letters
    if type(candidate) == "string" and type(name) == "string" and math.abs(#name - #candidate) <= FAR then
      local d = distance(name, candidate)
      if d <= min(FAR, #name / 2) and (not least or d < least or d == least and candidate < best) then
        best, least = candidate, d
      end
    end
  end
  return best
end

return nearest
