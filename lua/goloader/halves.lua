--- The Go halves of parts that are written in Lua: ordinary packages below src/host, which each process loads once.
--- They lie beside the default host, ready to be loaded into any that has what they use; for others they are built.

local goloader = require "goloader"
local installed = require "goloader.installed"

local halves = {}

local loaded = {} -- by name

local OF_ANOTHER_HOST = { mismatch = true, missing = true }

local function load(host, name)
  for _, shipped in ipairs(installed.shipped_half(name, host.path)) do
    local made, message, err = host:load(shipped)
    if made then return made end
    if not OF_ANOTHER_HOST[err.code] then return nil, message, err end
  end
  local sources, err = installed.host_sources()
  if not sources then return nil, tostring(err), err end
  return host:build(sources .. "/" .. name)
end

--- The module.
---@param name "bridge"|"serve"|"profile"|"dump"|"definitions"
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
