local slots = require "goloader.routes.slot"
local cached = {}
function cached.answer(conf, route, req, produce)
  local c = route.cached
  local key = c.key(req)
  if key == nil then return produce(conf, route, req) end
  if route.target.split then
    req.arm = route.target.split.choose(req)
    key = key .. "\0" .. req.arm.name
  end
  local hit = c.store:get(key)
  if hit then return hit end
  local res = produce(conf, route, req)
  if res.status ~= 200 or res.err or not slots.is_current(req.visit) then return res end
  local tags = {}
  for slot in pairs(req.visit.versions) do tags[#tags + 1] = slot end
  local kept = { status = 200, body = res.body, headers = res.headers, cached = true }
  c.store:set(key, kept, { tags = tags, cost = #res.body })
  return res
end
return cached
