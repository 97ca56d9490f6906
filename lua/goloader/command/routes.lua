--- goloader routes: lists the routes of a routes file, or tells which one answers a request and why.

local check = require "goloader.command.check"
local explain = require "goloader.routes.explain"

local routes = {}

local function list(router)
  local rows, width = {}, 0
  local function add(address, text)
    rows[#rows + 1] = { address, text }
    width = math.max(width, #address)
  end
  for _, route in ipairs(router.routes) do add(explain.address(route), route.target.text) end
  for _, filter in ipairs(router.conf.paths or {}) do
    for _, text in ipairs(filter.texts) do add("filter " .. filter.pattern, text) end
  end
  for _, row in ipairs(rows) do io.write(row[1], (" "):rep(width - #row[1]), "  ", row[2], "\n") end
end

local function tell(word, text) io.write(("  %-9s %s\n"):format(word, text)) end

local function sorted(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  table.sort(names)
  return names
end

---@param router goloader.Router
---@param request table
---@return integer status 1 where no route answers
local function answer(router, request)
  local told = explain.request(router, request)
  if told.route then
    io.write(explain.address(told.route), "\n")
    for _, name in ipairs(sorted(told.params)) do tell("param", ("%s = %s"):format(name, told.params[name])) end
    for _, detail in ipairs(explain.details(told.route)) do
      if detail[1] ~= "filter" then tell(detail[1], detail[2]) end
    end
  else
    io.write(("no route answers: status %d\n"):format(told.status)) -- another location of nginx may, after the filters
  end
  for _, text in ipairs(told.filters) do tell("filter", text) end
  for _, refused in ipairs(told.refused) do
    tell("not", ("%s (%s): %s"):format(explain.address(refused.route), refused.route.where, refused.why))
  end
  return told.route and 0 or 1
end

-- "GET", "/list?x", "https://shop.test/list", or an address alone.
local function read_request(words, headers)
  local method, address = words[1], words[2]
  if not address then method, address = "GET", method end
  local request = { method = method:upper(), path = address, headers = {} }
  local host, path = address:match "^https?://([^/?#]+)(.*)$"
  if host then
    request.path = path:find "^/" and path or "/" .. path
    request.headers.host = host
  end
  request.path = request.path:gsub("#.*$", "")
  for _, line in ipairs(headers) do
    local name, value = line:match "^([^:%s]+):%s*(.*)$"
    if not name then return nil, ("-H %q: \"Name: value\" expected"):format(line) end
    request.headers[name:lower()] = value
  end
  if not request.path:find "^/" then return nil, ("%s: an address starts with / or http://"):format(address) end
  return request
end

---@param arguments { file: string, request: string[], header: string[] }
---@return integer status
function routes.main(arguments)
  local request, err
  if arguments.request[1] then
    request, err = read_request(arguments.request, arguments.header or {})
    if not request then
      io.stderr:write("goloader routes: ", err, "\n")
      return 2
    end
  end
  local router, mistakes = check.load(arguments.file)
  if not router then
    for _, mistake in ipairs(mistakes) do io.stderr:write(mistake, "\n") end
    return 1
  end
  if request then return answer(router, request) end
  list(router)
  return 0
end

return routes
