--- Waiting for Go in nginx: the coroutine of the request is suspended, and nginx's event loop resumes it when the job
--- is done.
--
-- An event loop waits for file descriptors, and nginx's Lua module has it wait for the sockets that it has made itself.
-- So each worker has one connection to itself: the C half listens on a Unix socket that only this user can reach, a
-- light thread connects to it, and from then on whoever finishes a job writes to that connection, if anybody sleeps.
-- The light thread reads, takes notice of the jobs that are done (`jobs.step`), and posts the semaphores that requests
-- wait at.
--
-- Where there can be no such socket (no folder to write to), the light thread looks every millisecond while somebody
-- waits, and every second otherwise.
--
-- A client that leaves is noticed where nginx is told to (`lua_check_client_abort on`): then the contexts of the Go
-- functions that its request waits for are cancelled, and the request ends.
--
-- At `nginx -s quit` a worker ends when it has no timers left. The light thread must go then, but not before the last
-- request has what it waits for. A request whose client has gone is killed in the middle of its wait, and nobody is
-- told; but its semaphore has nobody more who waits there.

local semaphore = require "ngx.semaphore"
local jobs = require "goloader.jobs"

local ngx = ngx
local remove = table.remove
local get_phase, exiting, sleep, timer_at = ngx.get_phase, ngx.worker.exiting, ngx.sleep, ngx.timer.at
local on_abort = ngx.on_abort

local wake = {}

local DAY = 86400 -- seconds; nginx counts milliseconds in an int, so that a wait without an end is one of many days
local POLL, SECOND = 0.001, 1
local RING_BYTES = 8

-- The phases that Lua may yield in.
local CAN_YIELD = {
  rewrite = true, access = true, content = true, timer = true, preread = true, ssl_cert = true, ssl_client_hello = true,
  ssl_session_fetch = true, server_rewrite = true,
}

local host -- the core's userdata
local idle -- the semaphore at which a polling light thread sleeps
local is_rung, is_running, was_running

-- Those that a client waits for.
local HAS_CLIENT = { rewrite = true, access = true, content = true, server_rewrite = true }

local function client_left()
  for waited in pairs(ngx.ctx.goloader_jobs or {}) do waited:cancel() end
  ngx.exit(499)
end

--- Has something know when the client of this request leaves: its `cancel` is called, and the request ends. Nobody but
--- the caller keeps it alive.
---@param job { cancel: fun(self: any) }
---@return table<any, true> watched  from which it is taken out when it is of no interest any more
local function watch_client(job)
  local ctx = ngx.ctx
  local list = ctx.goloader_jobs
  if not list then
    list = {}
    ctx.goloader_jobs = list
    on_abort(client_left) -- it fails where nginx doesn't look, or the request has a handler of its own for this
  end
  list[job] = true
  return list
end

local function step()
  local ok, err = pcall(jobs.step)
  if not ok then ngx.log(ngx.ERR, "goloader: ", tostring(err)) end
end

-- Has the light thread see that the worker ends.
local function ring()
  if is_rung then host:jobs_ring() end
end

wake.watch_client = watch_client

-- The semaphore that a job's request waits at; those of jobs that more than one waits for; and those that nobody needs
-- now. One that a request was killed at is not used again: it may be posted later.
local semaphores, more, free = {}, {}, {}

local function post(job)
  local done = semaphores[job]
  semaphores[job] = nil
  if done then done:post() end
end

local function post_more(done, job)
  more[done] = job
  job:on_done(function() done:post() end)
end

-- Has a semaphore posted when the job is done.
local function semaphore_for(job)
  local done = remove(free) or semaphore.new()
  if semaphores[job] then
    post_more(done, job)
  else
    semaphores[job] = done
    job:on_done(post)
  end
  return done
end

-- Nobody waits there any more. A job that is not done may still post it.
local function give_back(done, job)
  if semaphores[job] == done then semaphores[job] = nil end
  more[done] = nil
  if job:done() and done:count() == 0 then free[#free + 1] = done end
end

local function anything_waited_for() return next(semaphores) ~= nil or next(more) ~= nil end

-- Is there a request that still waits? Less than none in a semaphore is who waits at it.
local function anybody_waits()
  for _, done in pairs(semaphores) do
    if done:count() < 0 then return true end
  end
  for done in pairs(more) do
    if done:count() < 0 then return true end
  end
  return false
end

-- By the semaphore that a light thread of a request waits at: who is to know when nginx has ended that request.
local guards = {}
local is_swept

local function sweep(premature)
  is_swept = nil
  if premature then return end
  for done, keeper in pairs(guards) do
    if done:count() >= 0 then
      guards[done] = nil
      keeper:cancel()
    end
  end
  if next(guards) then is_swept = timer_at(SECOND, sweep) end
end

--- Has something know when nginx ends this request in the middle of what it is asked next, as it does where a body
--- can't be read or does not come in time: its `cancel` is called, within a second.
---@param keeper { cancel: fun(self: any) }
---@return fun() forget  it is of no interest any more
function wake.guard(keeper)
  local done = semaphore.new()
  guards[done] = keeper
  ngx.thread.spawn(function() done:wait(DAY) end)
  is_swept = is_swept or timer_at(SECOND, sweep)
  return function()
    guards[done] = nil
    done:post()
  end
end

---@type goloader.EventLoop
local loop = {}

-- The worker is to end: those who still wait are looked after at short intervals, since nobody rings for a request that
-- is killed.
local function finish_waits()
  while anybody_waits() do
    sleep(POLL)
    step()
  end
end

-- A worker that ends may have requests still that send or read, and wait for Go only after the light thread has gone:
-- a wait that held the worker would hold what the job waits for.
local function run_again()
  finish_waits()
  is_running = false
end

function loop.can_wait()
  if not CAN_YIELD[get_phase()] then return false end
  if not is_running and was_running and exiting() then is_running = timer_at(0, run_again) ~= nil end
  return is_running
end

loop.sleep = sleep

function loop.wait(job, seconds, can_cancel)
  -- a handler for clients that leave is a coroutine more; without one nginx ends the request itself
  local clients = can_cancel and HAS_CLIENT[get_phase()] and watch_client(job)
  local done = semaphore_for(job)
  if not is_rung then idle:post() end
  local is_posted = done:wait(seconds or DAY) -- which only happens when the job is done
  while not is_posted and not seconds and not job:done() do is_posted = done:wait(DAY) end
  if is_posted and not more[done] then
    free[#free + 1] = done
  else
    give_back(done, job)
  end
  if clients then clients[job] = nil end
  return is_posted or job:done()
end

-- ---- the light thread -----------------------------------------------------------------------------------------------

-- Reads from the socket until the worker ends; returns nil and why when there can be none, or it was lost.
local function read_rings()
  local path, err = host:jobs_listen()
  if not path then return nil, tostring(err) end
  local socket = ngx.socket.tcp()
  socket:settimeouts(1000, 1000, DAY * 1000)
  local ok, why = socket:connect("unix:" .. path)
  if not ok then return nil, why end
  ok, err = host:jobs_accept()
  if not ok then return nil, tostring(err) end
  is_rung, is_running = true, true
  while not exiting() do
    -- what has happened while nobody read has been written to the socket
    local got, failure = socket:receive(RING_BYTES)
    if not got and failure ~= "timeout" then
      is_rung = false
      return nil, failure
    end
    step()
  end
  is_rung = false
  finish_waits()
  socket:close()
  return true
end

local function poll()
  is_running = true
  while not exiting() do
    -- the semaphore can't tell of the worker's end: what is posted outside of the event loop is noticed by its next
    -- event
    if anything_waited_for() then sleep(POLL) else idle:wait(SECOND) end
    step()
  end
  finish_waits()
end

local function run(premature)
  if premature then return end
  local ok, err = read_rings()
  if not ok then
    ngx.log(ngx.WARN, "goloader: no socket to be woken by (", err, "): looking every millisecond while requests wait")
    poll()
  end
  is_running, was_running = false, true
end

--- Starts waiting for jobs in this worker: from then on `job:wait` suspends requests' coroutines.
---@param core userdata  the process's host
function wake.start(core)
  if host then return end
  host = core
  idle = semaphore.new()
  jobs.set_event_loop(loop)
  assert(timer_at(0, run))
  -- pending timers are run at once when the worker is told to end
  local function listen(premature)
    if premature then return ring() end
    assert(timer_at(DAY, listen))
  end
  assert(timer_at(DAY, listen))
end

return wake
