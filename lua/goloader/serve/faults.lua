--- What is wrong with the newest edit, as a page for browsers: the message, and the lines of the files that it names.

local toolchain = require "goloader.building.toolchain"

local faults = {}

local AROUND, EXCERPTS = 4, 5

---@param text string
---@return string
local function escape(text)
  return (text:gsub("[&<>\"']", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }))
end

-- A file as a message names it: a full name, or one that starts at some folder.
local function find(name, folders)
  if name:sub(1, 1) == "/" then return toolchain.exists(name) and name or nil end
  name = name:gsub("^%./", "")
  for _, folder in ipairs(folders) do
    if toolchain.exists(folder .. "/" .. name) then return folder .. "/" .. name end
  end
end

-- Of a traceback only what the user has written is worth a look.
local function is_foreign(path)
  return path:find "/src/runtime/" or path:find "/src/host/" or path:find "/lua/goloader/"
    or toolchain.exists((path:match "^(.*)/src/" or "/nowhere") .. "/VERSION")
end

---@class goloader.serve.Location
---@field path string
---@field name string  as the message has it
---@field line integer

--- The places that a message names.
---@param message string
---@param folders string[]
---@return goloader.serve.Location[]
function faults.locations(message, folders)
  local list, seen = {}, {}
  for text in message:gmatch "[^\n]+" do
    for name, line in text:gmatch "([^%s:\"'()]+%.%a+):(%d+)" do
      local path = (name:find "%.go$" or name:find "%.lua$") and find(name, folders)
      local key = path and path .. ":" .. line
      if key and not seen[key] and not is_foreign(path) then
        seen[key] = true
        list[#list + 1] = { path = path, name = name, line = tonumber(line) }
      end
    end
  end
  return list
end

-- The lines around one.
local function excerpt(location)
  local text = toolchain.read_file(location.path)
  if not text then return "" end
  local lines, number = {}, 0
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    if math.abs(number - location.line) <= AROUND then
      local mark = number == location.line
      lines[#lines + 1] = ("%s%5d  %s%s"):format(mark and "<mark>" or "", number, escape((line:gsub("\t", "    "))),
        mark and "</mark>" or "")
    end
  end
  return ("<h2>%s:%d</h2>\n<pre class=source>%s</pre>\n"):format(escape(location.name), location.line,
    table.concat(lines, "\n"))
end

local PAGE = [[
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>%s</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
body { color: #222; background: #fff }
h1 { font-size: 1.3rem; color: #b00020 } h2 { font-size: 1rem; margin-bottom: .3rem }
pre { background: #f6f6f6; padding: .8rem; overflow-x: auto; font-size: 14px } mark { background: #ffd7d7 }
p { color: #666 }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b } pre { background: #262626 }
mark { background: #5c1f1f; color: #fff } h1 { color: #ff6b7f } }
</style>
<h1>%s</h1>
<pre>%s</pre>
%s<p>%s</p>
<script>new EventSource("/.goloader/changes?%s").onmessage = function () { location.reload() }</script>
</html>
]]

---@class goloader.serve.Fault
---@field title string
---@field message string
---@field note string  what happens meanwhile

--- The page.
---@param fault goloader.serve.Fault
---@param folders string[]  that names of files start from
---@param version string  of the server's, for the script that loads the page again
---@return string
function faults.page(fault, folders, version)
  local excerpts = {}
  for i, location in ipairs(faults.locations(fault.message, folders)) do
    if i > EXCERPTS then break end
    excerpts[i] = excerpt(location)
  end
  local title = escape(fault.title)
  local parts = { title, title, escape(fault.message), table.concat(excerpts), escape(fault.note), escape(version) }
  local at = 0
  return (PAGE:gsub("%%s", function()
    at = at + 1
    return parts[at]
  end))
end

return faults
