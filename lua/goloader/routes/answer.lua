--- Answering a request: filters, cache and handler run, and what comes of them becomes a response.

local cached = require "goloader.routes.cached"
local config = require "goloader.routes.config"
local errors = require "goloader.errors"
local handler = require "goloader.routes.handler"
local protect = require("goloader.reload.protect").run
local requests = require "goloader.routes.request"
local response = require "goloader.routes.response"
local visits = require "goloader.reload.visits"

local answer = {}

local plain = response.plain

local HOPS = 10 -- rewrites of one request

-- From here on what the request uses of modules stays at one version.
local function begin(conf, req)
  if req.visit or not conf.slots[1] then return end
  req.visit, req.visitor = visits.enter()
  conf.users[req.visit] = true
end

local function leave(conf, req)
  if not req.visit then return end
  conf.users[req.visit] = nil
  visits.leave(req.visit, req.visitor)
  req.visit, req.visitor = nil, nil
end

---Answers a request whose handler failed: as on_error says, or with the status that the error names, or with 500.
local function fail(conf, route, req, err, traceback)
  local options = conf.router.options
  for _, on_error in ipairs { route.on_error or false, conf.error_handler or false } do
    if on_error then
      local ok, body, status, headers = protect(on_error, err, req)
      if not ok then
        err, traceback = body.raised, body.traceback
        break
      elseif body ~= nil or status ~= nil then
        local made, res = pcall(response.make, options.encode, nil, body, status or 500, headers)
        if made then
          res.err = err
          return res
        end
        err, traceback = res, nil
        break
      end
    end
  end
  local res
  if handler.is_bad_request(err) then
    res = plain(err.status, err.message)
  else
    res = plain(route.timeout and handler.is_timeout(err) and 504 or 500)
    options.log(("%s %s: %s%s"):format(req.method, req.path, tostring(err), traceback or ""))
  end
  res.err = err
  return res
end

-- Makes the response of what a filter or a handler returned.
local function finish(conf, route, req, kind, body, status, headers, list)
  if body == nil and status ~= nil and type(status) ~= "number" then
    -- nil and an error, as Go functions return it; or nil, a message and the error, as the loader's functions do
    return fail(conf, route, req, errors.is_object(headers) and headers or status)
  end
  local made, res = pcall(response.make, conf.router.options.encode, kind, body, status, headers, list)
  if not made then return fail(conf, route, req, res) end
  return res
end

local function finished(conf, route, req, ok, first, ...)
  if not ok then return fail(conf, route, req, first.raised, first.traceback) end
  if first == "response" then return (...) end
  return finish(conf, route, req, first == "handler" and route.type or nil, ...)
end

local function handled(route, req) return "handler", route.target.run(req) end

-- Has the handler make a response, whatever happens in it.
local function produce(conf, route, req)
  begin(conf, req)
  return finished(conf, route, req, protect(handled, route, req))
end

local producer = { produce = produce, leave = leave } ---@type goloader.Producer

-- Runs filters until one answers.
local function filter(filters, req)
  for i = 1, #filters do
    local body, status, headers = filters[i](req)
    if body ~= nil or status ~= nil then return true, body, status, headers end
  end
end

local function filter_all(conf, route, req)
  local answers, body, status, headers
  if not req.hops then
    answers, body, status, headers = filter(conf.filters, req)
    if answers then return true, body, status, headers end
  end
  for _, path in ipairs(conf.paths or {}) do
    if config.concerns(path, req) then
      answers, body, status, headers = filter(path.filters, req)
      if answers then return true, body, status, headers end
    end
  end
  if route then return filter(route.filters, req) end
end

---Runs filters and handler; within `protect`.
---@return "filter"|"handler"|"response" what follows
local function run(conf, route, req)
  if not req.filtered and (#conf.filters > 0 or #route.filters > 0 or conf.paths) then
    begin(conf, req)
    local answers, body, status, headers = filter_all(conf, route, req)
    if answers then return "filter", body, status, headers end
  end
  if route.cached then return "response", cached.answer(route.cached, conf, route, req, producer) end
  begin(conf, req)
  return "handler", route.target.run(req)
end

-- Is the body longer than it may be? One whose length is not told beforehand is looked at.
local function is_too_large(req, limit)
  local length = tonumber(requests.header(req, "content-length"))
  if length then return length > limit end
  if rawget(req, "body") == nil and not requests.header(req, "transfer-encoding") then return false end
  return req.body ~= nil and #req.body > limit
end

local function limit_of(conf, route, req)
  local limit = route and route.max_body
  for _, path in ipairs(conf.paths or {}) do
    if path.max_body and config.concerns(path, req) then
      limit = math.min(limit or path.max_body, path.max_body)
    end
  end
  return limit
end

-- The methods that the path does have.
local function missing(conf, req)
  local allowed, seen = {}, {}
  for _, route in ipairs(config.candidates(conf, req)) do
    if (not route.holds or route.holds(req)) and not seen[route.method] then
      seen[route.method] = true
      allowed[#allowed + 1] = route.method
    end
  end
  if #allowed == 0 or seen["*"] or seen[req.method] then return plain(404) end
  table.sort(allowed)
  return plain(405, nil, { Allow = table.concat(allowed, ", ") })
end

-- An error page stands in the place of what says no more than its status.
local function with_page(conf, route, req, res)
  if res.status < 400 or not res.bare then return res end
  local page = config.page(conf, route, req, res.status)
  if not page then return res end
  req.answer = res
  local ok, body, status, headers = protect(page, req, res)
  local made, shown
  if ok and not (body == nil and status ~= nil and type(status) ~= "number") then
    made, shown = pcall(response.make, conf.router.options.encode, nil, body, status or res.status, headers)
    if made and body == nil and status == nil then return res end
  else
    shown = ok and status or body.raised
  end
  if not made then
    conf.router.options.log(("%s %s: error page %d: %s"):format(req.method, req.path, res.status, tostring(shown)))
    return res
  end
  if res.headers.Allow and not shown.headers.Allow then shown = response.with(shown, "Allow", res.headers.Allow) end
  shown.err = res.err
  return shown
end

local function dispatch(conf, req)
  local ok, route = protect(config.find, conf, req)
  if not ok then
    conf.router.options.log(("%s %s: a condition fails: %s%s"):format(req.method, req.path, tostring(route.raised),
      route.traceback))
    return with_page(conf, nil, req, plain(500))
  end
  if not route then return with_page(conf, nil, req, missing(conf, req)) end
  requests.direct(req, route)
  local limit = (route.max_body or conf.paths) and limit_of(conf, route, req)
  local res
  if limit and is_too_large(req, limit) then
    res = plain(413)
  else
    res = finished(conf, route, req, protect(run, conf, route, req))
  end
  return with_page(conf, route, req, res)
end

-- Counts rewrites. Filters of the new address have not run yet, where those of the old one have.
local function hop(req)
  req.hops = (req.hops or 0) + 1
  if req.hops > HOPS then
    error(("rewritten %d times, at last to %s"):format(HOPS, req.path), 0)
  end
  req.arm, req.filtered = nil, nil
end

---Answers a request whose address has been rewritten.
---@param req goloader.Request
---@return goloader.Response
function answer.again(req)
  hop(req)
  return dispatch(req.conf, req)
end

-- Who has the page already is told so.
local function conditional(req, res)
  local tag, route = res.headers.ETag, req.route
  if not tag then
    if not (route and route.etag) or type(res.body) ~= "string" then return res end
    tag = response.etag(res.body)
    res = response.with(res, "ETag", tag)
  end
  if req.method ~= "GET" and req.method ~= "HEAD" then return res end
  local given = requests.header(req, "if-none-match")
  if given and response.matches(given, tag) then return response.not_modified(res) end
  return res
end

---Answers one request.
---@param router goloader.Router
---@param req goloader.Request|table|string
---@return goloader.Response
function answer.handle(router, req)
  local conf = router.conf
  req = requests.read(req)
  req.conf = conf
  local res = dispatch(conf, req)
  leave(conf, req)
  if req.set_cookie then res = response.with(res, "Set-Cookie", req.set_cookie) end
  if res.status == 200 then res = conditional(req, res) end
  if req.method == "HEAD" then return response.without_body(res) end
  return res
end

-- Runs the filters for a request that is answered elsewhere, and what of the route is early; within `protect`. A
-- rewrite leads to another route, or to none, of which the same is done: what answers in the end sees the new address.
local function pass(conf, route, req)
  local limit = limit_of(conf, route, req)
  if limit and is_too_large(req, limit) then return "response", plain(413) end
  local answers, body, status, headers = filter_all(conf, route, req)
  if answers then return "filter", body, status, headers end
  if not (route and route.target.early) then return nil end
  local target = route.target.arm_of and route.target.arm_of(req) or route.target
  if not target.early then return nil end
  if not target.readdress then return "handler", target.run(req) end
  target.readdress(req)
  hop(req)
  local found = config.find(conf, req)
  if found then requests.direct(req, found) else req.route = nil end
  return pass(conf, found, req)
end

local NO_ROUTE = { filters = {} }

---Runs the filters for one request, which something else answers: a location of nginx with proxy_pass, say, or
---`handle` later. Redirects and routes that lead to a location are answered here, and where an address is rewritten,
---`req` has the new one in the end, and `req.hops` says that it has.
---@param router goloader.Router
---@param req goloader.Request|table|string
---@return goloader.Response? res nil: the request may go on
function answer.access(router, req)
  local conf = router.conf
  req = requests.read(req)
  req.conf = conf
  local ok, route = protect(config.find, conf, req)
  local res
  if not ok then
    res = finished(conf, NO_ROUTE, req, ok, route)
    route = nil
  else
    if route then requests.direct(req, route) end
    if #conf.filters > 0 or conf.paths or route and (#route.filters > 0 or route.target.early or route.max_body) then
      begin(conf, req)
      local went, first, body, status, headers, list = protect(pass, conf, route, req)
      if req.hops then route = req.route end
      if not went or first then
        res = finished(conf, route or NO_ROUTE, req, went, first, body, status, headers, list)
      end
    end
  end
  if res then res = with_page(conf, route, req, res) end
  leave(conf, req)
  if res and req.set_cookie then res = response.with(res, "Set-Cookie", req.set_cookie) end
  if not res then req.filtered = true end
  return res
end

return answer
