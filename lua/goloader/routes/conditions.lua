--- Conditions of a route: what a request's headers, cookies and query string must be like for it to answer.
--
--     get "/list/:category" { beta.Render, when = { cookie = { beta = "1" }, header = { ["X-Team"] = true } } }
--
-- A text is what the value must equal, a list what it must be one of, true says that it must be there, false that it
-- must not; a function gets the value. A function without a name, `when = { function(req) … end }`, gets the request.
-- All conditions must hold.

local requests = require "goloader.routes.request"

local conditions = {}

---@class goloader.Condition
---@field kind "header"|"cookie"|"query"|"test"
---@field name? string
---@field want any
---@field text string for people
---@field holds fun(req: goloader.Request): boolean

local function argument(req, name)
  local value = req.args[name]
  if type(value) == "table" then return value[1] end
  return value
end

local READ = {
  header = requests.header,
  cookie = function(req, name) return req.cookies[name] end,
  query = argument,
}

local function quoted(list)
  local texts = {}
  for i, value in ipairs(list) do texts[i] = ("%q"):format(value) end
  return table.concat(texts, " or ")
end

local function test(kind, name, want)
  local read = READ[kind]
  local told = ("%s %s"):format(kind, name)
  if want == true then
    return told .. " is there", function(req) return read(req, name) ~= nil end
  elseif want == false then
    return told .. " is not there", function(req) return read(req, name) == nil end
  elseif type(want) == "function" then
    return told .. " passes a function", function(req)
      local value = read(req, name)
      return value ~= nil and want(value) and true or false
    end
  elseif type(want) == "table" then
    local set = {}
    for _, value in ipairs(want) do set[value] = true end
    return told .. " is " .. quoted(want), function(req) return set[read(req, name)] or false end
  end
  return ("%s is %q"):format(told, want), function(req) return read(req, name) == want end
end

local function add(list, kind, name, want)
  if type(name) ~= "string" then return ("when.%s: a name expected, got %s"):format(kind, tostring(name)) end
  if type(want) == "number" then want = tostring(want) end
  local fits = type(want) == "string" or type(want) == "boolean" or type(want) == "function"
  if type(want) == "table" then
    fits = #want > 0
    for _, value in ipairs(want) do fits = fits and type(value) == "string" end
  end
  if not fits then
    return ("when.%s.%s: a text, a list of texts, true, false or a function expected"):format(kind, name)
  end
  if kind == "header" then name = name:lower() end
  local text, holds = test(kind, name, want)
  list[#list + 1] = { kind = kind, name = name, want = want, text = text, holds = holds }
end

---Reads what a declaration says.
---@param when any
---@param list goloader.Condition[] where they are put
---@return string? err
function conditions.read(when, list)
  if type(when) ~= "table" then return "when: a table expected, got " .. type(when) end
  local names = {}
  for kind, tests in pairs(when) do
    if type(kind) == "number" then
      if type(tests) ~= "function" then return "when: a function expected, got " .. type(tests) end
      list[#list + 1] = { kind = "test", want = tests, text = "a function agrees", holds = function(req)
        return tests(req) and true or false
      end }
    elseif not READ[kind] then
      local nearest = require "goloader.nearest"(kind, READ)
      return ("when: there is no condition %s; %s"):format(tostring(kind),
        nearest and "did you mean " .. nearest .. "?" or "there are header, cookie and query")
    elseif type(tests) ~= "table" then
      return ("when.%s: a table of names expected, got %s"):format(kind, type(tests))
    else
      for name, want in pairs(tests) do names[#names + 1] = { kind, name, want } end
    end
  end
  table.sort(names, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return tostring(a[2]) < tostring(b[2])
  end)
  for _, entry in ipairs(names) do
    local err = add(list, entry[1], entry[2], entry[3])
    if err then return err end
  end
end

---One function for all of them; nil when there are none.
---@param list goloader.Condition[]
---@return (fun(req: goloader.Request): boolean)?
function conditions.all(list)
  if #list == 0 then return nil end
  if #list == 1 then return list[1].holds end
  return function(req)
    for i = 1, #list do
      if not list[i].holds(req) then return false end
    end
    return true
  end
end

local function values(want)
  return type(want) == "string" and { want } or type(want) == "table" and want or nil
end

-- Does the one hold wherever the other does?
local function follows(from, one)
  if from.kind ~= one.kind or from.name ~= one.name then return false end
  if from.want == one.want then return true end
  local few, many = values(from.want), values(one.want)
  if not few then return false end
  if one.want == true then return true end
  if not many then return false end
  for _, value in ipairs(few) do
    local found = false
    for _, other in ipairs(many) do found = found or other == value end
    if not found then return false end
  end
  return true
end

---Can a route with the conditions `later` never answer, because one with `earlier` stands before it?
---@param earlier goloader.Condition[]
---@param later goloader.Condition[]
---@return boolean
function conditions.cover(earlier, later)
  for _, one in ipairs(earlier) do
    local found = false
    for _, from in ipairs(later) do found = found or follows(from, one) end
    if not found then return false end
  end
  return true
end

return conditions
