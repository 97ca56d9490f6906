--- Waiting for jobs (`fn:async(…)`), in any of four ways.
--
-- Outside of coroutines that this file knows of, a wait blocks the thread. In a coroutine that `spawn` has started it
-- yields, and `step` resumes it: an event loop calls that when `fd` can be read from. And `on_done` has a function
-- called by `step`. Whoever blocks steps meanwhile, so that the others get on. In nginx the request's coroutine is
-- suspended (nginx/wake.lua).
--
-- The C half (src/call/job.c) tells which of the watched jobs are done; who waits for them, and till when, is known
-- here.

local core = require "goloader.core"
local errors = require "goloader.errors"
local units = require "goloader.units"

local clock = core.clock
local create, resume, running, status, yield =
  coroutine.create, coroutine.resume, coroutine.running, coroutine.status, coroutine.yield
local is_yieldable = coroutine.isyieldable or function() return true end -- Lua 5.1 only knows when it fails

---@class goloader.Job
---@field done fun(self: goloader.Job): boolean
---@field package pending fun(self: goloader.Job): boolean|nil  nil: it is done; else: can it be cancelled?
---@field package results fun(self: goloader.Job): ...
---@field package watch fun(self: goloader.Job): userdata
local Job = core.job_class

local jobs = {}

-- What is called with a dot may be given anything.
local function check(job, method)
  if getmetatable(job) ~= Job then
    error(("job:%s: a job expected, got %s"):format(method, type(job)), 3)
  end
end

-- Timeouts of contexts and of channels are read the same way.
core.set_seconds(units.seconds)

--- Reads a timeout, or raises what is wrong with it.
---@param timeout any  nil is none
---@param method string
---@param level integer
---@return number|nil seconds
function jobs.read_timeout(timeout, method, level)
  if timeout == nil or type(timeout) == "number" and timeout == timeout then return timeout end
  if type(timeout) == "string" then
    local seconds, why = units.seconds(timeout)
    if seconds then return seconds end
    error(("%s: %s"):format(method, why), level + 1)
  end
  local got = type(timeout) == "number" and "nan" or type(timeout)
  error(("%s: seconds, or a text such as \"30s\", expected, got %s"):format(method, got), level + 1)
end

local host -- the userdata of the process's host
local event_loop -- of set_event_loop
local spawned = setmetatable({}, { __mode = "k" })
local waiting = {} -- by the key of a watched job: the first who waits; the others follow by `next`
local timers = {} -- a heap of waits with a deadline, the earliest first
local nover = 0 -- waits that are over and in the heap still, at most

--- Tells where jobs come from.
---@param started userdata
function jobs.set_host(started)
  host = started
end

--- Calls a method of a handle in a goroutine of its own: `h:async("Match", …)`.
core.handle_class().methods.async = function(handle, method, ...)
  return host:method_job(handle, method, ...)
end

---@class goloader.EventLoop
---@field can_wait fun(): boolean  may the coroutine that runs now be suspended?
---@field wait fun(job: goloader.Job, seconds: number|nil, can_cancel: boolean): boolean  suspends it until the job is
---  done, then true, or until the time is over
---@field sleep fun(seconds: number)  suspends it

--- Has waits that would block the thread suspend the coroutine at hand instead, as an event loop does it that knows
--- the coroutines it has started.
---@param loop goloader.EventLoop|nil
function jobs.set_event_loop(loop)
  event_loop = loop
end

-- ---- deadlines ----------------------------------------------------------------------------------------------------

local function push_timer(wait)
  local i = #timers + 1
  while i > 1 do
    local up = (i - i % 2) / 2
    if timers[up].deadline <= wait.deadline then break end
    timers[i] = timers[up]
    i = up
  end
  timers[i] = wait
end

local function pop_timer()
  local first, last = timers[1], table.remove(timers)
  local n = #timers
  if n == 0 then return first end
  local i = 1
  while 2 * i <= n do
    local down = 2 * i
    if down < n and timers[down + 1].deadline < timers[down].deadline then down = down + 1 end
    if last.deadline <= timers[down].deadline then break end
    timers[i] = timers[down]
    i = down
  end
  timers[i] = last
  return first
end

-- A wait that ended before its deadline stays in the heap; not for long, where there are many.
local function end_wait(wait)
  wait.over = true
  if not wait.deadline then return end
  nover = nover + 1
  if nover < 64 or nover < #timers / 2 then return end
  local all = timers
  timers, nover = {}, 0
  for i = 1, #all do
    if not all[i].over then push_timer(all[i]) end
  end
end

-- The earliest deadline of a wait that still goes on.
local function next_deadline()
  while timers[1] and timers[1].over do pop_timer() end
  return timers[1] and timers[1].deadline
end

local function set_timer()
  local deadline = next_deadline()
  host:jobs_set_timer(deadline and math.max(deadline - clock(), 0))
end

-- ---- who waits ----------------------------------------------------------------------------------------------------

local function add_wait(job, wait)
  local key = job:watch()
  wait.job = job -- which lives as long as somebody waits for it
  local last = waiting[key]
  if not last then
    waiting[key] = wait
    return
  end
  while last.next do last = last.next end
  last.next = wait
end

-- Says where it was in the coroutine that failed: who resumed it was elsewhere.
local function with_traceback(co, err)
  return type(err) == "string" and spawned[co] ~= "quiet" and debug.traceback(co, err) or err
end

-- Lets the one who waits go on. What fails in him is the first of `raised`.
local function go_on(wait, raised)
  if wait.over then return end
  wait.over = true
  local ok, err
  if wait.fn then
    ok, err = pcall(wait.fn, wait.job)
  elseif status(wait.coroutine) == "suspended" then
    ok, err = resume(wait.coroutine)
    if not ok then err = with_traceback(wait.coroutine, err) end
  else
    return
  end
  if not ok then raised[#raised + 1] = { err } end
end

-- Lets those go on whose jobs are done or whose time is over.
local function go_on_all()
  local raised = {}
  local key = host:jobs_ready()
  while key do
    local wait = waiting[key]
    waiting[key] = nil
    while wait do
      local following = wait.next
      go_on(wait, raised)
      wait = following
    end
    key = host:jobs_ready()
  end
  local deadline = next_deadline()
  if deadline then
    local now = clock()
    while deadline and deadline <= now do
      go_on(pop_timer(), raised)
      deadline = next_deadline()
    end
    set_timer()
  end
  if raised[1] then error(raised[1][1], 0) end
end

--- Takes notice of jobs that have finished: resumes the coroutines and calls the functions that wait for them. Without
--- a timeout it does not block.
---@param timeout number|nil  seconds to wait for something to do
---@return integer finished  jobs, since the last step
function jobs.step(timeout)
  local wait = timeout or 0
  local deadline = next_deadline()
  if deadline and wait ~= 0 then
    local left = math.max(deadline - clock(), 0)
    if wait < 0 or left < wait then wait = left end
  end
  local finished, err = host:jobs_step(wait)
  if not finished then error(err, 2) end
  go_on_all()
  return finished
end

--- Has a step call a function after some seconds.
---@param seconds number
---@param fn fun()
---@return table timer  for `jobs.forget`
function jobs.after(seconds, fn)
  local wait = { fn = fn, deadline = clock() + seconds }
  push_timer(wait)
  if timers[1] == wait then set_timer() end
  return wait
end

--- The function of a timer is not called any more.
---@param timer table
function jobs.forget(timer)
  if not timer.over then end_wait(timer) end
end

--- Suspends a coroutine that `spawn` has started.
---@param seconds number
---@param co thread  it, where something within it yields that is handed on (reload/protect.lua)
function jobs.sleep(seconds, co)
  local wait = { coroutine = co, deadline = clock() + seconds }
  push_timer(wait)
  if timers[1] == wait then set_timer() end
  while not wait.over do yield() end
end

--- Waits for some seconds, as `job:wait` does: where the coroutine at hand can be suspended it is, else the thread is
--- blocked, and who waits for jobs goes on meanwhile.
---@param seconds number
function jobs.pause(seconds)
  local co = running()
  if co and spawned[co] and is_yieldable() then return jobs.sleep(seconds, co) end
  if event_loop and event_loop.can_wait() then return event_loop.sleep(seconds) end
  local deadline = clock() + seconds
  repeat
    local left = math.max(deadline - clock(), 0)
    jobs.step(left)
  until left == 0
end

--- Has a thread read files, and waits for that as `job:wait` does: whoever can be suspended lets others go on.
---@param files string[]
---@return (fun(i: integer): string|nil, boolean)|nil sum_of  what core.sum says of the i-th; nil: there is no thread
function jobs.sums(files)
  if not host then return nil end
  local job, pending = host:sums_start(files)
  if not job then return nil end
  job:wait()
  return function(i) return host:sums_finish(pending, i) end
end

--- A job that is done when a file descriptor can be read from.
---@param fd integer
---@return goloader.Job|nil
function jobs.poll(fd) return host:jobs_poll(fd) end

--- Seconds to the next deadline of a wait, nil where there is none: for an event loop that does not poll `fd`.
---@return number|nil
function jobs.next_timeout()
  local deadline = next_deadline()
  return deadline and math.max(deadline - clock(), 0)
end

--- A file descriptor that can be read from when `step` has something to do. It is for polling only.
---@return integer|nil fd
---@return goloader.Error|nil err
function jobs.fd()
  local fd, err = host:jobs_fd()
  if not fd then return nil, err end
  set_timer()
  return fd
end

--- Starts a coroutine in which `job:wait` yields. An error in it is raised by whoever lets it run, this function or the
--- step that resumes it, and a message has the coroutine's own traceback.
---@param fn function
---@return thread
function jobs.spawn(fn, ...)
  local co = create(fn)
  spawned[co] = true
  local ok, err = resume(co, ...)
  if not ok then error(with_traceback(co, err), 0) end
  return co
end

--- The same for a coroutine of the loader's own: the errors in it are others', and raised as they are.
---@param fn function
---@return thread
function jobs.start(fn)
  local co = create(fn)
  spawned[co] = "quiet"
  local ok, err = resume(co)
  if not ok then error(err, 0) end
  return co
end

-- ---- one job ------------------------------------------------------------------------------------------------------

local function timed_out(job)
  local name = tostring(job):match ": (%S+)"
  return nil, errors.object { code = "timeout", message = name .. " has not finished in time" }
end

-- Yields till the job is done; others may resume the coroutine too.
local function wait_yielding(job, co, deadline)
  while not job:done() do
    if deadline and clock() >= deadline then return false end
    local wait = { coroutine = co, deadline = deadline }
    add_wait(job, wait)
    if deadline then
      push_timer(wait)
      if timers[1] == wait then set_timer() end
    end
    yield()
    end_wait(wait)
  end
  return true
end

-- Blocks till the job is done; the others go on meanwhile.
local function wait_blocking(job, deadline)
  while not job:done() do
    local left = deadline and deadline - clock() or -1
    if deadline and left <= 0 then return false end
    jobs.step(left)
  end
  return true
end

local cancel = Job.cancel

--- Cancels the context.Context that the function was given.
---@return true|nil
---@return string|nil message
---@return goloader.Error|nil err  code "unsupported": it was given none
function Job:cancel()
  check(self, "cancel")
  return errors.returned(cancel(self))
end

--- What the function gave, as a direct call would have given it: its results, nil and an error, or an error raised. The
--- error is an object as those of calls are, and so is that of a wait whose time is over.
---@param timeout number|string|nil  seconds, or "30s"; after them nil, and an error with the code "timeout"
---@return any ...
function Job:wait(timeout)
  check(self, "wait")
  timeout = jobs.read_timeout(timeout, "job:wait", 2)
  local can_cancel = self:pending()
  if can_cancel ~= nil then
    local deadline = timeout and clock() + timeout
    local co = running()
    local is_done
    if co and spawned[co] and is_yieldable() then
      is_done = wait_yielding(self, co, deadline)
    elseif event_loop and event_loop.can_wait() then
      is_done = event_loop.wait(self, timeout, can_cancel)
    else
      is_done = wait_blocking(self, deadline)
    end
    if not is_done then return timed_out(self) end
  end
  return self:results()
end

--- Has a step call fn(job) when the job is done; the next one, if it is already. There `job:wait()` returns at once:
--- the results, nil and an error, or a panic raised.
---@param fn fun(job: goloader.Job)  an error in it is raised by the step
---@return goloader.Job
function Job:on_done(fn)
  check(self, "on_done")
  if type(fn) ~= "function" then error(("job:on_done: a function expected, got %s"):format(type(fn)), 2) end
  add_wait(self, { fn = fn })
  return self
end

return jobs
