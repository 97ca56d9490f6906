local cache = require "goloader.routes.cache"
local M = {}
local function default_key(req)
  return req.query == "" and req.path or req.path .. "?" .. req.query
end
function M.read(value, route, hooks)
  local options = type(value) == "table" and value or { ttl = value }
  local copy = { clock = hooks.clock }
  for key, v in pairs(options) do copy[key] = v end
  local ok, made = pcall(cache.new, copy)
  if not ok then return nil, (made:gsub("^.-cache: ", "")) end
  return { store = made, key = options.key or default_key }
end
return M
