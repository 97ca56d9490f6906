--- What a build depends on besides the bodies of a package's own functions, read into one text: as long as that is the
--- same, `go build` would compile the same files against the same archives.

local lfs = require "lfs"

local settings = require "goloader.building.settings"
local toolchain = require "goloader.building.toolchain"

local read_file, exists, absolute = toolchain.read_file, toolchain.exists, toolchain.absolute

local inputs = {}

-- Files beside .go files that go build compiles or links too.
inputs.foreign = {}
for word in ("c cc cpp cxx m h hh hpp hxx f F for f90 s S sx swig swigcxx syso"):gmatch "%S+" do
  inputs.foreign[word] = true
end

-- The first directory with a file of that name, from `dir` upwards: the file's text, and the directory.
local function find_above(dir, name)
  local at = absolute(dir):gsub("/%.$", ""):gsub("/+$", "")
  repeat
    local text = read_file(at .. "/" .. name)
    if text then return text, at end
    at = at:match "^(.*)/[^/]*$"
  until not at
end

--- The go.mod that governs a directory: its text, and its directory; nil where there is none, or modules are off.
---@param tc goloader.Toolchain
---@param dir string
---@return string|nil text
---@return string|nil root
function inputs.find_module(tc, dir)
  if settings.get(tc, "GO111MODULE") == "off" then return nil end
  return find_above(dir, "go.mod")
end

--- The go.work that governs a directory: its text, and its directory.
---@param tc goloader.Toolchain
---@param dir string
---@return string|nil text
---@return string|nil root
---@return string|nil name  of the file
function inputs.find_workspace(tc, dir)
  local named = settings.get(tc, "GOWORK")
  if named == "off" then return nil end
  if named ~= "" then return read_file(named) or "", named:match "^(.*)/[^/]*$", named:match "[^/]*$" end
  local text, root = find_above(dir, "go.work")
  return text, root, "go.work"
end

--- Does nobody edit this directory? The module cache's have the version in their names.
---@param dir string
---@return boolean
function inputs.is_fetched(dir)
  return dir:find "@v%d" ~= nil
end

-- Directories that a go.mod or go.work names: replacements, and a workspace's modules.
local function named_dirs(text, root)
  local dirs = {}
  for line in text:gmatch "[^\n]+" do
    for word in line:gsub("//.*", ""):gmatch "[^%s()]+" do
      word = word:gsub('^["`]', ""):gsub('["`]$', "")
      if word:find "^%.%.?/" or word == "." or word == ".." then
        dirs[#dirs + 1] = root .. "/" .. word
      elseif word:find "^/" then
        dirs[#dirs + 1] = word
      end
    end
  end
  return dirs
end

-- What was read so far, and when the youngest of it was written.
local function new_reading()
  return { parts = {}, newest = 0 }
end

local function add(reading, text)
  reading.parts[#reading.parts + 1] = text
end

local function read(reading, file)
  local text = read_file(file)
  if text then reading.newest = math.max(reading.newest, lfs.attributes(file, "modification") or 0) end
  return text
end

-- Adds a file that names modules, go.mod or go.work, and what goes with it.
local function add_root(reading, name, root, sums)
  local text = read(reading, root .. "/" .. name) or ""
  add(reading, root)
  add(reading, text)
  for _, beside in ipairs { sums, "vendor/modules.txt" } do add(reading, read(reading, root .. "/" .. beside) or "") end
  add(reading, exists(root .. "/vendor") and "vendor" or "")
  for _, dir in ipairs(named_dirs(text, root)) do
    add(reading, read(reading, dir .. "/go.mod") or "")
    add(reading, read(reading, dir .. "/go.sum") or "")
  end
end

-- Adds the files of a directory: which there are, and what is in those that are compiled. `head_of` takes of a Go
-- file's text what counts; nil when that can't be told.
local function add_files(reading, dir, head_of)
  local names = {}
  if not exists(dir) then return false end
  for entry in lfs.dir(dir) do names[#names + 1] = entry end
  table.sort(names)
  for _, entry in ipairs(names) do
    local file, extension = dir .. "/" .. entry, entry:match "%.([^%.]*)$"
    add(reading, file)
    local counts = not entry:find "^[_%.]" and not entry:find "_test%.go$"
      and (extension == "go" or inputs.foreign[extension] or entry == "default.pgo")
    -- by content: a file can change twice within a second, the clock's step here
    local text = counts and lfs.attributes(file, "mode") == "file" and read(reading, file)
    if text and extension == "go" then
      text = head_of(text)
      if not text then return false end
    end
    add(reading, text or "")
  end
  return true
end

--- Reads what of a package's own files counts.
---@param dir string
---@param head_of fun(source: string): string|nil  what of a Go file's text does
---@return string|nil text  nil when only the go command can tell
function inputs.read_own(dir, head_of)
  local reading = new_reading()
  return add_files(reading, dir, head_of) and table.concat(reading.parts, "\0") or nil
end

local function whole(text) return text end

--- Reads all else that counts.
---@param tc goloader.Toolchain
---@param dir string  of the package
---@param dirs string[]  of the packages it needs, but for the standard library's
---@return string|nil text  nil when only the go command can tell
---@return integer|nil newest  when the file was written that was written last
function inputs.read_others(tc, dir, dirs)
  local reading, roots = new_reading(), {}
  add(reading, settings.fingerprint(tc))
  local function add_module(of)
    local _, root = inputs.find_module(tc, of)
    add(reading, root or "")
    if root and not roots[root] then
      roots[root] = true
      add_root(reading, "go.mod", root, "go.sum")
    end
  end
  add_module(dir)
  local _, root, name = inputs.find_workspace(tc, dir)
  if root then add_root(reading, name, root, "go.work.sum") end
  for _, needed in ipairs(dirs) do
    if inputs.is_fetched(needed) then
      if not exists(needed) then return nil end
    else
      if not add_files(reading, needed, whole) then return nil end
      add_module(needed)
    end
  end
  return table.concat(reading.parts, "\0"), reading.newest
end

return inputs
