--- Looking after what a server serves: edits of Go files and of the routes file are loaded while requests go on.
--
-- They are noticed by whatever else is watched in this Lua state (reload/loop.lua).

local errors = require "goloader.errors"
local faults = require "goloader.serve.faults"
local inotify = require "goloader.reload.inotify"
local loop = require "goloader.reload.loop"
local protect = require "goloader.reload.protect"
local toolchain = require "goloader.building.toolchain"
local watch = require "goloader.reload.watch"

local LOOK = 0.1 -- seconds, where the kernel can't tell of edits

---@class goloader.serve.Reload
---@field app goloader.Router
---@field go goloader.Module
---@field file string|nil  the routes file
---@field log fun(line: string)
---@field changed fun()  what is served, or what is wrong with it, is not what it was
---@field is_busy boolean
---@field package pause nil|fun()  lets others go on while the compiler works
---@field package is_stopped boolean
---@field package is_served boolean  a routes file has been loaded
---@field package wrong goloader.Error|nil  with the routes file
---@field package kept table<goloader.Slot, goloader.Error>  with the newest edits of modules
---@field package watched goloader.Watch|nil  the routes file
---@field package others goloader.Watch|nil  what the routes file has named, when it could not be loaded
local Reload = {}
Reload.__index = Reload

local M = {}

local function folder_of(file) return file:match "^(.*)/[^/]*$" or "." end

--- The folders that names of files in messages start from.
---@return string[]
function Reload:folders()
  local list = { ".", self.file and folder_of(self.file) or nil }
  for _, slot in ipairs(self.app.slots) do list[#list + 1] = folder_of(slot.path or "") end
  list[#list + 1] = self.app.root
  return list
end

local function title(name, err)
  return err.code == "compile" and name .. " does not compile" or name .. " can't be used"
end

--- What is wrong now.
---@return goloader.serve.Fault|nil
function Reload:fault()
  local note = self.is_served and "Meanwhile all but browsers are answered by what was there before."
    or "There is nothing that could be served yet."
  if self.wrong then
    local name = self.failed and self.failed.name or folder_of(self.file) == "." and self.file
      or self.file:match "[^/]*$"
    return { title = title(name, self.wrong), message = self.wrong.message, note = note }
  end
  local slot, err = next(self.kept)
  if slot then
    return { title = title(slot.name, err), message = err.message, note = note }
  end
end

--- Hears of modules' changes (goloader.router.Options).
---@param change goloader.Change
function Reload:on_change(change)
  local slot, what = change.slot, change.what
  if what == "kept" then
    self.failed = slot
    for _, other in ipairs(self.app.slots) do
      if other == slot then
        self.kept[slot] = change.err
        self.log(change.err.code == "compile" and change.err.message or slot.name .. ": " .. change.err.message)
        self.changed()
      end
    end
  elseif what == "swapped" or what == "loaded" then
    self.kept[slot] = nil
    local seconds = change.times.load + change.times.ready + change.times.swap
    self.log(("%s: version %d, %.0f ms"):format(slot.name, change.version, seconds * 1000))
    self.changed()
  end
end

-- What a routes file that can't be loaded depends on, as far as it can be told.
local function suspects(self)
  local paths = {}
  local root = self.app.root or folder_of(self.file)
  if self.failed then
    for name in self.failed.name:gmatch "%S+" do
      local path = name:sub(1, 1) == "/" and name or root .. "/" .. name
      if toolchain.exists(path) then paths[#paths + 1] = path end
    end
  end
  for _, location in ipairs(faults.locations(self.wrong.message, self:folders())) do
    paths[#paths + 1] = location.path
  end
  return paths
end

--- Loads the routes file.
---@return true|nil ok
---@return string|nil message
---@return goloader.Error|nil err
function Reload:load()
  self.failed = nil
  local called, ok, message, err = protect.run(self.app.load, self.app, self.file)
  if not called then ok, err = nil, errors.raised(ok) end
  if self.others then self.others:close() end
  self.others = nil
  local was_wrong = self.wrong
  if ok then
    self.wrong, self.is_served, self.failed = nil, true, nil
    local stays = {}
    for _, slot in ipairs(self.app.slots) do stays[slot] = self.kept[slot] end
    self.kept = stays
    if was_wrong then self.log(self.file .. ": mended") end
  else
    self.wrong = errors.object(err or message)
    self.log(self.wrong.message)
    local paths = suspects(self)
    if paths[1] then self.others = watch.new(paths) end
  end
  self.changed()
  return errors.returned(ok, self.wrong)
end

-- Is the routes file to be loaded anew?
local function is_due(self)
  if not self.file then return false end
  local due = self.watched:changed()
  if self.others and self.others:changed() then due = true end
  return due
end

local function look(self, pause)
  if is_due(self) then self:load() end
  self.app:poll(pause)
end

--- Loads what was edited (goloader.loop.Member).
---@param pause fun()
function Reload:poll(pause)
  if self.is_stopped then return end
  self.is_busy, self.pause = true, pause
  local ok, failure = protect.run(look, self, pause)
  self.is_busy = false
  if not ok then self.log(tostring(failure.raised) .. failure.traceback) end
end

---@return number|nil
function Reload:next_timeout()
  local seconds = inotify.next_timeout() or not inotify.fd() and LOOK or nil
  for _, slot in ipairs(self.app.slots) do
    local other = slot:next_timeout()
    if other and (not seconds or other < seconds) then seconds = other end
  end
  if self.app.leaving[1] and (not seconds or LOOK < seconds) then seconds = LOOK end
  return seconds
end

---@return boolean
function Reload:is_over() return self.is_stopped end

--- Looks after everything from now on.
function Reload:start() loop.add(self) end

function Reload:stop()
  self.is_stopped = true
  loop.reschedule()
end

--- What lets others go on while a module is compiled that is new (goloader.router.Options).
---@return (fun())|nil
function Reload:pausing()
  return self.is_busy and protect.can_yield() and self.pause or nil
end

---@param options table  go, file, log, changed
---@return goloader.serve.Reload
function M.new(options)
  options.kept, options.is_busy, options.is_served, options.is_stopped = {}, false, false, false
  if options.file then options.watched = watch.new(options.file) end
  return setmetatable(options, Reload)
end

return M
