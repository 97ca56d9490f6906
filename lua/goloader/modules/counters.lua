-- What was called and copied in modules, for `goloader.stats` and the metrics of routes.

local known = require "goloader.modules.known"

---@class goloader.Counters
---@field calls integer
---@field crossings integer  into Go and back
---@field panics integer
---@field bytes_in integer  copied, of arguments
---@field bytes_out integer  and of results

---@class goloader.ExportCounters: goloader.Counters
---@field module string
---@field name string

---@class goloader.Stats: goloader.Counters  of all modules that are loaded
---@field exports goloader.ExportCounters[]  those that were used
---@field unloads goloader.UnloadStats|nil  of this process; nil without a host

---@class goloader.UnloadStats  how it was found out whether modules may go, which nothing resets
---@field snapshots integer  in a copy of the process, while the process went on
---@field failed_snapshots integer  there was no copy to be had: then it was done as for small heaps
---@field stops integer  with Go stopped
---@field voided integer  what a copy had said was void: a handle or type that would have gone was used meanwhile
---@field pause_ms number  for how long the last unload, or attempt at one, stopped Go at once, at most

local counters = {}

--- What was called and copied in all modules that are loaded.
---@param reset boolean  counting starts anew
---@return goloader.Stats
function counters.read(reset)
  local exports = {}
  for loaded in pairs(known.cores) do
    if loaded:is_loaded() then
      for _, export in ipairs(loaded:call_stats(reset)) do exports[#exports + 1] = export end
    end
  end
  table.sort(exports, function(a, b)
    if a.module ~= b.module then return a.module < b.module end
    return a.name < b.name
  end)
  local stats = { calls = 0, crossings = 0, panics = 0, bytes_in = 0, bytes_out = 0 }
  for _, export in ipairs(exports) do
    for name, sum in pairs(stats) do stats[name] = sum + export[name] end
  end
  stats.exports = exports
  return stats
end

return counters
