--- pcall for what may yield.
--
-- A handler may yield, and pcall must let it. Lua 5.1's own does not; there the handler gets a coroutine of its own,
-- whose yields are handed on.

local slots = require "goloader.routes.slot"

local function raised(err) return { raised = err, traceback = debug.traceback("", 2) } end

local protect ---@type fun(f: function, ...): boolean, any, ...

local can_yield = rawget(_G, "jit") ~= nil -- nginx lets nobody make a coroutine while a worker starts
if not can_yield then
  local probe = coroutine.create(function() return pcall(coroutine.yield) end)
  coroutine.resume(probe)
  can_yield = coroutine.status(probe) == "suspended"
end
if can_yield then
  function protect(f, ...) return xpcall(f, raised, ...) end
else
  local function go_on(thread, ok, ...)
    if not ok then return false, { raised = (...), traceback = debug.traceback(thread) } end
    if coroutine.status(thread) == "dead" then return true, ... end
    if not coroutine.running() then
      return false, { raised = "a handler yields outside of a coroutine", traceback = "" }
    end
    return go_on(thread, coroutine.resume(thread, coroutine.yield(...)))
  end
  function protect(f, ...)
    local thread = coroutine.create(f)
    slots.follow(thread)
    return go_on(thread, coroutine.resume(thread, ...))
  end
end

return protect
