--- Kept responses as text: how they lie in a store that other processes read, too.
--
--     200 1732.5 1737.5 1792.5        status; until when it is fresh, is shown while a new one is made, or on failure
--     @list.go 4f2a…                  the module versions that have made it
--     Content-Type: text/html         headers
--
--     <html>…                         the body

local cache = require "goloader.routes.cache"
local add = require("goloader.routes.request").add
local response = require "goloader.routes.response"

local entry = {}

local tonumber = tonumber
local find, sub = string.find, string.sub
local min = math.min

local NEVER = 1e15 -- seconds; not every Lua reads "inf"

---@class goloader.Entry: goloader.Response
---@field fresh number till when, by the router's clock
---@field stale number till when it may be shown while a new one is made
---@field usable number till when it may be shown where that fails
---@field modules? table<string, string> what made it: identities of versions by their modules' paths

---@param kept goloader.Entry
---@return string? text nil: a header could not be told from the next one
function entry.pack(kept)
  local lines = { ("%d %.3f %.3f %.3f"):format(kept.status, min(kept.fresh, NEVER), min(kept.stale, NEVER),
    min(kept.usable, NEVER)) }
  for path, identity in pairs(kept.modules or {}) do lines[#lines + 1] = ("@%s\t%s"):format(path, identity) end
  for name, value in pairs(kept.headers) do
    local list = type(value) == "table" and value or { value }
    for _, one in ipairs(list) do
      local text = tostring(one)
      if text:find "[\r\n]" or name:find "[\r\n:]" then return nil end
      lines[#lines + 1] = ("%s: %s"):format(name, text)
    end
  end
  return table.concat(lines, "\n") .. "\n\n" .. kept.body
end

local function parse(text)
  local head = find(text, "\n\n", 1, true)
  local first = head and find(text, "\n", 1, true)
  if not first then return nil end
  local status, fresh, stale, usable = sub(text, 1, first - 1):match "^(%d+) (%S+) (%S+) (%S+)$"
  if not status then return nil end
  local headers, modules = {}, nil
  for line in sub(text, first + 1, head):gmatch "([^\n]+)\n" do
    local path, identity = line:match "^@([^\t]*)\t(.*)$"
    if path then
      modules = modules or {}
      modules[path] = identity
    else
      local name, value = line:match "^([^:]+): (.*)$"
      if not name then return nil end
      add(headers, name, value)
    end
  end
  return response.new {
    status = tonumber(status), fresh = tonumber(fresh), stale = tonumber(stale), usable = tonumber(usable),
    headers = headers, modules = modules, body = sub(text, head + 2), cached = true,
  }
end

-- What was read lately is not read again: the same text is the same string.
local read = cache.new { size = 200, bytes = 8 * 2 ^ 20 }

---@param text string
---@return goloader.Entry? kept nil: it is none
function entry.unpack(text)
  local kept = read:get(text)
  if not kept then
    kept = parse(text)
    if kept then read:set(text, kept, { cost = #text }) end
  end
  return kept
end

return entry
