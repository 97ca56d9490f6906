--- goloader clean: takes away what builds have left in the user's cache. All of it is made again when it is wanted.

local lfs = require "lfs"
local places = require "goloader.building.places"
local quote = require("goloader.building.toolchain").quote

local clean = {}

-- What lies there: a pattern of names, and what users know it as.
local KINDS = {
  { "^cgo%-.*%.so$", "C parts of packages, linked" },
  { "^modules$", "go.mod files for packages that were named with a version" },
  { "^programs$", "programs that goloader run has started" },
  { "^go%-build$", "Go's build cache, where Go's own can't be written to" },
  { "^go$", "Go's module cache, where there is no HOME" },
}

-- Bytes of all files in a folder, or of a file.
local function size_of(path)
  local attributes = lfs.symlinkattributes(path) or {}
  if attributes.mode ~= "directory" then return attributes.size or 0 end
  local size = 0
  for entry in lfs.dir(path) do
    if entry ~= "." and entry ~= ".." then size = size + size_of(path .. "/" .. entry) end
  end
  return size
end

-- The module cache's folders can't be written to, as the go command makes them.
local function remove(path)
  os.execute(("chmod -R u+w %s 2>/dev/null; rm -rf %s"):format(quote(path), quote(path)))
  return lfs.symlinkattributes(path, "mode") == nil
end

--- Runs `goloader clean`.
---@param only_tell boolean  nothing is removed
---@param write fun(text: string)
---@return integer status
function clean.main(only_tell, write)
  local dir = places.cache()
  local status, found = 0, false
  for _, kind in ipairs(dir and KINDS or {}) do
    local pattern, name = kind[1], kind[2]
    local size, count = 0, 0
    for entry in lfs.dir(dir) do
      local path = dir .. "/" .. entry
      if entry:find(pattern) then
        local bytes, is_gone = size_of(path), true
        if entry == "programs" and not only_tell then -- what programs that run now are started again by stays
          require("goloader.command.run").sweep(path)
          bytes = bytes - size_of(path)
        elseif not only_tell then
          is_gone = remove(path)
        end
        if is_gone then
          size, count = size + bytes, count + 1
        else
          write(("%s: can't be removed\n"):format(path))
          status = 1
        end
      end
    end
    if count > 0 and size > 0 then
      found = true
      write(("%s %8.1f MB  %s\n"):format(only_tell and "would remove" or "removed", size / 1024 / 1024, name))
    end
  end
  if not found then write(("nothing to remove in %s\n"):format(dir or "the user's cache: there is none")) end
  return status
end

return clean
