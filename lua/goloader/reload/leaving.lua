--- Old versions of a module that are to be unloaded as soon as that can be.
---
--- One waits while a visit (visits.lua) goes on with it, while whoever has bound something to it says that it is needed
--- still, and while the loader refuses, because a goroutine is in its code or something refers to it. It is asked again
--- at each `tidy`; that costs a walk over Go's live heap, so the intervals that `next_timeout` tells grow. A thread may
--- do that while the coroutine that tidies up waits for it.

local core = require "goloader.core"

local leaving = {}

local FIRST, LAST = 0.1, 2 -- seconds

---@class goloader.leaving.Options
---@field clock? fun(): number seconds
---@field unload? table options of module:unload
---@field release? fun(module: table): boolean? has others let go of what they have of it; false: it is needed still
---@field tell fun(change: table) hears of each that is "unloaded", and once of each that is "busy"

---@class goloader.leaving.Version
---@field module table
---@field number integer
---@field users? table<goloader.Visit, true>
---@field refusal? goloader.Error why it could not be unloaded when that was tried last
---@field is_asked? true that is being tried

---@class goloader.Leaving
---@field [integer] goloader.leaving.Version
---@field package options goloader.leaving.Options
---@field package seconds number
local Leaving = {}
Leaving.__index = Leaving

local lists = setmetatable({}, { __mode = "k" }) -- those that somebody still looks after

---@param options goloader.leaving.Options
---@return goloader.Leaving
function leaving.new(options)
  local list = setmetatable({ options = options, seconds = FIRST }, Leaving)
  lists[list] = true
  return list
end

---The version that a module is, if it is to be unloaded.
---@param module table
---@return goloader.leaving.Version?
function leaving.find(module)
  for list in pairs(lists) do
    for _, version in ipairs(list) do
      if version.module == module then return version end
    end
  end
end

---@param version goloader.leaving.Version
function Leaving:add(version) table.insert(self, version) end

local function is_free(self, version)
  local release = self.options.release
  if version.is_asked or version.users and next(version.users) ~= nil then return false end
  return not (release and release(version.module) == false)
end

-- Takes one out, which may have another place by now.
local function remove(self, version)
  for i = #self, 1, -1 do
    if self[i] == version then table.remove(self, i) end
  end
end

-- What module:unload is called with.
local function unload_options(self, beside)
  local options = self.options.unload
  if not beside then return options end
  local all = { beside = true }
  for name, value in pairs(options or {}) do all[name] = value end
  return all
end

---Unloads those that can be.
---@param beside? boolean a thread does it, and this coroutine may be suspended meanwhile
---@return integer waiting how many are left
function Leaving:tidy(beside)
  local clock = self.options.clock or core.clock
  for i = #self, 1, -1 do
    local version = self[i]
    if version and is_free(self, version) then -- who is told of one may have unloaded another
      local started = clock()
      version.is_asked = true
      local ok, _, err = version.module:unload(unload_options(self, beside))
      version.is_asked = nil
      local change = { version = version.number, module = version.module }
      if ok or err.code == "closed" then
        remove(self, version)
        change.what, change.seconds = "unloaded", clock() - started
        self.options.tell(change)
      else
        local is_first = not version.refusal
        version.refusal = err
        if is_first then
          change.what, change.err = "busy", err
          self.options.tell(change)
        end
      end
    end
  end
  self.seconds = self[1] and math.min(self.seconds * 2, LAST) or FIRST
  return #self
end

---Seconds till `tidy` is to be called; nil: never.
---@return number?
function Leaving:next_timeout() return self[1] and self.seconds or nil end

return leaving
