--- A store of cached pages that all workers share: nginx's lua_shared_dict.
--
--     lua_shared_dict pages 100m;                      in http { … }
--     cache = { ttl = "30s", store = "shared:pages" }  in a routes file
--
-- Tags are counters. An entry is kept with what the counters of its tags were when it was made, and is one as long as
-- they are the same; to purge a tag is to count one up. A counter begins with the time, so that one that had to make
-- room and begins again is never what it was. The dictionary drops what was not asked for the longest by itself.

local cache = require "goloader.routes.cache"

local ngx = ngx
local now = ngx.now
local concat, find, sub, gmatch = table.concat, string.find, string.sub, string.gmatch
local floor, tonumber = math.floor, tonumber

local M = {}

local PAGE, TAG, CLAIM, EPOCH, ALL = "p:", "t:", "c:", "e:", "*"

---@class goloader.SharedStore: goloader.Store
---@field private dict ngx.shared.DICT
---@field private name string
---@field private seen { evicted: integer, invalidated: integer, refused: integer }
local Store = {}
Store.__index = Store

local opened = {} ---@type table<string, goloader.SharedStore>

---Opens the store in a dictionary.
---@param name string
---@return goloader.SharedStore?
---@return string? err
function M.open(name)
  if opened[name] then return opened[name] end
  local dict = ngx.shared[name]
  if not dict then
    return nil, ("there is no shared dictionary %s: nginx's configuration lacks lua_shared_dict %s 10m;"):format(name,
      name)
  end
  opened[name] = setmetatable({
    dict = dict, name = name, seen = { evicted = 0, invalidated = 0, refused = 0 },
  }, Store)
  return opened[name]
end

local function one_line(tag) return (tag:gsub("%c", " ")) end

local function beginning() return floor(now() * 1000) end

-- What a tag's counter is; it begins now where there is none.
local function count_of(dict, tag)
  local count = dict:get(TAG .. tag)
  if count then return count end
  count = beginning()
  if dict:safe_add(TAG .. tag, count) then return count end
  return dict:get(TAG .. tag) or dict:set(TAG .. tag, count) and count or 0
end

-- "<counter> <tag>\n…\n" and the value; the first is that of everything.
local function wrap(dict, tags, value)
  local lines = { ("%.0f %s\n"):format(count_of(dict, ALL), ALL) }
  for i = 1, #tags do
    local tag = one_line(tags[i])
    lines[#lines + 1] = ("%.0f %s\n"):format(count_of(dict, tag), tag)
  end
  return concat(lines) .. "\n" .. value
end

-- What was taken apart lately is not taken apart again: the same text is the same string.
local apart = cache.new { size = 200, bytes = 8 * 2 ^ 20 }

local function take_apart(text)
  local head = find(text, "\n\n", 1, true)
  local parts = { value = sub(text, head + 2) }
  for count, tag in gmatch(sub(text, 1, head), "(%d+) ([^\n]*)\n") do
    parts[#parts + 1] = TAG .. tag
    parts[#parts + 1] = tonumber(count)
  end
  apart:set(text, parts, { cost = #text })
  return parts
end

local function unwrap(dict, text)
  local parts = apart:get(text) or take_apart(text)
  for i = 1, #parts, 2 do
    if dict:get(parts[i]) ~= parts[i + 1] then return nil end
  end
  return parts.value
end

function Store:get(key)
  local text = self.dict:get(PAGE .. key)
  if not text then return nil end
  return unwrap(self.dict, text)
end

function Store:set(key, value, detail)
  local dict = self.dict
  if detail.epoch ~= nil and detail.epoch ~= self:epoch() then return false end
  local ttl = detail.ttl
  local ok, _, forcible = dict:set(PAGE .. key, wrap(dict, detail.tags, value), ttl < math.huge and ttl or 0)
  if forcible then self.seen.evicted = self.seen.evicted + 1 end
  if not ok then self.seen.refused = self.seen.refused + 1 end
  return ok
end

function Store:delete(key)
  local dict = self.dict
  self:begin_epoch()
  local was_there = dict:get(PAGE .. key) ~= nil
  dict:delete(PAGE .. key)
  return was_there
end

function Store:begin_epoch()
  if not self.dict:incr(EPOCH, 1) then self.dict:add(EPOCH, beginning()) end
end

---Changes with each purge, in whatever worker.
function Store:epoch()
  return self.dict:get(EPOCH) or 0
end

-- How many entries that were, nobody has counted.
function Store:purge(tag)
  tag = one_line(tag)
  self:begin_epoch()
  if not self.dict:incr(TAG .. tag, 1) then self.dict:set(TAG .. tag, beginning()) end
  self.seen.invalidated = self.seen.invalidated + 1
  return 0
end

function Store:clear() return self:purge(ALL) end

---One worker at a time makes a page.
function Store:claim(key, seconds)
  return self.dict:add(CLAIM .. key, true, seconds) == true
end

function Store:release(key) self.dict:delete(CLAIM .. key) end

function Store:stats()
  local dict, stats = self.dict, {}
  for name, value in pairs(self.seen) do stats[name] = value end
  stats.capacity = dict:capacity()
  stats.bytes = stats.capacity - dict:free_space()
  return stats
end

return M
