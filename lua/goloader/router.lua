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
-- This file is what users see: it declares routes and looks after modules. Beneath it, in routes/, tree.lua finds the
-- route of an address, request.lua reads requests, handler.lua calls Go functions, answer.lua makes responses.

local answer = require "goloader.routes.answer"
local cache = require "goloader.routes.cache"
local errors = require "goloader.errors"
local handler = require "goloader.routes.handler"
local modules = require "goloader.routes.modules"
local slots = require "goloader.routes.slot"
local tree = require "goloader.routes.tree"

local M = {}

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
---@field stopwatch? fun(): number seconds, for those times alone, where the clock is not of the finest
---@field encode? fun(value: any): string makes JSON (default: lua-cjson)
---@field log? fun(line: string) where failures are told (default: stderr)
---@field on_change? fun(change: goloader.Change) hears of modules loaded, swapped, kept and unloaded
---@field versions? goloader.Versions where modules' versions are kept and shared with other processes; nil: each router
---compiles for itself
---@field view? fun(module: goloader.Module): table what `ready` functions get in a module's place

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

local function default_key(req)
  return req.query == "" and req.path or req.path .. "?" .. req.query
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
  for i, filter in ipairs(spec.before or {}) do
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
  route.names, err = tree.names_of(pattern)
  if err then wrong("%s", err) end

  route.slot, route.func = slots.target(spec[1])
  if route.slot then
    route.plans = setmetatable({}, { __mode = "k" })
    local version = route.slot:settle()
    local plan, why = handler.plan(route, version)
    if not plan then error(where .. ": " .. why, 0) end
    route.plans[version] = plan
  end
  err = tree.insert(self.tree, route)
  if err then wrong("%s", err) end
  self.routes[#self.routes + 1] = route
  return route
end

---Does a new version still have what is called of it? What is found out about that is kept with the routes.
---@param slot goloader.Slot
---@param version goloader.Version
---@return true? fits
---@return table? err
function Router:fits(slot, version)
  local plans = {}
  for _, route in ipairs(self.routes) do
    if route.slot == slot then
      local plan, why = handler.plan(route, version)
      if not plan then return nil, { code = "mismatch", message = why } end
      plans[route] = plan
    end
  end
  for route, plan in pairs(plans) do route.plans[version] = plan end
  return true
end

---A new version stands: pages that the one before it made have to go.
---@param slot goloader.Slot
function Router:swapped(slot)
  for _, route in ipairs(self.routes) do
    if route.cache then route.cache:invalidate(slot) end
  end
end

---Declares a module: compiles and loads it, and from then on stands for its version of the moment.
---@param spec string|goloader.ModuleSpec
---@return goloader.Slot? slot
---@return string? message
---@return goloader.Error? err
function Router:module(spec)
  local slot, err = modules.declare(self, spec)
  if not slot then return errors.fail(err) end
  return slot
end

-- What a routes file sees besides Lua's own names.
---@param draft goloader.Router
local function names_for(draft)
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
    on_error = function(answers)
      if not callable(answers) then error("on_error: a function expected", 2) end
      draft.error_handler = answers
    end,
  }
  for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE" } do
    names[method:lower()] = function(pattern)
      return function(spec) return draft:route(method, pattern, spec) end
    end
  end
  return setmetatable(names, { __index = _G })
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
    tree = tree.new(),
    filters = {},
    routes = {},
    slots = {},
    root = self.options.root or file:match("^(.*)/[^/]*$") or ".",
  }, Router)
  for _, route in ipairs(self.routes) do
    tree.insert(draft.tree, route)
    table.insert(draft.routes, route)
  end
  for _, slot in ipairs(self.slots) do table.insert(draft.slots, slot) end
  for _, filter in ipairs(self.filters) do table.insert(draft.filters, filter) end
  draft.error_handler = self.error_handler

  local names = names_for(draft)

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

---Answers one request. Run it in a coroutine if handlers yield.
---@param request goloader.Request|table|string method, path, query, headers, body; a text is the address of a GET
---@return goloader.Response
function Router:handle(request)
  return answer.handle(self, request)
end

---Looks after the modules: those whose files changed are loaded anew, and old versions that are free are unloaded.
---@param pause? fun() called again and again while the compiler works, to let requests go on; it may yield
---@return integer swapped how many modules have a new version
---@return table<goloader.Slot, goloader.Error> failed why others kept their old one
function Router:poll(pause)
  local swapped, failed = 0, {}
  for _, slot in ipairs(self.slots) do
    if slot.version and not slot.loading and slot.source:due() then
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
    options = copy, root = copy.root, tree = tree.new(), filters = {}, routes = {}, slots = {},
  }, Router)
end

return M
