--- Modules that are to go as soon as that can be, without anybody who waits for it: those that were replaced, and those
--- of `module:unload { background = true }`. They are asked again within `goloader.step`, by nginx's workers, and by
--- `host:tidy()`.

local core = require "goloader.core"
local leaving = require "goloader.reload.leaving"
local loop = require "goloader.reload.loop"

local dismissed = {}

---@class goloader.Dismissed: goloader.loop.Member  a module that is to be unloaded
---@field package list goloader.Leaving
local Dismissed = {}
Dismissed.__index = Dismissed

local waiting = {} ---@type goloader.Dismissed[]

function Dismissed:next_timeout() return self.list:next_timeout() end
function Dismissed:is_over() return not self.list[1] end

-- Whoever asks, the loop or `tidy`: what is gone is waited for no more.
function Dismissed:poll()
  self.list:tidy()
  for i = self:is_over() and #waiting or 0, 1, -1 do
    if waiting[i] == self then table.remove(waiting, i) end
  end
end

--- Unloads a module now, or when that can be.
---@param module goloader.Module
---@param options table|nil  of module:unload
---@return true|nil gone
---@return goloader.Error|nil why  it is not yet
function dismissed.add(module, options)
  local list = leaving.new { clock = core.clock, unload = options, tell = function() end }
  list:add { module = module, number = 0 }
  if list:tidy() == 0 then return true end
  local member = setmetatable({ list = list }, Dismissed)
  waiting[#waiting + 1] = member
  loop.add(member)
  return nil, list[1].refusal
end

--- Unloads those that can be.
---@return integer waiting  how many are left
function dismissed.tidy()
  local all = {} -- a poll may suspend this coroutine, and others add to them meanwhile
  for i, member in ipairs(waiting) do all[i] = member end
  for i = #all, 1, -1 do all[i]:poll() end
  return #waiting
end

return dismissed
