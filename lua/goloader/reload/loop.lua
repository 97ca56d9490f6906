--- Looking after what is watched without being asked: whoever calls `goloader.step`, as an event loop does when
--- `goloader.fd` can be read from, gets edits loaded by that.
---
--- A job of goloader's waits for the kernel to tell of an edit (inotify.lua), and a timer for all that is to be looked
--- at though nobody tells: files where the kernel can't be asked, old versions that could not be unloaded yet. Either
--- begins a round, a coroutine in which each thing that is watched is polled once; while the compiler works it sleeps a
--- little, again and again. There is one such loop in a Lua state, for all that it watches.

local inotify = require "goloader.reload.inotify"
local jobs = require "goloader.jobs"
local protect = require "goloader.reload.protect"

local loop = {}

local PAUSE = 0.005 -- seconds
local RETRY = 0.1 -- the same, where there was no thread to wait for the kernel

---@class goloader.loop.Member
---@field poll fun(self, pause: fun()): any
---@field next_timeout fun(self): number|nil
---@field is_over fun(self): boolean  it is closed, and nothing is left to be done

local members = {} ---@type goloader.loop.Member[]
local job ---@type goloader.Job|nil  that waits for the kernel
local timer ---@type table|nil
local is_woken = false -- the job is to end
local is_running = false
local driver ---@type nil|fun()

local begin_round

-- The sooner of two times, either of which may be never.
local function sooner(one, other)
  if not one or other and other < one then return other end
  return one
end

local function wait_for_kernel()
  local fd = inotify.fd()
  job, is_woken = fd and jobs.poll(fd) or nil, false
  if not job then return end
  job:on_done(function()
    job = nil
    begin_round()
  end)
end

--- Seconds till `poll` is to be called though nobody tells of anything; nil: never.
---@return number|nil
function loop.next_timeout()
  local seconds
  for i = #members, 1, -1 do
    if members[i]:is_over() then
      table.remove(members, i)
    else
      seconds = sooner(seconds, members[i]:next_timeout())
    end
  end
  return seconds
end

--- What is to be waited for may not be what it was.
function loop.reschedule()
  if is_running then return end -- it ends with this
  if driver then return driver() end
  if timer then jobs.forget(timer) end
  local seconds = loop.next_timeout()
  if not members[1] then
    if job and not is_woken then inotify.wake() end -- so that nobody waits for a job that never ends
    is_woken = true
  elseif not job then
    wait_for_kernel()
    if not job and inotify.fd() then seconds = sooner(seconds, RETRY) end
  end
  timer = seconds and jobs.after(seconds, function()
    timer = nil
    begin_round()
  end)
end

--- Polls each thing that is watched. What fails is raised when all others have had their turn.
---@param pause nil|fun()  called again and again while the compiler works; it may yield
function loop.poll(pause)
  is_running = true
  local all, failed = {}, nil
  for i, member in ipairs(members) do all[i] = member end
  for _, member in ipairs(all) do
    local ok, failure = protect.run(member.poll, member, pause)
    if not ok then failed = failed or failure end
  end
  is_running = false
  if failed then error(failed.raised, 0) end
end

local function pause() jobs.sleep(PAUSE, protect.coroutine()) end

local function round()
  local ok, failure = protect.run(loop.poll, pause)
  loop.reschedule()
  if not ok then error(failure.raised, 0) end
end

function begin_round()
  if is_running or driver or not members[1] then return end
  jobs.start(round)
end

--- Has somebody else call `poll`, who is awake at the right times by other means than jobs.
---@param changed fun()  something may be to be done before `next_timeout` had said
function loop.drive(changed)
  driver = changed
  inotify.on_read(loop.reschedule)
  if timer then jobs.forget(timer) end
  timer = nil
end

--- Looks after something from now on.
---@param member goloader.loop.Member
function loop.add(member)
  inotify.on_read(loop.reschedule)
  members[#members + 1] = member
  loop.reschedule()
end

return loop
