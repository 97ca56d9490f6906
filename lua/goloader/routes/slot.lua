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
--   * An old version is unloaded when the last visit that used it ends. If the loader refuses, because a goroutine is
--     still in its code, it is asked again at the next `tidy`.
--
-- What a version has in memory that the next one wants (open connections, counters, a cache) is handed over when both
-- say so: the old one's Release() returns it, the new one's Adopt(state) takes it. It is the last step before the swap,
-- and nothing runs in between. When Adopt refuses, the old version goes on, and gets back what it gave, if it has an
-- Adopt of its own. Requests that are under way in the old version then still see what it has given away.
--
-- Visits belong to coroutines. Both tables that know them are weak: a visit whose coroutine was dropped in the middle
-- (the client hung up) must not hold a version for ever.

local errors = require "goloader.errors"

local M = {}

local running = coroutine.running
local MAIN = {} -- Lua 5.1 has no coroutine to name when the main one runs

---@class goloader.Version
---@field name string the slot's
---@field module table what host:load returned
---@field number integer 1, 2, … or as `load` has numbered it
---@field package functions table<string, function> looked up once
---@field package referred table<string, boolean> variables that are named rather than read
---@field package kinds table<string, string> exports by name: "func" or "var"
---@field package users table<goloader.Visit, true> the visits that go on with this version; weak
---@field package refused? true it could not be unloaded yet, and this was told
local Version = {}
Version.__index = Version

---@class goloader.Change what `on_change` hears
---@field what "loaded"|"swapped"|"kept"|"unloaded"|"busy"
---@field slot goloader.Slot
---@field version? integer the version that was loaded, kept, unloaded or is busy
---@field module? table
---@field err? goloader.Error why the old version was kept, or can't be unloaded yet
---@field times? {load: number, ready: number, swap: number} seconds
---@field seconds? number an unload took

---@class goloader.Slot
---@field name string as it was declared
---@field version goloader.Version? the one that new visits get
---@field package old goloader.Version[] waiting to be unloaded
---@field package options goloader.slot.Options
---@field package refs table<string, goloader.Ref>
---@field package loading boolean
---@field package closed? true
---@field [string] any upper case is Go's: functions of the version of the moment, and its variables
local Slot = {}

---@class goloader.Ref a function of a slot: called, it runs the version of the moment
---@field package slot goloader.Slot
---@field package name string
local Ref = {}

---@class goloader.slot.Options
---@field name string
---@field load fun(pause?: fun()): table?, any, any makes a new version, calling pause while it waits, and returns it
---with its number, if it has one; or nil and an error, as Go functions or the loader's return it
---@field release? fun(module: table) has others let go of what they have of it, before it is unloaded
---@field ready? fun(module: table): any, any, any prepares it; raises, or returns nil and an error, to refuse it
---@field view? fun(module: table): table what `ready` is given in the module's place: it may yield in calls
---@field finish? fun(ok: boolean, err: goloader.Error?) hears how it went on with what `load` was asked for
---@field check? fun(slot: goloader.Slot, version: goloader.Version): boolean?, any refuses a version that doesn't fit
---@field refers? fun(module: table, name: string): boolean is a variable to be named rather than read: an http.Handler
---@field on_swap? fun(slot: goloader.Slot) a new version stands
---@field on_change? fun(change: goloader.Change)
---@field close? fun() the slot is closed; may be called again
---@field clock? fun(): number seconds

---@class goloader.Visit a run of one request: the versions it has settled on
---@field versions table<goloader.Slot, goloader.Version>
---@field package outer? goloader.Visit the one it runs within

---@type table<thread|table, goloader.Visit>
local visits = setmetatable({}, { __mode = "k" })

---Begins a visit on this coroutine: from now on each slot it touches stays at one version.
---@param thread? thread the coroutine that the visit will run on, if not this one
---@return goloader.Visit visit
---@return thread|table key for `leave`; the visit itself must not know its coroutine, or neither would be collected
function M.enter(thread)
  local key = thread or running() or MAIN
  local visit = { versions = {}, outer = visits[key] }
  visits[key] = visit
  return visit, key
end

---Ends a visit; versions that only it had held are unloaded.
---@param visit goloader.Visit
---@param key thread|table
function M.leave(visit, key)
  visits[key] = visit.outer
  for slot, version in pairs(visit.versions) do
    version.users[visit] = nil
    if slot.version ~= version then slot:tidy() end
  end
end

---Has another coroutine go on with the visit of this one.
---@param thread thread
function M.follow(thread)
  visits[thread] = visits[running() or MAIN]
end

---True while all that a visit has used is what a new visit would get too.
---@param visit goloader.Visit
function M.is_current(visit)
  for slot, version in pairs(visit.versions) do
    if slot.version ~= version then return false end
  end
  return true
end

-- ---- functions and variables ----------------------------------------------------------------------------------------

---The version that this visit stays with; outside of a visit, the one of the moment.
---@return goloader.Version
function Slot:settle()
  local visit = visits[running() or MAIN]
  local version = visit and visit.versions[self]
  if version then return version end
  version = self.version or error(self.name .. ": the module is closed", 3)
  if visit then
    visit.versions[self] = version
    version.users[visit] = true
  end
  return version
end

---Looks a function up, once for each version.
function Version:func(name)
  local f = self.functions[name]
  if not f then
    if self.kinds[name] ~= "func" then
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

---Declares a slot and loads its first version.
---@param options goloader.slot.Options
---@return goloader.Slot? slot
---@return goloader.Error? err
function M.new(options)
  local slot = setmetatable({}, Slot)
  rawset(slot, "name", options.name)
  rawset(slot, "options", options)
  rawset(slot, "refs", {})
  rawset(slot, "old", {})
  rawset(slot, "made", 0)
  rawset(slot, "loading", false)
  local ok, err = slot:try_reload()
  if not ok then return nil, err end
  return slot
end

local function tell(slot, change)
  local on_change = slot.options.on_change
  if on_change then
    change.slot = slot
    on_change(change)
  end
end

---@return goloader.Version
local function new_version(slot, module, number)
  slot.made = number or slot.made + 1
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

---Calls what may raise, or return nil and an error as Go functions do.
---@return true? ok
---@return any err or the result
local function attempt(f, ...)
  local ok, result, message, err = pcall(f, ...)
  if not ok then return nil, result end
  if result == nil and message ~= nil or result == false and message ~= nil then return nil, err or message end
  return true, result
end

---Hands the state of the version that stands over to the one that takes its place.
---@param from goloader.Version
---@param to goloader.Version
---@return true? ok
---@return any err
local function hand_over(from, to)
  if from.kinds.Release ~= "func" or to.kinds.Adopt ~= "func" then return true end
  local ok, state = attempt(from.module.Release)
  if not ok then return nil, ("Release of version %d: %s"):format(from.number, tostring(state)) end
  local err
  ok, err = attempt(to.module.Adopt, state)
  if ok then return true end
  if from.kinds.Adopt == "func" then attempt(from.module.Adopt, state) end
  return nil, ("Adopt of what version %d has released: %s"):format(from.number, tostring(err))
end

---Loads a version and sees to it that it can take over; beneath `try_reload`, in pcall's place.
---@return goloader.Version? version
---@return any err
---@return table times seconds
local function prepare(slot, pause)
  local options, standing = slot.options, slot.version
  local clock = options.clock or os.clock
  local started = clock()
  local called, module, message, err = pcall(options.load, pause)
  local times = { load = clock() - started, ready = 0 }
  if not called then return nil, module, times end
  if not module then return nil, err or message, times end

  started = clock()
  local version = new_version(slot, module, type(message) == "number" and message or nil)
  local ok = true
  if options.check then ok, err = options.check(slot, version) end
  if ok and options.ready then
    ok, err = attempt(options.ready, options.view and options.view(module) or module)
  end
  if ok and standing and slot.version == standing then ok, err = hand_over(standing, version) end
  times.ready = clock() - started
  if ok then return version, nil, times end
  -- Nobody has it yet; but what `ready` started may still run, so it waits among the old ones if it must.
  table.insert(slot.old, version)
  return nil, err, times
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
  local options = self.options
  local clock = options.clock or os.clock

  self.loading = true
  local version, err, times = prepare(self, pause)
  self.loading = false
  if version and self.closed then
    table.insert(self.old, version)
    version, err = nil, { code = "closed", message = self.name .. ": the module is closed" }
  end

  local standing = self.version
  if not version then
    err = errors.object(err)
    if options.finish then options.finish(false, err) end
    local number, stays = standing and standing.number, standing and standing.module
    tell(self, { what = "kept", version = number, module = stays, err = err })
    self:tidy()
    return nil, err
  end

  local made_ready = clock()
  self.version = version
  if standing then table.insert(self.old, standing) end
  if options.on_swap then options.on_swap(self) end
  times.swap = clock() - made_ready
  if options.finish then options.finish(true) end
  tell(self, {
    what = standing and "swapped" or "loaded",
    version = version.number,
    module = version.module,
    times = times,
  })
  self:tidy()
  return true
end

---Loads a new version and puts it in place of the one that stands; on failure that one stays.
---@param pause? fun() called again and again while the compiler works; it may yield
---@return true? ok
---@return string? message
---@return goloader.Error? err
function Slot:reload(pause)
  return errors.returned(self:try_reload(pause))
end

---Unloads the old versions that no visit uses.
---@return integer waiting how many are left
function Slot:tidy()
  local old, clock = self.old, self.options.clock or os.clock
  for i = #old, 1, -1 do
    local version = old[i]
    if version and next(version.users) == nil then -- who is told of one may have unloaded another
      local started = clock()
      if self.options.release then self.options.release(version.module) end
      local ok, _, err = version.module:unload()
      local change = { version = version.number, module = version.module }
      if ok then
        table.remove(old, i)
        change.what, change.seconds = "unloaded", clock() - started
        tell(self, change)
      elseif not version.refused then
        version.refused = true
        change.what, change.err = "busy", err
        tell(self, change)
      end
    end
  end
  return #old
end

---How many visits go on with old versions, and how many versions those are.
---@return integer visits
---@return integer versions
function Slot:waiting()
  local count = 0
  for _, version in ipairs(self.old) do
    for _ in pairs(version.users) do count = count + 1 end
  end
  return count, #self.old
end

---Takes the module away. Calls from now on raise an error; visits that have settled on it may end.
---@return boolean gone false while an old version is still in use or busy; `tidy` tries again
function Slot:close()
  self.closed = true
  if self.options.close then self.options.close() end
  if self.version then
    table.insert(self.old, self.version)
    self.version = nil
  end
  return self:tidy() == 0
end

return M
