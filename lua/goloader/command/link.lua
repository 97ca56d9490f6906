--- In place of Go's linker: what the go command has compiled becomes a program that a host runs.
--
-- The go command is given -toolexec with a script that hands a call of the linker to `link` below, which reads the
-- linker's arguments and the list of the archives that are to be linked. All else is the go command's own: what is
-- compiled and how, what the linker is told of settings, build information and variables, and what is printed.
--
-- Objects of standard packages that are compiled as ever are not loaded: the host has the package, or pulls it from its
-- archives. But the tests of "strings" need a "strings" with those test files that are part of it, and so does every
-- package that imports it (go list -test -deps strings shows them as "fmt [strings.test]"): these are the module's own.

local lfs = require "lfs"
local go_flags = require "goloader.building.flags"
local percent = require "goloader.percent"
local program = require "goloader.command.program"
local toolchain = require "goloader.building.toolchain"

local quote, read_file = toolchain.quote, toolchain.read_file

local link = {}

local function complain(config, err)
  io.stderr:write(config.command, ": ", type(err) == "table" and err.message or err, "\n")
  return 1
end

-- What Go's %q wrote.
local escapes = { a = "\a", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", v = "\v" }
local function unquote(text)
  text = text:sub(2, -2):gsub("\\x(%x%x)", function(hex) return ("\\%03d"):format(tonumber(hex, 16)) end)
  text = text:gsub("\\(%d%d%d)", function(decimal) return decimal == "092" and "\\\\" or string.char(decimal) end)
  return (text:gsub("\\(.)", function(letter) return escapes[letter] or letter end))
end

-- The go command writes how a package was made into the head of its archive.
local function build_id(file)
  local f = file and io.open(file, "rb")
  if not f then return nil end
  local head = f:read(1024) or ""
  f:close()
  return head:match '\nbuild id "([^"\n]*)"'
end

-- Which of these standard packages are another than without a test? Those known to the host are told by
-- their build IDs; where some differ, or the flags are others, go list says what the package is under these flags.
-- Under -fuzz they all count what they do, which nothing needs: the host's will do.
local function find_changed(tools, std, files, config)
  local changed, any = {}, false
  if config.fuzz then return changed end
  for path, file in pairs(files) do
    if build_id(std[path]) ~= build_id(file) then
      changed[path], any = file, true
    end
  end
  if not any then return changed end
  local args = { "list", "-export", "-f", "{{.ImportPath}}={{.Export}}" }
  for _, flag in ipairs(config.flags) do args[#args + 1] = flag end
  args[#args + 1] = "--"
  for path in pairs(changed) do args[#args + 1] = path end
  local job, err = tools:go(args)
  if not job then return nil, err end
  local ok, output, errors = job:wait()
  if not ok then return nil, { code = "toolchain", message = (errors:gsub("%s+$", "")) } end
  for path, file in output:gmatch "([^\n=]+)=([^\n]+)" do
    if build_id(file) == build_id(changed[path]) then changed[path] = nil end
  end
  return changed
end

-- Packages that put something into another one by its name alone (//go:linkname), without importing it: where that one
-- is the module's own, so are they.
local reaches_into = { ["time/tzdata"] = "time" }

-- A package for tests alone, and the only one with parts in C that no host has: linked with the module's, they need no
-- C compiler at each start.
local testpty = "internal/testpty"

-- Links the C parts of the objects, if they have any, into a library beside the test binary, where tests that start
-- themselves find it, too. Without any, C's linker runs where it is asked for, with whatever else it is to link.
local function link_c(tools, objects, library, given)
  local core, with_c = require "goloader.core", {}
  for _, file in ipairs(objects) do
    local package, err = core.cgo(file)
    if not package then return nil, err end
    if #package.members > 0 then with_c[#with_c + 1] = file end
  end
  if #with_c == 0 and given.values.linkmode ~= "external" then return nil end
  local name = os.getenv "TOOLEXEC_IMPORTPATH" or given.object
  local linker, why = go_flags.split(given.values.extld or "")
  local ldflags
  if linker then ldflags, why = go_flags.split(given.values.extldflags or "") end
  if not ldflags then return nil, why end
  return require "goloader.building.cgo".link(tools, with_c, function(file, warnings)
    io.stderr:write(warnings) -- as Go's linker, and the go command shows them
    local ok, failure = toolchain.copy_file(file, library)
    return ok and library, failure
  end, { name = name, linker = linker[1] and linker, ldflags = ldflags })
end

-- A test that is part of a package which the runtime imports makes the go command compile all of them anew, the
-- runtime, too, and a process can have one. But nothing else of them has changed than the package itself: that alone is
-- the module's own, and all others who import it go on with the host's.
local function only_tested(changed)
  local tested = (os.getenv "TOOLEXEC_IMPORTPATH" or ""):match "^(.*)%.test$"
  if tested == "runtime" or not tested or not changed[tested] then
    return nil, "these tests are compiled together with a runtime of their own, and a process can have one"
  end
  return { [tested] = changed[tested] }
end

-- What is to be linked: the objects of the module, which of them are standard packages of its own, and of the others
-- those that were compiled as another build than the host's.
local function choose(tools, std, config, importcfg, main)
  local objects, standard, builds = {}, {}, {}
  for path, file in importcfg:gmatch "packagefile ([^=\n]+)=([^\n]+)" do
    if std[path] then
      standard[path] = file
    elseif file ~= main then
      objects[#objects + 1] = file
    end
  end
  local changed, err = {}, nil
  if config.tests then changed, err = find_changed(tools, std, standard, config) end
  if not changed then return nil, err end
  if changed.runtime then
    changed, err = only_tested(changed)
    if not changed then return nil, err end
  end
  for path, target in pairs(reaches_into) do
    if changed[target] then changed[path] = standard[path] end
  end
  changed[testpty] = standard[testpty]
  for _, file in pairs(changed) do objects[#objects + 1] = file end
  table.sort(objects)
  for path, file in pairs(standard) do
    if not changed[path] and build_id(std[path]) ~= build_id(file) then builds[path] = file end
  end
  return objects, builds
end

-- What the go command has just compiled lies in a directory that it removes, until it is found in its cache the next
-- time.
local function keep(files, dir)
  local kept = 0
  for key, file in pairs(files) do
    if file:find "/b%d+/_pkg_%.a$" then
      kept = kept + 1
      local copy = ("%s/%d-%s.a"):format(dir, kept, type(key) == "string" and "build" or "object")
      if not lfs.link(file, copy) then
        local ok, err = toolchain.copy_file(file, copy)
        if not ok then return nil, err end
      end
      files[key] = copy
    end
  end
  return true
end

-- What the linker says of flags that the go command has from the user: the first line, where they are wrong. Told of
-- nothing to link, it says how it is used.
local function find_wrong_flag(tools, given)
  if given.is_usual then return nil end
  local job, err = tools:start_tool("link", given.words)
  if not job then return err end
  local said = select(2, job:wait())
  local line = said:match "^[^\n]*"
  return not line:find "^usage: link " and line or nil
end

-- What the linker says of a variable that is no string.
local function find_mistyped(strings, archives, main, host)
  for symbol, value in pairs(strings) do
    local path = percent.decode(symbol:match "^(.*)%.")
    local file = path == "main" and main or path ~= "runtime" and archives[path]
    local why = file and go_flags.find_mistyped({ [symbol] = value }, { file }, host)
    if why then return why end
  end
end

--- What runs instead of Go's linker. `config` says
---
---     command   who is to complain: "goloader test"
---     version   what to answer when the go command asks which linker this is: it is part of the key of what is linked
---     host, launcher
---     tests     "yes" when tests are linked; then flags, which decide how the standard library is compiled, and fuzz
---     dir       where objects that the go command will remove and C parts are to be kept, and a file "linked" that
---               tells of all
---     program   "yes" when what the go command gets is to be started by it
---@param config table<string, string|string[]>
---@param arguments string[]
---@return integer status
function link.main(config, arguments)
  if arguments[1] == "-V=full" then
    print(config.version)
    return 0
  end
  local given, err = go_flags.read_link(arguments)
  if not given then return complain(config, err) end
  local tools, std
  tools, err = toolchain.find(config.host)
  if not tools then return complain(config, err) end
  std, err = tools:std_archives {}
  if not std then return complain(config, err) end
  local importcfg = read_file(given.values.importcfg)
  local archives = {}
  for path, file in importcfg:gmatch "packagefile ([^=\n]+)=([^\n]+)" do archives[path] = file end
  local wrong = find_wrong_flag(tools, given) or find_mistyped(given.strings, archives, given.object, config.host)
  if wrong then return complain(config, wrong) end

  local objects, builds = choose(tools, std, config, importcfg, given.object)
  if not objects then return complain(config, builds) end
  objects[#objects + 1] = given.object
  local output = given.values.o
  if config.dir then
    output = config.dir .. "/program"
    for _, files in ipairs { objects, builds } do
      local ok, why = keep(files, config.dir)
      if not ok then return complain(config, why) end
    end
  end
  local modinfo = importcfg:match '\nmodinfo ("[^\n]*")'
  if modinfo then given.strings["runtime.modinfo"] = unquote(modinfo) end

  local library, ok
  library, err = link_c(tools, objects, output .. ".so", given)
  if err then return complain(config, err) end
  local linked = { host = config.host, objects = objects, builds = builds, library = library, strings = given.strings }
  if not config.tests then linked.sparse = "yes" end
  if config.dir then
    ok, err = program.keep(config.dir, linked)
    if not ok then return complain(config, err) end
  end
  if config.dir and not config.program then
    ok, err = program.write_executable(given.values.o, "#!/bin/true\n")
  else
    local made = modinfo and { version = tools.version, modinfo = given.strings["runtime.modinfo"] }
    ok, err = program.write(given.values.o, config.launcher, "goloader.command.link", "run", linked, made)
  end
  return ok and 0 or complain(config, err)
end

--- What a program does that was written in place of an executable.
---@param linked goloader.Linked
---@param arguments string[]
---@return integer status
function link.run(linked, arguments)
  local words = {}
  for i = 0, #arguments do words[i + 1] = arguments[i] end
  return program.start(linked, words)
end

-- go test caches results by what the test binary is made of. Ours is made of the loader and the host, too.
local function identity(files)
  local parts = {}
  for i, file in ipairs(files) do
    local attributes = lfs.attributes(file) or {}
    parts[i] = ("%s-%s"):format(attributes.modification, attributes.size)
  end
  return table.concat(parts, "-")
end

-- What is compiled is noted for a line on the terminal, where somebody looks at one; an empty line says that something
-- is linked.
local script = [[
#!/bin/sh
case "$1" in
*/link) [ -z "$GOLOADER_COMPILES" ] || echo >>"$GOLOADER_COMPILES"; shift; exec %s "$@" ;;
*/compile) [ "$2" = -V=full ] || [ -z "$GOLOADER_COMPILES" ] || echo "$TOOLEXEC_IMPORTPATH" >>"$GOLOADER_COMPILES" ;;
esac
exec %s "$@"
]]

--- Makes what the go command's -toolexec is given: a script in `dir`, and what it runs.
---@param tools goloader.Toolchain
---@param dir string
---@param config table  see `link.main`; without the version
---@param toolexec string|nil  what the user wants before each of Go's other tools
---@return string|nil path
---@return goloader.Error|nil err
function link.make_toolexec(tools, dir, config, toolexec)
  local goloader = require "goloader"
  config.version = ("link version %s goloader-%s%s"):format(tools.version,
    identity { goloader.core_path(), config.host }, config.dir and "-" .. config.dir:match "[^/]*$" or "")
  local ok, err = program.write(dir .. "/link", config.launcher, "goloader.command.link", "main", config)
  local text = script:format(quote(dir .. "/link"), toolexec or "")
  if ok then ok, err = program.write_executable(dir .. "/toolexec", text) end
  if not ok then return nil, err end
  return dir .. "/toolexec"
end

return link
