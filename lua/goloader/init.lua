--- goloader: ordinary compiled Go, loaded into a running Lua process.
--
--     local goloader = require "goloader"
--     local host = assert(goloader.host())
--     local list = assert(host:build "examples/listpage/list.go")
--     print(list.Render("phones", "sort=price"))
--     assert(list:unload())
--
-- What can fail in a correct program returns nil, a message, and an error object with fields to branch on (errors.lua).
-- Misuse raises.

local loads, core = pcall(require, "goloader.core")
if not loads then
  -- the functions of Lua's C API are not the same from one version to the next
  local file, symbol = tostring(core):match "([^%s:]+): undefined symbol: (luaL?_[%w_]+)"
  error(not file and core or ("%s was built for another Lua than this one, %s, which has no %s: make it with "
    .. "LUA_INCDIR=<where this one's lua.h is>"):format(file, _VERSION, symbol), 0)
end
core.set_own_sources(debug.getinfo(1, "S").source:match "^(.*)init%.lua$" or "@goloader/")
local check_options = require "goloader.options"
local counters = require "goloader.modules.counters"
local errors = require "goloader.errors"
require "goloader.int64"
local hosts = require "goloader.host"
local installed = require "goloader.installed"
local jobs = require "goloader.jobs"
local objects = require "goloader.objects"
local phase = require "goloader.phase"
local signals = require "goloader.signals"
local toolchain = require "goloader.building.toolchain"
local trust = require "goloader.trust"

local misuse, fail, returned = errors.misuse, errors.fail, errors.returned

local goloader = {
  version = "dev",
}

-- ---- the host -----------------------------------------------------------------------------------------------------

---@class goloader.HostOptions
---@field path string|nil  a library that `goloader host` made; nil: the process's own host where its program is one, or
---  $GOLOADER_HOST, or the default host
---@field desc string|nil  its description; nil: path with ".desc" appended
---@field memory_profile number|nil  Go's memory profile takes a sample per so many bytes, 0: none. nil: while a module
---  is loaded that has a use for it (runtime.MemProfile, the heap profile of runtime/pprof, net/http/pprof), as many as
---  in any Go program (one per 512 KiB), and none otherwise: it costs some memory for each load, for ever
---@field debug boolean|"files"|nil  gdb is told of loaded code: names, lines, frames, variables, in a core too;
---  "files": so is whatever reads files alone (uprobes, perf annotate, Delve). nil: as GOLOADER_DEBUG says. A debugger
---  that is there when something is loaded or unloaded is told of all there is
---@field dump "SIGQUIT"|"SIGUSR1"|"SIGUSR2"|nil  at this signal the process writes to standard error what Lua and all
---  goroutines are at, and goes on. nil: signals do what they would without Go
---@field trust string|string[]|nil  public keys, as files or as lines of base64: the process loads nothing but shipped
---  modules that are signed by one of them, in any Lua state. It can't be taken back
---@field program boolean|nil  the process is there for a Go program that is to be run (`module:run_main`): signals and
---  children are Go's own from the beginning, as natively
---@field perf boolean|nil  names of loaded code are written to /tmp/perf-PID.map, for perf. nil: as GOLOADER_PERF says

local running
local started_with = {} -- of the options that say how it starts, what they were then

local DUMP_SIGNALS = { SIGQUIT = 3, SIGUSR1 = 10, SIGUSR2 = 12 }

local HOST_OPTIONS = { path = "string", desc = "string", memory_profile = true, debug = "boolean string",
  perf = "boolean", dump = "string", trust = "string table", program = "boolean" }

-- What an option says, or where it says nothing, a variable of the environment: no, yes, or the word for more.
local function chosen(option, variable, word)
  if option ~= nil then return option end
  local value = os.getenv(variable)
  if value == nil or value == "" or value == "0" then return false end
  return value == word and word or true
end

-- What is wrong with options that come too late: how the host starts was for this Lua state's first call to say.
local function come_too_late(options)
  for _, name in ipairs { "memory_profile", "debug", "dump", "perf", "program" } do
    local value, standing = options[name], started_with[name]
    local may_begin = name == "dump" and not standing
    if value ~= nil and not may_begin and (value or nil) ~= (standing or nil) then
      return { code = "host", message = ("goloader.host: %s: the host runs already, and was started %s"):format(name,
        standing and ("with %s = %s"):format(name, tostring(standing)) or "without it") }
    end
  end
end

-- Has the process write what it is at when that signal comes.
local function dump_on(name)
  if not name or started_with.dump then return true end
  local half, message, why = require("goloader.halves").get "dump"
  if not half then return nil, message, why end
  half.On(DUMP_SIGNALS[name])
  core.dump_on(DUMP_SIGNALS[name])
  started_with.dump = name
  return true
end

--- The process's Go runtime, started at the first call. A process can have one, for its whole life.
--- memory_profile, debug and perf say how it starts: a later call that gives others fails, as one does that gives
--- another signal for dump.
---@param options goloader.HostOptions|nil
---@return goloader.Host|nil host
---@return string|nil message
---@return goloader.Error|nil err
function goloader.host(options)
  options = check_options("goloader.host", options, HOST_OPTIONS)
  local profile = options.memory_profile
  if profile ~= nil and (type(profile) ~= "number" or profile < 0 or profile % 1 ~= 0 or profile > 2 ^ 53) then
    misuse(2, "goloader.host: memory_profile: a number of bytes expected, got %s",
      type(profile) == "number" and tostring(profile) or type(profile))
  end
  if type(options.debug) == "string" and options.debug ~= "files" then
    misuse(2, 'goloader.host: debug: a boolean or "files" expected, got %q', options.debug)
  end
  if options.dump and not DUMP_SIGNALS[options.dump] then
    misuse(2, 'goloader.host: dump: "SIGQUIT", "SIGUSR1" or "SIGUSR2" expected, got %q', options.dump)
  end
  local keys, unread = nil, nil
  if options.trust then keys, unread = trust.read("goloader.host: trust", options.trust, 2) end
  if unread then return fail(unread) end -- before Go starts: nobody is to go on with a host that trusts anybody
  if running and (not options.path or toolchain.absolute(options.path) == running.path) then
    local ok, why = true, come_too_late(options)
    if why then return fail(why) end
    if keys then ok, why = trust.declare(running.core, running.path, keys) end
    if not ok then return fail(why) end
    local message, err
    ok, message, err = dump_on(options.dump)
    if not ok then return nil, message, err end
    return running
  end
  local allowed, err = phase.check(rawget(_G, "ngx"))
  if not allowed then return fail(err) end
  local path = options.path and toolchain.absolute(options.path)
  if not path then
    path, err = installed.chosen_host()
    if not path then return fail(err) end
  end
  local started
  local debug, perf = chosen(options.debug, "GOLOADER_DEBUG", "files"), chosen(options.perf, "GOLOADER_PERF")
  started, err = core.host_start(path, options.desc, profile, debug, perf, debug == "files", options.program)
  if not started then return fail(err) end
  if keys then
    local ok, why = trust.declare(started, path, keys)
    if not ok then return fail(why) end
  end
  running = hosts.new(started, path, options.desc or path .. ".desc")
  started_with = { memory_profile = profile, debug = debug, perf = perf, program = options.program }
  jobs.set_host(started)
  signals.watch_profiler()
  local is_on, message, why = dump_on(options.dump)
  if not is_on then return nil, message, why end
  return running
end

--- A package of the process itself, as `host:std` gives it, of the host that is running or of the default one. As
--- `require` does, it raises where there is none.
---
---     local io = goloader.std "io"
---     if err:is(io.EOF) then … end
---@param path string
---@return goloader.Module
function goloader.std(path)
  if type(path) ~= "string" then misuse(2, "goloader.std: an import path expected, got %s", type(path)) end
  local host, message = running, nil
  if not host then host, message = goloader.host() end
  local package
  if host then package, message = host:std(path) end
  if not package then misuse(2, "goloader.std: %s", message) end
  return package
end

--- Where the host is that `goloader.host` starts, or has started.
---@return string|nil path
---@return string|nil message
---@return goloader.Error|nil err
function goloader.host_path()
  return returned(installed.chosen_host())
end

--- Where the default host and its tools are, and the Go module goloader.dev/host.
---@return string|nil host
---@return string sources  or the message
---@return goloader.Error|nil err
function goloader.default_host()
  local path, err = installed.default_host()
  if not path then return fail(err) end
  local sources
  sources, err = installed.host_sources()
  if not sources then return fail(err) end
  return path, sources
end

--- The program that runs a Lua chunk which is appended to it (see src/cmd/goloader.c).
---@return string|nil path
---@return string|nil message
---@return goloader.Error|nil err
function goloader.launcher_path()
  return returned(installed.launcher())
end

--- Where the C library was loaded from.
---@return string path
function goloader.core_path()
  return installed.core()
end

-- ---- files --------------------------------------------------------------------------------------------------------

-- Raises, at the caller's caller, that an argument is no string. One behind `required` may be nil.
local function check_names(call, required, ...)
  for i = 1, select("#", ...) do
    local name = select(i, ...)
    if type(name) ~= "string" and (type(name) ~= "nil" or i <= required) then -- a NULL of the FFI equals nil
      misuse(3, "goloader.%s: argument #%d: %s expected, got %s", call, i,
        call == "disasm" and i == 2 and "a symbol's name" or "a file's name", type(name))
    end
  end
end

--- What a shipped module is and holds, once its hash has been checked; no host is started.
---@param file string
---@return goloader.Manifest|nil manifest
---@return string|nil message
---@return goloader.Error|nil err
function goloader.manifest(file)
  check_names("manifest", 1, file)
  return returned(objects.manifest(file))
end

--- Has one of the keys signed the shipped module? All its bytes are checked; no host is started.
---@param file string
---@param keys string|string[]  public keys: files, or the lines of base64 in them
---@return string|nil key  the number of the one that has
---@return string|nil message
---@return goloader.Error|nil err  code "trust": it is not signed, or by another key, or not this file
function goloader.verify(file, keys)
  check_names("verify", 1, file)
  return returned(core.verify(file, trust.list("goloader.verify: keys", keys, 2)))
end

--- Signs a shipped module. A signature that it had goes.
---@param file string
---@param key string  file of a secret key
---@param out string|nil  the file to write; nil: the same
---@return string|nil key  its number
---@return string|nil message
---@return goloader.Error|nil err
function goloader.sign(file, key, out)
  check_names("sign", 2, file, key, out)
  return returned(core.sign(file, key, out or file))
end

--- Makes a key to sign shipped modules with: a file with the secret one, which only its owner can read, and one with
--- the public one. Neither may be there yet.
---@param secret string
---@param public string
---@return { id: string, public: string }|nil key  its number, and the line of base64 of the public one
---@return string|nil message
---@return goloader.Error|nil err
function goloader.keygen(secret, public)
  check_names("keygen", 2, secret, public)
  local id, text = core.keygen(secret, public)
  if not id then return fail(text) end
  return { id = id, public = text }
end

--- Tells what a module can do, as `host:audit`, of the host that is running or of the default one.
---@param paths string|string[]  a shipped module, objects, or Go source
---@return goloader.Audit|nil
---@return string|nil message
---@return goloader.Error|nil err
function goloader.audit(paths)
  if type(paths) ~= "string" and type(paths) ~= "table" then
    misuse(2, "goloader.audit: a file or a package expected, got %s", type(paths))
  end
  local host, message, err = goloader.host()
  if not host then return nil, message, err end
  return host:audit(paths)
end

--- Lists the symbols of an object, without starting a host.
---@param file string
---@param desc string|nil  description of the host it is meant for; nil: the default host's
---@return goloader.ObjectSymbol[]|nil symbols
---@return string|nil message
---@return goloader.Error|nil err
function goloader.nm(file, desc)
  check_names("nm", 1, file, desc)
  return returned(objects.nm(file, desc))
end

--- Lists the machine code of an object before it is linked, without starting a host.
---@param file string
---@param symbol string|nil  nil: every function
---@param desc string|nil  description of the host it is meant for; nil: the default host's
---@return { name: string, instructions: goloader.Instruction[] }[]|nil functions
---@return string|nil message
---@return goloader.Error|nil err
function goloader.disasm(file, symbol, desc)
  check_names("disasm", 1, file, symbol, desc)
  return returned(objects.disasm(file, symbol, desc))
end

-- ---- what was called ----------------------------------------------------------------------------------------------

--- What was called and copied since the modules were loaded, or since it was last reset. `fn:stats()` is the same for
--- one function.
---@param options { reset: boolean|nil }|nil
---@return goloader.Stats
function goloader.stats(options)
  local stats = counters.read(check_options("goloader.stats", options, { reset = "boolean" }).reset or false)
  stats.unloads = running and running.core:unload_stats()
  return stats
end

--- Stands in the place of an array where many calls are made at once, `fn:map(lines, goloader.same "go(")`: that
--- parameter is the same in all of them.
---@param value any
---@return any
function goloader.same(value)
  return core.same(value)
end

--- What Lua, which calls this, and all goroutines are at: tracebacks.
---@return string|nil text
---@return string|nil message
---@return goloader.Error|nil err
function goloader.dump()
  local half, message, err = require("goloader.halves").get "dump"
  if not half then return nil, message, err end
  return debug.traceback("goloader: Lua is at:", 2) .. "\n\ngoloader: goroutines:\n\n" .. half.Goroutines()
end

--- Profiles of Go's runtime/pprof, for `go tool pprof`. "cpu", "block" and "mutex" begin here, and end with
--- `profile:stop(file)`; "heap", "allocs", "goroutine" and "threadcreate" are taken at once. Without a file the bytes
--- are returned.
---
---     local profile = goloader.profile "cpu"
---     …
---     profile:stop "cpu.prof"
---     goloader.profile("heap", "heap.prof")
---@param kind "cpu"|"block"|"mutex"|"heap"|"allocs"|"goroutine"|"threadcreate"
---@param file string|nil  of a profile that is taken at once
---@return goloader.Profile|string|true|nil
---@return string|nil message
---@return goloader.Error|nil err
function goloader.profile(kind, file)
  local profiles = require "goloader.profile"
  if type(kind) ~= "string" or profiles.kinds[kind] == nil then
    misuse(2, 'goloader.profile: "cpu", "block", "mutex", "heap", "allocs", "goroutine" or "threadcreate" expected, '
      .. "got %s", type(kind) == "string" and ("%q"):format(kind) or type(kind))
  end
  if file ~= nil and (type(file) ~= "string" or profiles.kinds[kind]) then
    misuse(2, profiles.kinds[kind] and "goloader.profile: the file is an argument of profile:stop"
      or "goloader.profile: a file's name expected, got " .. type(file))
  end
  local half, message, err = require("goloader.halves").get "profile"
  if not half then return nil, message, err end
  return profiles.take(half, kind, file)
end

-- ---- jobs ---------------------------------------------------------------------------------------------------------

local function check_host(name)
  if not running then misuse(3, "goloader.%s: no host was started: there are no jobs", name) end
end

--- A file descriptor for an event loop: when it can be read from, `goloader.step` has something to do.
---@return integer|nil fd
---@return string|nil message
---@return goloader.Error|nil err
function goloader.fd()
  check_host "fd"
  return returned(jobs.fd())
end

--- Takes notice of jobs that have finished: resumes the coroutines and calls the functions that wait for them. Without
--- a timeout it does not block.
---@param timeout number|string|nil  seconds, or "50ms", to wait for something to do; a negative number has no end while
---  a job is under way
---@return integer finished  jobs, since the last step
function goloader.step(timeout)
  check_host "step"
  return jobs.step(jobs.read_timeout(timeout, "goloader.step", 2))
end

--- Starts a coroutine in which `job:wait` yields, until `goloader.step` resumes it. An error in it is raised by whoever
--- lets it run, this function or the step, and a message has the coroutine's own traceback.
---@param fn function
---@param ... any  its arguments
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

return goloader
