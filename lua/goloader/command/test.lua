--- goloader test: what `go test` does, with each test binary loaded into a host instead of linked.
--
-- Patterns, flags, vet, coverage, packages in parallel, time limits, cached results, the report and the exit status are
-- `go test`'s own: it runs, and only its linker is another. -toolexec puts a script before each of Go's tools, which
-- hands a call of the linker to goloader.command.link. That writes, in place of the test binary, a program that knows
-- the objects. `go test` starts it where and as it would start the binary, and so do tests that start themselves again;
-- it loads the objects as one module and runs main.

local go_flags = require "goloader.building.flags"
local terminal = require "goloader.command.terminal"
local toolchain = require "goloader.building.toolchain"

local test = {}

local function complain(err)
  io.stderr:write("goloader test: ", type(err) == "table" and err.message or err, "\n")
  return 1
end

-- ---- the command --------------------------------------------------------------------------------------------------

-- Flags that decide how the standard library is compiled, with how many words they take.
local build_flags = { tags = 2, gcflags = 2, asmflags = 2, installsuffix = 2, pgo = 2, buildmode = 2, trimpath = 1 }

local refused = setmetatable({
  c = "a test binary is linked by go test -c; there is none here",
  o = "a test binary is linked by go test -o; there is none here",
  toolexec = "this is how the linker is replaced",
}, { __index = go_flags.sanitizers })

-- The flags among the arguments that go list must know, too; or why there is one that can't be. `fuzz` is "true" when
-- all packages are compiled to count for the fuzzer.
local function read_flags(arguments)
  local flags, fuzz, at = {}, nil, 1
  while arguments[at] do
    local word = arguments[at]
    local name, value = word:match "^%-%-?(%w+)=?(.*)$"
    if name == "args" then break end
    if refused[name] and value ~= "false" then return nil, ("flag -%s: %s"):format(name, refused[name]) end
    if name == "fuzz" then fuzz = "true" end
    if build_flags[name] then
      flags[#flags + 1] = word
      if build_flags[name] == 2 and not word:find("=", 1, true) then
        at = at + 1
        flags[#flags + 1] = arguments[at]
      end
    end
    at = at + 1
  end
  return flags, fuzz
end

function test.main(arguments)
  local flags, fuzz = read_flags(arguments)
  if not flags then
    complain(fuzz)
    return 2
  end
  local goloader = require "goloader"
  local host, launcher, tools, err
  host, err = goloader.host_path()
  if host then launcher, err = goloader.launcher_path() end
  if launcher then tools, err = toolchain.find(host) end
  if tools then
    local settings = require "goloader.building.settings"
    err = settings.find_mismatch(tools) or settings.find_overlaid(tools, settings.goflags(tools))
      or settings.find_overlaid(tools, arguments)
  end
  if err then return complain(err) end

  local dir, toolexec
  dir, err = toolchain.private_dir()
  if not dir then return complain(err) end
  toolexec, err = require "goloader.command.link".make_toolexec(tools, dir, {
    command = "goloader test", host = host, launcher = launcher, tests = "yes", flags = flags, fuzz = fuzz,
  })
  local status = 1
  if toolexec then
    local words = { tools.goroot .. "/bin/go", "test" }
    local first = 1
    if (arguments[1] or ""):find "^%-%-?C" then -- go wants it before all others
      first = arguments[1]:find("=", 1, true) and 2 or 3
    end
    for i = 1, first - 1 do words[#words + 1] = arguments[i] end
    words[#words + 1] = "-toolexec=" .. toolexec
    for i = first, #arguments do words[#words + 1] = arguments[i] end
    status = terminal.run_beside(function(environment)
      return toolchain.execute(words, { env = tools:go_environment() .. " " .. environment })
    end)
  end
  toolchain.remove_dir(dir)
  if not toolexec then return complain(err) end
  return status
end

return test
