--- Splits: one address, several handlers, each with a share of the visitors.
--
--     get "/list/:category" {
--       split = { { list.Render, weight = 95 }, { beta.Render, weight = 5 }, by = "cookie canary" },
--     }
--
-- Who gets what is a matter of arithmetic, not of memory: a key (a cookie's value, a header's, what a function says) is
-- hashed to a number from 0 to 1, and the arms have their weights' shares of that. The same key has the same arm in
-- every worker, on every machine and after a restart; when weights change, only the visitors between the old border and
-- the new one change sides. A visitor without the cookie is given one.

local requests = require "goloader.routes.request"

local split = {}

---@class goloader.Split
---@field arms goloader.Arm[]
---@field choose fun(req: goloader.Request): goloader.Arm

---@class goloader.Arm
---@field name string
---@field weight number
---@field target goloader.Target
---@field upto number where its share ends

---A number from 0 to 1 that a text always gives. Only with arithmetic that doubles do exactly, so that all Luas agree.
---@param key string
---@return number
function split.fraction(key)
  local h = 2166136261
  for i = 1, #key do h = (h * 1664525 + key:byte(i) + 1013904223) % 4294967296 end
  -- the low digits of such a sum know little of the first letters: they are stirred in
  for _ = 1, 3 do h = ((h - h % 65536) / 65536 + h % 65536 * 1664525 + 1013904223) % 4294967296 end
  return h / 4294967296
end

local LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"

local function new_id()
  local letters = {}
  for i = 1, 16 do
    local k = math.random(#LETTERS)
    letters[i] = LETTERS:sub(k, k)
  end
  return table.concat(letters)
end

-- A visitor's id goes into a header of the answer: only what is no danger there is taken from a request.
local function cookie_key(name, path)
  return function(req)
    local id = req.cookies[name]
    if not id or not id:find "^[%w._-]+$" or #id > 64 then
      id = new_id()
      req.cookies[name] = id
      req.set_cookie = ("%s=%s; Path=%s; Max-Age=2592000; SameSite=Lax"):format(name, id, path)
    end
    return id
  end
end

local KEYS = {
  cookie = function(name) return cookie_key(name, "/") end,
  header = function(name)
    name = name:lower()
    return function(req) return requests.header(req, name) end
  end,
  query = function(name)
    return function(req)
      local value = req.args[name]
      return type(value) == "table" and value[1] or value
    end
  end,
}

---Reads `by`: what visitors are told apart by.
---@param by any "cookie canary", "header X-User", "query user", "remote", a function, or nil: chance
---@return (fun(req: goloader.Request): any)? key
---@return string? err
local function key_of(by)
  if by == nil then return new_id end
  if type(by) == "function" then return by end
  if by == "remote" then return function(req) return req.remote end end
  local kind, name = tostring(by):match "^(%a+) ([%w_-]+)$"
  if KEYS[kind] then return KEYS[kind](name) end
  return nil, ('split: by is "cookie NAME", "header NAME", "query NAME", "remote" or a function, got %s'):format(
    type(by) == "string" and ("%q"):format(by) or type(by))
end

---@param arms goloader.Arm[]
---@param by any
---@return goloader.Split?
---@return string? err
function split.new(arms, by)
  local key, err = key_of(by)
  if not key then return nil, err end
  local sum = 0
  for _, arm in ipairs(arms) do sum = sum + arm.weight end
  if sum <= 0 then return nil, "split: all weights are 0" end
  local upto, last = 0, nil
  for _, arm in ipairs(arms) do
    upto = upto + arm.weight / sum
    arm.upto = upto
    if arm.weight > 0 then last = arm end
  end
  last.upto = 1
  return { arms = arms, choose = function(req)
    local id = key(req)
    local at = split.fraction(id == nil and new_id() or tostring(id))
    for i = 1, #arms do
      if at < arms[i].upto then return arms[i] end
    end
    return last
  end }
end

return split
