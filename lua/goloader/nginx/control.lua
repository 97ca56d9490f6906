--- What `goloader ctl` asks of the workers, and what they answer: over a Unix socket in the folder of versions, with
--- mode 0600, whose callers must be nginx's user or root.
--
-- nginx could listen there itself, in a server block of its configuration. But then everybody may connect (nginx makes
-- such sockets with mode 0666), and one that a killed master has left behind keeps the next from starting. So one of
-- the workers listens, whichever gets the lock, and another one when that is gone.
--
-- The versions of all workers are in files (reload/versions.lua): whoever answers changes those, and all follow. What a
-- worker has loaded it writes into a file of its own beside them, for `status`.
--
-- A question is a JSON array in a line, `["rollback","list.go",3]`; the answer a JSON object.

local directories = require "goloader.building.places"
local socket = require "goloader.routes.socket"
local inotify = require "goloader.reload.inotify"
local record = require "goloader.reload.record"
local lfs = require "lfs"

local ngx = ngx
local clock = require("goloader.core").clock -- which does not jump, as nginx's does with the machine's

local control = {}

local PATIENCE = 2 -- seconds, for a question to come
local TIMEOUT = 120 -- for what takes a compile

---@class goloader.nginx.Control
---@field fd integer|nil  while this worker listens
---@field private folder string
---@field private apps goloader.Router[]
---@field private lock file*|nil
---@field package started integer
---@field package listener goloader.Inotify|nil
---@field package hears boolean|nil  it is told of what happens in the folder
local Control = {}
Control.__index = Control

local json = require("cjson").new()

-- Takes away what workers have told of themselves that were killed: they are not there to do so.
local function forget_dead(folder)
  for name in lfs.dir(folder .. "/workers") do
    local pid = tonumber(name:match "^%d+")
    if pid and not lfs.attributes("/proc/" .. pid) then os.remove(("%s/workers/%s"):format(folder, name)) end
  end
end

---@param folder string  of versions
---@param apps goloader.Router[]  of this worker
---@return goloader.nginx.Control
function control.new(folder, apps)
  local self = setmetatable({ folder = folder, apps = apps, started = os.time() }, Control)
  directories.make_private(folder .. "/workers")
  directories.close_to_others(folder .. "/workers")
  forget_dead(folder)
  self.listener = inotify.listen()
  self:listen()
  return self
end

-- Has the kernel tell of what happens in the folder, if it can.
function Control:listen()
  if self.listener and not self.hears then self.hears = self.listener:watch { self.folder } end
end

-- ---- what each worker tells of itself ------------------------------------------------------------------------------

local function each_slot(self, f)
  for _, app in ipairs(self.apps) do
    for _, slot in ipairs(app.slots) do f(slot) end
  end
end

local function own_file(self) return ("%s/workers/%d"):format(self.folder, ngx.worker.pid()) end

--- Writes down which versions this worker has.
function Control:tell()
  local modules = {}
  each_slot(self, function(slot)
    local visits, old, why = slot:waiting()
    modules[#modules + 1] = {
      name = slot.name, version = slot.version and slot.version.number, old_versions = old, visits_in_old = visits,
      why_old = why,
    }
  end)
  local text = json.encode { pid = ngx.worker.pid(), started = self.started, modules = modules }
  if text == self.told then return end
  if record.write(own_file(self), text) then self.told = text end
end

local function workers_now(self)
  local list = {}
  for name in lfs.dir(self.folder .. "/workers") do
    local pid = tonumber(name)
    if pid then
      local path = ("%s/workers/%s"):format(self.folder, name)
      local ok, worker = pcall(json.decode, record.read(path) or "")
      if not socket.is_alive(pid) then
        record.remove(path)
      elseif ok and type(worker) == "table" then
        list[#list + 1] = worker
      end
    end
  end
  table.sort(list, function(a, b) return a.pid < b.pid end)
  return list
end

-- ---- questions -----------------------------------------------------------------------------------------------------

-- The places of the modules that are meant: of one by its name or the last part of it, or of all.
local function places(self, name)
  local found = {}
  each_slot(self, function(slot)
    local place = slot.source
    local is_meant = not name or slot.name == name or slot.path == name or slot.name:match "[^/]*$" == name
    if place and place.state and is_meant then found[#found + 1] = { slot = slot, place = place } end
  end)
  if not found[1] then
    return nil, name and ("there is no module %s"):format(name) or "the routes have no modules"
  end
  return found
end

local function one_place(self, name)
  local found, err = places(self, name)
  if not found then return nil, err end
  if found[2] then return nil, "which module? There is more than one" end
  return found[1]
end

local function describe(found)
  local slot, state = found.slot, found.place:read_state()
  local kept = {}
  for _, version in ipairs(state.versions) do
    kept[#kept + 1] = { version = version.number, time = version.time, bytes = version.bytes }
  end
  return {
    name = slot.name, path = slot.path, serves = state.serve, failed = state.failed, versions = kept,
    versions_of_this_worker = slot.version and slot.version.number,
  }
end

-- Waits until this worker has done what was asked for.
local function settle(found)
  local deadline = clock() + TIMEOUT
  local place = found.place
  inotify.wake()
  repeat
    ngx.sleep(0.005)
    local state = place:read_state()
    local is_busy = place.wanted or found.slot.loading or not state.fingerprint
    if not is_busy and (state.serve == place.number or state.revision == place.refused) then return true end
  until clock() > deadline
  return nil, found.slot.name .. ": not done in time; see the error log"
end

local answers = {}

function answers.status(self)
  self:tell()
  local modules = {}
  for _, found in ipairs(places(self) or {}) do modules[#modules + 1] = describe(found) end
  return { modules = modules, workers = workers_now(self) }
end

function answers.versions(self, name)
  local found, err = places(self, name)
  if not found then return nil, err end
  local modules = {}
  for _, each in ipairs(found) do modules[#modules + 1] = describe(each) end
  return { modules = modules }
end

function answers.reload(self, name)
  local found, err = places(self, name)
  if not found then return nil, err end
  local modules = {}
  for _, each in ipairs(found) do
    local ok
    ok, err = each.place:recompile()
    if ok then ok, err = settle(each) end
    if not ok then return nil, tostring(err.message or err) end
    modules[#modules + 1] = describe(each)
  end
  for _, module in ipairs(modules) do
    if module.failed then return nil, ("%s: version %s stays: %s"):format(module.name, module.serves, module.failed) end
  end
  return { modules = modules }
end

function answers.rollback(self, name, number)
  local found, err = one_place(self, name)
  if not found then return nil, err end
  local before = found.place:read_state().serve
  local chosen
  chosen, err = found.place:roll_back(number)
  if not chosen then return nil, err.message end
  local ok
  ok, err = settle(found)
  if not ok then return nil, err end
  if found.place.number ~= chosen then
    return nil, ("%s: version %d could not be loaded; see the error log"):format(found.slot.name, chosen)
  end
  local module = describe(found)
  module.served_before = before
  return { modules = { module } }
end

-- Answers one question.
---@param line string
---@return string
local function answer(self, line)
  local ok, words = pcall(json.decode, line)
  local f = ok and type(words) == "table" and answers[words[1]]
  if not f then return json.encode { error = "no such command" } end
  local name, number = words[2], words[3]
  if name == json.null or name == "" then name = nil end
  local called, result, err = pcall(f, self, name, tonumber(number))
  if not called then result, err = nil, tostring(result) end
  return json.encode(result or { error = tostring(err) })
end

-- ---- talking -------------------------------------------------------------------------------------------------------

local function serve(premature, self, connection)
  local text, deadline = "", clock() + PATIENCE
  while not premature and not text:find("\n", 1, true) and clock() < deadline and #text < 4096 do
    local piece, again = socket.receive(connection)
    if piece == "" or not piece and not again then break end
    text = text .. (piece or "")
    if not piece then ngx.sleep(0.001) end
  end
  local line = text:match "^([^\n]*)\n"
  local reply = line and answer(self, line) .. "\n" or ""
  while #reply > 0 do
    local sent, again = socket.send(connection, reply)
    if not sent and not again then break end
    reply = reply:sub((sent or 0) + 1)
    if #reply > 0 then ngx.sleep(0.001) end
  end
  socket.close(connection)
end

--- Listens if nobody does, and takes those who have connected.
function Control:step()
  self:listen()
  if self.listener then self.listener:happened() end
  if not self.fd then
    local lock = self.lock or io.open(self.folder .. "/workers/lock", "ab")
    self.lock = lock
    if not lock or not lfs.lock(lock, "w") then return end
    local fd, err = socket.listen(self.folder .. "/control.sock")
    if not fd then
      lfs.unlock(lock)
      if self.err ~= err then ngx.log(ngx.ERR, "goloader: no socket for goloader ctl: ", err) end
      self.err = err
      return
    end
    self.fd = fd
  end
  while true do
    local connection = socket.accept(self.fd)
    if not connection then return end
    if not ngx.timer.at(0, serve, self, connection) then socket.close(connection) end
  end
end

--- Lets another worker listen: this one ends.
function Control:close()
  if self.fd then
    os.remove(self.folder .. "/control.sock") -- of which the others hear
    socket.close(self.fd)
    self.fd = nil
  end
  if self.lock then self.lock:close() end
  self.lock = nil
  record.remove(own_file(self))
end

return control
