--- The handlers and middlewares of modules as the bridge knows them: by numbers.

local bridge = require "goloader.nginx.bridge"
local nethttp = require "goloader.routes.nethttp"

local exports = {}

local registered = setmetatable({}, { __mode = "k" }) -- numbers, by module

local function kind_of_value(value)
  local go, message = bridge.get()
  if not go then error(message, 0) end
  return go.Kind(value)
end

--- What an export is good for (routes/nethttp.lua).
---@param module goloader.Module
---@param name string
---@return "handler"|"middleware"|nil
function exports.kind_of(module, name) return nethttp.kind_of(module, name, kind_of_value) end

-- Notes a number, to be forgotten with its module.
local function keep(module, name, number, err)
  if not number then return nil, ("%s: %s"):format(name, tostring(err)) end
  local list = registered[module]
  if not list then
    list = {}
    registered[module] = list
  end
  list[#list + 1] = number
  return number
end

--- Has the bridge know a handler, by a number.
---@param module goloader.Module
---@param name string
---@return integer|nil number
---@return string|nil message
function exports.handler(module, name)
  local go, message = bridge.get()
  if not go then return nil, message end
  local value, code, why = nethttp.handler_of(module, name)
  if code then return keep(module, name, go.RegisterFunc(code)) end
  if value == nil then return nil, why or name .. ": it is nil" end
  return keep(module, name, go.Register(value))
end

--- The same for what a middleware makes of nginx's own answer.
---@param module goloader.Module
---@param name string
---@return integer|nil number
---@return string|nil message
function exports.middleware(module, name)
  local go, message = bridge.get()
  if not go then return nil, message end
  local value, why = nethttp.wrapped(module, name, go.Onward())
  if value == nil then return nil, why end
  return keep(module, name, go.Register(value))
end

--- Has nothing more of a module's, once the requests that are under way have ended: before it is unloaded.
---@param module goloader.Module
function exports.release(module)
  local list = registered[module]
  if not list then return end
  registered[module] = nil
  local go = bridge.get()
  for _, number in ipairs(list) do go.Forget(number) end
  collectgarbage() -- of handles that Lua had while the handlers were registered
end

return exports
