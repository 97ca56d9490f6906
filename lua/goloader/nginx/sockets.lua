--- The client's connection, as http.Handlers use it: bodies of requests, hijacked connections, and header fields after
--- a body.

local bridge = require "goloader.nginx.bridge"
local exchange = require "goloader.nginx.exchange"
local wake = require "goloader.nginx.wake"

local band = require("bit").band
local ngx = ngx

local sockets = {}

local PIECE = 65536
local DAY = 86400000 -- milliseconds

-- Reads a body that nginx has buffered: in memory or in a file.
local function buffered()
  ngx.req.read_body()
  local data = ngx.req.get_body_data()
  if data then
    return function()
      local piece = data
      data = ""
      return piece
    end
  end
  local name = ngx.req.get_body_file()
  if not name then return function() return "" end end
  local file, err = io.open(name, "rb")
  if not file then return function() return nil, err end end
  return function()
    local piece = file and file:read(PIECE)
    if not piece and file then
      file:close()
      file = nil
    end
    return piece or ""
  end
end

---@class goloader.nginx.Body  one that is read from the client's connection
---@field socket table
---@field rest integer  bytes that have not been read
---@field is_read boolean|nil  a light thread waits for a piece

-- Reads a body from the socket, as it comes.
local function streamed(length)
  local socket = ngx.req.socket()
  if not socket then return nil end
  local body = { socket = socket, rest = length }
  ngx.ctx.goloader_body = body
  return function()
    if body.rest == 0 then return "" end
    body.is_read = true
    local piece, err = socket:receiveany(math.min(body.rest, PIECE))
    body.is_read = nil
    if not piece then return nil, err end
    body.rest = body.rest - #piece
    return piece
  end
end

local function open_body()
  local length = tonumber(ngx.var.content_length)
  local has_socket = length and not ngx.is_subrequest and ngx.req.http_version() < 2
  return has_socket and streamed(length) or nil
end

--- Begins to read a piece of the request's body for the handler, who gets it when it is there.
---@param x goloader.nginx.Exchange
function sockets.read_body(x)
  x.reader = x.reader or not x.keeps_body and open_body() or nil
  local forget = not x.reader and wake.guard(x)
  local function read()
    x.reader = x.reader or buffered()
    if forget then forget() end
    local piece, err = x.reader()
    if x.number then bridge.get().Feed(x.number, piece or "", not piece and tostring(err) or "") end
  end
  ngx.thread.spawn(read)
end

-- ---- header fields after a body ------------------------------------------------------------------------------------

-- nginx's Lua can't send any; so such an answer is written to the connection as it is, which is closed after it.
local Raw = {}
Raw.__index = Raw

--- Who sends an answer with trailers; nil where nginx does not give its connection: then they are left out.
---@return table|nil
function sockets.trailed()
  local socket, err
  if ngx.is_subrequest then
    err = "it is a subrequest's"
  elseif ngx.req.http_version() == 1.1 then
    socket, err = ngx.req.socket(true)
  else
    err = "it needs HTTP/1.1"
  end
  if not socket then
    ngx.log(ngx.WARN, "goloader: the answer is sent without its trailers: ", err)
    return nil
  end
  return setmetatable({ socket = socket }, Raw)
end

--- What will be sent of the header.
function Raw:head(head)
  local lines = { ("HTTP/1.1 %d %s"):format(head.status, head.status == 200 and "OK" or "") }
  if not head.headers.Date then lines[2] = "Date: " .. ngx.http_time(ngx.time()) end
  for name, value in pairs(head.headers) do
    if name ~= "Content-Length" and value ~= "" then -- a body in chunks follows
      for _, each in ipairs(type(value) == "table" and value or { value }) do
        lines[#lines + 1] = name .. ": " .. each
      end
    end
  end
  lines[#lines + 1] = "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
  self.pending = table.concat(lines, "\r\n")
end

function Raw:send(piece)
  local text = self.pending or ""
  self.pending = nil
  if piece then text = ("%s%x\r\n%s\r\n"):format(text, #piece, piece) end
  return text == "" or self.socket:send(text)
end

function Raw:finish(trailers)
  self.socket:send(("%s0\r\n%s\r\n"):format(self.pending or "", trailers))
end

function Raw.break_off() return ngx.exit(ngx.ERROR) end

-- ---- hijacked connections ------------------------------------------------------------------------------------------

--- Gives the handler the client's connection, and moves what goes over it until the handler closes it or the client has
--- gone.
---@param x goloader.nginx.Exchange
---@return boolean is_over  false: there is none to be had, and the handler knows
function sockets.hand_over(x)
  local go = bridge.get()
  local is_fine, socket, err = pcall(ngx.req.socket, true) -- over HTTP/2 it raises
  if not is_fine then socket, err = nil, socket end
  if not socket then
    go.Hijacked(x.number, err)
    return false
  end
  socket:settimeouts(DAY, DAY, DAY)
  go.Hijacked(x.number, "")
  local function read()
    local piece, failure
    repeat piece, failure = socket:receiveany(PIECE) until piece or failure ~= "timeout"
    if x.number then go.Feed(x.number, piece or "", not piece and failure or "") end
  end
  while true do
    local bits = x:take()
    local piece = band(bits, exchange.DATA) ~= 0 and exchange.data()
    if band(bits, exchange.WANTS_BODY) ~= 0 then ngx.thread.spawn(read) end
    if piece and not socket:send(piece) then
      x:cancel()
      break
    end
    if band(bits, exchange.DONE) ~= 0 then break end
  end
  return true
end

return sockets
