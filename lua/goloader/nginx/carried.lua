--- What a request has in ngx.ctx, over `ngx.exec`: nginx forgets it when the request goes on at another location, and
--- middlewares that want to see the answer would not be shown it.
--
-- nginx keeps the table itself till the request ends; what is here finds it again, and does not hold it.

local ngx = ngx

local carried = {}

local tables = setmetatable({}, { __mode = "v" }) -- by request

-- A connection's number is no other one's in this worker, and its requests are counted.
local function key()
  local var = ngx.var
  return var.connection .. ":" .. var.connection_requests
end

--- Before `ngx.exec`. That filters have run is forgotten: at the other location others may stand.
function carried.keep()
  local ctx = ngx.ctx
  ctx.goloader_request = nil
  if next(ctx) then tables[key()] = ctx end
end

--- In the phases after it.
function carried.restore()
  if not next(tables) or ngx.is_subrequest then return end
  local k = key()
  local kept = tables[k]
  if not kept then return end
  tables[k] = nil
  if next(ngx.ctx) == nil then ngx.ctx = kept end
end

return carried
