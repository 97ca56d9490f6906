--- Definitions of modules for the Lua language server: what editors complete and check Lua programs by. They are made
--- by a Go package (src/host/definitions), of an object's export data and of its source's comments.

local goloader = require "goloader"
local halves = require "goloader.halves"
local lfs = require "lfs"
local targets = require "goloader.building.target"
local toolchain = require "goloader.building.toolchain"

local definitions = {}

-- The Go files of a package, whose comments are wanted.
local function source_files(objects)
  local target, last = objects.target, objects.files[#objects.files]
  local dir = last.dir or target and target.dir
  local files = {}
  for i, name in ipairs(target and target.files or {}) do files[i] = target.dir .. "/" .. name end
  if files[1] or not dir then return files end
  for name in lfs.dir(dir) do
    if name:find "%.go$" and not name:find "_test%.go$" and not name:find "^[._]" then
      files[#files + 1] = dir .. "/" .. name
    end
  end
  table.sort(files)
  return files
end

-- Where the compiler has put it. An object that was compiled by somebody else does not say what its path is.
local function import_path(objects)
  if objects.interface then return objects.interface.path end
  return objects.files[#objects.files].file:match "([^/]*)%.%w+$" or "main"
end

--- What editors are to know of a package.
---@param objects goloader.Objects  the last of its files is the package meant
---@param paths string[]  what host:build was, or will be, given
---@param options { name: string|nil }|nil  name: of its class; nil: the package's
---@return string|nil text
---@return goloader.Error|nil err
function definitions.describe(objects, paths, options)
  local half, _, err = halves.get "definitions"
  if not half then return nil, err end
  local path, host = import_path(objects), assert(goloader.host())
  local is_std = #paths == 1 and paths[1] == path and host:std(path) ~= nil
  return half.Describe {
    Object = objects.files[#objects.files].file, Path = path, Name = options and options.name or "",
    Files = source_files(objects), Built = #paths == 1 and paths or {}, Std = is_std,
  }
end

--- The definitions of goloader itself.
---@return string
function definitions.api()
  for template in package.path:gmatch "[^;]+" do
    local text = toolchain.read_file((template:gsub("%?", "goloader/definitions/goloader")))
    if text then return text end
  end
  error "goloader/definitions/goloader.lua is not where Lua looks: install goloader anew"
end

local function make_parents(file)
  for at in file:gmatch "()/" do
    if at > 1 then lfs.mkdir(file:sub(1, at - 1)) end
  end
end

--- Writes a file, unless that is what is in it: editors read it anew each time.
---@param file string
---@param text string
---@return true|nil
---@return goloader.Error|nil err
function definitions.write(file, text)
  if toolchain.read_file(file) == text then return true end
  make_parents(file)
  local ok, err = toolchain.write_file(file .. ".new", text)
  if not ok then return nil, err end
  local renamed, why = os.rename(file .. ".new", file)
  if not renamed then return nil, { code = "io", message = why } end
  return true
end

--- Writes those of a build: what the option `types` asks for.
---@param objects goloader.Objects
---@param paths string[]
---@param place string  a file, or a folder that gets one
---@return true|nil
---@return goloader.Error|nil err
function definitions.keep(objects, paths, place)
  local text, err = definitions.describe(objects, paths)
  if not text then return nil, err end
  if place:find "/$" or lfs.attributes(place, "mode") == "directory" then
    place = ("%s/%s.d.lua"):format(place:gsub("/+$", ""), targets.name_of(paths[1]))
  end
  return definitions.write(place, text)
end

return definitions
