--- A folder of modules: each Go file in it, each folder with Go files and each object or shipped module is a module of
--- its own, which appears, changes and goes while the program runs.
---
--- Each has a slot (slot.lua), known by the name of its file without what follows the dot. What is told apart here is
--- only which there are:
---
---   1. A file or folder that appears is loaded. Until that succeeds it is no module, and is tried again when it is
---      edited.
---   2. One that has been missing for a while has gone, and its module is closed. Not at once: editors and version
---      control take a file away and write it anew.
---   3. A file that became a folder, or the other way round, is the next version of the same module.

local lfs = require "lfs"
local clock = require "goloader.core".clock
local errors = require "goloader.errors"
local inotify = require "goloader.reload.inotify"
local protect = require "goloader.reload.protect"
local slots = require "goloader.reload.slot"

local folder = {}

local MISSED = 0.2 -- seconds

---@class goloader.folder.Entry
---@field slot goloader.Slot
---@field source goloader.reload.Source
---@field path string
---@field missing number|nil  since when
---@field is_moved boolean|nil  it is made from something else than it was
---@field clash string|nil  what else has the same name, and was told of

---@class goloader.folder.Options
---@field source fun(path: string): goloader.reload.Source
---@field slot fun(name: string, entry: goloader.folder.Entry): goloader.slot.Options
---@field interval number  seconds between two looks where the kernel can't be asked

---@class goloader.Plugins
---@field modules table<string, goloader.Slot>  those that stand, by name
---@field package path string
---@field package pattern string  of Lua's string library, for the names of files
---@field package entries table<string, goloader.folder.Entry>
---@field package leaving goloader.Slot[]
---@field package listener goloader.Inotify|nil
---@field package options goloader.folder.Options
---@field package is_told boolean
---@field package is_polling boolean
---@field package is_closed boolean
local Plugins = {}
Plugins.__index = Plugins
local check_self = errors.checker_of(Plugins, "watched folder", "watched")
Plugins.__tostring = function(self)
  local names = {}
  for name in pairs(self.modules) do names[#names + 1] = name end
  table.sort(names)
  return ("goloader.plugins: %s (%s)"):format(self.path, table.concat(names, ", "))
end

-- ---- what is in the folder ------------------------------------------------------------------------------------------

local function is_source(name) return name:find "%.go$" ~= nil and not name:find "_test%.go$" end

-- Calls `each` with the names in a folder that count; none where there is no folder.
local function each_entry(path, each)
  if lfs.attributes(path, "mode") ~= "directory" then return end
  for entry in lfs.dir(path) do
    if not entry:find "^[._]" then each(entry, path .. "/" .. entry) end
  end
end

local function has_sources(path)
  local found = false
  each_entry(path, function(name) found = found or is_source(name) end)
  return found
end

-- The modules that there are, in order of their files' names; and the folders in which others may appear.
---@return { name: string, path: string }[]
---@return string[] dirs
local function list(self)
  local found, dirs = {}, { self.path }
  each_entry(self.path, function(entry, path)
    if not entry:find(self.pattern) then return end
    local is_dir = lfs.attributes(path, "mode") == "directory"
    if is_dir then dirs[#dirs + 1] = path end
    if is_dir and has_sources(path) then
      found[#found + 1] = { name = entry, path = path }
    elseif not is_dir and (is_source(entry) or entry:find "%.[oa]$" or entry:find "%.gom$") then
      found[#found + 1] = { name = entry:match "^(.*)%.", path = path }
    end
  end)
  table.sort(found, function(a, b) return a.path < b.path end)
  return found, dirs
end

-- Can the folder be as it was when it was listed last?
local function is_quiet(self)
  if not self.listener or not self.is_told then return false end
  return not self.listener:happened()
end

-- ---- entries --------------------------------------------------------------------------------------------------------

local function new_entry(self, name, path)
  local entry = { path = path, source = self.options.source(path), is_moved = true }
  entry.slot = slots.declare(self.options.slot(name, entry))
  return entry
end

-- Two files that are to have one name: the module is made from the one that it was made from, or the first.
local function tell_clash(entry, path)
  if entry.clash == path then return end
  entry.clash = path
  local slot = entry.slot
  slot:tell { what = "kept", version = slot.version and slot.version.number, err = errors.object {
    code = "duplicate", message = ("%s is not used: %s has that name"):format(path, entry.path),
  } }
end

-- Brings the entries up to date with what is in the folder.
local function look(self)
  local found, dirs = list(self)
  if self.listener then
    self.is_told = self.listener:watch(dirs)
    found = list(self) -- what has come since is told of from now on
  end
  local chosen = {}
  for _, each in ipairs(found) do
    local entry = self.entries[each.name]
    if not chosen[each.name] or entry and entry.path == each.path then chosen[each.name] = each.path end
  end
  for name, path in pairs(chosen) do
    local entry = self.entries[name]
    if not entry then
      self.entries[name] = new_entry(self, name, path)
    elseif entry.path ~= path then
      entry.source:close()
      entry.path, entry.source, entry.is_moved = path, self.options.source(path), true
    end
    self.entries[name].missing = nil
  end
  for _, each in ipairs(found) do
    if chosen[each.name] ~= each.path then tell_clash(self.entries[each.name], each.path) end
  end
  for name, entry in pairs(self.entries) do
    if not chosen[name] then entry.missing = entry.missing or clock() end
  end
end

local function remove(self, name, entry)
  self.entries[name], self.modules[name] = nil, nil
  local slot = entry.slot
  if slot.version then slot:tell { what = "gone", version = slot.version.number, module = slot.version.module } end
  if not slot:close() then table.insert(self.leaving, slot) end
end

-- The entries' names, in order.
local function names_of(self)
  local names = {}
  for name in pairs(self.entries) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- ---- polling --------------------------------------------------------------------------------------------------------

local function poll(self, pause)
  if not self.is_closed and not is_quiet(self) then look(self) end
  local changed, failed = 0, {}
  for _, name in ipairs(names_of(self)) do
    local entry = self.entries[name]
    if not entry then break end -- it was closed meanwhile
    if entry.missing and clock() - entry.missing >= MISSED then
      remove(self, name, entry)
      changed = changed + 1
    elseif not entry.missing then
      local new, err = entry.slot:poll(pause)
      changed, failed[name] = changed + new, err
      if entry.slot.version then self.modules[name] = entry.slot end
    end
  end
  for i = #self.leaving, 1, -1 do
    if self.leaving[i]:tidy() == 0 then table.remove(self.leaving, i) end
  end
  return changed, failed
end

--- Looks after the folder and its modules.
---@param pause nil|fun()  called again and again while the compiler works; it may yield
---@return integer changed  modules that have a new version, are new, or have gone
---@return table<string, goloader.Error> failed  why edits are not what stands, by name
function Plugins:poll(pause)
  check_self(self, "poll")
  if self.is_polling then return 0, {} end
  self.is_polling = true
  local ok, changed, failed = protect.run(poll, self, pause)
  self.is_polling = false
  if not ok then error(changed.raised, 0) end
  return changed, failed
end

--- Why modules are not what is in their files, by name: of those that stand, and of those that were never loaded.
---@return table<string, goloader.Error>
function Plugins:failures()
  check_self(self, "failures")
  local failures = {}
  for name, entry in pairs(self.entries) do failures[name] = entry.slot.err end
  return failures
end

--- Seconds till `poll` is to be called though nobody tells of anything; nil: never.
---@return number|nil
function Plugins:next_timeout()
  check_self(self, "next_timeout")
  local seconds
  local function at_least(other)
    if other and (not seconds or other < seconds) then seconds = other end
  end
  if not self.is_closed then
    at_least(self.is_told and self.listener:next_timeout() or not self.is_told and self.options.interval)
  end
  for _, entry in pairs(self.entries) do
    at_least(entry.slot:next_timeout())
    if entry.missing then at_least(MISSED) end
  end
  for _, slot in ipairs(self.leaving) do at_least(slot:next_timeout()) end
  return seconds
end

--- A file descriptor that can be read from when `poll` may have something to do; nil where the kernel can't be asked.
---@return integer|nil
function Plugins.fd() return inotify.fd() end

--- Is it closed, and all modules gone?
---@return boolean
function Plugins:is_over()
  check_self(self, "is_over")
  return self.is_closed and not self.leaving[1]
end

--- Takes all modules away.
---@return boolean gone  false while one is still in use or busy; `poll` tries again
function Plugins:close()
  check_self(self, "close")
  self.is_closed = true
  if self.listener then self.listener:close() end
  for _, name in ipairs(names_of(self)) do
    local entry = self.entries[name]
    self.entries[name], self.modules[name] = nil, nil
    if not entry.slot:close() then table.insert(self.leaving, entry.slot) end
  end
  return not self.leaving[1]
end

--- Looks at a folder for the first time, and loads what is there. A folder that is not there yet is an empty one.
---@param path string
---@param pattern string  of Lua's string library, for the names of files
---@param options goloader.folder.Options
---@return goloader.Plugins
function folder.new(path, pattern, options)
  local self = setmetatable({
    path = path, pattern = pattern, options = options, modules = {}, entries = {}, leaving = {},
    listener = inotify.listen(), is_told = false, is_polling = false, is_closed = false,
  }, Plugins)
  self:poll()
  return self
end

return folder
