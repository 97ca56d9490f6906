--- Go's http.Handlers in nginx, unchanged.
--
-- A handler that is declared never to wait (`waits = false`) answers within one call on the worker's thread. Any other
-- runs in a goroutine of its own (answering.lua).

local answering = require "goloader.nginx.answering"
local bridge = require "goloader.nginx.bridge"
local exchange = require "goloader.nginx.exchange"
local exports = require "goloader.nginx.exports"
local reply = require "goloader.nginx.reply"
local request = require "goloader.nginx.request"
local response = require "goloader.routes.response"

local band = require("bit").band
local address = exchange.address
local HEAD, DATA, DONE, ABORTED, NOTE = exchange.HEAD, exchange.DATA, exchange.DONE, exchange.ABORTED, exchange.NOTE
local TRAILED, REDIRECTED = exchange.TRAILED, exchange.REDIRECTED
local WANTS_BODY = exchange.WANTS_BODY
local ngx = ngx

local handler = {}

local go ---@type goloader.Module|nil  the bridge

---@class goloader.nginx.HandlerOptions
---@field waits boolean|nil  false: it never waits for anything, and is called on the worker's thread
---@field strip string|nil  a prefix that the handler's URL shall lack, as http.StripPrefix has it
---@field timeout number|nil  seconds, within which it has to begin its answer

---@class goloader.nginx.Handler
---@field number integer
---@field waits boolean
---@field strip string|nil
---@field timeout number|nil
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
  local number, message = exports.handler(module, name)
  if not number then return nil, message end
  return setmetatable({ number = number, waits = options.waits ~= false, strip = options.strip,
    timeout = options.timeout }, Handler)
end

--- Has a handler answer on this thread; nil where that can't be, since the request's body lies in a file.
---@param number integer
---@param strip string|nil  a prefix that its URL shall lack
---@return integer|nil bits
function handler.call(number, strip)
  go = go or bridge.get()
  exchange.write(strip)
  local bits = go.Serve(number, address)
  if bits == WANTS_BODY then
    ngx.req.read_body()
    local body = ngx.req.get_body_data()
    if not body and ngx.req.get_body_file() then return nil end
    exchange.write(strip, body or "")
    bits = go.Serve(number, address)
  end
  if band(bits, NOTE) ~= 0 then exchange.log_note() end
  return bits
end


local function call(self)
  return not self.waits and handler.call(self.number, self.strip) or nil
end

-- Has it begin its answer.
---@return integer|nil bits
---@return goloader.nginx.Exchange|goloader.Error|nil x  nil: all of the answer is there
local function begin(self)
  local bits = call(self)
  if bits then return bits end
  exchange.write(self.strip)
  local x = answering.start(self.number)
  local err
  bits, err = answering.begin(x, self.timeout)
  return bits, bits and x or err
end

--- Has the handler answer, as a response that nginx or a cache can be given.
---@return goloader.Response|nil
---@return goloader.Error|nil err
function Handler:answer()
  local bits, x = begin(self)
  if not bits then return nil, x end
  return answering.response(bits, x)
end

-- Sends what Go has answered, as long as it is in the struct.
local function send_answer(bits, x)
  exchange.set_head()
  if band(bits, DATA) ~= 0 then ngx.print(exchange.data()) else ngx.send_headers() end
  if x and x.reader then return reply.finish() end -- something of the request's body may be left
end

-- Is all of it there, to be sent as nginx sends it?
local function is_whole(bits) return band(bits, HEAD + DONE + ABORTED + TRAILED + REDIRECTED) == HEAD + DONE end

--- Answers the request: for content_by_lua, where nothing else has a part in it.
function Handler:serve()
  local bits, x = begin(self)
  if bits and is_whole(bits) then
    send_answer(bits, x)
    return
  end
  local res
  if bits then
    res = answering.response(bits, x)
  else
    ngx.log(ngx.ERR, "goloader: ", tostring(x))
    res = response.plain(504)
  end
  return reply.send(res)
end

local answered, answered_by -- bits of the answer that is in the struct
local function send_answered()
  local x = answered_by
  answered_by = nil
  return send_answer(answered, x)
end

-- Does nobody between the handler and nginx look at the answer's header or body?
local function is_sent_as_it_is(req)
  local route = req.route
  return route and not route.cached and not route.etag and not req.set_cookie and req.method ~= "HEAD"
end

--- The same as a function of a request, for the router.
---@param module goloader.Module
---@param name string
---@param options goloader.nginx.HandlerOptions|nil
---@return nil|fun(req: goloader.Request): goloader.Response|nil, goloader.Error|nil
---@return string|nil message
function handler.bind(module, name, options)
  local mounted, message = handler.mount(module, name, options)
  if not mounted then return nil, message end
  return function(req)
    request.readdress(req)
    if not is_sent_as_it_is(req) then return mounted:answer() end
    local bits, x = begin(mounted)
    if not bits then return nil, x end
    if not is_whole(bits) then return answering.response(bits, x) end
    -- no table is made of the header: it goes from Go to nginx before anything else can be answered
    answered, answered_by = bits, x
    return response.new { status = tonumber(exchange.io.status), send = send_answered }
  end
end

handler.kind_of = exports.kind_of
handler.release = exports.release

return handler
