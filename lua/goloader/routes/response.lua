--- Responses: what a handler's results become.

local core = require "goloader.core"

local response = {}

-- Marks tables that are responses already: those that the router makes, and those that Lua handlers make with
-- `response { … }`.
local Response = {}

---@param res table status, body, headers; stream, exec and whatever those who serve understand
---@return goloader.Response
function response.new(res)
  res.status = res.status or 200
  res.headers = res.headers or {}
  if res.body == nil and not res.stream then res.body = "" end
  setmetatable(res, Response) -- no tail call of a built-in function: LuaJIT compiles none
  return res
end

---@param value any
---@return boolean
function response.is(value) return getmetatable(value) == Response end

local TEXT, HTML, JSON = "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json"

local REASONS = { [400] = "Bad request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not found",
  [405] = "Method not allowed", [413] = "Content too large", [500] = "Internal server error",
  [503] = "Service unavailable", [504] = "Gateway timeout", [508] = "Loop detected" }

---A response of the router's own: a line of text, in whose place an error page may be shown.
---@param status integer
---@param text? string
---@param headers? table<string, string>
---@return goloader.Response
function response.plain(status, text, headers)
  headers = headers or {}
  headers["Content-Type"] = headers["Content-Type"] or TEXT
  return response.new { status = status, body = (text or REASONS[status] or "Status " .. status) .. "\n",
    headers = headers, bare = true }
end

--- JSON of slices and maps that have nothing in them; a Lua table does not tell which it is.
response.EMPTY = { list = "[]", map = "{}" }

---Makes a response of what a handler returned: a body, a status, headers.
---@param encode fun(value: any): string
---@param kind? string the Content-Type that the route declares
---@param form? "list"|"map"|"json" the body is a Go slice, or map, or made JSON already
---@return goloader.Response
function response.make(encode, kind, body, status, headers, form)
  headers = headers or {}
  if body == nil then return response.new { status = status or 204, body = "", headers = headers, bare = true } end
  if response.is(body) then return body end
  if type(body) ~= "string" then
    body = type(body) == "table" and next(body) == nil and response.EMPTY[form] or encode(body)
    kind = kind or JSON
  elseif form == "json" then
    kind = kind or JSON
  end
  headers["Content-Type"] = headers["Content-Type"] or kind or HTML
  return response.new { status = status or 200, body = body, headers = headers, bare = body == "" or nil }
end

---The same with one header more; a response may answer other requests too, so that is another table.
---@param res goloader.Response
---@return goloader.Response
function response.with(res, name, value)
  local copy, headers = {}, {}
  for key, field in pairs(res) do copy[key] = field end
  for key, field in pairs(res.headers) do headers[key] = field end
  local have = headers[name]
  if have ~= nil and name == "Set-Cookie" then
    local list = type(have) == "table" and { (rawget(table, "unpack") or unpack)(have) } or { have }
    list[#list + 1] = value
    value = list
  end
  headers[name] = value
  copy.headers = headers
  return setmetatable(copy, Response)
end

---A body's ETag.
---@param body string
---@return string
function response.etag(body) return '"' .. core.hash(body):sub(1, 24) .. '"' end

local function opaque(tag) return (tag:gsub("^W/", "")) end

---Is the tag one of those in an If-None-Match? Compared weakly: a page is the same when its content is.
---@param given string
---@param tag string
---@return boolean
function response.matches(given, tag)
  if given:find "^%s*%*%s*$" then return true end
  tag = opaque(tag)
  for one in given:gmatch '[^%s,"]*"[^"]*"' do
    if opaque(one) == tag then return true end
  end
  return false
end

local STAYS = { "ETag", "Cache-Control", "Content-Location", "Date", "Expires", "Last-Modified", "Vary", "Set-Cookie" }

---The answer to whoever has the page.
---@param res goloader.Response
---@return goloader.Response
function response.not_modified(res)
  local headers = {}
  for _, name in ipairs(STAYS) do headers[name] = res.headers[name] end
  return response.new { status = 304, headers = headers, cached = res.cached }
end

---The answer to HEAD. What is streamed is the handler's own answer to HEAD already.
---@param res goloader.Response
---@return goloader.Response
function response.without_body(res)
  if res.stream or res.exec or res.body == "" then return res end
  local copy = {}
  for key, field in pairs(res) do copy[key] = field end
  copy.body = ""
  return setmetatable(copy, Response)
end

return response
