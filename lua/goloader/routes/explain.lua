--- Telling what a configuration does: which routes there are, which one answers a request, and why.

local config = require "goloader.routes.config"
local requests = require "goloader.routes.request"

local explain = {}

---@param route goloader.Route
---@return string "GET shop.example.com/list/:id"
function explain.address(route)
  return ("%s %s%s"):format(route.method == "*" and "any" or route.method,
    route.hosts and table.concat(route.hosts, "|") or "", route.pattern)
end

local function seconds(number)
  if number == math.huge then return "for ever" end
  return ("%g s"):format(number)
end

local function cache_text(route)
  local kept = route.cached
  if not kept then return nil end
  local parts = { "fresh " .. seconds(kept.lives[200]) }
  if kept.stale > 0 then parts[#parts + 1] = ("stale while a new one is made %s"):format(seconds(kept.stale)) end
  if kept.usable > 0 then parts[#parts + 1] = ("stale if that fails %s"):format(seconds(kept.usable)) end
  local statuses = {}
  for status, life in pairs(kept.lives) do
    if status ~= 200 then statuses[#statuses + 1] = ("status %d %s"):format(status, seconds(life)) end
  end
  table.sort(statuses)
  for _, text in ipairs(statuses) do parts[#parts + 1] = text end
  for _, kind in ipairs { "header", "cookie", "query" } do
    local names = kept.vary and kept.vary[kind]
    if names then parts[#parts + 1] = ("by %s %s"):format(kind, table.concat(names, ", ")) end
  end
  if kept.vary and kept.vary.host then parts[#parts + 1] = "by host" end
  if kept.key then parts[#parts + 1] = "under a key of its own" end
  return table.concat(parts, ", ")
end

---What there is to say about a route: pairs of a word and a text.
---@param route goloader.Route
---@return { [1]: string, [2]: string }[]
function explain.details(route)
  local list = {}
  local function add(word, text)
    if text then list[#list + 1] = { word, text } end
  end
  add("handler", route.target.text)
  add("declared", route.where)
  for _, condition in ipairs(route.conditions) do add("when", condition.text) end
  for _, text in ipairs(route.texts) do add("filter", text) end
  add("cache", cache_text(route))
  add("timeout", route.timeout and seconds(route.timeout))
  add("max_body", route.max_body and ("%d bytes"):format(route.max_body))
  return list
end

-- Why a route on the request's address does not answer it.
local function refusal(route, req)
  if route.method ~= "*" and route.method ~= req.method and not (req.method == "HEAD" and route.method == "GET") then
    return "its method is " .. route.method
  end
  for _, condition in ipairs(route.conditions) do
    if not condition.holds(req) then return "not so: " .. condition.text end
  end
end

---@class goloader.Explanation
---@field route? goloader.Route that answers
---@field params table<string, string>
---@field refused { route: goloader.Route, why: string }[] those on the same address that would come first, or might
---@field filters string[] all that run, in order
---@field status? integer where no route answers

---Finds out who answers a request.
---@param router goloader.Router
---@param request goloader.Request|table|string
---@return goloader.Explanation
function explain.request(router, request)
  local conf, req = router.conf, requests.read(request)
  local told = { refused = {}, filters = {}, params = {} }
  local route = config.find(conf, req)
  for _, candidate in ipairs(config.candidates(conf, req)) do
    if candidate == route then break end
    told.refused[#told.refused + 1] = { route = candidate, why = refusal(candidate, req) or "another one is nearer" }
  end
  for _, text in ipairs(conf.texts) do told.filters[#told.filters + 1] = text end
  for _, filter in ipairs(conf.paths or {}) do
    if config.concerns(filter, req) then
      for _, text in ipairs(filter.texts) do
        told.filters[#told.filters + 1] = ("%s (filter %s)"):format(text, filter.pattern)
      end
    end
  end
  if not route then
    local other_method = false
    for _, refused in ipairs(told.refused) do
      other_method = other_method or refused.why:find "^its method" ~= nil
    end
    told.status = other_method and 405 or 404
    return told
  end
  requests.direct(req, route)
  told.route, told.params = route, req.params
  for _, text in ipairs(route.texts) do told.filters[#told.filters + 1] = text end
  return told
end

return explain
