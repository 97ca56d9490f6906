--- The command line: which command does what. Their names and options are in command/commands.lua.

local unpack = rawget(table, "unpack") or unpack

local cli = {}

local function write(text) io.write(text) end

-- The status of a command whose output has been written, or not: to a disk that is full, say.
local function status_of(status)
  local ok, why = io.stdout:flush()
  if ok then return status end
  io.stderr:write("goloader: standard output: ", why, "\n")
  return status == 0 and 1 or status
end

-- Ends as a Go program does when main returns: at once, whatever its goroutines do.
local function exit_now(status)
  local ok, ffi = pcall(require, "ffi")
  if not ok then return status end
  ffi.cdef "void _exit(int);"
  status = status_of(status)
  io.stderr:flush()
  ffi.C._exit(status)
end

local function complain(err) return require "goloader.command.terminal".complain(err) end

-- ---- looking at objects, hosts, and this machine ------------------------------------------------------------------

for _, name in ipairs { "nm", "exports", "disasm", "explain" } do
  cli[name] = function(arguments) return exit_now(require "goloader.command.objects"[name](arguments)) end
end

function cli.types(arguments)
  return exit_now(require "goloader.command.types".main(arguments))
end

-- A host's description is written by the Go program that was built beside it.
function cli.describe(arguments)
  local goloader = require "goloader"
  local toolchain = require "goloader.building.toolchain"
  local default, err = goloader.default_host()
  if not default then return complain(err) end
  local describe = default:match "^(.*)/[^/]*$" .. "/tools/describe"
  if not toolchain.exists(describe) then return complain(describe .. ": not there; run make") end
  local argv = { describe }
  if arguments.goroot then argv = { describe, "-goroot", arguments.goroot } end
  argv[#argv + 1] = arguments.host
  return toolchain.execute(argv, { output = arguments.output })
end

local HOST_FIELDS = { "path", "go_version", "goarch", "goamd64", "goexperiment", "buildmode", "object_header", "id" }

function cli.info(arguments)
  local json = require "goloader.json"
  if arguments.file then
    local manifest, why = require "goloader".manifest(arguments.file)
    if not manifest then return complain(why) end
    json.object(manifest.strings)
    io.write(arguments.json and json.encode(manifest) or require "goloader.command.ship".text(manifest), "\n")
    return 0
  end
  local host, err = require "goloader".host()
  if not host then return complain(err) end
  local info = host:info()
  if arguments.json then
    io.write(json.encode(info), "\n")
    return exit_now(0)
  end
  for _, field in ipairs(HOST_FIELDS) do io.write(("%-14s %s\n"):format(field, tostring(info[field] or ""))) end
  for _, path in ipairs(info.linked_in) do io.write(("%-14s %s\n"):format("linked in", path)) end
  return exit_now(0)
end

function cli.version()
  local goloader = require "goloader"
  local path = goloader.host_path()
  local note = path and require "goloader.building.toolchain".read_file(path .. ".goroot")
  local version = note and note:match "\n([^\n]+)" or "none built"
  local lua = rawget(_G, "jit") and jit.version or _VERSION
  io.write(("goloader %s, host %s, %s\n"):format(goloader.version, version, lua))
  return 0
end

function cli.doctor()
  return exit_now(require "goloader.command.doctor".main(write))
end

for _, name in ipairs { "keygen", "sign", "verify" } do
  cli[name] = function(arguments) return require "goloader.command.keys"[name](arguments) end
end

function cli.audit(arguments)
  local result, message = require "goloader".audit(arguments.file)
  if not result then return exit_now(complain(message)) end
  io.write(arguments.json and require "goloader.json".encode(result)
    or require "goloader.audit".text(result), "\n")
  return exit_now(0)
end

function cli.bundle(arguments)
  return exit_now(require "goloader.command.bundle".main(arguments))
end

function cli.clean(arguments)
  return require "goloader.command.clean".main(arguments.only_tell or false, write)
end

-- ---- routes files -------------------------------------------------------------------------------------------------

function cli.check(arguments)
  return exit_now(require "goloader.command.check".main(arguments.files))
end

function cli.serve(arguments)
  return exit_now(require "goloader.command.serve".main(arguments))
end

function cli.routes(arguments)
  return exit_now(require "goloader.command.routes".main(arguments))
end

-- ---- the command line itself --------------------------------------------------------------------------------------

function cli.completion(arguments)
  io.write(require "goloader.command.parser".completion(arguments.shell))
  return 0
end

function cli.help(arguments)
  if arguments.man then
    io.write(require "goloader.command.man".page())
    return 0
  end
  local about = arguments.about
  local text = require "goloader.command.parser".help(about)
  if text then
    io.write(text)
    return 0
  end
  local commands = require "goloader.command.commands"
  local near = require "goloader.nearest"(about, commands.by_name)
  return complain(("there is no command %s%s"):format(about, near and ("; did you mean %s?"):format(near) or ""))
end

-- Commands that read their arguments themselves, as the go command does. `goloader run` may run a thousand times in a
-- row: nothing is loaded for it that it does not need.
local OWN = {
  run = function(argv) return require "goloader.command.run".main(argv) end,
  build = function(argv) return require "goloader.command.ship".main(argv) end,
  test = function(argv) return require "goloader.command.test".main(argv) end,
  ctl = function(argv) return require "goloader.command.ctl".main(argv) end,
  host = function(argv)
    local status, err = require "goloader.command.mkhost".run(argv)
    return status or complain(err)
  end,
}

local function run(argv)
  local name, first = argv[1], argv[2]
  if name == "--version" then return cli.version() end
  if OWN[name] and (first == "--help" or first == "-h") then return cli.help { about = name } end
  if OWN[name] then return OWN[name] { unpack(argv, 2) } end
  if not name then
    io.stderr:write(require "goloader.command.parser".help())
    return 2
  end
  if name == "--help" or name == "-h" then return cli.help {} end
  local arguments = require "goloader.command.parser".new():parse(argv)
  return cli[arguments.command](arguments)
end

--- Runs one command.
---@param argv string[]
---@return integer status
function cli.main(argv)
  return status_of(run(argv))
end

return cli
