--- Keys and signatures on the command line: goloader keygen, sign and verify.

local terminal = require "goloader.command.terminal"

local keys = {}

local complain = terminal.complain

local function goloader() return require "goloader" end

local function misused(name, why)
  io.stderr:write(("goloader %s: %s\n"):format(name, why), require "goloader.command.commands".hint(name))
  return 2
end

--- Runs `goloader keygen`.
---@param arguments { output: string }
---@return integer status
function keys.keygen(arguments)
  local secret, public = arguments.output .. ".key", arguments.output .. ".pub"
  local key, message = goloader().keygen(secret, public)
  if not key then return complain(message) end
  io.write(("key %s\nsecret %s\npublic %s  %s\n"):format(key.id, secret, public, key.public))
  return 0
end

--- Runs `goloader sign`.
---@param arguments { files: string[], key: string|nil, output: string|nil }
---@return integer status
function keys.sign(arguments)
  if not arguments.key then return misused("sign", "no key: -k FILE.key") end
  if arguments.output and arguments.files[2] then return misused("sign", "-o is of one file") end
  for _, file in ipairs(arguments.files) do
    local key, message = goloader().sign(file, arguments.key, arguments.output)
    if not key then return complain(message) end
    io.write(("%s: signed by key %s\n"):format(arguments.output or file, key))
  end
  return 0
end

--- Runs `goloader verify`.
---@param arguments { files: string[], key: string[] }
---@return integer status
function keys.verify(arguments)
  if not arguments.key[1] then return misused("verify", "no key: -k KEY") end
  local status = 0
  for _, file in ipairs(arguments.files) do
    local key, message = goloader().verify(file, arguments.key)
    if key then
      io.write(("%s: signed by key %s\n"):format(file, key))
    else
      status = complain(message)
    end
  end
  return status
end

return keys
