-- What the server does, and when: which Go code answers, when it is swapped, what happens when it does not compile.
local goloader = require "goloader"

io.stdout:setvbuf "line" -- Go ends the process without C's help

-- No path, and no second runtime: the host is this very program.
local host = assert(goloader.host())
local site, version

-- Called by the program at the start, and for POST /-/reload.
function reload(dir) -- luacheck: globals reload
  local successor, message = host:build(dir)
  if not successor and not site then error(message) end
  if not successor then return "kept version " .. version .. ": " .. message end
  successor.Open()
  local unloaded, why = true, nil
  if site then unloaded, why = site:unload() end
  site, version = successor, (version or 0) + 1
  if not unloaded then return ("version %d, but the one before stays: %s"):format(version, why) end
  return "version " .. version
end

-- Called by the program at its end.
function close() -- luacheck: globals close
  site.Close()
  assert(site:unload())
  return "closed"
end
