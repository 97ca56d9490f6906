-- A cache of results: what was computed a moment ago need not be computed again.
--
-- Three things end an entry. It grows old (ttl); it is the one not asked for the longest when there is no room left
-- (size, and bytes if the caller says what entries weigh); or what it was computed from changes: an entry may carry
-- tags, and `invalidate(tag)` drops all that carry it. The router tags pages with the modules whose code made them, so
-- a swapped module takes its old pages with it.
--
-- Entries form a ring around a sentinel, the most recently used first, so that a hit moves one entry and allocates
-- nothing.

local core = require "goloader.core"
local units = require "goloader.units"

local ceil, floor, huge = math.ceil, math.floor, math.huge

local M = {}

---@class goloader.cache.Options
---@field ttl? number|string how long an entry lives: seconds, or "250ms", "30s", "1h30m" (default: for ever)
---@field size? integer how many entries there may be (default 1000)
---@field bytes? integer how much they may weigh together (default: no bound); see `cost` of `set`
---@field clock? fun(): number seconds, never going back (default: ngx.now in nginx, the machine's
---monotonic clock elsewhere)

---@class goloader.cache.Stats
---@field entries integer
---@field bytes integer
---@field hits integer
---@field misses integer
---@field expired integer entries found too old
---@field evicted integer entries that had to make room
---@field invalidated integer entries dropped for their tag

---@class goloader.cache.Entry
---@field key any
---@field value any
---@field expires number
---@field cost integer
---@field tags? any[]
---@field newer goloader.cache.Entry
---@field older goloader.cache.Entry

---@class goloader.Cache: goloader.Store
---@field private ttl number
---@field private purges integer
---@field private size integer
---@field private limit number
---@field private clock fun(): number
---@field private ring goloader.cache.Entry
---@field private entries table<any, goloader.cache.Entry>
---@field private count integer
---@field private weight integer
---@field private seen goloader.cache.Stats
local Cache = { tables = true }
Cache.__index = Cache

---Turns a duration into seconds.
---@param text number|string 30, "30s", "250ms", "1h30m"
---@return number seconds
function M.duration(text)
  local seconds, err = units.duration(text)
  if not seconds then error("cache: " .. err, 2) end
  return seconds
end

---The clock of caches that are given none.
---@return fun(): number seconds
function M.default_clock()
  local ngx = rawget(_G, "ngx")
  return ngx and ngx.now or core.clock
end

local function whole(options, name, default)
  local value = options[name]
  if value == nil then return default end
  if type(value) ~= "number" or value < 1 or value ~= floor(value) then
    error(("cache: %s must be a whole number from 1, got %s"):format(name, tostring(value)), 3)
  end
  return value
end

---@param options? goloader.cache.Options
---@return goloader.Cache
function M.new(options)
  options = options or {}
  local ring = {} ---@type goloader.cache.Entry
  ring.newer, ring.older = ring, ring
  return setmetatable({
    ttl = options.ttl ~= nil and M.duration(options.ttl) or huge,
    size = whole(options, "size", 1000),
    limit = whole(options, "bytes", huge),
    clock = options.clock or M.default_clock(),
    ring = ring,
    entries = {},
    count = 0,
    weight = 0,
    purges = 0,
    seen = { hits = 0, misses = 0, expired = 0, evicted = 0, invalidated = 0 },
  }, Cache)
end

local function unlink(entry)
  entry.newer.older, entry.older.newer = entry.older, entry.newer
end

local function link_first(ring, entry)
  local first = ring.older
  entry.newer, entry.older = ring, first
  ring.older, first.newer = entry, entry
end

local function drop(self, entry)
  unlink(entry)
  self.entries[entry.key] = nil
  self.count = self.count - 1
  self.weight = self.weight - entry.cost
end

---@param key any
---@return any value nil when there is none, or it is too old
function Cache:get(key)
  local entry, seen = self.entries[key], self.seen
  if not entry then
    seen.misses = seen.misses + 1
    return nil
  end
  if entry.expires <= self.clock() then
    drop(self, entry)
    seen.expired, seen.misses = seen.expired + 1, seen.misses + 1
    return nil
  end
  seen.hits = seen.hits + 1
  if self.ring.older ~= entry then
    unlink(entry)
    link_first(self.ring, entry)
  end
  return entry.value
end

---@class goloader.cache.Detail
---@field ttl? number|string of this entry
---@field cost? integer its weight, for a cache bounded in bytes (default: the length of a string, else 0)
---@field tags? any[] what it was made from
---@field epoch? integer what `epoch` said when the value began to be made

---Keeps a value. One heavier than all the room there is, is not kept, and what stood under the key is gone.
---@param key any
---@param value any not nil
---@param detail? goloader.cache.Detail
---@return boolean kept
function Cache:set(key, value, detail)
  if key == nil or value == nil then error("cache: set needs a key and a value", 2) end
  if detail and detail.epoch and detail.epoch ~= self.purges then return false end
  local old = self.entries[key]
  if old then drop(self, old) end
  local cost = detail and detail.cost or type(value) == "string" and #value or 0
  if cost > self.limit then return false end
  local ttl = detail and detail.ttl and M.duration(detail.ttl) or self.ttl
  local entry = {
    key = key,
    value = value,
    expires = ttl == huge and huge or self.clock() + ttl,
    cost = ceil(cost),
    tags = detail and detail.tags,
  }
  self.entries[key] = entry
  link_first(self.ring, entry)
  self.count, self.weight = self.count + 1, self.weight + entry.cost
  while self.count > self.size or self.weight > self.limit do
    drop(self, self.ring.newer) -- the ring closes: newer than the sentinel is the oldest
    self.seen.evicted = self.seen.evicted + 1
  end
  return true
end

---@param key any
---@return boolean was_there
function Cache:delete(key)
  self.purges = self.purges + 1
  local entry = self.entries[key]
  if entry then drop(self, entry) end
  return entry ~= nil
end

---Drops every entry that carries the tag.
---@param tag any
---@return integer dropped
function Cache:invalidate(tag)
  local dropped = 0
  self.purges = self.purges + 1
  local entry = self.ring.older
  while entry ~= self.ring do
    local older = entry.older
    for _, carried in ipairs(entry.tags or {}) do
      if carried == tag then
        drop(self, entry)
        dropped = dropped + 1
        break
      end
    end
    entry = older
  end
  self.seen.invalidated = self.seen.invalidated + dropped
  return dropped
end

Cache.purge = Cache.invalidate

---Changes with each purge: a value whose making began before one is not kept after it.
---@return integer
function Cache:epoch() return self.purges end

---Drops everything; the figures go on.
---@return integer dropped
function Cache:clear()
  local dropped = self.count
  self.purges = self.purges + 1
  self.ring.newer, self.ring.older = self.ring, self.ring
  self.entries, self.count, self.weight = {}, 0, 0
  self.seen.invalidated = self.seen.invalidated + dropped
  return dropped
end

---@return goloader.cache.Stats
function Cache:stats()
  local stats = { entries = self.count, bytes = self.weight }
  for name, value in pairs(self.seen) do stats[name] = value end
  return stats
end

return M
