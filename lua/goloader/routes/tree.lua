--- The tree of addresses: which route a path leads to.
--
-- Addresses live in a tree by their segments. A literal segment wins over :name, and :name over *rest; the search turns
-- back where the better branch leads nowhere, so the order of declarations never matters. Only routes on the very same
-- address are asked in their order: the first whose conditions hold answers.
--
-- An address without captures is found in one look, in a table of whole paths: a path that is literal all the way wins
-- over all others. A search makes no tables, and for literal segments no strings: what :name and *rest have captured is
-- taken out of the path when somebody looks at it (see `tree.captures`).

local unescape = require("goloader.percent").decode

local find, sub = string.find, string.sub

local tree = {}

---@class goloader.tree.Node
---@field literal? table<string, goloader.tree.Node> by segment
---@field param? goloader.tree.Node behind :name
---@field rest? goloader.tree.Node behind *rest
---@field routes table<string, goloader.Route[]> by method; "*" is any
---@field exact? table<string, goloader.tree.Node> of the root: by whole path

---@return goloader.tree.Node
local function new_node() return { routes = {} } end

---@return goloader.tree.Node root
function tree.new() return { routes = {}, exact = {} } end

---Splits a pattern into segments: "/list/:category" has "list" and ":category".
local function segments_of(pattern)
  local list, from = {}, 2
  repeat
    local slash = find(pattern, "/", from, true)
    list[#list + 1] = sub(pattern, from, slash and slash - 1)
    from = slash and slash + 1
  until not from
  return list
end

---The names of a pattern's captures, in order; or what is wrong with it.
---@return string[]? names
---@return string? err
function tree.names_of(pattern)
  local names, segments = {}, segments_of(pattern)
  for i, segment in ipairs(segments) do
    local mark, name = segment:match "^([:*])(.*)$"
    if mark then
      if name == "" then
        return nil, ("what %q stands for has no name: %q, say"):format(segment, mark == "*" and "*rest" or ":id")
      end
      if not name:find "^[%a_][%w_]*$" then return nil, ("%q is not a name"):format(segment) end
      if mark == "*" and i < #segments then return nil, segment .. " must stand at the end" end
      for _, other in ipairs(names) do
        if other == name then return nil, name .. " stands there twice" end
      end
      names[#names + 1] = name
    end
  end
  return names
end

---The same pattern as Lua's string library writes it.
---@param pattern string
---@return string
function tree.lua_pattern(pattern)
  local parts = {}
  for i, segment in ipairs(segments_of(pattern)) do
    local mark = segment:match "^[:*]"
    parts[i] = mark == ":" and "([^/]+)" or mark == "*" and "(.*)" or segment:gsub("%p", "%%%0")
  end
  return "^/" .. table.concat(parts, "/") .. "$"
end

local NONE = {}

local function named(names, ...)
  local params = {}
  for i = 1, #names do params[names[i]] = unescape((select(i, ...))) end
  return params
end

---What the captures of a route's pattern have caught of a path.
---@param route goloader.Route
---@param path string
---@return table<string, string> params do not change it
function tree.captures(route, path)
  if #route.names == 0 then return NONE end
  return named(route.names, path:match(route.matcher))
end

---Adds a route at its pattern. `clash` says why a route can't stand behind another one on the same address.
---@param root goloader.tree.Node
---@param route goloader.Route
---@param clash fun(earlier: goloader.Route, later: goloader.Route): string?
---@return string? err
function tree.insert(root, route, clash)
  local node, literal = root, true
  for _, segment in ipairs(segments_of(route.pattern)) do
    local mark = segment:match "^[:*]"
    if mark then
      local branch = mark == ":" and "param" or "rest"
      node[branch] = node[branch] or new_node()
      node, literal = node[branch], false
    else
      node.literal = node.literal or {}
      node.literal[segment] = node.literal[segment] or new_node()
      node = node.literal[segment]
    end
  end
  if literal then root.exact[route.pattern] = node end
  local list = node.routes[route.method]
  if not list then
    node.routes[route.method] = { route }
    return
  end
  for i = 1, #list do
    local err = clash(list[i], route)
    if err then return err end
  end
  list[#list + 1] = route
end

-- The first of a node's routes for the method whose conditions hold.
local function choose(node, method, req)
  local routes = node.routes
  local list = routes[method] or method == "HEAD" and routes.GET
  if list then
    for i = 1, #list do
      local route = list[i]
      if not route.holds or route.holds(req) then return route end
    end
  end
  list = routes["*"]
  if list then
    for i = 1, #list do
      local route = list[i]
      if not route.holds or route.holds(req) then return route end
    end
  end
end

-- Goes down from a node with the path from position `from` (behind a slash) on. It calls itself only where a segment
-- has more than one branch, because only there may it have to turn back.
local function search(node, method, path, from, req)
  while true do
    local slash = find(path, "/", from, true)
    local literals, param, rest = node.literal, node.param, node.rest
    local child = literals and literals[sub(path, from, slash and slash - 1)]
    if child and (param or rest) then
      local route
      if slash then route = search(child, method, path, slash + 1, req) else route = choose(child, method, req) end
      if route then return route end
      child = nil
    end
    if not child and param and from <= #path and slash ~= from then
      child = param
      if rest then
        local route
        if slash then route = search(child, method, path, slash + 1, req) else route = choose(child, method, req) end
        if route then return route end
        child = nil
      end
    end
    if not child then return rest and choose(rest, method, req) end
    if not slash then return choose(child, method, req) end
    node, from = child, slash + 1
  end
end

---Finds the route of a path.
---@param root goloader.tree.Node
---@param method string
---@param path string
---@param req goloader.Request for conditions
---@return goloader.Route?
function tree.find(root, method, path, req)
  local node = root.exact[path]
  local route = node and choose(node, method, req)
  if route then return route end
  if sub(path, 1, 1) ~= "/" then return nil end
  return search(root, method, path, 2, req)
end

-- Calls `see` with each node that the path leads to, the most literal one first.
local function visit(node, path, from, see)
  local slash = find(path, "/", from, true)
  local segment = sub(path, from, slash and slash - 1)
  local function down(child)
    if not child then return end
    if slash then visit(child, path, slash + 1, see) else see(child) end
  end
  down(node.literal and node.literal[segment])
  if segment ~= "" then down(node.param) end
  if node.rest then see(node.rest) end
end

---All routes on a path, of all methods, in the order in which they would be asked.
---@param root goloader.tree.Node
---@param path string
---@return goloader.Route[]
function tree.all(root, path)
  local found = {}
  if sub(path, 1, 1) ~= "/" then return found end
  visit(root, path, 2, function(node)
    local methods = {}
    for method in pairs(node.routes) do methods[#methods + 1] = method end
    table.sort(methods, function(a, b) return b == "*" and a ~= "*" or a ~= "*" and a < b end)
    for _, method in ipairs(methods) do
      for _, route in ipairs(node.routes[method]) do found[#found + 1] = route end
    end
  end)
  return found
end

return tree
