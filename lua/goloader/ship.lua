--- Shipped modules on the command line: goloader build writes one, goloader info tells what is in it.

local ship = {}

local usage = [[
usage: goloader build [-gcflags FLAGS] [-lang VERSION] [-tags TAGS] [-private] [-o FILE.gom] FILE.go…|DIR|FILE.o…
]]

local takes_value = { gcflags = true, lang = true, tags = true, o = true }

local function read_arguments(arguments)
  local options, paths = {}, {}
  local at = 1
  while arguments[at] do
    local word = arguments[at]
    local name, value = word:match "^%-%-?(%a+)=(.*)$"
    name = name or word:match "^%-%-?(%a+)$"
    if name == "h" or name == "help" then return nil end
    if name == "private" and not value then
      options.private = true
    elseif takes_value[name] then
      if not value then
        at = at + 1
        value = arguments[at]
      end
      if not value then return nil, ("goloader build: flag %s lacks its value\n"):format(word) end
      options[name] = value
    elseif word:find "^%-" then
      return nil, ("goloader build: flag %s is not known\n"):format(word)
    else
      paths[#paths + 1] = word
    end
    at = at + 1
  end
  if #paths == 0 then return nil, "goloader build: nothing to build\n" end
  return paths, options
end

-- As go build names a program: after the directory, or the first file.
local function output_name(path)
  path = path:gsub("/+$", "")
  if path == "" or path:find "%.%.?$" and not path:find "[^/.]%.*$" then
    path = require "goloader.toolchain".absolute(path)
    if path:find "%.%.$" then path = path .. "/x" end
  end
  return (path:match "[^/]*$":gsub("%.go$", ""):gsub("%.[oa]$", "")) .. ".gom"
end

--- Runs `goloader build`.
---@param arguments string[]
---@return integer status
function ship.main(arguments)
  local paths, options = read_arguments(arguments)
  if not paths then
    io.stderr:write(options or "", usage)
    return options and 2 or 0
  end
  local host, err = require "goloader".host()
  if host then
    local manifest
    manifest, err = host:ship(paths, options.o or output_name(paths[1]), options)
    if manifest then return 0 end
  end
  -- a compiler's message is not ours
  io.stderr:write(err.code == "compile" and "" or "goloader: ", err.message, "\n")
  return 1
end

--- A manifest as text.
---@param manifest goloader.Manifest
---@return string
function ship.text(manifest)
  local lines = {}
  local function add(format, ...) lines[#lines + 1] = (format:format(...):gsub("%s+$", "")) end
  add("%-8s %s", "made by", manifest.header)
  add("%-8s %s %s", "host", manifest.host.id, manifest.host.name)
  add("%-8s %s", "hash", manifest.hash)
  add("%-8s %d bytes", "size", manifest.size)
  if manifest.godebug then add("%-8s %s", "GODEBUG", manifest.godebug) end
  for _, package in ipairs(manifest.packages) do
    add("%-8s %-6s %9d  %s  %s", "package", package.role, package.size, package.path, package.version or "")
  end
  for _, library in ipairs(manifest.libraries) do
    add("%-8s %-6s %9d  %s", "C parts", library.role, library.size, table.concat(library.packages, " "))
  end
  for _, import in ipairs(manifest.imports) do
    add("%-8s %-6s %9s  %s", "import", import.in_host and "host" or "none", "", import.path)
  end
  for _, export in ipairs(manifest.exports) do
    -- "func(a int) error" reads as "func Add(a int) error"
    local text = export.kind == "func" and export.signature:gsub("^func", "func " .. export.name)
      or ("var %s %s"):format(export.name, export.signature)
    add("%-8s %s: %s", "export", export.package, text)
  end
  return table.concat(lines, "\n")
end

return ship
