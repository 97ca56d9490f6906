--- The Go halves of parts that are written in Lua: ordinary packages below src/host, which each process loads once. For
--- the default host they lie beside it, ready to be loaded; for other hosts they are built from source.

local goloader = require "goloader"
local installed = require "goloader.installed"
local toolchain = require "goloader.building.toolchain"

local halves = {}

local loaded = {} -- by name

local function load(host, name)
  local shipped = ("%s.%s.gom"):format(host.path, name)
  if toolchain.exists(shipped) then
    local made, message, err = host:load(shipped)
    if made then return made end
    if err.code ~= "mismatch" then return nil, message, err end
  end
  local sources, err = installed.host_sources()
  if not sources then return nil, tostring(err), err end
  return host:build(sources .. "/" .. name)
end

--- The module.
---@param name "bridge"|"serve"
---@return goloader.Module|nil
---@return string|nil message
---@return goloader.Error|nil err
function halves.get(name)
  if loaded[name] then return loaded[name] end
  local host, message, err = goloader.host()
  if not host then return nil, message, err end
  loaded[name], message, err = load(host, name)
  return loaded[name], message, err
end

return halves
