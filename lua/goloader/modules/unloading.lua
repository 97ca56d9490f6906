-- Taking a module out of the process: once, again and again until a time, by another thread, or by force. Whether it
-- may go is found out in C and Go (src/module/unload.c, src/host/module.go).

local core = require "goloader.core"
local errors = require "goloader.errors"
local jobs = require "goloader.jobs"
local known = require "goloader.modules.known"
local sharing = require "goloader.modules.sharing"

local returned = errors.returned

local unloading = {}

--- What is said of an unload of what is no more.
---@param state goloader.ModuleState
---@return goloader.Error
function unloading.done_already(state)
  return { code = "closed", message = state.name .. " was unloaded already" }
end

-- Has Lua find out what it has no use for any more. A finalizer is called in one collection, what it was the last to
-- refer to is found in another. Lua 5.3 may collect for ever when a finalizer starts a collection and another finalizer
-- starts one within it (its runafewfinalizers doubles a number that the inner collection has set to 0); its collector
-- says that it is not running while a finalizer is.
local function collect_twice()
  if _VERSION == "Lua 5.3" and not collectgarbage "isrunning" then return false end
  collectgarbage()
  collectgarbage()
  return true
end

--- What came of an unload by a thread that has ended.
---@param state goloader.ModuleState
---@return true|nil
---@return goloader.Error|nil err
---@return boolean|nil is_held_by_handle
function unloading.finish(state)
  local begun = state.unloading
  state.unloading = nil
  return state.core:unload_finish(begun.pending, begun.along)
end

-- Has a thread unload it, and waits for that: whoever can be suspended lets others go on. Nothing where this thread is
-- to do it.
local function unload_beside(state, options, along)
  local job, pending = state.core:unload_start(options.handles == "drop", along)
  if not job then return nil end
  local begun = { job = job, pending = pending, along = along }
  state.unloading = begun
  job:wait()
  if state.unloading ~= begun then return true, nil, unloading.done_already(state) end -- somebody else has asked
  return true, unloading.finish(state)
end

local function try_to_unload(state, options)
  local along = known.instances_of(state)
  local function unload()
    if options.beside and options.prove ~= "nothing" then
      local is_done, ok, err, is_held_by_handle = unload_beside(state, options, along)
      if is_done then return ok, err, is_held_by_handle end
    end
    return state.core:unload(options.prove, options.handles == "drop", along)
  end
  local ok, err, is_held_by_handle = unload()
  if is_held_by_handle and collect_twice() then -- perhaps nobody in Lua uses that handle any more
    if not state.core:is_loaded() then return nil, unloading.done_already(state) end -- by a finalizer
    ok, err = unload()
  end
  return ok, err
end

local SHORTEST, LONGEST = 0.001, 0.1 -- seconds between one attempt and the next

--- Tries until the time is over. Another Lua state may replace the module meanwhile, or take part in it.
---@param self goloader.Module
---@param options goloader.UnloadOptions
---@param wait number  seconds
---@return true|nil
---@return goloader.Error|nil err
function unloading.within(self, options, wait)
  local deadline = core.clock() + wait
  local delay = SHORTEST
  local closed
  while true do
    local state = sharing.current(self)
    if not state.core:is_loaded() then return nil, unloading.done_already(state) end -- by somebody else
    if wait > 0 and closed ~= state and not state.is_given_up then
      state.core:close(deadline, known.instances_of(state))
      closed = state
    end
    local began = core.clock()
    local ok, err = try_to_unload(state, options)
    local now = core.clock()
    if ok then
      state.forget()
      if state.share and not state.is_old then sharing.unshare(state) end
      return true
    end
    if err.code == "busy" then
      local times = state.refusal and state.refusal.times or 0
      state.refusal = { err = errors.object(err), times = times + 1, at = os.time() }
    end
    local is_replaced = err.code == "closed" and state.share and sharing.current(self) ~= state
    if not is_replaced and (err.code ~= "busy" or now >= deadline) then
      state.core:close(state.is_given_up and math.huge or 0, known.instances_of(state))
      return nil, err
    end
    if not is_replaced then
      -- an attempt may be work, and there should be more time without it than with it
      jobs.pause(math.min(math.max(delay, now - began), deadline - now))
      delay = math.min(2 * delay, LONGEST)
    end
  end
end

--- Has a module's functions panic, and its memory given back when that can be.
---@param state goloader.ModuleState
---@return true|nil
---@return goloader.Error|nil err
function unloading.force(state)
  local module_core, along = state.core, known.instances_of(state)
  local ok, err = module_core:force(along)
  if not ok then return nil, err end
  state.forget()
  if state.share and not state.is_old then sharing.unshare(state) end
  require("goloader.reload.dismissed").add {
    unload = function() return returned(module_core:unload("all", false, along)) end,
  }
  return true
end

return unloading
