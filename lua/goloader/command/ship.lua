--- Shipped modules on the command line: goloader build writes one, goloader info tells what is in it.

local unpack = rawget(table, "unpack") or unpack

local ship = {}

local function usage() return require "goloader.command.commands".hint "build" end

-- Our own flags may stand among those of go build.
local function read_arguments(arguments)
  local output, private, key, debugs, rest, at = nil, nil, nil, nil, {}, 1
  while arguments[at] and arguments[at] ~= "--" do
    local word = arguments[at]
    local value = word:match "^%-%-?o=(.*)$"
    if value then
      output = value
    elseif word:find "^%-%-?o$" then
      at = at + 1
      output = arguments[at]
      if not output then return nil, "flag -o lacks its value" end
    elseif word:find "^%-%-?key$" then
      at = at + 1
      key = arguments[at]
      if not key then return nil, "flag -key lacks its value" end
    elseif word:find "^%-%-?key=" then
      key = word:match "=(.*)$"
    elseif word:find "^%-%-?private$" then
      private = true
    elseif word:find "^%-%-?debug$" then
      debugs = true
    else
      rest[#rest + 1] = word
    end
    at = at + 1
  end
  for i = at, #arguments do rest[#rest + 1] = arguments[i] end
  local options, first = require "goloader.building.flags".read(rest)
  if not options then return nil, first end
  local paths = { unpack(rest, first) }
  if not paths[1] then return nil, "nothing to build" end
  options.private, options.key, options.debug = private, key, debugs
  options.notice = function() end -- as go build compiles the standard library, without a word
  options.warnings = function(text) io.stderr:write(text) end
  return paths, options, output
end

--- Runs `goloader build`.
---@param arguments string[]
---@return integer status
function ship.main(arguments)
  local paths, options, output = read_arguments(arguments)
  if not paths then
    io.stderr:write(options and ("goloader build: %s\n"):format(options) or "", usage())
    return options and 2 or 0
  end
  local host, message, err = require "goloader".host()
  if host then
    local line = require "goloader.command.terminal".progress()
    options.progress = line.show
    local manifest
    output = output or require "goloader.building.target".name_of(paths[1]) .. ".gom"
    manifest, message, err = host:ship(paths, output, options)
    line.clear()
    if manifest then return 0 end
  end
  -- a compiler's message is not ours
  io.stderr:write(err.code == "compile" and "" or "goloader: ", message, "\n")
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
  add("%-8s %s", "signed", manifest.key and "it says by key " .. manifest.key or "no")
  if manifest.godebug then add("%-8s %s", "GODEBUG", manifest.godebug) end
  for name, value in pairs(manifest.strings) do add("%-8s %s = %q", "string", name, value) end
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
      or ("%s %s %s%s"):format(export.kind, export.name, export.signature,
        export.value and " = " .. export.value or "")
    add("%-8s %s: %s", "export", export.package, text)
  end
  return table.concat(lines, "\n")
end

return ship
