-- Watching files: has what a module is made from changed since it was last looked at?
--
-- The kernel tells when something happens in the directories that matter (inotify.lua), and as long as nothing does,
-- nothing is looked at. Where it can't tell, files are looked at each time. What stat(2) tells of a file, its stamp,
-- answers that for next to nothing; but an edit within one tick of the file system's clock after the last look has the
-- same stamp. So a file that had been written just before the look is compared by its bytes until its stamp has
-- settled; which also spares a rebuild when a file was only touched.
--
-- Which files matter is said by a build (building/sources.lua). Before the first one it is the file itself, or all of
-- the folder and of the folders in it.

local core = require "goloader.core"
local inotify = require "goloader.reload.inotify"
local jobs = require "goloader.jobs"

local hash = core.hash

local M = {}

local has_lfs, lfs = pcall(require, "lfs")

---@class goloader.watch.File
---@field sum? string a hash of its bytes; nil: it could not be read
---@field stamp? string nil: it is not there
---@field settled boolean the stamp can be trusted

---@class goloader.Watch
---@field private paths string[]
---@field private sources? goloader.Sources
---@field private files table<string, goloader.watch.File>
---@field package inotify? goloader.Inotify
---@field private quiet boolean nothing has happened that was not looked at
---@field private known boolean the kernel tells of all that matters
---@field private looks integer how many have begun
local Watch = {}
Watch.__index = Watch

---Calls `each` with what is in a folder. Names with a dot or an underscore in front don't count, as for Go.
local function entries(path, each)
  if not has_lfs or lfs.attributes(path, "mode") ~= "directory" then return false end
  for entry in lfs.dir(path) do
    if not entry:find "^[._]" then each(path .. "/" .. entry, entry) end
  end
  return true
end

---All files of a folder and of the folders in it, or the one.
local function add_tree(path, files, dirs)
  if entries(path, function(inner) add_tree(inner, files, dirs) end) then
    dirs[#dirs + 1] = path
  else
    files[#files + 1] = path
  end
end

---Those of a package: what Go compiles or links.
local function add_package(path, files, dirs)
  local foreign = require "goloader.building.inputs".foreign
  dirs[#dirs + 1] = path
  entries(path, function(file, name)
    local extension = name:match "%.([^%.]*)$"
    local counts = extension == "go" and not name:find "_test%.go$" or foreign[extension] or name == "default.pgo"
    if counts then files[#files + 1] = file end
  end)
end

local function folder_of(path)
  local dir = path:match "^(.*)/[^/]*$"
  return dir == "" and "/" or dir or "."
end

---The folder, or where it would appear.
local function nearest(dir)
  while has_lfs and lfs.attributes(dir, "mode") ~= "directory" and dir ~= "/" and dir ~= "." do dir = folder_of(dir) end
  return dir
end

-- Is it a name of another file, which may be one of another file any time?
local function is_link(path) return has_lfs and lfs.symlinkattributes(path, "mode") == "link" end

---All files that matter, the folders in which they are or may appear, and what alone matters in such a folder.
---@return string[] files
---@return string[] dirs
---@return table<string, table<string, true>> names
function Watch:list()
  local files, dirs, sources = {}, {}, self.sources
  if sources then
    for _, dir in ipairs(sources.trees) do add_tree(dir, files, dirs) end
    for _, dir in ipairs(sources.dirs) do add_package(dir, files, dirs) end
    for _, file in ipairs(sources.files) do files[#files + 1] = file end
  else
    for _, path in ipairs(self.paths) do add_tree(path, files, dirs) end
  end
  local there, is_whole, names = {}, {}, {}
  local function find(dir)
    there[dir] = there[dir] or nearest(dir)
    return there[dir]
  end
  for i, dir in ipairs(dirs) do
    dirs[i] = find(dir)
    is_whole[dirs[i]] = true
  end
  for _, file in ipairs(files) do
    local dir = folder_of(file)
    local at = find(dir)
    if at ~= dir or is_link(file) then is_whole[at] = true end
    if not names[at] then
      dirs[#dirs + 1] = at
      names[at] = {}
    end
    names[at][file:match "[^/]*$"] = true
  end
  for dir in pairs(is_whole) do names[dir] = nil end
  return files, dirs, names
end

-- Reads what is to be read of files.
---@param paths string[]
---@param beside? boolean
---@return fun(i: integer): string|nil, boolean sum_of as core.sum
local function read(paths, beside)
  local sum_of = beside and paths[1] and jobs.sums(paths)
  return sum_of or function(i) return core.sum(paths[i]) end
end

---Starts watching.
---@param paths string|string[] files or folders
---@return goloader.Watch
function M.new(paths)
  if type(paths) == "string" then paths = { paths } end
  local self = setmetatable({ paths = paths, files = {}, quiet = false, known = false, looks = 0 }, Watch)
  self.inotify = inotify.listen()
  self:look()
  return self
end

---Says which files matter, as a build has found out; nil: those that were given at first. What is different now counts
---as seen.
---@param sources? goloader.Sources
---@param beside? boolean as in `look`
function Watch:set_sources(sources, beside)
  self.sources = sources
  self:look(beside)
end

---Looks at the files. The kernel is asked first to tell of what happens next.
---@param beside? boolean a thread reads what is to be read, and this coroutine may be suspended
---@return boolean changed
function Watch:look(beside)
  local list, dirs, names = self:list()
  self.quiet, self.looks = true, self.looks + 1
  if self.inotify then
    self.inotify:happened() -- before now: it is looked at now
    self.known = self.inotify:watch(dirs, names)
  end
  local look, before, files, unread = self.looks, self.files, {}, {}
  for _, path in ipairs(list) do
    if not files[path] then
      local stamp, settled = core.stamp(path)
      local known = before[path]
      if known and known.settled and known.stamp == stamp then
        files[path] = known
      else
        files[path] = { stamp = stamp, settled = settled or false }
        if stamp then unread[#unread + 1] = path end
      end
    end
  end
  local sum_of = read(unread, beside)
  if self.looks ~= look then return true end -- somebody has looked meanwhile, and knows more
  for i, path in ipairs(unread) do
    local sum, is_scarce = sum_of(i)
    files[path].sum = sum
    if is_scarce then
      files[path] = { sum = before[path] and before[path].sum, settled = false }
      if self.inotify then self.inotify:look_again() end
    end
  end
  local changed = false
  for path, file in pairs(files) do
    if not before[path] or before[path].sum ~= file.sum then changed = true end
  end
  for path in pairs(before) do
    if not files[path] then changed = true end
  end
  self.files = files
  return changed
end

---Reads what the kernel has told.
---@return boolean quiet nothing can have changed since the last look
function Watch:is_quiet()
  if not self.inotify or not self.known then return false end
  if self.inotify:happened() then self.quiet = false end
  return self.quiet
end

---Seconds till `changed` is to be asked though the kernel tells of nothing; nil: never.
---@param interval number where the kernel can't tell of all that matters
---@return number?
function Watch:next_timeout(interval)
  if not self.inotify or not self.known then return interval end
  return self.inotify:next_timeout()
end

---True once after each change: a file with other bytes, a file more, a file less.
---@param beside? boolean as in `look`
---@return boolean
function Watch:changed(beside)
  return not self:is_quiet() and self:look(beside)
end

---What is in the files, as they were seen last, in one short text.
---@return string
function Watch:fingerprint()
  local paths, parts = {}, {}
  for path in pairs(self.files) do paths[#paths + 1] = path end
  table.sort(paths)
  for _, path in ipairs(paths) do
    parts[#parts + 1] = path
    parts[#parts + 1] = self.files[path].sum or "-"
  end
  return hash(table.concat(parts, "\0"))
end

---Ends it.
function Watch:close()
  if self.inotify then self.inotify:close() end
  self.inotify = nil
end

return M
