-- Every test of the tree, and one sum: `make test`.
--
--     luajit spec/env.lua spec/run.lua [FILE…]
--
-- C unit tests (spec/c), busted specs (spec/*_spec.lua) and Go tests are programs that print a line for each test. Each
-- runs in a process of its own, since a process can start one Go runtime only and a crash must not take the others
-- along: a suite that dies or outlasts its time counts as a failure whatever it printed before. The last line is
-- "N passed, N failed".
--
-- Specs of calls run on PUC Lua too (PLAIN_LUAS below): the roads that calls take differ there, their results don't.
--
-- GOLOADER_ALSO, hosts separated by spaces: the specs are run once more on each. GOLOADER_SAMPLED, Go roots: some of
-- Go's own test programs run on their hosts, as they do on the Go at hand, GOROOT_DIR. CONFORMANCE=all: there all do.

local lfs = require "lfs"
local toolchain = require "goloader.building.toolchain"

local TIMEOUT = tonumber(os.getenv "TEST_TIMEOUT") or 900 -- seconds for one suite
local quote = toolchain.quote

local passed, failed = 0, 0
local color = os.getenv "CI" == nil and os.getenv "TERM" ~= nil and os.getenv "TERM" ~= "dumb"

local function paint(code, text)
  return color and ("\27[%sm%s\27[0m"):format(code, text) or text
end

local function files(dir, pattern)
  local list = {}
  if lfs.attributes(dir, "mode") ~= "directory" then return list end
  for entry in lfs.dir(dir) do
    if entry:find(pattern) then list[#list + 1] = dir .. "/" .. entry end
  end
  table.sort(list)
  return list
end

-- TAP, which cmocka and spec/report.lua print.
local function read_tap(line)
  local bad, name = line:match "^(n?o?t? ?)ok [%d%s]*%-%s*(.*)$"
  if bad == "" then return "pass", name end
  if bad == "not " then return "fail", name end
end

-- What `go test -v` prints; subtests are indented and belong to their test.
local function read_go(line)
  local verdict, name = line:match "^%-%-%- (%u+): (%S+)"
  if verdict == "PASS" then return "pass", name end
  if verdict == "FAIL" or verdict == "SKIP" then return "fail", name end
  -- a package that does not compile runs no test
  if line:find "^FAIL\t.*%[.* failed%]" then return "fail", line end
end

local function seconds()
  local f = io.open "/proc/uptime"
  local now = f:read "*n"
  f:close()
  return now
end

-- A Go runtime that throws tells of every goroutine; the first lines tell why.
local function show(lines)
  for i = 1, math.min(#lines, 40) do print("    " .. lines[i]) end
  if #lines > 40 then print(("    … %d more lines"):format(#lines - 40)) end
end

-- Runs one suite; lines of tests that pass are swallowed.
local function run(title, command, read, environment, timeout)
  local begin, good, bad, quiet = seconds(), 0, 0, {}
  local shell = ("(%s timeout -k 10 %d %s) </dev/null 2>&1; printf '\\nstatus %%d\\n' $?"):format(
    environment or "", timeout or TIMEOUT, command)
  local pipe = assert(io.popen(shell))
  local status, running
  for line in pipe:lines() do
    local verdict, name = read(line)
    status = line:match "^status (%d+)$" or status
    if verdict == "pass" then
      good = good + 1
      quiet = {}
    elseif verdict == "fail" then
      bad = bad + 1
      print(paint("31", "FAIL ") .. title .. ": " .. name)
      show(quiet)
      quiet = {}
    elseif line:find "^# " then
      running = line:sub(3)
    elseif not line:find "^status %d+$" and not line:find "^%d+%.%.%d+$" and line ~= "" then
      -- said before a verdict, for a failure; dropped when the test passes
      quiet[#quiet + 1] = line
    end
  end
  pipe:close()
  if bad > 0 or status ~= "0" then
    show(quiet)
  end
  -- up to 123 a runner's status tells of failures that were counted; beyond, it was killed
  local died = status ~= "0" and (bad == 0 or tonumber(status) >= 124)
  if good + bad == 0 or died then
    local why = status == "124" and ("no end after %d s"):format(timeout or TIMEOUT)
      or status == "0" and "ran no test" or "ended with status " .. tostring(status)
    print(("%s%s: %s%s"):format(paint("31", "FAIL "), title, why, running and " in: " .. running or ""))
    bad = bad + 1
  end
  passed, failed = passed + good, failed + bad
  local note = bad > 0 and paint("31", ("%3d failed"):format(bad)) or "          "
  print(("%-52s %4d passed %s %6.1f s"):format(title, good, note, seconds() - begin))
  io.stdout:flush()
end

local function run_spec(file, lua, host)
  local environment = host and "GOLOADER_HOST=" .. quote(host) or ""
  local on = host and (host:match "host/([^/]*)/" or host) or lua ~= "luajit" and lua
  run(on and ("%s (%s)"):format(file, on) or file,
    lua .. " spec/env.lua spec/busted.lua -o spec/report.lua " .. quote(file), read_tap, environment)
end

local chosen = {}
for _, file in ipairs(arg) do chosen[file] = true end
local function wanted(file)
  return #arg == 0 or chosen[file]
end

for _, file in ipairs(files("spec/c", "_test%.c$")) do
  if wanted(file) then
    run(file, "build/spec/" .. file:match "([^/]*)%.c$", read_tap, "CMOCKA_MESSAGE_OUTPUT=TAP")
  end
end
for _, file in ipairs(files("spec", "_spec%.lua$")) do
  if wanted(file) then run_spec(file, "luajit") end
end

local PLAIN_LUAS = { "lua5.1", "lua5.3", "lua5.4" }
local ON_PLAIN_LUAS = {
  call = true, types = true, maps = true, errors = true, values = true, handles = true, jobs = true, callbacks = true,
  context = true, stats = true, roads = true, many = true, ends = true, reload = true, watch = true, replace = true,
  exports = true, methods = true, std = true, sequences = true, structs = true,
}
for _, lua in ipairs(PLAIN_LUAS) do
  for _, file in ipairs(files("spec", "_spec%.lua$")) do
    if wanted(file) and ON_PLAIN_LUAS[file:match "([^/]*)_spec%.lua$"] then run_spec(file, lua) end
  end
end

-- What these ask depends on nginx, or on Lua, and on one Go as on another; or it takes them long, and others ask the
-- same of each Go in less. They are the slow ones of that kind.
local ON_ONE_GO = {
  nginx_soak = true, nginx_pipe = true, nginxcache = true, nginxroutes = true, examples_nginx = true, check = true,
  reload_nginx = true, modules_nginx = true, modules_failures = true, pluginsexample = true, clean = true,
  jobsexample = true, commandline = true, manual = true, rock = true, deb = true, bundle = true, nginx_states = true,
  swaps = true, reproducible = true, soak = true, inside = true, faults = true, audit = true, delve = true,
  ownhost = true, packages = true,
}

-- Specs that start a host name it; the others prove nothing new on another Go.
local function needs_host(file)
  if ON_ONE_GO[file:match "([^/]*)_spec%.lua$"] then return false end
  local text = toolchain.read_file(file)
  return text:find("goloader.host", 1, true) or text:find("spec.support", 1, true)
end
for host in (os.getenv "GOLOADER_ALSO" or ""):gmatch "%S+" do
  for _, file in ipairs(files("spec", "_spec%.lua$")) do
    if wanted(file) and needs_host(file) then run_spec(file, "luajit", host) end
  end
end

-- Go modules of the tree that have tests
local goroot = os.getenv "GOROOT_DIR"
for _, dir in ipairs { "src/host", "spec/conformance", "spec/bench" } do
  local tests = io.popen(("find %s -name '*_test.go' 2>/dev/null"):format(quote(dir))):read "*a"
  if tests ~= "" and wanted(dir) then
    if goroot then
      run(dir, ("%s/bin/go -C %s test -v ./..."):format(quote(goroot), quote(dir)), read_go,
        "GOTOOLCHAIN=local GOWORK=off GOROOT=" .. quote(goroot))
    else
      print "FAIL GOROOT_DIR is not set: Go tests can't run"
      failed = failed + 1
    end
  end
end

-- Go's own test programs; a Go that was installed without them is measured by the rest of the tests
local function run_conformance(root, tests, timeout)
  if not wanted "conformance" then return end
  local version = (toolchain.read_file(root .. "/VERSION") or root):match "^%S+"
  local title = ("conformance %s%s"):format(version, tests == "" and "" or " (" .. tests:match "[^/]*$" .. ")")
  if lfs.attributes(root .. "/test", "mode") ~= "directory" then
    print(("%-52s    - %s/test is not there"):format(title, root))
    return
  end
  run(title, "spec/conformance/run", read_tap, ("TAP=1 GO=%s TESTS=%s"):format(quote(root), quote(tests)), timeout)
end

local few = "@spec/conformance/few"
if goroot then
  if os.getenv "CONFORMANCE" == "all" then
    run_conformance(goroot, "", 4 * TIMEOUT)
  else
    run_conformance(goroot, few)
  end
end
for root in (os.getenv "GOLOADER_SAMPLED" or ""):gmatch "%S+" do run_conformance(root, few) end

print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0 and 0 or 1)
