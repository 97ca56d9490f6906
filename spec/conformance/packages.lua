-- Packages' own test suites, natively and through goloader: `make packages`.
--
--     luajit spec/env.lua spec/conformance/packages.lua [NAME…]
--
-- packages.txt lists the suites: all of the standard library that has tests, and modules of the Go module proxy, each
-- at the version that is pinned and tested as the main module, in a copy of its own. Of each suite it is written down
-- what every test said, to `go test -json` and to `goloader test -json`; a suite has the same verdict when all of them
-- said the same. packages.txt also has the causes of differences: "! PACKAGE TEST REASON" excepts a test and its
-- subtests, or with "*" all of a package's, which can't say the same by the nature of a host; "? PACKAGE TEST REASON"
-- explains a difference that counts as one.
--
-- Results are kept in build/packages; packages.md is the table of all of them. Where build/ has none, what the table
-- says of the same suite, on the same Go, stays. With names, only suites whose module or package ends so are run.
-- Environment:
--
--     GOROOT_DIR   the Go to use
--     FLAGS        how the packages are built: trimpath, nocgo, …, of the list `sets` below; each set has its own table
--     RESUME=1     leave out the suites that have a result, or are in the table
--     AGAIN=1      runs natively again what has been run
--     LIMIT        seconds that a suite may take on either side (default: 1,200)
--     JOBS         suites at a time (default: 1)

local cjson = require "cjson"
local lfs = require "lfs"
local toolchain = require "goloader.building.toolchain"

local quote, read_file, exists = toolchain.quote, toolchain.read_file, toolchain.exists

local goroot = os.getenv "GOROOT_DIR" or io.popen "go env GOROOT":read()
local version = read_file(goroot .. "/VERSION"):match "^(%S+)"
local build = lfs.currentdir() .. "/build/packages/" .. version
local go = goroot .. "/bin/go"
local limit = tonumber(os.getenv "LIMIT" or "") or 1200

local function fail(...)
  io.stderr:write("packages: ", ..., "\n")
  os.exit(1)
end

local function is_set(name)
  return (os.getenv(name) or "") ~= ""
end

-- ---- the sets of flags --------------------------------------------------------------------------------------------

-- As those of `make conformance`: what is added to the command, and to its environment.
local sets = {
  { name = "", flags = "", environment = "" },
  { name = "trimpath", flags = "-trimpath", environment = "" },
  { name = "nocgo", flags = "", environment = "CGO_ENABLED=0" },
  { name = "netgo", flags = "-tags=netgo", environment = "" },
  { name = "noinline", flags = "-gcflags=all=-l", environment = "" },
  { name = "noopt-all", flags = "'-gcflags=all=-N -l'", environment = "" },
}

local function find_set(name)
  local names = {}
  for _, set in ipairs(sets) do
    if set.name == name then return set end
    names[#names + 1] = set.name
  end
  fail(("there is no set of flags %q, but:%s"):format(name, table.concat(names, " ")))
end

local set = find_set(os.getenv "FLAGS" or "")

-- The file that keeps one of a suite's results.
local function result_file(suite, of_set, kind)
  return suite.file .. (of_set.name ~= "" and "+" .. of_set.name or "") .. "." .. kind
end

-- ---- the list -----------------------------------------------------------------------------------------------------

local environment = ("GOTOOLCHAIN=local GOROOT=%s GOWORK=off PATH=%s/bin:$PATH"):format(quote(goroot), quote(goroot))

-- The standard packages that have tests.
local function standard_packages()
  local format = "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}"
  local pipe = io.popen(("cd / && %s %s list -f %s std"):format(environment, quote(go), quote(format)))
  local paths = {}
  for path in pipe:lines() do
    if path ~= "" then paths[#paths + 1] = path end
  end
  pipe:close()
  return paths
end

local function new_suite(module, of_version, flags, packages)
  local suite = { module = module, version = of_version, flags = flags, packages = packages }
  if #packages == 0 then packages[1] = "./..." end
  suite.title = module == "std" and packages[1] or module
  suite.arguments = table.concat(flags, " ") .. " " .. table.concat(packages, " ")
  suite.file = build .. "/" .. suite.title:gsub("/", "_") .. "@" .. (of_version:gsub("^%-$", version))
  return suite
end

-- Lines "MODULE VERSION [FLAG…] [PACKAGE…]", by default with all packages of the module, or "std - [FLAG…] [PACKAGE]";
-- without a package it stands for all standard ones that no line of their own names.
local function read_list(path)
  local list, exceptions, causes, rest, named = {}, {}, {}, nil, {}
  for line in io.lines(path) do
    local mark, package, test, reason = line:match "^([!?]) (%S+) (%S+) (.*)$"
    if mark then (mark == "!" and exceptions or causes)[package .. " " .. test] = reason end
    local words, flags, packages = {}, {}, {}
    for word in line:gsub("^[#!?].*", ""):gmatch "%S+" do words[#words + 1] = word end
    for i = 3, #words do
      local into = words[i]:find "^%-" and flags or packages
      into[#into + 1] = words[i]
    end
    if words[1] == "std" and #packages == 0 then
      rest = flags
    elseif words[1] then
      list[#list + 1] = new_suite(words[1], words[2], flags, packages)
      named[list[#list].title] = true
    end
  end
  for _, standard in ipairs(rest and standard_packages() or {}) do
    if not named[standard] then list[#list + 1] = new_suite("std", "-", { unpack(rest) }, { standard }) end
  end
  table.sort(list, function(a, b)
    if (a.module == "std") ~= (b.module == "std") then return a.module == "std" end
    return a.title < b.title
  end)
  return list, exceptions, causes
end

local list, exceptions, causes = read_list "spec/conformance/packages.txt"

-- ---- getting it ---------------------------------------------------------------------------------------------------

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
    sh("cd %s && " .. environment .. " %s mod edit -go=1.21", dir, go)
  end
  sh("cd %s && " .. environment .. " %s mod tidy -e >/dev/null 2>&1", dir, go)
  return dir
end

-- ---- running it ---------------------------------------------------------------------------------------------------

-- Names of subtests may hold addresses, times and temporary directories, which are others in every process.
local function event_name(event)
  if not event.Test then return event.Package end
  local test = event.Test:gsub("0x%x+", "0x…"):gsub("time%.Date%b()", "time.Date(…)"):gsub("/tmp/%w+", "/tmp/…")
  return event.Package .. " " .. test
end

-- Tests that run as root can change what is not theirs: gin's set the mode of the root folder, and other users are
-- locked out then.
local root_permissions = lfs.attributes("/", "permissions")

local function mend_root()
  if lfs.attributes("/", "permissions") == root_permissions then return end
  local function may(first) return (root_permissions:sub(first, first + 2):gsub("%-", "")) end
  sh("chmod u=%s,g=%s,o=%s /", may(1), may(4), may(7))
end

-- What each test said: { ["package Test/sub"] = "pass", … }. When the time was up before all was said, `ended` is true.
local function run(arguments, dir, command, file)
  local began = os.time()
  -- a package's tests tell where they are before the whole suite is ended
  local format = "cd %s && %s %s timeout -k 10 %d %s -json -count=1 -vet=off -timeout=%ds %s %s </dev/null >%s 2>%s"
  local status = os.execute(format:format(quote(dir), environment, set.environment, limit, command,
    math.max(limit - 30, 30), set.flags, arguments, quote(file .. ".json"), quote(file .. ".err")))
  mend_root()
  local ended = status == 124 * 256 or status == 137 * 256 -- of timeout(1)
  local said = {}
  for line in io.lines(file .. ".json") do
    local ok, event = pcall(cjson.decode, line)
    if ok and event.Package and (event.Action == "pass" or event.Action == "fail" or event.Action == "skip") then
      said[event_name(event)] = event.Action
    end
  end
  return said, os.time() - began, ended
end

local function count(said)
  local sum = { pass = 0, fail = 0, skip = 0 }
  for name, action in pairs(said) do
    -- a package's own verdict is no test
    if name:find " " then sum[action] = sum[action] + 1 end
  end
  return ("%d / %d / %d"):format(sum.pass, sum.fail, sum.skip), sum.pass + sum.fail + sum.skip
end

-- The exception that covers a test: its own, one of a test that it is a subtest of, or its package's.
local function exception_of(name)
  local all = name:match "^%S+" .. " *"
  if exceptions[all] then return all end
  repeat
    if exceptions[name] then return name end
    name = name:match "^(.* .*)/[^/]*$"
  until not name
end

-- What an earlier run took for a difference may have been excepted since.
local function except_again(result)
  local different, packages, is_listed = {}, {}, {}
  for _, name in ipairs(result.excepted) do is_listed[name] = true end
  for _, line in ipairs(result.different) do
    local name = line:match "^(.*): %S+, not %S+$"
    local exception = name:find " " and exception_of(name)
    if exception and not is_listed[exception] then result.excepted[#result.excepted + 1] = exception end
    if exception then
      is_listed[exception], packages[name:match "^%S+"] = true, true
    else
      different[#different + 1] = line
    end
  end
  result.different = {}
  for _, line in ipairs(different) do
    if not packages[line:match "^(%S+): "] then table.insert(result.different, line) end
  end
  return result
end

-- Which tests said something else, and which of these are excepted. A package's own verdict follows from its tests'.
local function differences(native, loaded)
  local different, excepted, packages, is_listed = {}, {}, {}, {}
  local function compare(name)
    if native[name] == loaded[name] then return end
    local exception = exception_of(name)
    if exception then
      if not is_listed[exception] then excepted[#excepted + 1] = exception end
      is_listed[exception], packages[name:match "^%S+"] = true, true
    else
      different[#different + 1] = ("%s: %s, not %s"):format(name, loaded[name] or "-", native[name] or "-")
    end
  end
  for name in pairs(native) do if name:find " " then compare(name) end end
  for name in pairs(loaded) do if name:find " " and not native[name] then compare(name) end end
  for name in pairs(native) do if not name:find " " and not packages[name] then compare(name) end end
  table.sort(different)
  table.sort(excepted)
  return different, excepted
end

-- Tests that measure time fail now and then on a machine that is busy. Those that differ are run once more, on both
-- sides alike, and have passed when they ever did; a package has when all its tests have.
local function try_again(suite, dir, different, sides)
  local packages = {}
  for _, line in ipairs(different) do
    local package, test = line:match "^(%S*[^:%s]) ([^/:%s]+)" -- "package: …" is the package's own verdict
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
      said[package] = all
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
  local native_file = result_file(suite, set, "native")
  local native = not is_set "AGAIN" and load_result(native_file) or nil
  if not native or native.arguments ~= suite.arguments then
    local said, seconds, ended = run(suite.arguments, dir, go .. " test", native_file)
    native = { said = said, seconds = seconds, ended = ended, arguments = suite.arguments }
    save(native_file, native)
  end
  local loaded = quote(lfs.currentdir() .. "/build/bin/goloader") .. " test"
  local said, seconds, ended = run(suite.arguments, dir, loaded, result_file(suite, set, "loaded"))
  local different, excepted = differences(native.said, said)
  for _ = 1, 2 do
    if #different == 0 or ended or native.ended then break end
    try_again(suite, dir, different, { [go .. " test"] = native.said, [loaded] = said })
    different, excepted = differences(native.said, said)
  end
  local was, total = count(native.said)
  local result = {
    native = was, loaded = count(said), total = total, different = different, excepted = excepted,
    native_seconds = native.seconds, seconds = seconds, native_ended = native.ended, ended = ended,
  }
  save(result_file(suite, set, "result"), result)
  return result
end

-- ---- the table ----------------------------------------------------------------------------------------------------

local function verdict(result)
  if result.native_ended then return "natively ended by the time limit" end
  if result.ended then return "ended by the time limit" end
  if #result.different > 0 then return ("%d differ"):format(#result.different) end
  if result.total == 0 then return "no tests ran" end
  return #result.excepted == 0 and "same" or ("same but %s"):format(table.concat(result.excepted, ", "))
end

-- Why some tests say something else.
local function notes(title, reasons)
  local lines = {}
  for name, reason in pairs(reasons) do lines[#lines + 1] = ("- %s: %s\n"):format(name, reason) end
  table.sort(lines)
  return #lines > 0 and ("\n%s:\n\n%s"):format(title, table.concat(lines)) or ""
end

local TABLE = "spec/conformance/packages.md"
local NOT_RUN = "not run"

-- What a row begins with says which suite was run, and by which Go.
local function row_key(suite)
  local what = suite.module == "std" and "" or table.concat(suite.packages, " ")
  local of = suite.module == "std" and "standard" or suite.version
  return ("| %s | %s | %s | %s | "):format(suite.title, of, version, what)
end

local function heading_of(of_set)
  return of_set.name == "" and "" or ("\n## Built with %s\n"):format(of_set.environment .. of_set.flags)
end

-- The rows of the table as it is, by heading.
local function read_rows()
  local by_heading, rows = {}, {}
  by_heading[""] = rows
  for line in (read_file(TABLE) or ""):gmatch "[^\n]+" do
    if line:find "^## " then
      rows = {}
      by_heading["\n" .. line .. "\n"] = rows
    elseif line:find "^| " then
      rows[#rows + 1] = line
    end
  end
  return by_heading
end

local known_rows = read_rows()

-- What the table says of a suite that was run elsewhere; nil: nothing.
---@return string|nil row
---@return string|nil verdict
local function known_row(suite, of_set)
  local key = row_key(suite)
  for _, row in ipairs(known_rows[heading_of(of_set)] or {}) do
    if row:sub(1, #key) == key then
      local word = row:match "| ([^|]*) |$"
      if word ~= NOT_RUN then return row, word end
    end
  end
end

-- The rows of one set of flags, how many suites have the same verdict, and how many were run.
local function rows_of(of_set)
  local rows, same, ran = {}, 0, 0
  for _, suite in ipairs(list) do
    local result = load_result(result_file(suite, of_set, "result"))
    if result then except_again(result) end
    local known, word = known_row(suite, of_set)
    if result then word = verdict(result) end
    word = word or NOT_RUN
    if word:find "^same" then same = same + 1 end
    if word ~= NOT_RUN then ran = ran + 1 end
    rows[#rows + 1] = not result and known or ("%s%s | %s | %s |"):format(row_key(suite),
      result and result.native or "", result and result.loaded or "", word)
    for i, line in ipairs(result and result.different or {}) do
      if i > 5 then break end
      rows[#rows] = rows[#rows]:gsub(" |$", "<br>" .. line:gsub("|", "\\|"):gsub("%%", "%%%%") .. " |")
    end
  end
  return rows, same, ran
end

local columns = [[
| package or module | version | Go | packages | natively | through goloader | verdict |
| --- | --- | --- | --- | --- | --- | --- |
]]

local function write_table()
  local f = assert(io.open(TABLE, "w"))
  f:write [[
# Packages' own tests, through goloader

`make packages` wrote this. Every test and subtest of these suites was run by `go test` and by `goloader test`, and is
counted as pass / fail / skip; "same" means that each one of them said the same.
]]
  local own_same, own_ran
  for _, of_set in ipairs(sets) do
    local rows, same, ran = rows_of(of_set)
    if of_set == set then own_same, own_ran = same, ran end
    if ran > 0 then
      f:write(heading_of(of_set),
        ("\n%d of %d suites that were run have the same verdict; %d were not run.\n\n"):format(same, ran, #rows - ran),
        columns, table.concat(rows, "\n"), "\n")
    end
  end
  f:write(notes("Excepted, as they can't say the same in a host", exceptions))
  f:write(notes("Other differences, and their causes", causes))
  f:close()
  return own_same, own_ran
end

-- ---- the run ------------------------------------------------------------------------------------------------------

local function is_wanted(suite)
  local wanted = #arg == 0
  for _, name in ipairs(arg) do wanted = wanted or suite.title == name or suite.title:sub(-#name - 1) == "/" .. name end
  if not wanted then return false end
  return not is_set "RESUME" or not exists(result_file(suite, set, "result")) and known_row(suite, set) == nil
end

-- Runs a suite and tells of it in one write, as others may be telling of theirs.
local function run_and_tell(suite)
  local result, why = run_suite(suite)
  local lines = { ("%-44s %s"):format(suite.title, why or "") }
  if result then
    lines[1] = ("%-44s %-16s %-16s %s"):format(suite.title, result.native, result.loaded, verdict(result))
    for i = 1, math.min(10, #result.different) do lines[#lines + 1] = "    " .. result.different[i] end
  end
  io.write(table.concat(lines, "\n"), "\n")
  io.stdout:flush()
  return result and verdict(result):find "^same" ~= nil
end

-- One suite, for a run of several at a time.
if arg[1] == "--suite" then
  for _, suite in ipairs(list) do
    if suite.title == arg[2] then os.exit(run_and_tell(suite) and 0 or 1) end
  end
end

os.execute("mkdir -p " .. quote(build))
local wanted = {}
for _, suite in ipairs(list) do
  if is_wanted(suite) then wanted[#wanted + 1] = suite.title end
end
if #wanted == 0 and not is_set "RESUME" then fail "no such suite in spec/conformance/packages.txt" end
if #wanted > 0 then
  local std = { module = "std", version = "-", title = "std" }
  fetch(std) -- the directory that all standard suites share
  local names = os.tmpname()
  local f = assert(io.open(names, "w"))
  f:write(table.concat(wanted, "\n"), "\n")
  f:close()
  os.execute(("xargs -a %s -d '\\n' -P %d -n 1 luajit spec/env.lua spec/conformance/packages.lua --suite"):format(
    quote(names), tonumber(os.getenv "JOBS" or "") or 1))
  os.remove(names)
end
local same, ran = write_table()
print(("%d of %d suites have the same result as natively"):format(same, ran))
os.exit(same == ran and 0 or 1)
