--- The tree of addresses: which route a path leads to.
--
-- Addresses live in a tree by their segments. A literal segment wins over :name, and :name over *rest; the search turns
-- back where the better branch leads nowhere, so the order of declarations never matters.

local unescape = require("goloader.percent").decode

local tree = {}

---@return table
function tree.new() return { literal = {}, routes = {} } end

---Splits a pattern into segments: "/list/:category" has "list" and ":category".
local function segments_of(pattern)
  local list, from = {}, 2
  repeat
    local slash = pattern:find("/", from, true)
    list[#list + 1] = pattern:sub(from, slash and slash - 1)
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
    local mark, name = segment:match("^([:*])(.*)$")
    if mark then
      if not name:find("^[%a_][%w_]*$") then return nil, ("%q is not a name"):format(segment) end
      if mark == "*" and i < #segments then return nil, segment .. " must stand at the end" end
      for _, other in ipairs(names) do
        if other == name then return nil, name .. " stands there twice" end
      end
      names[#names + 1] = name
    end
  end
  return names
end

---Adds a route at its pattern.
---@param root table
---@param route goloader.Route
---@return string? err another route stands there
function tree.insert(root, route)
  local node = root
  for _, segment in ipairs(segments_of(route.pattern)) do
    local mark = segment:match("^[:*]")
    local branches, branch = node, mark == ":" and "param" or "rest"
    if not mark then branches, branch = node.literal, segment end
    branches[branch] = branches[branch] or tree.new()
    node = branches[branch]
  end
  local other = node.routes[route.method]
  if other then return ("%s declares %s %s already"):format(other.where, other.method, other.pattern) end
  node.routes[route.method] = route
end

local function route_at(node, method, allowed)
  local routes = node.routes
  local route = routes[method] or method == "HEAD" and routes.GET
  if route then return route end
  for other in pairs(routes) do allowed[other] = true end
end

---Finds the route for a path from position `from` (behind a slash) on. Captured texts are put into `values`, methods
---that the path has routes for into `allowed`.
local function search(node, path, from, method, values, depth, allowed)
  local slash = path:find("/", from, true)
  local segment = path:sub(from, slash and slash - 1)
  local child = node.literal[segment]
  if child then
    local route
    if slash then
      route = search(child, path, slash + 1, method, values, depth, allowed)
    else
      route = route_at(child, method, allowed)
    end
    if route then return route end
  end
  child = node.param
  if child and segment ~= "" then
    local route
    if slash then
      route = search(child, path, slash + 1, method, values, depth + 1, allowed)
    else
      route = route_at(child, method, allowed)
    end
    if route then
      values[depth + 1] = segment
      return route
    end
  end
  child = node.rest
  if child then
    values[depth + 1] = path:sub(from)
    return route_at(child, method, allowed)
  end
end

local NO_PARAMS = {}

---Finds the route of a path.
---@param root table
---@param method string
---@param path string
---@return goloader.Route? route
---@return table params, or the methods that the path does have
function tree.find(root, method, path)
  local values, allowed = {}, {}
  if path:sub(1, 1) ~= "/" then return nil, allowed end
  local route = search(root, path, 2, method, values, 0, allowed)
  if not route then return nil, allowed end
  local names = route.names
  if #names == 0 then return route, NO_PARAMS end
  local params = {}
  for i = 1, #names do params[names[i]] = unescape(values[i]) end
  return route, params
end

return tree
