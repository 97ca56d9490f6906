--- pcall for what may yield.
--
-- A handler may yield, and pcall must let it. Lua 5.1's own does not; there the handler gets a coroutine of its own,
-- whose yields are handed on.

local visits = require "goloader.reload.visits"

local function raised(err) return { raised = err, traceback = debug.traceback("", 2) } end

local protect = {}

---Calls a function; false and a table with `raised` and `traceback` when it raises.
---@type fun(f: function, ...): boolean, any, ...
protect.run = pcall

---May what runs here yield?
---@type fun(): boolean
protect.can_yield = coroutine.isyieldable or function()
  local thread, is_main = coroutine.running()
  return thread ~= nil and not is_main
end

---The coroutine that what runs here yields to the resumer of.
---@type fun(): thread
protect.coroutine = coroutine.running

local can_yield = rawget(_G, "jit") ~= nil -- nginx lets nobody make a coroutine while a worker starts
if not can_yield then
  local probe = coroutine.create(function() return pcall(coroutine.yield) end)
  coroutine.resume(probe)
  can_yield = coroutine.status(probe) == "suspended"
end
if can_yield then
  function protect.run(f, ...) return xpcall(f, raised, ...) end
else
  local function go_on(thread, ok, ...)
    if not ok then return false, { raised = (...), traceback = debug.traceback(thread) } end
    if coroutine.status(thread) == "dead" then return true, ... end
    if not coroutine.running() then
      return false, { raised = "a handler yields outside of a coroutine", traceback = "" }
    end
    return go_on(thread, coroutine.resume(thread, coroutine.yield(...)))
  end
  local MAIN = {}
  local outer = setmetatable({}, { __mode = "kv" }) ---@type table<thread, thread|table> who has started it
  function protect.coroutine()
    local thread = coroutine.running()
    while outer[thread or MAIN] do thread = outer[thread] end
    return thread
  end
  function protect.can_yield()
    local thread = protect.coroutine()
    return thread ~= nil and thread ~= MAIN
  end
  function protect.run(f, ...)
    local thread = coroutine.create(function(...) return f(...) end) -- Lua 5.1 takes nothing but functions in Lua
    outer[thread] = coroutine.running() or MAIN
    visits.follow(thread)
    return go_on(thread, coroutine.resume(thread, ...))
  end
end

return protect
