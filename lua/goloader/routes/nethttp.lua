--- What a module has to offer that net/http can use: http.Handlers, functions that return one, and middlewares
--- (func(http.Handler) http.Handler, or a function that returns that).

local nethttp = {}

local HANDLER_FUNC = "^func%([%w_]* ?net/http%.ResponseWriter, [%w_]* ?%*net/http%.Request%)$"
local MIDDLEWARE = "^func%([%w_]* ?net/http%.Handler%) net/http%.Handler$"
local MAKES_MIDDLEWARE = "^func%(%) func%([%w_]* ?net/http%.Handler%) net/http%.Handler$"

local function export_of(module, name)
  for _, export in ipairs(module:exports()) do
    if export.name == name then return export end
  end
end

--- What an export is good for; nil: it is nothing of net/http's.
---@param module goloader.Module
---@param name string
---@param kind_of_value nil|fun(value: any): string  what Go says of a variable's value; nil: its type has to do
---@return "handler"|"middleware"|nil
function nethttp.kind_of(module, name, kind_of_value)
  local export = export_of(module, name)
  local signature = export and export.signature
  if not signature then return nil end
  if signature:find(MIDDLEWARE) or signature:find(MAKES_MIDDLEWARE) then return "middleware" end
  if signature:find(HANDLER_FUNC) then return "handler" end
  if export.kind == "var" and not kind_of_value then
    local is_handler = signature:find "^net/http%.Handler%w*$" or signature:find "^%*net/http%.ServeMux$"
    return is_handler and "handler" or nil
  elseif export.kind == "var" then
    -- numbers, strings and tables are none, and to ask for them may be to copy much
    if not signature:find "^%*?[%a_][%w_/.-]*%.[%w_]+$" and not signature:find "^%*?[%u][%w_]*$" then return nil end
    local ok, kind = pcall(function() return kind_of_value(module[name]) end)
    return ok and (kind == "handler" or kind == "middleware") and kind or nil
  end
  local returned = signature:match "^func%(%) (%S+)$" or signature:match "^func%(%) %((%S+), error%)$"
  -- of other results nobody knows before the call whether they answer requests, or are the answer
  if returned and (returned:find "%.Handler$" or returned:find "%.HandlerFunc$" or returned:find "%.ServeMux$") then
    return "handler"
  end
end

-- A function's code: as a value of Go's it can't be had here.
local function code_address(module, name)
  local suffix = "." .. name
  for _, symbol in ipairs(module:symbols()) do
    if symbol.name:sub(-#suffix) == suffix and not symbol.name:find "[%(%*]" and symbol.kind:lower() == "t" then
      return tonumber(symbol.addr, 16)
    end
  end
end

--- The http.Handler that an export is or returns: a value of Go's, or the address of a function's code.
---@param module goloader.Module
---@param name string
---@return any value  nil: there is none, and the third result says why
---@return integer|nil code
---@return string|nil message
function nethttp.handler_of(module, name)
  local export = export_of(module, name)
  if not export then return nil, nil, name .. " does not exist" end
  if export.kind == "var" then return module[name] end
  if export.signature:find(HANDLER_FUNC) then
    local code = code_address(module, name)
    if not code then return nil, nil, name .. ": its code is not found" end
    return nil, code
  end
  local value, err = module[name]()
  if value == nil then return nil, nil, ("%s: %s"):format(name, tostring(err or "it returned nil")) end
  return value
end

--- What a middleware makes of the handler that it is to call next.
---@param module goloader.Module
---@param name string
---@param onward any  that handler
---@return any value
---@return string|nil message
function nethttp.wrapped(module, name, onward)
  local export = export_of(module, name)
  if not export then return nil, name .. " does not exist" end
  local middleware = module[name]
  if export.kind == "func" and export.signature:find(MAKES_MIDDLEWARE) then middleware = middleware() end
  local value = middleware and middleware(onward)
  if value == nil then return nil, name .. ": it returned nil" end
  return value
end

return nethttp
