-- A slot: the place in a program where one Go module stands, while its versions come and go.
--
-- Whoever writes `local list = module "list.go"` holds the slot, not the module, so `list.Render` means the version of
-- the moment. Swapping is then one assignment; what needs care is what happens around it:
--
--   * A version takes its place only when it is whole: compiled, loaded, accepted by those who depend on it (a route
--     knows which parameters it can fill), and made ready by the caller's `ready`, with its data open. If any of this
--     fails, the version that stood there stays, and nobody notices.
--   * A request may rest in the middle (in nginx every wait is one) and go on after a swap. It must not see half of one
--     version and half of another, so the first use of a slot within a visit settles the version for the whole visit.
--   * An old version is unloaded when the last visit that used it ends, or later (leaving.lua).
--   * A load that failed for want of memory, file descriptors or the like is tried again, later and later: nobody edits
--     a file because the machine was busy. One that failed for what is written in it waits for the next edit.
--
-- What a version has in memory that the next one wants (open connections, counters, a cache) is handed over as the last
-- step before the swap (handover.lua), and nothing runs in between.
--
-- Which visit a coroutine is on is known in visits.lua. The table of a version's visits is weak: one whose coroutine
-- was dropped in the middle (the client hung up) must not hold a version for ever.

local chunks = require "goloader.roads.chunks"
local core = require "goloader.core"
local errors = require "goloader.errors"
local handover = require "goloader.reload.handover"
local inotify = require "goloader.reload.inotify"
local leaving = require "goloader.reload.leaving"
local protect = require "goloader.reload.protect"
local swap = require "goloader.reload.swap"
local visits = require "goloader.reload.visits"

local attempt, current_visit = handover.attempt, visits.current

local M = {}

-- What the machine lacked, not the module.
local PASSING = { io = true, memory = true, limit = true }
local FIRST_PAUSE, LONGEST_PAUSE = 1, 60 -- seconds till a load that failed for that is tried again

---@class goloader.Version
---@field name string the slot's
---@field module table what host:load returned
---@field number integer 1, 2, … or as `load` has numbered it
---@field package functions table<string, function> looked up once
---@field package referred table<string, boolean> variables that are named rather than read
---@field package kinds table<string, string> exports by name: "func" or "var"
---@field package users table<goloader.Visit, true> the visits that go on with this version; weak
local Version = {}
Version.__index = Version

---@class goloader.Change what `on_change` hears; prints as a line
---@field what "loaded"|"swapped"|"kept"|"unloaded"|"busy"|"gone"
---@field name string the slot's
---@field slot goloader.Slot
---@field version? integer the version that was loaded, kept, unloaded or is busy
---@field module? table
---@field err? goloader.Error why the old version was kept, or can't be unloaded yet
---@field times? {load: number, ready: number, swap: number} seconds
---@field seconds? number an unload took
local Change = {}
Change.__index = Change

local SAID = {
  loaded = "version %d", swapped = "version %d", kept = "version %d stays", busy = "version %d can't be unloaded yet",
  unloaded = "version %d is unloaded", gone = "version %d is closed: what it was made from has gone",
}

function Change.__tostring(change)
  local line = change.version and SAID[change.what]:format(change.version)
  local times = change.times
  if times then line = ("%s, %.0f ms"):format(line, (times.load + times.ready + times.swap) * 1000) end
  if not change.err then return change.name .. ": " .. line end
  return ("%s: %s%s"):format(change.name, line and line .. ": " or "", change.err.message)
end

---@class goloader.Slot
---@field name string as it was declared
---@field version goloader.Version? the one that new visits get
---@field err goloader.Error? why the newest edit is not what stands
---@field package old goloader.Leaving those that are to be unloaded
---@field package options goloader.slot.Options
---@field package refs table<string, goloader.Ref>
---@field package loading boolean
---@field package again_at? number when a load that failed is to be tried again, by the clock
---@field package is_again? true it is being tried again
---@field package pause? number seconds from the last failure to that
---@field package closed? true
---@field [string] any upper case is Go's: functions of the version of the moment, and its variables
local Slot = {}
local check_self = errors.checker_of(Slot, "watched module", "watched")

---@class goloader.Ref a function of a slot: called, it runs the version of the moment
---@field package slot goloader.Slot
---@field package name string
local Ref = {}

---@class goloader.slot.Options
---@field name string
---@field load fun(pause?: fun()): table?, any, any makes a new version, calling pause while it waits, and returns it
---with its number, if it has one; or nil and an error, as Go functions or the loader's return it
---@field ready? fun(module: table): any, any, any prepares it; raises, or returns nil and an error, to refuse it
---@field view? fun(module: table): table what `ready` is given in the module's place: it may yield in calls
---@field finish? fun(ok: boolean, err: goloader.Error?) hears how it went on with what `load` was asked for
---@field check? fun(slot: goloader.Slot, version: goloader.Version): boolean?, any refuses a version that doesn't fit
---@field refers? fun(module: table, name: string): boolean is a variable to be named rather than read: an http.Handler
---@field on_swap? fun(slot: goloader.Slot) a new version stands
---@field on_change? fun(change: goloader.Change)
---@field release? fun(module: table): boolean? has others let go of what they have of it, before it is unloaded; false:
---it is needed still
---@field close? fun() the slot is closed; may be called again
---@field due? fun(pause?: fun()): boolean is there something new to be loaded?
---@field again? fun() what `load` failed at is to be tried again: `due` answers true then; without it nothing is
---@field later? fun() `next_timeout` may answer otherwise now
---@field next_timeout? fun(): number? seconds till `due` is to be asked though nobody tells of anything
---@field adopt? false|fun(new: table, old: table): any, any, any hands state over, in the place of Release and Adopt
---@field unload? table options of module:unload for old versions
---@field beside? boolean who polls with a pause may be suspended: a thread unloads what is old, at no other time
---@field clock? fun(): number seconds

-- ---- functions and variables ----------------------------------------------------------------------------------------

---The version that this visit stays with; outside of a visit, the one of the moment.
---@return goloader.Version
function Slot:settle()
  local visit = current_visit()
  local version = visit and visits.version(visit, self)
  if version then return version end
  version = self.version or error(self.name .. (self.closed and ": the module is closed" or ": nothing is loaded"), 3)
  if visit then visits.settle(visit, self, version) end
  return version
end

---Looks a function up, once for each version.
function Version:func(name)
  local f = self.functions[name]
  if not f then
    if self.kinds[name] ~= "func" and not name:find("[", 1, true) then
      error(("%s exports no function %s in version %d"):format(self.name, name, self.number), 3)
    end
    f = self.module[name]
    self.functions[name] = f
  end
  return f
end

function Ref.__call(ref, ...)
  return ref.slot:settle():func(ref.name)(...)
end

---The other ways to call a function, f:map(…) and f:async(…), are found here by name.
function Ref.__index(ref, method)
  return function(_, ...)
    local f = ref.slot:settle():func(ref.name)
    return f[method](f, ...)
  end
end

function Ref.__tostring(ref) return ref.slot.name .. ": " .. ref.name end

---The slot and the name behind a value, when it is a function of a slot.
---@return goloader.Slot? slot
---@return string? name
function M.target(value)
  if getmetatable(value) == Ref then return rawget(value, "slot"), rawget(value, "name") end
end

-- Is a variable named, rather than read? What stands there would be one version's for ever.
local function is_referred(slot, version, key)
  local refers = slot.options.refers
  local known = version.referred[key]
  if known == nil then
    known = refers ~= nil and refers(version.module, key) or false
    version.referred[key] = known
  end
  return known
end

function Slot.__index(slot, key)
  local method = Slot[key]
  if method ~= nil or type(key) ~= "string" or not key:find("^%u") then return method end
  local ref = rawget(slot, "refs")[key]
  if ref then return ref end
  local version = slot:settle()
  local kind = version.kinds[key]
  if kind == "func" then
    ref = setmetatable({ slot = slot, name = key }, Ref)
    slot.refs[key] = ref
    return ref
  elseif kind == "var" then
    if is_referred(slot, version, key) then
      ref = setmetatable({ slot = slot, name = key }, Ref)
      slot.refs[key] = ref
      return ref
    end
    return version.module[key]
  elseif kind then
    return version.module[key] -- a constant, or a type, as this version has it
  elseif key:find("[", 1, true) then -- an instance of a generic function
    ref = setmetatable({ slot = slot, name = key }, Ref)
    slot.refs[key] = ref
    return ref
  end
  error(("%s exports no %s"):format(slot.name, key), 2)
end

function Slot.__newindex(slot, key, value)
  if type(key) == "string" and key:find("^%u") then
    slot:settle().module[key] = value
  else
    rawset(slot, key, value)
  end
end

function Slot.__tostring(slot)
  local version = rawget(slot, "version")
  return slot.name .. (version and " (version " .. version.number .. ")" or " (closed)")
end

-- ---- versions -------------------------------------------------------------------------------------------------------

---Declares a slot in which no version stands yet.
---@param options goloader.slot.Options
---@return goloader.Slot slot
function M.declare(options)
  local slot = setmetatable({}, Slot)
  rawset(slot, "name", options.name)
  rawset(slot, "options", options)
  rawset(slot, "refs", {})
  rawset(slot, "old", leaving.new {
    clock = options.clock, unload = options.unload, release = options.release,
    tell = function(change) slot:tell(change) end,
  })
  rawset(slot, "made", 0)
  rawset(slot, "loading", false)
  return slot
end

---Declares a slot and loads its first version.
---@param options goloader.slot.Options
---@return goloader.Slot? slot
---@return goloader.Error? err
function M.new(options)
  local slot = M.declare(options)
  local ok, err = slot:try_reload()
  if not ok then return nil, err end
  return slot
end

---Tells of a change.
---@package
---@param change goloader.Change
function Slot:tell(change)
  local on_change = self.options.on_change
  if on_change then
    change.slot, change.name = self, self.name
    on_change(setmetatable(change, Change))
  end
end

---@return goloader.Version
local function new_version(slot, module, number)
  slot.made = number or slot.made + 1
  chunks.hand_on(slot.version and slot.version.module, module)
  local kinds = {}
  for _, export in ipairs(module:exports()) do kinds[export.name] = kinds[export.name] or export.kind end
  return setmetatable({
    name = slot.name,
    module = module,
    number = slot.made,
    functions = {},
    referred = {},
    kinds = kinds,
    users = setmetatable({}, { __mode = "k" }),
  }, Version)
end

-- Loads a version.
---@return goloader.Version? version
---@return any err
local function load(slot, pause)
  local called, module, message, err = protect.run(slot.options.load, pause)
  if not called then return nil, errors.raised(module) end
  if not module then return nil, err or message end
  return new_version(slot, module, type(message) == "number" and message or nil)
end

-- May it stand here, and is it ready to?
local function accept(slot, version)
  local options = slot.options
  if options.check then
    local ok, err = options.check(slot, version)
    if not ok then return nil, err end
  end
  if not options.ready then return true end
  return attempt(options.ready, options.view and options.view(version.module) or version.module)
end

-- Has the version that stood when this began give its state, if it stands still.
local function hand_over(slot, version, standing)
  if not standing or slot.version ~= standing then return true end
  return handover.run(standing.module, version.module, {
    adopt = slot.options.adopt, kinds = { standing.kinds, version.kinds }, title = "version " .. standing.number,
  })
end

-- Has it stand.
local function commit(slot, version)
  if slot.closed then return nil, { code = "closed", message = slot.name .. ": the module is closed" } end
  local standing = slot.version
  slot.version, slot.err = version, nil
  if standing then slot.old:add(standing) end
  if slot.options.on_swap then slot.options.on_swap(slot) end
  return true
end

---Sees to it that a load which failed is tried again, if that may help.
---@package
---@param err goloader.Error
---@param before goloader.Error? why the load before this one failed
---@param is_again boolean|nil this one was such a try
---@return boolean is_known a failure of this kind was told before, and nothing was edited since
function Slot:try_again_later(err, before, is_again)
  if not PASSING[err.code] or not self.options.again or not self.version then
    self.pause = nil
    return false
  end
  self.pause = math.min(self.pause and 2 * self.pause or FIRST_PAUSE, LONGEST_PAUSE)
  self.again_at = core.clock() + self.pause
  return is_again ~= nil and before ~= nil and before.code == err.code
end

---What `reload` does, beneath the functions that users call.
---@package
---@param pause? fun()
---@return true? ok
---@return goloader.Error? err
function Slot:try_reload(pause)
  if self.loading then
    return nil, errors.object { code = "busy", message = self.name .. " is being loaded already" }
  end
  local options, before = self.options, self.version
  local failed_before, is_again = self.err, self.is_again
  -- has others go on between one step and the next, none of which takes long
  local rest = options.beside and pause or function() end
  self.loading, self.again_at, self.is_again = true, nil, nil
  local version, err, times = swap.run {
    clock = options.clock or core.clock,
    make = function()
      rest()
      local made, err = load(self, pause)
      rest()
      return made, err
    end,
    accept = function(made) return accept(self, made) end,
    hand_over = function(made) return hand_over(self, made, before) end,
    commit = function(made)
      before = self.version
      return commit(self, made)
    end,
    -- Nobody has it yet; but what `ready` started may still run, so it waits among the old ones if it must.
    dismiss = function(made) self.old:add(made) end,
  }
  rest()
  if options.finish then options.finish(version ~= nil, not version and errors.object(err) or nil) end
  self.loading = false

  if not version then
    err = errors.object(err)
    self.err = err
    local is_known = self:try_again_later(err, failed_before, is_again)
    local standing = self.version
    local number, stays = standing and standing.number, standing and standing.module
    if not is_known then self:tell({ what = "kept", version = number, module = stays, err = err }) end
    self:tidy(pause)
    return nil, err
  end

  self.pause = nil
  self:tell({
    what = before and "swapped" or "loaded",
    version = version.number,
    module = version.module,
    times = times,
  })
  rest()
  self:tidy(pause)
  return true
end

---Loads a new version and puts it in place of the one that stands; on failure that one stays.
---@param pause? fun() called again and again while the compiler works; it may yield
---@return true? ok
---@return string? message
---@return goloader.Error? err
function Slot:reload(pause)
  check_self(self, "reload")
  return errors.returned(self:try_reload(pause))
end

---Looks after the slot: loads what is new, and unloads the old versions that are free.
---@param pause? fun()
---@return integer swapped 1 when a new version stands now
---@return goloader.Error? err why an edit is not what stands
function Slot:poll(pause)
  check_self(self, "poll")
  local swapped, err = 0, nil
  if self.again_at and core.clock() >= self.again_at then
    self.again_at, self.is_again = nil, true
    self.options.again()
  end
  local due = self.options.due
  if due and not self.closed and not self.loading and due(pause) and not self.closed then
    local ok
    ok, err = self:try_reload(pause)
    if ok then swapped = 1 end
  else
    self:tidy(pause)
  end
  return swapped, err
end

---Seconds till `poll` is to be called though nobody tells of anything; nil: never.
---@return number?
function Slot:next_timeout()
  check_self(self, "next_timeout")
  local next_timeout = self.options.next_timeout
  local seconds = next_timeout and not self.closed and next_timeout() or nil
  local tidied, tried = self.old:next_timeout(), self.again_at and math.max(0, self.again_at - core.clock())
  if tidied and (not seconds or tidied < seconds) then seconds = tidied end
  if tried and (not seconds or tried < seconds) then seconds = tried end
  return seconds
end

---A file descriptor that can be read from when `poll` may have something to do; nil where the kernel can't be asked.
---@return integer?
function Slot.fd() return inotify.fd() end

---Unloads the old versions that no visit uses.
---@param pause? fun() this coroutine may be suspended
---@return integer waiting how many are left
function Slot:tidy(pause)
  check_self(self, "tidy")
  local left = self.old:tidy(self.options.beside and pause ~= nil)
  if self.options.later then self.options.later() end
  return left
end

---A visit has ended that went on with an old version.
---@package
function Slot:visited()
  if not self.options.beside then self:tidy() end
end

---Is it closed, and all that stood there gone?
---@return boolean
function Slot:is_over()
  check_self(self, "is_over")
  return self.closed ~= nil and not self.old[1] and not self.loading
end

---How many visits go on with old versions, and how many versions those are.
---@return integer visits
---@return integer versions
function Slot:waiting()
  check_self(self, "waiting")
  local count = 0
  for _, version in ipairs(self.old) do
    for _ in pairs(version.users) do count = count + 1 end
  end
  local refusal = self.old[1] and self.old[1].refusal
  if not refusal then return count, #self.old end
  return count, #self.old, refusal.message:match "^[^\n]*"
end

---Takes the module away. Calls from now on raise an error; visits that have settled on it may end.
---@return boolean gone false while an old version is still in use or busy; `tidy` tries again
function Slot:close()
  check_self(self, "close")
  self.closed = true
  if self.options.close then self.options.close() end
  if self.version then
    self.old:add(self.version)
    self.version = nil
  end
  return self:tidy() == 0
end

return M
