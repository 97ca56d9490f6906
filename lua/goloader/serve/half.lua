--- The Go half of `goloader serve` (src/host/serve), which each process loads once. For the default host it lies beside
--- it, ready to be loaded; for other hosts it is built from source.

local goloader = require "goloader"
local installed = require "goloader.installed"
local toolchain = require "goloader.building.toolchain"

local half = {}

local loaded

local function load(host)
  local shipped = host.path .. ".serve.gom"
  if toolchain.exists(shipped) then
    local made, message, err = host:load(shipped)
    if made then return made end
    if err.code ~= "mismatch" then return nil, message, err end
  end
  local sources, err = installed.host_sources()
  if not sources then return nil, tostring(err), err end
  return host:build(sources .. "/serve")
end

--- The module.
---@return goloader.Module|nil
---@return string|nil message
---@return goloader.Error|nil err
function half.get()
  if loaded then return loaded end
  local host, message, err = goloader.host()
  if not host then return nil, message, err end
  local made
  made, message, err = load(host)
  if not made then return nil, message, err end
  loaded = made
  return made
end

return half
