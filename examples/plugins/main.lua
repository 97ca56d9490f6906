-- A plugin system: luajit spec/env.lua examples/plugins/main.lua [FOLDER]
--
-- Each Go file or folder in commands/ is a command of this little shell. Add one, edit one or take one away while it
-- runs: the next line that is typed has it.
local goloader = require "goloader"

io.stdout:setvbuf "line" -- whoever reads by a pipe has answers at once, too
local here = arg[0]:match "^(.*)/" or "."
local host = assert(goloader.host())

local plugins = assert(host:watch((arg[1] or here .. "/commands") .. "/*", {
  imports = { deny = { "os/exec", "net", "unsafe" } },
  ready = function(plugin) return plugin.Run end, -- what is no command exports no Run, and that raises
  on_change = print,
  poll = false, -- this program waits for lines, and polls itself
}))

for line in io.lines() do
  plugins:poll()
  local name, text = line:match "^(%S+)%s*(.*)$"
  local plugin = plugins.modules[name]
  if plugin then
    local result, err = plugin.Run(text)
    print(result or "error: " .. tostring(err))
  elseif name then
    local known = {}
    for command in pairs(plugins.modules) do known[#known + 1] = command end
    table.sort(known)
    print("there are: " .. table.concat(known, " "))
  end
end
plugins:close()
