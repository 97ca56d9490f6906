-- nginx under a full load while everything happens to it: `make soak-nginx SECONDS=600`.
--
-- wrk asks for a page of Go's as fast as it can. Meanwhile the Go file is edited, broken and mended, nginx is reloaded,
-- workers are killed, and clients leave in the middle of what they wait for. Each page names the version that made it
-- at its beginning and at its end: no page may mix two. No request may fail but those that a killed worker had, and
-- the workers' memory may not grow.

local nginx = require "spec.nginx"
local support = require "spec.support"

local seconds = tonumber(arg[1]) or 600
local WORKERS, CONNECTIONS = 2, 24

local function page_of(version)
  return ([[
package page

import (
	"context"
	"strings"
	"time"
)

const version = "v%d"

// Page is the same version from its beginning to its end.
func Page(n int) string {
	return version + strings.Repeat(" page", n%%100) + " " + version
}

func Wait(ctx context.Context, ms int) (string, error) {
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return version + " waited " + version, nil
	}
}
]]):format(version)
end

local ROUTES = [[
local page = module "page.go"
get "/page" { page.Page }
get "/wait" { page.Wait, waits = true }
]]

-- What wrk does: pages, and every tenth time one that waits; it counts the answers that are wrong.
local SCRIPT = [[
local n = 0
function setup(thread) thread:set("id", 1) threads = threads or {} table.insert(threads, thread) end
function init() asked, wrong, first = 0, 0, "" end
function request()
  n = n + 1
  return wrk.format("GET", n % 10 == 0 and "/wait?ms=20" or "/page?n=" .. n)
end
function response(status, headers, body)
  asked = asked + 1
  local one, other = body:match "^(v%d+) .*(v%d+)$"
  if status ~= 200 or one ~= other or not one then
    wrong = wrong + 1
    if first == "" then first = status .. " " .. body:sub(1, 200) end
  end
end
function done(summary)
  local asked, wrong, first = 0, 0, ""
  for _, thread in ipairs(threads) do
    asked, wrong = asked + thread:get "asked", wrong + thread:get "wrong"
    if first == "" then first = thread:get "first" end
  end
  local e = summary.errors
  print(("RESULT %d %d %d %d"):format(asked, wrong, e.connect + e.read + e.write, e.timeout))
  print("FIRST " .. first)
end
]]

local function now()
  local clock = require("goloader.core").clock
  return clock()
end

local function pause(time) os.execute("sleep " .. time) end

-- Megabytes of the worker that has most. Workers come and go, and each grows by its first edits: what tells is the most
-- in a quarter of the time beside the most in another.
local function resident(server)
  local most = 0
  for _, pid in ipairs(server:workers()) do
    local kilobytes = tonumber((support.read(("/proc/%d/status"):format(pid)) or ""):match "VmRSS:%s+(%d+)" or 0)
    most = math.max(most, kilobytes)
  end
  return most / 1024
end

local function run()
  local server = nginx.start {
    workers = WORKERS,
    http = [[
      lua_check_client_abort on;
      keepalive_requests 1000000000;
      init_worker_by_lua_block { require("goloader.nginx").start "conf/routes.lua" }
    ]],
    server = [[location / { content_by_lua_block { require("goloader.nginx").content() } }]],
    files = { ["conf/routes.lua"] = ROUTES, ["conf/page.go"] = page_of(1) },
  }
  local source = server.prefix .. "/conf/page.go"
  local function write(text)
    local file = assert(io.open(source .. ".new", "wb"))
    file:write(text)
    file:close()
    assert(os.rename(source .. ".new", source))
  end
  local script = support.write("soak.lua", SCRIPT)
  local load = assert(io.popen(("wrk -t1 -c%d -d%ds --timeout 10s -s %s http://127.0.0.1:%d/page 2>&1"):format(
    CONNECTIONS, seconds, script, server.port)))

  local started, version, kills, reloads, edits, rounds = now(), 1, 0, 0, 0, 0
  local early, last = 0, 0
  while now() - started < seconds - 3 do
    rounds = rounds + 1
    version = version + 1
    write(page_of(version))
    edits = edits + 1
    pause(0.5)
    if rounds % 3 == 0 then
      write(page_of(version):gsub("return version", "return versoin", 1))
      pause(0.3)
    end
    if rounds % 4 == 1 then -- a client that leaves
      server:get("/wait?ms=5000", { args = { "-m", "0.1" } })
    end
    if rounds % 7 == 3 then
      server:signal "HUP"
      reloads = reloads + 1
      pause(0.5)
    end
    if rounds % 11 == 5 then
      local pid = server:workers()[1]
      if pid then
        server:signal("KILL", pid)
        kills = kills + 1
        pause(0.5)
      end
    end
    local part = (now() - started) / seconds
    if part < 0.25 then early = math.max(early, resident(server)) end
    if part > 0.75 then last = math.max(last, resident(server)) end
  end
  version = version + 1
  write(page_of(version))
  local output = load:read "*a"
  load:close()
  local asked, wrong, broken, late = output:match "RESULT (%d+) (%d+) (%d+) (%d+)"
  if not asked then error("wrk: " .. output, 0) end
  asked, wrong, broken, late = tonumber(asked), tonumber(wrong), tonumber(broken), tonumber(late)
  local settled = support.eventually(function()
    local _, body = server:get "/page?n=1"
    return body:find("v" .. version, 1, true)
  end)
  local log = server:log()
  local _, crashes = log:gsub("exited on signal %d+", "")
  local stopped = server:stop "QUIT"
  print(("%d requests, %d wrong, %d connections broken, %d too late; %d edits, %d reloads, %d workers killed; "
    .. "at most %.1f MB resident in the first quarter, %.1f in the last"):format(asked, wrong, broken, late, edits,
    reloads, kills, early, last))
  local faults = {}
  if wrong > 0 then faults[#faults + 1] = "wrong answers: " .. output:match "FIRST ([^\n]*)" end
  -- A killed worker takes its connections along, and at a reload nginx closes those that are idle, while wrk may be
  -- about to ask. wrk counts each once when it reads and once when it connects anew.
  if broken > (kills + reloads) * CONNECTIONS * 2 then
    faults[#faults + 1] = "connections broken by others than killed and reloaded workers"
  end
  if late > kills * CONNECTIONS then faults[#faults + 1] = "requests were not answered in time" end
  if crashes > kills then faults[#faults + 1] = "workers crashed: " .. log:match "[^\n]*exited on signal[^\n]*" end
  if not settled then faults[#faults + 1] = "the last edit is not served" end
  if last > early * 1.1 + 4 then faults[#faults + 1] = "memory grows" end
  if not stopped then faults[#faults + 1] = "it did not quit" end
  if faults[1] then error(table.concat(faults, "\n"), 0) end
end

local ok, failure = pcall(run)
nginx.clean()
if not ok then
  io.stderr:write("soak-nginx: ", tostring(failure), "\n")
  os.exit(1)
end
