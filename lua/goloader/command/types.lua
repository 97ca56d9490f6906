--- goloader types: definitions for the Lua language server, of a Go module or of goloader itself.

local definitions = require "goloader.definitions"
local objects = require "goloader.command.objects"
local terminal = require "goloader.command.terminal"

local types = {}

local complain = terminal.complain

local function put(text, output)
  if not output then
    io.write(text)
    return 0
  end
  local ok, err = definitions.write(output, text)
  return ok and 0 or complain(err)
end

---@param arguments table
---@return integer status
function types.main(arguments)
  if arguments.api then return put(definitions.api(), arguments.output) end
  if not arguments.file then
    io.stderr:write("goloader types: nothing to describe\n", require "goloader.command.commands".hint "types")
    return 2
  end
  local of, err = objects.of(arguments.file)
  if not of then return complain(err) end
  local text
  text, err = definitions.describe(of, { arguments.file }, { name = arguments.name })
  of:remove()
  if not text then return complain(err) end
  return put(text, arguments.output)
end

return types
