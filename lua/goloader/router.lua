-- Routes: which function answers which address, said in Lua.
--
--     local list = module { "list.go", ready = function(list) return list.Open "products.json" end }
--
--     get "/list/:category" { list.Render, cache = "30s", before = { auth } }
--
-- A routes file is a Lua program that sees a few more names: `get`, `post`, `put`, `patch`, `delete` and `route`
-- declare routes, `module` declares a Go module (see slot.lua), `before` and `on_error` say what holds for all routes,
-- and `root` is the folder that modules are found in.
--
-- A Go function is a handler as it is. Its parameters are filled by their names: Render(category, query string) gets
-- the :category of the address and the whole query string; a parameter `page int` gets the query string's page=…, and
-- a visitor who sends page=two gets status 400. That this works out is checked when the route is declared and again,
-- before it takes over, for each new version of the module.
--
-- Addresses live in a tree by their segments. A literal segment wins over :name, and :name over *rest; the search turns
-- back where the better branch leads nowhere, so the order of declarations never matters.

local cache = require "goloader.routes.cache"
local errors = require "goloader.errors"
local slots = require "goloader.routes.slot"
local watch = require "goloader.routes.watch"

local M = {}

local concat, huge = table.concat, math.huge
local unpack = rawget(table, "unpack") or unpack

---@class goloader.Request what handlers and filters get; add fields of your own as you like
---@field method string
---@field path string
---@field query string what stands behind the ?, not decoded
---@field params table<string, string> the parts of the address that the route names
---@field args table<string, string|string[]> the query string, decoded; a name that comes twice has a list
---@field body? string
---@field headers? table<string, string>
---@field route goloader.Route

---@class goloader.Response do not change it: the same table may answer many requests
---@field status integer
---@field body string
---@field headers table<string, string>
---@field cached? true it came from the route's cache
---@field err? any why it is not what the visitor wanted

---A body, a status and headers; or nil and an error, as Go functions and the loader's return it
---@alias goloader.Handler fun(req: goloader.Request): any, any, table?

---@class goloader.RouteSpec
---@field [1] goloader.Handler|goloader.Ref a Lua function, or a function of a module
---@field cache? number|string|goloader.RouteCache "30s"; only answers with status 200 are kept
---@field before? goloader.Handler[] filters, in order; one that returns a body or a status answers instead
---@field on_error? fun(err: any, req: goloader.Request): any, any, table? answers when the handler fails; nil: as usual
---@field type? string the Content-Type (default: HTML for text, JSON for all else)

---@class goloader.RouteCache: goloader.cache.Options
---@field key? fun(req: goloader.Request): any what tells answers apart (default: path and query); nil: not kept

---@class goloader.Route
---@field method string
---@field pattern string
---@field cache? goloader.Cache
---@field package spec goloader.RouteSpec
---@field package names string[] of its :params
---@field package where string the file and line of its declaration
---@field package key? fun(req: goloader.Request): any
---@field package slot? goloader.Slot of a Go handler
---@field package func? string its name
---@field package plans? table<goloader.Version, goloader.router.Plan>

---@class goloader.router.Plan how to call a Go function for a request
---@field n integer
---@field getters (fun(req: goloader.Request): any, string?)[]
---@field list boolean its result is a slice
---@field silent boolean its only result is an error

---@class goloader.router.Options
---@field host? goloader.Host what compiles and loads modules; needed where a routes file declares one
---@field root? string folder that module paths start from (default: the routes file's)
---@field clock? fun(): number seconds, for caches and for the times that on_change hears
---@field encode? fun(value: any): string makes JSON (default: lua-cjson)
---@field log? fun(line: string) where failures are told (default: stderr)
---@field on_change? fun(change: goloader.Change) hears of modules loaded, swapped, kept and unloaded

---@class goloader.Router
---@field package options goloader.router.Options
---@field package tree table
---@field package filters goloader.Handler[]
---@field package routes goloader.Route[]
---@field package slots goloader.Slot[]
---@field package root? string
---@field package owner? goloader.Router whose draft this is, while a routes file runs
---@field package error_handler? fun(err: any, req: goloader.Request): any, any, table?
local Router = {}
Router.__index = Router

-- ---- what a request says --------------------------------------------------------------------------------------------

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

---@param query string
---@return table<string, string|string[]>
local function parse_query(query)
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
    local args = parse_query(req.query)
    req.args = args
    return args
  end
end

-- ---- the tree of addresses ------------------------------------------------------------------------------------------

local function new_node() return { literal = {}, routes = {} } end

---Splits a pattern into segments: "/list/:category" has "list" and ":category".
local function segments_of(pattern)
  local list, from = {}, 2
  repeat
    local slash = pattern:find("/", from, true)
    list[#list + 1] = pattern:sub(from, slash and slash - 1)
    from = slash and slash + 1
  until not from
  return list
end

---The names of a pattern's captures, in order; or what is wrong with it.
---@return string[]? names
---@return string? err
local function names_of(pattern)
  local names, segments = {}, segments_of(pattern)
  for i, segment in ipairs(segments) do
    local mark, name = segment:match("^([:*])(.*)$")
    if mark then
      if not name:find("^[%a_][%w_]*$") then return nil, ("%q is not a name"):format(segment) end
      if mark == "*" and i < #segments then return nil, segment .. " must stand at the end" end
      for _, other in ipairs(names) do
        if other == name then return nil, name .. " stands there twice" end
      end
      names[#names + 1] = name
    end
  end
  return names
end

---@return string? err
local function insert(tree, route)
  local node = tree
  for _, segment in ipairs(segments_of(route.pattern)) do
    local mark = segment:match("^[:*]")
    local branches, branch = node, mark == ":" and "param" or "rest"
    if not mark then branches, branch = node.literal, segment end
    branches[branch] = branches[branch] or new_node()
    node = branches[branch]
  end
  local other = node.routes[route.method]
  if other then return ("%s declares %s %s already"):format(other.where, other.method, other.pattern) end
  node.routes[route.method] = route
end

local function route_at(node, method, allowed)
  local routes = node.routes
  local route = routes[method] or method == "HEAD" and routes.GET
  if route then return route end
  for other in pairs(routes) do allowed[other] = true end
end

---Finds the route for a path from position `from` (behind a slash) on. Captured texts are put into `values`, methods
---that the path has routes for into `allowed`.
local function search(node, path, from, method, values, depth, allowed)
  local slash = path:find("/", from, true)
  local segment = path:sub(from, slash and slash - 1)
  local child = node.literal[segment]
  if child then
    local route
    if slash then
      route = search(child, path, slash + 1, method, values, depth, allowed)
    else
      route = route_at(child, method, allowed)
    end
    if route then return route end
  end
  child = node.param
  if child and segment ~= "" then
    local route
    if slash then
      route = search(child, path, slash + 1, method, values, depth + 1, allowed)
    else
      route = route_at(child, method, allowed)
    end
    if route then
      values[depth + 1] = segment
      return route
    end
  end
  child = node.rest
  if child then
    values[depth + 1] = path:sub(from)
    return route_at(child, method, allowed)
  end
end

local NO_PARAMS = {}

---@return goloader.Route? route
---@return table params, or the methods that the path does have
local function find(tree, method, path)
  local values, allowed = {}, {}
  if path:sub(1, 1) ~= "/" then return nil, allowed end
  local route = search(tree, path, 2, method, values, 0, allowed)
  if not route then return nil, allowed end
  local names = route.names
  if #names == 0 then return route, NO_PARAMS end
  local params = {}
  for i = 1, #names do params[names[i]] = unescape(values[i]) end
  return route, params
end

-- ---- filling a Go function's parameters -----------------------------------------------------------------------------

local INTEGERS = {
  int8 = { -128, 127 }, int16 = { -32768, 32767 }, int32 = { -2 ^ 31, 2 ^ 31 - 1 },
  int64 = { -2 ^ 53, 2 ^ 53 }, int = { -2 ^ 53, 2 ^ 53 },
  uint8 = { 0, 255 }, uint16 = { 0, 65535 }, uint32 = { 0, 2 ^ 32 - 1 },
  uint64 = { 0, 2 ^ 53 }, uint = { 0, 2 ^ 53 },
}

local BOOLEANS = {
  ["true"] = true, ["1"] = true, on = true, yes = true,
  ["false"] = false, ["0"] = false, off = false, no = false,
}

---From a text to a value of a Go type, or nil and what was wanted.
---@type table<string, fun(text: string): any, string?>
local convert = {
  string = function(text) return text end,
  bool = function(text)
    local value = BOOLEANS[text:lower()]
    if value == nil then return nil, "true or false" end
    return value
  end,
  float64 = function(text)
    local value = text:find("^[-+]?%.?%d[%d.]*[eE]?[-+]?%d*$") and tonumber(text)
    if not value or value >= huge or value <= -huge then return nil, "a number" end
    return value
  end,
}
convert.float32 = convert.float64
for name, range in pairs(INTEGERS) do
  convert[name] = function(text)
    local value = text:find("^[-+]?%d+$") and tonumber((text:gsub("^%+", "")))
    if not value then return nil, "a whole number" end
    if value < range[1] or value > range[2] then
      return nil, ("a whole number from %.0f to %.0f"):format(range[1], range[2])
    end
    return value
  end
end

local ABSENT = { string = "", bool = false }

local WHOLE = { query = true, path = true, method = true, body = true }

---Makes the function that finds one parameter's value in a request.
---@return (fun(req: goloader.Request): any, string?)? getter
local function getter(route, param)
  local name, kind = param.name, param.type
  if name == "" or name == "_" then return nil end
  if kind == "[]string" then
    return function(req)
      local value = req.args[name]
      return type(value) == "table" and value or { value }
    end
  elseif kind == "[]uint8" or kind == "[]byte" then
    if name ~= "body" then return nil end
    kind = "string"
  end
  local to = convert[kind]
  if not to then return nil end

  local source
  for _, declared in ipairs(route.names) do
    if declared == name then source = function(req) return req.params[name] end end
  end
  if not source and WHOLE[name] and kind == "string" then source = function(req) return req[name] end end
  if not source then
    source = function(req)
      local value = req.args[name]
      return type(value) == "table" and value[1] or value
    end
  end

  local absent = ABSENT[kind]
  if absent == nil then absent = 0 end
  return function(req)
    local text = source(req)
    if text == nil or text == "" then return absent end -- an empty field of a form is one left out
    local value, wanted = to(text)
    if value == nil then return nil, ("%s must be %s"):format(name, wanted) end
    return value
  end
end

---Says how a version's function is called for this route.
---@return goloader.router.Plan? plan
---@return string? err
local function plan_call(route, version)
  local export
  for _, e in ipairs(version.module:exports()) do
    if e.name == route.func and e.kind == "func" then
      export = e
      break
    end
  end
  local what = ("%s %s: %s.%s"):format(route.method, route.pattern, route.slot.name, route.func)
  if not export then return nil, what .. " does not exist" end
  if export.typed == false then return nil, what .. " has no known signature" end
  local getters = {}
  for i, param in ipairs(export.params) do
    getters[i] = getter(route, param)
    if not getters[i] then
      return nil, ("%s: a request can't fill parameter %s (%s); write the handler in Lua and call %s from it"):format(
        what, param.name ~= "" and param.name or "#" .. i, param.type, route.func)
    end
  end
  local results = export.results
  local n = #results
  local fails = n > 0 and results[n].type == "error"
  if n - (fails and 1 or 0) > 1 then
    return nil, ("%s: an answer is one value, and it returns %d; write the handler in Lua"):format(what, n)
  end
  return {
    n = #getters,
    getters = getters,
    list = n > 0 and results[1].type:sub(1, 1) == "[" and results[1].type ~= "[]uint8",
    silent = fails and n == 1,
  }
end

-- What a visitor did wrong is shown to the visitor; whatever else fails is told to the log alone.
local Bad = {}
Bad.__index = Bad
function Bad.__tostring(err) return err.message end

---Fills the parameters of a Go handler and calls it.
---@return any value
---@return any err
---@return boolean? list the value is a slice
local function call_go(route, req)
  local slot = route.slot
  local version = slot:settle()
  local plan = route.plans[version]
  local args = {}
  for i = 1, plan.n do
    local value, wrong = plan.getters[i](req)
    if value == nil then return nil, setmetatable({ status = 400, code = "request", message = wrong }, Bad) end
    args[i] = value
  end
  local value, err = version:func(route.func)(unpack(args, 1, plan.n))
  if plan.silent and value == true then value = nil end -- nothing but "no error": there is nothing to say
  return value, err, plan.list
end

-- ---- answering ------------------------------------------------------------------------------------------------------

local function raised(err) return { raised = err, traceback = debug.traceback("", 2) } end

-- A handler may yield, and pcall must let it. Lua 5.1's own does not; there the handler gets a coroutine of its own,
-- whose yields are handed on.
local protect
do
  local probe = coroutine.create(function() return pcall(coroutine.yield) end)
  coroutine.resume(probe)
  if coroutine.status(probe) == "suspended" then
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
local function respond(self, kind, body, status, headers, list)
  if body == nil then
    return { status = status or 204, body = "", headers = headers or {} }
  elseif type(body) ~= "string" then
    body = list and next(body) == nil and "[]" or self.options.encode(body)
    kind = kind or JSON
  end
  headers = headers or {}
  headers["Content-Type"] = headers["Content-Type"] or kind or HTML
  return { status = status or 200, body = body, headers = headers }
end

---Answers a request whose handler failed: as on_error says, or with the status that the error names, or with 500.
local function fail(self, route, req, err, traceback)
  for _, on_error in ipairs { route.spec.on_error or false, self.error_handler or false } do
    if on_error then
      local ok, body, status, headers = protect(on_error, err, req)
      if not ok then
        err, traceback = body.raised, body.traceback
        break
      elseif body ~= nil or status ~= nil then
        local made, res = pcall(respond, self, nil, body, status or 500, headers)
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
  if getmetatable(err) == Bad then
    res = plain(err.status, err.message)
  else
    res = plain(500)
    self.options.log(("%s %s: %s%s"):format(req.method, req.path, tostring(err), traceback or ""))
  end
  res.err = err
  return res
end

local NOTHING = {}

---Runs filters and handler; within `protect`.
---@return goloader.Response|boolean first what the cache had; or whether a filter answers in the handler's place
---@return any body
---@return any status or the error, when body is nil
---@return table? headers
---@return boolean? list the body is a Go slice
---@return any key to keep the answer under
local function run(self, route, req)
  req.visit, req.visitor = slots.enter()
  for _, filters in ipairs { self.filters, route.spec.before or NOTHING } do
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
    local value, err, list = call_go(route, req)
    return false, value, err, nil, list, key
  end
  local body, status, headers = route.spec[1](req)
  return false, body, status, headers, false, key
end

local function default_key(req)
  return req.query == "" and req.path or req.path .. "?" .. req.query
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

---Answers one request. Run it in a coroutine if handlers yield.
---@param request goloader.Request|table|string method, path, query, headers, body; a text is the address of a GET
---@return goloader.Response
function Router:handle(request)
  local req = request ---@type goloader.Request
  if type(req) == "string" then req = { path = req } end
  req.method = req.method or "GET"
  if not req.query then
    local path, query = req.path:match("^([^?]*)%??(.*)$")
    req.path, req.query = path, query
  end
  local route, params = find(self.tree, req.method, req.path)
  if not route then
    if next(params) == nil then return plain(404) end
    local allowed = {}
    for method in pairs(params) do allowed[#allowed + 1] = method end
    table.sort(allowed)
    return plain(405, nil, { Allow = concat(allowed, ", ") })
  end
  req.route, req.params = route, params
  setmetatable(req, Request)

  local ok, first, body, status, headers, list, key = protect(run, self, route, req)
  local res
  if not ok then
    res = fail(self, route, req, first.raised, first.traceback)
  elseif type(first) == "table" then
    res = first
  elseif not first and body == nil and status ~= nil and type(status) ~= "number" then
    -- nil and an error, as Go functions return it; or nil, a message and the error, as the loader's functions do
    res = fail(self, route, req, errors.is_object(headers) and headers or status)
  else
    local kind = not first and route.spec.type or nil
    local made
    made, res = pcall(respond, self, kind, body, status, headers, list)
    if not made then
      res = fail(self, route, req, res)
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

-- ---- declaring ------------------------------------------------------------------------------------------------------

local function callable(value)
  local meta = getmetatable(value)
  return type(value) == "function" or type(meta) == "table" and meta.__call ~= nil
end

---Where the routes file stands, for messages.
local function declared_at()
  for level = 3, 8 do
    local info = debug.getinfo(level, "Sl")
    if not info then break end
    if info.currentline > 0 and info.source ~= debug.getinfo(1, "S").source then
      return ("%s:%d"):format(info.short_src, info.currentline)
    end
  end
  return "?"
end

local KNOWN = { cache = "", before = "table", on_error = "function", type = "string" }

---Declares a route; raises when the declaration makes no sense.
---@param method string
---@param pattern string "/list/:category", "/static/*path"
---@param spec goloader.RouteSpec|goloader.Handler|goloader.Ref
---@return goloader.Route
function Router:route(method, pattern, spec)
  local where = declared_at()
  local function wrong(text, ...)
    error(("%s: %s %s: %s"):format(where, method, tostring(pattern), text:format(...)), 0)
  end
  if type(pattern) ~= "string" or pattern:sub(1, 1) ~= "/" then wrong("a pattern starts with /") end
  if callable(spec) then spec = { spec } end
  if type(spec) ~= "table" then wrong("a table with a handler expected, got %s", type(spec)) end
  if not callable(spec[1]) then wrong("a handler expected, got %s", type(spec[1])) end
  for key, value in pairs(spec) do
    local want = KNOWN[key]
    if key ~= 1 and not want then wrong("there is no option %s", tostring(key)) end
    if key ~= 1 and want ~= "" and type(value) ~= want then wrong("%s must be a %s, got %s", key, want, type(value)) end
  end
  for i, filter in ipairs(spec.before or NOTHING) do
    if not callable(filter) or slots.target(filter) then wrong("before[%d] must be a Lua function", i) end
  end

  local route = { method = method, pattern = pattern, spec = spec, where = where }
  if spec.cache ~= nil then
    if method ~= "GET" then wrong("only the answers of GET can be kept") end
    local options = type(spec.cache) == "table" and spec.cache or { ttl = spec.cache }
    local copy = { clock = self.options.clock }
    for key, value in pairs(options) do copy[key] = value end
    local ok, made = pcall(cache.new, copy)
    if not ok then wrong("%s", (made:gsub("^.-cache: ", ""))) end
    route.cache, route.key = made, options.key or default_key
  end
  local err
  route.names, err = names_of(pattern)
  if err then wrong("%s", err) end

  route.slot, route.func = slots.target(spec[1])
  if route.slot then
    route.plans = setmetatable({}, { __mode = "k" })
    local version = route.slot:settle()
    local plan, why = plan_call(route, version)
    if not plan then error(where .. ": " .. why, 0) end
    route.plans[version] = plan
  end
  err = insert(self.tree, route)
  if err then wrong("%s", err) end
  self.routes[#self.routes + 1] = route
  return route
end

---@class goloader.ModuleSpec: goloader.BuildOptions
---@field [1] string a Go file, a folder with a package, or an object
---@field ready? fun(module: goloader.Module): any, any prepares each new version before it takes over

---Declares a module: compiles and loads it, and from then on stands for its version of the moment.
---@param spec string|goloader.ModuleSpec
---@return goloader.Slot? slot
---@return string? message
---@return goloader.Error? err
function Router:module(spec)
  if type(spec) == "string" then spec = { spec } end
  if type(spec) ~= "table" or type(spec[1]) ~= "string" then
    error("module: the name of a Go file or folder expected", 2)
  end
  local host, name = self.options.host, spec[1]
  if not host then error("module: the router was made without a host", 2) end
  local path = name
  if path:sub(1, 1) ~= "/" and self.root then path = self.root .. "/" .. path end
  for _, slot in ipairs(self.slots) do
    if slot.path == path then return slot end
  end

  local owner = self.owner or self
  local watched = watch.new(path)
  local slot, err = slots.new {
    name = name,
    clock = self.options.clock,
    ready = spec.ready,
    on_change = self.options.on_change,
    load = function(pause)
      if path:find("%.[oa]$") then return host:load(path) end
      local options = { pause = pause }
      for key, value in pairs(spec) do
        if type(key) == "string" and key ~= "ready" then options[key] = value end
      end
      return host:build(path, options)
    end,
    check = function(slot, version)
      local plans = {}
      for _, route in ipairs(owner.routes) do
        if route.slot == slot then
          local plan, why = plan_call(route, version)
          if not plan then return nil, { code = "mismatch", message = why } end
          plans[route] = plan
        end
      end
      for route, plan in pairs(plans) do route.plans[version] = plan end
      return true
    end,
    on_swap = function(slot)
      for _, route in ipairs(owner.routes) do
        if route.cache then route.cache:invalidate(slot) end
      end
    end,
  }
  if not slot then return errors.fail(err) end
  slot.path, slot.watched = path, watched
  table.insert(self.slots, slot)
  return slot
end

---Runs a routes file. When it fails, nothing of it stays.
---@param file string
---@return true? ok
---@return string? message
---@return goloader.Error? err
function Router:load(file)
  local draft = setmetatable({
    owner = self,
    options = self.options,
    tree = new_node(),
    filters = {},
    routes = {},
    slots = {},
    root = self.options.root or file:match("^(.*)/[^/]*$") or ".",
  }, Router)
  for _, route in ipairs(self.routes) do
    insert(draft.tree, route)
    table.insert(draft.routes, route)
  end
  for _, slot in ipairs(self.slots) do table.insert(draft.slots, slot) end
  for _, filter in ipairs(self.filters) do table.insert(draft.filters, filter) end
  draft.error_handler = self.error_handler

  local names = {
    root = draft.root,
    route = function(method, pattern)
      return function(spec) return draft:route(method, pattern, spec) end
    end,
    module = function(spec)
      local slot, _, err = draft:module(spec)
      return slot or error(err, 0)
    end,
    before = function(filter)
      if not callable(filter) or slots.target(filter) then error("before: a Lua function expected", 2) end
      table.insert(draft.filters, filter)
    end,
    on_error = function(handler)
      if not callable(handler) then error("on_error: a function expected", 2) end
      draft.error_handler = handler
    end,
  }
  for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE" } do
    names[method:lower()] = function(pattern)
      return function(spec) return draft:route(method, pattern, spec) end
    end
  end
  setmetatable(names, { __index = _G })

  local chunk, err = loadfile(file, "t", names)
  if not chunk then return errors.fail(err) end
  if setfenv then setfenv(chunk, names) end
  local ok, failure = pcall(chunk)
  if not ok then
    for i = #self.slots + 1, #draft.slots do draft.slots[i]:close() end
    return errors.fail(failure)
  end
  self.tree, self.routes, self.slots, self.filters = draft.tree, draft.routes, draft.slots, draft.filters
  self.error_handler = draft.error_handler
  return true
end

---Looks after the modules: those whose files changed are loaded anew, and old versions that are free are unloaded.
---@param pause? fun() called again and again while the compiler works, to let requests go on; it may yield
---@return integer swapped how many modules have a new version
---@return table<goloader.Slot, goloader.Error> failed why others kept their old one
function Router:poll(pause)
  local swapped, failed = 0, {}
  for _, slot in ipairs(self.slots) do
    if slot.version and not slot.loading and slot.watched:changed() then
      local ok, _, err = slot:reload(pause)
      if ok then swapped = swapped + 1 else failed[slot] = err end
    end
    slot:tidy()
  end
  return swapped, failed
end

---Takes all modules away.
---@return boolean gone false while one is still in use; `poll` tries again
function Router:close()
  local gone = true
  for _, slot in ipairs(self.slots) do gone = slot:close() and gone end
  return gone
end

---What the routes' caches have done so far, by "METHOD pattern".
---@return table<string, goloader.cache.Stats>
function Router:cache_stats()
  local stats = {}
  for _, route in ipairs(self.routes) do
    if route.cache then stats[route.method .. " " .. route.pattern] = route.cache:stats() end
  end
  return stats
end

local function default_encode()
  local ok, cjson = pcall(require, "cjson")
  if not ok then
    return function() error("to answer with JSON, install lua-cjson or give the router an encode function", 0) end
  end
  cjson = cjson.new()
  cjson.encode_sparse_array(true) -- a Go map[int]… may have any keys
  return cjson.encode
end

---@param options? goloader.router.Options
---@return goloader.Router
function M.new(options)
  local copy = {}
  for key, value in pairs(options or {}) do copy[key] = value end
  copy.encode = copy.encode or default_encode()
  copy.log = copy.log or function(line) io.stderr:write(line, "\n") end
  return setmetatable({
    options = copy, root = copy.root, tree = new_node(), filters = {}, routes = {}, slots = {},
  }, Router)
end

return M
