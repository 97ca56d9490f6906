-- LuaJIT's profiler (jit.profile, which `luajit -jp` uses too) in a process with Go: src/call/profiler.c says what is
-- wrong with its signal. Handlers of other signals are found when a function is called for the first time
-- (src/call/signals.c).
local core = require "goloader.core"

local signals = {}

local is_watched

--- Has LuaJIT's profiler run beside Go's: what runs already, and whenever it is started.
function signals.watch_profiler()
  local was_loaded = package.loaded["jit.profile"]
  local ok, profile = pcall(require, "jit.profile")
  if is_watched or not ok then return end
  is_watched = true
  if was_loaded then core.profiler "was started" end
  local start, stop = profile.start, profile.stop
  function profile.start(...)
    core.profiler "starts"
    start(...)
    core.profiler "started"
  end
  function profile.stop()
    core.profiler "stops"
    stop()
    core.profiler "stopped"
  end
end

return signals
