--- Where the versions of a slot's module come from: its source, compiled anew when it was edited.
---
--- This is what one process does by itself. Where several share what one of them has compiled, goloader.Place
--- (versions.lua) does it for them, with the same methods.

local watch = require "goloader.reload.watch"

---@class goloader.reload.Source
---@field watched goloader.Watch
---@field package host goloader.Host
---@field package path string|string[]
---@field package options table  of host:build
---@field is_late boolean  after a load: it was edited while it was compiled, or is to be tried again
local Source = {}
Source.__index = Source

local source = {}

---@param host goloader.Host
---@param paths string[]  Go files of one folder, or a folder; an object, or a shipped module
---@param options table  of host:build
---@return goloader.reload.Source
function source.new(host, paths, options)
  return setmetatable({
    host = host, path = paths[2] and paths or paths[1], options = options, watched = watch.new(paths), is_late = false,
  }, Source)
end

--- Is there something new to be loaded? When it answers true, `load` is called next.
---@return boolean
function Source:due()
  local due = self.watched:changed() or self.is_late
  self.is_late = false
  return due
end

--- Has `due` answer true, though nothing was edited.
function Source:again() self.is_late = true end

--- Seconds till `due` is to be asked though the kernel tells of nothing; nil: never.
---@param interval number  where it can't tell of all that matters
---@return number|nil
function Source:next_timeout(interval)
  if self.is_late then return 0 end
  return self.watched:next_timeout(interval)
end

--- Compiles it if need be, and loads it.
---@param pause nil|fun()
---@return goloader.Module|nil module
---@return any message
---@return any err
function Source:load(pause)
  local host, path, options = self.host, self.path, self.options
  if type(path) == "string" and (path:find "%.[oa]$" or path:find "%.gom$") then
    local given = next(options) and { imports = options.imports, uses = options.uses } or nil
    local module, message, err = host:load(path, given)
    self.is_late = self.watched:changed()
    return module, message, err
  end
  local read
  local all = { pause = pause, on_sources = function(found) read = found end }
  for key, value in pairs(options) do all[key] = value end
  local module, message, err = host:build(path, all)
  if read then
    self.is_late = self.watched:changed() -- what was edited meanwhile may be in it or not
    self.watched:set_sources(read)
  end
  return module, module and nil or message, err
end

--- Ends watching.
function Source:close() self.watched:close() end

return source
