--- What the command line does for somebody who looks: colours, and a line that tells what is being compiled. Neither is
--- there where the output goes to a file or a program.

local lfs = require "lfs"
local places = require "goloader.building.places"
local toolchain = require "goloader.building.toolchain"

local terminal = {}

--- Does a stream of this process lead to a terminal?
---@param number 1|2
---@return boolean
function terminal.is_terminal(number)
  local target = lfs.symlinkattributes("/proc/self/fd/" .. number, "target") or ""
  return (target:find "^/dev/pts/%d" or target:find "^/dev/tty" or target:find "^/dev/console$") ~= nil
end

local function has_colours(number)
  if (os.getenv "NO_COLOR" or "") ~= "" or os.getenv "TERM" == "dumb" then return false end -- https://no-color.org
  return terminal.is_terminal(number)
end

local CODES = { red = "31", green = "32", yellow = "33", cyan = "36", dim = "2", bold = "1" }

--- A function that gives text a colour, where the stream shows colours.
---@param number 1|2
---@return fun(colour: string, text: string): string
function terminal.painter(number)
  if not has_colours(number) then return function(_, text) return text end end
  return function(colour, text) return ("\27[%sm%s\27[0m"):format(CODES[colour], text) end
end

--- Says what is wrong, in a line on standard error. What a compiler says is passed on as it is.
---@param err goloader.Error|string
---@return integer status
function terminal.complain(err)
  local message = type(err) == "table" and err.message or tostring(err)
  local prefix = type(err) == "table" and err.code == "compile" and "" or "goloader: "
  io.stderr:write(prefix, message, "\n")
  return 1
end

---@class goloader.ProgressLine
---@field show nil|fun(progress: goloader.Progress)
---@field clear fun()

local WIDTH = 79

--- A line on the terminal that tells how far a build is. `show` is what the option `progress` of builds takes; nil
--- where standard error is no terminal.
---@return goloader.ProgressLine
function terminal.progress()
  if not terminal.is_terminal(2) then return { clear = function() end } end
  local is_shown = false
  local function show(progress)
    local left = progress.left and (", %d left"):format(progress.left) or ""
    local text = ("compiling %s (%d done%s)"):format(progress.package, progress.done, left)
    io.stderr:write("\r\27[K", text:sub(1, WIDTH))
    io.stderr:flush()
    is_shown = true
  end
  local function clear()
    if is_shown then io.stderr:write "\r\27[K" end
    is_shown = false
  end
  return { show = show, clear = clear }
end

--- The process's host, which starts when something is first asked of it. A line tells what its builds compile, as long
--- as it has a `show`.
---@param line goloader.ProgressLine
---@return goloader.Host
function terminal.host(line)
  local real
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

-- A command of its own, as the one whose builds it tells of has this process wait for it.
local BESIDE = [[
echo $$
sleep 1
while sleep 0.3 && [ -e %s ] && ! grep -q '^$' %s; do
  [ ! -s %s ] || printf '\r\033[K%%.79s' "compiling $(tail -n 1 %s) ($(($(wc -l <%s) - 1)) done)" >&2
done
printf '\r\033[K' >&2
]]

--- The same line while a command runs that prints by itself: what is compiled is noted in the file that
--- $GOLOADER_COMPILES names (command/link.lua). It is there until something is linked, and may run and print.
---@param run fun(environment: string): integer  runs the command with these variables
---@return integer status
function terminal.run_beside(run)
  local file = terminal.is_terminal(2) and places.new_file()
  if not file then return run "" end
  local name = toolchain.quote(file)
  local pipe = io.popen((BESIDE:gsub("%%s", function() return name end):gsub("%%%%", "%%")))
  local pid = pipe and pipe:read "*l"
  local status = run("GOLOADER_COMPILES=" .. name .. " ")
  os.remove(file)
  if pid then os.execute("kill " .. pid .. " 2>/dev/null") end
  if pipe then pipe:close() end
  return status
end

return terminal
