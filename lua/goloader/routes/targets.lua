--- Targets: what answers at a route. A Lua function, a Go function, an http.Handler, a redirect, a rewrite, a
-- location of nginx, or several of these with a share of the visitors each.

local answer = require "goloader.routes.answer"
local handler = require "goloader.routes.handler"
local nearest = require "goloader.nearest"
local requests = require "goloader.routes.request"
local response = require "goloader.routes.response"
local slots = require "goloader.reload.slot"
local split = require "goloader.routes.split"
local template = require "goloader.routes.template"

local targets = {}

---@class goloader.Target
---@field kind "lua"|"go"|"redirect"|"rewrite"|"exec"|"split"
---@field text string for people
---@field run fun(req: goloader.Request): any, any, table?, boolean?
---@field early? true it, or an arm of it, has something to do in nginx's access phase already: it answers, or rewrites
---@field readdress? fun(req: goloader.Request) of a rewrite: gives the request its new address
---@field arm_of? fun(req: goloader.Request): goloader.Target of a split: what the visitor gets
---@field split? goloader.Split

---@class goloader.Place where in the configuration something is declared
---@field what string "GET /list/:category"
---@field names string[] of the pattern's captures
---@field options table merged options
---@field hooks goloader.router.Options
---@field calls goloader.Call[] where calls of Go functions are put

local function callable(value)
  local meta = getmetatable(value)
  return type(value) == "function" or type(meta) == "table" and meta.__call ~= nil
end
targets.callable = callable

local function position(value)
  local info = type(value) == "function" and debug.getinfo(value, "S")
  if not info or info.linedefined < 1 then return "a Lua function" end
  return ("the Lua function at %s:%d"):format(info.short_src, info.linedefined)
end

---A Go function at this place, checked against the version of the moment.
---@param place goloader.Place
---@param ref goloader.Ref
---@param role "handler"|"filter"|"page"
---@param strip? string
---@return goloader.Call?
---@return string? err
local function call_of(place, ref, role, strip)
  local slot, name = slots.target(ref)
  local options = place.options
  local call = {
    what = place.what, role = role, slot = slot, func = name, names = place.names, from = options.from,
    timeout = options.timeout or nil, max_body = options.max_body or nil, waits = options.waits, strip = strip,
    hooks = place.hooks, plans = setmetatable({}, { __mode = "k" }),
  }
  local plan, err = handler.plan(call, slot.version)
  if not plan then -- it begins with the place, which whoever notes the mistake says too
    local place_too = place.what .. ": "
    return nil, err:sub(1, #place_too) == place_too and err:sub(#place_too + 1) or err
  end
  call.plans[slot.version] = plan
  place.calls[#place.calls + 1] = call
  return call
end

---@param place goloader.Place
---@param filter any
---@return (fun(req: goloader.Request): any, any, table?)? run
---@return string text what it is, or what is wrong with it
function targets.filter(place, filter)
  if slots.target(filter) then
    local call, err = call_of(place, filter, "filter")
    if not call then return nil, err end
    return function(req) return handler.filter(call, req) end, handler.describe(call)
  elseif callable(filter) then
    return filter, position(filter)
  end
  return nil, "a Lua function or a function of a module expected, got " .. type(filter)
end

---What is shown in the place of an answer with an error's status.
---@param place goloader.Place
---@param page any
---@return (fun(req: goloader.Request, res: goloader.Response): any, any, table?)? run
---@return string text
function targets.page(place, page)
  if type(page) == "string" then return function() return page end, "a text" end
  if slots.target(page) then
    local call, err = call_of(place, page, "page")
    if not call then return nil, err end
    return function(req) return handler.call(call, req) end, handler.describe(call)
  elseif callable(page) then
    return page, position(page)
  end
  return nil, "a text, a Lua function or a function of a module expected, got " .. type(page)
end

local COMPILE = {}

function COMPILE.redirect(place, spec, options)
  local fill, err = template.compile(spec.redirect, place.names)
  if not fill then return nil, "redirect: " .. err end
  local status, keep = options.status or 302, options.query ~= false and not spec.redirect:find("?", 1, true)
  if not (status == 301 or status == 302 or status == 303 or status == 307 or status == 308) then
    return nil, ("redirect: the status is 301, 302, 303, 307 or 308, not %s"):format(tostring(status))
  end
  return {
    kind = "redirect", text = ("redirect to %s (%d)"):format(spec.redirect, status), early = true,
    run = function(req)
      local to = fill(req)
      if keep and req.query ~= "" then to = to .. "?" .. req.query end
      return nil, status, { Location = to }
    end,
  }
end

-- The address and the query string that a rewrite leads to: its own arguments before the visitor's.
local function address(to, req, keep)
  local path, query = to:match "^([^?]*)%??(.*)$"
  if keep and req.query ~= "" then query = query == "" and req.query or query .. "&" .. req.query end
  return path, query
end

function COMPILE.rewrite(place, spec, options)
  if type(spec.rewrite) ~= "string" or spec.rewrite:sub(1, 1) ~= "/" then
    return nil, "rewrite: an address that starts with / expected"
  end
  local fill, err = template.compile(spec.rewrite, place.names)
  if not fill then return nil, "rewrite: " .. err end
  local function readdress(req) requests.readdress(req, address(fill(req), req, options.query ~= false)) end
  return {
    kind = "rewrite", text = "rewrite to " .. spec.rewrite, early = true, readdress = readdress,
    run = function(req)
      readdress(req)
      return answer.again(req)
    end,
  }
end

function COMPILE.exec(place, spec, options)
  if type(spec.exec) ~= "string" or not spec.exec:find "^[/@]" then
    return nil, "exec: a location of nginx expected, \"/internal\" or \"@name\""
  end
  local fill, err = template.compile(spec.exec, place.names)
  if not fill then return nil, "exec: " .. err end
  return {
    kind = "exec", text = "nginx's location " .. spec.exec, early = true,
    run = function(req)
      local path, query = address(fill(req), req, options.query ~= false)
      return response.new { exec = path, exec_args = query ~= "" and query or nil,
        exec_path = req.hops and req.path or nil }
    end,
  }
end

function COMPILE.split(place, spec)
  local arms, names = {}, {}
  for i, arm in ipairs(spec.split) do
    local what = ("split[%d]"):format(i)
    if callable(arm) then arm = { arm } end
    if type(arm) ~= "table" then return nil, ("%s: a table with a handler expected, got %s"):format(what, type(arm)) end
    local known = { weight = true, name = true, exec = true, rewrite = true, redirect = true, status = true }
    for key in pairs(arm) do
      if key ~= 1 and not known[key] then
        local near = nearest(key, known)
        return nil, ("%s: there is no option %s%s"):format(what, tostring(key),
          near and ("; did you mean %s?"):format(near) or "")
      end
    end
    local weight = arm.weight or 1
    if type(weight) ~= "number" or weight < 0 then return nil, what .. ": weight must be a number from 0" end
    local target, err = targets.compile(place, arm, { status = arm.status })
    if not target then return nil, what .. ": " .. err end
    local name = arm.name or tostring(i)
    if names[name] then return nil, ("%s: there are two arms called %s"):format(what, name) end
    names[name] = true
    arms[i] = { name = name, weight = weight, target = target }
  end
  for key in pairs(spec.split) do
    if type(key) ~= "number" and key ~= "by" then
      return nil, ("split: there is no option %s: it has arms, and by = …"):format(tostring(key))
    end
  end
  if #arms < 2 then return nil, "split: two arms or more expected" end
  local made, err = split.new(arms, spec.split.by)
  if not made then return nil, err end
  local texts, early = {}, nil
  for i, arm in ipairs(arms) do
    texts[i] = ("%g × %s"):format(arm.weight, arm.target.text)
    early = early or arm.target.early
  end
  local function arm_of(req)
    req.arm = req.arm or made.choose(req)
    return req.arm.target
  end
  return {
    kind = "split", text = "split: " .. table.concat(texts, ", "), split = made, early = early, arm_of = arm_of,
    run = function(req) return arm_of(req).run(req) end,
  }
end

-- A mounted function sees the path behind the place where it is mounted.
local function stripped(run, prefix)
  return function(req)
    local path = req.path
    local _ = req.params -- of the whole path
    req.mount, req.path = prefix, path:sub(#prefix + 1)
    if req.path == "" then req.path = "/" end
    local function back(...)
      req.path = path
      return ...
    end
    return back(run(req))
  end
end

---@param place goloader.Place
---@param spec table a route's, or an arm's of a split
---@param options table the route's own
---@param strip? string a mounted handler does not see this of the path
---@return goloader.Target? target
---@return string? err
function targets.compile(place, spec, options, strip)
  local kind
  for name in pairs(COMPILE) do
    if spec[name] ~= nil then
      if kind or spec[1] ~= nil then return nil, "one handler expected, got two" end
      kind = name
    end
  end
  if kind then return COMPILE[kind](place, spec, options) end
  local first = spec[1]
  if slots.target(first) then
    local call, err = call_of(place, first, "handler", strip)
    if not call then return nil, err end
    local function run(req) return handler.call(call, req) end
    local bound = call.plans[call.slot.version].bound
    return { kind = "go", text = handler.describe(call), run = strip and not bound and stripped(run, strip) or run }
  elseif callable(first) then
    return { kind = "lua", text = position(first), run = strip and stripped(first, strip) or first }
  end
  return nil, "a handler expected, got " .. type(first)
end

return targets
