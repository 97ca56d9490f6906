--- Hot reload: `host:watch` loads a module, and loads it again whenever it is edited, while the program runs.
---
---     local shop = assert(host:watch "shop.go")      -- a file, a folder, a list of files, an object, a shipped module
---     print(shop.Render "phones")                    -- always the version of the moment
---
---     local plugins = assert(host:watch "plugins/*") -- each file or folder there is a module of its own
---     for name, plugin in pairs(plugins.modules) do print(name, plugin.Title()) end
---
--- What stands for a module whose versions come and go is a slot (reload/slot.lua), the same as in routes files; edits
--- are noticed by reload/watch.lua, and loaded by whoever polls: `goloader.step` does, by reload/loop.lua, or the
--- program itself with `w:poll()`.

local core = require "goloader.core"
local check_options = require "goloader.options"
local errors = require "goloader.errors"
local folder = require "goloader.reload.folder"
local loop = require "goloader.reload.loop"
local slots = require "goloader.reload.slot"
local source = require "goloader.reload.source"
local toolchain = require "goloader.building.toolchain"
local units = require "goloader.units"

local misuse = errors.misuse

local reload = {}

local LOOK = 0.1 -- seconds between two looks where the kernel can't be asked

---@class goloader.WatchOptions: goloader.HostBuildOptions
---@field ready nil|fun(module: goloader.Module, name: string): any, any  prepares each new version before it takes
---  over; raises, or returns nil and an error, to refuse it
---@field adopt nil|false|fun(new: goloader.Module, old: goloader.Module): any, any  hands over what the old version
---  has in memory, in the place of its Release and the new one's Adopt; may refuse likewise. false: nobody does
---@field on_change nil|fun(change: goloader.Change)  hears of versions that are loaded, kept, swapped, unloaded, and of
---  those that can't be unloaded yet; nil: standard error is told what goes wrong
---@field release nil|fun(module: goloader.Module, name: string): boolean|nil  lets go of what the program has of an old
---  version, before it is unloaded; false: not yet
---@field unload table|nil  options of module:unload for old versions: { handles = "drop" }
---@field poll false|number|string|nil  false: edits are looked for by `poll` alone, and not by goloader.step; "1s": how
---  often they are where the kernel can't be asked (elsewhere than on LuaJIT)

local OPTIONS = {
  ready = "function", adopt = "function boolean", on_change = "function", release = "function", unload = "table",
  poll = true,
}

-- What goes wrong has to be told to somebody.
local function tell_stderr(change)
  if change.err then io.stderr:write(tostring(change), "\n") end
end

-- The options of a watch, and those that are the build's.
local function read_options(options, build_options)
  local known = {}
  for name, types in pairs(build_options) do known[name] = types end
  known.pause, known.on_sources = nil, nil -- they are ours
  for name, types in pairs(OPTIONS) do known[name] = types end
  local own, build = { on_change = tell_stderr }, {}
  for name, value in pairs(check_options("host:watch", options, known, 3)) do
    if OPTIONS[name] then own[name] = value else build[name] = value end
  end
  if own.adopt == true then misuse(4, "host:watch: adopt: a function or false expected, got true") end
  if own.poll ~= false then
    local seconds, why = units.duration(own.poll == nil and LOOK or own.poll)
    if not seconds then misuse(4, "host:watch: poll: %s", why) end
    own.interval = seconds
  end
  return own, build
end

-- A function of the user's that is told which module it is about.
local function naming(fn, name)
  return fn and function(module) return fn(module, name) end
end

-- The options of a slot, whose versions come from the `source` of something.
---@param from { source: goloader.reload.Source, is_moved: boolean|nil }
local function slot_options(name, options, from)
  return {
    name = name, clock = core.clock, on_change = options.on_change, adopt = options.adopt, unload = options.unload,
    ready = naming(options.ready, name), release = naming(options.release, name),
    later = options.interval and loop.reschedule,
    next_timeout = function() return from.source:next_timeout(options.interval or LOOK) end,
    load = function(pause) return from.source:load(pause) end,
    close = function() from.source:close() end,
    again = function() from.source:again() end,
    due = function()
      local due = from.source:due() or from.is_moved or false
      from.is_moved = nil
      return due
    end,
  }
end

-- "*.go" as Lua's string library writes it.
local function pattern_of(glob)
  return "^" .. glob:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".") .. "$"
end

local function watch_folder(host, path, glob, options, build)
  return folder.new(path, pattern_of(glob), {
    interval = options.interval or LOOK,
    source = function(file) return source.new(host, { file }, build) end,
    slot = function(name, entry) return slot_options(name, options, entry) end,
  })
end

local function watch_module(host, paths, options, build)
  local from = { source = source.new(host, paths, build) }
  local slot, err = slots.new(slot_options(table.concat(paths, " "), options, from))
  if not slot then from.source:close() end
  return slot, err
end

--- Loads a module, or all that a folder has, and loads edits from then on.
---@param host goloader.Host
---@param paths string|string[]  as `host:build` and `host:load` take them; "plugins/*": each of a folder
---@param options goloader.WatchOptions|nil
---@param build_options table<string, string|true>  that `host:build` takes
---@return goloader.Slot|goloader.Plugins|nil watched
---@return string|nil message
---@return goloader.Error|nil err
function reload.watch(host, paths, options, build_options)
  local own, build = read_options(options, build_options)
  local dir, glob
  if type(paths) == "string" then
    dir, glob = paths:match "^(.-)/?([^/]*[%*%?][^/]*)$"
    paths = { paths }
  end
  local watched, err
  if glob and not toolchain.exists(paths[1]) then
    local root = paths[1]:sub(1, 1) == "/" and "/" or "."
    watched = watch_folder(host, dir == "" and root or dir, glob, own, build)
  else
    watched, err = watch_module(host, paths, own, build)
    if not watched then return errors.fail(err) end
  end
  if own.interval then loop.add(watched) end
  return watched
end

return reload
