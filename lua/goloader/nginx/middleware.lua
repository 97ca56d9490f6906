--- Go's func(http.Handler) http.Handler in nginx, unchanged, as a filter before whatever answers: proxy_pass, a static
-- file, another handler.
--
-- When the middleware calls next, the request goes on in nginx, with what the middleware has changed of it. Otherwise
-- its answer is the request's. One that gives next another ResponseWriter sees nginx's answer before the client does:
-- in the header and body filters, which can't wait, so that it has to be quick there.

local answering = require "goloader.nginx.answering"
local bridge = require "goloader.nginx.bridge"
local exchange = require "goloader.nginx.exchange"
local exports = require "goloader.nginx.exports"
local handler = require "goloader.nginx.handler"
local request = require "goloader.nginx.request"

local band = require("bit").band
local HEAD, DATA, DONE, ABORTED = exchange.HEAD, exchange.DATA, exchange.DONE, exchange.ABORTED
local GOES_ON, WRAPPED, REPLACED = exchange.GOES_ON, exchange.WRAPPED, exchange.REPLACED
local ngx = ngx

local middleware = {}

local PATIENCE = 1000 -- milliseconds that a middleware may take over a piece of an answer

---@class goloader.nginx.MiddlewareOptions
---@field waits boolean|nil  false: it never waits, nor wraps the ResponseWriter, and is called on the worker's thread
---@field timeout number|nil  seconds, within which it has to call next or to answer

-- Paths are given to nginx decoded, as Go has them.
local apply = {
  [exchange.SET_ASKED] = function(name, value) ngx.req.set_header(name, value) end,
  [exchange.CLEAR_ASKED] = function(name) ngx.req.clear_header(name) end,
  [exchange.METHOD] = function(_, value)
    local method = ngx["HTTP_" .. value]
    if method then ngx.req.set_method(method) end
  end,
  [exchange.PATH] = function(_, value) ngx.req.set_uri(value, false) end,
  [exchange.QUERY] = function(_, value) ngx.req.set_uri_args(value) end,
  [exchange.SET] = function(name, value) ngx.header[name] = value end,
}

local function append(list, value)
  if list == nil then return value end
  if type(list) ~= "table" then list = { list } end
  list[#list + 1] = value
  return list
end

apply[exchange.ADD_ASKED] = function(name, value)
  ngx.req.set_header(name, append(ngx.req.get_headers(0)[name], value))
end
apply[exchange.ADD] = function(name, value) ngx.header[name] = append(ngx.header[name], value) end

-- What routes have found out of a request before, and is no longer so.
local CHANGES = {
  [exchange.SET_ASKED] = "headers", [exchange.CLEAR_ASKED] = "headers", [exchange.ADD_ASKED] = "headers",
  [exchange.METHOD] = "method", [exchange.PATH] = "path", [exchange.QUERY] = "query",
}

-- Has the request go on as the middleware has left it.
---@param req goloader.Request|nil
---@param is_replaced boolean  the body
local function go_on(req, is_replaced)
  local changed = is_replaced and { body = true } or nil
  exchange.each_field(function(what, name, value)
    local change = apply[what]
    if change then change(name, value) end
    if CHANGES[what] then
      changed = changed or {}
      changed[CHANGES[what]] = true
    end
  end)
  if req and changed then request.refresh(req, changed) end
end

local function add(list_name, x)
  local ctx = ngx.ctx
  local list = ctx[list_name]
  if not list then
    list = {}
    ctx[list_name] = list
  end
  list[#list + 1] = x
end

-- On the worker's thread; false where the body is not at hand.
local function call(number, req)
  local bits = handler.call(number)
  if not bits then return false end
  if band(bits, GOES_ON) == 0 then return true, answering.response(bits) end
  if band(bits, REPLACED) ~= 0 then
    local replaced = band(bits, DATA) ~= 0 and exchange.data() or ""
    go_on(req, true)
    ngx.req.read_body()
    ngx.req.set_body_data(replaced)
  else
    go_on(req, false)
  end
  return true
end

-- In a goroutine of its own.
local function run(number, timeout, req)
  exchange.write()
  local x = answering.start(number, true)
  local has_piece = false
  local bits, err = answering.begin(x, timeout, function(piece)
    if not has_piece then
      has_piece = true
      ngx.req.read_body()
      ngx.req.init_body()
    end
    ngx.req.append_body(piece)
  end)
  if not bits then return nil, err end
  if band(bits, GOES_ON) == 0 then return answering.response(bits, x) end
  local last = band(bits, DATA) ~= 0 and exchange.data()
  go_on(req, band(bits, REPLACED) ~= 0)
  if band(bits, REPLACED) ~= 0 then
    ngx.req.read_body()
    if not has_piece then
      ngx.req.set_body_data(last or "")
    else
      if last then ngx.req.append_body(last) end
      ngx.req.finish_body()
    end
  end
  add("goloader_middlewares", x)
  if band(bits, WRAPPED) ~= 0 then add("goloader_wrapped", x) end
end

--- Makes a filter of an export of a module: a function that returns a response, or nothing where the request goes on.
---@param module goloader.Module
---@param name string
---@param options goloader.nginx.MiddlewareOptions|nil
---@return nil|fun(req: goloader.Request|nil): goloader.Response|nil, goloader.Error|nil
---@return string|nil message
function middleware.bind(module, name, options)
  options = options or {}
  local number, message = exports.middleware(module, name)
  if not number then return nil, message end
  local waits, timeout = options.waits ~= false, options.timeout
  return function(req)
    if req then request.readdress(req) end
    if not waits then
      local is_called, res = call(number, req)
      if is_called then return res end
    end
    return run(number, timeout, req)
  end
end

-- ---- the answer ----------------------------------------------------------------------------------------------------

local BETWEEN = { connection = true, ["transfer-encoding"] = true, ["keep-alive"] = true }

local function give_up(x, what)
  ngx.log(ngx.ERR, ("goloader: a middleware has taken more than %d ms over %s"):format(PATIENCE, what))
  x:cancel()
end

-- All that it has written up to now, and whether a header is among it. Notes in `is_aborted` that the answer can't be
-- completed, since it panicked or has not kept to the Content-Length that it let through.
local function collect(x)
  local pieces, head = {}, nil
  while x.number do
    local bits = x:poll()
    if bits == 0 then break end
    if band(bits, ABORTED) ~= 0 then x.is_aborted = true end
    if band(bits, HEAD) ~= 0 then head = exchange.read_head() end
    if band(bits, DATA) ~= 0 then pieces[#pieces + 1] = exchange.data() end
    if band(bits, DONE) ~= 0 then break end
  end
  return table.concat(pieces), head
end

local function as_list(value) return type(value) == "table" and table.concat(value, ", ") or value end

-- What the middleware has left as it was is left alone: nginx has ways of writing a header that Lua has not.
local function replace_header(old, head)
  ngx.status = head.status
  local kept, before = {}, {}
  for name in pairs(head.headers) do kept[name:lower()] = true end
  for name, value in pairs(old) do
    local lower = name:lower()
    before[lower] = as_list(value)
    if not kept[lower] and not BETWEEN[lower] then ngx.header[name] = nil end
  end
  for name, value in pairs(head.headers) do
    local lower = name:lower()
    if not BETWEEN[lower] and before[lower] ~= as_list(value) then ngx.header[name] = value end
  end
end

local function show_header(x)
  local old, words = ngx.resp.get_headers(0, true), {}
  for name, value in pairs(old) do
    if not BETWEEN[name:lower()] then
      for _, each in ipairs(type(value) == "table" and value or { value }) do
        words[#words + 1] = name .. "\0" .. each .. "\0"
      end
    end
  end
  if not bridge.get().Answer(x.number, ngx.status, table.concat(words), PATIENCE) then
    return give_up(x, "the header of an answer")
  end
  local head
  x.pending, head = collect(x)
  if head then
    replace_header(old, head)
  else
    -- it waits for the body: nginx can't
    ngx.header["Content-Length"], ngx.header.ETag, ngx.header["Accept-Ranges"] = nil, nil, nil
  end
end

--- Shows the answer's status and header to the middlewares that want to see them: for header_filter_by_lua.
function middleware.header_filter()
  local list = ngx.ctx.goloader_wrapped
  if not list then return end
  for i = #list, 1, -1 do
    if list[i].number then show_header(list[i]) end
  end
end

local function show_piece(x, piece, is_last)
  local before = x.pending or ""
  x.pending = nil
  if x.is_aborted then return nil end
  if not x.number then return before end -- it has said all it wanted to
  if piece == "" and not is_last then return before end
  if not bridge.get().Piece(x.number, piece, is_last, PATIENCE) then
    give_up(x, "a piece of an answer")
    return nil
  end
  local written, head = collect(x)
  if head and head.status ~= ngx.status then
    ngx.log(ngx.WARN, "goloader: a middleware would answer ", head.status, ", but only now that status ", ngx.status,
      " has been sent")
  end
  if x.is_aborted then return nil end
  return before .. written
end

--- Shows them a piece of the body, which becomes what they make of it: for body_filter_by_lua. Raises where the answer
--- can't be completed, so that nginx closes the connection: a client would wait for the bytes that the header promised.
function middleware.body_filter()
  local list = ngx.ctx.goloader_wrapped
  if not list then return end
  local piece, is_last = ngx.arg[1], ngx.arg[2]
  for i = #list, 1, -1 do
    piece = show_piece(list[i], piece, is_last)
    if not piece then error("a middleware has not completed the body that its header promised", 0) end
  end
  if piece ~= ngx.arg[1] then ngx.arg[1] = piece end
end

--- Lets middlewares go on behind their call of next: for log_by_lua.
function middleware.log()
  local list = ngx.ctx.goloader_middlewares
  if not list then return end
  for i = #list, 1, -1 do
    local x = list[i]
    local number = x.number
    if number then
      x:over()
      bridge.get().End(number)
    end
  end
end

return middleware
