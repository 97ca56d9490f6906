--- What a request says.

local unescape = require("goloader.percent").decode

local request = {}

---Decodes a query string.
---@param query string
---@return table<string, string|string[]>
function request.parse_query(query)
  local args = {}
  for name, value in query:gmatch("([^&=]+)=?([^&]*)") do
    name, value = unescape((name:gsub("%+", " "))), unescape((value:gsub("%+", " ")))
    local have = args[name]
    if have == nil then
      args[name] = value
    elseif type(have) == "table" then
      have[#have + 1] = value
    else
      args[name] = { have, value }
    end
  end
  return args
end

-- The arguments are decoded when somebody looks at them.
local Request = {}
function Request.__index(req, key)
  if key == "args" then
    local args = request.parse_query(req.query)
    req.args = args
    return args
  end
end

---Splits the address into path and query, unless that has been done; an address alone is a GET.
---@param req goloader.Request|table|string
---@return goloader.Request
function request.read(req)
  if type(req) == "string" then req = { path = req } end
  req.method = req.method or "GET"
  if not req.query then
    local path, query = req.path:match("^([^?]*)%??(.*)$")
    req.path, req.query = path, query
  end
  return req
end

---Says which route the request takes.
---@param req goloader.Request
---@param route goloader.Route
---@param params table<string, string>
function request.direct(req, route, params)
  req.route, req.params = route, params
  if not getmetatable(req) then setmetatable(req, Request) end -- a server's own requests look up more than that
end

return request
