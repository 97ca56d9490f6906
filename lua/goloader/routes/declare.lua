--- Declarations: what the names in a routes file do.
--
-- A routes file is run as a whole before anything of it takes effect. `get "/x" { … }` notes what is declared, and
-- where; when the file has ended, and all groups are closed, each declaration is read together with what stands around
-- it, and the mistakes of all of them are told together, each with its line.
--
-- `group "/api" { … }` opens a level before Lua reads what stands in the braces, and closes it after: what is declared
-- meanwhile is within. A function will do as well as a table: `group "/api" (function() … end)`.

local cache_options = require "goloader.routes.cacheoptions"
local conditions = require "goloader.routes.conditions"
local config = require "goloader.routes.config"
local hosts = require "goloader.routes.hosts"
local options = require "goloader.routes.options"
local response = require "goloader.routes.response"
local targets = require "goloader.routes.targets"
local tree = require "goloader.routes.tree"

local declare = {}

---@class goloader.Level a group, a host, or the file itself
---@field outer? goloader.Level
---@field prefix string
---@field hosts? string[]
---@field options table
---@field before { filter: any, where: string }[]
---@field pages { status: integer, page: any, where: string }[]
---@field where string
---@field what string

---@class goloader.Draft
---@field owner goloader.Router
---@field options goloader.router.Options the router's
---@field root? string folder that module paths start from
---@field slots goloader.Slot[] that it may use
---@field unit goloader.Unit what comes of it
---@field level goloader.Level where the next declaration belongs
---@field package levels goloader.Level[]
---@field package entries table[]
---@field package open { where: string, what: string }[] declarations whose braces are still to come
---@field mistakes string[]
local Draft = {}
Draft.__index = Draft

local DECLARED = {} -- stands for a declaration in the braces of a group

---@return goloader.Level
local function new_level(outer, where, what)
  return { outer = outer, prefix = "", options = {}, before = {}, pages = {}, where = where, what = what }
end

---@param router goloader.Router
---@param file? string
---@return goloader.Draft
function declare.new(router, file)
  local level = new_level(nil, file or "?", "the file")
  return setmetatable({
    owner = router, options = router.options, root = router.root, slots = {}, unit = config.unit(file), level = level,
    levels = { level }, entries = {}, open = {}, mistakes = {},
  }, Draft)
end

local here = debug.getinfo(1, "S").source
local ours = { [here] = true, [here:gsub("routes/declare%.lua$", "router.lua")] = true }

---Where the routes file stands.
---@return string
function declare.position()
  for level = 3, 12 do
    local info = debug.getinfo(level, "Sl")
    if not info then break end
    if info.currentline > 0 and not ours[info.source] then
      return ("%s:%d"):format(info.short_src, info.currentline)
    end
  end
  return "?"
end

---Notes a mistake.
---@param where string
---@param what string
---@param text string
function Draft:wrong(where, what, text)
  self.mistakes[#self.mistakes + 1] = ("%s: %s: %s"):format(where, what, text)
end

-- Waits for a declaration's braces.
function Draft:expect(where, what, take)
  local open = { where = where, what = what }
  self.open[#self.open + 1] = open
  return function(...)
    for i = #self.open, 1, -1 do
      if self.open[i] == open then table.remove(self.open, i) end
    end
    return take(...)
  end
end

---Notes a route.
---@param method string
---@param pattern any
---@param spec any
---@param where string
function Draft:route(method, pattern, spec, where)
  local entry = { kind = "route", method = method, pattern = pattern, spec = spec, where = where, level = self.level }
  self.entries[#self.entries + 1] = entry
  return entry
end

-- ---- levels ---------------------------------------------------------------------------------------------------------

local function add_filters(level, filters, where)
  for i = 1, #filters do level.before[#level.before + 1] = { filter = filters[i], where = where, index = i } end
end

-- Takes the named options of a table for all that is declared on a level.
function Draft:add_options(level, spec, where, what)
  local read = options.read(spec, false, function(text) self:wrong(where, what, text) end)
  for name, value in pairs(read) do
    if name == "before" then
      add_filters(level, value, where)
    elseif name == "when" and level.options.when then
      for _, condition in ipairs(value) do table.insert(level.options.when, condition) end
    else
      level.options[name] = value
    end
  end
end

---Opens a level; what it returns closes it.
function Draft:open_level(level)
  local outer = self.level
  level.outer = outer
  self.levels[#self.levels + 1] = level
  self.level = level
  return self:expect(level.where, level.what, function(body)
    self.level = level
    if type(body) == "function" then
      body()
    elseif type(body) == "table" then
      for key, value in pairs(body) do
        if type(key) == "number" and value ~= DECLARED then
          self:wrong(level.where, level.what, ("declarations expected between its braces, entry %d is a %s"):format(key,
            type(value)))
        end
      end
      self:add_options(level, body, level.where, level.what)
    else
      self:wrong(level.where, level.what, "a table or a function expected, got " .. type(body))
    end
    self.level = outer
    return DECLARED
  end)
end

function Draft:group(prefix, where)
  local what = ("group %q"):format(tostring(prefix))
  local level = new_level(self.level, where, what)
  if type(prefix) ~= "string" or prefix ~= "" and not prefix:find "^/" or prefix:find "/$" then
    self:wrong(where, what, "a prefix starts with / and does not end with one")
  elseif prefix:find "/%*" then
    self:wrong(where, what, "a prefix has no *rest")
  else
    level.prefix = prefix
  end
  return self:open_level(level)
end

function Draft:host(names, where)
  if type(names) ~= "table" then names = { names } end
  local texts = {}
  for i, name in ipairs(names) do texts[i] = ("%q"):format(tostring(name)) end
  local what = "host " .. table.concat(texts, ", ")
  local level = new_level(self.level, where, what)
  local outer = self.level
  while outer do
    if outer.hosts then self:wrong(where, what, "a host stands within another one, at " .. outer.where) end
    outer = outer.outer
  end
  level.hosts = {}
  for _, name in ipairs(names) do
    local kept, err = hosts.check(name)
    if err then self:wrong(where, what, err) end
    level.hosts[#level.hosts + 1] = kept
  end
  if #names == 0 then self:wrong(where, what, "a host's name expected") end
  return self:open_level(level)
end

-- What stands around a level, the outermost first.
local function around(level)
  local list = {}
  while level do
    table.insert(list, 1, level)
    level = level.outer
  end
  return list
end

-- ---- reading what was noted -----------------------------------------------------------------------------------------

function Draft:filters(place, list, wrong)
  local filters, texts = {}, {}
  for _, entry in ipairs(list) do
    local run, text = targets.filter(place, entry.filter)
    if run then
      filters[#filters + 1], texts[#texts + 1] = run, text
    elseif entry.own then
      local plain, n = text:gsub(" expected, got", ", got")
      wrong(("before[%d]%s %s"):format(entry.index, n > 0 and " must be" or ":", plain))
    else
      self:wrong(entry.where, "before", text)
    end
  end
  return filters, texts
end

function Draft:pages(place, list)
  local pages
  for _, entry in ipairs(list) do
    local run, text = targets.page(place, entry.page)
    if run then
      pages = pages or {}
      pages[entry.status] = run
    else
      self:wrong(entry.where, ("error_page %d"):format(entry.status), text)
    end
  end
  return pages
end

function Draft:place(what, names, merged)
  return { what = what, names = names, options = merged, hooks = self.options, calls = self.unit.calls }
end

local function merge(levels, own)
  local list = {}
  for i, level in ipairs(levels) do list[i] = level.options end
  list[#list + 1] = own
  return options.merge(list)
end

-- The whole pattern of a declaration, with the prefixes of the groups around it.
local function whole(levels, pattern, wrong)
  local prefix = ""
  for _, level in ipairs(levels) do prefix = prefix .. level.prefix end
  if type(pattern) ~= "string" or pattern:sub(1, 1) ~= "/" and not (pattern == "" and prefix ~= "") then
    return wrong "a pattern starts with /"
  end
  local names, err = tree.names_of(prefix .. pattern)
  if err then return wrong(err) end
  return prefix .. pattern, names
end

-- Makes the route of an entry, or notes what is wrong with it.
function Draft:make_route(entry)
  local spec, levels = entry.spec, around(entry.level)
  local failed = false
  local what = entry.what or entry.method .. " " .. tostring(entry.pattern)
  local function wrong(text)
    failed = true
    self:wrong(entry.where, what, text)
  end
  local pattern, names = whole(levels, entry.pattern, wrong)
  if targets.callable(spec) then spec = { spec } end
  if type(spec) ~= "table" then return wrong("a table with a handler expected, got " .. type(spec)) end
  local own = options.read(spec, true, wrong)
  for key in pairs(spec) do
    if type(key) == "number" and key ~= 1 then wrong "one handler expected, got two" end
  end
  if failed then return end
  if not entry.what then what = entry.method .. " " .. pattern end
  local merged = merge(levels, own)
  local place = self:place(what, names, merged)
  local before, pages, host = {}, {}, nil
  for i, level in ipairs(levels) do
    if i > 1 then -- those of the file are for all files
      for _, filter in ipairs(level.before) do before[#before + 1] = filter end
      for _, page in ipairs(level.pages) do pages[#pages + 1] = page end
    end
    host = level.hosts or host
  end
  for i = 1, #(own.before or {}) do
    before[#before + 1] = { filter = own.before[i], where = entry.where, index = i, own = true }
  end
  local route = {
    method = entry.method, pattern = pattern, names = names, matcher = tree.lua_pattern(pattern), hosts = host,
    where = entry.where, conditions = merged.when, holds = conditions.all(merged.when), type = merged.type,
    on_error = merged.on_error, timeout = merged.timeout or nil, max_body = merged.max_body or nil, etag = merged.etag,
    name = merged.name,
  }
  local target, err = targets.compile(place, spec, own, entry.strip)
  if not target then return wrong(err) end
  route.target = target
  route.filters, route.texts = self:filters(place, before, wrong)
  route.pages = self:pages(place, pages)
  if own.cache and entry.method ~= "GET" then return wrong "only the answers of GET can be kept" end
  if merged.cache and entry.method == "GET" and (own.cache or target.kind ~= "redirect" and target.kind ~= "rewrite"
    and target.kind ~= "exec") then
    route.cached, err = cache_options.read(merged.cache, route, self.options)
    if err then return wrong(err) end
  end
  if failed then return end
  self.unit.routes[#self.unit.routes + 1] = route
  return route
end

local OF_FILTERS = { before = true, when = true, from = true, timeout = true, waits = true, max_body = true }

-- A filter for paths, whatever answers there.
function Draft:make_path_filter(entry)
  local spec, levels = entry.spec, around(entry.level)
  local what = "filter " .. tostring(entry.pattern)
  local function wrong(text) self:wrong(entry.where, what, text) end
  if type(spec) ~= "table" then return wrong("a table expected, got " .. type(spec)) end
  local pattern = whole(levels, entry.pattern, wrong)
  if not pattern then return end
  local read = options.read(spec, false, wrong)
  for name in pairs(spec) do
    if not OF_FILTERS[name] then
      wrong(("a filter has no %s: it has before, when, from, timeout, waits and max_body"):format(
        type(name) == "number" and "handler" or tostring(name)))
    end
  end
  local host
  for _, level in ipairs(levels) do host = level.hosts or host end
  local around_it, merged = merge(levels, {}), options.merge { read }
  merged.timeout = merged.timeout or around_it.timeout
  merged.from = options.merge({ { from = around_it.from }, { from = read.from } }).from
  local place, before = self:place(what, {}, merged), {}
  for i = 1, #(read.before or {}) do
    before[i] = { filter = read.before[i], where = entry.where, index = i, own = true }
  end
  local filters, texts = self:filters(place, before, wrong)
  self.unit.paths[#self.unit.paths + 1] = {
    pattern = pattern, matcher = tree.lua_pattern(pattern), hosts = host, holds = conditions.all(merged.when),
    filters = filters, texts = texts, max_body = merged.max_body or nil, where = entry.where,
  }
end

---Reads all that was noted. Afterwards `unit` is whole, or there are mistakes.
---@return goloader.Unit
function Draft:finish()
  for _, open in ipairs(self.open) do self:wrong(open.where, open.what, "what stands between braces is missing") end
  for _, entry in ipairs(self.entries) do
    if entry.kind == "route" then
      local route = self:make_route(entry)
      if route then entry.route = route end
    else
      self:make_path_filter(entry)
    end
  end
  local unit, file = self.unit, self.levels[1]
  local place = self:place("before", {}, options.merge { file.options })
  unit.filters, unit.texts = self:filters(place, file.before)
  place.what = "error_page"
  unit.pages = self:pages(place, file.pages) or {}
  for _, level in ipairs(self.levels) do
    if level.hosts and #level.pages > 0 then
      local pages = self:pages(place, level.pages)
      for _, name in ipairs(level.hosts) do
        unit.host_pages[#unit.host_pages + 1] = { name = name, pages = pages or {} }
      end
    end
  end
  return unit
end

-- ---- the names ------------------------------------------------------------------------------------------------------

-- redirect "/old" "/new", redirect "/old" { "/new", status = 301 }
function Draft:forward(kind, pattern, where)
  local what = ("%s %s"):format(kind, tostring(pattern))
  return self:expect(where, what, function(spec)
    if type(spec) == "string" then spec = { spec } end
    if type(spec) == "table" then
      local copy = {}
      for key, value in pairs(spec) do copy[key] = value end
      copy[1], copy[kind] = nil, spec[1] or spec[kind] or ""
      spec = copy
    end
    local entry = self:route("*", pattern, spec, where)
    entry.what = what
    return DECLARED
  end)
end

-- All addresses below a prefix, and the prefix itself, with all methods.
function Draft:mount(prefix, where)
  local what = ("mount %q"):format(tostring(prefix))
  return self:expect(where, what, function(spec)
    if type(prefix) ~= "string" or not prefix:find "^/" or prefix:find "/%*" then
      self:wrong(where, what, "a prefix starts with / and has no *rest")
      return DECLARED
    end
    local trimmed = prefix:gsub("/+$", "")
    for _, pattern in ipairs { trimmed, trimmed .. "/*rest" } do
      if pattern ~= "" then
        local entry = self:route("*", pattern, spec, where)
        entry.what = what
        if type(spec) == "table" and spec.strip then
          local before = ""
          for _, level in ipairs(around(self.level)) do before = before .. level.prefix end
          entry.strip = before .. trimmed
        end
      end
    end
    return DECLARED
  end)
end

function Draft:error_page(status, page, where)
  local list = type(status) == "table" and status or { status }
  for _, one in ipairs(list) do
    if type(one) ~= "number" or one < 400 or one > 599 or one % 1 ~= 0 then
      self:wrong(where, "error_page", ("a status from 400 to 599 expected, got %s"):format(tostring(one)))
    else
      table.insert(self.level.pages, { status = one, page = page, where = where })
    end
  end
  return DECLARED
end

local METHODS = { get = "GET", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE", options = "OPTIONS",
  any = "*" }

---What a routes file sees besides Lua's own names.
---@return table<string, any>
function Draft:names()
  local draft, position = self, declare.position
  local names = { root = draft.root, response = response.new }
  local function route(method)
    return function(pattern)
      local where = position()
      return draft:expect(where, ("%s %s"):format(method, tostring(pattern)), function(spec)
        draft:route(method, pattern, spec, where)
        return DECLARED
      end)
    end
  end
  for name, method in pairs(METHODS) do names[name] = route(method) end
  function names.route(method, pattern)
    if type(method) ~= "string" then error("route: a method expected, got " .. type(method), 2) end
    local where = position()
    return draft:expect(where, ("%s %s"):format(method, tostring(pattern)), function(spec)
      draft:route(method, pattern, spec, where)
      return DECLARED
    end)
  end
  function names.purge(what) return draft.owner:purge(what) end
  function names.module(spec)
    local slot, _, err = draft.owner:declare_module(draft, spec)
    return slot or error(err, 0)
  end
  function names.before(...)
    add_filters(draft.level, { ... }, position())
    return DECLARED
  end
  function names.on_error(answers)
    if not targets.callable(answers) then error("on_error: a function expected", 2) end
    if draft.level.outer then
      draft.level.options.on_error = answers
    else
      draft.unit.error_handler = answers
    end
    return DECLARED
  end
  function names.group(prefix) return draft:group(prefix, position()) end
  function names.host(list) return draft:host(list, position()) end
  function names.defaults(spec)
    local where = position()
    if type(spec) ~= "table" then error("defaults: a table expected, got " .. type(spec), 2) end
    if #spec > 0 then draft:wrong(where, "defaults", "it has options only, and declares nothing") end
    draft:add_options(draft.level, spec, where, "defaults")
    return DECLARED
  end
  function names.filter(pattern)
    local where = position()
    return draft:expect(where, "filter " .. tostring(pattern), function(spec)
      draft.entries[#draft.entries + 1] = { kind = "filter", pattern = pattern, spec = spec, where = where,
        level = draft.level }
      return DECLARED
    end)
  end
  function names.redirect(pattern) return draft:forward("redirect", pattern, position()) end
  function names.rewrite(pattern) return draft:forward("rewrite", pattern, position()) end
  function names.mount(prefix) return draft:mount(prefix, position()) end
  function names.error_page(status, page)
    local where = position()
    if page ~= nil then return draft:error_page(status, page, where) end
    return draft:expect(where, "error_page", function(spec)
      if type(spec) == "table" and not targets.callable(spec) then spec = spec[1] end
      return draft:error_page(status, spec, where)
    end)
  end
  return names
end

return declare
