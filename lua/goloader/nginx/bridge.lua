--- The Go half of serving http.Handlers (src/host/bridge), which each process loads once. For the default host it lies
--- beside it, ready to be loaded; for other hosts it is built from source.

local goloader = require "goloader"
local installed = require "goloader.installed"
local toolchain = require "goloader.building.toolchain"

local bridge = {}

local loaded

local function load(host)
  local shipped = host.path .. ".bridge.gom"
  if toolchain.exists(shipped) then
    local made, message, err = host:load(shipped)
    if made then return made end
    if err.code ~= "mismatch" then return nil, message, err end
  end
  local sources, err = installed.host_sources()
  if not sources then return nil, tostring(err), err end
  return host:build(sources .. "/bridge")
end

--- The module.
---@return goloader.Module|nil
---@return string|nil message
---@return goloader.Error|nil err
function bridge.get()
  if loaded then return loaded end
  local made, message, err = load(assert(goloader.host()))
  if not made then return nil, message, err end
  loaded = made
  return made
end

return bridge
