--- Requests that Go's http.Handlers answer: what nginx and the bridge (src/host/bridge) tell each other of one.
--
-- There is one struct in a worker. Lua writes addresses of what nginx has into its first half, then enters Go, which
-- reads it and writes addresses of what it answers into the second. All of it is read before anything else happens, and
-- no string of Lua's is made of what only passes through.

local ffi = require "ffi"
local base = require "resty.core.base"
local status = require "goloader.nginx.status"
require "resty.core"

local C, cast, ffi_string = ffi.C, ffi.cast, ffi.string
local get_request = base.get_request
local ngx = ngx

ffi.cdef [[
int memcmp(const void *, const void *, size_t);
struct goloader_text { const char *data; size_t len; };
struct goloader_field { uint32_t key, key_len, value, value_len, what; };
struct goloader_exchange {
  struct goloader_text method, uri, target, proto, line, remote, port, server, server_port, tls, body;
  const ngx_http_lua_ffi_table_elt_t *elements;
  int64_t nelements, has_body;
  int64_t status;
  const char *data;
  int64_t data_len;
  const char *words;
  const struct goloader_field *fields;
  int64_t nfields, note, note_len, length;
};
]]

local exchange = {}

-- What there is to do: see src/host/bridge/exchange.go.
exchange.HEAD, exchange.DATA, exchange.WANTS_BODY, exchange.WANTS_CONN = 1, 2, 4, 8
exchange.DONE, exchange.ABORTED, exchange.NOTE, exchange.GOES_ON, exchange.WRAPPED = 16, 32, 64, 128, 256
exchange.TRAILED, exchange.REPLACED, exchange.REDIRECTED = 512, 1024, 2048

--- What a field is: see src/host/bridge/exchange.go.
exchange.SET, exchange.ADD, exchange.SET_ASKED, exchange.ADD_ASKED, exchange.CLEAR_ASKED = 0, 1, 2, 3, 4
exchange.METHOD, exchange.PATH, exchange.QUERY, exchange.TRAILER = 5, 6, 7, 8

local HEAD_FIELDS = 2 -- of `what`: below it are those of the answer's header

local io = ffi.new "struct goloader_exchange"
exchange.io = io
--- Where Go finds it: calls by FFI carry it as a number.
exchange.address = tonumber(cast("uintptr_t", cast("void *", io)))

local elements, room = nil, 0
local truncated = ffi.new "int[1]"
local value, value_len = ffi.new "char *[1]", ffi.new "size_t[1]"
local method, method_len = ffi.new "unsigned char *[1]", ffi.new "size_t[1]"
local errmsg = base.get_errmsg_ptr()
local lowcase = ffi.new "char[64]"

local function read_variable(r, name, to)
  if C.ngx_http_lua_ffi_var_get(r, name, #name, lowcase, 0, value, value_len, errmsg) == 0 then
    to.data, to.len = value[0], value_len[0]
  else
    to.data, to.len = nil, 0
  end
end

local function read_elements(r)
  local n = C.ngx_http_lua_ffi_req_get_headers_count(r, 0, truncated)
  if n > room then
    room = n < 64 and 64 or n
    elements = ffi.new("ngx_http_lua_ffi_table_elt_t[?]", room)
  end
  if n > 0 then n = C.ngx_http_lua_ffi_req_get_headers(r, elements, n, 1) == 0 and n or 0 end
  io.elements, io.nelements = elements, n
end

local held = {} -- what the struct has addresses of is not to be collected
exchange.held = held

local function hold(to, name, text)
  held[name] = text
  to.data, to.len = text, text and #text or 0
end

-- What Go's tls.ConnectionState is made of.
local function tls_words()
  local var = ngx.var
  if var.https ~= "on" then return nil end
  local words = {
    var.ssl_protocol or "", var.ssl_cipher or "", var.ssl_server_name or "", var.ssl_session_reused or "",
    var.ssl_client_verify or "", var.ssl_client_raw_cert or "",
    var.ssl_alpn_protocol or var.http2 or "",
  }
  return table.concat(words, "\0")
end

-- ---- the address ---------------------------------------------------------------------------------------------------

local uri, args = ffi.new "struct goloader_text", ffi.new "struct goloader_text"

-- Leaves out ".", ".." and doubled slashes, as nginx does.
local function resolve(path)
  local out, last = {}, ""
  for segment in (path:sub(2) .. "/"):gmatch "([^/]*)/" do
    last = segment
    if segment == ".." then
      out[#out] = nil
    elseif segment ~= "." and segment ~= "" then
      out[#out + 1] = segment
    end
  end
  local is_folder = #out > 0 and (last == "" or last == "." or last == "..")
  return "/" .. table.concat(out, "/") .. (is_folder and "/" or "")
end

-- What nginx has made of the address that the client asked for, unless something has changed it since: its path, and
-- its arguments.
local function as_read(asked)
  asked = asked:gsub("#.*$", ""):gsub("^%a[%w+.-]*://[^/?]*", "")
  local path, query = asked:match "^([^?]*)%??(.*)$"
  return resolve(ngx.unescape_uri((path:gsub("%+", "%%2B")))), query
end

local function is_as_asked()
  local n = tonumber(uri.len)
  local rest = tonumber(io.uri.len) - n
  if rest < 0 or C.memcmp(io.uri.data, uri.data, n) ~= 0 then return false end
  if rest == 0 then return args.len == 0 end
  return io.uri.data[n] == 63 and tonumber(args.len) == rest - 1 -- "?"
    and C.memcmp(io.uri.data + n + 1, args.data, rest - 1) == 0
end

-- The address that the request has now, in place of the one that the client asked for, which is in the struct:
-- rewritten by nginx, by routes or by a middleware; at another location after `error_page` or `ngx.exec`; or a
-- subrequest's. nil: nothing of that, and it is as the client wrote it.
local function changed_address(r)
  read_variable(r, "uri", uri)
  read_variable(r, "args", args)
  if is_as_asked() then return nil end
  local path, query = ffi_string(uri.data, uri.len), ffi_string(args.data, args.len)
  local path_read, query_read = as_read(ffi_string(io.uri.data, io.uri.len))
  if path == path_read and query == query_read then return nil end
  return ngx.escape_uri(path, 0) .. (query ~= "" and "?" .. query or "")
end

-- What the handler's URL is, where that is not what the client asked for.
local function target_of(r, strip)
  local changed = changed_address(r)
  if not strip then return changed end
  local address = changed or ffi_string(io.uri.data, io.uri.len)
  if address:sub(1, #strip) ~= strip then return changed end
  address = address:sub(#strip + 1)
  return address:sub(1, 1) == "/" and address or "/" .. address
end

-- The first line, as the client has sent it, of which Go wants to know whether the target is an absolute one. It is not
-- where the target begins right behind the method: nginx's $request_uri leaves out a scheme and a host.
local function read_line(r)
  if io.uri.data == io.method.data + io.method.len + 1 then
    io.line.data, io.line.len = nil, 0
  else
    read_variable(r, "request", io.line)
  end
end

--- Writes down what the client has sent. Nothing that may yield is to happen before Go has read it.
---@param strip string|nil  a prefix that the handler's URL shall lack
---@param body string|nil  all of the request's body, for a handler that never waits
function exchange.write(strip, body)
  local r = get_request()
  C.ngx_http_lua_ffi_req_get_method_name(r, method, method_len)
  io.method.data, io.method.len = method[0], method_len[0]
  read_variable(r, "request_uri", io.uri)
  read_variable(r, "server_protocol", io.proto)
  read_line(r)
  read_variable(r, "remote_addr", io.remote)
  read_variable(r, "remote_port", io.port)
  read_variable(r, "server_addr", io.server)
  read_variable(r, "server_port", io.server_port)
  read_elements(r)
  hold(io.target, "target", target_of(r, strip))
  hold(io.body, "body", body)
  io.has_body = body and 1 or 0
  read_variable(r, "scheme", io.tls)
  if io.tls.len == 5 then -- "https"
    hold(io.tls, "tls", tls_words())
  else
    io.tls.data, io.tls.len = nil, 0
  end
end

local function set_header(r, key, key_len, text, len, override)
  local rc = C.ngx_http_lua_ffi_set_resp_header(r, key, key_len, 0, text, len, nil, 0, override, errmsg)
  if rc ~= 0 and rc ~= -5 then ngx.log(ngx.ERR, "goloader: a header can't be set: ", ffi_string(key, key_len)) end
end

-- Functions of their own, since LuaJIT compiles those whoever calls them, and no loops of a few turns: to interpret
-- what they do with FFI takes several times as long.
local function set_field(i)
  local field, words = io.fields[i], io.words
  if field.what < HEAD_FIELDS then
    set_header(get_request(), words + field.key, field.key_len, words + field.value, field.value_len, 1 - field.what)
  elseif field.what == exchange.CLEAR_ASKED then
    ngx.req.clear_header(ffi_string(words + field.key, field.key_len))
  end
end

-- What a compiled function has from a built-in one it must not return by a tail call.
local function status_of()
  local code = tonumber(io.status)
  return code
end

local function nfields()
  local n = tonumber(io.nfields)
  return n
end

--- Gives nginx the answer's status and header.
function exchange.set_head()
  status.set(status_of())
  local n = nfields()
  if n > 0 then set_field(0) end
  if n > 1 then set_field(1) end
  if n > 2 then set_field(2) end
  if n > 3 then set_field(3) end
  for i = 4, n - 1 do set_field(i) end
end

local function read_field(i)
  local field, words = io.fields[i], io.words
  local name, text = ffi_string(words + field.key, field.key_len), ffi_string(words + field.value, field.value_len)
  return field.what, name, text
end

--- Calls a function with every field: what, name, value.
---@param f fun(what: integer, name: string, value: string)
function exchange.each_field(f)
  for i = 0, nfields() - 1 do f(read_field(i)) end
end

--- The answer's status and header, as a table; `conditions` are fields of the request's header by which nginx is not to
--- judge it.
---@return { status: integer, headers: table<string, string|string[]>, conditions: string[]|nil }
function exchange.read_head()
  local headers, conditions = {}, nil
  for i = 0, nfields() - 1 do
    local what, name, text = read_field(i)
    if what == exchange.SET then
      headers[name] = text
    elseif what == exchange.ADD then
      local have = headers[name]
      if type(have) == "table" then have[#have + 1] = text else headers[name] = { have, text } end
    elseif what == exchange.CLEAR_ASKED then
      conditions = conditions or {}
      conditions[#conditions + 1] = name
    end
  end
  return { status = status_of(), headers = headers, conditions = conditions }
end

--- The header fields that follow the body, as lines.
---@return string
function exchange.read_trailers()
  local lines = {}
  exchange.each_field(function(what, name, text)
    if what == exchange.TRAILER then lines[#lines + 1] = name .. ": " .. text .. "\r\n" end
  end)
  return table.concat(lines)
end

--- The piece of the answer's body.
---@return string
function exchange.data()
  local data = ffi_string(io.data, io.data_len)
  return data
end

--- Tells the log what Go has to say.
function exchange.log_note()
  for line in ffi_string(io.words + io.note, io.note_len):gmatch "[^\n]+" do
    ngx.log(ngx.ERR, "goloader: ", line)
  end
end

return exchange
