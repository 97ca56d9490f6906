--- Flights: of requests that lack the same page, one makes it, and the others wait for that.
--
-- How to wait is for those who serve to say (`options.condition`): in nginx a semaphore. Without that a coroutine
-- yields until the page is there, and whoever can't yield makes the page himself.
--
-- The one who makes it may be dropped in the middle: its client hangs up, and its coroutine is never resumed. The
-- others see that when the collector has taken the coroutine away, and at the latest when their patience is at an end.

local can_yield = require("goloader.reload.protect").can_yield

local flight = {}

local WEAK = { __mode = "v" }

---@class goloader.Flight
---@field landed boolean
---@field shared? goloader.Response what those who wait may have, too
---@field private leader table the coroutine that makes the page, weak
---@field private condition goloader.Condition

---@class goloader.Condition
---@field wait fun(self, seconds: number): boolean waits for `post`; false when the time is over, or nobody can wait
---@field post fun(self) lets all go on that wait

-- Waits by yielding, until somebody has called `post` or `alive` says no.
local function yielding(alive, clock)
  local posted = false
  return {
    wait = function(_, seconds)
      if not can_yield() then return false end
      local till = clock() + seconds
      while not posted do
        if not alive() or clock() >= till then return false end
        coroutine.yield()
      end
      return true
    end,
    post = function() posted = true end,
  }
end

---Begins one, on this coroutine.
---@param options goloader.router.Options
---@param clock fun(): number
---@return goloader.Flight
function flight.new(options, clock)
  local leader = setmetatable({ coroutine.running() or nil }, WEAK)
  local has_leader = leader[1] ~= nil
  local made = { landed = false, leader = leader }
  function made.alive()
    if not has_leader then return not made.landed end
    return leader[1] ~= nil and coroutine.status(leader[1]) ~= "dead"
  end
  made.condition = options.condition and options.condition() or yielding(made.alive, clock)
  return made
end

---Waits for its end.
---@param self goloader.Flight
---@param seconds number
---@return boolean landed
function flight.wait(self, seconds)
  return self.landed or self.condition:wait(seconds) and self.landed
end

---Ends one.
---@param self goloader.Flight
---@param shared? goloader.Response
function flight.land(self, shared)
  self.landed, self.shared = true, shared
  self.condition:post()
end

return flight
