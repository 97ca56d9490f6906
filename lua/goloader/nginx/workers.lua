--- What each of nginx's workers does beside answering: it looks after the modules.
--
-- Versions lie in a folder below nginx's prefix (reload/versions.lua): the worker that hears of an edit first compiles
-- it, in a child process that it waits for by yielding, and ships it; all load it. A light thread does that, which
-- sleeps until the kernel tells of something in a folder that matters: a job waits for the kernel (core's `jobs_poll`),
-- and the event loop is woken as for any job. Where the kernel can't tell, files are looked at each second.
--
-- At `nginx -s quit` and `reload` a worker ends when its light threads have ended: this one does when it is woken by
-- `inotify.wake`.

local ffi = require "ffi"
local controls = require "goloader.nginx.control"
local errors = require "goloader.errors"
local inotify = require "goloader.reload.inotify"
local jobs = require "goloader.jobs"
local loop = require "goloader.reload.loop"
local versions = require "goloader.reload.versions"
local watch = require "goloader.reload.watch"

local ngx = ngx
local clock = require("goloader.core").clock
local exiting, sleep, timer_at = ngx.worker.exiting, ngx.sleep, ngx.timer.at

local workers = {}

local LOOK = 1 -- seconds
local SOON = 0.05 -- seconds, where somebody else has the lock
local DAY = 86400
local PAUSE = 0.001
local PATIENCE = 60 -- seconds

---@class goloader.nginx.WorkerOptions
---@field state string|false|nil  folder of versions, below the prefix; nil: "goloader"; false: each worker compiles for
---  itself
---@field keep integer|nil  how many versions of a module are kept
---@field control false|nil  false: nothing listens to `goloader ctl`
---@field patience number|string|nil  seconds, or "5m", that a version's init functions may take, and functions of it
---  that `ready` calls; then the version before it stays. nil: 60

local core -- of the host
local apps = {} ---@type goloader.Router[]
local files = {} ---@type table<goloader.Router, { path: string, watched: goloader.Watch }>
local control ---@type goloader.nginx.Control|nil
local job -- that waits for the kernel
local waits = 0 -- for it
local is_asleep = false -- it is waited for
local polled ---@type integer|nil  control's file descriptor, which it waits for too

local patience = PATIENCE

local function pause() sleep(PAUSE) end
local function can_sleep() return ngx.get_phase() == "timer" end

local function log(level, ...) ngx.log(level, "goloader: ", ...) end

-- A message in one line.
local function one_line(message)
  return (tostring(message):gsub("\n\n.*", ""):gsub("%s*\n%s*", "; "))
end

local function try(f, ...)
  local ok, err = pcall(f, ...)
  if not ok then log(ngx.ERR, one_line(errors.object(err))) end
end

local function step(app_or_control, method, ...) try(app_or_control[method], app_or_control, ...) end

local function milliseconds(seconds) return ("%.1f ms"):format(seconds * 1000) end

-- ---- what is told --------------------------------------------------------------------------------------------------

local tell = {}

function tell.loaded(name, change)
  log(ngx.NOTICE, name, ": version ", change.version, " loaded in ", milliseconds(change.times.load), ", ready in ",
    milliseconds(change.times.ready))
end

function tell.swapped(name, change)
  log(ngx.NOTICE, name, ": version ", change.version, " has taken over; made and loaded in ",
    milliseconds(change.times.load), ", ready in ", milliseconds(change.times.ready))
end

function tell.kept(name, change)
  if change.version then
    log(ngx.ERR, name, ": version ", change.version, " stays: ", one_line(change.err))
  else
    log(ngx.ERR, name, ": ", one_line(change.err))
  end
end

function tell.busy(name, change)
  log(ngx.WARN, name, ": version ", change.version, " can't be unloaded yet: ", one_line(change.err))
end

function tell.unloaded(name, change)
  log(ngx.INFO, name, ": version ", change.version, " unloaded in ", milliseconds(change.seconds))
end

---@param change goloader.Change
local function on_change(change)
  tell[change.what](change.slot.name, change)
end

-- ---- what takes its time -------------------------------------------------------------------------------------------

-- Why what has not returned is waited for no longer; nil: it is. The light thread has nothing else done meanwhile.
---@param what string  "its init functions have"
---@param since number
---@return goloader.Error|nil
local function give_up(what, since)
  if exiting() then return errors.object { code = "closed", message = what .. " not returned, and the worker ends" } end
  if control and can_sleep() then step(control, "step") end
  if clock() - since < patience then return nil end
  return errors.object { code = "timeout", message = ("%s not returned within %g seconds"):format(what, patience) }
end

-- ---- `ready` -------------------------------------------------------------------------------------------------------

-- A Go function whose calls run as jobs where the phase allows it. One that takes too long is left behind.
local function waiting(fn, name)
  return setmetatable({}, {
    __call = function(_, ...)
      if not can_sleep() then return fn(...) end
      local called, since = fn:async(...), clock()
      while not called:done() do
        called:wait(1)
        local err = not called:done() and give_up(name .. " has", since)
        if err then error(err) end
      end
      return called:wait()
    end,
    __index = function(_, method)
      return function(_, ...) return fn[method](fn, ...) end
    end,
  })
end

--- A module whose functions let requests go on while they run: what `ready` is given.
---@param module goloader.Module
---@return table
function workers.view(module)
  local kinds = {}
  for _, export in ipairs(module:exports()) do kinds[export.name] = kinds[export.name] or export.kind end
  return setmetatable({}, {
    __index = function(self, key)
      local value = module[key]
      if kinds[key] == "func" then
        value = waiting(value, key)
        rawset(self, key, value)
      elseif type(key) == "string" and key:find "^%l" and type(value) == "function" then
        return function(_, ...) return value(module, ...) end
      end
      return value
    end,
    __newindex = function(_, key, value) module[key] = value end,
  })
end

-- ---- the folder of versions ----------------------------------------------------------------------------------------

local function state_folder(state)
  if state == nil then state = "goloader" end
  return state:sub(1, 1) == "/" and state or ngx.config.prefix() .. state
end

--- What the router is to be made with (goloader.router.Options), so that its modules are compiled by one worker only.
---@param host goloader.Host
---@param options goloader.nginx.WorkerOptions|nil
---@return table
function workers.router_options(host, options)
  options = options or {}
  patience = options.patience or PATIENCE
  local made = {
    view = workers.view, on_change = on_change, stopwatch = clock,
    pausing = function() return can_sleep() and pause or nil end,
  }
  if options.state == false then return made end
  local folder = state_folder(options.state)
  local store, err = versions.open {
    folder = folder, host = host, keep = options.keep, waits = give_up,
    sleep = function(seconds) -- in init_worker nothing else can go on
      if can_sleep() then sleep(seconds) else jobs.step(seconds) end
    end,
  }
  if store then
    made.versions = store
    if options.control ~= false then control = control or controls.new(folder, apps) end
  else
    ffi.cdef "unsigned geteuid(void);"
    log(ngx.WARN, err.message, ": each worker compiles for itself, until the folder belongs to their user: ",
      "install -d -o ", ffi.C.geteuid(), " ", folder)
  end
  return made
end

-- ---- the light thread ----------------------------------------------------------------------------------------------

local function is_waiting(app)
  for _, slot in ipairs(app.slots) do
    local source = slot.source
    if source and source.is_waiting and source:is_waiting() then return true end
  end
  return false
end

local function wait()
  local seconds = math.min(inotify.next_timeout() or DAY, loop.next_timeout() or DAY)
  for _, app in ipairs(apps) do
    if is_waiting(app) then seconds = SOON end
    for _, slot in ipairs(app.slots) do
      local source = slot.source
      local is_deaf = source and source.is_deaf and source:is_deaf()
      seconds = math.min(seconds, slot:next_timeout() or DAY, is_deaf and LOOK or DAY)
    end
  end
  local fd, other = inotify.fd(), control and control.fd or nil
  if other ~= polled then -- the job does not know of it
    polled = other
    if job and not job:done() then inotify.wake() end
  end
  if fd and (not job or job:done()) then job, waits = core:jobs_poll(fd, other), 0 end
  if not job then return sleep(math.min(seconds, LOOK)) end
  is_asleep = true
  job:wait(seconds)
  is_asleep = false
  -- who waits for a job is remembered with it, also when he has given up
  waits = waits + 1
  if waits % 100 == 0 then inotify.wake() end
end

-- A routes file that was edited takes effect as a whole, or not at all.
local function read_routes(app)
  local file = files[app]
  if not file or not file.watched:changed() then return end
  local ok, message = app:load(file.path)
  if ok then
    log(ngx.NOTICE, file.path, " was read again")
  else
    log(ngx.ERR, file.path, ": the routes stay as they were: ", one_line(message))
  end
end

local function run(premature)
  while not premature and not exiting() do
    if control then step(control, "step") end
    for _, app in ipairs(apps) do
      step(app, "poll", pause)
      read_routes(app)
    end
    try(loop.poll, pause) -- what the program itself watches
    if exiting() then break end
    pause() -- requests go on between one step and the next
    if control then step(control, "tell") end
    pause()
    if exiting() then break end
    wait()
  end
  if control then control:close() end
  control = nil
end

--- Looks after the modules of a router from now on, in this worker.
---@param host goloader.Host
---@param app goloader.Router
---@param file string|nil  its routes file, which is read again when it changes
function workers.start(host, app, file)
  if file then files[app] = { path = file, watched = watch.new(file) } end
  apps[#apps + 1] = app
  if core then return end
  core = host.core
  loop.drive(function()
    if is_asleep then inotify.wake() end
    is_asleep = false
  end)
  assert(timer_at(0, run))
  -- pending timers are run at once when the worker is told to end
  local function listen(premature)
    if premature then return inotify.wake() end
    assert(timer_at(DAY, listen))
  end
  assert(timer_at(DAY, listen))
end

return workers
