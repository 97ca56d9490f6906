--- What modules have to offer net/http: which of their exports are handlers and middlewares, and the numbers that the
--- bridge knows those by.

local bridge = require "goloader.nginx.bridge"

local exports = {}

local HANDLER_FUNC = "func%([%w_]* ?net/http%.ResponseWriter, [%w_]* ?%*net/http%.Request%)$"
local MIDDLEWARE = "^func%([%w_]* ?net/http%.Handler%) net/http%.Handler$"
local MAKES_MIDDLEWARE = "^func%(%) func%([%w_]* ?net/http%.Handler%) net/http%.Handler$"

local registered = setmetatable({}, { __mode = "k" }) -- numbers, by module

local function export_of(module, name)
  for _, export in ipairs(module:exports()) do
    if export.name == name then return export end
  end
end

-- Variables are asked themselves, if it is possible by their types: those of numbers, strings, slices and maps are not
-- even copied.
local function kind_of_variable(module, name, signature)
  if not signature:find "^%*?[%w_/.-]+$" then return nil end
  local go = bridge.get()
  if not go then return nil end
  local ok, kind = pcall(function() return go.Kind(module[name]) end)
  return ok and kind ~= "" and kind or nil
end

--- What an export is good for: "handler" (an http.Handler, a function as http.HandlerFunc has it, or one without
--- parameters that returns a handler), "middleware" (a func(http.Handler) http.Handler, or a function that returns
--- one).
---@param module goloader.Module
---@param name string
---@return "handler"|"middleware"|nil
function exports.kind_of(module, name)
  local export = export_of(module, name)
  if not export then return nil end
  local signature = export.signature
  if signature:find(MIDDLEWARE) or signature:find(MAKES_MIDDLEWARE) then return "middleware" end
  if signature:find("^" .. HANDLER_FUNC) then return "handler" end
  if export.kind == "var" then return kind_of_variable(module, name, signature) end
  local returned = signature:match "^func%(%) (%S+)$" or signature:match "^func%(%) %((%S+), error%)$"
  if returned and (returned:find "Handler$" or returned:find "HandlerFunc$" or returned:find "%.ServeMux$") then
    return "handler"
  end
end

local function code_address(module, name)
  local suffix = "." .. name
  for _, symbol in ipairs(module:symbols()) do
    if symbol.kind == "T" and symbol.name:sub(-#suffix) == suffix and not symbol.name:find "[%(%*]" then
      return tonumber(symbol.addr, 16)
    end
  end
end

local function keep(module, number)
  local list = registered[module]
  if not list then
    list = {}
    registered[module] = list
  end
  list[#list + 1] = number
  return number
end

-- The value of a variable, or what a function without parameters returns.
local function value_of(module, name, export)
  local value, err
  if export.kind == "var" then value = module[name] else value, err = module[name]() end
  if value == nil then return nil, ("%s: %s"):format(name, tostring(err or "it is nil")) end
  return value
end

--- Has the bridge know a handler, by a number.
---@param module goloader.Module
---@param name string
---@return integer|nil number
---@return string|nil message
function exports.handler(module, name)
  local go, message = bridge.get()
  if not go then return nil, message end
  local export = export_of(module, name)
  if not export then return nil, name .. " does not exist" end
  if export.kind == "func" and export.signature:find("^" .. HANDLER_FUNC) then
    local code = code_address(module, name)
    if not code then return nil, name .. ": its code is not found" end
    return keep(module, go.RegisterFunc(code))
  end
  local value, why = value_of(module, name, export)
  if not value then return nil, why end
  local number, err = go.Register(value)
  if not number then return nil, ("%s: %s"):format(name, tostring(err)) end
  return keep(module, number)
end

--- The same for what a middleware makes of nginx's own answer.
---@param module goloader.Module
---@param name string
---@return integer|nil number
---@return string|nil message
function exports.middleware(module, name)
  local go, message = bridge.get()
  if not go then return nil, message end
  local export = export_of(module, name)
  if not export then return nil, name .. " does not exist" end
  local make = module[name]
  if not export.signature:find(MIDDLEWARE) then
    local why
    make, why = value_of(module, name, export)
    if not make then return nil, why end
  end
  local made, err = make(go.Onward())
  if made == nil then return nil, ("%s: %s"):format(name, tostring(err or "it returned no handler")) end
  return keep(module, go.Register(made))
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
