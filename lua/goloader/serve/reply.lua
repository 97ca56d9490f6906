--- Sending a route's response by the server's Go half.

local concat, find, gsub = table.concat, string.find, string.gsub

local reply = {}

-- A line of its own for each; what would make two lines of one is taken out.
local function add(lines, name, value)
  value = tostring(value)
  if find(value, "[\r\n]") then value = gsub(value, "[\r\n]+", " ") end
  lines[#lines + 1] = name .. ": " .. value
end

---@param headers table<string, string|string[]>
---@param length integer|nil
---@return string
local function lines_of(headers, length)
  local lines = {}
  for name, value in pairs(headers) do
    if type(value) == "table" then
      for _, each in ipairs(value) do add(lines, name, each) end
    else
      add(lines, name, value)
    end
  end
  if length and not headers["Content-Length"] then add(lines, "Content-Length", length) end
  return concat(lines, "\n")
end

-- Sends pieces as they come. What `write` returns tells whoever makes them that the client has gone.
local function send_stream(go, id, res)
  local ok, err = go.Begin:async(id, res.status, lines_of(res.headers)):wait()
  res.stream(function(piece)
    if ok then ok, err = go.Write:async(id, piece):wait() end
    return ok, err
  end)
  go.End(id)
end

--- Sends a response. One that a handler of Go's makes is on its way already.
---@param go goloader.Module
---@param req goloader.Request
---@param res goloader.Response
function reply.send(go, req, res)
  if res.served then return end
  local id, status, body = req.id, res.status, res.body
  if res.exec then error(("the route leads to nginx's location %s, and this is not nginx"):format(res.exec), 0) end
  if res.stream then return send_stream(go, id, res) end
  local has_length = status >= 200 and status ~= 204 and status ~= 304 and not (body == "" and req.method == "HEAD")
  go.Answer(id, status, lines_of(res.headers, has_length and #body or nil), body)
end

return reply
