--- How requests wait for the page that another one makes: at a semaphore of nginx's.

local semaphore = require "ngx.semaphore"

local get_phase = ngx.get_phase

local M = {}

-- The phases that Lua may wait in.
local CAN_WAIT = { rewrite = true, access = true, content = true, timer = true }

---@class goloader.nginx.Condition: goloader.Condition
local Condition = {}
Condition.__index = Condition

---@return goloader.nginx.Condition
function M.new() return setmetatable({ waiting = 0 }, Condition) end

function Condition:wait(seconds)
  if not CAN_WAIT[get_phase()] then return false end
  self.semaphore = self.semaphore or semaphore.new()
  self.waiting = self.waiting + 1
  local ok = self.semaphore:wait(seconds)
  self.waiting = self.waiting - 1
  return ok or false
end

function Condition:post()
  if self.waiting > 0 then self.semaphore:post(self.waiting) end
end

return M
