--- goloader host: hosts of one's own.
--
-- The work is done by a Go program, src/host/mkhost, which is built beside the default host. It reads what the compiler
-- of its own Go wrote, so that a host for another Go is made by one that is built for it first.

local flags = require "goloader.building.flags"
local settings = require "goloader.building.settings"
local terminal = require "goloader.command.terminal"
local toolchain = require "goloader.building.toolchain"

local mkhost = {}

-- The value of a flag that is ours, and not the Go program's to read.
local function value_of(arguments, name)
  for i, word in ipairs(arguments) do
    if word == "--" then return nil end
    local value = word:match("^%-%-?" .. name .. "=(.*)$")
    if value then return value end
    if word:find("^%-%-?" .. name .. "$") then return arguments[i + 1] or "" end
  end
end

-- Builds the tools with another Go than the default host's.
local function build_tools(sources, goroot)
  local dir, err = toolchain.private_dir()
  if not dir then return nil, err end
  local job
  job, err = toolchain.start({ goroot .. "/bin/go", "build", "-o", dir .. "/", "./mkhost", "./describe" }, {
    dir = sources,
    env = "GOROOT=" .. toolchain.quote(goroot) .. " GOTOOLCHAIN=local GOFLAGS= GOWORK=off GO111MODULE=on",
    merge = true,
  })
  if not job then return nil, err end
  local ok, output = job:wait()
  if not ok then return nil, { code = "toolchain", message = (output:gsub("%s+$", "")) } end
  return dir
end

--- Runs `goloader host ARGUMENTS…`.
---@param arguments string[]
---@return integer|nil status
---@return goloader.Error|string|nil err
function mkhost.run(arguments)
  local default, sources = require "goloader".default_host()
  if not default then return nil, sources end
  if arguments[1] == "--sources" or arguments[1] == "-sources" then
    io.write(sources, "\n")
    return 0
  end
  local tc, err = toolchain.find(default)
  local words = tc and settings.goflags(tc) or {}
  local is_program = false
  for _, word in ipairs(arguments) do is_program = is_program or word:find "^%-%-?exe$" ~= nil end
  for _, word in ipairs(arguments) do
    local is_race = word:find "^%-%-?race$" or word:find "^%-%-?race="
    if not (is_program and is_race) then words[#words + 1] = word end -- a program can have the race detector
  end
  local why_not = flags.find_sanitizer(words)
  if why_not then return nil, { code = "unsupported", message = why_not } end
  local goroot, tools = value_of(arguments, "goroot"), default:match "^(.*)/[^/]*$" .. "/tools"
  local temporary
  if not goroot then
    if not tc then return nil, err end
    goroot = tc.goroot
  elseif not tc or toolchain.absolute(goroot) ~= tc.goroot then
    goroot = toolchain.absolute(goroot)
    if not toolchain.exists(goroot .. "/bin/go") then
      return nil, { code = "toolchain", message = goroot .. "/bin/go: not there" }
    end
    temporary, err = build_tools(sources, goroot)
    if not temporary then return nil, err end
    tools = temporary
  end
  local argv = { tools .. "/mkhost", "-goroot", goroot, "-sources", sources }
  for _, word in ipairs(arguments) do argv[#argv + 1] = word end
  local status = terminal.run_beside(function(environment) return toolchain.execute(argv, { env = environment }) end)
  if temporary then toolchain.execute { "rm", "-rf", "--", temporary } end
  return status
end

return mkhost
