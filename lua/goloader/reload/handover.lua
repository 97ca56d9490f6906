-- Handing over what a version of a module has in memory that the next one wants: open connections, counters, a cache.
--
-- The old one's Release() returns it, the new one's Adopt(state) takes it; where either lacks its function, nothing is
-- handed over. When Adopt refuses, the old version goes on, and gets back what it gave, if it has an Adopt of its own.
-- Calls that are under way in the old version then still see what it has given away.

local errors = require "goloader.errors"
local protect = require "goloader.reload.protect"

local handover = {}

local function results(ok, result, message, err)
  if not ok then return nil, errors.raised(result) end
  if result == nil and message ~= nil or result == false and message ~= nil then return nil, err or message end
  return true, result
end

---Calls what may raise, or return nil and an error as Go functions do.
---@param f function|goloader.Func
---@return true? ok
---@return any err or the result
function handover.attempt(f, ...)
  return results(protect.run(f, ...))
end

local attempt = handover.attempt

---@class goloader.handover.Options
---@field kinds { [1]: table<string, string>, [2]: table<string, string> } exports of both by name: "func" or "var"
---@field adopt? false|fun(new: table, old: table): any, any, any in the place of Release and Adopt; false: nobody
---@field title string what messages call the old one
---@field hold nil|fun() is called before something is handed over, so that no call begins meanwhile

---@param from table the module that stands
---@param to table the one that takes its place
---@param options goloader.handover.Options
---@return true? ok
---@return any err
function handover.run(from, to, options)
  local had, has = options.kinds[1], options.kinds[2]
  if options.adopt == false then return true end
  local hold = options.hold or function() end
  if options.adopt then
    hold()
    local ok, err = attempt(options.adopt, to, from)
    return ok, not ok and err or nil
  end
  if had.Release ~= "func" or has.Adopt ~= "func" then return true end
  hold()
  local ok, state = attempt(from.Release)
  if not ok then return nil, ("Release of %s: %s"):format(options.title, tostring(state)) end
  local err
  ok, err = attempt(to.Adopt, state)
  if ok then return true end
  if had.Adopt == "func" then attempt(from.Adopt, state) end
  return nil, ("Adopt of what %s has released: %s"):format(options.title, tostring(err))
end

return handover
