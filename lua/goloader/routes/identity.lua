--- Identities of versions: what tells one from another in every process, where their numbers may not.
--
-- A page that one worker has made lies where all workers read. Whether it is right for another one is a matter of what
-- it was made by; so it is kept with the identities of the module versions that have made it.

local core = require "goloader.core"

local identity = {}

local noted = setmetatable({}, { __mode = "k" }) ---@type table<goloader.Module, string>

---Says what a module is.
---@param module goloader.Module
---@param text string? nil: nobody knows
function identity.note(module, text) noted[module] = text end

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then file:close() end
  return text or ""
end

-- What the sources are now.
local function fingerprint(source)
  if source.fingerprint then return source:fingerprint() end
  local texts = {}
  for path in pairs(source.files or {}) do texts[#texts + 1] = path .. "\0" .. core.hash(read(path)) end
  if #texts == 0 then return nil end
  table.sort(texts)
  return core.hash(table.concat(texts, "\0"))
end

---Has a function that loads modules say what they are: by the number that several processes know a version by, if it
---returns one with the module, and else by what the sources are.
---@param source table what knows the sources
---@param load fun(pause?: fun()): table?, any, any
---@return fun(pause?: fun()): table?, any, any
function identity.noting(source, load)
  return function(pause)
    local before = fingerprint(source)
    local module, number, err = load(pause)
    if module and type(number) == "number" then
      identity.note(module, "version " .. number)
    elseif module and before and fingerprint(source) == before then -- else an edit may be in it or not
      identity.note(module, before)
    end
    return module, number, err
  end
end

---@param version goloader.Version
---@return string? text nil: nobody knows; what it has made is nothing for other processes
function identity.of(version)
  return version.identity or noted[version.module]
end

---What stands for a module in this process.
---@param conf goloader.Configuration
---@param path string
---@return string?
function identity.of_path(conf, path)
  for _, slot in ipairs(conf.slots) do
    if slot.path == path then return slot.version and identity.of(slot.version) end
  end
end

return identity
