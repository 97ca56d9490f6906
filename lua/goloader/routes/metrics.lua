--- Figures of a process that serves: requests and how long they took, by route and version; what caches answered; what
-- became of modules; calls of Go; Go's memory. As Prometheus reads them (text format 0.0.4), and as JSON.
--
-- To count a request costs three look-ups and a handful of additions: names and labels are made when somebody asks.
-- What is asked for is a flat table: "goloader_requests_total{method=…}" and the number. Those of several processes are
-- added up, or told apart by a label.

local core = require "goloader.core"
local counters = require "goloader.modules.counters"

local metrics = {}

-- Upper bounds in seconds; above the last one there is +Inf.
local BOUNDS = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 }
local NBOUNDS = #BOUNDS
metrics.BOUNDS = BOUNDS
local KEPT = 5 -- versions of a route that are told of

---@class goloader.metrics.Family
---@field type "counter"|"gauge"|"histogram"
---@field help string

---@type table<string, goloader.metrics.Family>
local families = {
  requests_total = { type = "counter", help = "Requests answered, by route, version of its module, and status." },
  request_duration_seconds = { type = "histogram", help = "How long requests took." },
  cache_requests_total = { type = "counter", help = "Requests of routes with a cache: hit, stale, or miss." },
  cache_waits_total = { type = "counter", help = "Misses that waited for another request to make their page." },
  cache_failures_total = { type = "counter", help = "Pages that could not be made, and an old one was shown." },
  module_loads_total = { type = "counter", help = "Versions of a module that have taken over." },
  module_failures_total = { type = "counter", help = "Versions that could not take over." },
  module_unloads_total = { type = "counter", help = "Versions that were unloaded." },
  module_unloads_refused_total = { type = "counter", help = "Versions that could not be unloaded at first." },
  module_unload_refused = { type = "gauge", help = "Versions that wait for being unloaded, and why." },
  module_version = { type = "gauge", help = "The version that serves." },
  module_old_versions = { type = "gauge", help = "Old versions that are not unloaded yet." },
  module_old_visits = { type = "gauge", help = "Requests that are under way in old versions." },
  module_load_seconds = { type = "gauge", help = "What making and loading the version that serves took." },
  module_ready_seconds = { type = "gauge", help = "How long it took to be ready." },
  calls_total = { type = "counter", help = "Calls of Go functions of the modules that are loaded, by road." },
  crossings_total = { type = "counter", help = "How often they went into Go and back." },
  panics_total = { type = "counter", help = "Panics in them." },
  go_heap_bytes = { type = "gauge", help = "Bytes of objects in Go's heap." },
  go_heap_objects = { type = "gauge", help = "Objects in Go's heap." },
  go_system_bytes = { type = "gauge", help = "Memory that Go has from the system." },
  go_next_gc_bytes = { type = "gauge", help = "Size of the heap at which the next collection begins." },
  go_allocated_bytes_total = { type = "counter", help = "Bytes allocated in Go since the start." },
  go_gc_cycles_total = { type = "counter", help = "Garbage collections." },
  go_gc_pause_seconds_total = { type = "counter", help = "For how long they have stopped Go." },
  go_gc_last_pause_seconds = { type = "gauge", help = "For how long the last one has." },
  go_goroutines = { type = "gauge", help = "Goroutines." },
  resident_bytes = { type = "gauge", help = "Resident memory of the process." },
  workers = { type = "gauge", help = "Processes that these figures are of." },
}

---@class goloader.metrics.Record  requests of one route by one version
---@field number integer
---@field sum number  seconds
---@field n integer
---@field buckets integer[]  not cumulative
---@field statuses table<integer, integer>

---@class goloader.Metrics
---@field clock fun(): number
---@field private routes table<goloader.Route|false, table<integer|false, goloader.metrics.Record>>
---@field private counts table<string, number>
---@field private refused table<string, string>  by module and version: why
---@field private took table<string, table>  by module
---@field private before table<string, table<string, number>>  by kind: mortal counters, as they were asked for last
---@field private gone table<string, table<string, number>>  and what those had that are no more
local Metrics = {}
Metrics.__index = Metrics

---@param clock nil|fun(): number  seconds
---@return goloader.Metrics
function metrics.new(clock)
  return setmetatable({
    clock = clock or core.clock, records = {}, routes = setmetatable({}, { __mode = "k" }), counts = {}, refused = {},
    took = {}, before = {}, gone = {},
  }, Metrics)
end

-- ---- counting ------------------------------------------------------------------------------------------------------

local NONE = {} -- the route of what has none

-- Routes of a file that was read again are other tables, but the same routes.
local function new_records(self, route)
  local name = route and route.method .. " " .. route.pattern or ""
  local by_version = self.records[name]
  if not by_version then
    by_version = { method = route and route.method or "", pattern = route and route.pattern or "" }
    self.records[name] = by_version
  end
  self.routes[route or NONE] = by_version
  return by_version
end

local function new_record(by_version, version)
  local record = { sum = 0, n = 0, buckets = {}, statuses = {} }
  for i = 1, NBOUNDS + 1 do record.buckets[i] = 0 end
  by_version[version] = record
  if version then
    local numbers = {}
    for number in pairs(by_version) do
      if type(number) == "number" then numbers[#numbers + 1] = number end
    end
    table.sort(numbers)
    for i = 1, #numbers - KEPT do by_version[numbers[i]] = nil end
  end
  return record
end

--- Several requests were answered, which somebody else has counted, in about the same time each.
---@param route goloader.Route
---@param version integer|nil
---@param status integer
---@param bucket integer  the first of `BOUNDS` that is not less, or the number behind the last
---@param count integer
---@param seconds number  altogether
function Metrics:add(route, version, status, bucket, count, seconds)
  local by_version = self.routes[route] or new_records(self, route)
  local record = by_version[version or false] or new_record(by_version, version or false)
  record.n, record.sum = record.n + count, record.sum + seconds
  record.buckets[bucket] = record.buckets[bucket] + count
  record.statuses[status] = (record.statuses[status] or 0) + count
end

-- The first bound that is not less, or the number behind the last.
local function bucket_of(seconds)
  for i = 2, NBOUNDS do
    if seconds <= BOUNDS[i] then return i end
  end
  return NBOUNDS + 1
end

--- A request was answered.
---@param route goloader.Route|nil
---@param version integer|nil  of the module whose function has answered
---@param status integer
---@param seconds number
function Metrics:observe(route, version, status, seconds)
  route, version = route or NONE, version or false
  local by_version = self.routes[route] or new_records(self, route ~= NONE and route or nil)
  local record = by_version[version] or new_record(by_version, version)
  record.sum, record.n = record.sum + seconds, record.n + 1
  local i = seconds <= BOUNDS[1] and 1 or bucket_of(seconds)
  record.buckets[i] = record.buckets[i] + 1
  local statuses = record.statuses
  statuses[status] = (statuses[status] or 0) + 1
end

local COUNTED = { loaded = "module_loads_total", swapped = "module_loads_total", kept = "module_failures_total",
  unloaded = "module_unloads_total", busy = "module_unloads_refused_total" }

local function escape(value)
  return (tostring(value):gsub('[\\"\n]', { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }))
end

-- "goloader_name{a="b"}", of labels in turn.
local function key(name, ...)
  local words = {}
  for i = 1, select("#", ...), 2 do
    local label, value = select(i, ...)
    words[#words + 1] = ('%s="%s"'):format(label, escape(value))
  end
  return #words == 0 and "goloader_" .. name or ("goloader_%s{%s}"):format(name, table.concat(words, ","))
end

--- Something became of a module; as `on_change` hears it.
---@param change goloader.Change
function Metrics:change(change)
  local name = change.slot.name
  local counter = key(COUNTED[change.what], "module", name)
  self.counts[counter] = (self.counts[counter] or 0) + 1
  if change.version then
    local version = key("module_unload_refused", "module", name, "version", change.version)
    if change.what == "busy" then
      local err = change.err
      local why = (type(err) == "table" and err.message or tostring(err)):match "^[^\n]*"
      self.refused[version] = key("module_unload_refused", "module", name, "version", change.version, "why", why)
    elseif change.what == "unloaded" then
      self.refused[version] = nil
    end
  end
  if change.times then self.took[name] = change.times end
end

-- ---- asking --------------------------------------------------------------------------------------------------------

local function add_requests(self, all)
  for _, by_version in pairs(self.records) do
    for version, record in pairs(by_version) do
      if type(record) == "table" then
        local number = version or ""
        local function put(name, value, ...)
          all[key(name, "method", by_version.method, "route", by_version.pattern, "version", number, ...)] = value
        end
        for status, n in pairs(record.statuses) do put("requests_total", n, "status", status) end
        local n = 0
        for i = 1, NBOUNDS + 1 do
          n = n + record.buckets[i]
          put("request_duration_seconds_bucket", n, "le", BOUNDS[i] or "+Inf")
        end
        put("request_duration_seconds_sum", record.sum)
        put("request_duration_seconds_count", record.n)
      end
    end
  end
end

local function add_modules(self, all, slots)
  for counter, n in pairs(self.counts) do all[counter] = n end
  for _, refused in pairs(self.refused) do all[refused] = 1 end
  for _, slot in ipairs(slots) do
    local visits, old = slot:waiting()
    local name = slot.name
    all[key("module_version", "module", name)] = slot.version and slot.version.number or 0
    all[key("module_old_versions", "module", name)] = old
    all[key("module_old_visits", "module", name)] = visits
    local took = self.took[name]
    if took then
      all[key("module_load_seconds", "module", name)] = took.load
      all[key("module_ready_seconds", "module", name)] = took.ready
    end
  end
end

-- Adds counters that end with what they are counted by. What one has lost since the last time is kept here.
local function add_mortal(self, all, kind, now)
  local before, gone = self.before[kind] or {}, self.gone[kind] or {}
  for name, value in pairs(before) do
    if (now[name] or 0) < value then gone[name] = (gone[name] or 0) + value end
  end
  self.before[kind], self.gone[kind] = now, gone
  for name, value in pairs(now) do all[name] = value end
  for name, value in pairs(gone) do all[name] = (all[name] or 0) + value end
end

-- Caches are their routes', which a routes file that is read again makes anew.
local function add_caches(self, all, routes)
  local now = {}
  for _, route in ipairs(routes) do
    local seen = route.cached and route.cached.seen
    local function put(name, n, ...)
      local sample = key(name, "method", route.method, "route", route.pattern, ...)
      now[sample] = (now[sample] or 0) + n
    end
    if seen then
      put("cache_requests_total", seen.hits, "result", "hit")
      put("cache_requests_total", seen.stale, "result", "stale")
      put("cache_requests_total", seen.misses, "result", "miss")
      put("cache_waits_total", seen.waited)
      put("cache_failures_total", seen.failed)
    end
  end
  add_mortal(self, all, "caches", now)
end

-- Calls are counted with the modules, and go with them.
local function add_calls(self, all, slots)
  local calls, crossings, panics = {}, 0, 0
  local roads = {}
  for _, slot in ipairs(slots) do
    for name, fn in pairs(slot.version and slot.version.functions or {}) do
      local ok, road = pcall(function() return fn:road() end)
      if ok then roads[name] = road end
    end
  end
  for _, export in ipairs(counters.read(false).exports) do
    local road = tostring(roads[export.name] or "capi")
    calls[road] = (calls[road] or 0) + export.calls
    crossings, panics = crossings + export.crossings, panics + export.panics
  end
  local now = { [key "crossings_total"] = crossings, [key "panics_total"] = panics }
  for road, n in pairs(calls) do now[key("calls_total", "road", road)] = n end
  add_mortal(self, all, "calls", now)
end

local function add_process(all, host)
  local stats = host and host.core and host.core:runtime_stats()
  if stats then
    for _, name in ipairs { "heap_bytes", "heap_objects", "system_bytes", "next_gc_bytes" } do
      all[key("go_" .. name)] = stats[name]
    end
    all[key "go_goroutines"] = stats.goroutines
    all[key "go_allocated_bytes_total"] = stats.allocated_bytes
    all[key "go_gc_cycles_total"] = stats.gc_cycles
    all[key "go_gc_pause_seconds_total"] = stats.gc_pause_ns / 1e9
    all[key "go_gc_last_pause_seconds"] = stats.last_pause_ns / 1e9
  end
  local file = io.open("/proc/self/statm", "rb")
  if file then
    local pages = file:read "*a":match "^%d+ (%d+)"
    file:close()
    all[key "resident_bytes"] = tonumber(pages) * 4096
  end
end

---@alias goloader.metrics.Snapshot table<string, number>

--- All figures of this process.
---@param host goloader.Host|nil
---@param slots goloader.Slot[]
---@param routes goloader.Route[]
---@return goloader.metrics.Snapshot
function Metrics:snapshot(host, slots, routes)
  local all = { [key "workers"] = 1 }
  add_requests(self, all)
  add_modules(self, all, slots)
  add_calls(self, all, slots)
  add_caches(self, all, routes)
  add_process(all, host)
  return all
end

-- ---- several processes ---------------------------------------------------------------------------------------------

local function family_of(name)
  local short = name:match "^goloader_([^{]*)"
  local base = short:gsub("_bucket$", ""):gsub("_sum$", ""):gsub("_count$", "")
  local histogram = families[base]
  if histogram and histogram.type == "histogram" then return base, histogram end
  return short, families[short]
end

local NOT_ADDED = { module_version = true, module_load_seconds = true, module_ready_seconds = true,
  go_gc_last_pause_seconds = true }

--- Adds figures of another process to a snapshot. Of versions, and of how long something took, the largest counts.
---@param into goloader.metrics.Snapshot
---@param other goloader.metrics.Snapshot
---@param gone boolean|nil  the process has ended: only what it has counted stays
function metrics.add(into, other, gone)
  for name, value in pairs(other) do
    local short, family = family_of(name)
    if not (gone and family.type == "gauge") then
      into[name] = NOT_ADDED[short] and math.max(into[name] or 0, value) or (into[name] or 0) + value
    end
  end
end

-- ---- writing -------------------------------------------------------------------------------------------------------

-- Back from "goloader_name{a="b"}" to labels.
local function labels_of(name)
  local labels, at = {}, name:find("{", 1, true)
  while at do
    local label, from = name:match('^([%w_]+)="()', at + 1)
    if not label then break end
    local to = from
    while name:sub(to, to) ~= '"' do to = to + (name:sub(to, to) == "\\" and 2 or 1) end
    labels[label] = name:sub(from, to - 1):gsub("\\(.)", function(c) return c == "n" and "\n" or c end)
    at = to + 1
  end
  return labels
end

-- Samples by family, in an order that is always the same.
local function sort(snapshot)
  local by_family, names = {}, {}
  for name, value in pairs(snapshot) do
    local short = family_of(name)
    if not by_family[short] then
      by_family[short] = {}
      names[#names + 1] = short
    end
    local bound = name:match ',le="([^"]*)"'
    table.insert(by_family[short], { name = name, value = value,
      order = bound and name:gsub(',le="[^"]*"', ""), bound = bound == "+Inf" and math.huge or tonumber(bound) })
  end
  table.sort(names)
  for _, samples in pairs(by_family) do
    table.sort(samples, function(a, b)
      if a.bound and b.bound and a.order == b.order then return a.bound < b.bound end
      return (a.order or a.name) < (b.order or b.name)
    end)
  end
  return names, by_family
end

local function number(value)
  if value == math.floor(value) and math.abs(value) < 2 ^ 53 then return ("%.0f"):format(value) end
  return ("%.9g"):format(value)
end

--- Figures as Prometheus reads them.
---@param snapshot goloader.metrics.Snapshot
---@param extra string|nil  a label for all: 'worker="0"'
---@return string
function metrics.text(snapshot, extra)
  local lines = {}
  local names, by_family = sort(snapshot)
  for _, short in ipairs(names) do
    lines[#lines + 1] = ("# HELP goloader_%s %s"):format(short, families[short].help)
    lines[#lines + 1] = ("# TYPE goloader_%s %s"):format(short, families[short].type)
    for _, sample in ipairs(by_family[short]) do
      local name = sample.name
      if extra then
        name = name:find("}", 1, true) and name:sub(1, -2) .. "," .. extra .. "}" or name .. "{" .. extra .. "}"
      end
      lines[#lines + 1] = name .. " " .. number(sample.value)
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

--- The same for who reads JSON: by family its type, and samples with name, labels and value.
---@param snapshot goloader.metrics.Snapshot
---@return table
function metrics.tree(snapshot)
  local tree = {}
  local names, by_family = sort(snapshot)
  for _, short in ipairs(names) do
    local samples = {}
    for i, sample in ipairs(by_family[short]) do
      samples[i] = { name = sample.name:match "^[^{]*", labels = labels_of(sample.name), value = sample.value }
    end
    tree["goloader_" .. short] = { type = families[short].type, help = families[short].help, samples = samples }
  end
  return tree
end

metrics.CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

return metrics
