--- goloader: ordinary compiled Go, loaded into a running Lua process.
--
--     local goloader = require "goloader"
--     local host = assert(goloader.host())
--     local list = assert(host:build "examples/listpage/list.go")
--     print(list.Render("phones", "sort=price"))
--     assert(list:unload())
--
-- What can fail in a correct program returns nil and an error: a table that prints as one clear line, with fields to
-- branch on. Misuse raises.

local lfs = require "lfs"
local loads, core = pcall(require, "goloader.core")
if not loads then
  -- the functions of Lua's C API are not the same from one version to the next
  local file, symbol = tostring(core):match "([^%s:]+): undefined symbol: (luaL?_[%w_]+)"
  error(not file and core or ("%s was built for another Lua than this one, %s, which has no %s: make it with "
    .. "LUA_INCDIR=<where this one's lua.h is>"):format(file, _VERSION, symbol), 0)
end
local build = require "goloader.building.build"
local cgo = require "goloader.building.cgo"
local explain = require "goloader.roads.explain"
local instance = require "goloader.building.instance"
local jobs = require "goloader.jobs"
local policy = require "goloader.building.policy"
local road = require "goloader.roads.road"
local toolchain = require "goloader.building.toolchain"

---@class goloader.Error
---@field code string  "io", "format", "mismatch", "missing", "duplicate", "unsupported", "memory", "host", "busy",
---  "panic", "type", "closed"; "compile", "toolchain", "policy"; "go" for an error that a Go function returned
---@field message string  one line; tracebacks and a compiler's messages follow it
---@field packages string[]|nil  import paths that have no archive, when code is "missing"
---@field type string|nil  Go type of the error, when code is "go"
local Error = {}
Error.__index = Error
Error.__tostring = function(err) return err.message end
Error.__concat = function(a, b) return tostring(a) .. tostring(b) end

--- Go's errors.Is: does it, or an error that it wraps, equal the target? Both are errors that came from Go, a module's
--- variable say: `err:is(shop.ErrNotFound)`.
---@param ... goloader.Error|userdata|nil  the target
---@return boolean
function Error:is(...)
  if select("#", ...) == 0 then error("err:is: an error to compare with expected (write err:is, not err.is)", 2) end
  return core.error_is(self, (...))
end

--- Go's errors.As: the first error in its chain that has this Go type, as a handle with fields and methods.
---@param type_name string  "*fs.PathError"
---@return userdata|nil handle
function Error:as(type_name)
  if type(type_name) ~= "string" then
    error("err:as: a Go type's name expected, got " .. type(type_name) .. " (write err:as, not err.as)", 2)
  end
  return core.error_as(self, type_name)
end

--- Go's errors.Unwrap.
---@return goloader.Error|nil
function Error:unwrap()
  if self == nil then error("err:unwrap: no error to call it on (write err:unwrap, not err.unwrap)", 2) end
  return core.error_unwrap(self)
end

local function fail(err)
  if type(err) == "table" and not getmetatable(err) then setmetatable(err, Error) end
  return nil, err
end

core.set_error_metatable(Error)

-- Integers beyond 2^53 keep their value: as int64_t and uint64_t where there is an FFI.
local has_ffi, ffi = pcall(require, "ffi")
if has_ffi then
  local signed, unsigned = ffi.typeof "int64_t", ffi.typeof "uint64_t"
  local two32 = ffi.cast(unsigned, 2 ^ 32) -- a literal with ULL would be an error to other Luas
  local function make(lo, hi, is_unsigned)
    local value = ffi.cast(unsigned, hi) * two32 + ffi.cast(unsigned, lo)
    return is_unsigned and value or ffi.cast(signed, value)
  end
  local function split(value)
    local is_unsigned = ffi.istype(unsigned, value)
    if not is_unsigned and not ffi.istype(signed, value) then return nil end
    local bits = ffi.cast(unsigned, value)
    return tonumber(bits % two32), tonumber(bits / two32), is_unsigned
  end
  core.set_int64(make, split)
end

local goloader = {
  version = "dev",
}

local function misuse(level, format, ...)
  error(format:format(...), level + 1)
end

-- ---- modules ------------------------------------------------------------------------------------------------------

-- A module's fields that start with an upper-case letter are Go's exports; methods of the loader start with a
-- lower-case one, so that no name can clash. State is kept here, off the module itself.
local state = setmetatable({}, { __mode = "k" })
-- What is below all modules: functions keep it, when the module is forgotten.
local cores = setmetatable({}, { __mode = "k" })

---@class goloader.Module
---@field [string] any  exported functions and variables of the Go packages
local Module = {}

local function is_export(name)
  return type(name) == "string" and not name:find "^[%l_]"
end

local function module_of(self, method)
  local s = state[self]
  if not s then misuse(3, "%s: no module to call it on (write module:%s, not module.%s)", method, method, method) end
  return s
end

--- Takes the module out of the process. Refused, with the reasons, while something still runs in it or refers to it. To
--- find that out, Go stops for as long as a walk over its live heap takes.
---
--- A package that the module shares with others may remember its types for ever (JSON packages do). That is no reason
--- to stay with `prove = "code"`: the types stay mapped, and nothing but code and variables must be unused. With `prove
--- = "nothing"` there is no walk, for those who know.
---
--- Handles of its values hold it, too, unless Lua has no use for them any more. With `handles = "drop"` they do not,
--- and every use of one raises an error from then on.
---@param options { prove: nil|"all"|"code"|"nothing", handles: nil|"keep"|"drop" }|nil
---@return true|nil
---@return goloader.Error|nil err
function Module:unload(options)
  local s = module_of(self, "unload")
  if not s.core:is_loaded() then return fail { code = "closed", message = s.name .. " was unloaded already" } end
  options = options or {}
  if options.handles and options.handles ~= "keep" and options.handles ~= "drop" then
    misuse(2, "module:unload: handles is \"keep\" or \"drop\", not %s", tostring(options.handles))
  end
  local along = {}
  for _, made in pairs(s.instances) do along[#along + 1] = made.core end
  local ok, err = s.core:unload(options.prove, options.handles == "drop", along)
  if not ok then return fail(err) end
  s.forget()
  return true
end

---@return boolean
function Module:is_loaded()
  return module_of(self, "is_loaded").core:is_loaded()
end

--- A handle of an exported variable itself: what is set through it, is set for Go.
---@param name string
---@return userdata handle
function Module:ref(name)
  if type(name) ~= "string" then misuse(2, "module:ref: a variable's name expected, got %s", type(name)) end
  return module_of(self, "ref").core:ref(name)
end

--- A handle of a new variable of an exported type: `shop:new("Item", { Name = "lamp" })` is `&shop.Item{Name: "lamp"}`.
---@param type_name string
---@param value any|nil  what it is set to; nil: the type's zero value
---@return userdata handle
function Module:new(type_name, value)
  local s = module_of(self, "new")
  if type(type_name) ~= "string" then misuse(2, "module:new: a type's name expected, got %s", type(type_name)) end
  if not is_export(type_name) then misuse(2, "module:new: %s is no exported type's name", type_name) end
  return s.core:new(type_name, value)
end

local instantiate

--- An instance of a generic function, which is compiled and loaded at the first call that asks for it: `"Max[int]"`,
--- `"Map[string, shop.Item]"`. It is the module's, and goes with it. `module["Max[int]"]` is the same, but raises what
--- is returned here as an error.
---@param name string  with type arguments: types of Go, of the module, of packages that it imports, of Go's library
---@return goloader.Func|nil
---@return goloader.Error|nil err  code "compile": what the compiler has against it
function Module:instantiate(name)
  local s = module_of(self, "instantiate")
  if type(name) ~= "string" then misuse(2, "module:instantiate: a function's name expected, got %s", type(name)) end
  local fn, err = instantiate(s, name)
  if not fn then return fail(err) end
  return fn
end

---@class goloader.Parameter
---@field name string
---@field type string  Go type: "map[string]main.P"

---@class goloader.Export
---@field name string
---@field package string  import path
---@field kind "func"|"var"
---@field signature string  "func(cat string) (string, error)", or a variable's type
---@field params goloader.Parameter[]
---@field results goloader.Parameter[]
---@field variadic boolean
---@field typed boolean  false: the object was compiled without the information (-dwarf=false)

--- The exported functions and variables.
---@return goloader.Export[]
function Module:exports()
  return module_of(self, "exports").core:exports()
end

---@class goloader.Symbol
---@field name string
---@field addr string  hexadecimal
---@field size integer  bytes
---@field kind string  as nm(1) prints it: t text, r read-only data, d data, b zeroed data; upper case: exported

--- Every symbol placed in memory for this module, by address.
---@return goloader.Symbol[]
function Module:symbols()
  return module_of(self, "symbols").core:symbols()
end

---@class goloader.Instruction
---@field addr string
---@field bytes string
---@field mnemonic string
---@field operands string
---@field comment string|nil  what a call or reference means

-- A listing prints as one.
local Listing = {}
Listing.__tostring = function(listing)
  local lines = {}
  for i, at in ipairs(listing) do
    local comment = at.comment and at.comment ~= "" and "  ; " .. at.comment or ""
    lines[i] = (("%s  %-24s %-8s %s%s"):format(at.addr, at.bytes, at.mnemonic, at.operands, comment):gsub("%s+$", ""))
  end
  return table.concat(lines, "\n")
end

--- The machine code of a function as it lies in memory, with names for what it calls and refers to.
---@param name string  "Render", or a symbol's full name: "main.(*page).write"
---@return goloader.Instruction[]|nil listing  prints as text
---@return goloader.Error|nil err
function Module:disassemble(name)
  if type(name) ~= "string" then misuse(2, "module:disassemble: a function's name expected, got %s", type(name)) end
  local listing, err = module_of(self, "disassemble").core:disassemble(name)
  if not listing then return fail(err) end
  return setmetatable(listing, Listing)
end

--- Which road a function's calls take and, instruction by instruction, why not a faster one.
---@param name string  "Render", or a symbol's full name: "main.(*page).write"
---@return goloader.Explanation|nil explanation  prints as text
---@return goloader.Error|nil err
function Module:explain(name)
  if type(name) ~= "string" then misuse(2, "module:explain: a function's name expected, got %s", type(name)) end
  local found, err = module_of(self, "explain").core:explain(name)
  if not found then return fail(err) end
  local fn = found.export and self[found.export]
  return explain.new(found, fn and fn:road())
end

local Func = core.func_class()
local explain_func = Func.explain

--- The same, of a function at hand: `shop.Render:explain()`.
---@return goloader.Explanation|nil explanation
---@return goloader.Error|nil err
function Func:explain()
  road.check(self, "explain")
  local found, err = explain_func(self)
  if not found then return fail(err) end
  return explain.new(found, self:road())
end

--- Bytes of each section, bytes of the objects it was loaded from, and milliseconds of each step of the load.
---@return table<string, number>
function Module:stats()
  local s = module_of(self, "stats")
  local stats = s.core:stats()
  stats.object_bytes = s.object_bytes
  return stats
end

--- Gives a string variable of the module or the host another value, as the linker's -X does. Meant for a program that
--- was loaded with `run_init = false`: its init functions find the new value.
---@param name string  "example.com/app.Version"
---@param value string
---@return true|nil
---@return goloader.Error|nil err
function Module:set_string(name, value)
  local ok, err = module_of(self, "set_string").core:set_string(name, value)
  if not ok then return fail(err) end
  return true
end

--- Runs the program's init functions and main.main, on this thread as on a process's main thread; `args` becomes
--- os.Args. Returns only when it fails: the process ends when main.main does, and by os.Exit and uncaught panics, as
--- natively.
---@param args string[]
---@return nil
---@return goloader.Error err
function Module:run_main(args)
  local _, err = module_of(self, "run_main").core:run_main(args)
  return fail(err)
end

local function set_field(self, name, value)
  local s = state[self]
  if not s.variables[name] then misuse(2, "%s has no exported variable %s", s.name, tostring(name)) end
  return s.core:set(name, value)
end

local function describe(self)
  local s = state[self]
  return ("goloader.module: %s%s"):format(s.name, s.core:is_loaded() and "" or " (unloaded)")
end

local function new_module(loaded, name, object_bytes)
  -- where packages of one module export the same name, the one that was built or given last has it: the first listed
  local kinds, variables = {}, {}
  for _, export in ipairs(loaded:exports()) do
    if not kinds[export.name] then
      kinds[export.name] = export.kind
      variables[export.name] = export.kind == "var" or nil
    end
  end
  cores[loaded] = true
  -- A table of functions, and no function, finds them: that compiles to nothing in a trace.
  local s
  local functions = setmetatable({}, {
    __index = function(functions, field)
      if type(field) == "string" and field:find("[", 1, true) then
        local fn, err = instantiate(s, field)
        if not fn then misuse(2, "%s", err.message) end
        functions[field] = fn
        return fn
      end
      if not is_export(field) then return Module[field] end
      if variables[field] then return loaded:get(field) end
      local fn = loaded:func(field)
      if fn then functions[field] = road.equip(fn) end
      return fn
    end,
  })
  local self = setmetatable({}, { __index = functions, __newindex = set_field, __tostring = describe })
  s = {
    core = loaded, name = name, instances = {}, variables = variables, object_bytes = object_bytes,
    forget = function()
      for field in pairs(functions) do functions[field] = nil end
      s.instances = {}
    end,
  }
  state[self] = s
  return self
end

-- ---- the host -----------------------------------------------------------------------------------------------------

---@class goloader.Host
---@field package core userdata
---@field package path string
---@field package desc string  file
---@field package memory table  what builds have learnt
---@field package archives table<string, string>  named so far, by import path
---@field package judge nil|fun(import_path: string, importer: string, standard: boolean): boolean, string|nil
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

local function check_host_self(self, method)
  if getmetatable(self) ~= Host then
    misuse(3, "%s: no host to call it on (write host:%s, not host.%s)", method, method, method)
  end
end

---@return goloader.HostInfo
function Host:info()
  check_host_self(self, "info")
  local info = self.core:info()
  info.linked_in = toolchain.linked_in(self.path)
  return info
end

--- How many modules this Lua state has loaded, and how many Go values Lua has handles of.
---@return { modules: integer, handles: integer }
function Host:stats()
  check_host_self(self, "stats")
  return self.core:stats()
end

--- The Go toolchain of this host's version.
---@return goloader.Toolchain|nil
---@return goloader.Error|nil err
function Host:toolchain()
  check_host_self(self, "toolchain")
  if not self.tools then
    local tools, err = toolchain.find(self.path, self.core:info().go_version)
    if not tools then return fail(err) end
    self.tools = tools
  end
  return self.tools
end

--- Names the archive of a compiled package, for what the host lacks of it.
---@param import_path string
---@param file string
---@param version string|nil  how messages call it: "gopkg.in/yaml.v3@v3.0.1"
---@return true|nil
---@return goloader.Error|nil err
function Host:add_archive(import_path, file, version)
  check_host_self(self, "add_archive")
  local ok, err = self.core:add_archive(import_path, file, version)
  if not ok then return fail(err) end
  self.archives[import_path] = file
  return true
end

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
  local tools = self:toolchain()
  local archives = tools and build.archives(tools, wanted)
  if not archives or not next(archives) then return false end
  for path, file in pairs(archives) do
    local ok, err = self:add_archive(path, file)
    if not ok then return nil, err end
  end
  return true
end

-- Archives that an earlier try asked for are named to the host, and C parts linked, until a try asks for nothing new.
local function with_wants(self, options, try)
  local asked = {}
  while true do
    local result, err = try(options)
    if result then return result end
    local added, why = false, nil
    if err.code == "missing" and err.packages then
      added, why = add_missing(self, err.packages, asked)
      if added and options.check then added, why = options.check() end
    elseif err.code == "cgo" then
      local tools, no_tools = self:toolchain()
      if not tools then return nil, no_tools end
      if not err.archives then
        return cgo.link(tools, err.files, function(library)
          options.library = library
          return with_wants(self, options, try)
        end)
      end
      added, why = cgo.link(tools, err.files, function(library) return self.core:add_library(err.files, library) end)
    end
    if not added then return nil, why or err end
  end
end

local function add_archives(self, archives)
  for path, archive in pairs(archives) do
    local ok, err = self:add_archive(path, archive.file, archive.version)
    if not ok then return nil, err end
  end
  return true
end

-- Names to the host other builds of its packages.
local function add_builds(self, builds)
  for path, file in pairs(builds or {}) do
    local ok, err = self.core:add_build(path, file)
    if not ok then return fail(err) end
  end
  return true
end

-- ---- policy

--- Says which packages modules may import, from now on; nil lifts it. `imports` of a single load or build comes on top.
---@param rules goloader.Policy|nil
function Host:policy(rules)
  check_host_self(self, "policy")
  local judge, why
  if rules ~= nil then
    judge, why = policy.compile(rules)
    if not judge then misuse(2, "host:policy: %s", why) end
  end
  self.judge = judge
end

-- The policies that hold for one load or build; nil when there is none.
local function judges_of(self, method, rules)
  local judges = { self.judge }
  if rules ~= nil then
    local judge, why = policy.compile(rules)
    if not judge then misuse(4, "host:%s: imports: %s", method, why) end
    judges[#judges + 1] = judge
  end
  return judges[1] and judges
end

local function plain_path(path)
  return (path:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function imports_of(file, package)
  local found, err = core.imports(file, package)
  if not found then return nil, err end
  for _, each in ipairs(found) do
    each.path = plain_path(each.path)
    for i, path in ipairs(each.imports) do each.imports[i] = plain_path(path) end
  end
  return found
end

-- Has policies judge files that are compiled already.
local function check_files(self, judges, files)
  local tools = self:toolchain()
  local function is_standard(path)
    if tools then return tools:is_standard(path) end
    return not path:match("^[^/]*"):find(".", 1, true)
  end
  local roots, packages = policy.read_objects(files, self.archives, imports_of, is_standard)
  if not roots then return nil, packages end
  return policy.check(judges, roots, packages)
end

-- Archives lie in Go's build cache, under names that tell nobody anything: their sources are named instead.
local function name_sources(err, files)
  for _, file in ipairs(files) do
    local from, to = err.message:find(file.file, 1, true)
    if file.dir and from then err.message = err.message:sub(1, from - 1) .. file.dir .. err.message:sub(to + 1) end
  end
  return err
end

local function load_core(self, files, options, check, uses)
  local loaded, err = with_wants(self,
    { run_init = options.run_init ~= false, ndeps = options.ndeps, twice = options.twice, uses = uses,
      library = options.library, check = check },
    function(load_options) return self.core:load(files, load_options) end)
  if not loaded then return nil, name_sources(err, files) end
  return loaded
end

local function load(self, files, name, options, check)
  local object_bytes = 0
  for _, file in ipairs(files) do object_bytes = object_bytes + (lfs.attributes(file.file, "size") or 0) end
  local uses = {}
  for i, used in ipairs(options.uses or {}) do
    local s = state[used]
    if not s then misuse(3, "uses: module #%d: a module expected, got %s", i, type(used)) end
    if not s.core:is_loaded() then
      return fail { code = "closed", message = ("module %s, which is to be used, was unloaded"):format(s.name) }
    end
    uses[i] = s.core
  end
  local loaded, err = add_builds(self, options.builds)
  if loaded then loaded, err = load_core(self, files, options, check, uses) end
  if not loaded then return fail(err) end
  return new_module(loaded, name, object_bytes)
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
---@field builds table<string, string>|nil  archives by import path, where the files were compiled against another build
---  of the standard library than the host has: with other flags for all packages, say

--- Loads objects as the Go compiler wrote them, as one module; or a shipped module (`host:ship`), alone.
---@param files string|(string|{ file: string, package: string|nil })[]
---@param options goloader.LoadOptions|nil
---@return goloader.Module|nil module
---@return goloader.Error|nil err
function Host:load(files, options)
  check_host_self(self, "load")
  options = options or {}
  if type(files) == "string" then files = { { file = files, package = options.package } } end
  if type(files) ~= "table" or #files == 0 then
    local got = type(files) == "table" and "an empty list" or type(files)
    misuse(2, "host:load: a file name or a list of them expected, got %s", got)
  end
  local list, names = {}, {}
  for i, file in ipairs(files) do
    if type(file) == "string" then file = { file = file } end
    if type(file) ~= "table" or type(file.file) ~= "string" then
      misuse(2, "host:load: file #%d: a name expected, got %s", i, type(file))
    end
    if files[2] and file.file:find "%.gom$" then misuse(2, "host:load: %s: a shipped module comes alone", file.file) end
    list[i], names[i] = file, file.file
  end
  local judges = judges_of(self, "load", options.imports)
  local function check() return check_files(self, judges, list) end
  if judges then
    local ok, err = check()
    if not ok then return fail(err) end
  end
  return load(self, list, table.concat(names, " "), options, judges and check)
end

-- Compiles what changed of a package; the host has been told of the archives of what it imports.
local function compile(self, method, paths, options)
  if type(paths) == "string" then paths = { paths } end
  if type(paths) ~= "table" or type(paths[1]) ~= "string" then
    misuse(3, "host:%s: a directory or Go files expected, got %s", method, type(paths))
  end
  local tools, err = self:toolchain()
  if not tools then return nil, err end
  local started, objects
  local judges = judges_of(self, method, options.imports)
  local function check(roots, packages) return policy.check(judges, roots, packages) end
  local build_options = setmetatable({ check = judges and check }, { __index = options })
  started, err = build.start(tools, paths, build_options, self.memory)
  if not started then return fail(err) end
  while options.pause and not started:done() do options.pause() end
  objects, err = started:wait()
  if not objects then return fail(err) end
  local ok
  ok, err = add_archives(self, objects.archives)
  if ok then ok, err = add_builds(self, objects.builds) end
  if not ok then
    objects:remove()
    return nil, err
  end
  return objects, table.concat(paths, " ")
end

-- Loads one instance of a generic function of a module (see goloader.instance).
local function load_instance(s, text)
  local source = s.source
  if not source then
    return nil, { code = "unsupported", message = ("%s: no instances of what was not built from source by host:build")
      :format(s.name) }
  end
  local self = source.host
  local tools, err = self:toolchain()
  if not tools then return nil, err end
  local judges = judges_of(self, "build", source.imports)
  return instance.build(tools, source.interface, text, self.desc, judges, function(files)
    return load_core(self, files, { ndeps = #files - 1, twice = source.twice }, nil, { s.core })
  end)
end

function instantiate(s, name)
  local text = instance.normalize(name)
  if not text then
    return nil, { code = "compile", message = ("%s: an exported generic function with its type arguments expected, "
      .. "\"Max[int]\""):format(name) }
  end
  if not s.core:is_loaded() then return nil, { code = "closed", message = s.name .. " was unloaded" } end
  local made = s.instances[text]
  if not made then
    local loaded, err = load_instance(s, text)
    if not loaded then return nil, err end
    made = { core = loaded, fn = road.equip(loaded:func(text:match "^[^%[]*")) }
    cores[loaded] = true
    s.instances[text] = made
  end
  return made.fn
end

---@class goloader.HostBuildOptions: goloader.BuildOptions
---@field run_init boolean|nil
---@field imports goloader.Policy|nil  which packages may be imported
---@field uses goloader.Module[]|nil  loaded modules that bring packages which this one imports: it shares their types
---  and variables, and they can't be unloaded before it
---@field pause nil|fun()  called again and again while the compiler works, so that something else can be done

--- Compiles what changed of a package, then loads it with all it needs beyond the standard library.
---@param paths string|string[]  a directory, or Go files of one directory
---@param options goloader.HostBuildOptions|nil
---@return goloader.Module|nil module
---@return goloader.Error|nil err  code "compile": the compiler's own message
function Host:build(paths, options)
  check_host_self(self, "build")
  options = options or {}
  local objects, name = compile(self, "build", paths, options)
  if not objects then return nil, name end
  local twice = options.private and "other" or "refuse"
  local module, err = load(self, objects.files, name, {
    run_init = options.run_init, ndeps = #objects.files - 1, uses = options.uses, twice = twice,
  })
  objects:remove()
  if module then
    state[module].source = { host = self, interface = objects.interface, imports = options.imports, twice = twice }
  end
  if err and err.code == "mismatch" and err.message:find("another version of", 1, true) and not options.private then
    err.message = err.message .. " (with private = true the module gets its own)"
  end
  return module, err
end

---@class goloader.ShipOptions: goloader.BuildOptions
---@field strings table<string, string>|nil  values of string variables by their full names: "main.version"

-- Objects that are there already, in the shape of a build's.
local function ready(paths)
  local files = {}
  for i, path in ipairs(paths) do
    if not path:find "%.[oa]$" then return nil end
    files[i] = { file = path }
  end
  return files[1] and { files = files, remove = function() end }
end

--- Compiles what changed of a package, then writes one file with its object code and that of all it needs beyond this
--- host. `host:load` takes the file on any machine that has the same host: nothing else has to be there.
---@param paths string|string[]  a directory, or Go files of one directory; or objects, the package meant last
---@param out string  the file to write: "shop.gom"
---@param options goloader.ShipOptions|nil
---@return goloader.Manifest|nil manifest
---@return goloader.Error|nil err
function Host:ship(paths, out, options)
  check_host_self(self, "ship")
  options = options or {}
  if type(out) ~= "string" then misuse(2, "host:ship: the name of a file to write expected, got %s", type(out)) end
  if type(paths) == "string" then paths = { paths } end
  local objects = type(paths) == "table" and type(paths[1]) == "string" and ready(paths)
  if not objects then
    local why
    objects, why = compile(self, "ship", paths, options)
    if not objects then return nil, why end
  end
  local settings, strings = "", {}
  if objects.name == "main" then settings = build.default_godebug(self:toolchain(), paths, options) end
  for name, value in pairs(options.strings or {}) do
    if not name:find "%s" then strings[#strings + 1] = { name, value } end -- no variable has such a name
  end
  table.sort(strings, function(a, b) return a[1] < b[1] end)
  local ok, err = with_wants(self, {
    ndeps = #objects.files - 1, twice = options.private and "other" or "refuse",
    godebug = settings ~= "" and settings or nil, strings = strings,
  }, function(ship_options) return self.core:ship(objects.files, out, ship_options) end)
  objects:remove()
  if not ok then return fail(err) end
  return goloader.manifest(out)
end

-- Where core.so was found. A full name: compilers run in other directories.
local function core_path()
  for template in package.cpath:gmatch "[^;]+" do
    local path = template:gsub("%?", "goloader/core")
    if toolchain.exists(path) then return toolchain.absolute(path) end
  end
  return toolchain.absolute "core.so"
end

-- What is not Lua lies beside core.so where it is installed, and at a place of its own below build in a checkout.
local function find_beside_core(what, installed, built, hint)
  local dir = core_path():match "^(.*)/[^/]*$"
  installed = dir .. "/" .. installed
  built = (dir:match "^(.*)/[^/]+/[^/]+$" or "") .. "/" .. built
  for _, path in ipairs { installed, built } do
    if toolchain.exists(path) then return path end
  end
  return nil, { code = "host", message = ("no %s at %s or %s: %s"):format(what, installed, built, hint) }
end

-- Where the default host and its tools are, and the Go module goloader.dev/host.
---@return string|nil host
---@return string|goloader.Error sources  or the error
function goloader.default_host()
  local so = "/libgoloader_host.so"
  local host, err = find_beside_core("host", "host" .. so, "host/default" .. so, "run make, or set GOLOADER_HOST")
  if not host then return fail(err) end
  local sources
  sources, err = find_beside_core("Go module goloader.dev/host", "host/src", "../src/host", "install goloader anew")
  if not sources then return fail(err) end
  return host, (sources:gsub("/[^/]+/%.%./", "/"))
end

-- A program that is its own host has no choice, nor has a process that has one already.
local function chosen_host()
  local self = core.host_self()
  if self then return self end
  local named = os.getenv "GOLOADER_HOST"
  if named and named ~= "" then return toolchain.absolute(named) end
  return goloader.default_host()
end

---@class goloader.HostOptions
---@field path string|nil  a library that `goloader host` made; nil: the process's own host where its program is one, or
---  $GOLOADER_HOST, or the default host
---@field desc string|nil  its description; nil: path with ".desc" appended
---@field memory_profile number|nil  Go's memory profile takes a sample per so many bytes, 0: none. nil: while a module is
---  loaded that has a use for it (runtime.MemProfile, the heap profile of runtime/pprof, net/http/pprof), as many as in
---  any Go program (one per 512 KiB), and none otherwise: it costs some memory for each load, for ever

local running

--- Where the host is that `goloader.host` starts, or has started.
---@return string|nil path
---@return goloader.Error|nil err
function goloader.host_path()
  local path, err = chosen_host()
  if not path then return fail(err) end
  return path
end

--- The program that runs a Lua chunk which is appended to it (see src/cmd/goloader.c).
---@return string|nil path
---@return goloader.Error|nil err
function goloader.launcher_path()
  local path, err = find_beside_core("launcher", "launcher", "bin/goloader", "run make")
  if not path then return fail(err) end
  return path
end

--- Where the C library was loaded from.
---@return string path
function goloader.core_path()
  return core_path()
end

--- The process's Go runtime, started at the first call. A process can have one, for its whole life.
---@param options goloader.HostOptions|nil
---@return goloader.Host|nil host
---@return goloader.Error|nil err
function goloader.host(options)
  options = options or {}
  if type(options) ~= "table" then misuse(2, "goloader.host: a table of options expected, got %s", type(options)) end
  local profile = options.memory_profile
  if profile ~= nil and (type(profile) ~= "number" or profile < 0 or profile % 1 ~= 0 or profile > 2 ^ 53) then
    misuse(2, "goloader.host: memory_profile: a number of bytes expected, got %s",
      type(profile) == "number" and tostring(profile) or type(profile))
  end
  if running and (not options.path or toolchain.absolute(options.path) == running.path) then return running end
  local path, why = options.path and toolchain.absolute(options.path)
  if not path then
    path, why = chosen_host()
    if not path then return fail(why) end
  end
  local started, err = core.host_start(path, options.desc, profile)
  if not started then return fail(err) end
  running = setmetatable({
    core = started, path = path, desc = options.desc or path .. ".desc", memory = {}, archives = {},
  }, Host)
  jobs.set_host(started, fail)
  return running
end

-- ---- what was called ------------------------------------------------------------------------------------------------

---@class goloader.Counters
---@field calls integer
---@field crossings integer  into Go and back
---@field panics integer
---@field bytes_in integer  copied, of arguments
---@field bytes_out integer  and of results

---@class goloader.ExportCounters: goloader.Counters
---@field module string
---@field name string

---@class goloader.Stats: goloader.Counters  of all modules that are loaded
---@field exports goloader.ExportCounters[]  those that were used

--- What was called and copied since the modules were loaded, or since it was last reset. `fn:stats()` is the same for
--- one function.
---@param options { reset: boolean|nil }|nil
---@return goloader.Stats
function goloader.stats(options)
  local reset = options and options.reset or false
  local exports = {}
  for loaded in pairs(cores) do
    if loaded:is_loaded() then
      for _, export in ipairs(loaded:call_stats(reset)) do exports[#exports + 1] = export end
    end
  end
  table.sort(exports, function(a, b)
    if a.module ~= b.module then return a.module < b.module end
    return a.name < b.name
  end)
  local stats = { calls = 0, crossings = 0, panics = 0, bytes_in = 0, bytes_out = 0 }
  for _, export in ipairs(exports) do
    for name, sum in pairs(stats) do stats[name] = sum + export[name] end
  end
  stats.exports = exports
  return stats
end

-- ---- jobs ---------------------------------------------------------------------------------------------------------

local function check_host(name)
  if not running then misuse(3, "goloader.%s: no host was started: there are no jobs", name) end
end

--- A file descriptor for an event loop: when it can be read from, `goloader.step` has something to do.
---@return integer|nil fd
---@return goloader.Error|nil err
function goloader.fd()
  check_host "fd"
  return jobs.fd()
end

--- Takes notice of jobs that have finished: resumes the coroutines and calls the functions that wait for them. Without
--- a timeout it does not block.
---@param timeout number|nil  seconds to wait for something to do; a negative one has no end while a job is under way
---@return integer finished  jobs, since the last step
function goloader.step(timeout)
  check_host "step"
  jobs.check_timeout(timeout, "goloader.step", 2)
  return jobs.step(timeout)
end

--- Starts a coroutine in which `job:wait` yields, until `goloader.step` resumes it.
---@param fn function
---@return thread
function goloader.spawn(fn, ...)
  check_host "spawn"
  if type(fn) ~= "function" then misuse(2, "goloader.spawn: a function expected, got %s", type(fn)) end
  return jobs.spawn(fn, ...)
end

--- Seconds to the next deadline of a wait, nil where there is none: for an event loop that does not poll `goloader.fd`.
---@return number|nil
function goloader.next_timeout()
  check_host "next_timeout"
  return jobs.next_timeout()
end

local function default_description()
  local path, err = chosen_host()
  if not path then return nil, err end
  return path .. ".desc"
end

---@class goloader.ShippedPackage
---@field path string
---@field role "root"|"own"|"shared"  what Lua sees, what else is the module's own, what all modules share
---@field size integer  bytes of what is left of its archive
---@field fingerprint string  of its export data, as its importers know it
---@field version string|nil  of a third party's: "gopkg.in/yaml.v3@v3.0.1"

---@class goloader.Manifest
---@field header string  what its objects were made by: Go version, processor and flags, as host:info().object_header
---@field host { id: string, name: string }  the host it was made for, as host:info().id
---@field hash string  BLAKE2b-256 of its content
---@field size integer  bytes of the file
---@field godebug string|nil  what a program brings as its settings for GODEBUG
---@field strings table<string, string>  what -ldflags=-X gives to variables
---@field packages goloader.ShippedPackage[]
---@field libraries { role: "own"|"shared", size: integer, packages: string[] }[]  their parts in C, linked
---@field imports { path: string, in_host: boolean, fingerprint: string }[]  imported, and not in the file
---@field exports { name: string, package: string, kind: "func"|"var", signature: string }[]

--- What a shipped module is and holds, once its hash has been checked; no host is started.
---@param file string
---@return goloader.Manifest|nil manifest
---@return goloader.Error|nil err
function goloader.manifest(file)
  local manifest, err = core.manifest(file)
  if not manifest then return fail(err) end
  for _, package in ipairs(manifest.packages) do package.path = plain_path(package.path) end
  for _, library in ipairs(manifest.libraries) do
    local packages = {}
    for path in library.packages:gmatch "%S+" do packages[#packages + 1] = plain_path(path) end
    library.packages = packages
  end
  for _, export in ipairs(manifest.exports) do export.package = plain_path(export.package) end
  return manifest
end

---@class goloader.ObjectSymbol
---@field name string
---@field kind string  as nm(1) prints it; U: defined elsewhere
---@field size integer  bytes
---@field abi integer  0: assembly's, 1: Go's own
---@field export boolean
---@field signature string|nil

--- Lists the symbols of an object, without starting a host.
---@param file string
---@param desc string|nil  description of the host it is meant for; nil: the default host's
---@return goloader.ObjectSymbol[]|nil symbols
---@return goloader.Error|nil err
function goloader.nm(file, desc)
  local symbols, err
  if not desc then desc, err = default_description() end
  if desc then symbols, err = core.nm(file, desc) end
  if not symbols then return fail(err) end
  return symbols
end

--- Lists the machine code of an object before it is linked, without starting a host.
---@param file string
---@param symbol string|nil  nil: every function
---@param desc string|nil  description of the host it is meant for; nil: the default host's
---@return { name: string, instructions: goloader.Instruction[] }[]|nil functions
---@return goloader.Error|nil err
function goloader.disasm(file, symbol, desc)
  local functions, err
  if not desc then desc, err = default_description() end
  if desc then functions, err = core.disasm(file, desc, symbol) end
  if not functions then return fail(err) end
  for _, fn in ipairs(functions) do setmetatable(fn.instructions, Listing) end
  return functions
end

return goloader
