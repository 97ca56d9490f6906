--- Identities of versions: what tells one from another in every process, where their numbers may not.
--
-- A page that one worker has made lies where all workers read. Whether it is right for another one is a matter of what
-- it was made by; so it is kept with the identities of the module versions that have made it.

local identity = {}

local noted = setmetatable({}, { __mode = "k" }) ---@type table<goloader.Module, string>

---Says what a module is.
---@param module goloader.Module
---@param text string? nil: nobody knows
function identity.note(module, text) noted[module] = text end

---Has a function that loads modules say what they are: by the number that several processes know a version by, if it
---returns one with the module, and else by what the sources are, unless they were edited meanwhile.
---@param source goloader.reload.Source|goloader.Place what the function loads from
---@param load fun(pause?: fun()): table?, any, any
---@return fun(pause?: fun()): table?, any, any
function identity.noting(source, load)
  return function(pause)
    local module, number, err = load(pause)
    if module and type(number) == "number" then
      identity.note(module, "version " .. number)
    elseif module and not source.is_late then
      identity.note(module, source.watched:fingerprint())
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
