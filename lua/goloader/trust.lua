--- Whom a process trusts: `goloader.host{ trust = "key.pub" }` has it load nothing but shipped modules that are signed
--- by one of these keys. The keys are the process's: they hold for all its Lua states, and can't be changed any more.
--
-- goloader's own Go halves lie beside the host, and are trusted as the host is: what they are when trust is declared is
-- noted, by their hashes, and they need no signature.

local core = require "goloader.core"
local errors = require "goloader.errors"
local installed = require "goloader.installed"

local trust = {}

--- Keys as users name them: one or a list, files or lines of base64.
---@param call string  as users write it: "goloader.verify: keys"
---@param keys any
---@param level integer  of the mistake, as errors.misuse's
---@return string[]
function trust.list(call, keys, level)
  if type(keys) == "string" then keys = { keys } end
  if type(keys) ~= "table" or #keys == 0 then
    errors.misuse(level + 1, "%s: a public key or a list of them expected, got %s", call,
      type(keys) == "table" and "an empty list" or type(keys))
  end
  for i, key in ipairs(keys) do
    if type(key) ~= "string" then
      errors.misuse(level + 1, "%s: key #%d: a file's name or a line of base64 expected, got %s", call, i, type(key))
    end
  end
  return keys
end

--- The same, where each of them can be read.
---@param call string
---@param keys any
---@param level integer
---@return string[]|nil keys
---@return goloader.Error|nil err
function trust.read(call, keys, level)
  keys = trust.list(call, keys, level + 1)
  for _, key in ipairs(keys) do
    local _, err = core.key(key)
    if err then return nil, err end
  end
  return keys
end

-- Hashes of the halves that lie beside the host, or beside the default one.
local function own_hashes(host_path)
  local hashes = {}
  for _, name in ipairs(installed.halves) do
    for _, file in ipairs(installed.shipped_half(name, host_path)) do
      local manifest = core.manifest(file)
      if manifest then hashes[#hashes + 1] = manifest.hash end
    end
  end
  return hashes
end

--- Has the process trust these keys, and nobody else.
---@param started userdata  the host
---@param path string  the host's
---@param keys string[]
---@return true|nil
---@return goloader.Error|nil err
function trust.declare(started, path, keys)
  return started:trust(keys, own_hashes(path))
end

--- The error of what would be compiled here, in a process that loads only what is signed; nil in any other.
---@param started userdata  the host
---@param what string
---@return goloader.Error|nil
function trust.refusal(started, what)
  if not started:is_strict() then return nil end
  return { code = "trust", message = ("%s: this process loads only shipped modules that are signed by a key that it "
    .. "trusts, and nobody signs what is compiled here: ship it with key = …, and load the file"):format(what) }
end

return trust
