--- goloader test: what `go test` does, with each test binary loaded into a host instead of linked.
--
-- Patterns, flags, vet, coverage, packages in parallel, time limits, cached results, the report and the exit status are
-- `go test`'s own: it runs, and only its linker is another. -toolexec puts a script before each of Go's tools, which
-- hands a call of the linker to `link` below. That writes, in place of the test binary, a program that knows the
-- objects: the launcher of the command line with a few lines of Lua behind it (see src/cmd/goloader.c). `go test`
-- starts it where and as it would start the binary, and so do tests that start themselves again; it loads the objects
-- as one module and runs main.
--
-- Objects of standard packages that are compiled as ever are not loaded: the host has the package, or pulls it from its
-- archives. But the tests of "strings" need a "strings" with those test files that are part of it, and so does every
-- package that imports it (go list -test -deps strings shows them as "fmt [strings.test]"): these are the module's own.

local lfs = require "lfs"
local go_flags = require "goloader.building.flags"
local toolchain = require "goloader.building.toolchain"

local quote, read_file = toolchain.quote, toolchain.read_file

local test = {}

local usage = [[
usage: goloader test [FLAGS] [PACKAGE…] [FLAGS OF THE TESTS]
Compiles the packages' tests, runs them inside a host, and reports. Flags and packages are those of go test.
]]

local function complain(err)
  io.stderr:write("goloader test: ", type(err) == "table" and err.message or err, "\n")
  return 1
end

-- ---- programs -----------------------------------------------------------------------------------------------------

-- A table of strings as Lua source.
local function serialize(value)
  if type(value) == "string" then return ("%q"):format(value) end
  local parts = {}
  for key, field in pairs(value) do
    key = type(key) == "number" and key or ("%q"):format(key)
    parts[#parts + 1] = ("[%s]=%s"):format(key, serialize(field))
  end
  return "{" .. table.concat(parts, ",\n") .. "}"
end

-- Makes an executable that calls a function of this file with a table, and with its own arguments.
local function write_program(path, launcher, name, config)
  local chunk = ("package.path, package.cpath = %q, %q\nreturn require('goloader.command.test').%s(%s, ...)\n"):format(
    package.path, package.cpath, name, serialize(config))
  local ok, output = toolchain.start({ "cp", "--", launcher, path }, { merge = true }):wait()
  local f, why = io.open(path, "ab")
  if not ok or not f then return nil, { code = "io", message = why or output:gsub("%s+$", "") } end
  f:write(chunk, ("%016d"):format(#chunk), "goloader program")
  f:close()
  return true
end

-- ---- the command --------------------------------------------------------------------------------------------------

-- Flags that decide how the standard library is compiled, with how many words they take.
local build_flags = { tags = 2, gcflags = 2, asmflags = 2, installsuffix = 2, pgo = 2, trimpath = 1 }

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

local script = [[
#!/bin/sh
case "$1" in
*/link) shift; exec %s "$@" ;;
esac
exec "$@"
]]

local function write_toolexec(path, link)
  local f, why = io.open(path, "wb")
  if not f then return nil, { code = "io", message = why } end
  f:write(script:format(quote(link)))
  f:close()
  return toolchain.start({ "chmod", "+x", path }, {}):wait()
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

function test.main(arguments)
  if arguments[1] == "-h" or arguments[1] == "--help" then
    io.stderr:write(usage)
    return 0
  end
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
  if not tools then return complain(err) end

  local dir, ok
  dir, err = toolchain.private_dir()
  if not dir then return complain(err) end
  ok, err = write_program(dir .. "/link", launcher, "link", {
    host = host,
    launcher = launcher,
    flags = flags,
    fuzz = fuzz,
    version = ("link version %s goloader-%s"):format(tools.version, identity { goloader.core_path(), host }),
  })
  if ok then ok, err = write_toolexec(dir .. "/toolexec", dir .. "/link") end
  local status = 1
  if ok then
    local words = { tools.goroot .. "/bin/go", "test" }
    local first = 1
    if (arguments[1] or ""):find "^%-%-?C" then -- go wants it before all others
      first = arguments[1]:find("=", 1, true) and 2 or 3
    end
    for i = 1, first - 1 do words[#words + 1] = arguments[i] end
    words[#words + 1] = "-toolexec=" .. dir .. "/toolexec"
    for i = first, #arguments do words[#words + 1] = arguments[i] end
    status = toolchain.execute(words, { env = tools.env })
  end
  toolchain.remove_dir(dir)
  if not ok then return complain(err) end
  return status
end

-- ---- in place of the linker ---------------------------------------------------------------------------------------

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

-- Which of these standard packages differ from what they are without the test? Those known to the host are told by
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
-- themselves find it, too.
local function link_c(tools, objects, library)
  local core, with_c = require "goloader.core", {}
  for _, file in ipairs(objects) do
    local package, err = core.cgo(file)
    if not package then return nil, err end
    if #package.members > 0 then with_c[#with_c + 1] = file end
  end
  if #with_c == 0 then return nil end
  return require "goloader.building.cgo".link(tools, with_c, function(file)
    local ok, output = toolchain.start({ "cp", "--", file, library }, { merge = true }):wait()
    if not ok then return nil, { code = "io", message = (output:gsub("%s+$", "")) } end
    return library
  end)
end

function test.link(config, arguments)
  if arguments[1] == "-V=full" then
    print(config.version)
    return 0
  end
  local link, err = go_flags.read_link(arguments)
  if not link then return complain(err) end
  local tools
  tools, err = toolchain.find(config.host)
  if not tools then return complain(err) end
  local std
  std, err = tools:std_archives {}
  if not std then return complain(err) end

  local text, objects, standard = read_file(link.values.importcfg), {}, {}
  for path, file in text:gmatch "packagefile ([^=\n]+)=([^\n]+)" do
    if std[path] then
      standard[path] = file
    elseif file ~= link.object then
      objects[#objects + 1] = file
    end
  end
  local changed
  changed, err = find_changed(tools, std, standard, config)
  if not changed then return complain(err) end
  if changed.runtime then
    return complain "these tests are compiled together with a runtime of their own, and a process can have one"
  end
  for path, target in pairs(reaches_into) do
    if changed[target] then changed[path] = standard[path] end
  end
  changed[testpty] = standard[testpty]
  for _, file in pairs(changed) do objects[#objects + 1] = file end
  table.sort(objects)
  objects[#objects + 1] = link.object
  local builds = {}
  for path, file in pairs(standard) do
    if not changed[path] and build_id(std[path]) ~= build_id(file) then builds[path] = file end
  end
  local modinfo = text:match '\nmodinfo ("[^\n]*")'
  if modinfo then link.strings["runtime.modinfo"] = unquote(modinfo) end

  local library, ok
  library, err = link_c(tools, objects, link.values.o .. ".so")
  if err then return complain(err) end
  ok, err = write_program(link.values.o, config.launcher, "run", {
    host = config.host,
    objects = objects,
    builds = builds,
    library = library,
    strings = link.strings,
  })
  return ok and 0 or complain(err)
end

-- ---- in place of the test binary ----------------------------------------------------------------------------------

function test.run(program, arguments)
  local host, module, err
  host, err = require "goloader".host { path = program.host }
  if host then module, err = host:load(program.objects, { run_init = false, library = program.library,
    builds = program.builds }) end
  if not module then return complain(err) end
  local words = {}
  for i = 0, #arguments do words[i + 1] = arguments[i] end
  return complain(require "goloader.cli".run_program(module, program.strings, words))
end

return test
