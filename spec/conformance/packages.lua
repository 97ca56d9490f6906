-- Packages' own test suites, natively and through goloader: `make packages`.
--
--     luajit spec/env.lua spec/conformance/packages.lua [NAME…]
--
-- packages.txt lists the suites. Of each it is written down what every test said, to `go test -json` and to
-- `goloader test -json`; a suite has the same verdict when all of them said the same. What is not standard comes from
-- the Go module proxy, at the version that is pinned, and is tested as the main module, in a copy of its own.
--
-- A test that can't say the same by the nature of a host is listed there, too, and why: "! PACKAGE TEST REASON".
--
-- Results are kept in build/packages; packages.md is the table of all of them. With names, only suites whose module or
-- package ends so are run. Environment: GOROOT_DIR, the Go to use; AGAIN=1, run natively again what has been run.

local cjson = require "cjson"
local lfs = require "lfs"
local toolchain = require "goloader.building.toolchain"

local quote, read_file, exists = toolchain.quote, toolchain.read_file, toolchain.exists

local goroot = os.getenv "GOROOT_DIR" or io.popen "go env GOROOT":read()
local version = read_file(goroot .. "/VERSION"):match "^(%S+)"
local build = lfs.currentdir() .. "/build/packages/" .. version
local go = goroot .. "/bin/go"

local function fail(...)
  io.stderr:write("packages: ", ..., "\n")
  os.exit(1)
end

-- ---- the list -----------------------------------------------------------------------------------------------------

-- Lines "MODULE VERSION [FLAG…] [PACKAGE…]", or "std - [FLAG…] PACKAGE"; all packages of the module by default.
local function read_list(path)
  local list, exceptions = {}, {}
  for line in io.lines(path) do
    local package, test, reason = line:match "^! (%S+) (%S+) (.*)$"
    if package then exceptions[package .. " " .. test] = reason end
    local words = {}
    for word in line:gsub("^[#!].*", ""):gmatch "%S+" do words[#words + 1] = word end
    if #words > 0 then
      local suite = { module = words[1], version = words[2], flags = {}, packages = {} }
      for i = 3, #words do
        local into = words[i]:find "^%-" and suite.flags or suite.packages
        into[#into + 1] = words[i]
      end
      if #suite.packages == 0 then suite.packages[1] = "./..." end
      suite.title = suite.module == "std" and suite.packages[1] or suite.module
      suite.arguments = table.concat(suite.flags, " ") .. " " .. table.concat(suite.packages, " ")
      suite.file = build .. "/" .. suite.title:gsub("/", "_") .. "@" .. (suite.version:gsub("^%-$", version))
      list[#list + 1] = suite
    end
  end
  return list, exceptions
end

local list, exceptions = read_list "spec/conformance/packages.txt"

-- ---- getting it ---------------------------------------------------------------------------------------------------

local environment = ("GOTOOLCHAIN=local GOROOT=%s GOWORK=off PATH=%s/bin:$PATH"):format(quote(goroot), quote(goroot))

local function sh(format, ...)
  local words = { ... }
  for i, word in ipairs(words) do words[i] = quote(word) end
  local status = os.execute(format:format(unpack(words)))
  return status == true or status == 0
end

-- The directory to test in: a copy of the module, writable, as a checkout is.
local function fetch(suite)
  local dir = build .. "/src/" .. suite.title:gsub("/", "_") .. "@" .. suite.version
  if suite.module == "std" then dir = build .. "/src/std" end
  if exists(dir .. "/go.mod") then return dir end
  sh("mkdir -p %s", dir)
  if suite.module == "std" then
    local f = assert(io.open(dir .. "/go.mod", "w"))
    f:write("module std.test\n\ngo ", version:match "go(%d+%.%d+)", "\n")
    f:close()
    return dir
  end
  local pipe = io.popen(("cd %s && %s %s mod download -json %s"):format(quote(dir), environment, quote(go),
    quote(suite.module .. "@" .. suite.version)))
  local answer = cjson.decode(pipe:read "*a")
  pipe:close()
  if answer.Error then return nil, answer.Error end
  if not sh("cp -r %s/. %s && chmod -R u+w %s", answer.Dir, dir, dir) then return nil, "can't be copied" end
  -- a module from before there were any
  if not exists(dir .. "/go.mod") then
    sh("cd %s && " .. environment .. " %s mod init %s >/dev/null 2>&1", dir, go, suite.module)
  end
  sh("cd %s && " .. environment .. " %s mod tidy -e >/dev/null 2>&1", dir, go)
  return dir
end

-- ---- running it ---------------------------------------------------------------------------------------------------

-- Names of subtests may hold addresses and times, which are others in every process.
local function event_name(event)
  if not event.Test then return event.Package end
  return event.Package .. " " .. event.Test:gsub("0x%x+", "0x…"):gsub("time%.Date%b()", "time.Date(…)")
end

-- What each test said: { ["package Test/sub"] = "pass", … }.
local function run(arguments, dir, command, file)
  local began = os.time()
  os.execute(("cd %s && %s %s -json -count=1 -timeout=20m %s </dev/null >%s 2>%s"):format(quote(dir), environment,
    command, arguments, quote(file .. ".json"), quote(file .. ".err")))
  local said = {}
  for line in io.lines(file .. ".json") do
    local ok, event = pcall(cjson.decode, line)
    if ok and event.Package and (event.Action == "pass" or event.Action == "fail" or event.Action == "skip") then
      said[event_name(event)] = event.Action
    end
  end
  return said, os.time() - began
end

local function count(said)
  local sum = { pass = 0, fail = 0, skip = 0 }
  for name, action in pairs(said) do
    -- a package's own verdict is no test
    if name:find " " then sum[action] = sum[action] + 1 end
  end
  return ("%d / %d / %d"):format(sum.pass, sum.fail, sum.skip), sum.pass + sum.fail + sum.skip
end

-- Which tests said something else, and which of these are excepted. A package's own verdict follows from its tests'.
local function differences(native, loaded)
  local different, excepted, packages = {}, {}, {}
  local function compare(name)
    if native[name] == loaded[name] then return end
    if exceptions[name] then
      excepted[#excepted + 1] = name
      packages[name:match "^%S+"] = true
    else
      different[#different + 1] = ("%s: %s, not %s"):format(name, loaded[name] or "-", native[name] or "-")
    end
  end
  for name in pairs(native) do if name:find " " then compare(name) end end
  for name in pairs(loaded) do if name:find " " and not native[name] then compare(name) end end
  for name in pairs(native) do if not name:find " " and not packages[name] then compare(name) end end
  table.sort(different)
  return different, excepted
end

-- Tests that measure time fail now and then on a machine that is busy. Those that differ are run once more, on both
-- sides alike, and have passed when they ever did; a package has when all its tests have.
local function try_again(suite, dir, different, sides)
  local packages = {}
  for _, line in ipairs(different) do
    local package, test = line:match "^(%S+) ([^/:%s]+)"
    if test then packages[package] = (packages[package] or "NONE") .. "|" .. test end
  end
  for package, tests in pairs(packages) do
    local format = "%s -run=%s %s"
    local arguments = format:format(table.concat(suite.flags, " "), quote("^(" .. tests .. ")$"), quote(package))
    for command, said in pairs(sides) do
      for name, action in pairs((run(arguments, dir, command, suite.file .. ".again"))) do
        if name:find " " and action == "pass" then said[name] = action end
      end
      local all = "pass"
      for name, action in pairs(said) do
        if name:sub(1, #package + 1) == package .. " " and action == "fail" then all = "fail" end
      end
      said[package] = said[package] and all
    end
  end
end

local function save(path, value)
  local f = assert(io.open(path, "w"))
  f:write(cjson.encode(value))
  f:close()
end

local function load_result(path)
  local text = read_file(path)
  return text and cjson.decode(text)
end

local function run_suite(suite)
  local dir, why = fetch(suite)
  if not dir then return nil, why end
  local native = not os.getenv "AGAIN" and load_result(suite.file .. ".native") or nil
  if not native or native.arguments ~= suite.arguments then
    local said, seconds = run(suite.arguments, dir, go .. " test", suite.file .. ".native")
    native = { said = said, seconds = seconds, arguments = suite.arguments }
    save(suite.file .. ".native", native)
  end
  local loaded = quote(lfs.currentdir() .. "/build/bin/goloader") .. " test"
  local said, seconds = run(suite.arguments, dir, loaded, suite.file .. ".loaded")
  local different, excepted = differences(native.said, said)
  for _ = 1, 2 do
    if #different == 0 then break end
    try_again(suite, dir, different, { [go .. " test"] = native.said, [loaded] = said })
    different, excepted = differences(native.said, said)
  end
  local was, total = count(native.said)
  local result = {
    native = was, loaded = count(said), total = total, different = different, excepted = excepted,
    native_seconds = native.seconds, seconds = seconds,
  }
  save(suite.file .. ".result", result)
  return result
end

-- ---- the table ----------------------------------------------------------------------------------------------------

local function verdict(result)
  if result.total == 0 then return "no tests ran" end
  if #result.different > 0 then return ("%d differ"):format(#result.different) end
  return #result.excepted == 0 and "same" or ("same but %s"):format(table.concat(result.excepted, ", "))
end

-- Why some tests are excepted.
local function notes()
  local lines = {}
  for name, reason in pairs(exceptions) do lines[#lines + 1] = ("- %s: %s\n"):format(name, reason) end
  table.sort(lines)
  return #lines > 0 and "\nExcepted, as they can't say the same in a host:\n\n" .. table.concat(lines) or ""
end

local function write_table()
  local f = assert(io.open("spec/conformance/packages.md", "w"))
  local rows, same = {}, 0
  for _, suite in ipairs(list) do
    local result = load_result(suite.file .. ".result")
    if result then
      local word = verdict(result)
      if word:find "^same" then same = same + 1 end
      local what = suite.module == "std" and "" or table.concat(suite.packages, " ")
      rows[#rows + 1] = ("| %s | %s | %s | %s | %s | %s | %s |"):format(suite.title,
        suite.module == "std" and "standard" or suite.version, version, what, result.native, result.loaded, word)
    end
  end
  f:write(([[
# Packages' own tests, through goloader

`make packages` wrote this. Every test and subtest of these suites was run by `go test` and by `goloader test`, and is
counted as pass / fail / skip; "same" means that each one of them said the same. %d of %d suites are.

| package or module | version | Go | packages | natively | through goloader | verdict |
| --- | --- | --- | --- | --- | --- | --- |
%s
%s]]):format(same, #rows, table.concat(rows, "\n"), notes()))
  f:close()
  return same, #rows
end

os.execute("mkdir -p " .. quote(build))
local bad, ran = 0, 0
for _, suite in ipairs(list) do
  local wanted = #arg == 0
  for _, name in ipairs(arg) do wanted = wanted or suite.title == name or suite.title:sub(-#name - 1) == "/" .. name end
  if wanted then
    ran = ran + 1
    local result, why = run_suite(suite)
    if result then
      print(("%-44s %-16s %-16s %s"):format(suite.title, result.native, result.loaded, verdict(result)))
      for i = 1, math.min(10, #result.different) do print("    " .. result.different[i]) end
    else
      print(("%-44s %s"):format(suite.title, why))
    end
    if not result or not verdict(result):find "^same" then bad = bad + 1 end
    io.stdout:flush()
  end
end
if ran == 0 then fail "no such suite in spec/conformance/packages.txt" end
local same, all = write_table()
print(("%d of %d suites have the same result as natively"):format(same, all))
os.exit(bad == 0 and 0 or 1)
