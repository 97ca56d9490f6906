--- Where the parts of goloader lie that are not Lua: the C library, the default host, the launcher.

local core = require "goloader.core"
local toolchain = require "goloader.building.toolchain"

local installed = {}

--- Where the C library was loaded from. A full name: compilers run in other directories.
---@return string
function installed.core()
  for template in package.path:gmatch "[^;]+" do
    -- a bundle (command/bundle.lua) has a Lua file that loads it
    local path = template:gsub("%?", "goloader/core")
    local dir = path:match "^(.*)/lua/goloader/core%.lua$"
    if dir and toolchain.exists(path) then return toolchain.absolute(dir .. "/lib/goloader/core.so") end
  end
  for template in package.cpath:gmatch "[^;]+" do
    local path = template:gsub("%?", "goloader/core")
    if toolchain.exists(path) then return toolchain.absolute(path) end
  end
  return toolchain.absolute "core.so"
end

-- A part lies beside core.so where goloader is installed, and at a place of its own below build in a checkout. LuaJIT's
-- core.so in an installation for another Lua lies deeper (the Makefile's install).
local function find(what, place, place_in_checkout, hint)
  local dir = installed.core():match "^(.*)/[^/]*$"
  local above = dir:match "^(.*)/[^/]+/[^/]+$" or ""
  local in_installation = above .. "/" .. place
  place = dir .. "/" .. place
  place_in_checkout = above .. "/" .. place_in_checkout
  for _, path in ipairs { place, place_in_checkout, in_installation } do
    if toolchain.exists(path) then return path end
  end
  return nil, { code = "host", message = ("no %s at %s or %s: %s"):format(what, place, place_in_checkout, hint) }
end

--- The host that `make` built.
---@return string|nil path
---@return goloader.Error|nil err
function installed.default_host()
  local so = "/libgoloader_host.so"
  return find("host", "host" .. so, "host/default" .. so, "run make, or set GOLOADER_HOST")
end

--- The Go halves (halves.lua) that may be needed where modules run; the other one is for those who write them.
installed.halves = { "bridge", "serve", "profile", "dump" }

--- Where a Go half lies, ready to be loaded: beside a host, and beside the default one.
---@param name string
---@param host_path string
---@return string[] files  that there are
function installed.shipped_half(name, host_path)
  local files = {}
  for _, path in ipairs { host_path, (installed.default_host()) } do
    local file = ("%s.%s.gom"):format(path, name)
    if toolchain.exists(file) then files[#files + 1] = file end
  end
  return files
end

--- The folder of the Go module goloader.dev/host.
---@return string|nil path
---@return goloader.Error|nil err
function installed.host_sources()
  local path, err = find("Go module goloader.dev/host", "host/src", "../src/host", "install goloader anew")
  if not path then return nil, err end
  return (path:gsub("/[^/]+/%.%./", "/"))
end

--- The program that runs a Lua chunk which is appended to it (see src/cmd/goloader.c).
---@return string|nil path
---@return goloader.Error|nil err
function installed.launcher()
  return find("launcher", "launcher", "bin/goloader", "run make")
end

--- The host of this process. A program that is its own host has no choice, nor has a process that has one already.
---@return string|nil path
---@return goloader.Error|nil err
function installed.chosen_host()
  local self = core.host_self()
  if self then return self end
  local named = os.getenv "GOLOADER_HOST"
  if named and named ~= "" then return toolchain.absolute(named) end
  return installed.default_host()
end

return installed
