--- Tables as texts that Lua reads: what one Lua state tells another one of the process.

local note = {}

local load = rawget(_G, "loadstring") or load

local FORMATS = { string = "%q", number = "%.17g" }

local function as_text(value)
  if type(value) == "boolean" then return tostring(value) end
  if type(value) ~= "table" then return FORMATS[type(value)]:format(value) end
  local fields = {}
  for key, each in pairs(value) do fields[#fields + 1] = ("[%s]=%s"):format(as_text(key), as_text(each)) end
  return "{" .. table.concat(fields, ",") .. "}"
end

--- Can it be written? Functions can't, and what refers to itself must not be tried.
---@param value any
---@return boolean
function note.can_write(value)
  if type(value) ~= "table" then return type(value) == "boolean" or FORMATS[type(value)] ~= nil end
  for key, each in pairs(value) do
    if not note.can_write(key) or not note.can_write(each) then return false end
  end
  return true
end

--- A table of strings, numbers, booleans and such tables, as a text.
---@param value table
---@return string
function note.write(value) return as_text(value) end

---@param text string
---@return table
function note.read(text) return assert(load("return " .. text, "=note"))() end

return note
