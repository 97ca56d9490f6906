--- Sending a route's response by nginx.

local carried = require "goloader.nginx.carried"
local request = require "goloader.nginx.request"
local status = require "goloader.nginx.status"

local ngx = ngx
local type = type

local reply = {}

--- Has what was printed sent, and waits till it is. To a client of HTTP/1.0 nginx's Lua sends nothing before the end,
-- unless `lua_http10_buffering` is off: it says so here, and that is no failure.
---@return boolean|nil is_fine  nil: the client has gone
---@return string|nil why
function reply.flush()
  local ok, err = ngx.flush(true)
  if ok or err == "buffering" then return true end
  return nil, err
end

local PIECE, PATIENCE = 65536, 5000 -- bytes; milliseconds, those of nginx's own lingering_timeout

-- Reads what a handler has left of the request's body on the connection.
local function skip(body)
  if body.is_read then return false end -- a light thread does so still
  body.socket:settimeout(PATIENCE)
  while body.rest > 0 do
    local piece = body.socket:receiveany(math.min(body.rest, PIECE))
    if not piece then return false end
    body.rest = body.rest - #piece
  end
  return true
end

--- Ends a request whose answer has been given to nginx, and light threads that still read its body. Nobody is to take
--- the rest of a body for the next request: where it does not come, the connection is closed.
function reply.finish()
  local body = ngx.ctx.goloader_body ---@type goloader.nginx.Body|nil
  if body and body.rest > 0 then
    ngx.eof()
    reply.flush()
    if not skip(body) then return ngx.exit(444) end
  end
  return ngx.exit(ngx.HTTP_OK)
end

-- Sends pieces as they come. What `write` returns tells whoever makes them that the client has gone.
local function send_stream(stream)
  stream(function(piece)
    local ok, err = ngx.print(piece)
    if ok then ok, err = reply.flush() end
    if not ok then return nil, err end
    return true
  end)
  ngx.eof()
end

--- Has whatever answers the request see it as its filters have left it: at the address that it was rewritten to, and
--- with the cookie of a split. For the access phase.
---@param req goloader.Request
function reply.go_on(req)
  request.readdress(req)
  if req.set_cookie then ngx.header["Set-Cookie"] = req.set_cookie end
end

-- The other location gets a request for what it has, without the body that was for whoever named it. Whether the
-- connection is of use still.
local function ask_only()
  local body = ngx.ctx.goloader_body ---@type goloader.nginx.Body|nil
  if body then
    if body.rest > 0 and not skip(body) then return false end
    ngx.req.set_header("Content-Length", "0")
  end
  if ngx.req.get_method() ~= "HEAD" then ngx.req.set_method(ngx.HTTP_GET) end
  return true
end

-- Has another location of nginx answer. One with a name gets the request's address as it is, or as it was rewritten.
local function go_on_at(res)
  if res.exec_gets and not ask_only() then return ngx.exit(444) end
  carried.keep()
  for name, value in pairs(res.headers) do ngx.header[name] = value end -- a split's cookie
  if res.exec:sub(1, 1) ~= "@" then return ngx.exec(res.exec, res.exec_args) end
  if res.exec_path then
    request.set_address(res.exec_path, res.exec_args or "")
  elseif (ngx.var.args or "") ~= (res.exec_args or "") then
    ngx.req.set_uri_args(res.exec_args or "")
  end
  return ngx.exec(res.exec)
end

--- Sends a response, and ends the request; in the access phase too. With `exec` it goes on at another location, and
--- with `send` the response has a way of its own.
---@param res goloader.Response
function reply.send(res)
  if res.send then return res.send() end
  if res.exec then return go_on_at(res) end
  local code, body, header = res.status, res.body, ngx.header
  status.set(code, res.conditions)
  for name, value in pairs(res.headers) do header[name] = value end
  if res.stream then
    send_stream(res.stream)
  elseif code == 204 or code == 304 or code < 200 then
    ngx.send_headers() -- ngx.exit(304) would leave out ETag and Last-Modified
  elseif type(body) == "string" then
    -- of a HEAD request's answer the router has taken the body away
    if body ~= "" or ngx.req.get_method() ~= "HEAD" then header["Content-Length"] = #body end
    ngx.print(body)
  end
  return reply.finish()
end

return reply
