--- The answer's status.

local ngx = ngx

local status = {}

--- Sets it. An answer that stands in for nginx's own error page (`error_page 404 /missing`) keeps the status of that,
--- unless it has one of its own to tell: so do nginx's other handlers.
---@param value integer
---@param conditions string[]|nil  fields of the request's header by which nginx is not to judge the answer
function status.set(value, conditions)
  if conditions then
    for _, name in ipairs(conditions) do ngx.req.clear_header(name) end
  end
  if value == 200 and ngx.status >= 300 and ngx.req.is_internal() then return end
  ngx.status = value
end

return status
