--- Characters that are spelled by their number, as URLs and Go's linker spell some: gopkg.in/yaml%2ev3.

local percent = {}

---@param text string
---@return string
function percent.decode(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

return percent
