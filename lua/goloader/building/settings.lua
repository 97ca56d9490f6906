--- What the environment asks of Go's tools: variables, and the files that `go env -w` and a Go distribution keep them
-- in. They are read anew each time: a program may set a variable between two builds, and a user edit a file.

local core = require "goloader.core"
local toolchain = require "goloader.building.toolchain"

local read_file = toolchain.read_file

local settings = {}

-- Variables by which the go command decides what it builds, for a Go whose own list can't be read.
local usual = [[
  AR CC CGO_CFLAGS CGO_CFLAGS_ALLOW CGO_CFLAGS_DISALLOW CGO_CPPFLAGS CGO_CPPFLAGS_ALLOW CGO_CPPFLAGS_DISALLOW
  CGO_CXXFLAGS CGO_CXXFLAGS_ALLOW CGO_CXXFLAGS_DISALLOW CGO_ENABLED CGO_FFLAGS CGO_LDFLAGS CGO_LDFLAGS_ALLOW
  CGO_LDFLAGS_DISALLOW CXX FC GO111MODULE GOAMD64 GOARCH GOCACHE GOENV GOEXPERIMENT GOFIPS140 GOFLAGS GOINSECURE
  GOMODCACHE GOOS GOPATH GOPROXY GOROOT GOTOOLCHAIN GOWORK PKG_CONFIG
]]
-- What decides where Go's files are, and what the tools that it runs read.
local others = [[
  C_INCLUDE_PATH CPATH GODEBUG HOME LIBRARY_PATH PATH PKG_CONFIG_PATH XDG_CACHE_HOME XDG_CONFIG_HOME
]]

local names_of = {} -- by GOROOT

-- The names of all variables that matter. Each Go has the list of those that its go command knows.
local function names(goroot)
  if not names_of[goroot] then
    local source = read_file(goroot .. "/src/internal/cfg/cfg.go") or ""
    local list = {}
    for name in ((source:match "KnownEnv = `([^`]*)`" or usual) .. others):gmatch "%S+" do list[#list + 1] = name end
    names_of[goroot] = list
  end
  return names_of[goroot]
end

-- The files that hold variables which the environment does not set, the first one going first.
local function env_files(goroot)
  local user = os.getenv "GOENV"
  if not user or user == "" then
    local dir = os.getenv "XDG_CONFIG_HOME"
    if not dir or dir == "" then dir = (os.getenv "HOME" or "") .. "/.config" end
    user = dir .. "/go/env"
  end
  return user ~= "off" and read_file(user) or "", read_file(goroot .. "/go.env") or ""
end

--- The value that the go command uses for a variable; "" where nobody sets it.
---@param tc goloader.Toolchain
---@param name string
---@return string
function settings.get(tc, name)
  local value = os.getenv(name)
  if value and value ~= "" then return value end
  for _, text in ipairs { env_files(tc.goroot) } do
    value = ("\n" .. text):match("\n%s*" .. name .. "=([^\n]*)")
    if value then return value end
  end
  return ""
end

-- What the description beside a host says of its processor and experiments; no fields where there is none.
local function read_description(host)
  local fields, f = {}, io.open(host .. ".desc", "rb")
  for line in f and f:lines() or function() end do
    local key, value = line:match "^(%l+)\t([^\t]*)$"
    if key then fields[key] = value end
    if key == "header" then break end
  end
  if f then f:close() end
  return fields
end

--- What the host was made with, where nobody sets it to anything, as shell assignments: what it loads is compiled with
--- the same.
---@param tc goloader.Toolchain
---@return string
function settings.of_host(tc)
  local host, words = read_description(tc.host), ""
  for variable, value in pairs { GOEXPERIMENT = host.goexperiment or "", GOAMD64 = host.goamd64 or "v1" } do
    local is_usual = value == "" or value == "v1"
    if not is_usual and settings.get(tc, variable) == "" then
      words = ("%s%s=%s "):format(words, variable, toolchain.quote(value))
    end
  end
  return words
end

-- The first line of an object that is compiled with these experiments. nil where there are no such experiments: the go
-- command says so.
local function compiled_header(tc, experiments)
  local dir = toolchain.private_dir()
  if not dir then return nil end
  local object
  if toolchain.write_file(dir .. "/p.go", "package p\n") then
    local job = toolchain.start({ tc:tool "compile", "-p", "p", "-o", dir .. "/p.o", dir .. "/p.go" },
      { env = tc.env .. "GOEXPERIMENT=" .. toolchain.quote(experiments), merge = true })
    object = job and job:wait() and read_file(dir .. "/p.o")
  end
  toolchain.remove_dir(dir)
  return object and object:match "go object [^\n]*"
end

--- Why nothing can be loaded that is compiled as variables ask for it; nil where they ask for what the host is.
---@param tc goloader.Toolchain
---@return string|nil why
function settings.find_mismatch(tc)
  local host = read_description(tc.host)
  if not host.header then return nil end -- what is wrong with the host is told when it starts
  for variable, own in pairs { GOOS = "linux", GOARCH = host.goarch } do
    local value = settings.get(tc, variable)
    if value ~= "" and value ~= own then
      return ("%s=%s: the host is for %s, and loads nothing else"):format(variable, value, own)
    end
  end
  local wanted = settings.get(tc, "GOEXPERIMENT")
  if wanted == "" or wanted == host.goexperiment then return nil end
  local header = compiled_header(tc, wanted)
  if not header or core.headers_agree(header, host.header) then return nil end
  return ("GOEXPERIMENT=%s: the host was made with other experiments, and loads nothing else; \"GOEXPERIMENT=%s "
    .. "goloader host -o HOST.so PACKAGE…\" makes one that does (GOLOADER_HOST names it)"):format(wanted, wanted)
end

--- Why an overlay can't be followed: it gives the standard library other sources, which the host has compiled already.
---@param tc goloader.Toolchain
---@param words string[]  flags of the go command
---@return string|nil why
function settings.find_overlaid(tc, words)
  for i, word in ipairs(words) do
    local value = word:match "^%-%-?overlay=(.*)$" or word:match "^%-%-?overlay$" and words[i + 1]
    local overlay = value and read_file(value) or ""
    for path in overlay:gmatch '"([^"]*)"%s*:%s*"' do
      if path:sub(1, #tc.goroot + 5) == tc.goroot .. "/src/" then
        return ("flag -overlay: %s is another one in %s, but the standard library is the host's"):format(path, value)
      end
    end
  end
end

--- The flags that GOFLAGS adds to every go command.
---@param tc goloader.Toolchain
---@return string[]
function settings.goflags(tc)
  local flags = require "goloader.building.flags"
  -- what is wrong with the quotes, the go command tells
  return flags.split(settings.get(tc, "GOFLAGS")) or {}
end

--- A text that differs whenever the go command might build something else for the environment's sake.
---@param tc goloader.Toolchain
---@return string
function settings.fingerprint(tc)
  local parts = { env_files(tc.goroot) }
  for _, name in ipairs(names(tc.goroot)) do parts[#parts + 1] = os.getenv(name) or "" end
  return table.concat(parts, "\0")
end

return settings
