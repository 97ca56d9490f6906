--- What the environment asks of Go's tools: variables, and the files that `go env -w` and a Go distribution keep them
-- in. They are read anew each time: a program may set a variable between two builds, and a user edit a file.

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
