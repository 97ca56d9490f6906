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

---@class goloader.loop.Member
---@field poll fun(self, pause: fun()): any
---@field next_timeout fun(self): number|nil
---@field is_over fun(self): boolean  it is closed, and nothing is left to be done

local members = {} ---@type goloader.loop.Member[]
local job ---@type goloader.Job|nil  that waits for the kernel
local timer ---@type table|nil
local is_woken = false -- the job is to end
local is_running = false

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

--- What is to be waited for may not be what it was.
function loop.reschedule()
  if is_running then return end -- it ends with this
  for i = #members, 1, -1 do
    if members[i]:is_over() then table.remove(members, i) end
  end
  if timer then jobs.forget(timer) end
  timer = nil
  if not members[1] then
    if job and not is_woken then inotify.wake() end -- so that nobody waits for a job that never ends
    is_woken = true
    return
  end
  if not job then wait_for_kernel() end
  local seconds
  for _, member in ipairs(members) do seconds = sooner(seconds, member:next_timeout()) end
  if not seconds then return end
  timer = jobs.after(seconds, function()
    timer = nil
    begin_round()
  end)
end

local function pause() jobs.sleep(PAUSE, protect.coroutine()) end

-- An error that a round ends with is raised by the step that it runs in, after all others had their turn.
local function round()
  local all, failed = {}, nil
  for i, member in ipairs(members) do all[i] = member end
  for _, member in ipairs(all) do
    local ok, failure = protect.run(member.poll, member, pause)
    if not ok then failed = failed or failure end
  end
  is_running = false
  loop.reschedule()
  if failed then error(failed.raised, 0) end
end

function begin_round()
  if is_running or not members[1] then return end
  is_running = true
  jobs.spawn(round)
end

--- Looks after something from now on.
---@param member goloader.loop.Member
function loop.add(member)
  inotify.on_read(loop.reschedule)
  members[#members + 1] = member
  loop.reschedule()
end

return loop
