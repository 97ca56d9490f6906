--- A file that runs a program again: what os.Args[0] names.
--
-- `go run` makes an executable, and programs that start themselves rely on it: servers that upgrade in place, or tests
-- that crash on purpose. Here a script stands in for it, which repeats the command. Scripts lie in the user's cache,
-- one for each command, so that running a program often adds nothing. (os.Executable asks the kernel, which knows the
-- loader.)

local lfs = require "lfs"
local places = require "goloader.building.places"
local toolchain = require "goloader.building.toolchain"

local quote, read_file, absolute = toolchain.quote, toolchain.read_file, toolchain.absolute

local again = {}

local function make_dir(path)
  if lfs.attributes(path, "mode") == "directory" then return end
  local parent = path:match "^(.*)/[^/]+$"
  if parent and parent ~= "" then make_dir(parent) end
  lfs.mkdir(path)
end

-- Tells commands apart; two with the same hash would write the file in turns, and still be right.
local function hash(text)
  local a, b = 5381, 52711
  for i = 1, #text do
    local byte = text:byte(i)
    a, b = (a * 33 + byte) % 4294967296, (b * 31 + byte) % 4294967296
  end
  return ("%08x%08x"):format(a, b)
end

--- Path of a script that runs this process's command again, with arguments of its own. nil where none can be written.
---@param name string  the program's
---@param paths string[]  what the command runs, the last of its words but the program's arguments
---@param nargs integer  how many arguments the program has
---@return string|nil path
function again.script(name, paths, nargs)
  local words = {}
  for word in (read_file "/proc/self/cmdline" or ""):gmatch "([^%z]*)%z" do words[#words + 1] = word end
  local executable = lfs.symlinkattributes("/proc/self/exe", "target")
  if not executable or #words < 1 + #paths + nargs then return nil end
  words[1] = executable
  for _ = 1, nargs do table.remove(words) end
  for i, path in ipairs(paths) do words[#words - #paths + i] = absolute(path) end
  for i, word in ipairs(words) do words[i] = quote(word) end
  local text = ('#!/bin/sh\nexec %s "$@"\n'):format(table.concat(words, " "))

  local cache = places.cache()
  if not cache then return nil end
  local dir = ("%s/run/%s"):format(cache, hash(text))
  local path = dir .. "/" .. name
  if read_file(path) == text then return path end
  make_dir(dir)
  -- renamed into place: the same program may be starting just now
  local unique = places.new_file()
  if not unique then return nil end
  os.remove(unique)
  local temporary = ("%s/.%s"):format(dir, unique:match "[^/]*$")
  local f = io.open(temporary, "wb")
  if not f then return nil end
  f:write(text)
  f:close()
  toolchain.start({ "chmod", "+x", temporary }, {}):wait()
  return os.rename(temporary, path) and path or nil
end

return again
