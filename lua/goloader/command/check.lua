--- goloader check: reads routes files as a server would, without serving. Modules are compiled and loaded, and what
--- routes call of them is checked; their `ready` functions are not run.

local terminal = require "goloader.command.terminal"

local check = {}

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
    host = terminal.host(terminal.progress()), log = log, check_only = true, bind_handler = bound,
    bind_middleware = bound,
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
