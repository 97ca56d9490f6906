--- goloader doctor: tells what is installed and where files go, then tries it: a module is built, loaded, called,
--- unloaded, shipped, and loaded from the shipped file.
--
-- What loading needs decides about the exit status. Go is needed for compiling alone: a machine without it loads
-- shipped modules, and such a one lies beside every host.

local doctor = {}

local source = [[
package doctor

import "fmt"

func Greet(name string, n int) string { return fmt.Sprintf("hello, %s %d", name, n+1) }
]]

local set_tmpdir = "set TMPDIR to a folder that can be written to"
local our_fault = "this is a fault of goloader: please report it"

---@class goloader.Report
---@field failed boolean  something is missing that loading needs, or that is there and does not work
---@field write fun(text: string)
---@field paint fun(colour: string, text: string): string
local Report = {}
Report.__index = Report

local function line(self, word, what, text)
  local coloured = self.paint(word == "ok" and "green" or "red", word)
  self.write(("%s%s  %-14s %s\n"):format(coloured, (" "):rep(6 - #word), what,
    (text:gsub("%s+$", ""):gsub("\n", "\n" .. (" "):rep(23)))))
end

function Report:ok(what, text)
  line(self, "ok", what, text)
end

--- Something that users can do without.
---@param what string
---@param text string
---@param advice string|nil
function Report:lacks(what, text, advice)
  line(self, "not ok", what, text .. (advice and "\n" .. advice or ""))
end

function Report:fails(what, text, advice)
  self:lacks(what, text, advice)
  self.failed = true
end

-- Results of a function that may raise, as it were one that returns nil and a message.
local function try(fn, ...)
  local returned, value, message = pcall(fn, ...)
  if not returned then return nil, tostring(value) end
  if not value then return nil, tostring(message) end
  return value
end

-- ---- what is installed --------------------------------------------------------------------------------------------

local function tell_library(report)
  local loads, goloader = pcall(require, "goloader")
  if not loads then
    report:fails("library", tostring(goloader), "install goloader anew; in a checkout, run make")
    return nil
  end
  report:ok("library", ("%s, version %s"):format(goloader.core_path(), goloader.version))
  return goloader
end

-- All of a program's output, if it can be run and ends well.
local function output_of(toolchain, argv, env)
  local job = toolchain.start(argv, { env = env, merge = true })
  if not job then return nil end
  local ok, output = job:wait()
  return ok and output or nil
end

local function tell_temporary(report, places)
  local dir, file = places.temporary(), places.new_file()
  if not file then
    return report:fails("temporary", dir .. ": no file can be made there", set_tmpdir)
  end
  os.remove(file)
  report:ok("temporary", dir)
end

local function tell_cache(report, places)
  local dir, wanted, home = places.cache(), os.getenv "XDG_CACHE_HOME", os.getenv "HOME"
  local advice = "set XDG_CACHE_HOME to a folder that can be written to, or HOME"
  if not dir then return report:lacks("cache", "there is no folder for it: nothing is kept", advice) end
  if not wanted or wanted:sub(1, 1) ~= "/" then wanted = home and home ~= "" and home .. "/.cache" end
  if wanted and dir == wanted .. "/goloader" then return report:ok("cache", dir) end
  report:lacks("cache", ("%s; it is %s instead"):format(wanted and wanted .. "/goloader can't be written to"
    or "there is no HOME", dir), advice)
end

local function tell_host(report, goloader)
  local named = os.getenv "GOLOADER_HOST"
  if named == "" then named = nil end
  local path, message = goloader.host_path()
  local host
  if path then host, message = try(goloader.host) end
  if not host then
    report:fails("host", message, named and "GOLOADER_HOST names it: correct it, or unset it for the default host"
      or "run make, or set GOLOADER_HOST to a host's library")
    return nil
  end
  local info = host:info()
  report:ok("host", ("%s, %s%s"):format(info.path, info.go_version, named and ", named by GOLOADER_HOST" or ""))
  return host
end

local function tell_go(report, host)
  local toolchain = require "goloader.building.toolchain"
  local tools, message = host:toolchain()
  if tools then
    report:ok("Go", ("%s in %s, the host's own"):format(tools.version, tools.goroot))
    return tools
  end
  local version = host:info().go_version
  local found = output_of(toolchain, { "go", "version" }, "GOTOOLCHAIN=local")
  local advice = "only compiling needs it: shipped modules load without.\nInstall "
    .. version .. " and set GOROOT to where it is"
  if found then
    message = ("%s\nthe one on PATH is another: %s"):format(message, found:match "go[%d][%w%.]*" or found)
    advice = advice .. ",\nor build a host for the one that is here: make GO=\"$(go env GOROOT)\""
  end
  report:lacks("Go", message, advice)
end

local function tell_go_cache(report, tools, places)
  local settings = require "goloader.building.settings"
  local dir = places.go_cache(settings.get(tools, "GOCACHE"))
  if dir and places.is_writable(dir) then return report:ok("Go's cache", dir) end
  report:fails("Go's cache", (dir or "there is no folder for it") .. (dir and " can't be written to" or ""),
    "set GOCACHE to a folder that can be written to")
end

local function tell_c(report, tools)
  local toolchain = require "goloader.building.toolchain"
  local job, err = tools:go({ "env", "CC" }, { merge = true })
  if not job then return report:lacks("C compiler", "go env CC can't be run: " .. err.message) end
  local ok, named = job:wait()
  if not ok then return report:lacks("C compiler", "go env CC: " .. named) end
  local words = require "goloader.building.flags".split((named:gsub("%s+$", ""))) or {}
  if not words[1] then return report:lacks("C compiler", "go env CC names none", "set CC; packages with C need it") end
  local version = output_of(toolchain, { words[1], "--version" })
  if version then return report:ok("C compiler", ("%s: %s"):format(words[1], version:match "^[^\n]*")) end
  report:lacks("C compiler", words[1] .. " can't be run",
    "only Go packages with C parts need it: install gcc, or set CC to another")
end

-- ---- trying -------------------------------------------------------------------------------------------------------

-- Calls a module of the source above, and unloads it.
local function use(report, module, what)
  local greeting, message = try(function() return module.Greet("doctor", 41) end)
  if greeting == "hello, doctor 42" then
    report:ok(what .. "call", "Greet returned what it should")
  else
    report:fails(what .. "call", greeting and "Greet returned " .. tostring(greeting) or message,
      our_fault)
  end
  local unloaded
  unloaded, message = try(module.unload, module)
  if unloaded then return report:ok(what .. "unload", "done") end
  report:fails(what .. "unload", message, our_fault)
end

local function try_compiling(report, host, dir)
  local file, shipped = dir .. "/doctor.go", dir .. "/doctor.gom"
  local f, why = io.open(file, "wb")
  if not f then return report:fails("build", why, set_tmpdir) end
  f:write(source)
  f:close()
  local module, message = try(host.build, host, file)
  if not module then
    return report:fails("build", message, "the go command's settings may be why: see go env")
  end
  report:ok("build, load", "package doctor")
  use(report, module, "")
  local manifest
  manifest, message = try(host.ship, host, file, shipped)
  if not manifest then return report:fails("ship", message, "see what the lines above say of Go and of folders") end
  report:ok("ship", ("%d bytes"):format(manifest.size))
  module, message = try(host.load, host, shipped)
  if not module then return report:fails("load .gom", message, our_fault) end
  report:ok("load .gom", "package doctor")
  use(report, module, ".gom: ")
end

-- Without Go there is nothing to load but what was shipped with the host.
local function try_shipped(report, host)
  local file = host:info().path .. ".bridge.gom"
  local module, message = try(host.load, host, file)
  if not module then return report:fails("load .gom", message, "the host's folder lacks a part: install it anew") end
  report:ok("load .gom", file)
  local unloaded
  unloaded, message = try(module.unload, module)
  if unloaded then return report:ok(".gom: unload", "done") end
  report:fails(".gom: unload", message, our_fault)
end

-- Returns true where Go can be compiled.
local function examine(report)
  report:ok("Lua", rawget(_G, "jit") and jit.version or _VERSION)
  local goloader = tell_library(report)
  if not goloader then return false end
  local places = require "goloader.building.places"
  tell_temporary(report, places)
  tell_cache(report, places)
  local host = tell_host(report, goloader)
  if not host then return false end
  local tools = tell_go(report, host)
  if tools then
    tell_go_cache(report, tools, places)
    tell_c(report, tools)
    local toolchain = require "goloader.building.toolchain"
    local dir, err = toolchain.private_dir()
    if dir then
      try_compiling(report, host, dir)
      toolchain.remove_dir(dir)
    else
      report:fails("build", err.message, set_tmpdir)
    end
  else
    try_shipped(report, host)
  end
  return tools ~= nil
end

--- Looks at everything, and tells it line by line.
---@param write fun(text: string)
---@return integer status  1 when modules can't be loaded here, or Go is here and can't be compiled; 0 without Go
function doctor.main(write)
  local paint = require "goloader.command.terminal".painter(1)
  local report = setmetatable({ write = write, paint = paint, failed = false }, Report)
  local compiles = examine(report)
  if report.failed then
    write "Something does not work here: see the lines that say \"not ok\".\n"
    return 1
  end
  write(compiles and "Go can be compiled, loaded, called, unloaded and shipped here.\n"
    or "Shipped modules can be loaded here; Go can't be compiled.\n")
  return 0
end

return doctor
