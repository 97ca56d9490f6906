--- Answering a request: filters, cache and handler run, and what comes of them becomes a response.

local errors = require "goloader.errors"
local handler = require "goloader.routes.handler"
local requests = require "goloader.routes.request"
local slots = require "goloader.routes.slot"
local tree = require "goloader.routes.tree"

local answer = {}

local function raised(err) return { raised = err, traceback = debug.traceback("", 2) } end

-- A handler may yield, and pcall must let it. Lua 5.1's own does not; there the handler gets a coroutine of its own,
-- whose yields are handed on.
local protect
do
  local can_yield = rawget(_G, "jit") ~= nil -- nginx lets nobody make a coroutine while a worker starts
  if not can_yield then
    local probe = coroutine.create(function() return pcall(coroutine.yield) end)
    coroutine.resume(probe)
    can_yield = coroutine.status(probe) == "suspended"
  end
  if can_yield then
    function protect(f, ...) return xpcall(f, raised, ...) end
  else
    local function go_on(thread, ok, ...)
      if not ok then return false, { raised = (...), traceback = debug.traceback(thread) } end
      if coroutine.status(thread) == "dead" then return true, ... end
      if not coroutine.running() then
        return false, { raised = "a handler yields outside of a coroutine", traceback = "" }
      end
      return go_on(thread, coroutine.resume(thread, coroutine.yield(...)))
    end
    function protect(f, ...)
      local thread = coroutine.create(f)
      return go_on(thread, coroutine.resume(thread, ...))
    end
  end
end

local TEXT, HTML, JSON = "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json"

local REASONS = { [400] = "Bad request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not found",
  [405] = "Method not allowed", [500] = "Internal server error" }

---@return goloader.Response
local function plain(status, text, headers)
  headers = headers or {}
  headers["Content-Type"] = headers["Content-Type"] or TEXT
  return { status = status, body = (text or REASONS[status] or "Status " .. status) .. "\n", headers = headers }
end

---Makes a response of what a handler returned: a body, a status, headers.
local function respond(router, kind, body, status, headers, list)
  if body == nil then
    return { status = status or 204, body = "", headers = headers or {} }
  elseif type(body) ~= "string" then
    body = list and next(body) == nil and "[]" or router.options.encode(body)
    kind = kind or JSON
  end
  headers = headers or {}
  headers["Content-Type"] = headers["Content-Type"] or kind or HTML
  return { status = status or 200, body = body, headers = headers }
end

---Answers a request whose handler failed: as on_error says, or with the status that the error names, or with 500.
local function fail(router, route, req, err, traceback)
  for _, on_error in ipairs { route.spec.on_error or false, router.error_handler or false } do
    if on_error then
      local ok, body, status, headers = protect(on_error, err, req)
      if not ok then
        err, traceback = body.raised, body.traceback
        break
      elseif body ~= nil or status ~= nil then
        local made, res = pcall(respond, router, nil, body, status or 500, headers)
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
    res = plain(500)
    router.options.log(("%s %s: %s%s"):format(req.method, req.path, tostring(err), traceback or ""))
  end
  res.err = err
  return res
end

---Runs filters and handler; within `protect`.
---@return goloader.Response|boolean first what the cache had; or whether a filter answers in the handler's place
---@return any body
---@return any status or the error, when body is nil
---@return table? headers
---@return boolean? list the body is a Go slice
---@return any key to keep the answer under
local function run(router, route, req)
  req.visit, req.visitor = slots.enter()
  for _, filters in ipairs { router.filters, route.spec.before or {} } do
    for _, filter in ipairs(filters) do
      local body, status, headers = filter(req)
      if body ~= nil or status ~= nil then return true, body, status, headers end
    end
  end
  local key
  if route.cache then
    key = route.key(req)
    local hit = key ~= nil and route.cache:get(key)
    if hit then return hit end
  end
  if route.slot then
    local value, err, list = handler.call(route, req)
    return false, value, err, nil, list, key
  end
  local body, status, headers = route.spec[1](req)
  return false, body, status, headers, false, key
end

---Keeps a response, unless it was made by a version that has been replaced meanwhile.
local function keep(route, req, key, res)
  if res.status ~= 200 or not slots.is_current(req.visit) then return end
  local tags = {}
  for slot in pairs(req.visit.versions) do tags[#tags + 1] = slot end
  local kept = { status = 200, body = res.body, headers = res.headers, cached = true }
  route.cache:set(key, kept, { tags = tags, cost = #res.body })
end

local function without_body(res)
  return { status = res.status, body = "", headers = res.headers, cached = res.cached, err = res.err }
end

---Answers one request.
---@param router goloader.Router
---@param req goloader.Request|table|string
---@return goloader.Response
function answer.handle(router, req)
  req = requests.read(req)
  local route, params = tree.find(router.tree, req.method, req.path)
  if not route then
    if next(params) == nil then return plain(404) end
    local allowed = {}
    for method in pairs(params) do allowed[#allowed + 1] = method end
    table.sort(allowed)
    return plain(405, nil, { Allow = table.concat(allowed, ", ") })
  end
  requests.direct(req, route, params)

  local ok, first, body, status, headers, list, key = protect(run, router, route, req)
  local res
  if not ok then
    res = fail(router, route, req, first.raised, first.traceback)
  elseif type(first) == "table" then
    res = first
  elseif not first and body == nil and status ~= nil and type(status) ~= "number" then
    -- nil and an error, as Go functions return it; or nil, a message and the error, as the loader's functions do
    res = fail(router, route, req, errors.is_object(headers) and headers or status)
  else
    local kind = not first and route.spec.type or nil
    local made
    made, res = pcall(respond, router, kind, body, status, headers, list)
    if not made then
      res = fail(router, route, req, res)
    elseif key ~= nil then
      keep(route, req, key, res)
    end
  end
  if req.visit then
    slots.leave(req.visit, req.visitor)
    req.visit, req.visitor = nil, nil
  end
  if req.method == "HEAD" then return without_body(res) end
  return res
end

return answer
