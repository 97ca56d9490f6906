--- Figures of nginx's workers. Whoever asks reaches one of them: where the configuration has
--- `lua_shared_dict goloader_metrics 1m`, all put theirs there, and the sum is answered; otherwise it is those of the
--- worker that was asked, with a label that says which.

local json = require("cjson").new()
local metrics = require "goloader.routes.metrics"
local socket = require "goloader.routes.socket"

local ngx = ngx

local M = {}

local DICT = "goloader_metrics"
local EACH = 1 -- seconds between two tellings, while there is something to tell

local app, host
local is_due = false

---@return goloader.metrics.Snapshot
local function own() return app.measured:snapshot(host, app.slots, app.routes) end

local function publish(premature)
  is_due = false
  local dict = ngx.shared[DICT]
  local ok, err = dict:set("w:" .. ngx.worker.pid(), json.encode(own()))
  if not ok and not premature then ngx.log(ngx.WARN, "goloader: ", DICT, ": ", err) end
end

--- Has a worker's requests counted.
---@param router goloader.Router
---@param of goloader.Host
function M.start(router, of)
  app, host = router, of
  if not ngx.shared[DICT] then return end
  local observe = app.measured.observe
  function app.measured:observe(...)
    if not is_due then
      is_due = true
      ngx.timer.at(EACH, publish) -- at once, when the worker ends
    end
    return observe(self, ...)
  end
  ngx.timer.at(0, publish)
end

-- What workers that have gone had counted is kept, so that sums do not fall.
local function sum(dict)
  local all = {}
  for _, name in ipairs(dict:get_keys(0)) do
    local pid = tonumber(name:match "^w:(%d+)$")
    local text = dict:get(name)
    local ok, snapshot = pcall(json.decode, text or "")
    if ok and type(snapshot) == "table" then
      if pid and not socket.is_alive(pid) then
        metrics.add(all, snapshot, true)
        if dict:add("lock", 1, 1) then
          local gone = json.decode(dict:get "gone" or "{}")
          metrics.add(gone, snapshot, true)
          dict:set("gone", json.encode(gone))
          dict:delete(name)
          dict:delete "lock"
        end
      elseif pid or name == "gone" then
        metrics.add(all, snapshot)
      end
    end
  end
  return all
end

--- Answers with them: for content_by_lua. As JSON with `?format=json`, or for who accepts nothing else.
function M.answer()
  local dict, extra = ngx.shared[DICT], nil
  local snapshot
  if dict then
    publish()
    snapshot = sum(dict)
  else
    snapshot, extra = own(), ('worker="%d"'):format(ngx.worker.id() or 0)
  end
  local accept = ngx.var.http_accept or ""
  if ngx.var.arg_format == "json" or accept:find("^application/json") then
    ngx.header["Content-Type"] = "application/json"
    ngx.print(json.encode(metrics.tree(snapshot)))
  else
    ngx.header["Content-Type"] = metrics.CONTENT_TYPE
    ngx.print(metrics.text(snapshot, extra))
  end
end

return M
