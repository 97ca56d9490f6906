--- Routes over Go in nginx: one line a phase.
--
--     init_worker_by_lua_block { require("goloader.nginx").start "conf/routes.lua" }
--     location / {
--       access_by_lua_block { require("goloader.nginx").access() }
--       content_by_lua_block { require("goloader.nginx").content() }
--     }
--
-- A Go runtime does not survive a fork, and nginx's workers are forked after the init phase: so each worker starts its
-- own, in `start`. Waiting for Go (`fn:async(…):wait()`) suspends the request's coroutine (nginx/wake.lua). What fails
-- is told to nginx's error log, as text; a request never sees an error object.

local ngx = ngx

local M = {}

-- Nothing else is loaded before `start`: the file can be required in any phase.
local app ---@type goloader.Router|nil
local request, reply, middleware, carried
local failure ---@type string|nil  why there are no routes

local OPTIONS = {
  "string", path = "string", desc = "string", memory_profile = "number", root = "string", state = "string boolean",
  keep = "number", control = "boolean", patience = "duration",
}

-- LuaJIT compiles a request's way through routes, to Go and back as one trace, unless that has more constants than it
-- allows (addresses of nginx's functions and of what they fill in), which is 500 by itself. It would interpret all of
-- it then, at 0.4 µs for each of some 30 calls by FFI.
local MAX_CONSTANTS = "maxirconst=2000"

local AGAIN = 1 -- seconds between two looks at a folder whose routes could not be read

---@class goloader.nginx.Options: goloader.HostOptions, goloader.nginx.WorkerOptions
---@field [1] string  the routes file; below nginx's prefix, unless it starts with a slash
---@field root string|nil  where modules lie; nil: beside the routes file

local function log_error(line) ngx.log(ngx.ERR, "goloader: ", line) end

local function absolute(path)
  return path:sub(1, 1) == "/" and path or ngx.config.prefix() .. path
end

-- Routes that could not be read at the start are read again when something in their folder has changed.
---@param load fun(): true|nil, string|nil
---@param file string  the routes file
local function try_again(load, file)
  local watched = require("goloader.reload.watch").new(file:match "^(.*)/" or ".")
  local function look(premature)
    if premature then return end
    if watched:changed() then
      local called, ok, message = pcall(load)
      if not called then ok, message = nil, ok end
      if ok then
        failure = nil
        ngx.log(ngx.NOTICE, "goloader: ", file, " is served")
        return
      end
      if tostring(message) ~= failure then
        failure = tostring(message)
        log_error(failure)
      end
    end
    ngx.timer.at(AGAIN, look)
  end
  ngx.timer.at(AGAIN, look)
end

-- Sorts the options: those of the host, and those of the router.
---@param options goloader.nginx.Options
local function start(options)
  local goloader = require "goloader"
  local host, message = goloader.host {
    path = options.path, desc = options.desc, memory_profile = options.memory_profile,
  }
  if not host then return nil, message end
  require("jit.opt").start(MAX_CONSTANTS)
  require("goloader.nginx.wake").start(host.core)
  request, reply = require "goloader.nginx.request", require "goloader.nginx.reply"
  carried = require "goloader.nginx.carried"
  local handler = require "goloader.nginx.handler"
  middleware = require "goloader.nginx.middleware"

  local workers = require "goloader.nginx.workers"
  local router_options = workers.router_options(host, options)
  router_options.host = host
  router_options.root = options.root and absolute(options.root)
  router_options.clock = ngx.now
  router_options.log = log_error
  router_options.condition = require("goloader.nginx.condition").new
  router_options.background = function(run) return ngx.timer.at(0, run) end
  router_options.sleep = ngx.sleep
  router_options.stores = { shared = require("goloader.nginx.shared_store").open }
  router_options.kind_of, router_options.release = handler.kind_of, handler.release
  router_options.bind_handler, router_options.bind_middleware = handler.bind, middleware.bind
  local made = require("goloader.router").new(router_options)
  local file = absolute(options[1])
  local function load()
    local ok, why = made:load(file)
    if not ok then return nil, why end
    app = made
    workers.start(host, made, file)
    require("goloader.nginx.metrics").start(made, host)
    return true
  end
  local ok
  ok, message = load()
  if not ok then try_again(load, file) end
  return ok, message
end

--- Starts Go in this worker and reads the routes: for init_worker_by_lua. What is wrong with them is told to the error
--- log and to whoever asks for a page, as status 500; the worker lives, and reads them again when they have changed.
---@param options string|goloader.nginx.Options  the routes file
---@return true|nil ok
---@return string|nil message
function M.start(options)
  if type(options) == "string" then options = { options } end
  if type(options) ~= "table" or type(options[1]) ~= "string" then
    error("goloader.nginx.start: the path of a routes file expected, got " .. type(options), 2)
  end
  options = require "goloader.options"("goloader.nginx.start", options, OPTIONS)
  local phase = ngx.get_phase()
  if phase ~= "init_worker" then
    error("goloader.nginx.start belongs into init_worker_by_lua_block, not into " .. phase
      .. ": Go does not survive a fork", 2)
  end
  local called, ok, message = pcall(start, options)
  if not called then ok, message = nil, ok end
  if not ok then
    failure = tostring(message)
    log_error(failure)
    return nil, failure
  end
  failure = nil
  return true
end

--- The routes of this worker, of which a routes file says what they are; nil before `start`.
---@return goloader.Router|nil
function M.app() return app end

-- Answers for routes that are not there.
local function unavailable()
  if not failure then
    log_error("goloader.nginx.start was not called in init_worker_by_lua_block, or lua_code_cache is off: "
      .. "each request has a Lua state of its own then, without the worker's routes")
  end
  return ngx.exit(500)
end

-- The visit of a request ends in `content`, or where the client leaves in the middle, when its coroutine is collected.
local function current()
  carried.restore()
  local ctx = ngx.ctx
  local req = ctx.goloader_request
  if not req then
    req = request.new()
    ctx.goloader_request = req
  end
  return req
end

--- Runs the filters of the address: for access_by_lua, before whatever answers in this location.
function M.access()
  if not app then return unavailable() end
  local req = current()
  local res = app:access(req)
  if res then return reply.send(res) end
  if req.hops or req.set_cookie then reply.go_on(req) end
end

--- Answers with figures, as Prometheus reads them or as JSON (nginx/metrics.lua): for content_by_lua of a location that
--- not everybody may ask.
function M.metrics()
  if not app then return unavailable() end
  return require("goloader.nginx.metrics").answer()
end

--- Answers the request by its route: for content_by_lua.
function M.content()
  if not app then return unavailable() end
  return reply.send(app:handle(current()))
end

--- Shows the answer's header to Go middlewares that want to see it: for header_filter_by_lua.
function M.header_filter()
  if not middleware then return end
  carried.restore()
  middleware.header_filter()
end

--- Shows them the answer's body, piece by piece: for body_filter_by_lua.
function M.body_filter()
  if not middleware then return end
  carried.restore()
  middleware.body_filter()
end

--- Lets them know that the answer is sent: for log_by_lua.
function M.log()
  if not middleware then return end
  carried.restore()
  middleware.log()
end

return M
