--- Go's http.Handlers in nginx, unchanged.
--
-- A handler that is declared never to wait (`waits = false`) answers within one call on the worker's thread. Any other
-- runs in a goroutine of its own, and the request's coroutine does for it what only nginx can: it sends what the
-- handler has written, and reads what the handler wants to read. Neither holds more than a piece of a body.

local bridge = require "goloader.nginx.bridge"
local exchange = require "goloader.nginx.exchange"
local sockets = require "goloader.nginx.sockets"
local wake = require "goloader.nginx.wake"

local band = require("bit").band
local address = exchange.address
local ngx = ngx

local handler = {}

local HEAD, DATA, WANTS_BODY, WANTS_CONN, DONE, ABORTED, NOTE, TRAILED = exchange.HEAD, exchange.DATA,
  exchange.WANTS_BODY, exchange.WANTS_CONN, exchange.DONE, exchange.ABORTED, exchange.NOTE, exchange.TRAILED

local go -- the bridge's module

local function find_bridge()
  if go then return true end
  local message, err
  go, message, err = bridge.get()
  if not go then return nil, message, err end
  return true
end

-- ---- what a module has to offer ------------------------------------------------------------------------------------

local HANDLER_FUNC = "func%([%w_]* ?net/http%.ResponseWriter, [%w_]* ?%*net/http%.Request%)$"
local MIDDLEWARE = "^func%([%w_]* ?net/http%.Handler%) net/http%.Handler$"
local MAKES_MIDDLEWARE = "^func%(%) func%([%w_]* ?net/http%.Handler%) net/http%.Handler$"

local function export_of(module, name)
  for _, export in ipairs(module:exports()) do
    if export.name == name then return export end
  end
end

---@alias goloader.nginx.Kind "handler"|"constructor"|"middleware"

--- What an export is good for: a handler (an http.Handler, or a function as http.HandlerFunc has it), a function that
--- returns one, or a middleware (func(http.Handler) http.Handler, or a function that returns that).
---@param module goloader.Module
---@param name string
---@return goloader.nginx.Kind|nil
function handler.kind_of(module, name)
  local export = export_of(module, name)
  if not export then return nil end
  local signature = export.signature
  if signature:find(MIDDLEWARE) or signature:find(MAKES_MIDDLEWARE) then return "middleware" end
  if signature:find("^" .. HANDLER_FUNC) then return "handler" end
  if export.kind == "var" then
    -- numbers, strings and tables are none, and to ask for them may be to copy much
    if not signature:find "^%*?[%a_][%w_/.-]*%.[%w_]+$" and not signature:find "^%*?[%u][%w_]*$" then return nil end
    if not find_bridge() then return nil end
    local ok, kind = pcall(function() return go.Kind(module[name]) end)
    return ok and kind == "handler" and kind or nil
  end
  local returned = signature:match "^func%(%) (%S+)$" or signature:match "^func%(%) %((%S+), error%)$"
  if returned and (returned:find "%.Handler$" or returned:find "^%*" or returned:find "%.HandlerFunc$") then
    return "constructor"
  end
end

local function code_address(module, name)
  local suffix = "." .. name
  for _, symbol in ipairs(module:symbols()) do
    if symbol.name:sub(-#suffix) == suffix and not symbol.name:find("[%(%*]") and symbol.kind:lower() == "t" then
      return tonumber(symbol.addr, 16)
    end
  end
end

local function register(module, name)
  local export = export_of(module, name)
  if not export then return nil, name .. " does not exist" end
  local value
  if export.kind == "var" then
    value = module[name]
  elseif export.signature:find("^" .. HANDLER_FUNC) then
    local code = code_address(module, name)
    if not code then return nil, name .. ": its code is not found" end
    return go.RegisterFunc(code)
  else
    local err
    value, err = module[name]()
    if value == nil then return nil, ("%s: %s"):format(name, tostring(err or "it returned nil")) end
  end
  local number, err = go.Register(value)
  if not number then return nil, ("%s: %s"):format(name, tostring(err)) end
  return number
end

---@class goloader.nginx.HandlerOptions
---@field waits boolean|nil  false: it never waits for anything, and is called on the worker's thread
---@field strip string|nil  a prefix that the handler's URL shall lack, as http.StripPrefix has it

---@class goloader.nginx.Handler
---@field package number integer
---@field package waits boolean
---@field package strip string|nil
local Handler = {}
Handler.__index = Handler

--- Makes an export of a module ready to answer requests.
---@param module goloader.Module
---@param name string
---@param options goloader.nginx.HandlerOptions|nil
---@return goloader.nginx.Handler|nil
---@return string|nil message
function handler.mount(module, name, options)
  options = options or {}
  local ok, message = find_bridge()
  if not ok then return nil, message end
  local number
  number, message = register(module, name)
  if not number then return nil, message end
  return setmetatable({ number = number, waits = options.waits ~= false, strip = options.strip }, Handler)
end

--- Has nothing more of the module's, once the requests that are under way have ended: before it is unloaded.
function Handler:release()
  if self.number then go.Forget(self.number) end
  self.number = nil
end

-- ---- answering -----------------------------------------------------------------------------------------------------

local function target_of(self)
  local strip = self.strip
  if not strip then return nil end
  local uri = ngx.var.request_uri
  if uri:sub(1, #strip) ~= strip then return nil end
  uri = uri:sub(#strip + 1)
  return uri:sub(1, 1) == "/" and uri or "/" .. uri
end

-- Who sends an answer by nginx: its status and header, pieces of its body, its end.
local plain = { head = exchange.set_head, trailers = function() end, finish = function() end }

function plain.send(_, piece)
  if piece then return ngx.print(piece) end
  return ngx.send_headers()
end

-- Closes the connection, so that nobody takes what has been sent for all of it.
function plain.break_off(is_sent) return ngx.exit(is_sent and ngx.ERROR or 444) end

-- The whole answer is there.
local function send_all(bits)
  if band(bits, NOTE) ~= 0 then exchange.log_note() end
  if band(bits, ABORTED) ~= 0 then return plain.break_off(false) end
  local sink = band(bits, TRAILED) ~= 0 and sockets.trailed() or plain
  sink:head()
  if sink ~= plain then sink:trailers() end
  sink:send(band(bits, DATA) ~= 0 and exchange.data() or nil)
  return sink:finish()
end

---@class goloader.nginx.Exchange
---@field number integer|nil
---@field reader table|nil  of the request's body
local Exchange = {}
Exchange.__index = Exchange

function Exchange:cancel()
  local number = self.number
  if number then
    self.number = nil
    go.Cancel(number)
  end
end

-- The next thing to do.
local function take(self)
  local bits = go.Take(self.number, address)
  while bits == 0 do
    go.Wait:async(self.number):wait()
    bits = go.Take(self.number, address)
  end
  if band(bits, NOTE) ~= 0 then exchange.log_note() end
  if band(bits, DONE) ~= 0 then self.number = nil end
  return bits
end

-- What the handler writes, as it comes.
local function stream(self)
  local sink, is_sent = plain, false
  while true do
    local bits = take(self)
    if band(bits, ABORTED) ~= 0 then
      self:cancel()
      return sink.break_off(is_sent)
    end
    local is_head, is_done = band(bits, HEAD) ~= 0, band(bits, DONE) ~= 0
    local piece = band(bits, DATA) ~= 0 and exchange.data() or nil
    if is_head then
      if band(bits, TRAILED) ~= 0 then sink = sockets.trailed() or plain end
      sink:head()
      is_sent = true
    end
    if is_done and sink ~= plain then sink:trailers() end
    -- Beyond this point others may use the struct.
    if band(bits, WANTS_CONN) ~= 0 and sockets.hand_over(self, go, take) then return ngx.exit(ngx.OK) end
    if band(bits, WANTS_BODY) ~= 0 then sockets.read_body(self, go) end
    if (is_head or piece) and not sink:send(piece) then return self:cancel() end
    if is_done then return sink:finish() end
    if is_sent and sink == plain and not ngx.flush(true) then return self:cancel() end
  end
end

local function serve_waiting(self)
  local x = setmetatable({}, Exchange)
  exchange.write(target_of(self), nil, true)
  x.number = go.Start(self.number, address)
  local watched = wake.watch_client(x)
  stream(x)
  watched[x] = nil
end

local function has_body()
  local var = ngx.var
  local length = var.content_length
  return length ~= nil and length ~= "0" and length ~= "" or var.http_transfer_encoding ~= nil
end

--- Answers the request: in the content phase.
function Handler:serve()
  if self.waits then return serve_waiting(self) end
  local body
  if has_body() then
    ngx.req.read_body()
    body = ngx.req.get_body_data()
    if not body and ngx.req.get_body_file() then return serve_waiting(self) end
  end
  exchange.write(target_of(self), body)
  return send_all(go.Serve(self.number, address))
end

return handler
