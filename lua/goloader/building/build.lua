--- From Go source to objects that can be loaded.
--
-- The go command looks at every package that is imported, however far away, before it compiles a file. That takes
-- longer than compiling. So three functions are tried here in turn. The first two run the compiler themselves; each
-- does so only where the object is the same that the go command would make, and where all that could make another one
-- of it is known (goloader.building.inputs):
--
--   compile_alone   a package whose files import nothing but the standard library, with no build constraint, embedded
--                   file, assembly or cgo: the compiler runs at once, against the standard archives listed beside the
--                   host
--   recompile       any other package that `go list` has described before, when only the bodies of functions have
--                   changed since: the compiler runs against the archives of that time
--   build_by_list   everything else: `go list -export -deps` compiles the package and all it needs, in Go's own build
--                   cache
--
-- The compiler prints the same messages whoever runs it, and they are passed on untouched.

local lfs = require "lfs"
local core = require "goloader.core"

local unpack = rawget(table, "unpack") or unpack
local flags = require "goloader.building.flags"
local inputs = require "goloader.building.inputs"
local places = require "goloader.building.places"
local progress = require "goloader.building.progress"
local settings = require "goloader.building.settings"
local sources = require "goloader.building.sources"
local targets = require "goloader.building.target"
local toolchain = require "goloader.building.toolchain"

local read_file, exists, absolute = toolchain.read_file, toolchain.exists, toolchain.absolute

local build = {}

---@class goloader.Objects
---@field files { file: string, dir: string|nil }[]  what the module consists of, with the directories of its sources:
---  dependencies first, the package built last
---@field archives table<string, { file: string, version: string }>  of third-party packages, by import path
---@field builds table<string, string>  of standard packages, where the module was compiled against another build of
---  them than the host has: archives by import path
---@field name string  the package's name: "main"
---@field interface goloader.Interface
---@field sources goloader.Sources  what it was made from
---@field target goloader.Target
---@field package temporary string[]
local Objects = {}
Objects.__index = Objects

--- Removes the files made for this build. What is loaded stays loaded.
function Objects:remove()
  for _, file in ipairs(self.temporary) do os.remove(file) end
  self.temporary = {}
end

--- What others compile against, who import the package built.
---@class goloader.Interface
---@field path string  import path
---@field name string
---@field archives table<string, string>  of the packages that it imports, by import path
---@field dependencies { file: string, dir: string|nil }[]  the module's other packages
---@field file string|nil  its archive in Go's build cache
---@field archive string|nil  or what is in its archive; of a package without generic functions what importers read

-- The first member of an archive, which is all that the compiler reads of what a package imports.
local function read_export_data(archive)
  local f = assert(io.open(archive, "rb"))
  local head = f:read(8 + 60) -- the archive's own head, and the member's (ar(5))
  local size = tonumber(head:sub(8 + 49, 8 + 58))
  local data = f:read(size + size % 2)
  f:close()
  return head .. data
end

-- Has the package exported generic functions? They may call what nothing else in it does, and a module goes without.
local function has_generics(dir, files)
  for _, file in ipairs(files) do
    local source = read_file(dir .. "/" .. file) or ""
    if source:find "%f[%w_]func%s+[%u\128-\255][%w_\128-\255]*%s*%[" then return true end
  end
  return false
end

-- ---- reading the head of a Go file ---------------------------------------------------------------------------------

---@class goloader.Head
---@field name string  package name
---@field imports string[]
---@field constrained boolean  has a build constraint or a //go:debug line
---@field text string  the file up to the end of its imports

-- Skips white space and comments from position `at`. A comment may hold a directive that matters.
local function skip(source, at, head)
  while true do
    at = source:find("[^%s;]", at)
    if not at then return #source + 1 end
    local two = source:sub(at, at + 1)
    local finish
    if two == "//" then
      finish = source:find("\n", at, true) or #source
      local line = source:sub(at, finish)
      if line:find "^//go:build%s" or line:find "^//%s*%+build%s" or line:find "^//go:debug%s" then
        head.constrained = true
      end
    elseif two == "/*" then
      finish = source:find("*/", at + 2, true)
      if not finish then return #source + 1 end
      finish = finish + 1
    else
      return at
    end
    at = finish + 1
  end
end

-- One import: an optional name, then a quoted path. Returns the path and where it ends.
local function import_spec(source, at, head)
  local after = source:match("^[%w_%.\128-\255]+()", at)
  if after then at = skip(source, after, head) end
  local path, finish = source:match('^"([^"\n]*)"()', at)
  if not path then path, finish = source:match("^`([^`]*)`()", at) end
  return path, finish
end

--- Reads a Go file as far as its imports go; nil when it is not written as expected, and the compiler must judge.
---@param source string
---@return goloader.Head|nil
function build.read_head(source)
  local head = { imports = {}, constrained = false }
  local at = skip(source, source:sub(1, 3) == "\239\187\191" and 4 or 1, head)
  local name, finish = source:match("^package[%s]+([%w_\128-\255]+)()", at)
  if not name then return nil end
  head.name = name
  at = finish
  while true do
    local start = skip(source, at, head)
    local after = source:match("^import()[^%w_]", start)
    if not after then break end
    at = skip(source, after, head)
    if source:sub(at, at) == "(" then
      at = skip(source, at + 1, head)
      while source:sub(at, at) ~= ")" do
        local path
        path, finish = import_spec(source, at, head)
        if not path then return nil end
        head.imports[#head.imports + 1] = path
        at = skip(source, finish, head)
      end
      at = at + 1
    else
      local path
      path, finish = import_spec(source, at, head)
      if not path then return nil end
      head.imports[#head.imports + 1] = path
      at = finish
    end
  end
  head.text = source:sub(1, at - 1)
  return head
end

-- ---- what is to be built -------------------------------------------------------------------------------------------

-- Every GOOS and GOARCH that a file name can end in (internal/syslist). A name that ends in another word is no
-- constraint; one that is missing here would be compiled where Go leaves it out.
local suffixes = {}
for word in ([[aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1
  windows zos 386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc
  ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm]]):gmatch "%S+" do
  suffixes[word] = true
end

-- The files of a directory; nil where only `go list` can say which of them count.
local function plain_files(dir)
  local files = {}
  for entry in lfs.dir(dir) do
    local extension = entry:match "%.([^%.]*)$"
    local hidden = entry:find "^[_%.]"
    if not hidden and inputs.foreign[extension] then return nil end
    if extension == "go" and not hidden and not entry:find "_test%.go$" then
      -- "linux.go" is no constraint, "x_linux.go" is
      local last = entry:match "_([^_]*)%.go$"
      if last and suffixes[last] then return nil end
      files[#files + 1] = entry
    end
  end
  table.sort(files)
  return files
end

local function version_number(version)
  local major, minor = version:match "^(%d+)%.(%d+)"
  return major and tonumber(major) * 1000 + tonumber(minor)
end

-- What go build would pass as -p and -lang. nil where only the go command can say.
local function package_identity(tc, target, name)
  local lang, path = tc:lang(), name
  local text, root = inputs.find_module(tc, target.dir)
  if text then
    text = "\n" .. text
    local version = text:match "\n%s*go%s+(%d+%.%d+[%w%.]*)" or "1.16"
    if (version_number(version) or math.huge) > version_number(tc.version:sub(3)) then return nil end
    -- default GODEBUG settings come from these
    if text:find "\ngodebug[%s%(]" then return nil end
    lang = "go" .. version:match "^%d+%.%d+"
    local module_path = text:match '\n%s*module%s+"?([^%s"]+)'
    if not module_path then return nil end
    if name ~= "main" and not target.files then
      local here = absolute(target.dir):gsub("/%.$", ""):gsub("/+$", "")
      path = module_path .. here:sub(#root + 1)
      if path:find("/./", 1, true) or path:find("/../", 1, true) then return nil end
    end
  end
  return path, lang
end

-- Does nothing around a package that imports nothing but the standard library keep the go command from compiling it? A
-- workspace may not have its module, and a go.mod with more in it than names and versions may be wrong.
local function is_simple_module(tc, target)
  if inputs.find_workspace(tc, target.dir) then return false end
  local text, root = inputs.find_module(tc, target.dir)
  for line in (text or ""):gmatch "[^\n]+" do
    line = line:gsub("//.*", "")
    if line:find "%S" and not line:find "^%s*module%s+%S+%s*$" and not line:find "^%s*go%s+%d+%.%d+[%w%.]*%s*$"
      and not line:find "^%s*toolchain%s+%S+%s*$" then
      return false
    end
  end
  return not root or not exists(root .. "/vendor")
end

-- ---- the ways to compile it ----------------------------------------------------------------------------------------

-- go list -export says all that it has to say twice where an imported package is not there: once it has looked for
-- packages, and once it has tried to compile them.
local function compiler_error(output)
  local half = output:sub(1, math.floor(#output / 2))
  return toolchain.failure(half .. half == output and half or output, "compile")
end

-- Debugging information is a tenth of the compiler's work, and nobody reads it here: exports are typed by export
-- data. But it makes the compiler write a descriptor of every type that a function mentions, also of those that only
-- pass through, and Lua can't carry a value of an unnamed array or struct, or of a map with a type of the package's
-- own, that nothing describes. So whoever exports such a thing gets it.
local function needs_dwarf(dir, files)
  local types, declarations = {}, {}
  for _, file in ipairs(files) do
    local source = "\n" .. (read_file(dir .. "/" .. file) or "")
    for name in source:gmatch "\n%s*type%s+([%w_]+)" do types[name] = true end
    if source:find "\ntype%s*%(" then return true end
    -- up to the body, or to the braces of a type, which end in "struct" or "interface"
    for text in source:gmatch "\nfunc%s+%u[%w_]*([^{]*){" do declarations[#declarations + 1] = text end
    for text in source:gmatch "\nvar%s+(%u[^\n]*)" do declarations[#declarations + 1] = text end
    if source:find "\nvar%s*%([^)]*\n%s+%u" then return true end
  end
  for _, declaration in ipairs(declarations) do
    local text, maps = declaration:gsub("map%[", "map ")
    if text:find "%[%s*[%w_.]" or text:find "%f[%w]struct%f[%W]" or text:find "%f[%w]interface%s*$" then return true end
    if maps > 0 then
      for word in text:gmatch "[%w_]+" do
        if types[word] then return true end
      end
    end
  end
  return false
end

-- Starts the compiler on files of a directory; its object is a temporary file.
local function start_compile(tc, dir, files, path, lang, archives, opts)
  local object, err = places.new_file()
  local importcfg
  if object then importcfg, err = places.new_file() end
  local ok
  if importcfg then ok, err = toolchain.write_file(importcfg, toolchain.importcfg(archives)) end
  if not ok then
    if object then os.remove(object) end
    if importcfg then os.remove(importcfg) end
    return nil, err
  end
  local args = { "-o", object, "-p", path, "-lang=" .. (opts.lang or lang), "-complete", "-nolocalimports",
    "-importcfg", importcfg, "-pack", "-c=" .. toolchain.workers() }
  -- a debugger has the values of variables from it
  if not core.debugs() and not opts.debug and not needs_dwarf(dir, files) then args[#args + 1] = "-dwarf=false" end
  -- "all=-N" says which packages the flags are for; of those, only this one is compiled here
  local gcflags = (opts.gcflags or ""):gsub("^all=", "")
  for word in gcflags:gmatch "%S+" do args[#args + 1] = word end
  args[#args + 1] = "--"
  for _, file in ipairs(files) do args[#args + 1] = "./" .. file end
  local job
  job, err = tc:start_tool("compile", args, { dir = dir, ticks = opts.progress ~= nil })
  if job then return job, object, importcfg end
  os.remove(object)
  os.remove(importcfg)
  return nil, err
end

-- A build under way.
---@class goloader.Build
---@field package job goloader.Job
---@field package report goloader.ProgressReport|nil
---@field package finish fun(tick: fun()): goloader.Objects|nil, goloader.Error|nil
local Build = {}
Build.__index = Build

--- Waits for the objects.
---@return goloader.Objects|nil objects
---@return goloader.Error|nil err
function Build:wait()
  local objects, err = self.finish(function() self:update() end)
  if self.report then self.report:close() end
  return objects, err
end

--- Tells the option `progress` how far it is, if that was given and it is time to. `wait` does so by itself.
function Build:update()
  if self.report then self.report:update() end
end

--- True when `wait` would not have to wait for the compiler.
---@return boolean
function Build:done()
  return self.job:done()
end

local function compiled(job, object, importcfg, target, interface, is_generic, archives, builds, read, tell)
  return setmetatable({
    job = job,
    report = tell and progress.of_one(tell, interface.path),
    finish = function(tick)
      local ok, output = job:wait(nil, tick)
      os.remove(importcfg)
      if not ok then
        os.remove(object)
        local err = compiler_error(output)
        err.bare = err.code == "compile" or nil
        return nil, err
      end
      local files = { unpack(interface.dependencies) }
      files[#files + 1] = { file = object }
      interface.archive = is_generic and read_file(object) or read_export_data(object)
      return setmetatable({
        files = files, archives = archives, builds = builds, name = interface.name, interface = interface,
        sources = read, target = target, temporary = { object },
      }, Objects)
    end,
  }, Build)
end

local function read_heads(dir, files)
  local heads = {}
  for i, file in ipairs(files) do
    local source = read_file(dir .. "/" .. file)
    local head = source and build.read_head(source)
    if not head or head.name ~= (heads[1] or head).name then return nil end
    heads[i] = head
  end
  return heads
end

local function is_internal(path)
  return path == "internal" or path:find "^internal/" or path:find "/internal/" or path:find "/internal$"
    or path:find "^vendor/"
end

-- Do flags and variables ask for nothing that takes the go command? Those of the compiler are passed on as they are.
local function is_plain(tc, opts)
  if opts.plain == false or tc.flags[1] then return false end
  local gcflags = opts.gcflags or ""
  if gcflags:find "[\"']" or gcflags:gsub("^all=", ""):find "^[^%-%s]" then return false end
  for _, word in ipairs(settings.goflags(tc)) do
    if not word:find "^%-%-?buildvcs" and not word:find "^%-%-?mod=" then return false end
  end
  return settings.get(tc, "GOAMD64") == "" and settings.get(tc, "GOEXPERIMENT") == ""
end

-- Runs the compiler on a package that needs nothing but standard archives; nil where the package may need more.
local function compile_alone(tc, target, opts)
  if opts.tags or not is_plain(tc, opts) or not is_simple_module(tc, target) then return nil end
  local files = target.files or plain_files(target.dir)
  local heads = files and files[1] and read_heads(target.dir, files)
  if not heads then return nil end
  local wanted = {}
  for _, head in ipairs(heads) do
    -- the go command compiles files it is given by name whatever their constraints
    if head.constrained and not target.files then return nil end
    for _, path in ipairs(head.imports) do
      if path == "C" or path == "embed" or is_internal(path) then return nil end
      if path ~= "unsafe" then wanted[#wanted + 1] = path end
    end
  end
  local path, lang = package_identity(tc, target, heads[1].name)
  if not path or heads[1].name == "main" and exists(target.dir .. "/default.pgo") then return nil end
  local std, err = tc:std_archives(wanted)
  if not std then return nil, err end
  for _, import in ipairs(wanted) do
    if not std[import] then return nil end
  end
  if opts.check then
    local packages = { [path] = { imports = {}, own = true } }
    for _, head in ipairs(heads) do
      for _, import in ipairs(head.imports) do
        table.insert(packages[path].imports, import)
        packages[import] = { imports = {}, standard = true }
      end
    end
    local ok
    ok, err = opts.check({ path }, packages)
    if not ok then return nil, err end
  end
  local archives = {}
  for _, import in ipairs(wanted) do archives[import] = std[import] end
  local job, object, importcfg = start_compile(tc, target.dir, files, path, lang, archives, opts)
  if not job then return nil, object end
  local interface = { path = path, name = heads[1].name, archives = archives, dependencies = {} }
  return compiled(job, object, importcfg, target, interface, has_generics(target.dir, files), {}, {},
    sources.of(tc, target), opts.progress)
end

-- Of a package's own files all counts but what functions do. A file that can't be read as far as its imports go is the
-- compiler's to judge.
local function head_text(source)
  local head = build.read_head(source)
  return head and head.text
end

-- Runs the compiler on a package that an earlier build has a record of; nil where the record does not hold any more.
local function recompile(tc, target, opts, memory)
  local record = memory and is_plain(tc, opts) and memory[target.key]
  if not record or record.own ~= inputs.read_own(target.dir, head_text)
    or record.others ~= inputs.read_others(tc, target.dir, record.dirs) then
    return nil
  end
  if record.gcflags ~= opts.gcflags or record.tags ~= opts.tags or record.private ~= opts.private then return nil end
  for _, file in ipairs(record.compiled) do
    if not exists(file) then return nil end
  end
  if opts.check then
    local ok, err = opts.check(record.roots, record.packages)
    if not ok then return nil, err end
  end
  local job, object, importcfg = start_compile(tc, target.dir, record.files, record.path, record.lang, record.archives,
    opts)
  if not job then return nil, object end
  local interface = { path = record.path, name = record.name, archives = record.archives,
    dependencies = record.dependencies }
  return compiled(job, object, importcfg, target, interface, has_generics(target.dir, record.files), record.third_party,
    record.builds, record.sources, opts.progress)
end

local list_format = table.concat({
  "{{.ImportPath}}", "{{.Name}}", "{{.Standard}}", "{{.Export}}", "{{.Dir}}",
  -- what can't be compiled by one run of the compiler
  "{{if or .EmbedPatterns .CgoFiles .SFiles .SysoFiles .SwigFiles .SwigCXXFiles .ImportMap}}more{{else}}one{{end}}",
  "{{join .GoFiles \"|\"}}",
  -- edited here, or fetched and never changed
  "{{with .Module}}{{if or .Main (and .Replace (not .Replace.Version))}}own{{end}}{{else}}own{{end}}",
  "{{join .Imports \"|\"}}",
  "{{with .Module}}{{.Path}}{{with .Version}}@{{.}}{{end}}{{end}}",
  "{{join .EmbedFiles \"|\"}}",
}, "\t")

-- Reads what `go list` printed of packages, dependencies first. A third-party package that imports one of the module's
-- own (their modules require each other) has its types, and goes where they go.
local function read_packages(output)
  local packages, own = {}, {}
  for line in output:gmatch "[^\n]+" do
    local fields = {}
    for field in (line .. "\t"):gmatch "([^\t]*)\t" do fields[#fields + 1] = field end
    if #fields == 11 then
      local package = { path = fields[1], name = fields[2], std = fields[3] == "true", file = fields[4],
        dir = fields[5], one = fields[6] == "one", files = fields[7], own = fields[8] == "own", version = fields[10],
        fetched = fields[8] ~= "own", imports = {}, embedded = fields[11] }
      for import in fields[9]:gmatch "[^|]+" do
        package.own = package.own or own[import]
        table.insert(package.imports, import)
      end
      package.own = package.own and not package.std
      own[package.path] = package.own
      packages[#packages + 1] = package
    end
  end
  return packages
end

-- What a policy is to judge (see goloader.policy).
local function read_imports(packages)
  local known_packages = {}
  for _, package in ipairs(packages) do
    known_packages[package.path] = { imports = package.imports, standard = package.std,
      own = not package.std and not package.fetched }
  end
  return { packages[#packages].path }, known_packages
end

-- What -gcflags gets. The language version is a flag of the compiler's, which takes the last one that it is given; it
-- is for the package that is named, and not for those of the standard library.
local function compiler_flags(opts)
  if opts.lang then
    local rest = (opts.gcflags or ""):gsub("^all=", "")
    return ("-gcflags=%s -lang=%s"):format(rest, opts.lang)
  end
  return not opts.words and opts.gcflags and "-gcflags=" .. opts.gcflags or nil
end

local function list(tc, target, opts, format, report, ...)
  local args = { "list", "-deps", "-f", format, ... }
  for _, flag in ipairs(tc.flags) do args[#args + 1] = flag end
  for _, word in ipairs(opts.words or {}) do args[#args + 1] = word end
  if opts.tags and not opts.words then args[#args + 1] = "-tags=" .. opts.tags end
  args[#args + 1] = compiler_flags(opts)
  args[#args + 1] = "--"
  for _, arg in ipairs(target.args) do args[#args + 1] = arg end
  return tc:go(args, { dir = target.dir, ticks = report ~= nil, compiles = report and report.file })
end

-- Has the policy judge what would be compiled, before it is.
local function check_listed(tc, target, opts)
  local job, why = list(tc, target, opts, list_format)
  if not job then return nil, why end
  local ok, output, errors = job:wait()
  local packages = read_packages(output)
  if not ok or not packages[1] then return nil, compiler_error(errors) end
  return opts.check(read_imports(packages))
end

-- Can it be told from the directories of these packages alone whether they are to be compiled anew? Embedded files lie
-- anywhere below, and what C and assembly include lies anywhere.
local function is_told_by_dirs(packages)
  for _, package in ipairs(packages) do
    if not package.one and not package.std and not inputs.is_fetched(package.dir) then return false end
  end
  return true
end

-- A command before each of Go's tools, which tells of the first time that the compiler is run on the standard library.
local tell_of_std = [[
-toolexec=sh -c 'case " $* " in *" -std "*) echo >"$GOLOADER_NOTICE";; esac 2>/dev/null; exec "$@"' sh]]

local function has_toolexec(tc, opts)
  for _, words in ipairs { opts.words or {}, settings.goflags(tc) } do
    for _, word in ipairs(words) do
      if word:find "^%-%-?toolexec" then return true end
    end
  end
  return false
end

local std_notice = "compiling the standard library, of which Go's build cache has no build with these flags"

local function complain_of_std()
  io.stderr:write("goloader: ", std_notice, "\n")
end

-- Has the go command compile a package and all it needs.
local function build_by_list(tc, target, opts, memory)
  if opts.check then
    local ok, err = check_listed(tc, target, opts)
    if not ok then return nil, err end
  end
  -- what is not of the main module is compiled by the go command alone
  local own = not target.import and inputs.read_own(target.dir, head_text)
  local began = os.time()
  tc:fill_cache()
  local toolexec, report = not has_toolexec(tc, opts) and tell_of_std or nil, nil
  if opts.progress and toolexec then
    report = progress.of_list(opts.progress, function() return list(tc, target, opts, progress.stale_format) end)
    toolexec = report and progress.toolexec or toolexec
  end
  local job, why = list(tc, target, opts, list_format, report, "-export", toolexec)
  if not job then
    if report then report:close() end
    return nil, why
  end
  local function finish(tick)
    local tell_std = opts.notice and function() opts.notice(std_notice) end or complain_of_std
    local ok, output, errors = job:wait(tell_std, tick)
    local packages = read_packages(output)
    local last = packages[#packages]
    if not ok or not last then return nil, compiler_error(errors) end
    if last.file == "" then -- it is there, but nothing of it is compiled: then go list has no complaint
      if errors:find "%S" then return nil, compiler_error(errors) end
      return nil, { code = "missing", message = ("%s: no non-test Go files in %s"):format(last.path, last.dir) }
    end
    if opts.warnings and errors ~= "" then opts.warnings(errors) end
    targets.claim(target, packages)

    local files, third_party, dirs, all, archives = {}, {}, {}, {}, {}
    local builds = tc:other_builds(packages)
    for i, package in ipairs(packages) do
      if package.own or opts.private and not package.std then
        files[#files + 1] = package.file ~= "" and { file = package.file, dir = package.dir } or nil
      elseif not package.std and package.file ~= "" then
        third_party[package.path] = { file = package.file, version = package.version }
      end
      if i < #packages and package.file ~= "" then
        all[#all + 1] = package.file
        archives[package.path] = package.file
        if not package.std then dirs[#dirs + 1] = package.dir end
      end
    end
    local path = last.name == "main" and "main" or last.path
    local dependencies = { unpack(files, 1, #files - 1) }
    local _, lang = package_identity(tc, target, last.name)
    local others, newest = inputs.read_others(tc, target.dir, dirs)
    local read = sources.of(tc, target, packages)
    -- of what was written meanwhile nobody knows whether the go command has seen it
    if memory and last.one and lang and is_plain(tc, opts) and is_told_by_dirs(packages) and own and others
      and newest < began then
      local roots, imports = read_imports(packages)
      local go_files = {}
      for file in last.files:gmatch "[^|]+" do go_files[#go_files + 1] = file end
      memory[target.key] = {
        own = own,
        others = others,
        roots = roots,
        packages = imports,
        dirs = dirs,
        compiled = all,
        archives = archives,
        files = go_files,
        name = last.name,
        path = path,
        lang = lang,
        dependencies = dependencies,
        third_party = third_party,
        builds = builds,
        gcflags = opts.gcflags,
        tags = opts.tags,
        private = opts.private,
        sources = read,
      }
    end
    return setmetatable({
      files = files, archives = third_party, builds = builds, name = last.name, sources = read, target = target,
      temporary = {},
      interface = { path = path, name = last.name, archives = archives, dependencies = dependencies, file = last.file },
    }, Objects)
  end
  return setmetatable({ job = job, report = report, finish = finish }, Build)
end

---@class goloader.BuildOptions
---@field gcflags string|nil  for the compiler, as `go build -gcflags` takes them
---@field lang string|nil  language version: "go1.21"
---@field tags string|nil  build tags, separated by commas
---@field words string[]|nil  build flags as the go command takes them, instead of gcflags and tags
---@field annotated boolean|nil  `words` have an overlay of our own, which may be over Go's library, too
---@field plain boolean|nil  false: `words` says more than gcflags and tags do
---@field private boolean|nil  true: third-party packages become part of the module instead of being shared
---@field check nil|fun(roots: string[], packages: table<string, goloader.PolicyPackage>): true|nil, goloader.Error|nil
---  is asked before anything is compiled
---@field notice nil|fun(message: string)  is told that the standard library is being compiled, which takes a while:
---  with flags that concern all packages, the first time; nil: standard error is
---@field warnings nil|fun(text: string)  is told what the go command has said of a build that did not fail: a C
---  compiler's warnings, most often
---@field progress nil|fun(progress: goloader.Progress)  is told, of a build that takes more than a second, what is
---  compiled and how many packages are left; then `notice` is not called

--- Starts building a package.
---@param tc goloader.Toolchain
---@param paths string|string[]  a directory, Go files of one, or an import path (goloader.building.target)
---@param opts goloader.BuildOptions|nil
---@param memory table|nil  what earlier builds have learnt, for the next
---@return goloader.Build|nil build
---@return goloader.Error|nil err
function build.start(tc, paths, opts, memory)
  if type(paths) == "string" then paths = { paths } end
  opts = opts or {}
  local target, err = targets.find(tc, paths)
  if not target then return nil, err end
  local given = settings.goflags(tc)
  for _, word in ipairs(opts.words or { "-gcflags=" .. (opts.gcflags or "") }) do given[#given + 1] = word end
  local why_not = flags.find_sanitizer(given) or settings.find_mismatch(tc)
    or not opts.annotated and settings.find_overlaid(tc, given)
  if why_not then return nil, { code = "unsupported", message = why_not } end
  for _, try in ipairs(target.import and { build_by_list } or { compile_alone, recompile, build_by_list }) do
    local started, why = try(tc, target, opts, memory)
    if started or why then return started, why end
  end
end

--- Starts building a program for which the compiler alone is enough: the linker would be told nothing but where the
--- objects are. It has no settings for GODEBUG but the toolchain's own, and does not ask how it was built.
---@param tc goloader.Toolchain
---@param paths string[]
---@param opts goloader.BuildOptions
---@return goloader.Build|nil build  nil: only the go command can build it, or say why it can't be
function build.start_alone(tc, paths, opts)
  local target = targets.find(tc, paths)
  local files = target and not target.import and (target.files or plain_files(target.dir))
  local heads = files and files[1] and read_heads(target.dir, files)
  if not heads or heads[1].name ~= "main" or settings.get(tc, "GOFIPS140") ~= "" then return nil end
  local _, lang = package_identity(tc, target, "main")
  if lang ~= tc:lang() then return nil end
  for i, head in ipairs(heads) do
    if files[i]:find "_test%.go$" or head.text:find("//go:debug", 1, true) then return nil end
    for _, path in ipairs(head.imports) do
      if path == "runtime/debug" or path == "debug/buildinfo" or path == "debug/elf" then return nil end
    end
  end
  return compile_alone(tc, target, opts)
end

--- What `go build` links into a program as its settings for GODEBUG: those of //go:debug lines, of go.mod, and of the
--- Go version that go.mod names.
---@param tc goloader.Toolchain
---@param target goloader.Target  what was built
---@param opts goloader.BuildOptions|nil
---@return string settings  "" for what is no program
function build.default_godebug(tc, target, opts)
  local args = { "list", "-e", "-f", "{{.DefaultGODEBUG}}", unpack(tc.flags) }
  for _, word in ipairs(opts and opts.words or {}) do args[#args + 1] = word end
  args[#args + 1] = "--"
  for _, arg in ipairs(target.args) do args[#args + 1] = arg end
  local job = tc:go(args, { dir = target.dir })
  return job and select(2, job:wait()):gsub("%s+$", "") or ""
end

--- Finds the archives of packages that a loaded object needs, from where the user stands.
---@param tc goloader.Toolchain
---@param packages string[]  import paths
---@param dir string|nil  where `go list` runs, for packages of modules
---@return table<string, string>|nil files  archive by import path; packages that nobody has are left out
---@return goloader.Error|nil err
function build.archives(tc, packages, dir)
  local std, err = tc:std_archives(packages)
  if not std then return nil, err end
  local found, others = {}, {}
  for _, path in ipairs(packages) do
    if std[path] then found[path] = std[path] else others[#others + 1] = path end
  end
  if #others > 0 then
    local format = "{{if not .Standard}}{{.ImportPath}}\t{{.Export}}{{end}}"
    local args = { "list", "-e", "-export", "-deps", "-f", format, unpack(tc.flags) }
    if not has_toolexec(tc, {}) then args[#args + 1] = tell_of_std end
    args[#args + 1] = "--"
    for _, path in ipairs(others) do args[#args + 1] = path end
    tc:fill_cache()
    local job = tc:go(args, { dir = dir })
    if job then
      local _, output = job:wait(complain_of_std)
      for path, file in output:gmatch "([^\t\n]+)\t([^\n]+)" do found[path] = file end
    end
  end
  return found
end

return build
