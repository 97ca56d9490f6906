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

--- What the router asks for (goloader.router.Options).
---@param go goloader.Module
---@return table
function handlers.hooks(go)
  local hooks, registered = {}, setmetatable({}, { __mode = "k" })

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
      local cookie = req.set_cookie
      local ok, failure = go.Handle(req.id, number, cookie and "Set-Cookie: " .. cookie or "")
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
      local ok, failure = go.Wrap(req.id, number)
      if not ok then error(failure, 0) end
      local event = next_event(req.id)
      if event.Kind == OVER then return served() end
      request.renew(req)
      return nil
    end
  end

  -- Before a module is unloaded: nothing here may refer to its handlers any more.
  function hooks.release(module)
    local numbers = registered[module]
    for i = numbers and #numbers or 0, 1, -1 do
      if not go.Forget(numbers[i]) then return false end
      table.remove(numbers, i)
    end
    return true
  end

  return hooks
end

return handlers
