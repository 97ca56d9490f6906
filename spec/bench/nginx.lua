-- What Go in nginx costs, each figure beside the same endpoint without it: `make bench-nginx`.
--
-- wrk asks the two in turn, ROUNDS times, so that a slow minute of the machine falls on both; medians are printed, and
-- added to build/bench.json. Arguments choose figures by the beginning of their names, as those of `make bench` do;
-- WORKERS=2 has nginx run two workers.

local cjson = require "cjson"
local luv = require "luv"
local clock = require "spec.bench.clock"
local median = require "spec.bench.tools".median
local nginx = require "spec.nginx"
local support = require "spec.support"

local here = "spec/bench/nginx"
local workers = tonumber(os.getenv "WORKERS") or 1
local ROUNDS = tonumber(os.getenv "ROUNDS") or 7

-- ---- measuring ------------------------------------------------------------------------------------------------------

local UNITS = { us = 1e-3, ms = 1, s = 1000 }

-- A percentile of what wrk has printed, in milliseconds. It stands on a line of its own: the spread above may be
-- 87.50%.
local function percentile(out, percent)
  local number, unit = out:match(("\n%%s+%d%%%%%%s+([%%d.]+)(%%a+)\n"):format(percent))
  if not UNITS[unit] then error(("no %d%% in what wrk says:\n%s"):format(percent, out), 0) end
  return tonumber(number) * UNITS[unit]
end

---@class bench.nginx.Load
---@field rate number  requests per second
---@field requests integer
---@field p50 number  milliseconds
---@field p99 number

-- Asks one address as often as it can for some seconds: a path, or a whole address. No request may fail.
---@return bench.nginx.Load
local function wrk(server, path, connections, seconds, header)
  local words = {
    "wrk", "--latency", "-t1", "-c" .. connections, ("-d%gs"):format(seconds or 1),
    path:sub(1, 1) == "/" and ("http://127.0.0.1:%d%s"):format(server.port, path) or path,
  }
  if header then
    table.insert(words, 2, "-H")
    table.insert(words, 3, header)
  end
  local status, out, errors = support.run(words)
  if status ~= 0 then error("wrk: " .. errors .. out, 0) end
  local failed = tonumber(out:match "Non%-2xx or 3xx responses: (%d+)" or 0)
  if out:match "Socket errors" then failed = failed + 1 end
  if failed > 0 then error(("%s: %d requests failed\n%s"):format(path, failed, out), 0) end
  return {
    requests = tonumber(out:match "(%d+) requests in"),
    rate = tonumber(out:match "Requests/sec:%s+([%d.]+)"),
    p50 = percentile(out, 50),
    p99 = percentile(out, 99),
  }
end

-- Asks one address at a steady rate by one connection.
---@return integer answered
local function steady(server, path, per_second, seconds)
  local client, timer = luv.new_tcp(), luv.new_timer()
  local request = ("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"):format(path)
  local asked, answered, total = 0, 0, per_second * seconds
  client:connect("127.0.0.1", server.port, function(failure)
    assert(not failure, failure)
    client:read_start(function(_, data)
      answered = answered + select(2, (data or ""):gsub("HTTP/1.1 200", ""))
      if answered >= total or not data then
        timer:close()
        client:close()
      end
    end)
    timer:start(0, math.floor(1000 / per_second), function()
      if asked == total then return timer:stop() end
      asked = asked + 1
      client:write(request)
    end)
  end)
  luv.run()
  return answered
end

-- What processes have used, the workers if nothing is said: seconds of processors, and how often their threads have
-- gone to sleep.
local function usage(server, pids)
  local seconds, sleeps = 0, 0
  for _, pid in ipairs(pids or server:workers()) do
    for thread in luv.fs_scandir_next, luv.fs_scandir(("/proc/%d/task"):format(pid)) do
      local at = ("/proc/%d/task/%s/"):format(pid, thread)
      seconds = seconds + (support.read(at .. "schedstat") or "0"):match "^%d+" * 1e-9
      sleeps = sleeps + ((support.read(at .. "status") or ""):match "\nvoluntary_ctxt_switches:%s+(%d+)" or 0)
    end
  end
  return seconds, sleeps
end

-- ---- the figures ----------------------------------------------------------------------------------------------------

local figures = {}

-- name; what of both is measured, by a function of the server; how the ratio is made: ours by theirs.
local function figure(name, unit, baseline, wanted, measure)
  figures[#figures + 1] = { name = name, unit = unit, baseline = baseline, wanted = wanted, measure = measure }
end

local function rates(ours, theirs, connections)
  return function(server)
    return wrk(server, ours, connections or 32).rate, wrk(server, theirs, connections or 32).rate
  end
end

local function per_request(path, what)
  return function(server)
    local cpu, sleeps = usage(server)
    local answered = steady(server, path, 1000, 2)
    local cpu_then, sleeps_then = usage(server)
    return (what == "cpu" and (cpu_then - cpu) * 1e6 or sleeps_then - sleeps) / answered
  end
end

local function both(ours, theirs)
  return function(server) return ours(server), theirs(server) end
end

figure("nginx.call", "/s", "no call", "≥ 0.95", rates("/call", "/none"))
figure("nginx.sparse.cpu", "µs", "no call", "≤ 1.3", both(per_request("/call", "cpu"), per_request("/none", "cpu")))
figure("nginx.sparse.switches", "", "no call", "≤ 1.5",
  both(per_request("/call", "sleeps"), per_request("/none", "sleeps")))
figure("nginx.pure", "/s", "the same in Lua", "≥ 1.0", rates("/go/pure", "/lua/pure"))
figure("nginx.format", "/s", "the same in Lua", "≥ 0.95", rates("/go/format", "/lua/format"))
figure("nginx.table", "/s", "the same in Lua", "≥ 0.95", rates("/go/table", "/lua/table"))
figure("nginx.async.p50", "ms", "ngx.sleep", "≤ 1.03", function(server)
  return wrk(server, "/go/sleep", 1).p50, wrk(server, "/lua/sleep", 1).p50
end)
figure("nginx.async.rate", "/s", "ngx.sleep", "≥ 0.85", rates("/go/sleep", "/lua/sleep", 1000))
figure("nginx.p99", "ms", "nobody waits", "≤ 1.5", function(server)
  local idle = wrk(server, "/none", 8, 2).p99
  local pipe = assert(io.popen(("wrk -t1 -c1000 -d6s --timeout 10s http://127.0.0.1:%d/go/sleep/long"):format(
    server.port)))
  os.execute "sleep 3" -- they have come all at once, and are spread by now
  local busy = wrk(server, "/none", 8, 2).p99
  pipe:read "*a"
  pipe:close()
  return busy, idle
end)

-- ---- handlers and middlewares, beside a server of Go's own ----------------------------------------------------------

-- The same package, linked into a server that nginx, or the client, asks.
local upstream

local function start_upstream(server)
  if upstream then return upstream end
  local program = support.tmpdir() .. "/upstream"
  local tools = support.tools()
  local ok, _, problem = assert(tools:go({ "build", "-o", program, "./upstream" }, { dir = here })):wait()
  if not ok then error("upstream: " .. problem, 0) end
  os.execute(("chmod 777 %s/plain.sock"):format(server.prefix))
  local command = ("exec %s %s http://127.0.0.1:%d/open 2>%s.log"):format(program, server.prefix, server.port, program)
  local pipe = assert(io.popen("echo $$; " .. command))
  local pid = pipe:read "*l"
  upstream = { pid = pid, pipe = pipe, port = pipe:read "*l", token = pipe:read "*l" }
  return upstream
end

local function stop_upstream()
  if not upstream then return end
  os.execute("kill " .. upstream.pid)
  upstream.pipe:close()
end

figure("nginx.handler", "/s", "nginx proxies to it, Unix socket, keepalive", "≥ 2.2", function(server)
  start_upstream(server)
  return wrk(server, "/handler/product?q=lamp", 32).rate, wrk(server, "/proxied/product?q=lamp", 32).rate
end)

-- Microseconds of all processes that have a part in it, for each request.
local function busy_cpu(server, path)
  local pids = server:workers()
  pids[#pids + 1] = start_upstream(server).pid
  local before = usage(server, pids)
  local load = wrk(server, path, 32)
  return (usage(server, pids) - before) * 1e6 / load.requests
end

figure("nginx.handler.cpu", "µs", "nginx and the server that it proxies to", "≤ 0.6", function(server)
  return busy_cpu(server, "/handler/product?q=lamp"), busy_cpu(server, "/proxied/product?q=lamp")
end)
figure("nginx.waiting.cpu", "µs", "nginx and the server that it proxies to", "≤ 1.0", function(server)
  return busy_cpu(server, "/waiting/handler/product?q=lamp"), busy_cpu(server, "/proxied/product?q=lamp")
end)
figure("nginx.middleware", "/s", "a Go server in front that checks", "≥ 1.5", function(server)
  local other = start_upstream(server)
  local token = "Authorization: Bearer " .. other.token
  return wrk(server, "/guarded", 32, 1, token).rate,
    wrk(server, ("http://127.0.0.1:%s/"):format(other.port), 32, 1, token).rate
end)
figure("nginx.cache", "/s", "a static file of the same size", "≥ 0.9", rates("/cached", "/static"))

-- ---- edits and swaps ------------------------------------------------------------------------------------------------

local function write(path, text)
  local file = assert(io.open(path .. ".new", "wb"))
  file:write(text)
  file:close()
  assert(os.rename(path .. ".new", path))
end

local list_source = support.read "examples/listpage/list.go"
local edition = 0

local function edited()
  edition = edition + 1
  return ("%s\nfunc Version() string { return \"edition %d\" }\n"):format(list_source, edition)
end

-- Asks once, without a process for it.
local function ask(server, path)
  local client, answer = luv.new_tcp(), ""
  client:connect("127.0.0.1", server.port, function(failure)
    assert(not failure, failure)
    client:read_start(function(_, data)
      if data then answer = answer .. data else client:close() end
    end)
    client:write(("GET %s HTTP/1.0\r\n\r\n"):format(path))
  end)
  luv.run()
  return answer
end

-- From the edit to the first page that the new code has made.
local function edit(server)
  local source = edited()
  local wanted = "edition " .. edition
  local began = clock()
  write(server.prefix .. "/conf/list.go", source)
  repeat
    if clock() - began > 20000 then error("the edit is not served: " .. server:log():sub(-500), 0) end
  until ask(server, "/version"):find(wanted, 1, true)
  return clock() - began
end

local function compile(source)
  support.compile(source, "main") -- the list of archives is written before it is timed
  local began = clock()
  support.compile(source, "main")
  return clock() - began
end

figure("nginx.edit", "ms", "go tool compile of it alone", "≤ 1.3", function(server)
  return edit(server), compile(edited())
end)

-- Writes two files in turns over another one, ten times a second, in one process.
local TURNS = [[
local ffi = require "ffi"
ffi.cdef "int getpid(void); int poll(void *fds, unsigned long n, int milliseconds);"
print(ffi.C.getpid())
io.stdout:flush()
local texts = {}
for i = 1, 2 do texts[i] = assert(io.open(arg[i + 1], "rb")):read "*a" end
for i = 2, math.huge do
  ffi.C.poll(nil, 0, 100)
  local file = assert(io.open(arg[1] .. ".new", "wb"))
  file:write(texts[i % 2 + 1])
  file:close()
  assert(os.rename(arg[1] .. ".new", arg[1]))
end]]

-- Two shipped versions take turns, ten times a second, in an nginx that has nothing else: how long an unload stops Go
-- depends on what lies in its heap. Without swaps the same is written where nobody looks: who writes takes a processor
-- from nginx, too.
local function swapping(measure)
  local prefix = support.tmpdir()
  local alone = nginx.start {
    workers = workers,
    http = [[
      keepalive_requests 1000000000;
      init_worker_by_lua_block { require("goloader.nginx").start "conf/routes.lua" }
    ]],
    server = [[location / { content_by_lua_block { require("goloader.nginx").content() } }]],
    files = {
      ["conf/routes.lua"] = 'get "/page" { module("page.gom").Page }',
      ["conf/page.gom"] = support.read(prefix .. "/a.gom"),
      ["elsewhere/page.gom"] = "",
    },
  }
  local program = support.write("turns.lua", TURNS)
  local function measure_beside(folder)
    local over = ("%s/%s/page.gom"):format(alone.prefix, folder)
    local command = ("exec luajit %s %s %s/a.gom %s/b.gom"):format(program, over, prefix, prefix)
    local pipe = assert(io.popen(command))
    local pid = pipe:read "*l"
    local result = measure(alone)
    os.execute("kill " .. pid)
    pipe:close()
    return result
  end
  local quiet, busy = measure_beside "elsewhere", measure_beside "conf"
  alone:stop()
  return busy, quiet
end

figure("nginx.swap", "ms p99", "no swaps", "≤ 1.3", function()
  return swapping(function(server) return wrk(server, "/page", 8, 5).p99 end)
end)

-- ---- running --------------------------------------------------------------------------------------------------------

local function is_wanted(name)
  if not arg[1] then return true end
  for _, beginning in ipairs(arg) do
    if name:sub(1, #beginning) == beginning then return true end
  end
  return false
end

-- Puts a result among those that are there, in the place of an older one of its name.
local function add_result(result)
  local ok, results = pcall(cjson.decode, support.read "build/bench.json" or "")
  if not ok or type(results) ~= "table" then results = {} end
  for i = #results, 1, -1 do
    if results[i].name == result.name then table.remove(results, i) end
  end
  results[#results + 1] = result
  local file = assert(io.open("build/bench.json", "wb"))
  file:write(cjson.encode(results), "\n")
  file:close()
end

local configuration = dofile(here .. "/nginx.conf.lua")
configuration.workers = workers
configuration.files = {
  ["conf/work.go"] = support.read(here .. "/work.go"),
  ["conf/routes.lua"] = support.read(here .. "/routes.lua"),
  ["conf/site/site.go"] = support.read(here .. "/site/site.go"),
  ["conf/go.mod"] = support.read(here .. "/go.mod"),
  ["conf/list.go"] = edited(),
  ["html/static.html"] = ("a page of eleven\n"):rep(250),
}
for _, version in ipairs { "a", "b" } do
  local text = ("package page\n\nfunc Page() string { return %q }\n"):format(version)
  local source = support.write(version .. "/page.go", text)
  assert(support.host():ship(source, support.tmpdir() .. "/" .. version .. ".gom"))
end
local server = nginx.start(configuration)

local function main()
  print(("%-24s %12s %12s    %8s   %-8s %s"):format("", "with Go", "baseline", "ratio", "wanted", "baseline"))
  for _, fig in ipairs(figures) do
    if is_wanted(fig.name) then
      local ours, theirs, ratios = {}, {}, {}
      for i = 1, ROUNDS do
        ours[i], theirs[i] = fig.measure(server)
        ratios[i] = ours[i] / theirs[i]
      end
      local value, baseline, ratio = median(ours), median(theirs), median(ratios)
      local name = workers == 1 and fig.name or ("%s.%dworkers"):format(fig.name, workers)
      print(("%-24s %12.4g %12.4g %-2s %8.3f   %-8s %s"):format(name, value, baseline, fig.unit, ratio, fig.wanted,
        fig.baseline))
      add_result { name = name, value = value, baseline = baseline, ratio = ratio, unit = fig.unit }
    end
  end
  for _, pid in ipairs(server:workers()) do
    local memory = support.read(("/proc/%d/smaps_rollup"):format(pid)) or ""
    local function kilobytes(name) return tonumber(memory:match("\n" .. name .. ":%s+(%d+)") or 0) end
    print(("worker %d: %.1f MB resident, %.1f MB of it its own"):format(pid, kilobytes "Rss" / 1024,
      (kilobytes "Private_Clean" + kilobytes "Private_Dirty") / 1024))
  end
end

local ok, failure = pcall(main)
stop_upstream()
nginx.clean()
if not ok then
  io.stderr:write("bench-nginx: ", tostring(failure), "\n")
  os.exit(1)
end
