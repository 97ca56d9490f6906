--- A request of nginx's as routes see it. What costs something to find out is found out when it is looked at.

local requests = require "goloader.routes.request"

local ngx = ngx
local req_api = ngx.req
local find, gsub, lower = string.find, string.gsub, string.lower

local M = {}

local find_out = {}

---@param req goloader.Request
function find_out.query() return ngx.var.args or "" end

function find_out.args(req) return requests.parse_query(req.query) end

function find_out.headers() return req_api.get_headers(0) end

--- The whole body as a string; "" where there is none.
function find_out.body()
  req_api.read_body()
  local body = req_api.get_body_data()
  if body then return body end
  local path = req_api.get_body_file()
  if not path then return "" end
  local file, err = io.open(path, "rb")
  if not file then error("the request's body: " .. err, 0) end
  body = file:read "*a"
  file:close()
  return body
end

-- One header, without a table of all.
local variables = setmetatable({}, { __index = function(names, header)
  local name = "http_" .. gsub(lower(header), "-", "_")
  names[header] = name
  return name
end })
local function get_header(header) return ngx.var[variables[header]] end
function find_out.get_header() return get_header end

function find_out.remote_addr() return ngx.var.remote_addr end
function find_out.host() return ngx.var.host end
function find_out.scheme() return ngx.var.scheme end

local Request = {}
function Request.__index(req, key)
  local find_it = find_out[key]
  if not find_it then return nil end
  local value = find_it(req)
  req[key] = value
  return value
end

-- The path that nginx has chosen the location by.
local function path_of()
  local path = ngx.var.uri
  if find(path, "%", 1, true) then path = gsub(path, "%%", "%%25") end
  return path
end

--- The request that is being answered. Its path is the one that nginx has chosen the location by: decoded and without
--- `.`, `..` and doubled slashes, changed by rewrites; a percent sign in it is written as %25, since routes decode what
--- they capture.
---@return goloader.Request
function M.new()
  return setmetatable({ method = req_api.get_method(), path = path_of(), ngx = true }, Request)
end

--- Gives nginx's request another address. A path is written here as in an address, and kept by nginx decoded.
---@param path string
---@param query string
function M.set_address(path, query)
  req_api.set_uri(ngx.unescape_uri((gsub(path, "%+", "%%2B"))))
  req_api.set_uri_args(query)
end

--- Has nginx know of the address that a rewrite of the routes has given a request.
---@param req goloader.Request
function M.readdress(req)
  if not req.hops or req.hops == req.hops_told then return end
  req.hops_told = req.hops
  M.set_address(req.path, req.query)
end

--- Has the request be found out anew where a middleware has changed it. What the route's pattern has caught stays.
---@param req goloader.Request
---@param changed { method: boolean?, path: boolean?, query: boolean?, headers: boolean?, body: boolean? }
function M.refresh(req, changed)
  if changed.method then req.method = req_api.get_method() end
  if changed.path then
    local _ = req.params -- of the path before
    req.path = path_of()
  end
  if changed.query then req.query, req.args = ngx.var.args or "", nil end
  if changed.headers then req.headers, req.cookies, req.host = nil, nil, nil end
  if changed.body then req.body = nil end
end

return M
