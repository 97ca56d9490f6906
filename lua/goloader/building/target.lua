--- What is to be built, as the go command is told: a directory, Go files of one, or a package by its import path.
--
-- A path that is there is taken as that. Of the rest, what begins with a dot or a slash, or ends in .go, can only be
-- missing; all else is an import path or a pattern of some, which the go command looks up from the current directory:
-- in the main module, in what its go.mod requires, in the standard library. With @version the package needs no go.mod:
-- a module that requires it is made in the user's cache.

local lfs = require "lfs"

local hash = require("goloader.core").hash
local places = require "goloader.building.places"
local toolchain = require "goloader.building.toolchain"

local exists, absolute = toolchain.exists, toolchain.absolute

local target = {}

---@class goloader.Target
---@field dir string  where the go command runs
---@field files string[]|nil  base names; nil: whatever files the directory has
---@field import string|nil  the import path of a package that is not of the main module; it may lie anywhere
---@field args string[]  for the go command
---@field key string  tells it from any other

local function failure(code, format, ...)
  return nil, { code = code, message = format:format(...) }
end

-- ---- files ---------------------------------------------------------------------------------------------------------

local function of_directory(dir)
  return { dir = dir, args = { "." }, key = absolute(dir) }
end

local function has_go_files(dir)
  local can_be_read, names, folder = pcall(lfs.dir, dir)
  if not can_be_read then return true end -- the go command says why
  for name in names, folder do
    if name:find "%.go$" then return true end
  end
  return false
end

local function of_files(paths)
  local dir = paths[1]:match "^(.*)/[^/]*$" or "."
  if dir == "" then dir = "/" end
  local files, args = {}, {}
  for i, path in ipairs(paths) do
    if (path:match "^(.*)/[^/]*$" or ".") ~= dir and dir ~= "/" then
      return failure("io", "named files must all be in one directory; have %s and %s", paths[1], path)
    end
    if not exists(path) then return failure("io", "%s: No such file or directory", path) end
    if not path:find "%.go$" then return failure("io", "named files must be .go files: %s", path) end
    files[i] = path:match "[^/]*$"
    args[i] = "./" .. files[i]
  end
  return { dir = dir, files = files, args = args, key = absolute(dir) .. "\0" .. table.concat(files, "\0") }
end

-- ---- import paths --------------------------------------------------------------------------------------------------

-- The runtime calls functions of these that they have told it. A second copy would take the place of the host's own.
local KNOWN_TO_RUNTIME = { runtime = true, sync = true, unique = true, ["internal/godebug"] = true }

-- What the go command said of a name, as a part of a line that begins with that.
local function said(output, name)
  local text = output:gsub("; to add it:.*", ""):gsub("^go: ", ""):gsub("^warning: ", ""):gsub("%s+$", "")
  if text:sub(1, #name + 2) == name .. ": " then text = text:sub(#name + 3) end
  return (text:gsub("\n%s*", "; "))
end

-- Looks the packages up that an import path or a pattern means.
---@return { path: string, dir: string, standard: boolean, main: boolean }[]|nil
---@return string|nil why
local function look_up(tc, path, dir)
  local format = "{{.ImportPath}}\t{{.Dir}}\t{{.Standard}}\t{{with .Module}}{{.Main}}{{end}}"
  local job, err = tc:go({ "list", "-find", "-f", format, "--", path }, { dir = dir })
  if not job then return nil, err.message end
  local ok, output, errors = job:wait()
  if not ok then return nil, said(errors, path) end
  local found = {}
  for line in output:gmatch "[^\n]+" do
    local import, at, standard, main = line:match "^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)$"
    if import then
      found[#found + 1] = { path = import, dir = at, standard = standard == "true", main = main == "true" }
    end
  end
  return found, not found[1] and said(errors, path) or nil
end

-- The directory with a module that requires the package in that version. Versions proper never change, so theirs is
-- kept; what a branch's name or "latest" means is asked again each time.
---@return string|nil dir
---@return goloader.Error|nil err
local function versioned(tc, path, version)
  local cache = places.cache()
  if not cache or not places.is_writable(cache .. "/modules") then
    return failure("io", "%s@%s: there is no place for its go.mod (HOME or XDG_CACHE_HOME says where)", path, version)
  end
  local text = path .. "@" .. version
  local dir = ("%s/modules/%s-%s"):format(cache, text:gsub("[^%w._@-]+", "_"), hash(text, tc.version):sub(1, 8))
  if version:find "^v%d+%.%d+%.%d+" and exists(dir .. "/go.mod") then return dir end
  local job, err = toolchain.start({ "mktemp", "-d", dir .. ".XXXXXX" }, { merge = true })
  if not job then return nil, err end
  local ok, made = job:wait()
  made = made:gsub("%s+$", "")
  if not ok then return failure("io", "%s: %s", text, made) end
  ok, err = toolchain.write_file(made .. "/go.mod", ("module goloader.module\n\ngo %s\n"):format(
    tc.version:match "%d+%.%d+"))
  if not ok then
    toolchain.remove_dir(made)
    return nil, err
  end
  job, err = tc:go({ "get", text }, { dir = made })
  if not job then
    toolchain.remove_dir(made)
    return nil, err
  end
  local got, _, errors = job:wait()
  if not got then
    toolchain.remove_dir(made)
    return nil, toolchain.failure(said(errors, text), "missing", text .. ": ")
  end
  if exists(dir) then toolchain.remove_dir(dir) end
  if not os.rename(made, dir) then toolchain.remove_dir(made) end -- somebody else has just made the same
  return dir
end

-- Those that others may import.
local function public(found)
  local list = {}
  for _, package in ipairs(found or {}) do
    if not ("/" .. package.path .. "/"):find("/internal/", 1, true) then list[#list + 1] = package end
  end
  return list
end

-- The first packages of a list, as a part of a line; nil: there are none.
local function name_some(found)
  local names = {}
  for i = 1, math.min(#found, 8) do names[i] = found[i].path end
  return names[1] and table.concat(names, ", ") .. (found[9] and ", …" or "")
end

---@return goloader.Target|nil
---@return goloader.Error|nil err
local function of_import(tc, text)
  local path, version = text:match "^([^@]+)@?(.-)$"
  if not path or not path:find "^[%w%-._~+/]+$" then
    return failure("io", "%s: there is no such file, and it is no import path", text)
  end
  local dir = "."
  if version ~= "" then
    local made, err = versioned(tc, path, version)
    if not made then return nil, err end
    dir = made
  end
  local found, why = look_up(tc, path, dir)
  if not found or not found[1] then
    local inside = name_some(public(look_up(tc, path .. "/...", dir)))
    if inside then
      return failure("missing", "%s: there is no package of that name, but within it: %s", text, inside)
    end
    local hint = why and why:find "^no required module" and (", and no version is named: %s@latest"):format(path) or ""
    return failure("missing", "%s: there is no such file, and no such package: %s%s", text, why or "nothing matches",
      hint)
  end
  if found[2] then
    return failure("missing", "%s: a module is one package, with what that imports; this means %d: %s", text, #found,
      name_some(found))
  end
  local package = found[1]
  if package.main then return of_directory(package.dir) end
  if package.standard and KNOWN_TO_RUNTIME[package.path] then
    return failure("unsupported", "%s: Go's runtime works with the host's copy, and can't with a second one",
      package.path)
  end
  return { dir = dir, import = package.path, args = { package.path }, key = absolute(dir) .. "\0" .. package.path }
end

--- Finds out what is meant.
---@param tc goloader.Toolchain
---@param paths string[]
---@return goloader.Target|nil
---@return goloader.Error|nil err
function target.find(tc, paths)
  local mode, why = lfs.attributes(paths[1], "mode")
  if mode == "directory" then
    if paths[2] then return failure("io", "one directory, or Go files of one: %s", table.concat(paths, " ")) end
    if not has_go_files(paths[1]) then return failure("missing", "no Go files in %s", paths[1]) end
    return of_directory(paths[1])
  end
  if mode then return of_files(paths) end
  local is_pattern = paths[1]:find("...", 1, true)
  if not is_pattern and (paths[1]:find "^[./]" or paths[1]:find "%.go$") then
    -- "cannot obtain information from file 'x': No such file or directory"
    return failure("io", "%s: %s", paths[1], why:match ": ([^:]*)$" or why)
  end
  if paths[2] then return failure("io", "one package, or Go files of one directory: %s", table.concat(paths, " ")) end
  return of_import(tc, paths[1])
end

--- Has the packages that are to be part of the module say so: the one that is built, the others of its Go module, and
--- those that import one of these. What else a package needs is shared by all that need it.
---@param of goloader.Target
---@param packages table[]  as `go list` told of them, dependencies first
function target.claim(of, packages)
  if not of.import then return end
  local last, own = packages[#packages], {}
  for _, package in ipairs(packages) do
    local is_own = package == last or not package.std and last.version ~= "" and package.version == last.version
    for _, import in ipairs(not package.std and package.imports or {}) do is_own = is_own or own[import] or false end
    package.own = is_own
    own[package.path] = is_own
  end
end

--- What a build is called, as go build names a program: after the directory, the last element of an import path, or the
--- first file.
---@param path string  the first that it was given
---@return string
function target.name_of(path)
  path = path:gsub("@.*", ""):gsub("/v%d+$", "")
  local parts = {}
  for part in absolute(path):gmatch "[^/]+" do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return ((parts[#parts] or "module"):gsub("%.go$", ""):gsub("%.[oa]$", ""))
end

return target
