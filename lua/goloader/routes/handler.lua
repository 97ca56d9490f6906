--- Go functions as handlers and filters: how a request fills their parameters, and what their results say.
--
-- Parameters are filled by their names: Render(category, query string) gets the :category of the address and the whole
-- query string; a parameter `page int` gets the query string's page=…, and a visitor who sends page=two gets status
-- 400. A context.Context in front has the route's timeout. That this works out is checked when a route is declared, and
-- again for each new version of its module.
--
-- Results stand in this order, and each may be left out: a status (an int with other results behind it, or one that is
-- called `status`), a body, headers (a map[string]string or map[string][]string behind a body, or called `headers`), an
-- error. A filter may also answer with a bool alone: whether the request goes on.

local errors = require "goloader.errors"
local nethttp = require "goloader.routes.nethttp"
local nearest = require "goloader.nearest"
local requests = require "goloader.routes.request"
local response = require "goloader.routes.response"

local huge = math.huge
local unpack = rawget(table, "unpack") or unpack

local handler = {}

local INTEGERS = {
  int8 = { -128, 127 }, int16 = { -32768, 32767 }, int32 = { -2 ^ 31, 2 ^ 31 - 1 },
  int64 = { -2 ^ 53, 2 ^ 53 }, int = { -2 ^ 53, 2 ^ 53 },
  uint8 = { 0, 255 }, uint16 = { 0, 65535 }, uint32 = { 0, 2 ^ 32 - 1 },
  uint64 = { 0, 2 ^ 53 }, uint = { 0, 2 ^ 53 },
}

local BOOLEANS = {
  ["true"] = true, ["1"] = true, on = true, yes = true,
  ["false"] = false, ["0"] = false, off = false, no = false,
}

---From a text to a value of a Go type, or nil and what was wanted.
---@type table<string, fun(text: string): any, string?>
local convert = {
  string = function(text) return text end,
  bool = function(text)
    local value = BOOLEANS[text:lower()]
    if value == nil then return nil, "true or false" end
    return value
  end,
  float64 = function(text)
    local value = text:find("^[-+]?%.?%d[%d.]*[eE]?[-+]?%d*$") and tonumber(text)
    if not value or value >= huge or value <= -huge then return nil, "a number" end
    return value
  end,
}
convert.float32 = convert.float64
for name, range in pairs(INTEGERS) do
  convert[name] = function(text)
    local value = text:find("^[-+]?%d+$") and tonumber((text:gsub("^%+", "")))
    if not value then return nil, "a whole number" end
    if value < range[1] or value > range[2] then
      return nil, ("a whole number from %.0f to %.0f"):format(range[1], range[2])
    end
    return value
  end
end

local ABSENT = { string = "", bool = false }

local WHOLE = { query = true, path = true, method = true, body = true, host = true, remote = true }

local HEADERS = { ["map[string]string"] = true, ["map[string][]string"] = true, ["http.Header"] = true,
  ["net/http.Header"] = true }

---@class goloader.Call a place in the configuration where a Go function is called for requests
---@field what string "GET /list/:category", for messages
---@field role "handler"|"filter"|"page"
---@field slot goloader.Slot
---@field func string
---@field names string[] of the pattern's captures
---@field from? table<string, string> where parameters come from: "header X-Token", "cookie sid", "query q"
---@field timeout? number seconds
---@field max_body? integer
---@field waits? boolean the function may take long: it is called as a job
---@field strip? string what a mounted http.Handler does not see of the path
---@field hooks goloader.router.Options
---@field plans table<goloader.Version, goloader.router.Plan>

---@class goloader.router.Plan how to call a Go function for a request
---@field n integer
---@field getters (fun(req: goloader.Request): any, string?)[]
---@field bound? fun(req: goloader.Request): goloader.Response? an http.Handler, or a middleware
---@field fails boolean its last result is an error
---@field values integer how many results there are besides
---@field status? integer which result it is
---@field body? integer
---@field headers? integer
---@field go_on? true its only result is a bool that says so
---@field form? "list"|"map" the body is a slice, or a map
---@field keeps boolean results stay in Go, where the body is made JSON

local function flat(map)
  local texts = {}
  for name, value in pairs(map or {}) do texts[name] = type(value) == "table" and table.concat(value, ", ") or value end
  return texts
end

local function argument(req, name)
  local value = req.args[name]
  if type(value) == "table" then return value[1] end
  return value
end

local SOURCES = {
  header = function(name)
    name = name:lower()
    return function(req) return requests.header(req, name) end
  end,
  cookie = function(name) return function(req) return req.cookies[name] end end,
  query = function(name) return function(req) return argument(req, name) end end,
}

---Reads one line of a declaration's `from`.
---@param text any "header X-Token"
---@return (fun(req: goloader.Request): string?)? source
local function source_of(text)
  local kind, name = tostring(text):match "^(%a+) (%S+)$"
  return SOURCES[kind] and SOURCES[kind](name)
end

---@param from any
---@return string? err
function handler.check_from(from)
  if type(from) ~= "table" then return "from: a table expected, got " .. type(from) end
  for name, text in pairs(from) do
    if type(name) ~= "string" or not source_of(text) then
      return ('from.%s: "header NAME", "cookie NAME" or "query NAME" expected, got %s'):format(tostring(name),
        type(text) == "string" and ("%q"):format(text) or tostring(text))
    end
  end
end

-- Where a parameter's text is found, if the query string is not meant.
local function source(call, name, kind)
  if call.from and call.from[name] then return source_of(call.from[name]) end
  for _, declared in ipairs(call.names) do
    if declared == name then return function(req) return req.params[name] end end
  end
  if call.role == "page" and name == "status" and convert[kind] then
    return function(req) return tostring(req.answer.status) end
  end
  if WHOLE[name] and kind == "string" then
    if name == "host" then return requests.host end
    return function(req) return req[name] end
  end
  return SOURCES.query(name)
end

---Makes the function that finds one parameter's value in a request.
---@return (fun(req: goloader.Request): any, string?)? getter
local function getter(call, param, position)
  local name, kind = param.name, param.type
  if kind == "context.Context" and position == 1 then
    return function(req) return req.context or call.timeout or nil, nil, true end
  end
  if name == "" or name == "_" then return nil end
  if HEADERS[kind] and name == "headers" then
    if kind ~= "map[string]string" then return nil end
    return function(req) return flat(req.headers) end
  elseif kind == "map[string]string" and name == "cookies" then
    return function(req) return req.cookies end
  elseif kind == "[]string" then
    return function(req)
      local value = req.args[name]
      return type(value) == "table" and value or { value }
    end
  elseif kind == "[]uint8" or kind == "[]byte" then
    if name ~= "body" then return nil end
    kind = "string"
  end
  local to = convert[kind]
  if not to then return nil end
  local read, absent = source(call, name, kind), ABSENT[kind]
  if absent == nil then absent = 0 end
  return function(req)
    local text = read(req)
    if text == nil or text == "" then return absent end -- an empty field of a form is one left out
    local value, wanted = to(text)
    if value == nil then return nil, ("%s must be %s"):format(name, wanted) end
    return value
  end
end

-- Of these types are bodies as they are; of all others they are JSON.
local TEXT = { string = true, ["[]uint8"] = true, ["[]byte"] = true }

-- Which of the results is what.
local function shape(call, results, plan)
  local n = #results
  plan.fails = n > 0 and results[n].type == "error"
  if plan.fails then n = n - 1 end
  plan.values = n
  local at = 1
  local function headers_at(i)
    return i == n and HEADERS[results[i].type] and (i > 1 or results[i].name == "headers")
  end
  if n == 1 and call.role == "filter" and results[1].type == "bool" then
    plan.go_on = true
    return
  end
  if at <= n and results[at].type == "int" and (results[at].name == "status" or n > 1) then
    plan.status, at = at, at + 1
  end
  if at <= n and not headers_at(at) then
    plan.body, at = at, at + 1
  end
  if at <= n and headers_at(at) then
    plan.headers, at = at, at + 1
  end
  if at <= n then
    return ("an answer is one value, with a status before it and headers behind it if need be; result %d (%s) is too "
      .. "much: write the handler in Lua"):format(at, results[at].type)
  end
  local body = plan.body and results[plan.body].type
  plan.keeps = body ~= nil and not TEXT[body] and call.hooks.keeps()
  if body then plan.form = body:find "^%[" and "list" or body:find "^map%[" and "map" or nil end
end

local function export_of(module, name)
  for _, export in ipairs(module:exports()) do
    if export.name == name then return export end
  end
end

---What a name of a module is to net/http; by the hook that knows, or by how its type reads.
---@param hooks goloader.router.Options
---@param module table
---@param name string
---@return "handler"|"middleware"|nil
function handler.kind_of(hooks, module, name)
  if hooks.kind_of then
    local kind = hooks.kind_of(module, name)
    return kind ~= "func" and kind or nil
  end
  return nethttp.kind_of(module, name)
end

local LACKS = "needs nginx (goloader.nginx) or goloader serve"

-- An http.Handler, or a middleware: what calls it, is made by those who serve.
local function plan_bound(call, version, kind)
  local hooks = call.hooks
  local what = ("%s: %s.%s"):format(call.what, call.slot.name, call.func)
  local bind
  if kind == "middleware" then
    if call.role ~= "filter" then
      return nil, what .. " is a middleware (func(http.Handler) http.Handler): it belongs into before = { … }"
    end
    bind = hooks.bind_middleware
    if not bind then
      return nil, ("%s is a middleware (func(http.Handler) http.Handler), which %s"):format(what, LACKS)
    end
  else
    if call.role ~= "handler" then
      return nil, what .. " is an http.Handler: it answers requests, and is no filter; a filter returns (status int, "
        .. "body string, err error), or is a func(http.Handler) http.Handler"
    end
    bind = hooks.bind_handler
    if not bind then return nil, ("%s is an http.Handler, which %s"):format(what, LACKS) end
  end
  local bound, err = bind(version.module, call.func,
    { strip = call.strip, timeout = call.timeout, max_body = call.max_body, waits = call.waits })
  if not bound then return nil, ("%s: %s"):format(what, tostring(err)) end
  return { n = 0, getters = {}, bound = bound, fails = false, values = 1 }
end

---Says how a version's function is called at this place.
---@param call goloader.Call
---@param version goloader.Version
---@return goloader.router.Plan? plan
---@return string? err
function handler.plan(call, version)
  local what = ("%s: %s.%s"):format(call.what, call.slot.name, call.func)
  local export = export_of(version.module, call.func)
  local kind = export and handler.kind_of(call.hooks, version.module, call.func)
  if kind then return plan_bound(call, version, kind) end
  if not export or export.kind ~= "func" then
    local names = {}
    for _, other in ipairs(version.module:exports()) do
      if other.kind == "func" then names[other.name] = true end
    end
    local near = nearest(call.func, names)
    return nil, what .. " does not exist" .. (near and ("; did you mean %s?"):format(near) or "")
  end
  if export.typed == false then return nil, what .. " has no known signature" end
  local getters = {}
  for i, param in ipairs(export.params) do
    getters[i] = getter(call, param, i)
    if not getters[i] then
      return nil, ("%s: a request can't fill parameter %s (%s); write the handler in Lua and call %s from it"):format(
        what, param.name ~= "" and param.name or "#" .. i, param.type, call.func)
    end
  end
  local plan = { n = #getters, getters = getters }
  local err = shape(call, export.results, plan)
  if err then return nil, what .. ": " .. err end
  return plan
end

-- What a visitor did wrong is shown to the visitor; whatever else fails is told to the log alone.
local Bad = {}
Bad.__index = Bad
function Bad.__tostring(err) return err.message end

---Is it the visitor's mistake?
---@param err any
---@return boolean
function handler.is_bad_request(err) return getmetatable(err) == Bad end

---Did it take longer than it may?
---@param err any
---@return boolean
function handler.is_timeout(err)
  return errors.is_object(err) and err.code == "timeout"
end

local function as_table(map)
  local copy = map:copy()
  map:release()
  return copy
end

-- A body, a status, headers of what the function returned; or nil and the error.
local function read_results(plan, encode, ...)
  local first, second = ...
  if plan.fails and first == nil and second ~= nil and (plan.values <= 1 or errors.is_object(second)) then
    return nil, second
  end
  if plan.go_on then
    if first then return nil end
    return "Forbidden\n", 403, { ["Content-Type"] = "text/plain; charset=utf-8" }
  end
  local body, status, headers = nil, nil, nil
  if plan.body then body = (select(plan.body, ...)) end
  if plan.status then
    status = (select(plan.status, ...))
    if status == 0 then
      status = nil
    elseif status < 100 or status > 599 then
      return nil, errors.object { code = "type", message = ("%d is no status of HTTP"):format(status) }
    end
  end
  if plan.headers then headers = (select(plan.headers, ...)) end
  if not plan.keeps then return body, status, headers, plan.form end
  if headers then headers = as_table(headers) end
  if type(body) ~= "userdata" and type(body) ~= "cdata" then return body, status, headers end
  local text = encode(body)
  if type(body) == "userdata" then body:release() end
  return text == "null" and response.EMPTY[plan.form] or text, status, headers, "json"
end

-- A result that says nothing: a filter that has only such lets the request go on.
local function silent(body, status, headers, form)
  if status == nil and body == "" then return nil, nil, headers, form end
  return body, status, headers, form
end

-- The results of a job, as those of a call. That its time is over is an error of functions that return none, too.
local function wait(call, plan, job)
  local function done(...)
    local first, err = ...
    if first ~= nil or not handler.is_timeout(err) then return read_results(plan, call.hooks.encode, ...) end
    if not job:done() then job:cancel() end
    return nil, err
  end
  return done(job:wait(call.timeout))
end

local function start(call, plan, version, ...)
  local fn, encode = version:func(call.func), call.hooks.encode
  if call.waits then
    local begin = plan.keeps and fn.async_keep or fn.async
    return wait(call, plan, begin(fn, ...))
  end
  if plan.keeps then return read_results(plan, encode, fn:keep(...)) end
  return read_results(plan, encode, fn(...))
end

local function bad(message)
  return nil, setmetatable({ status = 400, code = "request", message = message }, Bad)
end

---Fills the parameters of a Go function and calls it.
---@param call goloader.Call
---@param req goloader.Request
---@return any body
---@return any status or the error, when body is nil
---@return table? headers
---@return string? form see response.make
function handler.call(call, req)
  local version = call.slot:settle()
  req.module_version = version.number -- of the one that has answered, in the end
  local plan = call.plans[version]
  if not plan then -- a version that came when this configuration was no longer the one of the moment
    local why
    plan, why = handler.plan(call, version)
    if not plan then error(why, 0) end
    call.plans[version] = plan
  end
  if plan.bound then return plan.bound(req) end
  local n, getters = plan.n, plan.getters
  if n == 0 then return start(call, plan, version) end
  local a, wrong, may_be_nil = getters[1](req)
  if a == nil and not may_be_nil then return bad(wrong) end
  if n == 1 then return start(call, plan, version, a) end
  local b
  b, wrong = getters[2](req)
  if b == nil then return bad(wrong) end
  if n == 2 then return start(call, plan, version, a, b) end
  local args = { a, b }
  for i = 3, n do
    args[i], wrong = getters[i](req)
    if args[i] == nil then return bad(wrong) end
  end
  return start(call, plan, version, unpack(args, 1, n))
end

---The same as a filter: a zero status with an empty body lets the request go on.
---@param call goloader.Call
---@param req goloader.Request
function handler.filter(call, req)
  return silent(handler.call(call, req))
end

---How a function reads: "list.go: Render(category string, query string) (string, error)".
---@param call goloader.Call
---@return string
function handler.describe(call)
  local version = call.slot.version
  local export = version and export_of(version.module, call.func)
  local signature = export and export.signature or ""
  return ("%s: %s%s"):format(call.slot.name, call.func,
    signature:find "^func" and signature:gsub("^func", "") or signature ~= "" and " " .. signature or "")
end

return handler
