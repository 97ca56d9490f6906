--- goloader run: what `go run` does, with the program loaded into a host instead of linked and started.
--
-- It stands in for `go run`, so nothing of it may show: no output of its own, standard input untouched, the program's
-- own exit status, where `go run` would tell that in a line and return 1.
--
-- A program that only the compiler has to see is compiled at once, while the host starts. For any other the go command
-- itself runs, only with another linker (goloader.command.link), so that flags, patterns, settings and messages are its
-- own; it stops short of starting what it built.
--
-- The process that runs the program is one of a file of its own, as natively: goloader makes that file first, and goes
-- on as it (execve). So os.Args[0], os.Executable() and /proc/self/exe can be started again, and are the program, not
-- its build. The files of a run lie in a directory of the user's cache that bears the process's number. Nobody can
-- remove them when a program ends by a signal: each run removes those of processes that are gone.

local lfs = require "lfs"
local places = require "goloader.building.places"
local program = require "goloader.command.program"
local toolchain = require "goloader.building.toolchain"

local unpack = rawget(table, "unpack") or unpack
local absolute, exists, read_file = toolchain.absolute, toolchain.exists, toolchain.read_file

local run = {}

local function usage() return require "goloader.command.commands".hint "run" end

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

-- Splits the arguments as the go command does: flags, what to run (one package, or all leading Go files or objects),
-- and the program's own arguments, which are not looked at.
local function split(arguments)
  local options, at = require "goloader.building.flags".read_run(arguments)
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
  local is_compiled = is_object(paths[1]) or is_shipped(paths[1])
  if is_compiled and (not options.plain or options.gcflags or options.lang) then
    return nil, ("goloader run: %s is compiled already, with whatever flags\n"):format(paths[1])
  end
  return { paths = paths, options = options, rest = { unpack(arguments, at) }, is_compiled = is_compiled }
end

-- The name that go build would give the program. Of several objects the last is the program.
local function program_name(paths)
  local path = paths[is_object(paths[1]) and #paths or 1]:gsub("@.*$", ""):gsub("/+$", "")
  if path:find "^%.%.?$" or path:find "/%.%.?$" then
    local here = lfs.currentdir()
    if lfs.attributes(path, "mode") == "directory" and lfs.chdir(path) then
      path = lfs.currentdir()
      lfs.chdir(here)
    end
  end
  local name = path:match "[^/]*$":gsub("%.go$", ""):gsub("%.[oa]$", ""):gsub("%.gom$", "")
  -- the last element of a package's path may be a major version
  if name:find "^v%d+$" and not exists(path) then name = path:match "([^/]+)/v%d+$" or name end
  return name ~= "" and name or "main"
end

-- ---- the files of a run -------------------------------------------------------------------------------------------

local function process_number()
  return lfs.symlinkattributes("/proc/self", "target")
end

-- Process numbers count within a namespace, and several may share a cache.
local function number_space()
  return (lfs.symlinkattributes("/proc/self/ns/pid", "target") or ""):match "%d+" or "0"
end

--- Removes what runs have left whose processes are gone, or run something else by now.
---@param parent string  the directory of all that runs leave
function run.sweep(parent)
  local space = number_space()
  for entry in lfs.dir(parent) do
    local of, number = entry:match "^(%d+)%-(%d+)%-%d+$"
    local dir = parent .. "/" .. entry
    if of == space then
      local executable = lfs.symlinkattributes("/proc/" .. number .. "/exe", "target") or ""
      -- its process may be about to become the program
      local is_young = lfs.attributes("/proc/" .. number) ~= nil
        and os.difftime(os.time(), lfs.attributes(dir, "modification") or 0) < 60
      -- another run may be removing it, too
      if executable:sub(1, #dir + 1) ~= dir .. "/" and not is_young then pcall(toolchain.remove_dir, dir) end
    end
  end
end

-- Makes a directory for this process; where there is no place for caches, among temporary files.
local function make_dir()
  local cache = places.cache()
  if cache and places.is_writable(cache .. "/programs") then
    run.sweep(cache .. "/programs")
    local dir = ("%s/programs/%s-%s-%d"):format(cache, number_space(), process_number(), os.time())
    if lfs.mkdir(dir) then return dir end
  end
  local dir, err = places.new_file()
  if not dir then return nil, err end
  os.remove(dir)
  local ok, why = lfs.mkdir(dir)
  if not ok then return nil, { code = "io", message = ("%s: %s"):format(dir, why) } end
  return dir
end

-- ---- building -----------------------------------------------------------------------------------------------------

-- The nearest folder above a path, or there, that has such a file.
local function find_above(dir, name)
  dir = absolute(dir):gsub("/+$", "")
  while not exists(dir .. "/" .. name) do
    dir = dir:match "^(.*)/[^/]*$"
    if not dir then return nil end
  end
  return dir
end

-- Where the go command is to run, and what it is to be told to run there. It takes packages of the module that it is
-- run in and of a workspace's; a folder of another module is run from there, where natively it could not be.
local function place(paths)
  local dir = paths[1]
  local is_outside = lfs.attributes(dir, "mode") == "directory" and not find_above(".", "go.work")
    and (os.getenv "GOWORK" or "off") == "off" and find_above(dir, "go.mod") ~= find_above(".", "go.mod")
  if is_outside then return dir, { "." } end
  return ".", paths
end

-- Runs the go command, and shows after a second what it is compiling: by the shell, since this process waits for it.
local function build_with_line(words, env, where, notes)
  local script = [[
    ( exec >&2 # a `sleep` that goes on for a while must not hold the output, which may be a pipe
      sleep 1
      while :; do
        if [ -s "$GOLOADER_COMPILES" ]; then
          printf '\r\033[Kcompiling %s (%d done)' "$(tail -n 1 "$GOLOADER_COMPILES")" \
            $(($(wc -l <"$GOLOADER_COMPILES") - 1))
        fi
        sleep 0.5
      done ) &
    line=$!
    "$@"
    status=$?
    kill $line
    [ ! -e "$GOLOADER_COMPILES" ] || printf '\r\033[K' >&2
    exit $status]]
  env = ("%s GOLOADER_COMPILES=%s "):format(env, toolchain.quote(notes))
  return toolchain.execute({ "sh", "-c", script, "sh", unpack(words) }, { env = env, dir = where, input = "/dev/null" })
end

-- By the go command, with a linker of ours. With `exec` it starts the program, too, by that command; without it stops
-- when the program is built.
local function build_by_go(tools, dir, config, rest)
  local toolexec, err = require "goloader.command.link".make_toolexec(tools, dir, {
    command = "goloader run", host = config.host, launcher = config.launcher, dir = dir,
    program = config.exec and "yes" or nil,
  }, config.toolexec)
  if not toolexec then return complain(err) end
  local words = { tools.goroot .. "/bin/go", "run", "-toolexec=" .. toolexec, "-exec=" .. (config.exec or "true") }
  for _, flag in ipairs(tools.flags) do words[#words + 1] = flag end
  local where, paths = place(config.paths)
  local given = where == "." and config.words or require "goloader.building.flags".from_elsewhere(config.words)
  for _, word in ipairs(given) do words[#words + 1] = word end
  for _, path in ipairs(paths) do words[#words + 1] = path end
  for _, word in ipairs(rest) do words[#words + 1] = word end
  if config.exec then return toolchain.execute(words, { env = tools:go_environment(), dir = where }) end
  local env = tools:go_environment()
  if not require "goloader.command.terminal".is_terminal(2) then
    return toolchain.execute(words, { env = env, dir = where, input = "/dev/null" })
  end
  return build_with_line(words, env, where, dir .. "/compiles")
end

-- Keeps what a plain build has made.
local function keep(objects, dir, config)
  local files = {}
  for i, file in ipairs(objects.files) do
    files[i] = file.file
    if objects.temporary[1] == file.file then
      files[i] = dir .. "/main.a"
      if not os.rename(file.file, files[i]) then -- to another file system
        local text = read_file(file.file)
        local f = text and io.open(files[i], "wb")
        if not f then return nil end
        f:write(text)
        f:close()
      end
    end
  end
  objects:remove()
  return { host = config.host, objects = files, builds = {}, strings = config.strings, sparse = "yes" }
end

-- Compiles a plain program while its host starts. nil where that is not enough.
local function build_plainly(tools, config)
  if config.plain == "no" then return nil end
  local line = require "goloader.command.terminal".progress()
  local started = require "goloader.building.build".start_alone(tools, config.paths,
    { gcflags = config.gcflags, lang = config.lang, private = true, progress = line.show })
  if not started then return nil end
  -- what is wrong with it is told when the program is loaded
  require "goloader".host { path = config.host, program = true }
  local objects = started:wait()
  line.clear()
  if not objects then return nil end -- the go command says why
  if require "goloader.building.flags".find_mistyped(config.strings, { objects.files[1].file }, config.host) then
    return nil -- the linker says why
  end
  return keep(objects, config.dir, config)
end

-- ---- the process of the program -----------------------------------------------------------------------------------

-- The file that this process is of was there before the program was built. A program that looks there for how it was
-- built (debug/buildinfo) finds it in another, which the process goes on as.
local function begin_as_built(config, tools, linked, words)
  local modinfo = linked.strings["runtime.modinfo"]
  if not modinfo or not pcall(require, "ffi") then return end
  local file = config.executable .. ".new"
  local ok = program.write(file, config.launcher, "goloader.command.run", "start", config,
    { version = tools.version, modinfo = modinfo })
  if ok and os.rename(file, config.executable) then program.become(config.executable, words) end
  os.remove(file)
end

--- What a program's file does. The first time it is built; when the program starts itself again it is there.
---@param config table<string, string|table>
---@param arguments string[]
---@return integer status
function run.start(config, arguments)
  local words = { arguments[0] or config.executable, unpack(arguments) }
  local linked = program.kept(config.dir)
  if linked and linked.host then return program.start(linked, words) end
  local host, message, err = require "goloader".host_path()
  if not host then return complain(err or message) end
  config.host = absolute(host)
  if linked then
    linked.host = config.host
    program.keep(config.dir, linked)
    return program.start(linked, words)
  end
  local tools
  tools, message, err = toolchain.find(config.host)
  if not tools then return complain(err or message) end
  local settings = require "goloader.building.settings"
  local given = settings.goflags(tools)
  local why_not = require "goloader.building.flags".find_sanitizer(given) or settings.find_mismatch(tools)
    or settings.find_overlaid(tools, given) or settings.find_overlaid(tools, config.words)
  if why_not then return complain(why_not) end
  linked = build_plainly(tools, config)
  if linked then
    program.keep(config.dir, linked)
    return program.start(linked, words)
  end
  local status = build_by_go(tools, config.dir, config, arguments)
  linked = program.kept(config.dir)
  if status ~= 0 or config.exec or not linked then
    toolchain.remove_dir(config.dir)
    return status
  end
  begin_as_built(config, tools, linked, words)
  return program.start(linked, words)
end

-- What is compiled already has been linked, too, as far as we are concerned.
local function linked_already(config)
  local objects = {}
  for i, path in ipairs(config.paths) do objects[i] = absolute(path) end
  local strings = config.strings
  if is_shipped(config.paths[1]) then
    -- what is wrong with the file is told when it is loaded
    local manifest = require "goloader".manifest(config.paths[1])
    strings["runtime.godebugDefault"] = manifest and manifest.godebug
  end
  local host = not is_shipped(config.paths[1]) and next(strings) and require "goloader".host_path()
  local why = host and require "goloader.building.flags".find_mistyped(strings, objects, host)
  if why then return nil, why end
  return { objects = objects, strings = strings, sparse = "yes" }
end

-- The launcher is most often what runs this. To ask for it otherwise loads all of goloader, which takes longer than all
-- that is done here, and the program's process does that again.
local function find_launcher()
  local executable = lfs.symlinkattributes("/proc/self/exe", "target") or ""
  if executable:find "/build/bin/goloader$" or executable:find "/goloader/launcher$" then return executable end
  return require "goloader".launcher_path()
end

--- Runs `goloader run`.
---@param arguments string[]
---@return integer status
function run.main(arguments)
  local given, why = split(arguments)
  if not given then
    io.stderr:write(why or "", usage())
    return why and 2 or 0
  end
  local options = given.options
  if options.dir and not lfs.chdir(options.dir) then
    return complain(("-C %s: there is no such directory"):format(options.dir))
  end
  local launcher, message, err = find_launcher()
  if not launcher then return complain(err or message) end
  local dir
  dir, message, err = make_dir()
  if not dir then return complain(err or message) end
  local config = {
    launcher = launcher, dir = dir, executable = dir .. "/" .. program_name(given.paths),
    paths = given.paths, words = options.go_words, plain = not options.plain and "no" or nil, gcflags = options.gcflags,
    lang = options.lang, strings = options.strings, exec = options.exec, toolexec = options.toolexec,
  }
  local ok
  ok, err = program.write(config.executable, launcher, "goloader.command.run", "start", config)
  if ok and given.is_compiled then
    local linked
    linked, err = linked_already(config)
    ok, err = linked and program.keep(dir, linked), err
  end
  if not ok then return complain(err) end
  program.become(config.executable, { config.executable, unpack(given.rest) })
  return run.start(config, given.rest)
end

return run
