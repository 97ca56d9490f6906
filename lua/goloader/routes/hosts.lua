--- Names of hosts in routes: "shop.example.com", "*.example.com".
--
-- The exact name wins over a wildcard, the longer wildcard over the shorter one, and all of them over routes without a
-- host, which are for every host. A wildcard stands for one label or more, never for none.

local hosts = {}

---@class goloader.Hosts
---@field exact table<string, any>
---@field wild table<string, any> "*.example.com" by ".example.com"

---@return goloader.Hosts
function hosts.new() return { exact = {}, wild = {} } end

---What is wrong with a name; else the name as it is kept.
---@param name any
---@return string? name
---@return string? err
function hosts.check(name)
  if type(name) ~= "string" then return nil, "a host's name expected, got " .. type(name) end
  local plain = name:lower():gsub("^%*%.", "", 1)
  if plain:find "*" then return nil, ("%q: a wildcard stands at the beginning, \"*.example.com\""):format(name) end
  if plain:find ":%d+$" and not plain:find "^%[" then
    return nil, ("%q: a host is named without a port"):format(name)
  end
  if plain == "" or plain:find "[%s/]" then return nil, ("%q is not a host's name"):format(name) end
  return name:lower()
end

---Adds an entry, or gives the one that is there.
---@param set goloader.Hosts
---@param name string
---@param make fun(): any
---@return any
function hosts.entry(set, name, make)
  local map, key = set.exact, name
  if name:sub(1, 2) == "*." then map, key = set.wild, name:sub(2) end
  map[key] = map[key] or make()
  return map[key]
end

---Asks the entries for a host, the most exact first, until one has an answer.
---@param set goloader.Hosts
---@param host string as `request.host` gives it
---@param ask fun(entry: any, ...): any
---@return any answer
function hosts.ask(set, host, ask, ...)
  local entry = set.exact[host]
  local answer = entry and ask(entry, ...)
  if answer then return answer end
  local dot = host:find(".", 1, true)
  while dot do
    entry = set.wild[host:sub(dot)]
    answer = entry and ask(entry, ...)
    if answer then return answer end
    dot = host:find(".", dot + 1, true)
  end
end

return hosts
