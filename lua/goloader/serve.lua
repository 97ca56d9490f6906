--- Serving routes by Go's own net/http, driven from Lua.
--
--     require("goloader.serve").run("routes.lua", { listen = "127.0.0.1:8080" })
--
-- The server is Go's (src/host/serve): HTTP/1.1 and 2, TLS, timeouts. Lua decides what answers: each request runs in a
-- coroutine, so that `fn:async(…):wait()` in a handler lets the others go on. http.Handlers and middlewares of modules
-- run in the request's goroutine, as in any Go server.
--
-- `run` serves until a signal ends it. In somebody's own event loop `start` returns at once: all else happens within
-- `goloader.step`, which is called when `goloader.fd` can be read from.

local goloader = require "goloader"
local core = require "goloader.core"
local check_options = require "goloader.options"
local errors = require "goloader.errors"
local faults = require "goloader.serve.faults"
local halves = require "goloader.halves"
local handlers = require "goloader.serve.handlers"
local metrics = require "goloader.routes.metrics"
local protect = require "goloader.reload.protect"
local reload = require "goloader.serve.reload"
local reply = require "goloader.serve.reply"
local request = require "goloader.serve.request"
local requests = require "goloader.routes.request"
local response = require "goloader.routes.response"
local routers = require "goloader.router"
local units = require "goloader.units"

local serve = {}

local MAX_BODY = 10 * 2 ^ 20
local HEADER, IDLE, GRACE = 10, 120, 10 -- seconds
local ROUNDS = 8 -- of requests that are answered before others, who wait for jobs, go on

---@class goloader.serve.Options
---@field listen string|nil  "127.0.0.1:8080", which is the default; "unix:/path"; port 0 is any that is free
---@field tls { [1]: string, [2]: string }|nil  files: a certificate with what is above it, and its key
---@field quiet boolean|nil  no line for each request on standard error
---@field keep boolean|nil  browsers, too, are answered by the old version while the newest edit does not work
---@field watch boolean|nil  false: edits are not looked for
---@field max_body integer|string|nil  bytes of a request's body that is read as a whole, or "10m", which is the default
---@field grace number|string|nil  how long requests under way have when the server ends: seconds, or "10s"
---@field header_timeout number|string|nil  how long a client has to send a request's header: "10s"
---@field idle_timeout number|string|nil  how long a connection stays without a request: "2m"
---@field root string|nil  where modules lie; nil: beside the routes file
---@field log nil|fun(line: string)  where failures and new versions are told; nil: standard error
---@field router goloader.router.Options|nil  more for the router

local OPTIONS = {
  listen = "string", tls = "table", quiet = "boolean", keep = "boolean", watch = "boolean", max_body = "size",
  grace = "duration", header_timeout = "duration", idle_timeout = "duration", root = "string", log = "function",
  router = "table",
}

---@class goloader.Server
---@field app goloader.Router
---@field address string  where it listens
---@field package go goloader.Module
---@field package number integer
---@field package options goloader.serve.Options
---@field package reload goloader.serve.Reload
---@field package max_body integer
---@field package is_closed boolean
local Server = {}
Server.__index = Server

-- ---- the router's options -------------------------------------------------------------------------------------------

-- How requests wait for a page that another one makes.
local function new_condition(go)
  local gate
  return {
    wait = function(_, seconds)
      if not protect.can_yield() then return false end
      gate = gate or go.NewGate()
      return go.Pass:async(gate, seconds):wait() == true
    end,
    post = function() if gate then go.Open(gate) end end,
  }
end

--- Options for a router whose requests this server answers.
---@param more goloader.router.Options|nil
---@return goloader.router.Options|nil
---@return string|nil message
---@return goloader.Error|nil err
function serve.router_options(more)
  local go, message, err = halves.get "serve"
  if not go then return nil, message, err end
  local options = handlers.hooks(go)
  options.host = goloader.host()
  options.clock = core.clock
  options.condition = function() return new_condition(go) end
  options.background = function(run)
    goloader.spawn(run)
    return true
  end
  options.sleep = function(seconds) go.Sleep:async(seconds):wait() end
  for key, value in pairs(more or {}) do options[key] = value end
  return options
end

-- ---- answering ------------------------------------------------------------------------------------------------------

-- Is the answer for somebody's eyes?
local function wants_page(self, req)
  if self.options.keep or req.method ~= "GET" then return false end
  local accept = requests.header(req, "accept")
  return accept ~= nil and accept:find("text/html", 1, true) ~= nil
end

local function page(self, fault)
  local go = self.go
  return response.new {
    status = 500, body = faults.page(fault, self.reload:folders(), go.Version(self.number)),
    headers = { ["Content-Type"] = "text/html; charset=utf-8", ["Cache-Control"] = "no-store" },
  }
end

-- An answer that a handler's failure has made, for who wrote the handler.
local function failure_page(self, req, res)
  local err = res.err
  return page(self, {
    title = ("%s %s failed"):format(req.method, req.path), message = tostring(err),
    note = "With --keep browsers get what all others do: an answer without a word about it.",
  })
end

local function find_answer(self, req)
  local fault = self.reload:fault()
  if fault and wants_page(self, req) then return page(self, fault) end
  if self.reload.wrong and not self.reload.is_served then return response.plain(500) end
  req.may_be_known = not fault and self.reload.file ~= nil
  local res = self.app:handle(req)
  if req.is_too_large and not res.served then return response.plain(413, nil, { Connection = "close" }) end
  local failed = res.err ~= nil and res.status == 500 and not res.served
  if failed and wants_page(self, req) then
    return failure_page(self, req, res)
  end
  return res
end

local function answer(self, event)
  local req = request.new(self.go, event, self.max_body)
  handlers.answered_by(req.id, coroutine.running())
  local ok, failure = protect.run(function()
    reply.send(self.go, req, find_answer(self, req))
  end)
  handlers.answered_by(req.id, nil)
  if ok then return end
  self.log(("%s %s: %s%s"):format(req.method, req.path, tostring(failure.raised), failure.traceback))
  self.go.Fail(req.id)
end

-- ---- events ---------------------------------------------------------------------------------------------------------

local function dispatch(self, events)
  for _, event in ipairs(events) do
    if event.Kind == handlers.REQUEST then
      goloader.spawn(answer, self, event)
    else
      handlers.dispatch(event)
    end
  end
end

local function listen(self)
  self.go.Next:async(self.number):on_done(function(job)
    local events = job:wait()
    for _ = 1, ROUNDS do
      if not events or #events == 0 then break end
      dispatch(self, events)
      events = self.go.Take(self.number)
    end
    if events then dispatch(self, events) end
    if not self.is_closed then listen(self) end
  end)
end

-- ---- starting and ending --------------------------------------------------------------------------------------------

-- Raises what is wrong with what a caller's caller was given.
local function read_options(call, what, options)
  if type(what) ~= "string" and not routers.is_one(what) then
    errors.misuse(3, "%s: the path of a routes file or a router expected, got %s", call, type(what))
  end
  options = check_options(call, options, OPTIONS, 2)
  local tls = options.tls
  if tls and (type(tls[1]) ~= "string" or type(tls[2]) ~= "string") then
    errors.misuse(3, "%s: tls: the files of a certificate and of its key expected", call)
  end
  if options.router then options.router = check_options(call .. ": router", options.router, routers.OPTIONS, 2) end
  return options
end

local function start(what, options)
  local log = options.log or function(line) io.stderr:write(line, "\n") end
  local self = setmetatable({ options = options, log = log, is_closed = false }, Server)
  local go, message, err = halves.get "serve"
  if not go then return nil, message, err end
  self.go, self.max_body = go, options.max_body or MAX_BODY
  self.reload = reload.new {
    go = go, log = log, file = type(what) == "string" and what or nil,
    changed = function()
      if not self.number then return end
      go.Unlearn(self.number)
      go.Changed(self.number)
    end,
  }
  if type(what) == "string" then
    local more = { root = options.root, log = log }
    for key, value in pairs(options.router or {}) do more[key] = value end
    more.on_change = function(change)
      self.reload:on_change(change)
      if options.router and options.router.on_change then options.router.on_change(change) end
    end
    more.pausing = function() return self.reload:pausing() end
    local hooks = assert(serve.router_options(more))
    self.app = routers.new(hooks)
    local app_metrics = self.app.metrics -- what handlers answer, Go counts
    local function count() hooks.count(go.Tallies(self.number) or {}, self.app.measured) end
    function hooks.before_release()
      go.Unlearn(self.number)
      count()
    end
    function self.app.metrics(...)
      count()
      return app_metrics(...)
    end
  else
    self.app = what
  end
  self.reload.app = self.app

  local tls = options.tls or {}
  local number, address = go.Listen {
    Address = options.listen or "127.0.0.1:8080", Cert = tls[1] or "", Key = tls[2] or "", Log = not options.quiet,
    Pages = not options.keep, Header = options.header_timeout or HEADER, Idle = options.idle_timeout or IDLE,
    Bounds = metrics.BOUNDS,
  }
  if not number then return errors.fail { code = "io", message = tostring(address) } end
  self.number, self.address = number, address

  if self.reload.file then
    local ok
    ok, message, err = self.reload:load()
    if not ok and (options.keep or options.watch == false) then
      self:stop(0)
      return nil, message, err
    end
  end
  listen(self)
  if options.watch ~= false then self.reload:start() end
  return self
end

--- Starts serving. What is served is a routes file, or a router that was made with `serve.router_options`.
---@param what string|goloader.Router
---@param options goloader.serve.Options|nil
---@return goloader.Server|nil server
---@return string|nil message
---@return goloader.Error|nil err
function serve.start(what, options)
  options = read_options("goloader.serve.start", what, options)
  return start(what, options)
end

--- Ends serving: no more requests are taken, those under way are answered.
---@param grace number|string|nil  how long they have: seconds, or "10s"
---@return goloader.Job done  when that has happened
function Server:stop(grace)
  local seconds, why = units.seconds(grace or self.options.grace or GRACE)
  if not seconds then errors.misuse(2, "server:stop: %s", why) end
  if not self.ending then
    self.reload:stop()
    self.ending = self.go.Shutdown:async(self.number, seconds)
    self.ending:on_done(function() self.is_closed = true end)
  end
  return self.ending
end

--- Where browsers find it.
---@return string
function Server:url()
  local address = self.address
  if address:sub(1, 1) == "/" then return "unix:" .. address end
  return ("%s://%s/"):format(self.options.tls and "https" or "http", (address:gsub("^%[::%]", "localhost")))
end

--- Serves until the process gets SIGINT or SIGTERM; then requests under way are answered. Another signal ends the
--- process at once.
---@param what string|goloader.Router
---@param options goloader.serve.Options|nil
---@param started nil|fun(server: goloader.Server)  is called when it listens
---@return true|nil ok
---@return string|nil message
---@return goloader.Error|nil err
function serve.run(what, options, started)
  options = read_options("goloader.serve.run", what, options)
  local self, message, err = start(what, options)
  if not self then return nil, message, err end
  local signal = self.go.AwaitSignal:async()
  if started then started(self) end
  while not signal:done() do goloader.step(-1) end
  local ending = self:stop()
  while not ending:done() or self.reload.is_busy do goloader.step(-1) end
  return true
end

return serve
