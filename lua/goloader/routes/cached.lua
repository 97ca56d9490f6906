--- The cache of a route: which answers are kept, for how long, for whom, and what is shown meanwhile.
--
--  1. What is fresh is shown.
--  2. What is a little old is shown too (stale_while_revalidate), and one request has a new one made.
--  3. Of several requests that lack the same page one makes it; the others wait for that (flight.lua).
--  4. When making it fails, an old one may be shown in its place (stale_if_error).
--
-- Where entries lie is a matter of stores (stores.lua); what is said here holds for all of them.

local core = require "goloader.core"
local entry = require "goloader.routes.entry"
local flight = require "goloader.routes.flight"
local identity = require "goloader.routes.identity"
local protect = require("goloader.reload.protect").run
local requests = require "goloader.routes.request"
local response = require "goloader.routes.response"
local visits = require "goloader.reload.visits"

local cached = {}

local max = math.max

---@class goloader.CachedRoute
---@field store goloader.Store
---@field prefix string of keys in a store that several routes share
---@field ttl number
---@field lives table<integer, number> seconds by status
---@field stale number stale_while_revalidate
---@field usable number stale_if_error
---@field key? fun(req: goloader.Request): any
---@field vary? goloader.cache.Vary
---@field tags? string[]|fun(req: goloader.Request, res: goloader.Response): string[]?
---@field etag boolean
---@field patience number how long one waits for another's page
---@field clock fun(): number
---@field flights table<string, goloader.Flight>
---@field seen { hits: integer, misses: integer, stale: integer, waited: integer, failed: integer }

---@class goloader.cache.Vary
---@field header? string[] in lower case
---@field cookie? string[]
---@field query? string[]
---@field host? boolean

-- ---- keys -----------------------------------------------------------------------------------------------------------

local function argument(value)
  if type(value) == "table" then return table.concat(value, "\1") end
  return value or ""
end

-- The address, with the whole query string or those arguments that matter.
local function address(self, req)
  local names = self.vary and self.vary.query
  if not names then return req.query == "" and req.path or req.path .. "?" .. req.query end
  local parts = { req.path }
  for i, name in ipairs(names) do parts[i + 1] = ("%s=%s"):format(name, argument(req.args[name])) end
  return table.concat(parts, "\1")
end

local function add_vary(vary, req, key)
  local parts = { key }
  if vary.host then parts[#parts + 1] = requests.host(req) end
  for _, name in ipairs(vary.header or {}) do parts[#parts + 1] = requests.header(req, name) or "" end
  for _, name in ipairs(vary.cookie or {}) do parts[#parts + 1] = req.cookies[name] or "" end
  return table.concat(parts, "\2")
end

local LONG = 500 -- of a key that is kept as its hash

---@return any base what `purge` calls the page; nil: it is not to be kept
---@return any key with all that tells its variants apart
local function key_of(self, route, req)
  local base
  if self.key then base = self.key(req) else base = address(self, req) end
  if base == nil then return nil end
  local key = base
  if self.vary then key = add_vary(self.vary, req, tostring(key)) end
  if route.target.split then
    req.arm = route.target.split.choose(req)
    key = tostring(key) .. "\2" .. req.arm.name
  end
  if not self.store.tables then key = self.prefix .. tostring(key) end
  if type(key) == "string" and #key > LONG then key = core.hash(key) end
  return base, key
end

-- ---- reading and keeping --------------------------------------------------------------------------------------------

-- A store that others share may have pages of versions that do not stand here.
local function is_current(kept, conf)
  for path, made_by in pairs(kept.modules) do
    if identity.of_path(conf, path) ~= made_by then return false end
  end
  return true
end

---@return goloader.Entry?
local function read(self, conf, key)
  local store = self.store
  local kept = store:get(key)
  if kept == nil or store.tables then return kept end
  kept = entry.unpack(kept)
  if kept and kept.modules and not is_current(kept, conf) then return nil end
  return kept
end

local function has(list, word) return list ~= nil and tostring(list):lower():find(word, 1, true) ~= nil end

-- How long a response may be kept; nil: not at all.
local function life_of(self, req, res)
  local life = self.lives[res.status]
  if not life or res.stream or res.exec or type(res.body) ~= "string" then return nil end
  if req.visit and not visits.is_current(req.visit) then return nil end
  local headers = res.headers
  local control = headers["Cache-Control"] or headers["cache-control"]
  if headers["Set-Cookie"] or headers["set-cookie"] or has(control, "no-store") or has(control, "private") then
    return nil
  end
  return life
end

-- An entry of a response, with the headers that a cache adds.
local function entry_of(self, res, life)
  local headers = {}
  for name, value in pairs(res.headers) do headers[name] = value end
  if self.etag and res.status == 200 and not headers.ETag then headers.ETag = response.etag(res.body) end
  local vary = self.vary
  if vary and (vary.header or vary.cookie) and not headers.Vary then
    local names = {}
    for i, name in ipairs(vary.header or {}) do names[i] = name end
    if vary.cookie then names[#names + 1] = "cookie" end
    headers.Vary = table.concat(names, ", ")
  end
  local now = self.clock()
  return response.new {
    status = res.status, body = res.body, headers = headers, cached = true, bare = res.bare,
    fresh = now + life, stale = now + life + self.stale, usable = now + life + self.usable,
  }
end

local function tags_of(self, req, res, base)
  local tags = {}
  local own = self.tags
  if type(own) == "function" then own = own(req, res) end
  for _, tag in ipairs(own or {}) do tags[#tags + 1] = tostring(tag) end
  if self.vary or req.arm then tags[#tags + 1] = "key:" .. self.prefix .. tostring(base) end
  return tags
end

---Keeps a response, if it is one to be kept.
---@return goloader.Entry? kept
local function keep(self, conf, req, res, base, key, epoch)
  local life = life_of(self, req, res)
  if not life then return nil end
  local ok, tags = protect(tags_of, self, req, res, base)
  if not ok then
    conf.router.options.log(("%s %s: the cache's tags: %s"):format(req.method, req.path, tostring(tags.raised)))
    return nil
  end
  local kept, store = entry_of(self, res, life), self.store
  local versions = req.visit and visits.versions(req.visit) or {} -- no visit: there are no modules
  local value = kept
  if store.tables then
    for slot in pairs(versions) do tags[#tags + 1] = slot end
  else
    for slot, version in pairs(versions) do
      local made_by = identity.of(version)
      if not made_by then return kept end -- nobody else could know whether it is still right
      kept.modules = kept.modules or {}
      kept.modules[slot.path] = made_by
    end
    value = entry.pack(kept)
    if not value then return kept end
  end
  store:set(key, value, { ttl = life + max(self.stale, self.usable), tags = tags, cost = #res.body, epoch = epoch })
  return kept
end

-- ---- answering ------------------------------------------------------------------------------------------------------

---@class goloader.Producer how a page is made
---@field produce fun(conf: goloader.Configuration, route: goloader.Route, req: goloader.Request): goloader.Response
---@field leave fun(conf: goloader.Configuration, req: goloader.Request)

-- In a store that others share, somebody in another process may be making the page.
local function wait_for_others(self, conf, key)
  local store, sleep = self.store, conf.router.options.sleep
  if not store.claim or not sleep then return nil end
  local till, pause = self.clock() + self.patience, 0.002
  while not store:claim(key, self.patience) do
    if self.clock() >= till then return nil end
    sleep(pause)
    pause = math.min(pause * 1.5, 0.05)
    local kept = read(self, conf, key)
    if kept and kept.fresh > self.clock() then return kept end
  end
  return nil, true
end

-- The same for the one who has made it.
local function made_now(kept)
  return response.new { status = kept.status, body = kept.body, headers = kept.headers, bare = kept.bare }
end

-- Makes the page, while the others wait.
local function lead(self, conf, route, req, how, base, key, old)
  local mine = flight.new(conf.router.options, self.clock)
  self.flights[key] = mine
  local kept, claimed = wait_for_others(self, conf, key)
  local res = kept
  if not res then
    local epoch = self.store.epoch and self.store:epoch()
    res = how.produce(conf, route, req)
    if res.status >= 500 and old and old.usable > self.clock() then
      self.seen.failed = self.seen.failed + 1
      res, kept = old, old
    else
      kept = keep(self, conf, req, res, base, key, epoch)
      if kept then res = made_now(kept) end
    end
  end
  if claimed then self.store:release(key) end
  if self.flights[key] == mine then self.flights[key] = nil end
  flight.land(mine, kept)
  return res
end

-- A request that goes on when its client has been answered.
local function detached(req)
  local copy = {}
  for _, name in ipairs { "headers", "host", "remote", "scheme" } do copy[name] = req[name] end
  for name, value in next, req do copy[name] = value end
  copy.visit, copy.visitor, copy.ngx, copy.get_header, copy.set_cookie = nil, nil, nil, nil, nil
  return requests.read(copy)
end

-- Has a new page made, while the old one is shown.
local function refresh(self, conf, route, req, how, base, key, old)
  local background = conf.router.options.background
  local mine = flight.new(conf.router.options, self.clock)
  self.flights[key] = mine -- until the background begins
  local copy = detached(req)
  local ok, err = background(function()
    if self.flights[key] == mine then self.flights[key] = nil end
    flight.land(mine)
    lead(self, conf, route, copy, how, base, key, old)
    how.leave(conf, copy)
  end)
  if not ok then
    self.flights[key] = nil
    conf.router.options.log(("%s %s: no new page can be made: %s"):format(req.method, req.path, tostring(err)))
  end
end

---Answers a request, from the cache or by making the page.
---@param self goloader.CachedRoute
---@param conf goloader.Configuration
---@param route goloader.Route
---@param req goloader.Request
---@param how goloader.Producer
---@return goloader.Response
function cached.answer(self, conf, route, req, how)
  local base, key = key_of(self, route, req)
  if key == nil then return how.produce(conf, route, req) end
  local seen = self.seen
  local kept = read(self, conf, key)
  local now = kept and self.clock()
  if kept and kept.fresh > now then
    seen.hits = seen.hits + 1
    return kept
  end
  local flying = self.flights[key]
  if kept and kept.stale > now and (flying or conf.router.options.background) then
    seen.stale = seen.stale + 1
    if not flying then refresh(self, conf, route, req, how, base, key, kept) end
    return kept
  end
  seen.misses = seen.misses + 1
  if flying and flying.alive() then
    seen.waited = seen.waited + 1
    if flight.wait(flying, self.patience) then
      if flying.shared then return flying.shared end
      return how.produce(conf, route, req) -- it is not one to be kept: nobody need wait for the others
    end
  end
  return lead(self, conf, route, req, how, base, key, kept)
end

-- ---- from outside ---------------------------------------------------------------------------------------------------

---Takes pages out.
---@param self goloader.CachedRoute
---@param what { tag?: string, key?: any, all?: true }
---@return integer gone as far as the store can tell
function cached.purge(self, what)
  local store, gone = self.store, 0
  if what.tag ~= nil then gone = gone + store:purge(tostring(what.tag)) end
  if what.key ~= nil then
    gone = gone + store:purge("key:" .. self.prefix .. tostring(what.key))
    local key = what.key
    if not store.tables then key = self.prefix .. tostring(key) end
    if type(key) == "string" and #key > LONG then key = core.hash(key) end
    if store:delete(key) then gone = gone + 1 end
  end
  if what.all then gone = gone + (store:clear() or 0) end
  return gone
end

---@param self goloader.CachedRoute
---@return table<string, integer>
function cached.stats(self)
  local stats = self.store:stats()
  for name, value in pairs(self.seen) do stats[name] = value end
  return stats
end

return cached
