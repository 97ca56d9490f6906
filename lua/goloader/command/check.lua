--- goloader check: reads routes files as a server would, without serving. Modules are compiled and loaded, and what
--- routes call of them is checked; their `ready` functions are not run.

local check = {}

-- The host starts when a file declares a module. What is being compiled is told where somebody looks.
local function late_host()
  local real
  local line = require "goloader.command.terminal".progress()
  return setmetatable({}, { __index = function(_, method)
    if not real then
      local host, message = require "goloader".host()
      if not host then error(message, 0) end
      real = host
    end
    local value = real[method]
    if type(value) ~= "function" then return value end
    if method == "build" then
      return function(_, paths, options)
        local all = { progress = line.show }
        for name, option in pairs(options or {}) do all[name] = option end
        local module, message, err = value(real, paths, all)
        line.clear()
        return module, message, err
      end
    end
    return function(_, ...) return value(real, ...) end
  end })
end

-- In the place of a store that only nginx has.
local function no_store()
  local store = {}
  for _, method in ipairs { "get", "set", "delete", "purge", "stats" } do store[method] = function() end end
  return store
end

local function bound() return function() end end

--- A router that nobody asks for pages.
---@param log fun(line: string)
---@return goloader.Router
function check.router(log)
  return require "goloader.router".new {
    host = late_host(), log = log, check_only = true, bind_handler = bound, bind_middleware = bound,
    stores = { shared = no_store },
  }
end

--- Reads a routes file.
---@param file string
---@return goloader.Router|nil
---@return string[] mistakes one line each, but for what a compiler says
function check.load(file)
  local router = check.router(function(line) io.stderr:write(line, "\n") end)
  local called, ok, message, err = pcall(router.load, router, file)
  if not called then return nil, { tostring(ok) } end
  if not ok then return nil, err and err.mistakes or { message } end
  return router, {}
end

---@param files string[]
---@return integer status
function check.main(files)
  local status = 0
  for _, file in ipairs(files) do
    local router, mistakes = check.load(file)
    for _, mistake in ipairs(mistakes) do io.stderr:write(mistake, "\n") end
    if router then
      io.write(("%s: %d routes, %d modules\n"):format(file, #router.routes, #router.slots))
    else
      status = 1
    end
  end
  return status
end

return check
