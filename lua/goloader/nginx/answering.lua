--- A request that a goroutine answers: nginx's half of it. The coroutine of the request does for the goroutine what
-- only nginx can: it sends what the handler has written, and reads what the handler wants to read. Neither holds more
-- than a piece of a body.

local bridge = require "goloader.nginx.bridge"
local errors = require "goloader.errors"
local exchange = require "goloader.nginx.exchange"
local reply = require "goloader.nginx.reply"
local response = require "goloader.routes.response"
local sockets = require "goloader.nginx.sockets"
local status = require "goloader.nginx.status"
local wake = require "goloader.nginx.wake"

local band = require("bit").band
local address = exchange.address
local ngx, remove = ngx, table.remove

local HEAD, DATA, WANTS_BODY, WANTS_CONN = exchange.HEAD, exchange.DATA, exchange.WANTS_BODY, exchange.WANTS_CONN
local DONE, ABORTED, NOTE, TRAILED = exchange.DONE, exchange.ABORTED, exchange.NOTE, exchange.TRAILED

local answering = {}

---@class goloader.nginx.Exchange
---@field number integer|nil  nil: it has ended
---@field reader nil|fun(): string|nil, string|nil  of the request's body
---@field keeps_body boolean|nil  nginx shall have the body too
---@field package watched table
---@field package proxy userdata
local Exchange = {}
Exchange.__index = Exchange

-- A request that is killed in the middle tells nobody, but what it has is collected: numbers of exchanges by what they
-- are collected with. One metatable is for all, and those of exchanges that ended are used again: nothing is to be
-- finalized then.
local numbers, proxies = setmetatable({}, { __mode = "k" }), {}
local first_proxy = newproxy(true)
getmetatable(first_proxy).__gc = function(proxy)
  local number = numbers[proxy]
  if number then bridge.get().Cancel(number) end
end

--- Has a goroutine answer the request. What was written (`exchange.write`) is read meanwhile.
---@param number integer  the handler's
---@param keeps_body boolean|nil  nginx shall have the request's body too, for whoever answers
---@return goloader.nginx.Exchange
function answering.start(number, keeps_body)
  number = bridge.get().Start(number, address)
  local proxy = remove(proxies) or newproxy(first_proxy)
  numbers[proxy] = number
  local x = setmetatable({ number = number, keeps_body = keeps_body, proxy = proxy }, Exchange)
  x.watched = wake.watch_client(x)
  return x
end

--- Nothing more is to be done for it.
function Exchange:over()
  local proxy = self.proxy
  if proxy then
    numbers[proxy], proxies[#proxies + 1] = nil, proxy
    self.watched[self] = nil
  end
  self.number, self.proxy = nil, nil
end

--- Nobody waits for the answer any more.
function Exchange:cancel()
  local number = self.number
  if not number then return end
  self:over()
  bridge.get().Cancel(number)
end

---@class goloader.nginx.Event  what there is to do next
---@field bits integer
---@field head table|nil
---@field piece string|nil
---@field trailers string|nil

--- What there is to do now: bits, 0 for nothing.
---@return integer bits
function Exchange:poll()
  local bits = bridge.get().Take(self.number, address)
  if bits ~= 0 then
    if band(bits, NOTE) ~= 0 then exchange.log_note() end
    if band(bits, DONE) ~= 0 then self:over() end
  end
  return bits
end

--- The next thing to do, waiting for it.
---@param timeout number|nil  seconds
---@return integer|nil bits  nil: nothing in that time
function Exchange:take(timeout)
  local bits = self:poll()
  return bits ~= 0 and bits or self:await(timeout)
end

-- The same where there was nothing a moment ago.
---@package
function Exchange:await(timeout)
  while true do
    local _, err = bridge.get().Wait:async(self.number):wait(timeout)
    if err and err.code == "timeout" then return nil end
    if not self.number then return ABORTED end
    local bits = self:poll()
    if bits ~= 0 then return bits end
  end
end

-- ---- how it is sent ------------------------------------------------------------------------------------------------

-- By nginx.
local plain = {}

function plain.head(_, head)
  status.set(head.status, head.conditions)
  local header = ngx.header
  for name, value in pairs(head.headers) do header[name] = value end
end

function plain.send(_, piece)
  if piece then return ngx.print(piece) end
  return ngx.send_headers()
end

function plain.finish(_, trailers, is_named)
  if trailers == "" or is_named then return end
  ngx.log(ngx.WARN, "goloader: the answer is sent without its trailers: its header had not named them")
end

-- Closes the connection, so that nobody takes what has been sent for all of it. Over HTTP/2 it is the stream, and 444
-- would have some clients ask again. A subrequest's connection is that of the request that asks, which goes on.
function plain.break_off(is_sent)
  if ngx.is_subrequest then return ngx.exit(is_sent and ngx.ERROR or 502) end
  if ngx.req.http_version() >= 2 then return ngx.exit(ngx.ERROR) end
  return ngx.exit(is_sent and ngx.ERROR or 444)
end

answering.plain = plain

-- Sends what the goroutine writes, as it comes. The first event has been taken already.
local function stream(x, bits, head, piece, trailers)
  local sink, is_sent, is_trailed = plain, false, false
  while true do
    if band(bits, ABORTED) ~= 0 then
      x:cancel()
      if head and sink == plain then
        sink:head(head)
        is_sent = true
      end
      if piece and is_sent and sink:send(piece) and sink == plain then reply.flush() end
      return sink.break_off(is_sent)
    end
    if band(bits, WANTS_CONN) ~= 0 and sockets.hand_over(x) then return ngx.exit(ngx.OK) end
    if head then
      is_trailed = band(bits, TRAILED) ~= 0
      sink = is_trailed and sockets.trailed() or plain
      sink:head(head)
      is_sent = true
    end
    if (head or piece) and not sink:send(piece) then return x:cancel() end
    if band(bits, DONE) ~= 0 then
      sink:finish(trailers or "", is_trailed)
      return reply.finish()
    end
    if band(bits, WANTS_BODY) ~= 0 then
      -- nginx sends nothing while it buffers a body; and who sends one may read nothing before the end of it
      if is_sent and sink == plain then ngx.flush() end
      sockets.read_body(x)
    end
    if is_sent and sink == plain and not reply.flush() then return x:cancel() end
    bits = x:take()
    head = band(bits, HEAD) ~= 0 and exchange.read_head() or nil
    piece = band(bits, DATA) ~= 0 and exchange.data() or nil
    trailers = band(bits, TRAILED) ~= 0 and exchange.read_trailers() or nil
  end
end

-- What nginx keeps of the answer of a server that sends it elsewhere by X-Accel-Redirect.
local KEPT = { ["Content-Type"] = true, ["Content-Disposition"] = true, ["Set-Cookie"] = true,
  ["Cache-Control"] = true, Expires = true, ["Accept-Ranges"] = true }

-- Another location of nginx answers, which the handler has named: the protected file, say, that the client may have.
-- What the handler writes is of no use.
local function redirected(x, head)
  if x then x:cancel() end
  local headers, to = {}, head.headers["X-Accel-Redirect"]
  for name in pairs(KEPT) do headers[name] = head.headers[name] end
  local path, args = (type(to) == "table" and to[1] or to):match "^([^?]*)%??(.*)$"
  if path:sub(1, 1) == "@" then args = ngx.var.args or "" end
  return response.new { exec = path, exec_args = args ~= "" and args or nil, exec_gets = true, headers = headers }
end

--- Makes a response of what is there, read from the struct before anything else happens.
---@param bits integer
---@param x goloader.nginx.Exchange|nil  more is to come
---@return goloader.Response
function answering.response(bits, x)
  local head = band(bits, HEAD) ~= 0 and exchange.read_head() or nil
  if head and band(bits, exchange.REDIRECTED) ~= 0 then return redirected(x, head) end
  local piece = band(bits, DATA) ~= 0 and exchange.data() or nil
  if head and band(bits, DONE) ~= 0 and band(bits, TRAILED + ABORTED) == 0 then
    head.body = piece or ""
    return response.new(head)
  end
  local trailers = band(bits, TRAILED) ~= 0 and exchange.read_trailers() or nil
  return response.new {
    status = head and head.status, headers = head and head.headers, send = function()
      return stream(x or setmetatable({}, Exchange), bits, head, piece, trailers)
    end,
  }
end

local FIRST = HEAD + WANTS_CONN + ABORTED + exchange.GOES_ON

-- It is the time to answer that is limited, not the time to read.
local function read_on(x, bits, timeout, on_piece)
  while bits and band(bits, FIRST) == 0 do
    local piece = band(bits, DATA) ~= 0 and exchange.data()
    if band(bits, WANTS_BODY) ~= 0 then sockets.read_body(x) end
    if piece then on_piece(piece) end
    bits = x:take(timeout)
  end
  return bits
end

--- Waits till the goroutine answers, wants the connection, or calls next.
---@param x goloader.nginx.Exchange
---@param timeout number|nil  seconds
---@param on_piece nil|fun(piece: string)  takes what a middleware puts in place of the request's body
---@return integer|nil bits
---@return goloader.Error|nil err  code "timeout"
function answering.begin(x, timeout, on_piece)
  local bits = x:take(timeout)
  if bits and band(bits, FIRST) == 0 then bits = read_on(x, bits, timeout, on_piece) end
  if bits then return bits end
  x:cancel()
  return nil, errors.object { code = "timeout", message = "the handler has not answered in time" }
end

return answering
