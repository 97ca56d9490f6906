-- Watching files: has what a module is made from changed since it was last looked at?
--
-- A file's time and size answer that for next to nothing, but times are whole seconds here: an edit within the second
-- of the last look, with the same length, would never be seen. So a file that had been written just before the look is
-- compared by its bytes until its time has settled; which also spares a rebuild when a file was only touched.

local M = {}

local has_lfs, lfs = pcall(require, "lfs")

---@class goloader.watch.File
---@field text? string its bytes; nil: it could not be read
---@field size? integer
---@field time? integer
---@field settled boolean its time can be trusted

---@class goloader.Watch
---@field private path string
---@field private files table<string, goloader.watch.File>
local Watch = {}
Watch.__index = Watch

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then file:close() end
  return text
end

---All files that may matter: the one, or those of a folder and of the folders in it. Names with a dot or an underscore
---in front don't, as for Go.
local function list(path, found)
  if not has_lfs or lfs.attributes(path, "mode") ~= "directory" then
    found[#found + 1] = path
    return found
  end
  for entry in lfs.dir(path) do
    if not entry:find("^[._]") then list(path .. "/" .. entry, found) end
  end
  return found
end

---@param path string
---@param before? goloader.watch.File
---@return goloader.watch.File
---@return boolean same
local function look(path, before)
  local attributes = has_lfs and lfs.attributes(path) or {}
  local size, time = attributes.size, attributes.modification
  if before and before.settled and before.size == size and before.time == time then return before, true end
  local text = read(path)
  local now = {
    text = text,
    size = size,
    time = time,
    settled = time ~= nil and time < os.time() - 1,
  }
  return now, before ~= nil and before.text == text
end

---Starts watching.
---@param path string a file or a folder
---@return goloader.Watch
function M.new(path)
  local self = setmetatable({ path = path, files = {} }, Watch)
  self:changed()
  return self
end

---True once after each change: a file with other bytes, a file more, a file less.
---@return boolean
function Watch:changed()
  local files, changed = {}, false
  for _, path in ipairs(list(self.path, {})) do
    local same
    files[path], same = look(path, self.files[path])
    if not same then changed = true end
  end
  for path in pairs(self.files) do
    if not files[path] then changed = true end
  end
  self.files = files
  return changed
end

return M
