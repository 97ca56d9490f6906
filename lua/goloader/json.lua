--- Values as JSON, for `--json` and for the go command: names in alphabetical order, two spaces for each level, so that
--- the same input prints the same text. lua-cjson as distributions have it writes names in any order, and an empty list
--- as an object.

local json = {}

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

--- A text as JSON has it.
---@param text string
---@return string
function json.quote(text)
  return '"' .. text:gsub('[%c"\\\127]', function(letter)
    return ESCAPES[letter] or ("\\u%04x"):format(letter:byte())
  end) .. '"'
end

-- Marks tables that are objects though they are empty.
local Object = {}

--- A table as an object, also when there is nothing in it.
---@param fields table
---@return table
function json.object(fields)
  return setmetatable(fields, Object)
end

local function names_of(fields)
  local names = {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function write(out, value, indent)
  if type(value) == "string" then
    out[#out + 1] = json.quote(value)
  elseif type(value) == "number" then
    out[#out + 1] = value % 1 == 0 and ("%.0f"):format(value) or ("%.17g"):format(value)
  elseif type(value) ~= "table" then
    out[#out + 1] = tostring(value)
  else
    local inner = indent .. "  "
    local is_list = value[1] ~= nil or next(value) == nil and getmetatable(value) ~= Object
    local keys = is_list and value or names_of(value)
    if #keys == 0 then
      out[#out + 1] = is_list and "[]" or "{}"
      return
    end
    out[#out + 1] = is_list and "[" or "{"
    for i, key in ipairs(keys) do
      out[#out + 1] = (i > 1 and "," or "") .. "\n" .. inner
      if not is_list then out[#out + 1] = json.quote(key) .. ": " end
      write(out, is_list and key or value[key], inner)
    end
    out[#out + 1] = "\n" .. indent .. (is_list and "]" or "}")
  end
end

---@param value any  tables are lists or have names; functions have no place in it
---@return string text
function json.encode(value)
  local out = {}
  write(out, value, "")
  return table.concat(out)
end

return json
