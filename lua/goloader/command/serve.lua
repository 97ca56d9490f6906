--- goloader serve: a routes file, served by Go's net/http, whose Go and whose routes are loaded anew when they change.

local terminal = require "goloader.command.terminal"

local serve = {}

local function complain(message)
  io.stderr:write("goloader serve: ", tostring(message), "\n")
  return 1
end

--- Runs `goloader serve`.
---@param arguments table
---@return integer status
function serve.main(arguments)
  local file = arguments.file
  local readable, why = io.open(file, "rb")
  if not readable then return complain(why) end
  readable:close()
  local seconds = tonumber(arguments.grace or 10)
  if not seconds or seconds < 0 then return complain("--grace: seconds expected, got " .. arguments.grace) end
  local line = terminal.progress()
  local called, ok, message = pcall(function()
    return require "goloader.serve".run(file, {
      listen = arguments.listen, tls = arguments.tls, quiet = arguments.quiet, keep = arguments.keep,
      grace = seconds, router = { host = terminal.host(line) },
    }, function(server)
      line.show = nil -- from now on requests are logged
      io.stderr:write(("goloader serve: %s on %s\n"):format(file, server:url()))
    end)
  end)
  if not called then return complain(ok) end
  if not ok then return complain(message) end
  return 0
end

return serve
