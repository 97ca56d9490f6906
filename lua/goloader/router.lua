-- Routes: which function answers which address, said in Lua.
--
--     local list = module { "list.go", ready = function(list) return list.Open "products.json" end }
--
--     get "/list/:category" { list.Render, cache = "30s", before = { auth } }
--
-- A routes file is a Lua program that sees a few more names:
--
--   get, post, put, patch, delete, options, any, route   declare routes, with patterns: "/list/:id", "/static/*path"
--   redirect, rewrite, mount                             lead elsewhere; have a handler for all below a prefix
--   group "/api" { … }, host "*.example.com" { … }       levels with a prefix, hosts, filters and options of their own
--   before, defaults, on_error, error_page               what holds for a level, or for all
--   filter "/admin/*rest" { before = { … } }             filters for paths, whatever answers there
--   module, root, response                               a Go module (reload/slot.lua); its folder; an answer by hand
--
-- A Go function is a handler as it is. Its parameters are filled by their names: Render(category, query string) gets
-- the :category of the address and the whole query string; a parameter `page int` gets the query string's page=…, and
-- a visitor who sends page=two gets status 400. That this works out is checked when the file is loaded and again,
-- before it takes over, for each new version of the module.
--
-- A file is checked as a whole before anything of it takes effect, and loading it again replaces what it declared. This
-- is what users see; beneath it, in routes/, declare.lua reads declarations, config.lua puts them together, tree.lua
-- finds the route of an address, handler.lua calls Go functions, answer.lua makes responses.

local check_options = require "goloader.options"
local answer = require "goloader.routes.answer"
local cached = require "goloader.routes.cached"
local config = require "goloader.routes.config"
local declare = require "goloader.routes.declare"
local errors = require "goloader.errors"
local handler = require "goloader.routes.handler"
local metrics = require "goloader.routes.metrics"
local modules = require "goloader.routes.modules"
local nearest = require "goloader.nearest"

local M = {}

---@class goloader.Request what handlers and filters get; add fields of your own as you like
---@field method string
---@field path string
---@field query string what stands behind the ?, not decoded
---@field params table<string, string> the parts of the address that the route names, decoded
---@field args table<string, string|string[]> the query string, decoded; a name that comes twice has a list
---@field cookies table<string, string>
---@field body? string
---@field headers? table<string, string>
---@field host? string
---@field remote? string the visitor's address
---@field route goloader.Route
---@field arm? goloader.Arm which of a split's handlers answers
---@field mount? string where the handler is mounted that sees a shorter path
---@field answer? goloader.Response for error pages: what they stand for

---@class goloader.Response do not change it: the same table may answer many requests
---@field status integer
---@field body? string
---@field headers table<string, string|string[]>
---@field stream? fun(write: fun(piece: string): true?, any) writes the body in pieces
---@field exec? string the location of nginx that answers instead
---@field exec_args? string the query string for that
---@field exec_gets? boolean it is asked by GET, or HEAD, and without the request's body
---@field exec_path? string the path that a location with a name gets, where the request's was rewritten
---@field cached? true it came from the route's cache
---@field bare? true it says no more than its status; an error page may stand in its place
---@field err? any why it is not what the visitor wanted

---A body, a status and headers; or nil and an error, as Go functions and the loader's return it
---@alias goloader.Handler fun(req: goloader.Request): any, any, table?

---@class goloader.RouteSpec
---@field [1] goloader.Handler|goloader.Ref a Lua function, or a function of a module
---@field cache? number|string|false|goloader.RouteCache "30s"; only answers with status 200 are kept
---@field before? (goloader.Handler|goloader.Ref)[] filters, in order; one that returns a body or a status answers
---@field on_error? fun(err: any, req: goloader.Request): any, any, table? answers when the handler fails; nil: as usual
---@field type? string the Content-Type (default: HTML for text, JSON for all else)
---@field when? table conditions on header, cookie and query; see conditions.lua
---@field timeout? number|string|false how long Go functions may take, by their context.Context; then status 504
---@field max_body? integer|string|false a longer body gets status 413
---@field waits? boolean Go functions may take long: they are called as jobs, and the coroutine yields
---@field from? table<string, string> where Go parameters come from: { token = "header X-Token", sid = "cookie sid" }
---@field etag? boolean answers have an ETag (those of a cache have one anyway)
---@field split? table in the handler's place: several, each with a share of the visitors; see split.lua
---@field redirect? string in the handler's place: where to, "/new/:id"
---@field rewrite? string in the handler's place: the address whose route answers
---@field exec? string in the handler's place: a location of nginx
---@field status? integer of a redirect
---@field query? boolean false: a redirect, a rewrite, a location does not get the query string
---@field strip? boolean of a mounted handler: it sees the path behind the prefix
---@field name? string for figures

---@class goloader.Route
---@field method string "*" is any
---@field pattern string
---@field hosts? string[]
---@field names string[] of its :params
---@field where string the file and line of its declaration
---@field target goloader.Target
---@field package matcher string the pattern as Lua's string library writes it
---@field package conditions goloader.Condition[]
---@field package holds? fun(req: goloader.Request): boolean
---@field package filters function[]
---@field package texts string[] what those are
---@field package pages? table<integer, function>
---@field package cached? goloader.CachedRoute

---@class goloader.router.Options
---@field host? goloader.Host what compiles and loads modules; needed where a routes file declares one
---@field root? string folder that module paths start from (default: the routes file's)
---@field clock? fun(): number seconds, for caches and for the times that on_change hears
---@field stopwatch? fun(): number seconds, for those times alone, where the clock is not of the finest
---@field encode? fun(value: any): string makes JSON (default: lua-cjson)
---@field log? fun(line: string) where failures are told (default: stderr)
---@field on_change? fun(change: goloader.Change) hears of modules loaded, swapped, kept and unloaded
---@field versions? goloader.Versions where modules' versions are kept and shared with other processes; nil: each router
---compiles for itself
---@field view? fun(module: goloader.Module): table what `ready` functions get in a module's place
---@field pausing? fun(): fun()|nil what lets others go on while a module is compiled that is new, if that can be
---@field condition? fun(): goloader.Condition how a request waits for another's page (default: it yields)
---@field background? fun(run: fun()): any, any runs something besides this request; nil and why, if it can't
---@field sleep? fun(seconds: number) waits, where pages are made by one of several processes
---@field stores? table<string, fun(name: string): goloader.Store?, string?> kinds of stores for caches: "shared"
---@field check_only? boolean it is asked for no pages: `ready` functions are not run
---@field kind_of? fun(module: table, name: string): "handler"|"middleware"|"func"|nil what an export is to net/http
---@field before_release? fun() is called before `release` lets go of something
---@field count? fun(tallies: table, measured: goloader.Metrics) adds what others have answered
---@field release? fun(module: table): boolean? has what handlers and middlewares of a module were bound to let go of
---it; false: it is needed still
---@field bind_handler? goloader.router.Bind has an http.Handler answer
---@field bind_middleware? goloader.router.Bind has a func(http.Handler) http.Handler filter: nil lets the request go on

---@alias goloader.router.Bind fun(module: table, name: string, options: table): (fun(req: goloader.Request): any)?, any

---@class goloader.Router
---@field options goloader.router.Options
---@field conf goloader.Configuration what requests use
---@field routes goloader.Route[]
---@field slots goloader.Slot[]
---@field root? string
---@field measured goloader.Metrics
---@field package units goloader.Unit[] the program's own first, then those of routes files
---@field package leaving { conf: goloader.Configuration, slots: goloader.Slot[] }[] modules that no file has any more
local Router = {}
Router.__index = Router

-- ---- modules --------------------------------------------------------------------------------------------------------

---Does a new version still have what is called of it? What is found out about that is kept with the calls.
---@param slot goloader.Slot
---@param version goloader.Version
---@return true? fits
---@return table? err
function Router:fits(slot, version)
  local plans = {}
  for _, call in ipairs(self.conf.calls) do
    if call.slot == slot then
      local plan, why = handler.plan(call, version)
      if not plan then return nil, { code = "mismatch", message = why } end
      plans[call] = plan
    end
  end
  for call, plan in pairs(plans) do call.plans[version] = plan end
  return true
end

---A new version stands: pages that the one before it made have to go.
---@param slot goloader.Slot
function Router:swapped(slot)
  for _, route in ipairs(self.conf.routes) do
    local store = route.cached and route.cached.store
    if store and store.tables then store:purge(slot) end
  end
end

local specs = setmetatable({}, { __mode = "k" }) ---@type table<goloader.Slot, table> how slots were declared

-- Is it another module, though its name is the same? What `ready` does may change without that.
local function differs(one, other)
  for key, value in pairs(one) do
    if key ~= "ready" and other[key] ~= value then return true end
  end
  for key in pairs(other) do
    if key ~= "ready" and one[key] == nil then return true end
  end
  return false
end

---Declares a module in a routes file that is being read.
---@package
---@param draft goloader.Draft
---@param spec string|goloader.ModuleSpec
---@return goloader.Slot? slot
---@return string? message
---@return goloader.Error? err
function Router.declare_module(_, draft, spec)
  if type(spec) == "string" then spec = { spec } end
  if type(spec) == "table" and draft.options.check_only then
    local copy = {}
    for key, value in pairs(spec) do copy[key] = key ~= "ready" and value or nil end
    spec = copy
  end
  if type(spec) == "table" then
    for i = #draft.slots, 1, -1 do -- one that the file declares otherwise now is not the same any more
      local slot = draft.slots[i]
      local before = draft.replaced and draft.replaced[slot] and specs[slot]
      if before and before[1] == spec[1] and differs(before, spec) then table.remove(draft.slots, i) end
    end
  end
  local count = #draft.slots
  local slot, err = modules.declare(draft, spec)
  if not slot then return errors.fail(err) end
  if #draft.slots > count then
    draft.made[#draft.made + 1] = slot
    specs[slot] = spec
  elseif draft.replaced and draft.replaced[slot] then
    draft.ready[slot] = spec.ready or false
  end
  table.insert(draft.unit.slots, slot)
  return slot
end

---Declares a module: compiles and loads it, and from then on stands for its version of the moment.
---@param spec string|goloader.ModuleSpec
---@return goloader.Slot? slot
---@return string? message
---@return goloader.Error? err
function Router:module(spec)
  local before = #self.slots
  local draft = { options = self.options, root = self.root, slots = self.slots, owner = self }
  local slot, err = modules.declare(draft, spec)
  if not slot then return errors.fail(err) end
  if #self.slots > before then table.insert(self.units[1].slots, slot) end
  return slot
end

-- ---- declaring ------------------------------------------------------------------------------------------------------

-- All that is declared becomes what requests use.
local function use(self, conf)
  self.conf, self.routes, self.slots = conf, conf.routes, conf.slots
end

---Declares a route; raises when the declaration makes no sense.
---@param method string
---@param pattern string "/list/:category", "/static/*path"
---@param spec goloader.RouteSpec|goloader.Handler|goloader.Ref
---@return goloader.Route
function Router:route(method, pattern, spec)
  local draft = declare.new(self)
  local entry = draft:route(method, pattern, spec, declare.position())
  draft:finish()
  if draft.mistakes[1] then error(draft.mistakes[1], 0) end
  local route = entry.route
  local err = config.add(self.conf, route)
  if err then error(("%s: %s %s: %s"):format(route.where, route.method, route.pattern, err), 0) end
  table.insert(self.units[1].routes, route)
  for _, call in ipairs(draft.unit.calls) do
    table.insert(self.units[1].calls, call)
    table.insert(self.conf.calls, call)
  end
  return route
end

-- What a routes file calls and nobody has defined: the name that was meant, perhaps.
local function with_hint(failure, names)
  local name = type(failure) == "string" and failure:match "nil value" and failure:match "global '([%w_]+)'"
  local near = name and nearest(name, names)
  return near and ("%s; did you mean %s?"):format(failure, near) or failure
end

-- Modules that no routes file declares any more are closed when no request needs them.
local function close_leaving(self)
  for i = #self.leaving, 1, -1 do
    local entry = self.leaving[i]
    if next(entry.conf.users) == nil then
      local gone = true
      for _, slot in ipairs(entry.slots) do gone = slot:close() and gone end
      if gone then table.remove(self.leaving, i) end
    end
  end
end

-- Puts a unit in the place of the one that the same file made before.
local function with_unit(self, unit)
  local units, at = {}, nil
  for i, other in ipairs(self.units) do
    units[i] = other
    if other.file == unit.file then at = i end
  end
  units[at or #units + 1] = unit
  return units, at and self.units[at]
end

---Runs a routes file and puts what it declares in the place of what the same file declared before. When it fails,
---nothing of it stays, and what was there goes on.
---@param file string
---@return true? ok
---@return string? message one line for each mistake
---@return goloader.Error? err with the lines in `mistakes`
function Router:load(file)
  local draft = declare.new(self, file)
  draft.root = self.options.root or file:match "^(.*)/[^/]*$" or "."
  draft.made, draft.ready, draft.replaced = {}, {}, {}
  for _, slot in ipairs(self.slots) do table.insert(draft.slots, slot) end
  local units, before = with_unit(self, draft.unit)
  for _, slot in ipairs(before and before.slots or {}) do draft.replaced[slot] = true end
  local names = draft:names()

  local chunk, failure = loadfile(file, "t", setmetatable(names, { __index = _G }))
  local ok = chunk ~= nil
  if chunk then
    if setfenv then setfenv(chunk, names) end
    ok, failure = pcall(chunk)
    failure = not ok and with_hint(failure, names) or nil
  end
  local conf
  if ok then
    draft:finish()
    conf = config.new(self, units, function(route, err)
      draft:wrong(route.where, ("%s %s"):format(route.method, route.pattern), err)
    end)
  end
  if not ok or draft.mistakes[1] then
    for _, slot in ipairs(draft.made) do slot:close() end
    if not draft.mistakes[1] then return errors.fail(failure) end
    if failure then table.insert(draft.mistakes, tostring(failure)) end
    return errors.fail { code = "lua", message = table.concat(draft.mistakes, "\n"), mistakes = draft.mistakes }
  end

  local old, stays, leaving = self.conf, {}, {}
  for slot, ready in pairs(draft.ready) do slot.options.ready = ready or nil end
  for _, slot in ipairs(conf.slots) do stays[slot] = true end
  for _, slot in ipairs(old.slots) do
    if not stays[slot] then leaving[#leaving + 1] = slot end
  end
  self.units = units
  use(self, conf)
  if #leaving > 0 then table.insert(self.leaving, { conf = old, slots = leaving }) end
  close_leaving(self)
  return true
end

-- ---- answering ------------------------------------------------------------------------------------------------------

---Answers one request. Run it in a coroutine if handlers yield.
---@param request goloader.Request|table|string method, path, query, headers, body; a text is the address of a GET
---@return goloader.Response
function Router:handle(request)
  local figures = self.measured
  local started = figures.clock()
  if type(request) == "string" then request = { path = request } end
  local res = answer.handle(self, request)
  if res.served then return res end -- those who have served it count it
  figures:observe(request.route, request.module_version, res.status, figures.clock() - started)
  return res
end

---Runs the filters for a request that something else answers: a location of nginx with proxy_pass, or `handle`, which
---then runs them no more. Redirects and routes that lead to a location of nginx are answered here.
---@param request goloader.Request|table|string
---@return goloader.Response? response nil: the request goes on
function Router:access(request)
  return answer.access(self, request)
end

---Looks after the modules: those whose files changed are loaded anew, and old versions that are free are unloaded.
---@param pause? fun() called again and again while the compiler works, to let requests go on; it may yield
---@return integer swapped how many modules have a new version
---@return table<goloader.Slot, goloader.Error> failed why others kept their old one
function Router:poll(pause)
  local swapped, failed = 0, {}
  for _, slot in ipairs(self.slots) do
    local new, err = slot:poll(pause)
    swapped, failed[slot] = swapped + new, err
  end
  close_leaving(self)
  return swapped, failed
end

---Takes all modules away.
---@return boolean gone false while one is still in use; `poll` tries again
function Router:close()
  local gone = true
  for _, slot in ipairs(self.slots) do gone = slot:close() and gone end
  close_leaving(self)
  return gone and #self.leaving == 0
end

---Figures of this process (metrics.lua): requests, modules, calls, Go's memory.
---@param format? "text"|"tree" as Prometheus reads them (default), or as tables, for JSON
---@return string|table
function Router:metrics(format)
  local snapshot = self.measured:snapshot(self.options.host, self.slots, self.routes)
  return format == "tree" and metrics.tree(snapshot) or metrics.text(snapshot)
end

local PURGE = { tag = "string table", key = true, all = "boolean", route = "string" }

---Takes pages out of the routes' caches: those of a tag, that of a key (path and query string, or what the route's own
---key function says), or all. Stores that other processes share lose them for all.
---@param what { tag?: string|string[], key?: any, all?: true, route?: string } route: of this one only, "GET /list/:id"
---@return integer gone as far as the stores can tell
function Router:purge(what)
  if type(what) ~= "table" or what.tag == nil and what.key == nil and not what.all then
    error("purge: a table with tag, key or all expected", 2)
  end
  check_options("purge", what, PURGE)
  local gone, seen = 0, {}
  for _, route in ipairs(self.conf.routes) do
    local self_route = what.route == nil or what.route == route.method .. " " .. route.pattern
    if route.cached and self_route then
      local first = not seen[route.cached.store]
      seen[route.cached.store] = true
      for _, tag in ipairs(first and (type(what.tag) == "table" and what.tag or { what.tag }) or {}) do
        gone = gone + cached.purge(route.cached, { tag = tag })
      end
      gone = gone + cached.purge(route.cached, { key = what.key, all = first and what.all or nil })
    end
  end
  return gone
end

---What the routes' caches have done so far, by "METHOD pattern".
---@return table<string, goloader.cache.Stats>
function Router:cache_stats()
  local stats = {}
  for _, route in ipairs(self.routes) do
    if route.cached then stats[route.method .. " " .. route.pattern] = cached.stats(route.cached) end
  end
  return stats
end

-- Lua's tables.
local function encode_tables()
  local ok, cjson = pcall(require, "cjson")
  if not ok then
    return function() error("to answer with JSON, install lua-cjson or give the router an encode function", 0) end
  end
  cjson = cjson.new()
  cjson.encode_sparse_array(true) -- a Go map[int]… may have any keys
  return cjson.encode
end

-- What is Go's is written by Go's encoding/json, where the host has that: it knows tags of fields, times, and types
-- that marshal themselves. The second function says whether it has.
---@param host goloader.Host|nil  nil: the process's
local function default_encode(host)
  local encode, json = encode_tables(), nil
  local function has_json()
    if json == nil then
      local its = host or require("goloader").host()
      json = its and its.std and its:std "encoding/json" or false
    end
    return json ~= false
  end
  return function(value)
    if type(value) ~= "userdata" and type(value) ~= "cdata" or not has_json() then return encode(value) end
    local text, err = json.Marshal(value)
    if not text then error(tostring(err), 0) end
    return text
  end, has_json
end

local function never() return false end

---What `new` takes.
M.OPTIONS = {
  host = "table", root = "string", clock = "function", stopwatch = "function", encode = "function", log = "function",
  on_change = "function", versions = "table", view = "function", pausing = "function", condition = "function",
  background = "function", sleep = "function", stores = "table", check_only = "boolean", kind_of = "function",
  release = "function", before_release = "function", count = "function", bind_handler = "function",
  bind_middleware = "function",
}

---Is it a router?
---@param value any
---@return boolean
function M.is_one(value) return getmetatable(value) == Router end

---@param options? goloader.router.Options
---@return goloader.Router
function M.new(options)
  local copy = check_options("goloader.router.new", options, M.OPTIONS)
  -- keeps: does what Go functions answer stay in Go till it is encoded?
  if copy.encode then copy.keeps = never else copy.encode, copy.keeps = default_encode(copy.host) end
  copy.log = copy.log or function(line) io.stderr:write(line, "\n") end
  local router = setmetatable({ options = copy, root = copy.root, leaving = {} }, Router)
  router.measured = metrics.new(copy.stopwatch)
  local on_change = copy.on_change
  function copy.on_change(change)
    router.measured:change(change)
    if on_change then on_change(change) end
  end
  router.units = { config.unit() }
  use(router, config.new(router, router.units))
  return router
end

return M
