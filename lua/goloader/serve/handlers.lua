--- Go's http.Handlers and middlewares in routes: they run in the request's goroutine, on net/http's own ResponseWriter.

local nethttp = require "goloader.routes.nethttp"
local request = require "goloader.serve.request"
local response = require "goloader.routes.response"

local yield = coroutine.yield

local handlers = {}

-- What `Kind` of an event says; see src/host/serve/serve.go.
handlers.REQUEST, handlers.ONWARD, handlers.OVER = 1, 2, 3
local OVER = handlers.OVER

-- The answer is on its way, or sent. No status, so that nobody keeps it or makes something of it.
local function served() return response.new { status = 0, served = true } end

local threads = {} ---@type table<integer, thread>  by request: the coroutine that answers it
local waiting = {} ---@type table<integer, true>  who waits for an event
local happened = {} ---@type table<integer, table>  what has come before that

local function next_event(id)
  while not happened[id] do
    waiting[id] = true
    yield()
  end
  local event = happened[id]
  happened[id], waiting[id] = nil, nil
  return event
end

--- Says which coroutine a request is answered by; nil: it has been. What runs in it may have coroutines of its own.
---@param id integer
---@param thread thread|nil
function handlers.answered_by(id, thread)
  threads[id], happened[id] = thread, nil
end

--- An event of a request that is being answered.
---@param event table
function handlers.dispatch(event)
  local id = event.ID
  if not threads[id] then return end
  happened[id] = event
  if waiting[id] then
    waiting[id] = nil
    coroutine.resume(threads[id])
  end
end

-- Is it the address alone that has led a request to its handler? Then no filter, condition, share or page of a cache
-- has had a say.
local plain_routes = setmetatable({}, { __mode = "k" }) ---@type table<goloader.Configuration, boolean>

local function is_decided(req)
  local conf, route = req.conf, req.route
  if not req.may_be_known or req.hops or req.arm or route.cached or #route.filters > 0 then return false end
  local is_plain = plain_routes[conf]
  if is_plain == nil then
    is_plain = #conf.filters == 0 and not conf.paths
    for _, other in ipairs(conf.routes) do is_plain = is_plain and not other.holds end
    plain_routes[conf] = is_plain
  end
  return is_plain
end

--- What the router asks for (goloader.router.Options).
---@param go goloader.Module
---@return table
function handlers.hooks(go)
  local hooks, registered = {}, setmetatable({}, { __mode = "k" })
  local answered = {} -- by number of a handler: for which route

  local function note(module, number)
    registered[module] = registered[module] or {}
    table.insert(registered[module], number)
    return number
  end

  function hooks.kind_of(module, name) return nethttp.kind_of(module, name, go.Kind) end

  function hooks.bind_handler(module, name, options)
    local value, code, message = nethttp.handler_of(module, name)
    if message then return nil, message end
    local limits = { Strip = options.strip or "", Timeout = options.timeout or 0, Body = options.max_body or 0 }
    local number, err
    if code then number = go.RegisterFunc(code, limits) else number, err = go.Register(value, limits) end
    if not number then return nil, ("%s: %s"):format(name, tostring(err)) end
    note(module, number)
    return function(req)
      request.readdress(req)
      local cookie = req.set_cookie
      answered[number] = answered[number] or { route = req.route, version = req.module_version }
      local ok, failure = go.Handle(req.id, number, cookie and "Set-Cookie: " .. cookie or "",
        not cookie and is_decided(req))
      if not ok then error(failure, 0) end
      return served()
    end
  end

  function hooks.bind_middleware(module, name, options)
    local value, message = nethttp.wrapped(module, name, go.Onward())
    if value == nil then return nil, message end
    local number, err = go.Register(value, { Strip = "", Timeout = options.timeout or 0, Body = options.max_body or 0 })
    if not number then return nil, ("%s: %s"):format(name, tostring(err)) end
    note(module, number)
    return function(req)
      request.readdress(req)
      local ok, failure = go.Wrap(req.id, number)
      if not ok then error(failure, 0) end
      local event = next_event(req.id)
      if event.Kind == OVER then return served() end
      request.renew(req, event)
      return nil
    end
  end

  function hooks.before_release() end -- the server's

  --- Adds what handlers have answered, of which the router knows nothing, to its figures.
  ---@param tallies table[]
  ---@param metrics goloader.Metrics
  function hooks.count(tallies, metrics)
    for _, tally in ipairs(tallies) do
      local of = answered[tally.Handler]
      if of then metrics:add(of.route, of.version, tally.Status, tally.Bucket, tally.Count, tally.Seconds) end
    end
  end

  -- Before a module is unloaded: nothing here may refer to its handlers any more.
  function hooks.release(module)
    local numbers = registered[module]
    if numbers and numbers[1] then hooks.before_release() end
    for i = numbers and #numbers or 0, 1, -1 do
      if not go.Forget(numbers[i]) then return false end
      answered[numbers[i]] = nil
      table.remove(numbers, i)
    end
    return true
  end

  return hooks
end

return handlers
