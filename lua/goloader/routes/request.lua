--- What a request says.
--
-- Whoever serves gives a table with the method, the path, and what else there is; most of it is read only when somebody
-- looks at it: the query string's arguments, the cookies, what the route's pattern has caught of the address. A server
-- may have a metatable of its own on its requests, for what it reads late itself; it is asked first.

local tree_captures -- tree.captures, which is loaded when first needed

local unescape = require("goloader.percent").decode

local request = {}

---Adds a value to those of a name: one is itself, of several there is a list.
---@param values table<string, string|string[]>
---@param name string
---@param value string
function request.add(values, name, value)
  local have = values[name]
  if have == nil then
    values[name] = value
  elseif type(have) == "table" then
    have[#have + 1] = value
  else
    values[name] = { have, value }
  end
end
local add = request.add

---Decodes a query string.
---@param query string
---@return table<string, string|string[]>
function request.parse_query(query)
  local args = {}
  for name, value in query:gmatch "([^&=]+)=?([^&]*)" do
    add(args, unescape((name:gsub("%+", " "))), unescape((value:gsub("%+", " "))))
  end
  return args
end

---@param text string?
---@return table<string, string>
local function parse_cookies(text)
  local cookies = {}
  for name, value in (text or ""):gmatch "([^=;%s]+)%s*=%s*([^;]*)" do
    if not cookies[name] then cookies[name] = value:gsub("%s+$", ""):gsub('^"(.*)"$', "%1") end
  end
  return cookies
end

---A header's value; names are the same in upper and lower case. Where it came several times, the first.
---@param req goloader.Request
---@param name string in lower case
---@return string?
function request.header(req, name)
  local get = req.get_header -- of a server that need not read all headers for one
  if get then return get(name) end
  local headers = req.headers
  if not headers then return nil end
  local value = headers[name]
  if value == nil and not getmetatable(headers) then
    for other, text in pairs(headers) do
      if type(other) == "string" and other:lower() == name then
        value = text
        break
      end
    end
  end
  if type(value) == "table" then return value[1] end
  return value
end

---The host that the visitor asked for, in lower case, without a port.
---@param req goloader.Request
---@return string
function request.host(req)
  local host = req.host or request.header(req, "host") or ""
  if host:find "^%[" then return (host:lower():gsub("%]:%d*$", "]")) end -- an IPv6 address has colons of its own
  return (host:lower():gsub(":%d*$", ""):gsub("%.$", ""))
end

local LAZY = {
  args = function(req) return request.parse_query(req.query) end,
  remote = function(req) return req.remote_addr end,
  cookies = function(req) return parse_cookies(request.header(req, "cookie")) end,
  params = function(req)
    if not req.route then return {} end
    tree_captures = tree_captures or require("goloader.routes.tree").captures
    return tree_captures(req.route, req.path)
  end,
}

local function lazy(req, key)
  local read = LAZY[key]
  if not read then return nil end
  local value = read(req)
  if value ~= nil then rawset(req, key, value) end
  return value
end

local Request = { __index = lazy }

---@type table<table, table> a server's metatable, with ours behind it
local combined = setmetatable({}, { __mode = "k" })

local function combine(meta)
  local made = {}
  for key, value in pairs(meta) do made[key] = value end
  local first = meta.__index
  if type(first) == "function" then
    made.__index = function(req, key)
      local value = first(req, key)
      if value ~= nil then return value end
      return lazy(req, key)
    end
  elseif first ~= nil then
    made.__index = function(req, key)
      local value = first[key]
      if value ~= nil then return value end
      return lazy(req, key)
    end
  else
    made.__index = lazy
  end
  combined[meta], combined[made] = made, made
  return made
end

---Splits the address into path and query, unless that has been done; an address alone is a GET.
---@param req goloader.Request|table|string
---@return goloader.Request
function request.read(req)
  if type(req) == "string" then req = { path = req } end
  local meta = getmetatable(req)
  if meta == nil then
    setmetatable(req, Request)
  elseif meta ~= Request then
    setmetatable(req, combined[meta] or combine(meta))
  end
  req.method = req.method or "GET"
  if not req.query then
    local path, query = req.path:match "^([^?]*)%??(.*)$"
    req.path, req.query = path, query
  end
  return req
end

---Says which route the request takes.
---@param req goloader.Request
---@param route goloader.Route
function request.direct(req, route)
  req.route = route
  rawset(req, "params", nil) -- those of another route, or those that the server found
end

---Sends the request to another address.
---@param req goloader.Request
---@param path string
---@param query string
function request.readdress(req, path, query)
  req.path, req.query = path, query
  rawset(req, "args", nil)
  rawset(req, "params", nil)
end

return request
