--- A request of the server's as routes see it. What costs something to find out is found out when it is looked at.

local requests = require "goloader.routes.request"

local request = {}

local find_out = {}

-- Names are in lower case; of a header that came several times there is a list.
function find_out.headers(req)
  local headers = {}
  for name, value in req.go.Headers(req.id):gmatch "(%Z*)%z(%Z*)%z" do
    requests.add(headers, name, value)
  end
  return headers
end

--- The whole body as a string; "" where there is none.
function find_out.body(req)
  if req.length == 0 then return "" end
  if req.length > req.max_body then
    req.is_too_large = true
    return ""
  end
  local body, whole = req.go.Body:async(req.id, req.max_body):wait()
  if body == nil then error("the request's body: " .. tostring(whole), 0) end
  if not whole then req.is_too_large = true end
  return body
end

function find_out.scheme(req) return req.go.Scheme(req.id) end

--- Go's context.Context of the request: it ends when the client leaves, and when the route's time is over.
function find_out.context(req)
  local route = rawget(req, "route")
  return req.go.Context(req.id, route and route.timeout or 0)
end

local Request = {}

function Request.__index(req, key)
  local find_it = find_out[key]
  if not find_it then return nil end
  local value = find_it(req)
  rawset(req, key, value)
  return value
end

---@param go goloader.Module  the server's Go half
---@param event table  of it
---@param max_body integer  bytes
---@return goloader.Request
function request.new(go, event, max_body)
  return setmetatable({
    go = go, id = event.ID, method = event.Method, path = event.Path, query = event.Query, host = event.Host,
    remote = event.Remote, length = event.Length, max_body = max_body,
    path_told = event.Path, query_told = event.Query, -- what Go has
  }, Request)
end

--- Has Go know of the address that a rewrite of the routes has given a request.
---@param req goloader.Request
function request.readdress(req)
  if not req.hops or req.hops == req.hops_told then return end
  rawset(req, "hops_told", req.hops)
  local _, err = req.go.Readdress(req.id, req.path, req.query)
  if err then error(err, 0) end
  rawset(req, "path_told", req.path)
  rawset(req, "query_told", req.query)
end

--- A middleware has had the request: what it has changed is read anew. What the route's pattern has caught stays.
---@param req goloader.Request
---@param event table  the request as it is now
function request.renew(req, event)
  for _, name in ipairs { "headers", "cookies", "context" } do rawset(req, name, nil) end
  rawset(req, "method", event.Method)
  rawset(req, "host", event.Host)
  if event.Path ~= req.path_told then
    local _ = req.params -- of the path before
    rawset(req, "path", event.Path)
    rawset(req, "path_told", event.Path)
  end
  if event.Query ~= req.query_told then
    rawset(req, "args", nil)
    rawset(req, "query", event.Query)
    rawset(req, "query_told", event.Query)
  end
end

return request
