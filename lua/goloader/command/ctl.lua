--- goloader ctl: asks nginx's workers for their modules' versions, and has them reload or roll back.

local unpack = rawget(table, "unpack") or unpack

local ctl = {}

local function usage() return require "goloader.command.commands".hint "ctl" end

local commands = { status = 0, versions = 1, reload = 1, rollback = 2 }

---@return string|nil path
local function find_socket(prefix)
  local lfs = require "lfs"
  for _, place in ipairs { "/goloader", "" } do
    if lfs.attributes(prefix .. place .. "/versions", "mode") == "directory" then
      return prefix .. place .. "/control.sock"
    end
  end
end

-- Somebody who listens: the workers are told when nobody does, and one of them begins to.
local function connect(path)
  local socket = require "goloader.routes.socket"
  local fd, err
  for try = 1, 40 do
    fd, err = socket.connect(path)
    if fd then return fd end
    if try == 1 then
      local folder = path:match "^(.*)/"
      local call = folder .. "/.call"
      local file = io.open(call, "wb")
      if not file then break end
      file:close()
      os.remove(call)
    end
    socket.sleep(0.025)
  end
  return nil, err
end

---@param path string
---@param words (string|number)[]
---@return table|nil answer
---@return string|nil err
---@return string|nil text  the answer as it came
function ctl.ask(path, words)
  local socket, json = require "goloader.routes.socket", require "cjson"
  local fd, err = connect(path)
  if not fd then return nil, err .. " (does nginx run, with goloader.nginx, as a user that is this one?)" end
  socket.send(fd, json.encode(words) .. "\n")
  local text = ""
  repeat
    local piece = socket.receive(fd)
    text = text .. (piece or "")
  until not piece or piece == ""
  socket.close(fd)
  local ok, answer = pcall(json.decode, text)
  if not ok or type(answer) ~= "table" then return nil, path .. ": no answer" end
  if answer.error then return nil, answer.error, text end
  return answer, nil, text
end

-- ---- printing ------------------------------------------------------------------------------------------------------

local function print_module(module)
  io.write(("%s: version %s is served\n"):format(module.name, tostring(module.serves or "none")))
  if module.failed then io.write("  what is there now is not: ", (module.failed:gsub("\n", "\n  ")), "\n") end
end

local function print_versions(module)
  for _, version in ipairs(module.versions) do
    io.write(("%s %s\t%d\t%s\t%d bytes\n"):format(version.version == module.serves and "*" or " ", module.name,
      version.version, os.date("%Y-%m-%d %H:%M:%S", version.time), version.bytes))
  end
end

local show = {}

function show.status(answer)
  for _, module in ipairs(answer.modules) do print_module(module) end
  for _, worker in ipairs(answer.workers) do
    local words = {}
    for _, module in ipairs(worker.modules) do
      local why = module.why_old and ": " .. module.why_old or ""
      local old = module.old_versions > 0
        and (" (%d old, %d requests in them%s)"):format(module.old_versions, module.visits_in_old, why) or ""
      words[#words + 1] = ("%s %s%s"):format(module.name, tostring(module.version or "none"), old)
    end
    io.write(("worker %d: %s\n"):format(worker.pid, table.concat(words, ", ")))
  end
end

function show.versions(answer)
  for _, module in ipairs(answer.modules) do print_versions(module) end
end

function show.reload(answer)
  for _, module in ipairs(answer.modules) do print_module(module) end
end
show.rollback = show.reload

--- Runs `goloader ctl`.
---@param arguments string[]
---@return integer status
function ctl.main(arguments)
  local prefix, as_json, words, at = ".", false, {}, 1
  while arguments[at] do
    local word = arguments[at]
    if word == "-p" or word == "--prefix" then
      at = at + 1
      prefix = arguments[at] or ""
    elseif word == "--json" then
      as_json = true
    elseif word:find "^%-" then
      io.stderr:write(("goloader ctl: no flag %s\n"):format(word), usage())
      return 2
    else
      words[#words + 1] = word
    end
    at = at + 1
  end
  local arity = commands[words[1]]
  if not arity or #words > arity + 1 then
    local why = words[1] and ("goloader ctl: %s: no such command\n"):format(table.concat(words, " ")) or ""
    io.stderr:write(why, usage())
    return 2
  end
  -- `rollback 3` means a version of the only module
  if words[1] == "rollback" and #words == 2 and words[2]:find "^%d+$" then words = { words[1], "", words[2] } end
  if words[1] == "rollback" and words[3] then
    words[3] = tonumber(words[3])
    if not words[3] then
      io.stderr:write("goloader ctl: rollback: a version's number expected\n", usage())
      return 2
    end
  end
  local path = find_socket(prefix)
  if not path then
    io.stderr:write(("goloader ctl: %s: no folder goloader/versions here: not the prefix of an nginx with "
      .. "goloader.nginx\n"):format(prefix))
    return 1
  end
  local answer, err, text = ctl.ask(path, { unpack(words) })
  if as_json and text then
    io.write(text)
    return answer and 0 or 1
  end
  if not answer then
    io.stderr:write("goloader ctl: ", err, "\n")
    return 1
  end
  show[words[1]](answer)
  return 0
end

return ctl
