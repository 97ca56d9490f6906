--- The Go half of serving http.Handlers in nginx (src/host/bridge).

local halves = require "goloader.halves"

local bridge = {}

local loaded

--- The module. It is asked for at every request, and loaded by the first that asks.
---@return goloader.Module|nil
---@return string|nil message
---@return goloader.Error|nil err
function bridge.get()
  if loaded then return loaded end
  local message, err
  loaded, message, err = halves.get "bridge"
  return loaded, message, err
end

return bridge
