--- A configuration: all that is declared, as requests use it.
--
-- It is put together anew from the files' declarations whenever one of them is loaded, and takes the place of the one
-- before as a whole. Requests that have begun with that one end with it.

local conditions = require "goloader.routes.conditions"
local hosts = require "goloader.routes.hosts"
local requests = require "goloader.routes.request"
local tree = require "goloader.routes.tree"

local config = {}

---@class goloader.Unit what one routes file declares, or the program itself
---@field file? string
---@field routes goloader.Route[]
---@field filters fun(req: goloader.Request)[] for all routes
---@field texts string[] what those filters are
---@field paths goloader.PathFilter[]
---@field pages table<integer, function>
---@field host_pages { name: string, pages: table<integer, function> }[]
---@field error_handler? function
---@field slots goloader.Slot[]
---@field calls goloader.Call[]

---@class goloader.PathFilter
---@field pattern string
---@field matcher string
---@field hosts? string[]
---@field holds? fun(req: goloader.Request): boolean
---@field filters function[]
---@field texts string[]
---@field max_body? integer
---@field where string

---@class goloader.HostEntry
---@field tree goloader.tree.Node
---@field pages table<integer, function>

---@class goloader.Configuration
---@field router goloader.Router
---@field tree goloader.tree.Node of routes for every host
---@field hosts? goloader.Hosts of goloader.HostEntry
---@field routes goloader.Route[]
---@field slots goloader.Slot[]
---@field calls goloader.Call[]
---@field filters function[]
---@field texts string[]
---@field paths? goloader.PathFilter[]
---@field pages? table<integer, function>
---@field error_handler? function
---@field users table<goloader.Visit, true> visits that go on with it; weak

---@return goloader.Unit
function config.unit(file)
  return { file = file, routes = {}, filters = {}, texts = {}, paths = {}, pages = {}, host_pages = {}, slots = {},
    calls = {} }
end

local function clash(earlier, later)
  if not conditions.cover(earlier.conditions, later.conditions) then return nil end
  if #earlier.conditions == 0 and #later.conditions == 0 then
    return ("%s declares %s %s already"):format(earlier.where, earlier.method, earlier.pattern)
  end
  return ("it can never answer: %s declares %s %s, which holds wherever this one does, before it"):format(
    earlier.where, earlier.method, earlier.pattern)
end

local function host_entry(conf, name)
  conf.hosts = conf.hosts or hosts.new()
  return hosts.entry(conf.hosts, name, function() return { tree = tree.new(), pages = {} } end)
end

---Adds a route.
---@param conf goloader.Configuration
---@param route goloader.Route
---@return string? err
function config.add(conf, route)
  for _, name in ipairs(route.hosts or {}) do
    local err = tree.insert(host_entry(conf, name).tree, route, clash)
    if err then return err end
  end
  if not route.hosts then
    local err = tree.insert(conf.tree, route, clash)
    if err then return err end
  end
  conf.routes[#conf.routes + 1] = route
end

local function append(list, more)
  for _, value in ipairs(more) do list[#list + 1] = value end
end

---Puts units together.
---@param router goloader.Router
---@param units goloader.Unit[]
---@param wrong fun(route: goloader.Route, err: string) told of routes that clash
---@return goloader.Configuration
function config.new(router, units, wrong)
  local conf = {
    router = router, tree = tree.new(), routes = {}, slots = {}, calls = {}, filters = {}, texts = {},
    users = setmetatable({}, { __mode = "k" }),
  }
  local seen = {}
  for _, unit in ipairs(units) do
    for _, route in ipairs(unit.routes) do
      local err = config.add(conf, route)
      if err then wrong(route, err) end
    end
    for _, slot in ipairs(unit.slots) do
      if not seen[slot] then conf.slots[#conf.slots + 1] = slot end
      seen[slot] = true
    end
    append(conf.calls, unit.calls)
    append(conf.filters, unit.filters)
    append(conf.texts, unit.texts)
    if #unit.paths > 0 then
      conf.paths = conf.paths or {}
      append(conf.paths, unit.paths)
    end
    for status, page in pairs(unit.pages) do
      conf.pages = conf.pages or {}
      conf.pages[status] = page
    end
    for _, entry in ipairs(unit.host_pages) do
      local pages = host_entry(conf, entry.name).pages
      for status, page in pairs(entry.pages) do pages[status] = page end
    end
    conf.error_handler = unit.error_handler or conf.error_handler
  end
  return conf
end

local function find_in(entry, req) return tree.find(entry.tree, req.method, req.path, req) end

---Finds the route that answers a request.
---@param conf goloader.Configuration
---@param req goloader.Request
---@return goloader.Route?
function config.find(conf, req)
  if conf.hosts then
    local route = hosts.ask(conf.hosts, requests.host(req), find_in, req)
    if route then return route end
  end
  return tree.find(conf.tree, req.method, req.path, req)
end

---All routes on the request's address, of all methods and whatever their conditions, in the order of asking.
---@param conf goloader.Configuration
---@param req goloader.Request
---@return goloader.Route[]
function config.candidates(conf, req)
  local found = {}
  if conf.hosts then
    hosts.ask(conf.hosts, requests.host(req), function(entry) append(found, tree.all(entry.tree, req.path)) end)
  end
  append(found, tree.all(conf.tree, req.path))
  return found
end

---The error page for a status: the route's, the host's, or that of all.
---@param conf goloader.Configuration
---@param route goloader.Route?
---@param req goloader.Request
---@param status integer
---@return function?
function config.page(conf, route, req, status)
  local page = route and route.pages and route.pages[status]
  if not page and conf.hosts then
    page = hosts.ask(conf.hosts, requests.host(req), function(entry) return entry.pages[status] end)
  end
  return page or conf.pages and conf.pages[status]
end

---Does a filter for paths concern this request?
---@param filter goloader.PathFilter
---@param req goloader.Request
---@return boolean
function config.concerns(filter, req)
  if not req.path:find(filter.matcher) or filter.holds and not filter.holds(req) then return false end
  if not filter.hosts then return true end
  local host = requests.host(req)
  for _, name in ipairs(filter.hosts) do
    if name == host or name:sub(1, 1) == "*" and host:sub(-#name + 1) == name:sub(2) and #host >= #name then
      return true
    end
  end
  return false
end

return config
