--- A swap: one version of a module takes the place of another one. `host:replace`, and the slots of routes files and of
--- `host:watch`, swap by this and by nothing else.
---
---   1. The new version is made: built, or loaded.
---   2. It is accepted: by those who depend on it, and by the program, which makes it ready, or may refuse it.
---   3. The state of the one that stands is handed over (handover.lua).
---   4. It takes the place, in one step.
---
--- Where one of these fails, the one that stands goes on, and the new one is dismissed.

local swap = {}

---@class goloader.Swap
---@field make fun(): table|nil, any  a new version, of whatever kind the caller has; or nil and an error
---@field accept fun(version: table): true|nil, any
---@field hand_over fun(version: table): true|nil, any
---@field commit fun(version: table): true|nil, any  nothing of Lua's runs between the handing over and this
---@field dismiss fun(version: table)  it is not to be used
---@field clock fun(): number  seconds
---@field claim any  what is to be kept meanwhile

---@param steps goloader.Swap
---@return table|nil version  that stands now
---@return any err
---@return { load: number, ready: number, swap: number } times  seconds
function swap.run(steps)
  local times = { load = 0, ready = 0, swap = 0 }
  local before = steps.clock()
  -- how long it was since the last step
  local function note(name)
    local now = steps.clock()
    times[name], before = now - before, now
  end
  local version, err = steps.make()
  note "load"
  if not version then return nil, err, times end
  local ok
  ok, err = steps.accept(version)
  if ok then ok, err = steps.hand_over(version) end
  note "ready"
  if ok then ok, err = steps.commit(version) end
  note "swap"
  if ok then return version, nil, times end
  steps.dismiss(version)
  return nil, err, times
end

return swap
