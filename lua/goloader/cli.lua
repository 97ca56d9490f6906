--- The command line: goloader run, build, test, nm, disasm, explain, host, describe, info, version.
--
-- `goloader run` stands in for `go run`, so nothing of it may show: no output of its own, standard input untouched, the
-- program's own exit status. The compiler works while the host starts.

local unpack = rawget(table, "unpack") or unpack

local cli = {}

local function complain(err)
  io.stderr:write("goloader: ", type(err) == "table" and err.message or tostring(err), "\n")
  return 1
end

local function is_shipped(path)
  return path:find "%.gom$" ~= nil
end

local function is_object(path)
  return path:find "%.[oa]$" ~= nil
end

-- ---- goloader run -------------------------------------------------------------------------------------------------

local usage_run = [[
usage: goloader run [BUILD FLAGS] FILE.go…|DIR|FILE.o…|FILE.gom [ARGS…]
Build flags are those of go build, such as -tags, -gcflags, -trimpath, -cover, -ldflags=-X=main.name=value.
]]

-- Splits the arguments as the go command does: flags, what to run (one directory, or all leading Go files or objects),
-- and the program's own arguments, which are not looked at.
local function split_run(arguments)
  local options, at = require "goloader.building.flags".read(arguments)
  if not options then return nil, at and ("goloader run: %s\n"):format(at) end
  local paths = { arguments[at] }
  at = at + 1
  local function belongs(word) return word:find "%.go$" end
  if paths[1] and is_object(paths[1]) then belongs = is_object end
  while arguments[at] and belongs(paths[1]) and belongs(arguments[at]) do
    paths[#paths + 1] = arguments[at]
    at = at + 1
  end
  if #paths == 0 then return nil, "goloader run: nothing to run\n" end
  if (is_object(paths[1]) or is_shipped(paths[1])) and (options.words[1] or options.lang) then
    return nil, ("goloader run: %s is compiled already, with whatever flags\n"):format(paths[1])
  end
  return paths, options, { unpack(arguments, at) }
end

-- os.Args[0]: the name go build would give the program. Of several objects the last is the program.
local function program_name(paths)
  local path = paths[is_object(paths[1]) and #paths or 1]:gsub("/+$", "")
  if path == "." or path == ".." then path = require "lfs".currentdir() end
  return (path:match "[^/]*$":gsub("%.go$", ""):gsub("%.[oa]$", ""):gsub("%.gom$", ""))
end

-- //go:debug lines set GODEBUG defaults that go build links into the program. A host reads GODEBUG from the environment
-- that the process began with, so the process begins anew with the settings in it; the user's own come last and win.
local function apply_debug_directives(paths)
  local settings
  if is_shipped(paths[1]) then
    -- what is wrong with the file is told when it is loaded
    local manifest = require "goloader".manifest(paths[1])
    settings = { manifest and manifest.godebug }
  else
    settings = require "goloader.building.build".debug_settings(paths)
  end
  if #settings == 0 then return true end
  local value, given = table.concat(settings, ","), os.getenv "GODEBUG" or ""
  if given:sub(1, #value) == value then return true end -- has begun anew
  local has_ffi, ffi = pcall(require, "ffi")
  if not has_ffi then return nil, "//go:debug lines take effect on LuaJIT only" end
  ffi.cdef "int setenv(const char *, const char *, int); int execv(const char *, const char **);"
  ffi.C.setenv("GODEBUG", given == "" and value or value .. "," .. given, 1)
  local words = {}
  for word in require "goloader.building.toolchain".read_file "/proc/self/cmdline":gmatch "([^%z]*)%z" do
    words[#words + 1] = word
  end
  -- filled with NULLs, of which one stays: initialised by a table, an array has anything behind that
  local argv = ffi.new("const char *[?]", #words + 1)
  for i, word in ipairs(words) do argv[i - 1] = word end
  ffi.C.execv("/proc/self/exe", argv)
  return nil, "/proc/self/exe can't be started anew for its //go:debug lines"
end

-- Ends as a Go program does when main returns: at once, whatever its goroutines do.
local function exit_now(status)
  local ok, ffi = pcall(require, "ffi")
  if not ok then return status end
  ffi.cdef "void _exit(int);"
  io.stdout:flush()
  io.stderr:flush()
  ffi.C._exit(status)
end

--- Runs a program that was loaded with `run_init = false`. Returns only when it can't: the process ends when main does.
---@param module goloader.Module
---@param strings table<string, string>  values of variables, as the linker's -X gives them
---@param words string[]  os.Args
---@return string message
function cli.run_program(module, strings, words)
  for variable, value in pairs(strings) do
    local ok, message, err = module:set_string(variable, value)
    -- as to the linker, a variable that nobody uses is none
    if not ok and err.code ~= "missing" then return message end
  end
  local _, message = module:run_main(words)
  return message
end

-- The toolchain is wanted before the host runs; the version noted beside the host names it. Nothing else is loaded that
-- could share a third-party package.
local function start_build(goloader, paths, options)
  local path, err = goloader.host_path()
  if not path then return nil, err end
  local tools
  tools, err = require "goloader.building.toolchain".find(path)
  if not tools then return nil, err end
  options.private = true
  options.notice = function() end -- as go run compiles the standard library, without a word
  return require "goloader.building.build".start(tools, paths, options)
end

function cli.run(arguments)
  local paths, options, rest = split_run(arguments)
  if not paths then
    io.stderr:write(options or "", usage_run)
    return options and 2 or 0
  end
  local applied, why_not = apply_debug_directives(paths)
  if not applied then return complain(why_not) end
  local goloader = require "goloader"
  local under_way, objects, host, module, err
  if not is_object(paths[1]) and not is_shipped(paths[1]) then
    under_way, err = start_build(goloader, paths, options)
    if not under_way then return complain(err) end
  end
  host, err = goloader.host()
  if under_way then
    local why
    objects, why = under_way:wait()
    if not objects then
      io.stderr:write(why.bare and "# command-line-arguments\n" or "", why.message, "\n")
      return 1
    end
    if objects.name ~= "main" then
      objects:remove()
      return complain(("package %s is not a main package"):format(objects.name))
    end
  end
  if host then
    local files = objects and objects.files or paths
    module, err = host:load(files, { run_init = false, ndeps = #files - 1, twice = "other",
      builds = objects and objects.builds })
  end
  if objects then objects:remove() end
  if not module then return complain(err) end

  local name = program_name(paths)
  local script = require "goloader.command.again".script(name, paths, #rest)
  return complain(cli.run_program(module, options.strings, { script or name, unpack(rest) }))
end

-- ---- looking at objects -------------------------------------------------------------------------------------------

-- Objects of a path that may be source; the last is the package meant.
local function objects_of(goloader, path)
  if is_object(path) or not (path:find "%.go$" or require "lfs".attributes(path, "mode") == "directory") then
    return { files = { { file = path } }, remove = function() end }
  end
  local under_way, err = start_build(goloader, { path }, {})
  if not under_way then return nil, err end
  return under_way:wait()
end

function cli.nm(arguments)
  local goloader = require "goloader"
  local objects, err = objects_of(goloader, arguments.file)
  if not objects then return complain(err) end
  local symbols
  symbols, err = goloader.nm(objects.files[#objects.files].file, arguments.desc)
  objects:remove()
  if not symbols then return complain(err) end
  for _, symbol in ipairs(symbols) do
    if symbol.export or not arguments.exports then
      local signature = symbol.signature and symbol.signature ~= "" and "  " .. symbol.signature or ""
      io.write(("%10d %s %s%s\n"):format(symbol.size, symbol.kind, symbol.name, signature))
    end
  end
  return 0
end

local function print_listing(name, listing)
  io.write(name, ":\n")
  for line in (tostring(listing) .. "\n"):gmatch "([^\n]*)\n" do io.write("  ", line, "\n") end
end

local function load_objects(goloader, arguments, objects)
  local host, err = goloader.host { desc = arguments.desc }
  if not host then return nil, err end
  local module
  module, err = host:load(objects.files, { builds = objects.builds })
  objects:remove()
  return module, err
end

-- What main.go calls main.Render is Render to Lua, and either is understood.
local function disasm_loaded(goloader, arguments, objects)
  local module, err = load_objects(goloader, arguments, objects)
  if not module then return complain(err) end
  local names = { arguments.symbol }
  if not arguments.symbol then
    for _, symbol in ipairs(module:symbols()) do
      if symbol.kind:lower() == "t" then names[#names + 1] = symbol.name end
    end
  end
  for _, name in ipairs(names) do
    local listing
    listing, err = module:disassemble(name)
    if not listing then return complain(err) end
    print_listing(name, listing)
  end
  return exit_now(0)
end

function cli.disasm(arguments)
  local goloader = require "goloader"
  local objects, err = objects_of(goloader, arguments.file)
  if not objects then return complain(err) end
  if arguments.loaded then return disasm_loaded(goloader, arguments, objects) end
  local functions
  functions, err = goloader.disasm(objects.files[#objects.files].file, arguments.symbol, arguments.desc)
  objects:remove()
  if not functions then return complain(err) end
  for _, fn in ipairs(functions) do print_listing(fn.name, fn.instructions) end
  return 0
end

function cli.explain(arguments)
  local goloader = require "goloader"
  local objects, err = objects_of(goloader, arguments.file)
  if not objects then return complain(err) end
  local module, explanation
  module, err = load_objects(goloader, arguments, objects)
  if not module then return complain(err) end
  explanation, err = module:explain(arguments.symbol)
  if not explanation then return complain(err) end
  io.write(tostring(explanation), "\n")
  return exit_now(0)
end

-- ---- hosts --------------------------------------------------------------------------------------------------------

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

function cli.host(arguments)
  local status, err = require "goloader.command.mkhost".run(arguments)
  return status or complain(err)
end

function cli.info(arguments)
  if arguments.file then
    local manifest, why = require "goloader".manifest(arguments.file)
    if not manifest then return complain(why) end
    io.write(require "goloader.command.ship".text(manifest), "\n")
    return 0
  end
  local host, err = require "goloader".host()
  if not host then return complain(err) end
  local info = host:info()
  for _, field in ipairs { "path", "go_version", "goarch", "goamd64", "goexperiment", "buildmode", "object_header",
    "id" } do
    io.write(("%-14s %s\n"):format(field, tostring(info[field] or "")))
  end
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

local function parse(argv)
  local argparse = require "argparse"
  local parser = argparse("goloader", "Loads ordinary compiled Go into a running Lua process.")
  parser:command_target "command"
  parser:command("run", "Compile if need be, load, and run main.main: FILE.go…|DIR|FILE.o [ARGS…]")
  parser:command("build", "Write a package and all that the host lacks for it into one file: [FLAGS] FILE.go…|DIR")
  parser:command("test", "Run packages' tests as go test does, inside a host: [FLAGS] [PACKAGE…]")
  local function object(command)
    command:argument("file", "An object (.o, .a), or Go source: FILE.go or DIR."):args(1)
    command:option("--desc", "Description of the host; by default the default host's.")
    return command
  end
  object(parser:command("nm", "List symbols, kinds, sizes, and exports with their Go signatures."))
    :flag("--exports", "Only what Lua can see.")
  local disasm = object(parser:command("disasm", "List machine code with names for every call and reference."))
  disasm:argument("symbol", "One function; by default all."):args "?"
  disasm:flag("--loaded", "As relinked into the running host.")
  object(parser:command("explain", "Tell which road calls of a function take, and what in it forbids a faster one."))
    :argument("symbol", "The function: Render, main.Render, main.(*page).write."):args(1)
  local describe = parser:command("describe", "Write the description of a host.")
  describe:argument("host", "A shared library built with -buildmode=c-shared, or a program."):args(1)
  describe:option("--goroot", "The Go that built it.")
  describe:option("-o --output", "File to write; by default standard output.")
  parser:command("host", "Build a host with packages of your own in it, or a program that is its own host.")
  parser:command("info", "Tell what a shipped module holds; without one, start the default host and tell what it is.")
    :argument("file", "A shipped module (.gom)."):args "?"
  parser:command("version", "Tell the versions.")
  return parser:parse(argv)
end

--- Runs one command.
---@param argv string[]
---@return integer status
function cli.main(argv)
  if argv[1] == "run" then return cli.run { unpack(argv, 2) } end
  if argv[1] == "build" then return require "goloader.command.ship".main { unpack(argv, 2) } end
  if argv[1] == "host" then return cli.host { unpack(argv, 2) } end
  if argv[1] == "test" then return require "goloader.command.test".main { unpack(argv, 2) } end
  local arguments = parse(argv)
  return cli[arguments.command](arguments)
end

return cli
