--- The host: the process's Go runtime, into which modules are loaded.

local lfs = require "lfs"
local core = require "goloader.core"
local build = require "goloader.building.build"
local cgo = require "goloader.building.cgo"
local check_options = require "goloader.options"
local coverage = require "goloader.coverage"
local errors = require "goloader.errors"
local flags = require "goloader.building.flags"
local instance = require "goloader.building.instance"
local module = require "goloader.module"
local nearest = require "goloader.nearest"
local objects = require "goloader.objects"
local policy = require "goloader.building.policy"
local protect = require "goloader.reload.protect"
local sharing = require "goloader.modules.sharing"
local toolchain = require "goloader.building.toolchain"
local trust = require "goloader.trust"

local misuse, fail, returned = errors.misuse, errors.fail, errors.returned

---@alias goloader.CompiledPolicy fun(import_path: string, importer: string, standard: boolean): boolean, string|nil

---@class goloader.Host
---@field package core userdata
---@field package path string
---@field package desc string  file
---@field package memory table  what builds have learnt
---@field package archives table<string, string>  named so far, by import path
---@field package std_modules table<string, goloader.Module>  what `host:std` has given, by import path
---@field package judge nil|goloader.CompiledPolicy  of `host:policy`
---@field package tools goloader.Toolchain|nil
local Host = {}
Host.__index = Host
Host.__tostring = function(self)
  return ("goloader.host: %s (%s)"):format(self.path, self.core:info().go_version)
end

---@class goloader.HostInfo
---@field go_version string  "go1.26.8"
---@field goarch string
---@field goamd64 string
---@field goexperiment string
---@field buildmode string
---@field object_header string  first line of every object that this host takes
---@field path string
---@field id string  tells this host from any other: made of its build ids
---@field linked_in string[]  import paths of its packages that are not of the standard library

local check_self = errors.checker_of(Host, "host", "host")

---@return goloader.HostInfo
function Host:info()
  check_self(self, "info")
  local info = self.core:info()
  info.linked_in = toolchain.linked_in(self.path)
  return info
end

--- How many modules this Lua state has loaded, and how many Go values Lua has handles of.
---@return { modules: integer, handles: integer }
function Host:stats()
  check_self(self, "stats")
  return self.core:stats()
end

-- The Go toolchain of this host's version.
local function tools_of(self)
  local err
  if not self.tools then self.tools, err = toolchain.find(self.path, self.core:info().go_version) end
  return self.tools, err
end

-- Names the archive of a package that the host lacks.
local function add_archive(self, import_path, file, version)
  local ok, err = self.core:add_archive(import_path, file, version)
  if not ok then return nil, err end
  self.archives[import_path] = file
  return true
end

-- Names to the host the archives of what a build imports.
local function add_archives(self, archives)
  for path, archive in pairs(archives) do
    local ok, err = add_archive(self, path, archive.file, archive.version)
    if not ok then return nil, err end
  end
  return true
end

-- Names to the host other builds of its packages. Of some it has none: GOFIPS140 brings packages of its own.
local function add_builds(self, builds)
  local own = builds and next(builds) and toolchain.read_importcfg(self.path)
  for path, file in pairs(builds or {}) do
    local ok, err
    if own[path] then ok, err = self.core:add_build(path, file) else ok, err = add_archive(self, path, file) end
    if not ok then return nil, err end
  end
  return true
end

--- The Go toolchain of this host's version.
---@return goloader.Toolchain|nil
---@return string|nil message
---@return goloader.Error|nil err
function Host:toolchain()
  check_self(self, "toolchain")
  return returned(tools_of(self))
end

--- Names the archive of a compiled package, for what the host lacks of it.
---@param import_path string
---@param file string
---@param version string|nil  how messages call it: "gopkg.in/yaml.v3@v3.0.1"
---@return true|nil
---@return string|nil message
---@return goloader.Error|nil err
function Host:add_archive(import_path, file, version)
  check_self(self, "add_archive")
  if type(import_path) ~= "string" then
    misuse(2, "host:add_archive: an import path expected, got %s", type(import_path))
  end
  if type(file) ~= "string" then misuse(2, "host:add_archive: a file's name expected, got %s", type(file)) end
  if version ~= nil and type(version) ~= "string" then
    misuse(2, "host:add_archive: the version: a string expected, got %s", type(version))
  end
  return returned(add_archive(self, import_path, file, version))
end

-- ---- what a load asks for ------------------------------------------------------------------------------------------

-- Names to the host the archives that a load has asked for; false when there is none that is new.
local function add_missing(self, packages, asked)
  local wanted = {}
  for _, path in ipairs(packages) do
    if not asked[path] then
      asked[path] = true
      wanted[#wanted + 1] = path
    end
  end
  if #wanted == 0 then return false end
  local tools = tools_of(self)
  local archives, why
  if tools then archives, why = build.archives(tools, wanted) end
  if not archives or not next(archives) then return false, why end
  for path, file in pairs(archives) do
    local ok, err = add_archive(self, path, file)
    if not ok then return nil, err end
  end
  return true
end

-- Tries to load or to ship. A try may end with what it lacks: archives of packages, which are named to the host then,
-- or parts in C that are not linked yet, which are linked. Then it is tried again, until a try asks for nothing new.
local function try_with_all_it_needs(self, options, try)
  local asked = {}
  while true do
    local result, err = try(options)
    if result then return result end
    local added, why = false, nil
    if err.code == "missing" and err.packages then
      added, why = add_missing(self, err.packages, asked)
      if added and options.check then added, why = options.check() end
    elseif err.code == "cgo" then
      local tools, no_tools = tools_of(self)
      if not tools then return nil, no_tools end
      if not err.archives then
        return cgo.link(tools, err.files, function(library)
          options.library = library
          return try_with_all_it_needs(self, options, try)
        end)
      end
      added, why = cgo.link(tools, err.files, function(library) return self.core:add_library(err.files, library) end)
    end
    if not added then return nil, why or err end
  end
end

-- ---- what may be imported ------------------------------------------------------------------------------------------

--- Says which packages modules may import, from now on; nil lifts it. `imports` of a single load or build comes on top.
---@param rules goloader.Policy|nil
function Host:policy(rules)
  check_self(self, "policy")
  local judge, why
  if rules ~= nil then
    judge, why = policy.compile(rules)
    if not judge then misuse(2, "host:policy: %s", why) end
  end
  self.judge = judge
end

-- The policies that hold for one load or build, given its own rules; nil when there is none.
local function judges_of(self, method, rules)
  local judges = { self.judge }
  if rules ~= nil then
    local judge, why = policy.compile(rules)
    if not judge then misuse(3, "host:%s: imports: %s", method, why) end
    judges[#judges + 1] = judge
  end
  return judges[1] and judges
end

-- Has policies judge files that are compiled already.
local function check_files(self, judges, files)
  local tools = tools_of(self)
  local function is_standard(path)
    if tools then return tools:is_standard(path) end
    return not path:match("^[^/]*"):find(".", 1, true)
  end
  local roots, packages = policy.read_objects(files, self.archives, objects.imports, is_standard)
  if not roots then return nil, packages end
  return policy.check(judges, roots, packages)
end

-- ---- loading -------------------------------------------------------------------------------------------------------

-- Archives lie in Go's build cache, under names that tell nobody anything: their sources are named instead.
local function name_sources(err, files)
  for _, file in ipairs(files) do
    local from, to = err.message:find(file.file, 1, true)
    if file.dir and from then err.message = err.message:sub(1, from - 1) .. file.dir .. err.message:sub(to + 1) end
  end
  return err
end

-- Loads files as one module, with all that they need.
---@return userdata|nil
---@return goloader.Error|nil err
local function load_files(self, files, options, uses, check)
  local loaded, err = try_with_all_it_needs(self,
    { run_init = options.run_init ~= false, ndeps = options.ndeps, twice = options.twice, uses = uses,
      library = options.library, check = check },
    function(load_options) return self.core:load(files, load_options) end)
  if not loaded then return nil, name_sources(err, files) end
  return loaded
end

-- The cores of the modules that are to be used; an error where one was unloaded.
local function read_uses(method, used)
  local uses = {}
  for i, each in ipairs(used or {}) do
    local used_core, name = module.core_of(each)
    if not used_core then misuse(3, "host:%s: uses: module #%d: a module expected, got %s", method, i, type(each)) end
    if not used_core:is_loaded() then
      return nil, { code = "closed", message = ("module %s, which is to be used, was unloaded"):format(name) }
    end
    uses[i] = used_core
  end
  return uses
end

local function size_of(files)
  local size = 0
  for _, file in ipairs(files) do size = size + (lfs.attributes(file.file, "size") or 0) end
  return size
end

---@class goloader.LoadOptions
---@field package string|nil  import path, for one object that was compiled without -p
---@field run_init boolean|nil  false: leave the packages' init functions to module:run_main
---@field ndeps integer|nil  the first files are dependencies: of them only what the others need is kept
---@field twice nil|"refuse"|"other"|"always"  a dependency that the host has too comes from the host: another version
---  is refused, becomes the module's own ("other"), or whatever version does ("always")
---@field library string|nil  the files' C parts, linked before (see goloader.cgo); nil: they are linked as needed
---@field uses goloader.Module[]|nil  modules whose packages these files use: they can't be unloaded before this one
---@field imports goloader.Policy|nil  which packages they may import; that of "unsafe" leaves no trace in an object
---@field wait true|nil|fun(): any  a shipped module is loaded, and its init functions run, by another thread; meanwhile
---  this call waits as `job:wait` does, which may suspend its coroutine. A function is called each second, and gives up
---  by returning an error: what is loaded after all then goes again
---@field copy_of string|nil  the file is made first, as a copy of this one: by that thread where there is one
---@field builds table<string, string>|nil  archives by import path, where the files were compiled against another build
---  of the standard library than the host has: with other flags for all packages, say

local LOAD_OPTIONS = {
  package = "string", run_init = "boolean", ndeps = "number", twice = "string", library = "string", uses = "table",
  imports = "table function", wait = "boolean function", builds = "named strings", copy_of = "string",
}

local TWICE = { refuse = true, other = true, always = true }

-- The files of a load as tables, and their names.
local function read_files(files, package)
  if type(files) == "string" then files = { { file = files, package = package } } end
  if type(files) ~= "table" or #files == 0 then
    local got = type(files) == "table" and "an empty list" or type(files)
    misuse(3, "host:load: a file name or a list of them expected, got %s", got)
  end
  local list, names = {}, {}
  for i, file in ipairs(files) do
    if type(file) == "string" then file = { file = file } end
    if type(file) ~= "table" or type(file.file) ~= "string" then
      misuse(3, "host:load: file #%d: a name expected, got %s", i, type(file))
    end
    if files[2] and file.file:find "%.gom$" then misuse(3, "host:load: %s: a shipped module comes alone", file.file) end
    list[i], names[i] = file, file.file
  end
  return list, table.concat(names, " ")
end

-- Loads a shipped module in a thread, and waits for that: whoever can be suspended lets others go on.
local function load_waiting(self, file, copy_of, each_second)
  local job, pending = self.core:load_start(file, copy_of)
  if not job then return nil, pending end
  local given_up
  repeat
    job:wait(each_second and 1)
    given_up = not job:done() and each_second() or nil
  until given_up or job:done()
  if not given_up then return self.core:load_finish(pending) end
  job:on_done(function()
    local late = self.core:load_finish(pending)
    if late then module.new(late, file, size_of { { file = file } }):unload { background = true } end
  end)
  return nil, given_up
end

--- Loads objects as the Go compiler wrote them, as one module; or a shipped module (`host:ship`), alone.
---@param files string|(string|{ file: string, package: string|nil })[]
---@param options goloader.LoadOptions|nil
---@return goloader.Module|nil module
---@return string|nil message
---@return goloader.Error|nil err
function Host:load(files, options)
  check_self(self, "load")
  options = check_options("host:load", options, LOAD_OPTIONS)
  if options.twice and not TWICE[options.twice] then
    misuse(2, 'host:load: twice: "refuse", "other" or "always" expected, got %q', options.twice)
  end
  if options.ndeps and not (options.ndeps >= 0 and options.ndeps % 1 == 0) then
    misuse(2, "host:load: ndeps: a number of files expected, got %s", tostring(options.ndeps))
  end
  local list, name = read_files(files, options.package)
  local uses, err = read_uses("load", options.uses)
  if not uses then return fail(err) end
  local judges = judges_of(self, "load", options.imports)
  local check = judges and function() return check_files(self, judges, list) end
  local is_beside = options.wait and #uses == 0 and name:find "%.gom$"
  if options.copy_of and (check or not is_beside) then
    local ok, why = toolchain.copy_file(options.copy_of, name)
    if not ok then return fail(why) end
  end
  if check then
    local ok, why = check()
    if not ok then return fail(why) end
  end
  local loaded
  loaded, err = add_builds(self, options.builds)
  if loaded and is_beside then
    loaded, err = load_waiting(self, name, not check and options.copy_of or nil,
      type(options.wait) == "function" and options.wait or nil)
  elseif loaded then
    loaded, err = load_files(self, list, options, uses, check)
  end
  if not loaded then return fail(err) end
  return module.new(loaded, name, size_of(list))
end

-- ---- the process's own packages ------------------------------------------------------------------------------------

-- Where the declarations of a package are that the process has or could share.
---@return string|nil archive
---@return goloader.Error|nil err
local function find_archive(self, path)
  if ("/" .. path .. "/"):find("/internal/", 1, true) or path:find "^vendor/" then
    return nil, { code = "unsupported", message = path .. ": nobody but Go's own library may import it" }
  end
  local listed = toolchain.read_archives(self.path)
  local file = listed[path] or self.archives[path]
  if file and lfs.attributes(file, "mode") then return file end
  if file then
    return nil, { code = "missing", packages = { path },
      message = ("%s: its archive, %s, which belongs to the host, is not there"):format(path, file) }
  end
  if not next(listed) then
    return nil, { code = "missing", packages = { path },
      message = ("%s: what it exports is read from archives, and their list, %s.importcfg, is not there")
        :format(path, self.path) }
  end
  local near = nearest(path, listed)
  return nil, { code = "missing", packages = { path }, message = ("%s: neither this host nor Go's library has such a "
    .. "package; %s"):format(path, near and ("did you mean %s?"):format(near) or "host:build takes import paths") }
end

-- Makes the function that loads instances of a shared package's generic functions.
local function shared_instance_loader(self, path, archive)
  local interface = { path = path, name = path:match "([^/]+)/v%d+$" or path:match "[^/]+$", archives = {},
    dependencies = {}, file = archive }
  return function(name)
    local tools, err = tools_of(self)
    if not tools then return nil, err end
    return instance.build(tools, interface, name, self.desc, nil, function(files)
      return load_files(self, { files[#files] }, {}, {})
    end)
  end
end

--- A package of the process itself, under the same face as a module: `host:std "io".EOF` is the one that all Go code
--- here compares with. It is the host's own; a package of Go's library that the host was made without is brought by
--- the first who asks, and so is a function that nobody in the host had a use for: all modules share them from then on.
--- What they export is read from the archives beside the host. Nothing of it can be unloaded.
---@param path string  import path: "io", "net/http"; packages that a host of your own has been made with, too
---@return goloader.Module|nil module
---@return string|nil message
---@return goloader.Error|nil err
function Host:std(path)
  check_self(self, "std")
  if type(path) ~= "string" then misuse(2, "host:std: an import path expected, got %s", type(path)) end
  if self.std_modules[path] then return self.std_modules[path] end
  local archive, err = find_archive(self, path)
  if not archive then return fail(err) end
  local loaded
  loaded, err = try_with_all_it_needs(self, { is_shared = true },
    function(options) return self.core:load({ { file = archive, package = path } }, options) end)
  if not loaded then return fail(err) end
  self.std_modules[path] = module.new(loaded, path, lfs.attributes(archive, "size"),
    shared_instance_loader(self, path, archive), true)
  return self.std_modules[path]
end

-- ---- building ------------------------------------------------------------------------------------------------------

local function read_paths(method, paths)
  if type(paths) == "string" then paths = { paths } end
  if type(paths) ~= "table" or type(paths[1]) ~= "string" then
    misuse(3, "host:%s: a directory, Go files or an import path expected, got %s", method, type(paths))
  end
  for i, path in ipairs(paths) do
    if type(path) ~= "string" then misuse(3, "host:%s: path #%d: a string expected, got %s", method, i, type(path)) end
  end
  return paths
end

-- Compiles what changed of a package, and names to the host the archives of what it imports.
---@return goloader.Objects|nil
---@return goloader.Error|nil err
local function compile(self, paths, options, judges)
  local tools, err = tools_of(self)
  if not tools then return nil, err end
  local function check(roots, packages) return policy.check(judges, roots, packages) end
  local build_options = setmetatable({ check = judges and check }, { __index = options })
  local under_way, built
  -- what an earlier build knows of the package is of its own files
  under_way, err = build.start(tools, paths, build_options, not options.cover and self.memory or {})
  if not under_way then return nil, err end
  while options.pause and not under_way:done() do
    options.pause()
    under_way:update()
  end
  built, err = under_way:wait()
  if not built then return nil, err end
  if options.on_sources then options.on_sources(built.sources) end
  local ok = true
  if options.types then ok, err = require("goloader.definitions").keep(built, paths, options.types) end
  if ok then ok, err = add_archives(self, built.archives) end
  if ok then ok, err = add_builds(self, built.builds) end
  if not ok then
    built:remove()
    return nil, err
  end
  return built
end

-- Makes the function that loads instances of a built module's generic functions (see goloader.building.instance).
local function instance_loader(self, loaded, recipe)
  return function(name)
    local tools, err = tools_of(self)
    if not tools then return nil, err end
    local judges = judges_of(self, "build", recipe.imports)
    return instance.build(tools, recipe.interface, name, self.desc, judges, function(files)
      return load_files(self, files, { ndeps = #files - 1, twice = recipe.twice }, { loaded })
    end)
  end
end

---@class goloader.HostBuildOptions: goloader.BuildOptions
---@field run_init boolean|nil
---@field imports goloader.Policy|nil  which packages may be imported
---@field uses goloader.Module[]|nil  loaded modules that bring packages which this one imports: it shares their types
---  and variables, and they can't be unloaded before it
---@field types string|nil  a file that gets definitions of the module for the Lua language server, or a folder that
---  gets one: "types/" (see goloader.definitions)
---@field pause nil|fun()  called again and again while the compiler works, so that something else can be done
---@field on_sources nil|fun(sources: goloader.Sources)  hears what was read, as soon as it is compiled
---@field cover "set"|"count"|"atomic"|true|nil  for module:coverage: what of the package is executed

local BUILD_OPTIONS = {
  gcflags = "string", lang = "string", tags = "string", words = "strings", plain = "boolean", private = "boolean",
  notice = "function", warnings = "function", run_init = "boolean", imports = "table function", uses = "table",
  pause = "function", on_sources = "function", progress = "function", types = "string", cover = "string boolean",
}

-- Why no host can load what options ask for that the go command has, too.
local function refuse_sanitizers(options)
  for name, why in pairs(flags.sanitizers) do
    if type(options) == "table" and options[name] then misuse(3, "host:build: %s: %s", name, why) end
  end
end

-- The options with which a package is built whose files are to count.
local function read_cover(self, paths, options)
  local mode = options.cover
  if not mode then return options end
  mode = mode == true and "set" or mode
  if not coverage.modes[mode] then
    misuse(3, 'host:build: cover: "set", "count" or "atomic" expected, got %q', mode)
  end
  local tools, err = tools_of(self)
  if not tools then return nil, err end
  local covered
  covered, err = coverage.prepare(tools, paths, setmetatable({ cover = mode }, { __index = options }))
  if not covered then return nil, err end
  return setmetatable({ words = covered.words, plain = false, annotated = true }, { __index = options }), covered
end

--- Compiles what changed of a package, then loads it with all it needs beyond the standard library.
---@param paths string|string[]  a directory, Go files of one directory, or an import path: "net/url",
---  "github.com/yuin/goldmark", "github.com/yuin/goldmark@v1.8.2"
---@param options goloader.HostBuildOptions|nil
---@return goloader.Module|nil module
---@return string|nil message
---@return goloader.Error|nil err  code "compile": the compiler's own message
function Host:build(paths, options)
  check_self(self, "build")
  refuse_sanitizers(options)
  options = check_options("host:build", options, BUILD_OPTIONS)
  paths = read_paths("build", paths)
  local untrusted = trust.refusal(self.core, paths[1])
  if untrusted then return fail(untrusted) end
  local uses, err = read_uses("build", options.uses)
  if not uses then return fail(err) end
  local built, loaded, covered
  options, covered = read_cover(self, paths, options)
  if not options then return fail(covered) end
  built, err = compile(self, paths, options, judges_of(self, "build", options.imports))
  if covered then covered.remove() end
  if not built then return fail(err) end
  local twice, size = options.private and "other" or "refuse", size_of(built.files)
  loaded, err = load_files(self, built.files,
    { run_init = options.run_init, ndeps = #built.files - 1, twice = twice }, uses)
  built:remove()
  if not loaded then
    if err.other_version and not options.private then
      err.message = err.message .. " (with private = true the module gets its own)"
    end
    return fail(err)
  end
  local recipe = { interface = built.interface, imports = options.imports, twice = twice }
  return module.new(loaded, table.concat(paths, " "), size, instance_loader(self, loaded, recipe), nil, covered, recipe)
end

--- Loads a module as `host:build` does, or `host:load` where it was compiled already, and loads it again whenever it is
--- edited: what is returned stands for the version of the moment. "plugins/*": each Go file and each folder there is a
--- module of its own, which appears, changes and goes.
---@param paths string|string[]
---@param options goloader.WatchOptions|nil
---@return goloader.Slot|goloader.Plugins|nil watched
---@return string|nil message
---@return goloader.Error|nil err
function Host:watch(paths, options)
  check_self(self, "watch")
  read_paths("watch", paths)
  if type(options) == "table" then judges_of(self, "watch", options.imports) end
  local watched, message, err = require("goloader.reload").watch(self, paths, options, BUILD_OPTIONS)
  return watched, message, err -- no tail call: the levels of errors count this function
end

local function check_name(method, name)
  if type(name) ~= "string" or name == "" or name:find "%z" then
    misuse(3, "host:%s: a name expected, got %s", method, type(name) == "string" and ("%q"):format(name) or type(name))
  end
end

--- Lets the other Lua states of the process have a module, by a name: `host:shared` gives it to them. It is one module
--- then, with the same variables for all, and `host:replace` in one of them is for all. One that unloads it, or is
--- closed, has no part in it any more; the last one takes it out of the process.
---@param name string
---@param shared goloader.Module
---@return true|nil
---@return string|nil message
---@return goloader.Error|nil err  code "duplicate": there is another one of that name, or it has another name already
function Host:share(name, shared)
  check_self(self, "share")
  check_name("share", name)
  local _, its = module.core_of(shared)
  if not its then misuse(2, "host:share: a module expected, got %s", type(shared)) end
  if module.is_process_own(shared) then
    misuse(2, "host:share: %s is the process's own package, which host:std gives to all", its)
  end
  return returned(sharing.share(shared, name))
end

--- The module that a Lua state of the process shares by that name; where there is none, what `make` returns, which is
--- shared by that name from then on. The first who asks makes it, others wait for that.
---@param name string
---@param make nil|fun(): goloader.Module|nil, string|nil, goloader.Error|nil
---@return goloader.Module|nil module
---@return string|nil message
---@return goloader.Error|nil err  code "missing": nobody shares one, and there is no `make`; or why that has failed
function Host:shared(name, make)
  check_self(self, "shared")
  check_name("shared", name)
  if make ~= nil and type(make) ~= "function" then
    misuse(2, "host:shared: a function that makes the module expected, got %s", type(make))
  end
  local known = sharing.find_shared(name)
  if known then return known end
  local found, err = self.core:shared(name, make ~= nil)
  if not found then return fail(err) end
  if not make or err ~= true then return sharing.take(found) end
  local claim = found -- for as long as it is being made
  local called, made, message, why = protect.run(make)
  local is_module = called and made and module.core_of(made) and not module.is_process_own(made)
  local ok
  if is_module then ok, err = sharing.share(made, name) end
  self.core:unmake(name, claim)
  if not called then error(made.raised, 0) end
  if not made then return nil, message, why end
  if not is_module then misuse(2, "host:shared: %s: what was made is no module, but a %s", name, type(made)) end
  if not ok then return fail(err) end
  return made
end

--- Has a module become another one, in one step: it, and functions that were taken from it, stand for the new one from
--- then on. Calls under way end in the old code, which is unloaded when nothing refers to it any more. When the new one
--- can't be loaded, is refused by `ready`, or does not take over the state (`Release()` to `Adopt(state)`), nothing of
--- it stays.
---@param old goloader.Module
---@param new goloader.Module|string|string[]  a module, which is the same as the old one then; or what one is made of
---@param options goloader.ReplaceOptions|nil
---@return true|nil
---@return string|nil message
---@return goloader.Error|nil err
function Host:replace(old, new, options)
  check_self(self, "replace")
  if not module.core_of(new) then read_paths("replace", new) end
  if type(options) == "table" then judges_of(self, "replace", options.imports) end
  return returned(require("goloader.reload.replace").run(self, old, new, options, BUILD_OPTIONS))
end

--- Unloads modules that were replaced, or are to go in the background, and could not be unloaded yet; `goloader.step`
--- does so now and then, too. Likewise those that closed Lua states have left, which else go when a module is loaded or
--- unloaded.
---@return integer waiting  how many are left
function Host:tidy()
  check_self(self, "tidy")
  sharing.catch_up()
  return require("goloader.reload.dismissed").tidy() + self.core:tidy()
end

--- What is loaded in this process, by all its Lua states; which of it is to go, and why it can't yet. Packages of
--- `host:std` are not among it: they are the process's own.
---@return goloader.LoadedModule[]
function Host:modules()
  check_self(self, "modules")
  return require("goloader.inventory").list(self.core)
end

---@class goloader.ShipOptions: goloader.BuildOptions
---@field strings table<string, string>|nil  values of string variables by their full names: "main.version"
---@field key string|nil  file of a secret key (goloader.keygen), with which it is signed
---@field debug boolean|nil  true: debuggers have the values of variables of it, as of objects; it is larger then
---@field godebug false|nil  false: of package main, too, only functions are meant; it gets no settings for GODEBUG
---@field pause nil|fun()  as host:build's
---@field on_sources nil|fun(sources: goloader.Sources)  likewise
---@field imports goloader.Policy|nil  likewise

-- Those of a build too, so that a module can be declared once, to be built or to be shipped.
local SHIP_OPTIONS = { strings = "named strings", godebug = "boolean", key = "string",
  debug = "boolean" }
for name, types in pairs(BUILD_OPTIONS) do SHIP_OPTIONS[name] = types end

-- Objects that are there already, in the shape of a build's.
local function already_built(paths)
  local files = {}
  for i, path in ipairs(paths) do
    if not path:find "%.[oa]$" then return nil end
    files[i] = { file = path }
  end
  return files[1] and { files = files, remove = function() end }
end

-- Why values can't be given to variables that are no strings; nil where they are, or are not there.
local function find_mistyped(self, values, files)
  local archives = {}
  for i, file in ipairs(files) do archives[i] = file.file end
  local symbol, type = flags.mistyped(values or {}, archives, self.desc)
  if not symbol then return nil end
  return { code = "type", message = ("%s is no variable of type string, but %s"):format(symbol, type:sub(6)) }
end

-- Values of string variables, in an order of their own: the same input makes the same file.
local function read_strings(values)
  local strings = {}
  for name, value in pairs(values or {}) do
    if not name:find "%s" then strings[#strings + 1] = { name, value } end -- no variable has such a name
  end
  table.sort(strings, function(a, b) return a[1] < b[1] end)
  return strings
end

--- Compiles what changed of a package, then writes one file with its object code and that of all it needs beyond this
--- host. `host:load` takes the file on any machine, into any host of the same Go that has what the module uses: nothing
--- else has to be there.
---@param paths string|string[]  as host:build's; or objects, the package meant last
---@param out string  the file to write: "shop.gom"
---@param options goloader.ShipOptions|nil
---@return goloader.Manifest|nil manifest
---@return string|nil message
---@return goloader.Error|nil err
function Host:ship(paths, out, options)
  check_self(self, "ship")
  options = check_options("host:ship", options, SHIP_OPTIONS)
  if type(out) ~= "string" then misuse(2, "host:ship: the name of a file to write expected, got %s", type(out)) end
  paths = read_paths("ship", paths)
  local built = already_built(paths)
  local ok, err = true, nil
  if options.key then ok, err = core.key(options.key, true) end -- before something is compiled
  if not ok then return fail(err) end
  if not built then
    built, err = compile(self, paths, options, judges_of(self, "ship", options.imports))
    if not built then return fail(err) end
  end
  err = find_mistyped(self, options.strings, built.files)
  if err then
    built:remove()
    return fail(err)
  end
  local is_program = built.name == "main" and options.godebug ~= false
  local settings = is_program and build.default_godebug(self:toolchain(), built.target, options) or ""
  ok, err = try_with_all_it_needs(self, {
    ndeps = #built.files - 1, key = options.key, twice = options.private and "other" or "refuse",
    godebug = settings ~= "" and settings or nil, strings = read_strings(options.strings), debug = options.debug,
  }, function(ship_options) return self.core:ship(built.files, out, ship_options) end)
  built:remove()
  if not ok then return fail(err) end
  return returned(objects.manifest(out))
end

--- Tells what a module can do: packages, and what it can reach of the network, files, other processes, system calls, C,
--- and the host. Nothing of it is loaded, and none of its code runs.
---@param paths string|string[]  as host:ship's; or a shipped module
---@param options goloader.HostBuildOptions|nil
---@return goloader.Audit|nil
---@return string|nil message
---@return goloader.Error|nil err
function Host:audit(paths, options)
  check_self(self, "audit")
  options = check_options("host:audit", options, BUILD_OPTIONS)
  paths = read_paths("audit", paths)
  local is_shipped = #paths == 1 and paths[1]:find "%.gom$"
  local built = is_shipped and { files = { { file = paths[1] } }, remove = function() end } or already_built(paths)
  local err
  local unsafe = {}
  if not built then
    local judges = judges_of(self, "audit", options.imports) or {}
    judges[#judges + 1] = function(path, importer) -- objects don't tell
      if path == "unsafe" then unsafe[#unsafe + 1] = importer end
      return true
    end
    built, err = compile(self, paths, options, judges)
    if not built then return fail(err) end
  end
  local symbols, result
  symbols, err = try_with_all_it_needs(self,
    { ndeps = #built.files - 1, twice = options.private and "other" or "refuse" },
    function(audit_options) return self.core:audit(built.files, audit_options) end)
  if symbols then result, err = require("goloader.audit").report(self.core, built.files, symbols, unsafe) end
  built:remove()
  if not result then return fail(err) end
  if not is_shipped then result.file = table.concat(paths, " ") end
  return result
end

-- What a module that is declared once, to be built or to be shipped, may be given.
local host = { build_options = {} }
for name, types in pairs(SHIP_OPTIONS) do
  if name ~= "pause" and name ~= "on_sources" then host.build_options[name] = types end
end

--- The host that was started.
---@param started userdata
---@param path string
---@param desc string
---@return goloader.Host
function host.new(started, path, desc)
  local self = setmetatable(
    { core = started, path = path, desc = desc, memory = {}, archives = {}, std_modules = {} }, Host)
  sharing.set_instance_loader(function(loaded, recipe) return instance_loader(self, loaded, recipe) end)
  return self
end

return host
