--- The Go toolchain that belongs to a host: finding it, and running its programs.
--
-- Objects link only into a host built by the very same Go, so the toolchain is chosen by the host, not by PATH: the
-- build notes it beside the host, in HOST.goroot: GOROOT on the first line, its version on the second, then the flags
-- that the host's packages were compiled with, and modules are to be compiled with too. HOST.importcfg lists the
-- archives of the standard library, and of the packages linked in, which lie in HOST.archives. Programs are run through
-- the shell, every argument quoted, with no standard input: `goloader run` must leave its own to the Go program.

local lfs = require "lfs"

local places = require "goloader.building.places"

local unpack = rawget(table, "unpack") or unpack

---@class goloader.Toolchain
---@field goroot string
---@field version string  "go1.26.8"
---@field flags string[]  for the go command, so that packages are compiled as the host's were
---@field package host string  the host
---@field package env string  shell assignments before every command
---@field package tools string|nil  directory of compile, asm, …
---@field package std table<string, string>|nil  archive of each standard package
---@field package entries string[]|nil  of Go's build cache: what HOST.archives has of it
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

--- Writes a file. Where that fails, what is there of it is of no use.
---@param path string
---@param text string
---@return true|nil
---@return goloader.Error|nil err
function toolchain.write_file(path, text)
  local f, why = io.open(path, "wb")
  if not f then return nil, { code = "io", message = why } end
  local written, closed, why_closed
  written, why = f:write(text)
  closed, why_closed = f:close() -- what was buffered is written here, and may find no room
  if written and closed then return true end
  return nil, { code = "io", message = ("%s: %s"):format(path, why or why_closed) }
end

---@param from string
---@param to string
---@return true|nil
---@return goloader.Error|nil err
function toolchain.copy_file(from, to)
  local text = toolchain.read_file(from)
  if not text then return nil, { code = "io", message = from .. ": can't be read" } end
  return toolchain.write_file(to, text)
end

---@param path string
---@return boolean
function toolchain.exists(path)
  return lfs.attributes(path, "mode") ~= nil
end
local exists = toolchain.exists

-- What is said of a command that has written nothing and failed.
local IS_FULL = "full? (TMPDIR names another place)"
local WAS_KILLED = "was killed; is memory short?"

-- How tools end a line that tells what the machine lacked: the system's words, which Go's and C's tools write, or ours.
local LACKS = {
  ["no space left on device"] = "io", ["disk quota exceeded"] = "io", ["input/output error"] = "io",
  [IS_FULL:lower()] = "io",
  ["cannot allocate memory"] = "memory", ["out of memory"] = "memory", ["signal: killed"] = "memory",
  [WAS_KILLED] = "memory",
  ["file too large"] = "limit", ["too many open files"] = "limit", ["too many open files in system"] = "limit",
  ["resource temporarily unavailable"] = "limit",
}

local function lacks(line)
  if line:find "^[^%s:]+%.go:%d+" then return nil end -- what is said of a source file
  line = line:lower():gsub("%s+$", "")
  for words, code in pairs(LACKS) do
    if line:sub(-#words) == words then return code end
  end
end

-- A job is a command under way: what it prints is read when it is waited for, so that work can be done meanwhile.
---@class goloader.Job
---@field package name string
---@field package pipe file*
---@field package output string  file that takes its standard output
---@field package errors string|nil  file that takes its standard error
local Job = {}
Job.__index = Job

--- Waits for the command to end.
---@param notice fun()|nil  is called once, when a command of go's writes to the file that $GOLOADER_NOTICE names
---@param tick fun()|nil  is called now and then, of a command that was started with `ticks`
---@return boolean ok
---@return string output
---@return string errors  what it wrote to standard error; "" when that went into the output
function Job:wait(notice, tick)
  for line in self.pipe:lines() do
    if line == "tick" then
      if tick then tick() end
    elseif notice then
      notice()
      notice = nil
    end
  end
  self.pipe:close()
  local output = read_file(self.output) or ""
  local errors = self.errors and read_file(self.errors) or ""
  -- popen's close tells no exit status in every Lua; the shell writes it down
  local status = read_file(self.output .. ".status")
  os.remove(self.output)
  os.remove(self.output .. ".status")
  if self.errors then os.remove(self.errors) end
  if status ~= "0" and (self.errors and errors or output) == "" then
    -- 128 and a signal's number, as shells have it
    local why = status == "137" and ("%s %s"):format(self.name, WAS_KILLED)
      or ("%s failed without a word; is %s %s"):format(self.name, places.temporary(), IS_FULL)
    if self.errors then errors = why else output = why end
  end
  return status == "0", output, errors
end

--- True when `wait` would return at once.
---@return boolean
function Job:done()
  return exists(self.output .. ".status")
end

--- The error of a tool that has failed, by what it wrote.
---@param output string
---@param code string  of an error that is the fault of what the tool was given; what the machine lacked has the code
---  "io", "memory" or "limit" instead
---@param heading string|nil  is written before the tool's words
---@return goloader.Error err
function toolchain.failure(output, code, heading)
  for line in output:gmatch "[^\n]+" do
    local lacked = lacks(line)
    if lacked then code = lacked end
  end
  return { code = code, message = (heading or "") .. output:gsub("%s+$", "") }
end

-- Around a command: while it runs the shell says so, every now and then, to who waits for it. The last `sleep` goes on
-- when the command has ended: it must not hold the pipe, whose end is what is waited for.
local WITH_TICKS = "while sleep 0.3 >/dev/null; do echo tick; done 2>/dev/null & ticker=$!; %s; kill $ticker"

-- What a tool writes is loaded later, and the umask of nginx's workers lets anybody write to it.
local NOT_FOR_OTHERS = "umask o-w; "

--- Starts a command. With `merge`, standard error goes into the output; with `ticks`, who waits hears from time to time
--- that it still runs.
---@param argv string[]
---@param opts { dir: string|nil, env: string|nil, merge: boolean|nil, ticks: boolean|nil }|nil
---@return goloader.Job|nil job
---@return goloader.Error|nil err
function toolchain.start(argv, opts)
  opts = opts or {}
  local words = {}
  for i, word in ipairs(argv) do words[i] = quote(word) end
  local output, errors, why
  output, why = places.new_file()
  if output and not opts.merge then errors, why = places.new_file() end
  if why then return nil, why end
  local cd = opts.dir and opts.dir ~= "." and "cd -- " .. quote(opts.dir) .. " && " or ""
  -- A file takes the output: a pipe that nobody reads until the end would stop a command that has much to say.
  local command = ("%s(%s%s %s) </dev/null >%s 2>%s; { printf %%d $? >%s; } 2>/dev/null"):format(NOT_FOR_OTHERS, cd,
    opts.env or "", table.concat(words, " "), quote(output), errors and quote(errors) or "&1",
    quote(output .. ".status"))
  if opts.ticks then command = WITH_TICKS:format(command) end
  local pipe
  pipe, why = io.popen(command, "r")
  if not pipe then return nil, { code = "io", message = ("%s can't be run: %s"):format(argv[1], why) } end
  return setmetatable({ name = argv[1], pipe = pipe, output = output, errors = errors }, Job)
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
  -- the shell has one for itself then, and its children none
  if (os.getenv "PATH" or "") == "" then env = env .. "PATH=/usr/local/bin:/usr/bin:/bin " end
  local flags = { unpack(note, 3) }
  local found = setmetatable({ goroot = goroot, version = version, host = path, flags = flags, env = env }, Toolchain)
  found.env = env .. require "goloader.building.settings".of_host(found)
  return found
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

-- Where the go command puts its files, as shell assignments: what it would not find out by itself.
local function go_places(self)
  local settings = require "goloader.building.settings"
  local words = ""
  local dir, usual = places.go_cache(settings.get(self, "GOCACHE"))
  if dir and not usual then words = ("GOCACHE=%s "):format(quote(dir)) end
  local named = settings.get(self, "GOPATH") .. settings.get(self, "GOMODCACHE")
  if (os.getenv "HOME" or "") == "" and named == "" then
    local cache = places.cache()
    if cache then words = ("%sGOPATH=%s "):format(words, quote(cache .. "/go")) end
  end
  return words, dir, usual
end

--- What the go command is to find in its environment, as shell assignments; its build cache has the host's packages.
---@return string
function Toolchain:go_environment()
  self:fill_cache()
  return self.env .. (go_places(self))
end

--- Starts `go ARGS…`.
---@param args string[]
---@param opts { dir: string|nil, merge: boolean|nil, ticks: boolean|nil, compiles: string|nil }|nil  compiles: a file
---  for goloader.building.progress
---@return goloader.Job|nil job
---@return goloader.Error|nil err
function Toolchain:go(args, opts)
  opts = opts or {}
  local compiles = opts.compiles and ("GOLOADER_COMPILES=%s "):format(quote(opts.compiles)) or ""
  return toolchain.start({ self.goroot .. "/bin/go", unpack(args) },
    { dir = opts.dir, merge = opts.merge, ticks = opts.ticks,
      env = ("%s%s%sGOLOADER_NOTICE=/proc/$$/fd/1 "):format(self.env, go_places(self), compiles) })
end

-- Files of the cache's part beside the host: the archives first, then the entries that name them.
local function kept_entries(self)
  if not self.entries then
    local root, files, entries = self.host .. ".archives", {}, {}
    for shelf in lfs.dir(exists(root) and root or "/nowhere") do
      if shelf:find "^%x%x$" then
        for file in lfs.dir(root .. "/" .. shelf) do
          local list = file:find "%-a$" and entries or file:find "%-d$" and files
          if list then list[#list + 1] = shelf .. "/" .. file end
        end
      end
    end
    for _, entry in ipairs(entries) do files[#files + 1] = entry end
    self.entries = files
  end
  return self.entries
end

-- In a user's own cache there must be nothing that breaks when the host is gone.
local function copy_entries(root, cache, entries)
  local list = places.new_file()
  local f = list and io.open(list, "wb")
  if not f then return end
  f:write(table.concat(entries, "\0"))
  f:close()
  -- what another process has put there meanwhile stays; and when there is no room, Go's own message says so
  local copy = { "xargs", "-0", "-a", list, "cp", "-n", "--reflink=auto", "--parents", "-t", cache, "--" }
  local job = toolchain.start(copy, { dir = root, merge = true })
  if job then job:wait() end
  os.remove(list)
end

local function link_entries(root, cache, entries)
  for _, entry in ipairs(entries) do
    lfs.mkdir(cache .. "/" .. entry:match "^[^/]*")
    os.remove(cache .. "/" .. entry) -- a link that leads nowhere
    lfs.link(root .. "/" .. entry, cache .. "/" .. entry, true)
  end
end

--- Sees to it that Go's build cache has the host's build of the standard library, for a user who has never compiled it.
function Toolchain:fill_cache()
  local _, cache, usual = go_places(self)
  local root = self.host .. ".archives"
  if not cache or cache:sub(1, 1) ~= "/" or not exists(root) or not places.is_writable(cache) then return end
  local missing = {}
  for _, entry in ipairs(kept_entries(self)) do
    if not exists(cache .. "/" .. entry) then missing[#missing + 1] = entry end
  end
  if missing[1] then (usual and copy_entries or link_entries)(root, cache, missing) end
end

--- Starts a tool of the toolchain.
---@param name string
---@param args string[]
---@param opts { dir: string|nil, ticks: boolean|nil }|nil
---@return goloader.Job|nil job
---@return goloader.Error|nil err
function Toolchain:start_tool(name, args, opts)
  local env = self.env
  -- the compiler runs for a fraction of a second: collecting less often is worth a tenth of that
  if not os.getenv "GOGC" then env = env .. "GOGC=800 " end
  return toolchain.start({ self:tool(name), unpack(args) }, {
    dir = opts and opts.dir, ticks = opts and opts.ticks, merge = true, env = env,
  })
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

--- Makes a directory that nobody else can write to.
---@return string|nil path
---@return goloader.Error|nil err
function toolchain.private_dir()
  local job, err = toolchain.start({ "mktemp", "-d", places.template() }, { merge = true })
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

-- The archives that lines of a host's importcfg name, by import path. Files are named from where it lies.
local function read_packagefiles(text, host)
  local files, dir = {}, host:match "^.*/" or ""
  for path, file in text:gmatch "packagefile ([^=\n]+)=([^\n]+)" do
    files[path] = file:sub(1, 1) == "/" and file or dir .. file
  end
  return files
end

--- The standard library's part of the host's importcfg.
---@param host string
---@return table<string, string> files  archives by import path
function toolchain.read_importcfg(host)
  local text = read_file(host .. ".importcfg") or ""
  return read_packagefiles(text:sub(1, (text:find(linked_in_line, 1, true))), host)
end

--- The archives of all that the host has, and of the whole standard library.
---@param host string
---@return table<string, string> files  by import path
function toolchain.read_archives(host)
  return read_packagefiles(read_file(host .. ".importcfg") or "", host)
end

--- The standard library's compiled packages, as the host has them: archive by import path. All of `wanted` that are
--- standard packages are there on disk.
---@param wanted string[]  import paths
---@return table<string, string>|nil files
---@return goloader.Error|nil err
function Toolchain:std_archives(wanted)
  self.std = self.std or toolchain.read_importcfg(self.host)
  for _, path in ipairs(wanted) do
    local file = self.std[path]
    if file and not exists(file) then
      return nil, { code = "toolchain", message = ("%s: the archive of %s, which belongs to the host, is not there; "
        .. "make the host anew"):format(file, path) }
    end
  end
  return self.std
end

--- What the compiler's flag -importcfg wants to read.
---@param files table<string, string>  archives by import path
---@return string
function toolchain.importcfg(files)
  local lines = {}
  for path, file in pairs(files) do lines[#lines + 1] = ("packagefile %s=%s\n"):format(path, file) end
  table.sort(lines)
  return table.concat(lines)
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
  local own, others = toolchain.read_importcfg(self.host), {}
  for _, package in ipairs(packages) do
    if package.std and package.file ~= "" and content_name(own[package.path] or "") ~= content_name(package.file) then
      others[package.path] = package.file
    end
  end
  return others
end

toolchain.Toolchain = Toolchain
return toolchain
