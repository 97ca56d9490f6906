-- Every test of the tree, and one sum: `make test`.
--
--     luajit spec/env.lua spec/run.lua [FILE…]
--
-- C unit tests (spec/c), busted specs (spec/*_spec.lua) and Go tests are programs that print a line for each test. Each
-- runs in a process of its own, since a process can start one Go runtime only and a crash must not take the others
-- along: a suite that dies or outlasts its time counts as a failure whatever it printed before. The last line is
-- "N passed, N failed"; before it stands what was skipped, as the machine lacks a tool or a right that it needs.
-- TEST_JOBS of them run at once (default: one more than there are cores), but for those of ALONE below.
--
-- Specs of calls run on PUC Lua too (PLAIN_LUAS below): the roads that calls take differ there, their results don't.
--
-- GOLOADER_ALSO, hosts separated by spaces: the specs are run once more on each. GOLOADER_SAMPLED, Go roots: some of
-- Go's own test programs run on their hosts, as they do on the Go at hand, GOROOT_DIR. CONFORMANCE=all: there all do.

local ffi = require "ffi"
local lfs = require "lfs"
local toolchain = require "goloader.building.toolchain"

local function cores()
  local pipe = io.popen "nproc"
  local n = tonumber((pipe:read "*a"))
  pipe:close()
  return n or 1
end

local TIMEOUT = tonumber(os.getenv "TEST_TIMEOUT") or 900 -- seconds for one suite
local quote = toolchain.quote

local passed, failed, skipped = 0, 0, {}
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
  if bad == "" and name:find " # SKIP" then return "skip", (name:gsub(" # SKIP", ":")) end
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

local Suite = {}
Suite.__index = Suite

function Suite:start()
  self.begin, self.good, self.bad, self.left_out, self.quiet, self.rest = seconds(), 0, 0, 0, {}, ""
  self.pipe = assert(io.popen(("(%s timeout -k 10 %d %s) </dev/null 2>&1; printf '\\nstatus %%d\\n' $?"):format(
    self.environment or "", self.timeout, self.command)))
end

-- Lines of tests that pass are swallowed.
function Suite:take(line)
  local verdict, name = self.read(line)
  self.status = line:match "^status (%d+)$" or self.status
  if verdict == "pass" then
    self.good = self.good + 1
    self.quiet = {}
  elseif verdict == "skip" then
    self.left_out = self.left_out + 1
    skipped[#skipped + 1] = self.title .. ": " .. name
  elseif verdict == "fail" then
    self.bad = self.bad + 1
    print(paint("31", "FAIL ") .. self.title .. ": " .. name)
    show(self.quiet)
    self.quiet = {}
  elseif line:find "^# " then
    self.running = line:sub(3)
  elseif not line:find "^status %d+$" and not line:find "^%d+%.%.%d+$" and line ~= "" then
    -- said before a verdict, for a failure; dropped when the test passes
    self.quiet[#self.quiet + 1] = line
  end
end

function Suite:take_all(text)
  self.rest = self.rest .. text
  local from = 1
  for line, to in self.rest:gmatch "([^\n]*)\n()" do
    self:take(line)
    from = to
  end
  self.rest = self.rest:sub(from)
end

function Suite:finish()
  self.pipe:close()
  if self.bad > 0 or self.status ~= "0" then show(self.quiet) end
  -- up to 123 a runner's status tells of failures that were counted; beyond, it was killed
  local died = self.status ~= "0" and (self.bad == 0 or tonumber(self.status) >= 124)
  if self.good + self.bad + self.left_out == 0 or died then
    local why = self.status == "124" and ("no end after %d s"):format(self.timeout)
      or self.status == "0" and "ran no test" or "ended with status " .. tostring(self.status)
    print(("%s%s: %s%s"):format(paint("31", "FAIL "), self.title, why,
      self.running and " in: " .. self.running or ""))
    self.bad = self.bad + 1
  end
  passed, failed = passed + self.good, failed + self.bad
  local note = self.bad > 0 and paint("31", ("%3d failed"):format(self.bad)) or "          "
  print(("%-52s %4d passed %s %6.1f s"):format(self.title, self.good, note, seconds() - self.begin))
  io.stdout:flush()
end

local suites = {}

local function add(title, command, read, environment, timeout, alone)
  suites[#suites + 1] = setmetatable({
    title = title, command = command, read = read, environment = environment, timeout = timeout or TIMEOUT,
    alone = alone,
  }, Suite)
end

ffi.cdef [[
struct pollfd { int fd; short events, revents; };
int poll(struct pollfd *, unsigned long, int);
int fileno(void *);
long read(int, void *, size_t);
]]
local POLLIN, EINTR = 1, 4
local buffer = ffi.new("char[?]", 65536)

-- What has come of a suite's output, which poll says there is; nil at its end.
local function read_some(suite)
  local n = tonumber(ffi.C.read(ffi.C.fileno(suite.pipe), buffer, 65536))
  if n > 0 then return ffi.string(buffer, n) end
  if n < 0 and ffi.errno() == EINTR then return "" end
end

-- Waits till one of them has said something, or has ended; those that go on are returned.
local function attend(running)
  local fds = ffi.new("struct pollfd[?]", #running)
  for i, suite in ipairs(running) do fds[i - 1].fd, fds[i - 1].events = ffi.C.fileno(suite.pipe), POLLIN end
  if ffi.C.poll(fds, #running, -1) < 0 then return running end
  local left = {}
  for i, suite in ipairs(running) do
    local text = fds[i - 1].revents == 0 and "" or read_some(suite)
    if text then
      suite:take_all(text)
      left[#left + 1] = suite
    else
      suite:finish()
    end
  end
  return left
end

local function run_at_once(list, jobs)
  local running, next_one = {}, 1
  while running[1] or list[next_one] do
    while #running < jobs and list[next_one] do
      list[next_one]:start()
      running[#running + 1] = list[next_one]
      next_one = next_one + 1
    end
    running = attend(running)
  end
end

local function run_all()
  local together, alone = {}, {}
  for _, suite in ipairs(suites) do
    local list = suite.alone and alone or together
    list[#list + 1] = suite
  end
  -- many of them wait for something now and then
  run_at_once(together, tonumber(os.getenv "TEST_JOBS") or cores() + 1)
  run_at_once(alone, 1)
end

-- ---- what there is --------------------------------------------------------------------------------------------------

-- These build in the tree, whose make others start, too.
local ALONE = { deb = true, rock = true }

local function spec_name(file) return file:match "([^/]*)_spec%.lua$" end

local function run_spec(file, lua, host)
  local alone = ALONE[spec_name(file)]
  local environment = (host and "GOLOADER_HOST=" .. quote(host) or "") .. (alone and " MAKEFLAGS=-j" .. cores() or "")
  local on = host and (host:match "host/([^/]*)/" or host) or lua ~= "luajit" and lua
  add(on and ("%s (%s)"):format(file, on) or file,
    lua .. " spec/env.lua spec/busted.lua -o spec/report.lua " .. quote(file), read_tap, environment, nil,
    alone)
end

local chosen = {}
for _, file in ipairs(arg) do chosen[file] = true end
local function wanted(file)
  return #arg == 0 or chosen[file]
end

for _, file in ipairs(files("spec/c", "_test%.c$")) do
  if wanted(file) then
    add(file, "build/spec/" .. file:match "([^/]*)%.c$", read_tap, "CMOCKA_MESSAGE_OUTPUT=TAP")
  end
end
for _, file in ipairs(files("spec", "_spec%.lua$")) do
  if wanted(file) then run_spec(file, "luajit") end
end

local PLAIN_LUAS = { "lua5.1", "lua5.3", "lua5.4" }
local ON_PLAIN_LUAS = {
  call = true, types = true, maps = true, errors = true, values = true, handles = true, jobs = true, callbacks = true,
  context = true, stats = true, roads = true, many = true, ends = true, reload = true, watch = true, replace = true,
  exports = true, methods = true, std = true, sequences = true, structs = true, random_types = true,
}
for _, lua in ipairs(PLAIN_LUAS) do
  for _, file in ipairs(files("spec", "_spec%.lua$")) do
    if wanted(file) and ON_PLAIN_LUAS[spec_name(file)] then run_spec(file, lua) end
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

-- What these ask depends on how new a Go is, if at all, and takes them long: on the first host of GOLOADER_ALSO only.
local ON_TWO_GOS = {
  debugger = true, embed = true, gorun = true, test = true, user = true, retention = true, trust = true, share = true,
  share_races = true, serve = true, handler = true, nethttp = true, nginx = true, nginx_process = true, rebuild = true,
  cli = true, settings = true, policy = true, imports = true, reload = true,
}

-- Specs that start a host name it; the others prove nothing new on another Go.
local function needs_host(file, is_first)
  if ON_ONE_GO[spec_name(file)] or ON_TWO_GOS[spec_name(file)] and not is_first then return false end
  local text = toolchain.read_file(file)
  return text:find("goloader.host", 1, true) or text:find("spec.support", 1, true)
end
local is_first = true
for host in (os.getenv "GOLOADER_ALSO" or ""):gmatch "%S+" do
  for _, file in ipairs(files("spec", "_spec%.lua$")) do
    if wanted(file) and needs_host(file, is_first) then run_spec(file, "luajit", host) end
  end
  is_first = false
end

-- Go modules of the tree that have tests
local goroot = os.getenv "GOROOT_DIR"
for _, dir in ipairs { "src/host", "spec/conformance", "spec/bench" } do
  local tests = io.popen(("find %s -name '*_test.go' 2>/dev/null"):format(quote(dir))):read "*a"
  if tests ~= "" and wanted(dir) then
    if goroot then
      add(dir, ("%s/bin/go -C %s test -v ./..."):format(quote(goroot), quote(dir)), read_go,
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
  -- it runs as many programs at once as there are cores
  local environment = ("TAP=1 GO=%s TESTS=%s"):format(quote(root), quote(tests))
  add(title, "spec/conformance/run", read_tap, environment, timeout, true)
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

run_all()
for _, what in ipairs(skipped) do print("skipped " .. what) end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed + #skipped > 0 and 0 or 1)
