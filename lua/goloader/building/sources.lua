--- Which files a build has read that somebody may edit: what is to be watched to know that it is out of date.

local inputs = require "goloader.building.inputs"
local toolchain = require "goloader.building.toolchain"

local absolute = toolchain.absolute

local sources = {}

---@class goloader.Sources  full names
---@field files string[]  each by itself, there or not: Go files that were named, go.mod and what goes with it
---@field dirs string[]  directories of packages: what Go compiles or links of them
---@field trees string[]  directories with embedded files: all that is in them

local function new_list()
  local list, has = {}, {}
  return list, function(name)
    if not has[name] then
      has[name] = true
      list[#list + 1] = name
    end
  end
end

-- A name without "." and ".." in it, so that a directory has one name only.
local function clean(path)
  local parts = {}
  for part in absolute(path):gmatch "[^/]+" do
    if part == ".." then parts[#parts] = nil elseif part ~= "." then parts[#parts + 1] = part end
  end
  return "/" .. table.concat(parts, "/")
end
sources.clean = clean

-- The files that say which packages are meant.
local function add_module_files(tc, dir, add)
  local _, root = inputs.find_module(tc, dir)
  add((root or clean(dir)) .. "/go.mod")
  if root then
    add(root .. "/go.sum")
    add(root .. "/vendor/modules.txt")
  end
  local _, workspace, name = inputs.find_workspace(tc, dir)
  if workspace then
    add(workspace .. "/" .. name)
    add(workspace .. "/go.work.sum")
  end
end

--- What a build of a package reads.
---@param tc goloader.Toolchain
---@param target goloader.Target
---@param packages { dir: string, std: boolean, embedded: string }[]|nil  that `go list` told of, the one built last;
---  nil: it needs none but those of the standard library
---@return goloader.Sources
function sources.of(tc, target, packages)
  local files, add_file = new_list()
  local dirs, add_dir = new_list()
  local trees, add_tree = new_list()
  local dir = clean(target.dir)
  for _, file in ipairs(target.files or {}) do add_file(dir .. "/" .. file) end
  if not target.files and not target.import then add_dir(dir) end
  add_module_files(tc, dir, add_file)
  for i, package in ipairs(packages or {}) do
    if not package.std and not inputs.is_fetched(package.dir) then
      local at = clean(package.dir)
      if i < #packages or target.import then
        add_dir(at)
        add_module_files(tc, at, add_file)
      end
      for file in package.embedded:gmatch "[^|]+" do
        local below = file:match "^(.*)/[^/]*$"
        if below then add_tree(at .. "/" .. below) else add_file(at .. "/" .. file) end
      end
    end
  end
  return { files = files, dirs = dirs, trees = trees }
end

--- What is watched of a package that was never built.
---@param paths string[]  a directory, or files
---@return goloader.Sources
function sources.before(paths)
  local files, dirs = {}, {}
  for _, path in ipairs(paths) do
    local is_dir = require "lfs".attributes(path, "mode") == "directory"
    table.insert(is_dir and dirs or files, clean(path))
  end
  return { files = files, dirs = dirs, trees = {} }
end

return sources
