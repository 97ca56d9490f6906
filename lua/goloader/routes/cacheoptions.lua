--- A route's option `cache`: "30s", or a table that says more.

local cache = require "goloader.routes.cache"
local nearest = require "goloader.nearest"
local stores = require "goloader.routes.stores"
local units = require "goloader.units"

local options = {}

---@class goloader.RouteCache
---@field ttl? number|string how long answers are fresh (default: for ever)
---@field stale_while_revalidate? number|string how long an old one is shown while a new one is made
---@field stale_if_error? number|string how long an old one is shown where making a new one fails
---@field status? table<integer, number|string> other statuses than 200 that are kept, { [404] = "10s" }
---@field vary? goloader.cache.Vary what tells answers apart besides the path: lists of names by header, cookie and
---query (those arguments alone; by default the whole query string), host = true
---@field key? fun(req: goloader.Request): any in the place of path and query string; nil: not kept
---@field tags? string[]|fun(req: goloader.Request, res: goloader.Response): string[]? by which `app:purge` finds them
---@field store? string|goloader.Store "memory" (default), "shared:NAME", or a table; see stores.lua
---@field size? integer how many entries there may be (default 1000)
---@field bytes? integer|string how much the bodies may weigh together
---@field etag? boolean answers have an ETag, and who has it gets status 304 (default: yes)
---@field wait? number|string how long one waits for the page that another makes (default 5 s)

local KNOWN = { ttl = true, stale_while_revalidate = true, stale_if_error = true, status = true, vary = true,
  key = true, tags = true, store = true, size = true, bytes = true, etag = true, wait = true }

local PATIENCE = 5 -- seconds

local function lives_of(ttl, by_status)
  local lives = { [200] = ttl }
  if by_status == nil then return lives end
  if type(by_status) ~= "table" then
    return nil, "cache: status must be a table, { [404] = \"10s\" }, got " .. type(by_status)
  end
  for status, life in pairs(by_status) do
    if type(status) ~= "number" or status < 200 or status > 599 or status % 1 ~= 0 then
      return nil, ("cache: status: a status from 200 to 599 expected, got %s"):format(tostring(status))
    end
    local seconds, err = units.duration(life)
    if not seconds then return nil, ("cache: status[%d]: %s"):format(status, err) end
    lives[status] = seconds
  end
  return lives
end

local VARY = { header = true, cookie = true, query = true, host = true }

local function vary_of(value, route)
  local vary = nil
  for _, host in ipairs(route.hosts or {}) do
    if host:sub(1, 1) == "*" or #route.hosts > 1 then vary = { host = true } end
  end
  if value == nil then return vary end
  if type(value) ~= "table" then return nil, "cache: vary must be a table, got " .. type(value) end
  vary = vary or {}
  for kind, names in pairs(value) do
    if not VARY[kind] then
      local near = nearest(kind, VARY)
      return nil, ("cache: vary: there is no %s%s"):format(tostring(kind), near and ("; did you mean %s?"):format(near)
        or "; there are header, cookie, query and host")
    elseif kind == "host" then
      vary.host = names and true or nil
    else
      if type(names) == "string" then names = { names } end
      if type(names) ~= "table" then return nil, ("cache: vary.%s must be a list of names"):format(kind) end
      local list = {}
      for i, name in ipairs(names) do
        if type(name) ~= "string" then return nil, ("cache: vary.%s must be a list of names"):format(kind) end
        list[i] = kind == "header" and name:lower() or name
      end
      vary[kind] = list
    end
  end
  return vary
end

---@param value any
---@param route goloader.Route
---@param hooks goloader.router.Options
---@return goloader.CachedRoute?
---@return string? err
function options.read(value, route, hooks)
  if type(value) ~= "table" then value = { ttl = value } end
  for name in pairs(value) do
    if not KNOWN[name] then
      local near = nearest(name, KNOWN)
      return nil, ("cache: there is no option %s%s"):format(tostring(name), near and ("; did you mean %s?"):format(near)
        or "")
    end
  end
  local times = {}
  for _, name in ipairs { "ttl", "stale_while_revalidate", "stale_if_error", "wait" } do
    if value[name] ~= nil then
      local seconds, err = units.duration(value[name])
      if not seconds then return nil, ("cache: %s: %s"):format(name, err) end
      times[name] = seconds
    end
  end
  for name, kind in pairs { key = "function", etag = "boolean" } do
    if value[name] ~= nil and type(value[name]) ~= kind then
      return nil, ("cache: %s must be a %s, got %s"):format(name, kind, type(value[name]))
    end
  end
  if value.tags ~= nil and type(value.tags) ~= "table" and type(value.tags) ~= "function" then
    return nil, "cache: tags must be a list or a function, got " .. type(value.tags)
  end
  local vary, bytes, store
  local lives, err = lives_of(times.ttl or math.huge, value.status)
  if not lives then return nil, err end
  vary, err = vary_of(value.vary, route)
  if err then return nil, err end
  if value.bytes ~= nil then
    bytes, err = units.size(value.bytes)
    if err then return nil, "cache: bytes: " .. err end
  end
  store, err = stores.open(value.store, { size = value.size, bytes = bytes }, hooks)
  if not store then return nil, err end
  return {
    store = store, prefix = ("%s %s %s\n"):format(table.concat(route.hosts or {}, ","), route.method, route.pattern),
    lives = lives, stale = times.stale_while_revalidate or 0, usable = times.stale_if_error or 0, key = value.key,
    vary = vary, tags = value.tags, etag = value.etag ~= false, patience = times.wait or PATIENCE,
    clock = hooks.clock or cache.default_clock(), flights = {},
    seen = { hits = 0, misses = 0, stale = 0, waited = 0, failed = 0 },
  }
end

return options
