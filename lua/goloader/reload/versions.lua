--- Versions of modules, kept on disk and shared by processes: one of them compiles an edit, all load it.
--
-- Each module has a folder. Its versions are shipped modules, 1.gom, 2.gom, …; which one is to be served, what it was
-- made from and what went wrong last is in the file `state`. That file is written anew and renamed, by whoever holds
-- the lock, and read by all. So everything is a matter of comparing, and any process may end at any time:
--
--   1. The state names another version than the one that stands: that one is loaded.
--   2. The sources are not what the state was made for: whoever gets the lock compiles them. The lock ends with the
--      process that holds it, and then another one gets it.
--   3. A new version is loaded by the one who has compiled it, and made ready, before the state names it. What fails is
--      written into the state instead, with the sources it failed for: nobody tries those again.
--   4. Before a version is compiled and loaded, that is written down too. Sources at which two processes have ended are
--      given up.

local lfs = require "lfs"
local core = require "goloader.core"
local errors = require "goloader.errors"
local inotify = require "goloader.reload.inotify"
local places = require "goloader.building.places"
local record = require "goloader.reload.record"
local sources = require "goloader.building.sources"
local watch = require "goloader.reload.watch"

local versions = {}

local KEPT = 5
local ATTEMPTS = 2

---@class goloader.versions.Options
---@field folder string
---@field host goloader.Host
---@field keep integer|nil  how many versions of each module stay on disk
---@field sleep nil|fun(seconds: number)  waits for the lock at the first load, where nothing else can be done
---@field waits nil|fun(what: string, since: number): goloader.Error|nil  hears each second of a load, or of init
---  functions, since when it goes on, by the clock; an error gives it up

---@class goloader.Versions
---@field folder string
---@field keep integer
---@field package host goloader.Host
---@field package host_id string
---@field package sleep fun(seconds: number)
---@field package waits nil|fun(what: string, since: number): goloader.Error|nil
---@field package json { encode: function, decode: function }
local Store = {}
Store.__index = Store

---@class goloader.VersionState  what is in the file
---@field revision integer  counts its changes
---@field path string  what the module is made from, for who reads it
---@field serve integer|nil
---@field last integer  the last number that was given
---@field fingerprint string|nil  of the sources that this was decided for
---@field sources goloader.Sources|nil
---@field failed string|nil  why the sources of the fingerprint are not served
---@field versions { number: integer, fingerprint: string, time: integer, bytes: integer }[]

---@class goloader.VersionAttempt  what is in the file of that name: a version that is being made
---@field revision integer  of the state then; once another one is written it has ended
---@field fingerprint string
---@field count integer  how often those sources were tried
---@field number integer  the version's, which nobody uses again

---@class goloader.Place  where one module's versions are kept
---@field name string
---@field folder string
---@field watched goloader.Watch
---@field state goloader.VersionState  as it was read last
---@field number integer|nil  the version that stands in this process
---@field package wanted integer|nil  what is being loaded; 0: what is about to be made
---@field package refused integer|nil  the revision whose version could not be loaded here
---@field package waits boolean|nil  somebody else has the lock
---@field package is_closed boolean|nil
local Place = {}
Place.__index = Place

local function make_folders(path)
  local at = path:sub(1, 1) == "/" and "" or "."
  for part in path:gmatch "[^/]+" do
    at = at .. "/" .. part
    if not lfs.attributes(at, "mode") then
      local ok, why = places.make_private(at)
      if not ok and lfs.attributes(at, "mode") ~= "directory" then return nil, ("%s: %s"):format(at, why) end
    end
  end
  return true
end

--- Opens a folder of versions, and makes it where it is not there.
---@param options goloader.versions.Options
---@return goloader.Versions|nil
---@return goloader.Error|nil err
function versions.open(options)
  local ok, why = make_folders(options.folder .. "/versions")
  if ok then places.close_to_others(options.folder .. "/versions") end
  local probe = ok and options.folder .. "/versions/.probe" .. tostring({}):match "%w+$"
  local file
  if ok then file, why = io.open(probe, "wb") end
  if not file then return nil, { code = "io", message = "no folder for versions of modules: " .. why } end
  file:close()
  os.remove(probe)
  local json = require("cjson").new()
  return setmetatable({
    folder = options.folder, host = options.host, keep = options.keep or KEPT, json = json,
    host_id = options.host:info().id,
    waits = options.waits,
    sleep = options.sleep or function(seconds) require("goloader.jobs").step(seconds) end,
  }, Store)
end

-- Options as a text that is the same in each process.
local function in_words(value)
  if type(value) ~= "table" then return type(value) == "function" and "" or tostring(value) end
  local words = {}
  for key, each in pairs(value) do words[#words + 1] = ("%s=%s"):format(tostring(key), in_words(each)) end
  table.sort(words)
  return "{" .. table.concat(words, ",") .. "}"
end

--- The place of a module.
---@param name string  as it was declared
---@param paths string[]  files, or a directory
---@param options goloader.ShipOptions  that it is built with
---@return goloader.Place|nil
---@return goloader.Error|nil err
function Store:place(name, paths, options)
  local full = {}
  for i, path in ipairs(paths) do full[i] = sources.clean(path) end
  local key = table.concat(full, "\n")
  local folder = ("%s/versions/%s-%s"):format(self.folder, name:gsub("[^%w._-]+", "_"), core.hash(key):sub(1, 8))
  local ok, why = make_folders(folder)
  if not ok then return nil, { code = "io", message = why } end
  local place = setmetatable({
    name = name, folder = folder, paths = full, options = options, store = self,
    given = self.host_id .. in_words(options),
    watched = watch.new(full), listener = inotify.listen "renames", -- the state is renamed to
  }, Place)
  place:listen()
  place:read_state()
  place:use_sources()
  return place
end

-- Has the kernel tell of what comes into the folder, if it can.
function Place:listen()
  if self.listener and not self.heard then self.heard = self.listener:watch { self.folder } end
end

-- ---- the state -----------------------------------------------------------------------------------------------------

local function new_state(place)
  return { revision = 0, last = 0, versions = {}, path = table.concat(place.paths, " ") }
end

--- Reads the state anew.
---@return goloader.VersionState
function Place:read_state()
  local text = record.read(self.folder .. "/state")
  if text and text == self.text then return self.state end
  local ok, state = pcall(self.store.json.decode, text or "")
  local is_one = ok and type(state) == "table" and type(state.revision) == "number" and type(state.last) == "number"
    and type(state.versions) == "table"
  self.text, self.state = text, is_one and state or new_state(self)
  return self.state
end

-- Writes it; whoever holds the lock does.
function Place:write_state(change)
  local state = self:read_state()
  change(state)
  state.revision = state.revision + 1
  local text = self.store.json.encode(state)
  local ok, why = record.write(self.folder .. "/state", text)
  if not ok then return nil, why end
  self.text = text
  if self.listener then self.listener:happened() end -- what is heard of it is no news here
  return true
end

-- The versions that were begun, and not ended; whoever holds the lock asks.
---@return goloader.VersionAttempt|nil
function Place:read_attempt()
  local ok, attempt = pcall(self.store.json.decode, record.read(self.folder .. "/attempt") or "")
  local is_one = ok and type(attempt) == "table" and type(attempt.fingerprint) == "string"
    and type(attempt.count) == "number" and type(attempt.number) == "number"
  return is_one and attempt or nil
end

-- Is there something new in the folder?
function Place:state_changed()
  if self.listener and self.heard and not self.listener:happened() then return false end
  self:listen() -- before it is read
  local text = self.text
  self:read_state()
  return self.text ~= text
end

-- The sources that the last build has read are those that count.
function Place:use_sources(pause)
  local read = self.state.sources
  if read and read ~= self.used then
    self.used = read
    self.watched:set_sources(read, pause ~= nil)
  end
end

--- What the sources are now, and all else that makes a module what it is.
---@return string
function Place:fingerprint()
  return core.hash(self.given, self.watched:fingerprint())
end

-- Locks are the process's: a file that is locked twice by one process is not locked.
local held = {} ---@type table<string, { file: file*, place: goloader.Place }>

function Place:lock()
  local path = self.folder .. "/lock"
  if held[path] then return false end
  local file = io.open(path, "ab")
  if not file then return false end
  if not lfs.lock(file, "w") then
    file:close()
    return false
  end
  held[path] = { file = file, place = self }
  return true
end

function Place:unlock()
  local path = self.folder .. "/lock"
  if not held[path] or held[path].place ~= self then return end
  held[path].file:close()
  held[path] = nil
end

-- ---- what is to be done --------------------------------------------------------------------------------------------

-- Does the state name another version than the one that stands?
local function is_behind(self)
  local state = self.state
  return state.serve ~= nil and state.serve ~= self.number and state.revision ~= self.refused
end

--- Has `due` answer true, though nothing was edited: what failed is to be tried again.
function Place:again() self.settled, self.refused, self.tries_again = false, nil, true end

--- Is there another version to be loaded, or made? When it answers true, `load` is called next, and then `finish`.
---@param pause nil|fun()  this coroutine may be suspended
---@return boolean
function Place:due(pause)
  if self.wanted then return false end
  local changed = self:state_changed()
  if changed then self:use_sources(pause) end
  local is_edited = self.watched:changed(pause ~= nil)
  if self.is_closed or self.wanted then return false end
  if is_edited or changed or self.waits or not self.settled then
    self.settled = false
    if is_behind(self) then
      self.wanted, self.tries_again = self.state.serve, nil
      return true
    end
    if self.tries_again or self:fingerprint() ~= self.state.fingerprint then
      if not self:lock() then
        self.waits = true
        return false
      end
      self.waits = nil
      self:read_state()
      local is_done = self:fingerprint() == self.state.fingerprint and not (self.tries_again and self.state.failed)
      self.tries_again = nil
      if is_behind(self) or is_done then -- somebody was faster
        self:unlock()
        self:use_sources(pause)
        return self:due(pause)
      end
      self.wanted = 0
      return true
    end
    self.waits = nil
    self.settled = true
  end
  return false
end

--- Can't the kernel tell of other processes' versions now? Then `due` is to be asked now and then.
---@return boolean
function Place:is_deaf() return not self.heard end

--- Does it wait for somebody who compiles? Then `due` may answer otherwise though nothing is heard.
---@return boolean
function Place:is_waiting() return self.waits or false end

local function file_of(self, number) return ("%s/%d.gom"):format(self.folder, number) end

-- Is the module a shipped one? Then its versions are copies, and one that is kept no more is written over by a later
-- one: to make a file takes the longer, the more files have gone just now (ext4, find_inode_bit).
local function is_shipped(self) return self.paths[1]:find "%.gom$" ~= nil end
local function spare_of(self) return self.folder .. "/spare" end

-- Loads a version; copy_of: what its file is made from first.
local function load_file(self, number, pause, copy_of)
  local waits, since = self.store.waits, core.clock()
  local module, message, err = self.store.host:load(file_of(self, number), {
    imports = self.options.imports, uses = self.options.uses, copy_of = copy_of,
    wait = waits and function() return waits("its init functions have", since) end or pause ~= nil,
  })
  if not module then return nil, message, err end
  self.loading = number
  return module, number
end

-- Has it noted that these sources are tried; returns the number of the version that is made from them.
local function begin_attempt(self, fingerprint)
  local attempt = self:read_attempt()
  local is_open = attempt and attempt.revision == self.state.revision
  local count = is_open and attempt.fingerprint == fingerprint and attempt.count or 0
  if count >= ATTEMPTS then
    return nil, { code = "crash", message = ("%s: %d processes have ended while they compiled or loaded it"):format(
      self.name, count) }
  end
  local number = math.max(self.state.last, attempt and attempt.number or 0) + 1
  local ok, why = record.write(self.folder .. "/attempt", self.store.json.encode {
    revision = self.state.revision, fingerprint = fingerprint, count = count + 1, number = number,
  })
  if not ok then return nil, { code = "io", message = why } end
  return number
end

-- Has a version's file compiled.
local function compile(self, number, pause)
  local file = file_of(self, number)
  local new, read = file .. ".new", nil
  local options = { pause = pause, godebug = false, on_sources = function(found) read = found end }
  for key, value in pairs(self.options) do options[key] = value end
  local ok, message, err = self.store.host:ship(self.paths, new, options)
  if not ok then
    os.remove(new)
    return nil, err or message
  end
  local why
  ok, why = os.rename(new, file)
  if not ok then return nil, { code = "io", message = why } end
  return true, read
end

-- What was edited while the version was made may be in it or not.
local function note_made(self, number, before, read, pause)
  self.watched:look(pause ~= nil)
  local after = self:fingerprint()
  if read then
    self.state.sources = read
    self:use_sources(pause)
  end
  self.made = { number = number, read = read, fingerprint = before == after and self:fingerprint() or "" }
end

-- Makes a version of what is there now, and loads it. The lock is held.
local function make(self, pause)
  local before = self:fingerprint()
  self.made_for = before
  local number, err = begin_attempt(self, before)
  if not number then return nil, err end
  if is_shipped(self) then
    os.rename(spare_of(self), file_of(self, number)) -- if there is one
    local module, message, why = load_file(self, number, pause, self.paths[1])
    note_made(self, number, before, nil, pause)
    return module, message, why
  end
  local ok, read = compile(self, number, pause)
  if not ok then
    self.watched:look(pause ~= nil)
    return nil, read
  end
  note_made(self, number, before, read, pause)
  return load_file(self, number, pause)
end

-- At the first load there is nothing to be done but wait; and whatever was served before is better than nothing.
local function first(self)
  self:read_state()
  self:use_sources()
  while not self:lock() do
    if held[self.folder .. "/lock"] then
      return nil, { code = "busy", message = self.name .. " is being compiled" }
    end
    self.store.sleep(0.01)
  end
  self.text = nil
  self:read_state()
  self:use_sources()
  self.wanted = self.state.serve or 0
  if self.wanted ~= 0 and self:fingerprint() == self.state.fingerprint then
    self:unlock()
  else
    self.wanted = 0
  end
  return true
end

--- Loads what `due` has found; the slot's `load`.
---@param pause nil|fun()
---@return goloader.Module|nil module
---@return integer|string|nil number
---@return goloader.Error|nil err
function Place:load(pause)
  local is_first = not self.number and not self.wanted
  if not self.wanted then
    local ok, why = first(self)
    if not ok then return errors.fail(why) end
  end
  if self.wanted ~= 0 then
    local module, number, err = load_file(self, self.wanted, pause)
    if module or not is_first or not self:lock() then return module, number, err end
    self.wanted = 0 -- a file that can't be read
  end
  local module, number, err = make(self, pause)
  if module then return module, number end
  if is_first and self.state.serve then
    local served
    module, served = load_file(self, self.state.serve, pause)
    if module then
      self.failed_first = errors.object(err or number)
      return module, served
    end
  end
  return errors.fail(err or number)
end

-- Takes files away that are too old.
local function prune(self, state)
  local list, keep = state.versions, self.store.keep
  local gone = {}
  while #list > keep do
    local at = list[1].number == state.serve and 2 or 1
    if not list[at] then break end
    gone[#gone + 1] = table.remove(list, at).number
  end
  for _, number in ipairs(gone) do
    if is_shipped(self) then
      os.rename(file_of(self, number), spare_of(self))
    else
      os.remove(file_of(self, number))
    end
  end
end

-- Without the traceback.
local function short(err)
  return (tostring(err):gsub("\n\n.*", ""))
end

--- Writes down how it went on with what was loaded.
---@param ok boolean
---@param err goloader.Error|nil
function Place:finish(ok, err)
  local made, wanted = self.made, self.wanted
  if ok then self.number = self.loading end
  local failure = err or self.failed_first
  if wanted == 0 and not ok and err.code == "closed" then -- the process ends: another one tries
    if made then os.remove(file_of(self, made.number)) end
  elseif wanted == 0 and (not ok or self.failed_first) then
    self:write_state(function(state)
      state.failed, state.fingerprint = short(failure), self.made_for
      if made then state.sources, state.fingerprint = made.read or state.sources, made.fingerprint end
    end)
    if made then os.remove(file_of(self, made.number)) end
  elseif wanted == 0 then
    self:write_state(function(state)
      state.serve, state.last, state.fingerprint, state.failed = made.number, made.number, made.fingerprint, nil
      state.sources = made.read or state.sources
      table.insert(state.versions, { number = made.number, fingerprint = made.fingerprint, time = os.time(),
        bytes = lfs.attributes(file_of(self, made.number), "size") or 0 })
      prune(self, state)
    end)
  elseif not ok then
    self.refused = self.state.revision
  end
  self:unlock()
  self.made, self.wanted, self.loading, self.failed_first, self.settled = nil, nil, nil, nil, false
end

-- ---- what is asked for from outside --------------------------------------------------------------------------------

--- Why what is in the sources now is not served; nil when it is.
---@return string|nil
function Place:failure() return self.state.failed end

local function change(self, how)
  if not self:lock() then
    return nil, { code = "busy", message = self.name .. " is being compiled; try again" }
  end
  self:read_state()
  local ok, err = how(self.state)
  self:unlock()
  self.settled = false
  if not ok then return nil, err end
  return true
end

--- Has the sources compiled once more, though they are the same.
---@return true|nil
---@return goloader.Error|nil err
function Place:recompile()
  return change(self, function()
    return self:write_state(function(state)
      state.fingerprint, state.failed = nil, nil
    end)
  end)
end

--- Has all serve another version, until the sources change.
---@param number integer|nil  nil: the one before the one that is served
---@return integer|nil number
---@return goloader.Error|nil err
function Place:roll_back(number)
  local chosen
  local ok, err = change(self, function(state)
    for _, version in ipairs(state.versions) do
      if number and version.number == number then chosen = number end
      if not number and version.number < (state.serve or 0) then chosen = version.number end
    end
    if not chosen then
      local why = number and ("no version %d of it is kept"):format(number) or "no version before this one is kept"
      return nil, { code = "missing", message = ("%s: %s"):format(self.name, why) }
    end
    self.watched:changed()
    local now = self:fingerprint()
    return self:write_state(function(new)
      new.serve, new.fingerprint, new.failed = chosen, now, nil
    end)
  end)
  if not ok then return nil, err end
  return chosen
end

--- Ends watching.
function Place:close()
  self.is_closed = true
  self.watched:close()
  if self.listener then self.listener:close() end
  self:unlock()
end

return versions
