--- The Go toolchain that belongs to a host: finding it, and running its programs.
--
-- Objects link only into a host built by the very same Go, so the toolchain is chosen by the host, not by PATH: the
-- build notes it beside the host, in HOST.goroot: GOROOT on the first line, its version on the second, then the flags
-- that the host's packages were compiled with, and modules are to be compiled with too. HOST.importcfg lists the
-- archives of the standard library, and of the packages linked in. Programs are run through the shell, every argument
-- quoted, with no standard input: `goloader run` must leave its own to the Go program.

local lfs = require "lfs"

local unpack = rawget(table, "unpack") or unpack

---@class goloader.Toolchain
---@field goroot string
---@field version string  "go1.26.8"
---@field flags string[]  for the go command, so that packages are compiled as the host's were
---@field package host string  the host
---@field package env string  shell assignments before every command
---@field package tools string|nil  directory of compile, asm, …
---@field package std table<string, string>|nil  archive of each standard package
---@field package std_file string|nil  the importcfg that `std` was read from
local Toolchain = {}
Toolchain.__index = Toolchain

local toolchain = {}

--- Quotes one word for the shell.
---@param word string
---@return string
function toolchain.quote(word)
  if word:find "^[%w_@%%+=:,./-]+$" then return word end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end
local quote = toolchain.quote

local function read_file(path)
  local f = io.open(path, "rb")
  if not f then return nil end
  local text = f:read "*a"
  f:close()
  return text
end
toolchain.read_file = read_file

---@param path string
---@return boolean
function toolchain.exists(path)
  return lfs.attributes(path, "mode") ~= nil
end
local exists = toolchain.exists

-- A job is a command under way: what it prints is read when it is waited for, so that work can be done meanwhile.
---@class goloader.Job
---@field package pipe file*
---@field package output string  file that takes its standard output
---@field package errors string|nil  file that takes its standard error
local Job = {}
Job.__index = Job

--- Waits for the command to end.
---@return boolean ok
---@return string output
---@return string errors  what it wrote to standard error; "" when that went into the output
function Job:wait()
  self.pipe:read "*a" -- nothing but the end of the shell comes through
  self.pipe:close()
  local output = read_file(self.output) or ""
  local errors = self.errors and read_file(self.errors) or ""
  -- popen's close tells no exit status in every Lua; the shell writes it down
  local status = read_file(self.output .. ".status")
  os.remove(self.output)
  os.remove(self.output .. ".status")
  if self.errors then os.remove(self.errors) end
  return status == "0", output, errors
end

--- True when `wait` would return at once.
---@return boolean
function Job:done()
  return exists(self.output .. ".status")
end

--- Starts a command. With `merge`, standard error goes into the output.
---@param argv string[]
---@param opts { dir: string|nil, env: string|nil, merge: boolean|nil }|nil
---@return goloader.Job|nil job
---@return goloader.Error|nil err
function toolchain.start(argv, opts)
  opts = opts or {}
  local words = {}
  for i, word in ipairs(argv) do words[i] = quote(word) end
  local errors = not opts.merge and os.tmpname() or nil
  local cd = opts.dir and opts.dir ~= "." and "cd -- " .. quote(opts.dir) .. " && " or ""
  -- A file takes the output: a pipe that nobody reads until the end would stop a command that has much to say.
  local output = os.tmpname()
  local command = ("(%s%s %s) </dev/null >%s 2>%s; printf %%d $? >%s"):format(cd, opts.env or "",
    table.concat(words, " "), quote(output), errors and quote(errors) or "&1", quote(output .. ".status"))
  local pipe, why = io.popen(command, "r")
  if not pipe then return nil, { code = "io", message = ("%s can't be run: %s"):format(argv[1], why) } end
  return setmetatable({ pipe = pipe, output = output, errors = errors }, Job)
end

--- Runs a command to its end, with this process's streams.
---@param argv string[]
---@param opts { dir: string|nil, env: string|nil, output: string|nil, input: string|nil }|nil  output, input: files
---  that take its standard output and are its standard input
---@return integer status
function toolchain.execute(argv, opts)
  local words = {}
  for i, word in ipairs(argv) do words[i] = quote(word) end
  local cd = opts and opts.dir and opts.dir ~= "." and "cd -- " .. quote(opts.dir) .. " && " or ""
  local command = ("%s%sexec %s"):format(cd, opts and opts.env or "", table.concat(words, " "))
  if opts and opts.output then command = command .. " >" .. quote(opts.output) end
  if opts and opts.input then command = command .. " <" .. quote(opts.input) end
  local ok, _, status = os.execute(command)
  -- Lua 5.1 returns what wait(2) gave
  if type(ok) == "number" then return ok < 256 and ok or math.floor(ok / 256) end
  return ok and 0 or status
end

--- A full name for a path.
---@param path string
---@return string
function toolchain.absolute(path)
  if path:sub(1, 1) == "/" then return path end
  path = path:gsub("^%./+", "")
  return lfs.currentdir() .. (path == "." and "" or "/" .. path)
end

local function goroot_version(goroot)
  local text = read_file(goroot .. "/VERSION")
  return text and text:match "^(go[%w%.]+)"
end

--- Finds the toolchain for the host at `path`. Only one of exactly the host's version will do: the one noted beside
--- the host, $GOROOT, or the `go` on PATH.
---@param path string  the host's shared library
---@param version string|nil  the host's Go version; nil: what is noted beside the host
---@return goloader.Toolchain|nil
---@return goloader.Error|nil err
function toolchain.find(path, version)
  local note = {}
  for line in (read_file(path .. ".goroot") or ""):gmatch "[^\n]+" do note[#note + 1] = line end
  version = version or note[2]
  if not version then
    return nil, { code = "host", message = path .. ".goroot: not there to say which Go the host was built with" }
  end

  local goroot
  local function try(candidate)
    if not goroot and candidate and candidate ~= "" and goroot_version(candidate) == version then goroot = candidate end
  end
  try(note[1])
  try(os.getenv "GOROOT")
  if not goroot then
    local job = toolchain.start({ "go", "env", "GOROOT" }, { env = "GOTOOLCHAIN=local" })
    if job then
      local ok, out = job:wait()
      if ok then try((out:gsub("%s+$", ""))) end
    end
  end
  if not goroot then
    return nil, {
      code = "toolchain",
      message = ("no %s here to compile with, which the host %s was built by (set GOROOT)"):format(version, path),
    }
  end
  local env = "GOTOOLCHAIN=local GOROOT=" .. quote(goroot) .. " "
  local flags = { unpack(note, 3) }
  return setmetatable({ goroot = goroot, version = version, host = path, flags = flags, env = env }, Toolchain)
end

--- Language version of a module that names none: "go1.26".
---@return string
function Toolchain:lang()
  return self.version:match "^go%d+%.%d+"
end

--- Is it a package of the standard library?
---@param import_path string
---@return boolean
function Toolchain:is_standard(import_path)
  return exists(self.goroot .. "/src/" .. import_path)
end

--- Path of a tool of the toolchain.
---@param name string  "compile"
---@return string path
function Toolchain:tool(name)
  if not self.tools then
    local dir = self.goroot .. "/pkg/tool/"
    for entry in lfs.dir(dir) do
      if entry:find "^linux_" and exists(dir .. entry .. "/compile") then self.tools = dir .. entry .. "/" end
    end
    self.tools = self.tools or dir
  end
  return self.tools .. name
end

--- Starts `go ARGS…`.
---@param args string[]
---@param opts { dir: string|nil, merge: boolean|nil }|nil
---@return goloader.Job|nil job
---@return goloader.Error|nil err
function Toolchain:go(args, opts)
  return toolchain.start({ self.goroot .. "/bin/go", unpack(args) },
    { dir = opts and opts.dir, merge = opts and opts.merge, env = self.env })
end

--- Starts a tool of the toolchain.
---@param name string
---@param args string[]
---@param opts { dir: string|nil }|nil
---@return goloader.Job|nil job
---@return goloader.Error|nil err
function Toolchain:start_tool(name, args, opts)
  local env = self.env
  -- the compiler runs for a fraction of a second: collecting less often is worth a tenth of that
  if not os.getenv "GOGC" then env = env .. "GOGC=800 " end
  return toolchain.start({ self:tool(name), unpack(args) }, { dir = opts and opts.dir, merge = true, env = env })
end

-- Workers for one compiler: as the go command, no more than four, but no more than there are processors either.
local workers
function toolchain.workers()
  if not workers then
    local _, processors = (read_file "/proc/cpuinfo" or ""):gsub("processor%s*:", "")
    workers = math.max(1, math.min(4, processors))
  end
  return workers
end

-- What an importcfg of a host lists behind this line is not of the standard library.
local linked_in_line = "\n# linked in\n"

--- Import paths of the packages linked into a host besides those of the standard library, as its importcfg lists them.
---@param host string
---@return string[]
function toolchain.linked_in(host)
  local text = read_file(host .. ".importcfg") or ""
  local _, at = text:find(linked_in_line, 1, true)
  local paths = {}
  for path in text:sub(at or #text):gmatch "packagefile ([^=\n]+)=" do paths[#paths + 1] = path end
  return paths
end

-- The standard library's part of an importcfg.
--- Makes a directory that nobody else can write to.
---@return string|nil path
---@return goloader.Error|nil err
function toolchain.private_dir()
  local parent = os.getenv "TMPDIR"
  if not parent or parent == "" then parent = "/tmp" end
  local job, err = toolchain.start({ "mktemp", "-d", parent .. "/goloader.XXXXXXXXXX" }, { merge = true })
  if not job then return nil, err end
  local ok, output = job:wait()
  output = output:gsub("%s+$", "")
  if not ok then return nil, { code = "io", message = output } end
  return output
end

--- Removes a directory that holds nothing but files.
---@param dir string
function toolchain.remove_dir(dir)
  for entry in lfs.dir(dir) do
    if entry ~= "." and entry ~= ".." then os.remove(dir .. "/" .. entry) end
  end
  lfs.rmdir(dir)
end

local function parse_importcfg(text)
  local files = {}
  local standard = text:sub(1, (text:find(linked_in_line, 1, true)))
  for path, file in standard:gmatch "packagefile ([^=\n]+)=([^\n]+)" do files[path] = file end
  return files
end

--- Where things are kept from one process to the next.
---@return string
function toolchain.cache_dir()
  local dir = os.getenv "XDG_CACHE_HOME"
  if not dir or dir == "" then dir = (os.getenv "HOME" or "/tmp") .. "/.cache" end
  lfs.mkdir(dir)
  dir = dir .. "/goloader"
  lfs.mkdir(dir)
  return dir
end

-- The archives lie in Go's build cache, which throws away what was not used for some days. Then `go list` makes them
-- anew, and the list goes into the user's cache.
local function refresh_std(self, cached)
  local format = "{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}"
  local job, err = self:go { "list", "-export", "-f", format, "std" }
  if not job then return nil, err end
  local ok, out, errors = job:wait()
  if not ok then return nil, { code = "toolchain", message = (errors:gsub("%s+$", "")) } end
  local lines = {}
  for line in out:gmatch "packagefile [^\n]+" do lines[#lines + 1] = line end
  -- renamed into place: another process may be reading it
  local temporary = os.tmpname()
  local f = assert(io.open(temporary, "wb"))
  f:write(table.concat(lines, "\n"), "\n")
  f:close()
  local beside = cached .. "." .. temporary:match "[^/]*$"
  toolchain.start({ "mv", "--", temporary, beside }, {}):wait()
  os.rename(beside, cached)
  self.std, self.std_file = parse_importcfg(out), cached
  return true
end

--- The standard library's compiled packages: archive by import path, and the importcfg file that lists them. All of
--- `wanted` that are standard packages are there on disk.
---@param wanted string[]  import paths
---@return table<string, string>|nil files
---@return string|goloader.Error importcfg  its path, or the error
function Toolchain:std_archives(wanted)
  local cached = toolchain.cache_dir() .. "/importcfg-" .. self.version
  local function usable()
    for _, path in ipairs(wanted) do
      local file = self.std[path]
      if file and not exists(file) then return false end
    end
    return true
  end
  local function try(file)
    local text = read_file(file)
    if not text then return false end
    self.std, self.std_file = parse_importcfg(text), file
    return usable()
  end
  if self.std and usable() then return self.std, self.std_file end
  if not try(self.host .. ".importcfg") and not try(cached) then
    local ok, err = refresh_std(self, cached)
    if not ok then return nil, err end
  end
  return self.std, self.std_file
end

-- The name that Go's build cache gives a file is a hash of what is in it.
local function content_name(file)
  return file:match "[^/]*$"
end

--- Of standard packages as `go list` has compiled them, those that are another build than the host's: flags for all
--- packages, build tags and variables can ask for one.
---@param packages { path: string, std: boolean, file: string }[]
---@return table<string, string> files  archives by import path
function Toolchain:other_builds(packages)
  local own, others = parse_importcfg(read_file(self.host .. ".importcfg") or ""), {}
  for _, package in ipairs(packages) do
    if package.std and package.file ~= "" and content_name(own[package.path] or "") ~= content_name(package.file) then
      others[package.path] = package.file
    end
  end
  return others
end

toolchain.Toolchain = Toolchain
return toolchain
