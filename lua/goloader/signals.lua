-- Handlers of signals that Lua code installs when Go runs already (src/call/signals.c says what is wrong with them).
local core = require "goloader.core"

local signals = {}

local is_watched

--- Has LuaJIT's profiler (jit.profile, which `luajit -jp` uses too) set up its handler as Go needs it, whenever it is
--- started. Other handlers are found when a function is called for the first time.
function signals.watch_profiler()
  local ok, profile = pcall(require, "jit.profile")
  if is_watched or not ok then return end
  is_watched = true
  local start = profile.start
  profile.start = function(...)
    start(...)
    core.use_signal_stacks()
  end
end

return signals
