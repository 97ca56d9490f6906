--- The command line: goloader run, build, test, serve, check, routes, nm, disasm, explain, host, describe, info, ctl,
--- doctor, clean, help, version.

local unpack = rawget(table, "unpack") or unpack

local cli = {}

local function complain(err)
  io.stderr:write("goloader: ", type(err) == "table" and err.message or tostring(err), "\n")
  return 1
end

local function is_object(path)
  return path:find "%.[oa]$" ~= nil
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

-- ---- looking at objects -------------------------------------------------------------------------------------------

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
    if arguments.exports and symbol.export or not arguments.exports and symbol.kind ~= "-" then
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

function cli.doctor()
  return exit_now(require "goloader.command.doctor".main(function(text) io.write(text) end))
end

function cli.clean(arguments)
  return require "goloader.command.clean".main(arguments.only_tell or false, function(text) io.write(text) end)
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
  local serve = parser:command("serve", "Serve a routes file by HTTP; edits are loaded while requests go on.")
  serve:argument("file", "A routes file."):args(1)
  serve:option("-l --listen", "HOST:PORT, or unix:/PATH.", "127.0.0.1:8080")
  serve:option("--tls", "Files: a certificate and its key."):args(2)
  serve:option("--grace", "Seconds that requests under way have when it ends.", "10")
  serve:flag("--keep", "Browsers, too, get the old version while the newest edit does not work.")
  serve:flag("-q --quiet", "No line for each request on standard error.")
  parser:command("check", "Check routes files without serving: modules are compiled, what routes call is looked up.")
    :argument("files", "Routes files."):args "+"
  local routes = parser:command("routes", "List a routes file's routes, or tell which one answers a request and why.")
  routes:argument("file", "A routes file."):args(1)
  routes:argument("request", "[METHOD] ADDRESS, as in GET /list/phones or https://shop.test/list."):args "0-2"
  routes:option("-H --header", "A header of the request, \"Name: value\"."):count "*"
  local describe = parser:command("describe", "Write the description of a host.")
  describe:argument("host", "A shared library built with -buildmode=c-shared, or a program."):args(1)
  describe:option("--goroot", "The Go that built it.")
  describe:option("-o --output", "File to write; by default standard output.")
  parser:command("host", "Build a host with packages of your own in it, or a program that is its own host.")
  parser:command("info", "Tell what a shipped module holds; without one, start the default host and tell what it is.")
    :argument("file", "A shipped module (.gom)."):args "?"
  parser:command("ctl", "Ask nginx's workers which versions of modules they serve; reload, roll back.")
  parser:command("doctor", "Tell what is installed, and try to build, load, call and unload a module here.")
  parser:command("clean", "Remove what builds have left in the user's cache.")
    :flag("-n --dry-run", "Only tell what would be removed."):target "only_tell"
  parser:command("help", "Tell what a command does, or which ones there are.")
    :argument("about", "A command."):args "?"
  parser:command("version", "Tell the versions.")
  parser:flag("--version", "Tell the versions.")
  return parser:parse(argv)
end

--- Runs one command.
---@param argv string[]
---@return integer status
function cli.main(argv)
  if argv[1] == "--version" then return cli.version() end
  if argv[1] == "help" and (argv[2] or ""):sub(1, 1) ~= "-" then
    -- commands that read their arguments themselves know what they take
    return cli.main { argv[2] ~= "help" and argv[2] or "--help", argv[2] and "--help" }
  end
  if argv[1] == "run" then return require "goloader.command.run".main { unpack(argv, 2) } end
  if argv[1] == "build" then return require "goloader.command.ship".main { unpack(argv, 2) } end
  if argv[1] == "host" then return cli.host { unpack(argv, 2) } end
  if argv[1] == "test" then return require "goloader.command.test".main { unpack(argv, 2) } end
  if argv[1] == "ctl" then return require "goloader.command.ctl".main { unpack(argv, 2) } end
  local arguments = parse(argv)
  return cli[arguments.command](arguments)
end

return cli
